#!/usr/bin/env python3
"""Writes op_vectors.txt: operations with inputs and the results that NumPy computes for them in double precision.

Read by tests/unit/core/ops/op_vectors_test.c. One case:
    case <operation> <opset> <ulps> <absolute tolerance, in units of the type's epsilon>
    in <parameter> <type> <rank> <dims> <values>
    text <parameter> <string>
    out <type> <rank> <dims> <values>
    end
Needs NumPy. Inputs are reproducible; run it again after a change and look at the difference.
"""
import math
import sys

import numpy as np

rng = np.random.default_rng(20260)
DTYPES = {"fp16": np.float16, "fp32": np.float32, "int32": np.int32, "bool": np.bool_, "int8": np.int8,
          "uint8": np.uint8, "int16": np.int16, "uint16": np.uint16}
out = sys.stdout


def name_of(array):
    return next(k for k, v in DTYPES.items() if array.dtype == v)


def tensor(array):
    array = np.asarray(array)
    digits = ".5g" if array.dtype == np.float16 else ".9g" if array.dtype == np.float32 else ".0f"
    values = " ".join(format(float(v), digits) for v in array.ravel())
    return f"{name_of(array)} {array.ndim} {' '.join(map(str, array.shape))} {values}".replace("  ", " ")


def case(op, opset, inputs, result, ulps=1, absolute=0):
    out.write(f"case {op} {opset} {ulps} {absolute}\n")
    for param, value in inputs.items():
        if isinstance(value, str):
            out.write(f"text {param} {value}\n")
        else:
            out.write(f"in {param} {tensor(value)}\n")
    out.write(f"out {tensor(result)}\nend\n")


def draw(shape, dtype, scale=2.0):
    if dtype == "int32":
        return rng.integers(-20, 21, shape).astype(np.int32)
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(np.bool_)
    return np.asarray(rng.normal(0, scale, shape)).astype(DTYPES[dtype])


def wide(x):
    return np.asarray(x, np.float64) if x.dtype.kind == "f" else np.asarray(x, np.int64)


def i32(v):
    return np.array(v, np.int32)


def unary():
    erf, erfc = np.vectorize(math.erf), np.vectorize(math.erfc)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    plain = {"abs": np.abs, "acos": np.arccos, "asin": np.arcsin, "atan": np.arctan, "atanh": np.arctanh,
             "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "erf": erf, "exp": np.exp, "exp2": np.exp2,
             "floor": np.floor, "round": np.round, "sign": np.sign, "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt,
             "square": np.square, "tan": np.tan, "tanh": np.tanh, "relu": lambda x: np.maximum(x, 0),
             "relu6": lambda x: np.clip(x, 0, 6), "sigmoid": sigmoid, "silu": lambda x: x * sigmoid(x),
             "softplus": lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
             "softsign": lambda x: x / (1 + np.abs(x))}
    for dtype in ("fp16", "fp32"):
        for op, f in plain.items():
            scale = 0.4 if op in ("acos", "asin", "atanh") else 3
            x = draw((37,), dtype, scale)
            x = np.clip(x, -1, 1) if scale == 0.4 else x
            x = np.abs(x) if op == "sqrt" else x
            case(op, 5, {"x": x}, f(wide(x)).astype(x.dtype), 3)
        special = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 6e-8, -6e-8, 65504, -65504, 1, -1], DTYPES[dtype])
        for op in ("abs", "ceil", "floor", "sign", "relu", "relu6", "tanh", "sigmoid", "exp", "erf", "softplus", "atan",
                   "square", "sqrt", "round"):
            with np.errstate(all="ignore"):
                case(op, 5, {"x": special}, plain[op](wide(special)).astype(special.dtype), 2)
        x = draw((2, 3, 5), dtype, 3)
        w, t = wide(x), x.dtype.type
        a, b = t(0.3), t(1.5)
        A, B = float(a), float(b)
        for opset in (5, 7):
            case("elu", opset, {"x": x, "alpha": a}, np.where(w > 0, w, A * np.expm1(w)).astype(t), 2)
            case("leaky_relu", opset, {"x": x, "alpha": a}, np.where(w < 0, A * w, w).astype(t), 1)
            case("thresholded_relu", opset, {"x": x, "alpha": a}, np.where(w < A, 0, w).astype(t))
            case("clamped_relu", opset, {"x": x, "alpha": a, "beta": b},
                 np.minimum(np.where(w < 0, A * w, w), B).astype(t))
            case("linear_activation", opset, {"x": x, "alpha": a, "beta": b}, (A * w + B).astype(t), 1, 4)
            case("scaled_tanh", opset, {"x": x, "alpha": a, "beta": b}, (A * np.tanh(B * w)).astype(t), 4)
            case("sigmoid_hard", opset, {"x": x, "alpha": a, "beta": b}, np.clip(A * w + B, 0, 1).astype(t), 1, 4)
            case("clip", opset, {"x": x, "alpha": a, "beta": b}, np.clip(w, A, B).astype(t))
            alphas, betas = draw((3,), dtype, 1), draw((3,), dtype, 1)
            wa, wb = wide(alphas).reshape(3, 1), wide(betas).reshape(3, 1)
            case("prelu", opset, {"x": x, "alpha": alphas}, np.where(w < 0, w * wa, w).astype(t))
            case("softplus_parametric", opset, {"x": x, "alpha": alphas, "beta": betas},
                 (wa * np.log1p(np.exp(w * wb))).astype(t), 3)
            p = np.abs(x)
            case("log", opset, {"x": p}, np.log(wide(p)).astype(t), 2)
            case("log", opset, {"x": p, "epsilon": a}, np.log(wide(p) + A).astype(t), 2, 4)
            case("rsqrt", opset, {"x": p, "epsilon": a}, (1 / np.sqrt(wide(p) + A)).astype(t), 2)
            case("inverse", opset, {"x": p, "epsilon": a}, (1 / (wide(p) + A)).astype(t), 2)
            case("inverse", opset, {"x": p}, (1 / (wide(p) + float(t(1e-4)))).astype(t), 2)
        case("threshold", 5, {"x": x, "alpha": a}, np.maximum(w, A).astype(t))
        root2 = math.sqrt(2)
        case("gelu", 5, {"x": x}, (0.5 * w * erfc(-w / root2)).astype(t), 5)
        case("gelu", 5, {"x": x, "mode": "EXACT"}, (0.5 * w * erfc(-w / root2)).astype(t), 5)
        case("gelu", 5, {"x": x, "mode": "TANH_APPROXIMATION"},
             (w * sigmoid(2 * math.sqrt(2 / math.pi) * (w + 0.044715 * w**3))).astype(t), 2)
        case("gelu", 5, {"x": x, "mode": "SIGMOID_APPROXIMATION"}, (w * sigmoid(1.702 * w)).astype(t), 2)
    x = np.array([-5, 0, 7, -2**31, 2**31 - 1, 46341], np.int32)
    case("abs", 5, {"x": x}, np.abs(x))
    case("sign", 5, {"x": x}, np.sign(x))
    with np.errstate(all="ignore"):
        case("square", 5, {"x": x}, np.square(x))
    case("threshold", 5, {"x": x, "alpha": np.int32(16777217)}, np.maximum(x, 16777217))
    case("exp2", 5, {"x": i32([0, 1, 5, 30, -1, 31])}, i32([1, 2, 32, 1 << 30, 0, 2**31 - 1]))
    x = draw((3, 5), "bool")
    case("logical_not", 5, {"x": x}, ~x)


def casts():
    x = np.array([0, -0.5, 0.5, 1.9, -1.9, 127.9, 100.25], np.float32)
    for target in ("int32", "fp16", "fp32", "bool"):
        case("cast", 5, {"x": x, "dtype": target}, x.astype(DTYPES[target]))
        case("cast", 5, {"x": x.astype(np.float16), "dtype": target}, x.astype(np.float16).astype(DTYPES[target]))
    for target in ("int8", "int16"):
        case("cast", 7, {"x": x, "dtype": target}, x.astype(DTYPES[target]))
    for target in ("uint8", "uint16", "int8"):
        case("cast", 7, {"x": i32([0, 1, -1, 255, 256, 65535, 65536, 300]), "dtype": target},
             i32([0, 1, -1, 255, 256, 65535, 65536, 300]).astype(DTYPES[target]))
    special = np.array([np.nan, np.inf, -np.inf, 3e9, -3e9, 2147483520.0], np.float32)
    case("cast", 5, {"x": special, "dtype": "int32"}, i32([0, 2**31 - 1, -2**31, 2**31 - 1, -2**31, 2147483520]))
    case("cast", 5, {"x": special, "dtype": "bool"}, np.ones(6, np.bool_))
    case("cast", 5, {"x": i32([2049, 65519, 65520, -7, 2**31 - 1]), "dtype": "fp16"},
         np.array([2048, 65504, np.inf, -7, np.inf], np.float16))
    case("cast", 5, {"x": i32([16777217, 33554435]), "dtype": "fp32"}, np.array([16777216, 33554436], np.float32))
    case("cast", 5, {"x": np.array([True, False]), "dtype": "fp16"}, np.array([1, 0], np.float16))


SHAPES = [((3, 4), (3, 4)), ((3, 4), ()), ((), (3, 4)), ((2, 3, 5), (5,)), ((2, 3, 5), (3, 1)), ((2, 1, 5), (1, 3, 1)),
          ((2, 1), (1, 37)), ((2, 3, 1, 2, 1, 2), (3, 2, 1, 2, 1)), ((1,), (1, 1)), ((0, 3), (3,)), ((37,), (37,))]


def binary():
    ops = {"add": np.add, "sub": np.subtract, "mul": np.multiply, "real_div": np.divide, "floor_div": np.floor_divide,
           "mod": np.mod, "maximum": np.maximum, "minimum": np.minimum, "pow": np.power}
    compare = {"equal": np.equal, "not_equal": np.not_equal, "less": np.less, "less_equal": np.less_equal,
               "greater": np.greater, "greater_equal": np.greater_equal}
    for dtype in ("fp16", "fp32", "int32"):
        for a, b in SHAPES:
            for op, f in ops.items():
                x, y = draw(a, dtype), draw(b, dtype)
                if op == "pow":
                    x, y = np.abs(x), np.abs(y) if dtype == "int32" else y
                    y = np.minimum(y, 4) if dtype == "int32" else y
                elif op in ("real_div", "floor_div", "mod") and dtype == "int32":
                    y = np.where(y == 0, 3, y).astype(np.int32)
                result = f(wide(x), wide(y))
                if op == "real_div" and dtype == "int32":
                    result = np.trunc(result)
                case(op, 5, {"x": x, "y": y}, np.asarray(result).astype(x.dtype), 1)
            for op, f in compare.items():
                x, y = np.round(draw(a, dtype)), np.round(draw(b, dtype))
                case(op, 5, {"x": x, "y": y}, np.asarray(f(x, y)))
    logical = {"logical_and": np.logical_and, "logical_or": np.logical_or, "logical_xor": np.logical_xor}
    for a, b in SHAPES:
        for op, f in logical.items():
            x, y = draw(a, "bool"), draw(b, "bool")
            case(op, 5, {"x": x, "y": y}, np.asarray(f(x, y)))
    for a, b in SHAPES:
        for dtype in ("fp16", "fp32", "int32", "bool"):
            for condition in ((), b, a):
                c, x, y = draw(condition, "bool"), draw(a, dtype), draw(b, dtype)
                case("select", 5, {"cond": c, "a": x, "b": y}, np.where(c, x, y).astype(x.dtype))
    c = draw((4, 1), "bool")
    case("select", 5, {"cond": c, "a": np.float32(1), "b": np.zeros(3, np.float32)},
         np.where(c, 1, np.zeros(3)).astype(np.float32))
    inf, nan = np.inf, np.nan
    for dtype in ("fp16", "fp32"):
        t = DTYPES[dtype]
        x = np.array([5, -5, 5, -5, 0, 1, inf, 1, -1, nan, 7.5, -7.5, -0.0, 65504, 6e-8], t)
        y = np.array([3, 3, -3, -3, 3, 0, 2, inf, inf, 1, 2.5, 2.5, 3, 6e-8, 65504], t)
        with np.errstate(all="ignore"):
            for op in ("floor_div", "mod", "real_div", "maximum", "minimum"):
                reference = ops[op](x.astype(np.float32), y.astype(np.float32)).astype(t)
                case(op, 5, {"x": x, "y": y}, reference)
            x = np.array([0, 0, -0.0, -0.0, -2, -2, -2, 1, nan, -1, 2, 0.5, inf, -inf, -8, 4, 0], t)
            y = np.array([2, -1, 3, -3, 3, 2, 0.5, nan, 0, inf, -inf, inf, -1, 3, 1 / 3, 0.5, 0], t)
            case("pow", 5, {"x": x, "y": y}, np.power(wide(x), wide(y)).astype(t))
            case("pow", 5, {"x": x, "y": t(2)}, np.power(wide(x), 2).astype(t))
    x = i32([-7, 7, -7, 7, -2**31, 5, -2**31, 0])
    y = i32([2, -2, -2, 2, -1, 0, 7, 5])
    case("floor_div", 5, {"x": x, "y": y}, i32([-4, -4, 3, 3, -2**31, 0, -306783379, 0]))
    case("mod", 5, {"x": x, "y": y}, i32([1, -1, -1, 1, 0, 0, 5, 0]))
    case("pow", 5, {"x": i32([2, 1, -1, -1, 0, 3, 2]), "y": i32([-1, -5, -3, -2, -1, 21, 31])},
         i32([0, 1, -1, 1, 2**31 - 1, 10460353203 - 2**33, -2**31]))


def reduction():
    def lse(x, axis, keepdims):
        m = np.max(x, axis=axis, keepdims=True)
        s = np.log(np.sum(np.exp(x - m), axis=axis, keepdims=True)) + m
        return s if keepdims else np.squeeze(s, axis=axis)

    ops = {"reduce_sum": lambda x, **k: np.sum(x, **k), "reduce_mean": lambda x, **k: np.mean(x, **k),
           "reduce_max": lambda x, **k: np.max(x, **k), "reduce_min": lambda x, **k: np.min(x, **k),
           "reduce_prod": lambda x, **k: np.prod(x, **k), "reduce_l1_norm": lambda x, **k: np.sum(np.abs(x), **k),
           "reduce_l2_norm": lambda x, **k: np.sqrt(np.sum(np.square(x), **k)),
           "reduce_sum_square": lambda x, **k: np.sum(np.square(x), **k),
           "reduce_log_sum": lambda x, **k: np.log(np.sum(x, **k)), "reduce_log_sum_exp": lse}
    for dtype in ("fp16", "fp32", "int32"):
        for shape, axes in [((5,), None), ((2, 37), [1]), ((2, 37), [0]), ((2, 3, 4, 5), [1]), ((2, 3, 4, 5), [-1, 1]),
                            ((2, 3, 4, 5), [0, 2]), ((2, 3, 4, 5), None), ((2, 1, 7), [-2]), ((1, 2, 258), [1]),
                            ((4, 3), []), ((), None), ((4200,), [0])]:
            for op, f in ops.items():
                x = draw(shape, dtype, 1)
                x = np.abs(x) + x.dtype.type(1) if op == "reduce_log_sum" else x
                x = np.clip(x, 1, 2) if op == "reduce_prod" and dtype == "int32" and x.size < 60 else x
                if op == "reduce_prod" and x.size > 300:
                    continue
                if op == "reduce_prod" and dtype == "int32" and x.size >= 60:
                    continue
                if 300 < x.size < 4000 and op not in ("reduce_sum", "reduce_min", "reduce_log_sum_exp"):
                    continue
                if x.size > 4000 and (op != "reduce_mean" or dtype == "fp16"):
                    continue
                for keep in (False, True) if x.size < 1000 else (False,):
                    k = {"axis": tuple(axes) if axes is not None else None, "keepdims": keep}
                    result = np.asarray(f(wide(x), **k)).astype(x.dtype)
                    inputs = {"x": x, "keep_dims": np.bool_(keep)}
                    if axes is not None:
                        inputs["axes"] = i32(axes)
                    case(op, 5, inputs, result, 4, 0 if dtype == "int32" else 4)
    for dtype in ("fp16", "fp32", "int32"):
        for shape, axis in [((5,), 0), ((2, 37), 1), ((2, 37), 0), ((2, 3, 4), 1), ((2, 258), 0), ((1, 258), -1)]:
            for op, f in (("reduce_argmax", np.argmax), ("reduce_argmin", np.argmin)):
                x = draw(shape, dtype, 2)
                x = np.round(x)  # ties
                if dtype != "int32" and len(shape) == 2:
                    x[-1, 2] = np.nan
                for keep in (False, True):
                    r = np.asarray(f(x, axis=axis))
                    r = np.expand_dims(r, axis) if keep else r
                    base = {"x": x, "axis": np.int32(axis), "keep_dims": np.bool_(keep)}
                    case(op, 5, base, r.astype(np.int32))
                    case(op, 7, {**base, "output_dtype": "uint16"}, r.astype(np.uint16))
    nans = np.array([[1, np.nan, 3], [1, 2, 3]], np.float32)
    case("reduce_max", 5, {"x": nans, "axes": i32([1])}, np.max(nans, axis=1))
    case("reduce_min", 5, {"x": nans, "axes": i32([0])}, np.min(nans, axis=0))
    case("reduce_sum", 5, {"x": np.zeros((2, 0), np.float32), "axes": i32([1])}, np.zeros(2, np.float32))


def softmax():
    for dtype in ("fp16", "fp32"):
        for shape, axis in [((7,), 0), ((2, 37), -1), ((2, 37), 0), ((2, 3, 4), 1), ((1, 2, 258), 1), ((2, 1, 3), 1),
                            ((1, 300), 1), ((2, 0), 0)]:
            x = draw(shape, dtype, 4)
            w = wide(x)
            e = np.exp(w - np.max(w, axis=axis, keepdims=True)) if w.size else w
            case("softmax", 5, {"x": x, "axis": np.int32(axis)},
                 (e / np.sum(e, axis=axis, keepdims=True) if w.size else w).astype(x.dtype), 8, 1)
        x = draw((2, 3, 4), dtype, 100)
        w = wide(x)
        e = np.exp(w - np.max(w, axis=-1, keepdims=True))
        case("softmax", 5, {"x": x}, (e / np.sum(e, axis=-1, keepdims=True)).astype(x.dtype), 8, 1)


def normalization():
    def moments(x, axes, eps):
        m = np.mean(x, axis=axes, keepdims=True)
        return (x - m) / np.sqrt(np.mean(np.square(x - m), axis=axes, keepdims=True) + eps)

    for dtype in ("fp16", "fp32"):
        t = DTYPES[dtype]
        loose = 8 if dtype == "fp16" else 64  # the mean's rounding shows where the deviation is small
        for shape, axes in [((2, 37), [1]), ((2, 37), [0]), ((2, 3, 4, 5), [2, 3]), ((2, 3, 4, 5), [-3]),
                            ((2, 3, 4, 5), [1, 3]), ((2, 3, 4, 5), [0, 2]), ((2, 3, 4), None), ((1, 2, 258), [1])]:
            x = draw(shape, dtype, 2) + t(1)
            positive = sorted(a % len(shape) for a in (axes if axes is not None else range(len(shape))))
            inner = [shape[a] for a in positive]
            broad = [shape[i] if i in positive else 1 for i in range(len(shape))]
            gamma, beta = draw(inner, dtype, 1), draw(inner, dtype, 1)
            inputs = {"x": x} if axes is None else {"x": x, "axes": i32(axes)}
            n = moments(wide(x), tuple(positive), 1e-5)
            case("layer_norm", 5, inputs, n.astype(t), 4, loose)
            result = n * wide(gamma).reshape(broad) + wide(beta).reshape(broad)
            case("layer_norm", 7, {**inputs, "gamma": gamma, "beta": beta}, result.astype(t), 4, loose)
            eps = t(0.125)
            n = moments(wide(x), tuple(positive), 0.125)
            case("layer_norm", 5, {**inputs, "gamma": gamma, "epsilon": eps},
                 (n * wide(gamma).reshape(broad)).astype(t), 4, loose)
        for shape in [(2, 3, 7), (2, 5, 1), (2, 3, 4, 5), (1, 3, 8, 9)]:
            x, c = draw(shape, dtype, 2), shape[1]
            broad = [1, c] + [1] * (len(shape) - 2)
            gamma, beta, mean = draw((c,), dtype, 1), draw((c,), dtype, 1), draw((c,), dtype, 1)
            variance = np.abs(draw((c,), dtype, 1)) + t(0.1)
            g, b, m, v = (wide(a).reshape(broad) for a in (gamma, beta, mean, variance))
            n = moments(wide(x), tuple(range(2, len(shape))), 1e-5)
            for opset in (5, 7):
                case("instance_norm", opset, {"x": x}, n.astype(t), 4, loose)
                case("instance_norm", opset, {"x": x, "gamma": gamma, "beta": beta}, (n * g + b).astype(t), 4, loose)
                y = (wide(x) - m) / np.sqrt(v + 1e-5)
                case("batch_norm", opset, {"x": x, "mean": mean, "variance": variance}, y.astype(t), 4, loose)
                case("batch_norm", opset, {"x": x, "mean": mean, "variance": variance, "gamma": gamma, "beta": beta},
                     (y * g + b).astype(t), 4, loose)
            other = np.float32 if t == np.float16 else np.float16
            y = (wide(x) - m.astype(other)) / np.sqrt(v.astype(other).astype(np.float64) + t(1e-5))
            case("batch_norm", 7, {"x": x, "mean": mean.astype(other), "variance": variance.astype(other),
                                   "epsilon": t(1e-5)}, y.astype(t), 4, loose)
        for shape in [(2, 3, 4), (2, 3, 4, 5), (2, 2, 3, 4, 5)]:
            x = draw(shape, dtype, 2)
            n = np.sum(np.square(wide(x)), axis=(-3, -2, -1), keepdims=True)
            case("l2_norm", 5, {"x": x}, (wide(x) / np.sqrt(n + 1e-6)).astype(t), 4)
            case("l2_norm", 7, {"x": x, "epsilon": t(0.5)}, (wide(x) / np.sqrt(n + 0.5)).astype(t), 4)
        rows = [(draw(shape, dtype, 2), size)
                for shape, size in [((2, 7, 5), 3), ((2, 5, 4, 5), 4), ((1, 3, 33), 5), ((1, 1, 2), 1)]]
        for x, size in rows + [(np.linspace(-4, 4, 48).reshape(2, 3, 2, 2, 2).astype(t), 3)]:
            s = np.zeros(x.shape)
            for c in range(x.shape[1]):
                first, last = max(0, c - size // 2), min(x.shape[1], c - size // 2 + size)
                s[:, c] = np.sum(np.square(wide(x)[:, first:last]), axis=1)
            for opset in (5, 7):
                case("local_response_norm", opset, {"x": x, "size": np.int32(size)},
                     (wide(x) / (1 + 1e-4 / size * s) ** 0.75).astype(t), 4)
                a, b, k = t(0.5), t(0.25), t(2)
                case("local_response_norm", opset, {"x": x, "size": np.int32(size), "alpha": a, "beta": b, "k": k},
                     (wide(x) / (2 + 0.5 / size * s) ** 0.25).astype(t), 4)


def main():
    np.seterr(all="ignore")
    unary()
    casts()
    binary()
    reduction()
    softmax()
    normalization()


main()
