#!/usr/bin/env python3
"""Makes tests/parity/cases: tiny packages that try the planner and the executor, with inputs and outputs worked out by NumPy.

    python make_cases.py        needs coremltools and numpy

A case is a folder: model.mlpackage, inputs/inputs.json with .npy files, outputs.json with the expected .npy files (the form of
`mlscope run`), case.json (arguments, bound in dB).
"""
import json
import pathlib
import shutil

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import Function, Program, types

CASES = pathlib.Path(__file__).resolve().parent / "cases"


def drop_empty_weights(package):
    """Version control keeps no empty folder, so a package without weights must not list one."""
    weights = package / "Data" / "com.apple.CoreML" / "weights"
    if weights.is_dir() and not any(weights.iterdir()):
        weights.rmdir()
        manifest = json.loads((package / "Manifest.json").read_text())
        items = manifest["itemInfoEntries"]
        manifest["itemInfoEntries"] = {k: v for k, v in items.items() if not v["path"].endswith("/weights")}
        (package / "Manifest.json").write_text(json.dumps(manifest, indent=4) + "\n")


def save(name, program, given, outputs, target=ct.target.iOS16, snr_db=90, **convert):
    """Converts without any optimisation, so that the graph is the one written here."""
    folder = CASES / name
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "inputs").mkdir(parents=True)
    model = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=target,
                       compute_precision=ct.precision.FLOAT32, pass_pipeline=ct.PassPipeline.EMPTY, **convert)
    model.save(str(folder / "model.mlpackage"))
    drop_empty_weights(folder / "model.mlpackage")
    listed = []
    for i, (key, value) in enumerate(given.items()):
        np.save(folder / "inputs" / f"{i:02}_{key}.npy", value)
        listed.append({"name": key, "file": f"{i:02}_{key}.npy"})
    (folder / "inputs" / "inputs.json").write_text(json.dumps({"inputs": listed}, indent=1) + "\n")
    expected = []
    names = [o.name for o in model.get_spec().description.output]
    for i, (key, value) in enumerate(zip(names, outputs)):
        np.save(folder / f"{i:02}_{key}.npy", value)
        expected.append({"name": key, "kind": "tensor", "dtype": str(value.dtype), "shape": list(value.shape),
                         "file": f"{i:02}_{key}.npy"})
    (folder / "outputs.json").write_text(
        json.dumps({"schema": "mlscope.outputs", "version": 1, "outputs": expected}, indent=1) + "\n")
    (folder / "case.json").write_text(json.dumps({"model": "model.mlpackage", "snr_db": snr_db}, indent=1) + "\n")


def rng(seed):
    return np.random.default_rng(seed)


def loop_counts():
    """A loop with an early end, a captured value, and a value that changes every time."""
    @mb.program(input_specs=[mb.TensorSpec((4,)), mb.TensorSpec((4,))], opset_version=ct.target.iOS16)
    def program(x, y):
        def condition(i, acc):
            return mb.less(x=i, y=5)

        def body(i, acc):
            return mb.add(x=i, y=1), mb.add(x=mb.mul(x=acc, y=0.5), y=y)

        i, acc = mb.while_loop(_cond=condition, _body=body, loop_vars=(0, x))
        return mb.add(x=acc, y=y)

    x, y = rng(1).standard_normal((2, 4), np.float32)
    acc = x.copy()
    for _ in range(5):
        acc = acc * np.float32(0.5) + y
    save("loop_counts", program, {"x": x, "y": y}, [acc + y])


def loop_swaps():
    """Loop variables that take each other's value."""
    @mb.program(input_specs=[mb.TensorSpec((3,)), mb.TensorSpec((3,))], opset_version=ct.target.iOS16)
    def program(x, y):
        def condition(i, a, b):
            return mb.less(x=i, y=3)

        def body(i, a, b):
            return mb.add(x=i, y=1), mb.identity(x=b), mb.add(x=a, y=b)

        _, a, b = mb.while_loop(_cond=condition, _body=body, loop_vars=(0, x, y))
        return mb.sub(x=a, y=b)

    x, y = rng(2).standard_normal((2, 3), np.float32)
    a, b = x, y
    for _ in range(3):
        a, b = b, a + b
    save("loop_swaps", program, {"x": x, "y": y}, [a - b])


def loop_grows():
    """A loop variable whose shape grows with each iteration."""
    @mb.program(input_specs=[mb.TensorSpec((1, 2))], opset_version=ct.target.iOS16)
    def program(x):
        def condition(i, acc):
            return mb.less(x=i, y=3)

        def body(i, acc):
            return mb.add(x=i, y=1), mb.concat(values=(acc, mb.mul(x=x, y=mb.cast(x=i, dtype="fp32"))), axis=0)

        spec = mb.reshape(x=x, shape=(1, 2))
        _, acc = mb.while_loop(_cond=condition, _body=body, loop_vars=(0, spec))
        return mb.reduce_sum(x=acc, axes=(0,), keep_dims=False)

    x = rng(3).standard_normal((1, 2), np.float32)
    save("loop_grows", program, {"x": x}, [np.concatenate([x, x * 0, x * 1, x * 2]).sum(0).astype(np.float32)])


def loop_nested():
    """A loop in a loop; the inner one reads values of both outer levels."""
    @mb.program(input_specs=[mb.TensorSpec((2, 2))], opset_version=ct.target.iOS16)
    def program(x):
        def outer(i, acc):
            scaled = mb.mul(x=x, y=0.25)

            def inner(j, part):
                return mb.add(x=j, y=1), mb.add(x=part, y=mb.add(x=scaled, y=x))

            _, part = mb.while_loop(_cond=lambda j, part: mb.less(x=j, y=2), _body=inner, loop_vars=(0, acc))
            return mb.add(x=i, y=1), mb.mul(x=part, y=0.5)

        _, acc = mb.while_loop(_cond=lambda i, acc: mb.less(x=i, y=3), _body=outer, loop_vars=(0, x))
        return acc

    x = rng(4).standard_normal((2, 2), np.float32)
    acc = x.copy()
    for _ in range(3):
        for _ in range(2):
            acc = acc + (x * np.float32(0.25) + x)
        acc = acc * np.float32(0.5)
    save("loop_nested", program, {"x": x}, [acc])


def branches():
    """cond with a predicate from the data; both sides once through the arguments x and -x."""
    for name, sign in (("branch_true", 1), ("branch_false", -1)):
        @mb.program(input_specs=[mb.TensorSpec((2, 3))], opset_version=ct.target.iOS16)
        def program(x):
            positive = mb.greater(x=mb.reduce_sum(x=x, axes=(0, 1), keep_dims=False), y=0.0)
            doubled = mb.mul(x=x, y=2.0)
            return mb.cond(pred=positive, _true_fn=lambda: mb.add(x=doubled, y=1.0), _false_fn=lambda: mb.sub(x=x, y=3.0))

        x = (sign * np.abs(rng(5).standard_normal((2, 3)))).astype(np.float32)
        save(name, program, {"x": x}, [x * 2 + 1 if sign > 0 else x - 3])


def data_dependent():
    """Shapes that only the values tell: non_zero, then a gather and a reduction of what it found."""
    @mb.program(input_specs=[mb.TensorSpec((3, 4))], opset_version=ct.target.iOS16)
    def program(x):
        where = mb.non_zero(x=mb.cast(x=mb.greater(x=x, y=0.0), dtype="fp32"))
        found = mb.gather_nd(x=x, indices=where)
        return mb.reduce_sum(x=found, axes=(0,), keep_dims=True), mb.shape(x=where)

    x = rng(6).standard_normal((3, 4), np.float32)
    where = np.argwhere(x > 0)
    save("data_dependent", program, {"x": x},
         [x[x > 0].sum(keepdims=True).reshape(1), np.array(where.shape, np.int32)])


def lists():
    """A list that is written in a loop and gathered, scattered and read afterwards."""
    @mb.program(input_specs=[mb.TensorSpec((3, 2))], opset_version=ct.target.iOS16)
    def program(x):
        empty = mb.make_list(init_length=3, dynamic_length=False, elem_shape=(2,), dtype="fp32")
        filled = mb.list_scatter(ls=empty, indices=[0, 1, 2], value=x)

        def body(i, ls):
            row = mb.list_read(ls=ls, index=i)
            return mb.add(x=i, y=1), mb.list_write(ls=ls, index=i, value=mb.mul(x=row, y=3.0))

        _, out = mb.while_loop(_cond=lambda i, ls: mb.less(x=i, y=2), _body=body, loop_vars=(0, filled))
        return mb.list_gather(ls=out, indices=[2, 0, 1]), mb.list_read(ls=filled, index=0)

    x = rng(7).standard_normal((3, 2), np.float32)
    y = x * np.array([[3], [3], [1]], np.float32)
    save("lists", program, {"x": x}, [y[[2, 0, 1]], x[0]])


def shared_memory():
    """Views and in-place operations on values that are still needed."""
    @mb.program(input_specs=[mb.TensorSpec((2, 8))], opset_version=ct.target.iOS16)
    def program(x):
        a = mb.relu(x=mb.add(x=x, y=1.0))
        view = mb.reshape(x=a, shape=(4, 4))
        b = mb.mul(x=view, y=2.0)
        c = mb.exp(x=view)
        d = mb.add(x=b, y=c)
        flat = mb.reshape(x=d, shape=(16,))
        return mb.sub(x=flat, y=mb.reshape(x=a, shape=(16,))), mb.reshape(x=x, shape=(16,)), mb.identity(x=view)

    x = rng(8).standard_normal((2, 8), np.float32)
    a = np.maximum(x + 1, 0)
    view = a.reshape(4, 4)
    save("shared_memory", program, {"x": x},
         [((view * 2 + np.exp(view)).reshape(16) - a.reshape(16)).astype(np.float32), x.reshape(16), view])


def folded():
    """Shapes computed by the program from constants and from static shapes: nothing of it may remain at run time."""
    @mb.program(input_specs=[mb.TensorSpec((2, 3, 4))], opset_version=ct.target.iOS16)
    def program(x):
        dims = mb.shape(x=x)
        last = mb.gather(x=dims, indices=[2], axis=0)
        flat = mb.concat(values=([-1], last), axis=0)
        return mb.reduce_max(x=mb.reshape(x=x, shape=flat), axes=(0,), keep_dims=False)

    x = rng(9).standard_normal((2, 3, 4), np.float32)
    save("folded", program, {"x": x}, [x.reshape(-1, 4).max(0)])


def rounding():
    """fp16 rounds after every operation, and overflows where it must."""
    @mb.program(input_specs=[mb.TensorSpec((64,), dtype=types.fp16)], opset_version=ct.target.iOS16)
    def program(x):
        big = mb.mul(x=x, y=np.float16(300.0))
        return mb.sub(x=mb.mul(x=big, y=np.float16(300.0)), y=x), mb.sub(x=mb.add(x=x, y=np.float16(2048.0)), y=np.float16(2048.0))

    x = rng(10).standard_normal(64).astype(np.float16)
    with np.errstate(over="ignore"):
        first = (x * np.float16(300)) * np.float16(300) - x
    second = (x + np.float16(2048)) - np.float16(2048)
    save("rounding", program, {"x": x}, [first, second], snr_db=200)


def flexible():
    """A range of shapes: planned for the shape of the input given."""
    @mb.program(input_specs=[mb.TensorSpec((ct.converters.mil.mil.get_new_symbol(), 3))], opset_version=ct.target.iOS16)
    def program(x):
        return mb.add(x=mb.reduce_mean(x=x, axes=(0,), keep_dims=True), y=x)

    x = rng(11).standard_normal((5, 3), np.float32)
    save("flexible", program, {"x": x}, [x + x.mean(0, keepdims=True)],
         inputs=[ct.TensorType("x", (ct.RangeDim(1, 8, 2), 3))])


def states():
    """A state that is read, changed and written; starts at zero."""
    @mb.program(input_specs=[mb.TensorSpec((3,), dtype=types.fp16), mb.StateTensorSpec((3,), dtype=types.fp16)],
                opset_version=ct.target.iOS18)
    def program(x, total):
        before = mb.read_state(input=total)
        after = mb.coreml_update_state(state=total, value=mb.add(x=before, y=x))
        return mb.mul(x=after, y=np.float16(2.0))

    x = np.array([1, 2, 3.5], np.float16)
    save("states", program, {"x": x}, [x * np.float16(2)], target=ct.target.iOS18)


def states_shapes():
    """A state that inputs of several lengths add to."""
    @mb.program(input_specs=[mb.TensorSpec((ct.converters.mil.mil.get_new_symbol(), 3), dtype=types.fp16),
                             mb.StateTensorSpec((3,), dtype=types.fp16)], opset_version=ct.target.iOS18)
    def program(x, total):
        before = mb.read_state(input=total)
        after = mb.coreml_update_state(state=total, value=mb.add(x=before, y=mb.reduce_sum(x=x, axes=(0,))))
        return mb.mul(x=after, y=np.float16(2.0))

    x = np.array([[1, 2, 3.5], [4, 5, 6], [0.5, -1, 8]], np.float16)
    save("states_shapes", program, {"x": x}, [x.sum(0) * np.float16(2)], target=ct.target.iOS18,
         inputs=[ct.TensorType("x", (ct.RangeDim(1, 8, 2), 3), dtype=np.float16)])


def random():
    """Numbers without a seed of their own. What is right of them is their range and mean, so the bound is low: 4.8 dB lie
    between the mean and uniform numbers around it."""
    @mb.program(input_specs=[mb.TensorSpec((1,))], opset_version=ct.target.iOS16)
    def program(x):
        return mb.add(x=mb.random_uniform(shape=(4096,), low=0.0, high=1.0), y=x)

    save("random", program, {"x": np.zeros(1, np.float32)}, [np.full(4096, 0.5, np.float32)], snr_db=4.5)


def convolve(x, weight, groups=1):
    """Convolution of odd kernels with padding "same" and stride 1."""
    pad = weight.shape[2] // 2
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, weight.shape[2:], (2, 3))
    parts = [np.einsum("ncyxij,ocij->noyx", w, k) for w, k in
             zip(np.split(windows, groups, 1), np.split(weight, groups, 0))]
    return np.concatenate(parts, 1)


def fusion():
    """Elementwise operations behind those that can take them over; in fp32 and in fp16."""
    for name, dtype, snr_db in (("fusion", np.float32, 90), ("fusion_fp16", np.float16, 45)):
        r = rng(12)
        shapes = ((4, 4, 3, 3), (4, 4, 1, 1), (4, 1, 3, 3), (4, 4, 1, 1), (4, 4, 3, 3), (36, 36))
        w = [(r.standard_normal(s) / 3).astype(dtype) for s in shapes]
        x = r.standard_normal((1, 4, 6, 6)).astype(dtype)

        @mb.program(input_specs=[mb.TensorSpec(x.shape, dtype=types.fp16 if dtype == np.float16 else types.fp32)],
                    opset_version=ct.target.iOS17)
        def program(x):
            def conv(x, weight, label, groups=1):
                return mb.conv(x=x, weight=weight, pad_type="same", groups=groups, name=label)

            chain = mb.mul(x=mb.relu(x=conv(x, w[0], "chain_conv"), name="chain_relu"), y=dtype(0.5), name="chain_mul")
            rest = mb.sub(x=chain, y=conv(chain, w[1], "rest_conv"), name="rest_sub")
            twice = conv(rest, w[2], "twice_conv", groups=4)
            gated = mb.mul(x=twice, y=mb.tanh(x=twice, name="twice_tanh"), name="twice_mul")
            both = mb.add(x=conv(gated, w[3], "first_conv"), y=conv(gated, w[4], "second_conv"), name="both_add")
            shown = conv(both, w[3], "shown_conv")
            clipped = mb.clip(x=shown, alpha=dtype(-1), beta=dtype(1), name="shown_clip")
            pooled = mb.leaky_relu(x=mb.max_pool(x=clipped, kernel_sizes=(3, 3), strides=(1, 1), pad_type="same", name="pool"),
                                   alpha=dtype(0.25), name="pool_leaky")
            up = mb.tanh(x=mb.conv_transpose(x=pooled, weight=w[1], name="up_conv"), name="up_tanh")
            flat = mb.reshape(x=up, shape=(4, 36))
            scaled = mb.real_div(x=mb.linear(x=flat, weight=w[5], name="scaled_linear"), y=dtype(4), name="scaled_div")
            early = mb.matmul(x=scaled, y=w[5], name="early_matmul")
            late = mb.exp(x=flat, name="late_exp")
            return mb.maximum(x=early, y=late, name="late_maximum"), mb.identity(x=shown, name="shown")

        f = np.float32
        y, k = x.astype(f), [v.astype(f) for v in w]
        chain = np.maximum(convolve(y, k[0]), 0) * f(0.5)
        twice = convolve(chain - convolve(chain, k[1]), k[2], 4)
        gated = twice * np.tanh(twice)
        shown = convolve(convolve(gated, k[3]) + convolve(gated, k[4]), k[3])
        padded = np.pad(np.clip(shown, -1, 1), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        pooled = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3)).max((4, 5))
        pooled = np.where(pooled < 0, pooled * f(0.25), pooled)
        flat = np.tanh(np.einsum("ncyx,co->noyx", pooled, k[1][:, :, 0, 0])).reshape(4, 36)
        product = (flat @ k[5].T / f(4)) @ k[5]
        save(name, program, {"x": x}, [np.maximum(product, np.exp(flat)).astype(dtype), shown.astype(dtype)],
             target=ct.target.iOS17, snr_db=snr_db)


def fusion_loop():
    """The same inside of a loop, with a value from outside."""
    weight = (rng(13).standard_normal((8, 8)) / 3).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((4, 8))], opset_version=ct.target.iOS16)
    def program(x):
        outside = mb.relu(x=x)

        def body(i, acc):
            return mb.add(x=i, y=1), mb.tanh(x=mb.add(x=outside, y=mb.matmul(x=acc, y=weight)))

        return mb.while_loop(_cond=lambda i, acc: mb.less(x=i, y=3), _body=body, loop_vars=(0, x))[1]

    x = rng(14).standard_normal((4, 8), np.float32)
    acc = x
    for _ in range(3):
        acc = np.tanh(np.maximum(x, 0) + acc @ weight)
    save("fusion_loop", program, {"x": x}, [acc])


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pass_attention():
    """Attention written out: scale before, after, as a quotient; key transposed by the product or before; a mask; and softmax
    over another axis, or with scores that someone else reads, which is none."""
    for name, dtype, snr_db in (("pass_attention", np.float32, 90), ("pass_attention_fp16", np.float16, 45)):
        r = rng(20)
        q, k, v = (r.standard_normal((2, 3, 40, 16)).astype(dtype) for _ in range(3))
        mask = np.where(r.random((2, 1, 40, 40)) < 0.7, 0, -10000).astype(dtype)
        element = types.fp16 if dtype == np.float16 else types.fp32
        specs = [mb.TensorSpec(v.shape, dtype=element) for v in (q, k, v, mask)]

        @mb.program(input_specs=specs, opset_version=ct.target.iOS17)
        def program(q, k, v, mask):
            def attention(scores, label):
                return mb.matmul(x=mb.softmax(x=scores, axis=-1), y=v, name=label)

            plain = mb.matmul(x=mb.mul(x=q, y=dtype(0.25)), y=k, transpose_y=True)
            first = attention(plain, "scaled_before")
            turned = mb.matmul(x=first, y=mb.transpose(x=k, perm=(0, 1, 3, 2)))
            second = attention(mb.add(x=mask, y=mb.real_div(x=turned, y=dtype(4))), "masked")
            third = attention(mb.mul(x=dtype(0.25), y=mb.matmul(x=second, y=k, transpose_y=True)), "scaled_after")
            seen = mb.matmul(x=third, y=k, transpose_y=True, name="scores")
            fourth = attention(seen, "scores_seen")
            columns = mb.softmax(x=mb.matmul(x=fourth, y=k, transpose_y=True), axis=-2)
            return mb.matmul(x=columns, y=v, name="other_axis"), mb.identity(x=seen, name="seen")

        f = np.float64
        a, b, c, m = (x.astype(f) for x in (q, k, v, mask))
        bt = b.swapaxes(-1, -2)
        first = softmax(a / 4 @ bt) @ c
        second = softmax(first @ bt / 4 + m) @ c
        third = softmax(second @ bt / 4) @ c
        seen = third @ bt
        columns = softmax(((softmax(seen) @ c) @ bt).swapaxes(-1, -2)).swapaxes(-1, -2)
        save(name, program, {"q": q, "k": k, "v": v, "mask": mask}, [(columns @ c).astype(dtype), seen.astype(dtype)],
             target=ct.target.iOS17, snr_db=snr_db)


def pass_attention_heads():
    """Attention as converters leave it: one transpose brings the heads of the key to the front and turns it for the product."""
    r = rng(24)
    q, k, v = (r.standard_normal((2, 40, 3, 16)).astype(np.float32) for _ in range(3))

    @mb.program(input_specs=[mb.TensorSpec(v.shape) for v in (q, k, v)], opset_version=ct.target.iOS17)
    def program(q, k, v):
        heads = mb.transpose(x=q, perm=(0, 2, 1, 3))
        scores = mb.mul(x=mb.matmul(x=heads, y=mb.transpose(x=k, perm=(0, 2, -1, -3))), y=np.full(1, 0.25, np.float32))
        y = mb.matmul(x=mb.softmax(x=scores, axis=-1), y=mb.transpose(x=v, perm=(0, 2, 1, 3)))
        return mb.transpose(x=y, perm=(0, 2, 1, 3), name="y")

    a, b, c = (x.astype(np.float64).swapaxes(1, 2) for x in (q, k, v))
    y = softmax(a @ b.swapaxes(-1, -2) / 4) @ c
    save("pass_attention_heads", program, {"q": q, "k": k, "v": v}, [y.swapaxes(1, 2).astype(np.float32)],
         target=ct.target.iOS17, snr_db=90)


def pass_activations():
    """silu, three kinds of gelu, two of hard swish, and PReLU with one slope and with one for each channel, written out."""
    slopes = (rng(21).random((1, 4, 1, 1)) - 0.5).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((2, 4, 5, 6))], opset_version=ct.target.iOS16)
    def program(x):
        silu = mb.mul(x=mb.sigmoid(x=x), y=x, name="silu")
        erf = mb.erf(x=mb.real_div(x=silu, y=np.float32(np.sqrt(2))))
        gelu = mb.mul(x=mb.mul(x=silu, y=np.float32(0.5)), y=mb.add(x=erf, y=np.float32(1)), name="gelu")
        cube = mb.mul(x=mb.pow(x=gelu, y=np.float32(3)), y=np.float32(0.044715))
        tanh = mb.tanh(x=mb.mul(x=mb.add(x=gelu, y=cube), y=np.float32(np.sqrt(2 / np.pi))))
        tanh_gelu = mb.mul(x=mb.mul(x=mb.add(x=np.float32(1), y=tanh), y=np.float32(0.5)), y=gelu, name="gelu_tanh")
        quick = mb.mul(x=tanh_gelu, y=mb.sigmoid(x=mb.mul(x=tanh_gelu, y=np.float32(1.702))), name="gelu_sigmoid")
        six = mb.relu6(x=mb.add(x=quick, y=np.float32(3)))
        swish = mb.real_div(x=mb.mul(x=quick, y=six), y=np.float32(6), name="hard_swish")
        hard = mb.sigmoid_hard(x=swish, alpha=np.float32(1 / 6), beta=np.float32(0.5))
        twice = mb.mul(x=swish, y=hard, name="hard_swish_2")
        leaky = mb.select(cond=mb.greater(x=twice, y=np.float32(0)), a=twice, b=mb.mul(x=twice, y=np.float32(0.1)), name="leaky")
        prelu = mb.select(cond=mb.greater_equal(x=leaky, y=np.float32(0)), a=leaky, b=mb.mul(x=slopes, y=leaky), name="prelu")
        return mb.identity(x=prelu, name="result")

    from math import erf
    x = 2 * rng(22).standard_normal((2, 4, 5, 6), np.float32)
    y = x.astype(np.float64)
    y = y / (1 + np.exp(-y))
    y = y * 0.5 * (1 + np.vectorize(erf)(y / np.sqrt(2)))
    y = 0.5 * y * (1 + np.tanh(np.sqrt(2 / np.pi) * (y + 0.044715 * y ** 3)))
    y = y / (1 + np.exp(-1.702 * y))
    for _ in range(2):
        y = y * np.clip(y + 3, 0, 6) / 6
    y = np.where(y > 0, y, 0.1 * y)
    y = np.where(y >= 0, y, slopes * y)
    save("pass_activations", program, {"x": x}, [y.astype(np.float32)])


def pass_scales():
    """batch_norm, products, quotients, sums and differences by channel after conv, conv_transpose and linear; and one along
    another dimension, which has to stay."""
    for name, dtype, snr_db in (("pass_scales", np.float32, 90), ("pass_scales_fp16", np.float16, 45)):
        r = rng(23)
        w = (r.standard_normal((6, 4, 3, 3)) / 6).astype(dtype)
        up = (r.standard_normal((6, 2, 2, 2)) / 3).astype(dtype)
        dense = (r.standard_normal((5, 7)) / 3).astype(dtype)
        mean, gamma, beta = (r.standard_normal(6).astype(dtype) for _ in range(3))
        variance = (r.random(6) + 0.5).astype(dtype)
        a, b = ((r.random((1, 6, 1, 1)) + 0.5).astype(dtype) for _ in range(2))
        c = (r.random((4, 1, 1)) + 0.5).astype(dtype)
        d, e = (r.random(5) + 0.5).astype(dtype), (r.random((3, 1)) + 0.5).astype(dtype)
        x, z = r.standard_normal((2, 4, 8, 8)).astype(dtype), r.standard_normal((3, 7)).astype(dtype)
        element = types.fp16 if dtype == np.float16 else types.fp32

        @mb.program(input_specs=[mb.TensorSpec(x.shape, dtype=element), mb.TensorSpec(z.shape, dtype=element)],
                    opset_version=ct.target.iOS17)
        def program(x, z):
            y = mb.conv(x=x, weight=w, pad_type="same", name="conv")
            y = mb.batch_norm(x=y, mean=mean, variance=variance, gamma=gamma, beta=beta, epsilon=dtype(1e-3), name="conv_norm")
            y = mb.relu(x=mb.sub(x=a, y=mb.mul(x=y, y=b, name="conv_mul"), name="conv_sub"))
            y = mb.conv_transpose(x=y, weight=up, strides=(2, 2), groups=2, name="up")
            y = mb.real_div(x=mb.add(x=y, y=c, name="up_add"), y=dtype(3), name="up_div")
            t = mb.mul(x=mb.add(x=mb.linear(x=z, weight=dense, bias=d, name="linear"), y=d, name="linear_add"), y=e, name="rows_mul")
            return mb.identity(x=y, name="image"), mb.identity(x=t, name="rows")

        f = np.float64
        wide = [v.astype(f) for v in (x, w, up, mean, gamma, beta, variance, a, b, c, z, dense, d, e)]
        x64, w64, up64, mean64, gamma64, beta64, variance64, a64, b64, c64, z64, dense64, d64, e64 = wide
        padded = np.pad(x64, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
        y = np.einsum("ncyxij,ocij->noyx", windows, w64)
        by = lambda v: v.reshape(1, -1, 1, 1)
        y = (y - by(mean64)) / np.sqrt(by(variance64) + f(dtype(1e-3))) * by(gamma64) + by(beta64)
        y = np.maximum(a64 - y * b64, 0)
        image = np.zeros((2, 4, 16, 16))
        for group in range(2):
            part = np.einsum("ncyx,coij->noyixj", y[:, 3 * group:3 * group + 3], up64[3 * group:3 * group + 3])
            image[:, 2 * group:2 * group + 2] = part.reshape(2, 2, 16, 16)
        image = (image + c64) / 3
        rows = (z64 @ dense64.T + 2 * d64) * e64
        save(name, program, {"x": x, "z": z}, [image.astype(dtype), rows.astype(dtype)], target=ct.target.iOS17, snr_db=snr_db)


def pass_exact():
    """Conversions that undo each other, transposes and reshapes in a row, zeros around a convolution: what changes no bit."""
    w = (rng(24).standard_normal((4, 4, 3, 3)) / 6).astype(np.float32)

    @mb.program(input_specs=[mb.TensorSpec((1, 4, 6, 7)), mb.TensorSpec((5,), dtype=types.int32)], opset_version=ct.target.iOS17)
    def program(x, n):
        half = mb.cast(x=x, dtype="fp16", name="rounds")
        back = mb.cast(x=mb.cast(x=half, dtype="fp32", name="widens"), dtype="fp16", name="undone")
        y = mb.cast(x=mb.relu(x=back), dtype="fp32", name="again")
        turned = mb.transpose(x=mb.transpose(x=y, perm=(0, 2, 3, 1), name="there"), perm=(0, 3, 1, 2), name="and_back")
        other = mb.transpose(x=mb.transpose(x=turned, perm=(0, 2, 1, 3), name="one"), perm=(0, 1, 3, 2), name="two")
        flat = mb.reshape(x=mb.expand_dims(x=mb.squeeze(x=other, axes=(0,)), axes=(1,)), shape=(6, 28), name="flat")
        moved = mb.transpose(x=mb.reshape(x=flat, shape=(6, 1, 28)), perm=(1, 0, 2), name="moves_nothing")
        image = mb.reshape(x=mb.tanh(x=moved), shape=(1, 4, 6, 7))
        padded = mb.pad(x=image, pad=(0, 0, 0, 0, 1, 2, 0, 1), mode="constant", constant_val=np.float32(0), name="zeros")
        more = mb.conv(x=padded, weight=w, pad_type="custom", pad=(0, 1, 2, 0), name="padded_conv")
        ones = mb.pad(x=more, pad=(1, 1), mode="constant", constant_val=np.float32(1), name="ones")
        number = mb.cast(x=mb.cast(x=n, dtype="fp32", name="rounds_large"), dtype="int32", name="stays")
        return mb.conv(x=ones, weight=w, pad_type="valid", name="result"), mb.identity(x=number, name="numbers")

    x = rng(25).standard_normal((1, 4, 6, 7), np.float32)
    n = np.array([1, -5, 16777217, 0, 33554435], np.int32)

    def convolve(y, weight):
        windows = np.lib.stride_tricks.sliding_window_view(y, (3, 3), (2, 3))
        return np.einsum("ncyxij,ocij->noyx", windows, weight)

    y = np.maximum(x.astype(np.float16).astype(np.float32), 0).transpose(0, 2, 3, 1).reshape(6, 28)
    y = np.tanh(y.reshape(6, 7, 4).reshape(1, 4, 6, 7))
    y = convolve(np.pad(y, ((0, 0), (0, 0), (1, 3), (2, 1))), w)
    y = convolve(np.pad(y, ((0, 0), (0, 0), (0, 0), (1, 1)), constant_values=1), w)
    save("pass_exact", program, {"x": x, "n": n}, [y, n.astype(np.float32).astype(np.int32)], target=ct.target.iOS17)


def pass_places():
    """Splits, concats and stacks that move nothing, and those that have to: along another dimension, of values that are read
    later or joined twice, of parts that are outputs, and inside of a loop."""
    @mb.program(input_specs=[mb.TensorSpec((1, 6, 4, 8)), mb.TensorSpec((2, 4, 16))], opset_version=ct.target.iOS16)
    def program(x, z):
        a, b, c = mb.split(x=mb.relu(x=x), split_sizes=(2, 2, 2), axis=1, name="parts")
        e, f = mb.split(x=mb.exp(x=x), num_splits=2, axis=1, name="views")
        turned = mb.concat(values=(mb.sin(x=f), e), axis=1, name="turned")
        total = x
        for part in mb.split(x=mb.sin(x=x), num_splits=6, axis=1, name="sixths")[::-1]:  # of another size than what they are added to
            total = mb.add(x=part, y=total)
        d = mb.tanh(x=b)
        joined = mb.concat(values=(a, b, d), axis=1, name="joined")
        whole = mb.concat(values=(mb.exp(x=joined), mb.sin(x=joined)), axis=1, name="whole")
        twice = mb.concat(values=(mb.cos(x=c), d, mb.square(x=c), d), axis=1, name="twice")
        later = mb.mul(x=mb.concat(values=(twice, whole), axis=-3, name="nested"), y=np.float32(0.5))
        rows = mb.stack(values=(mb.exp(x=z), mb.sin(x=z)), axis=0, name="rows")
        columns = mb.concat(values=(mb.sin(x=z), z), axis=1, name="columns")
        odd = mb.concat(values=mb.split(x=mb.tanh(x=mb.reshape(x=z, shape=(128,))), split_sizes=(5, 123), axis=0), axis=0)

        def body(i, v):
            low, high = mb.split(x=v, num_splits=2, axis=0)
            return mb.add(x=i, y=1), mb.concat(values=(mb.sin(x=high), mb.cos(x=low)), axis=0)

        looped = mb.while_loop(_cond=lambda i, v: mb.less(x=i, y=3), _body=body, loop_vars=(0, odd))[1]
        return mb.identity(x=later, name="later"), rows, columns, mb.identity(x=c, name="part"), mb.identity(x=looped, name="looped"), turned, total

    x, z = rng(26).standard_normal((1, 6, 4, 8), np.float32), rng(27).standard_normal((2, 4, 16), np.float32)
    y = np.maximum(x, 0)
    a, b, c = y[:, :2], y[:, 2:4], y[:, 4:]
    d = np.tanh(b)
    joined = np.concatenate([a, b, d], 1)
    later = np.concatenate([np.cos(c), d, c * c, d, np.exp(joined), np.sin(joined)], 1) * np.float32(0.5)
    v = np.tanh(z.reshape(128))
    for _ in range(3):
        v = np.concatenate([np.sin(v[64:]), np.cos(v[:64])])
    save("pass_places", program, {"x": x, "z": z},
         [later, np.stack([np.exp(z), np.sin(z)]), np.concatenate([np.sin(z), z], 1), c, v,
          np.concatenate([np.sin(np.exp(x[:, 3:])), np.exp(x[:, :3])], 1), x + np.sin(x).sum(1, keepdims=True)])


def rounded(x, scale, zero, dtype):
    """quantize, and the numbers that its result stands for, as integers."""
    limits = np.iinfo(dtype)
    quantized = np.clip(np.rint(x.astype(np.float32) / np.float32(scale)) + zero, limits.min, limits.max)
    return quantized.astype(np.int64) - zero


def convolved(x, w, stride, pad, dilation, groups):
    """[1, C, H, W] and [O, C / groups, KH, KW] of integers."""
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    outputs, channels, high, wide = w.shape
    rows = (x.shape[2] - (high - 1) * dilation - 1) // stride + 1
    cols = (x.shape[3] - (wide - 1) * dilation - 1) // stride + 1
    y = np.zeros((1, outputs, rows, cols), np.int64)
    for o in range(outputs):
        group = o // (outputs // groups)
        for i in range(high):
            for j in range(wide):
                part = x[0, group * channels:(group + 1) * channels, i * dilation:i * dilation + rows * stride:stride,
                         j * dilation:j * dilation + cols * stride:stride]
                y[0, o] += np.tensordot(w[o, :, i, j], part, 1)
    return y


def pass_bytes():
    """Products of quantized inputs and weights: signed and unsigned, with and without zero points, 4 and 8 bits, conv (stride,
    dilation, groups, a residual and a clamp after it), linear and matmul either way. And those that are none: one channel a
    group, scales by block, and scales of quantize and dequantize that differ."""
    r, half = rng(33), np.float16
    x, z = (r.standard_normal((1, 20, 9, 11)) * 2).astype(half), (r.standard_normal((2, 5, 70)) * 3).astype(half)
    sx, sz = half(0.03), half(0.05)
    w3, w1 = r.integers(-127, 128, (21, 20, 3, 3), np.int8), r.integers(0, 256, (12, 5, 2, 2), np.uint8)
    wl, wm = r.integers(-8, 8, (37, 70)), r.integers(-128, 128, (70, 50), np.int8)
    wd, wb = r.integers(-127, 128, (20, 1, 3, 3), np.int8), r.integers(-128, 128, (9, 70), np.int8)
    s3, s1, sl, sm, sd = ((r.random(n) * 0.01 + 0.002).astype(half) for n in (21, 12, 37, 50, 20))
    sb, bias = (r.random((9, 2)) * 0.01).astype(half), r.standard_normal(21).astype(half)
    z1, zl = r.integers(90, 160, 12, np.uint8), r.integers(-3, 4, 37)
    int4 = types.np_int4_dtype

    @mb.program(input_specs=[mb.TensorSpec(v.shape, dtype=types.fp16) for v in (x, z)], opset_version=ct.target.iOS18)
    def program(x, z):
        def bytes_of(v, scale, zero=None, dtype="int8", other=None):
            q = mb.quantize(input=v, scale=scale, zero_point=zero, output_dtype=dtype)
            return mb.dequantize(input=q, scale=other or scale, zero_point=zero)

        def weights(data, scale, offset=None):
            return mb.constexpr_blockwise_shift_scale(data=data, scale=scale, offset=offset)

        strided = mb.conv(x=bytes_of(x, sx), weight=weights(w3, s3.reshape(21, 1, 1, 1)), bias=bias, strides=(2, 2),
                          pad_type="custom", pad=(1, 1, 1, 1), name="strided")
        affine = mb.constexpr_affine_dequantize(quantized_data=w1, zero_point=z1, scale=s1, axis=0)
        grouped = mb.conv(x=bytes_of(x, sx, np.uint8(120), "uint8"), weight=affine, groups=4, dilations=(2, 2), name="grouped")
        part = mb.slice_by_size(x=x, begin=(0, 0, 0, 0), size=(1, 12, 7, 9))
        clamped = mb.relu(x=mb.add(x=grouped, y=part), name="clamped")
        signed = bytes_of(z, sz, np.int8(-20))
        linear = mb.linear(x=signed, weight=weights(wl.astype(int4), sl.reshape(37, 1), zl.astype(int4).reshape(37, 1)), name="linear")
        product = mb.matmul(x=signed, y=weights(wm, sm.reshape(1, 50)), name="product")
        turned = mb.matmul(x=bytes_of(z, sz), y=weights(np.ascontiguousarray(wm.T), sm.reshape(50, 1)), transpose_y=True, name="turned")
        apart = mb.conv(x=bytes_of(x, sx), weight=weights(wd, sd.reshape(20, 1, 1, 1)), groups=20, name="apart")
        blocks = mb.linear(x=bytes_of(z, sz), weight=weights(wb, sb), name="blocks")
        differ = mb.linear(x=bytes_of(z, sz, other=half(2 * sz)), weight=weights(wl.astype(int4), sl.reshape(37, 1)), name="differ")
        return strided, clamped, linear, product, turned, apart, blocks, differ

    f = np.float64
    def column(v):
        return v.astype(f).reshape(1, -1, 1, 1)
    xs, zs = rounded(x, sx, 0, np.int8), rounded(z, sz, 0, np.int8)
    shifted, wide = rounded(z, sz, -20, np.int8), rounded(x, sx, 120, np.uint8)
    strided = convolved(xs, w3.astype(int), 2, 1, 1, 1) * column(s3) * f(sx) + column(bias)
    grouped = convolved(wide, w1.astype(int) - z1.astype(int).reshape(12, 1, 1, 1), 1, 0, 2, 4) * column(s1) * f(sx)
    clamped = np.maximum(grouped.astype(half).astype(f) + x[:, :12, :7, :9].astype(f), 0)
    outputs = [strided, clamped, (shifted @ (wl - zl[:, None]).T) * sl.astype(f) * f(sz), (shifted @ wm.astype(int)) * sm.astype(f) * f(sz),
               (zs @ wm.astype(int)) * sm.astype(f) * f(sz), convolved(xs, wd.astype(int), 1, 0, 1, 20) * column(sd) * f(sx),
               zs @ (wb * np.repeat(sb.astype(f), 35, 1)).T * f(sz), (zs @ wl.T) * sl.astype(f) * f(sz) * 2]
    save("pass_bytes", program, {"x": x, "z": z}, [y.astype(half) for y in outputs], target=ct.target.iOS18, snr_db=55)


def main():
    for make in (loop_counts, loop_swaps, loop_grows, loop_nested, branches, data_dependent, lists, shared_memory, folded,
                 rounding, flexible, states, states_shapes, random, fusion, fusion_loop,
                 pass_attention, pass_attention_heads, pass_activations, pass_scales, pass_exact, pass_places, pass_bytes):
        try:
            make()
            print(make.__name__)
        except Exception as error:
            print(make.__name__, "FAILED:", type(error).__name__, str(error)[:300])


if __name__ == "__main__":
    main()
