"""pool.vec: pools, by plain loops over windows. Run in this folder: python make_pool.py"""
import itertools

import numpy as np

from vectors import TOLERANCE, Writer, numbers, same_pads

w = Writer("pool.vec")
count = 0


def pooled(op, x, out, kernel, stride, pads, exclude):
    """Windows over existing elements; padding counts for averages only, and only where it was asked for."""
    n = len(kernel)
    size = x.shape[2:]
    y = np.zeros(x.shape[:2] + tuple(out))
    for at in itertools.product(*[range(o) for o in out]):
        begin = [at[i] * stride[i] - pads[i][0] for i in range(n)]
        end = [begin[i] + kernel[i] for i in range(n)]
        inside = tuple(slice(max(begin[i], 0), min(end[i], size[i])) for i in range(n))
        window = x[(slice(None), slice(None)) + inside].reshape(x.shape[:2] + (-1,))
        counted = window.shape[-1]
        if not exclude:
            counted = np.prod([min(end[i], size[i] + pads[i][1]) - begin[i] for i in range(n)])
        value = {"max_pool": lambda: window.max(-1), "avg_pool": lambda: window.sum(-1) / counted,
                 "l2_pool": lambda: np.sqrt((window**2).sum(-1))}[op]()
        y[(slice(None), slice(None)) + at] = value
    return y


def case(op, x_shape, kernel, dtype="fp32", stride=None, pad_type="valid", pad=None, ceil=False, exclude=False):
    global count
    n = len(kernel)
    x = numbers(*x_shape)
    stride_ = stride or [1] * n
    size = x_shape[2:]
    if pad_type in ("same", "same_lower"):
        pads = [same_pads(size[i], kernel[i], stride_[i], 1, pad_type == "same_lower") for i in range(n)]
    else:
        pads = [(pad[2 * i], pad[2 * i + 1]) if pad else (0, 0) for i in range(n)]
    out = []
    for i in range(n):
        room = size[i] + sum(pads[i]) - kernel[i]
        o = (-(-room // stride_[i]) if ceil else room // stride_[i]) + 1
        if ceil and sum(pads[i]) > 0 and (o - 1) * stride_[i] >= size[i] + pads[i][0]:
            o -= 1
        out.append(o)
    w.begin(f"{op}_{count}_{dtype}_{pad_type}", op, 6, TOLERANCE[dtype])
    w.tensor("tensor", "x", dtype, x)
    w.ints("kernel_sizes", kernel)
    w.text("pad_type", pad_type)
    if stride:
        w.ints("strides", stride)
    if pad:
        w.ints("pad", pad)
    if ceil:
        w.bool("ceil_mode", True)
    if exclude:
        w.bool("exclude_padding_from_average", True)
    w.out(0, dtype, pooled(op, x, out, kernel, stride_, pads, exclude))
    w.end()
    count += 1


for dtype in ("fp32", "fp16"):
    for op in ("max_pool", "avg_pool", "l2_pool"):
        case(op, (2, 3, 9, 20), [3, 3], dtype)
        case(op, (1, 3, 12, 11), [2, 2], dtype, stride=[2, 2])
        case(op, (1, 2, 13, 41), [3, 3], dtype, stride=[2, 2], pad_type="same")
        case(op, (1, 2, 10, 10), [3, 4], dtype, stride=[2, 2], pad_type="same_lower")
        case(op, (1, 2, 10, 9), [5, 5], dtype, pad_type="custom", pad=[2, 2, 2, 2])
        case(op, (1, 2, 10, 9), [3, 3], dtype, stride=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], ceil=True)
        case(op, (1, 2, 10, 12), [3, 3], dtype, stride=[2, 3], ceil=True)
        case(op, (1, 5, 7, 7), [7, 7], dtype)
        case(op, (2, 3, 5, 33), [5, 33], dtype)
        case(op, (1, 3, 30), [4], dtype, stride=[3], pad_type="custom", pad=[2, 1])
        if op != "l2_pool":
            case(op, (1, 2, 5, 6, 7), [2, 3, 2], dtype, stride=[2, 1, 2], pad_type="custom", pad=[1, 0, 1, 1, 0, 1])
    case("avg_pool", (1, 2, 10, 9), [5, 5], dtype, pad_type="custom", pad=[2, 2, 2, 2], exclude=True)
    case("avg_pool", (1, 2, 10, 9), [3, 3], dtype, stride=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], ceil=True,
         exclude=True)
    case("avg_pool", (1, 2, 10, 11), [3, 3], dtype, stride=[2, 2], pad_type="same", exclude=True)
