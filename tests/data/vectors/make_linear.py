"""linear.vec: linear, matmul, einsum, by NumPy. Run in this folder: python make_linear.py"""
import numpy as np

from vectors import TOLERANCE, Writer, numbers

w = Writer("linear.vec")
count = 0


def begin(op, opset, dtype):
    global count
    w.begin(f"{op}_{count}_{dtype}", op, opset, TOLERANCE[dtype])
    count += 1


def linear(x_shape, outputs, dtype, bias=True, opset=5, weight_dtype=None):
    x, weight = numbers(*x_shape, dtype=dtype), numbers(outputs, x_shape[-1], dtype=dtype)
    b = numbers(outputs, dtype=dtype)
    begin("linear", opset, dtype)
    w.tensor("tensor", "x", dtype, x)
    w.tensor("tensor", "weight", weight_dtype or dtype, weight)
    if bias:
        w.tensor("tensor", "bias", weight_dtype or dtype, b)
    w.out(0, dtype, x @ weight.T + (b if bias else 0))
    w.end()


def matmul(x_shape, y_shape, dtype, tx=False, ty=False, opset=5, y_dtype=None):
    x, y = numbers(*x_shape, dtype=dtype), numbers(*y_shape, dtype=dtype)
    z = np.matmul(x.swapaxes(-1, -2) if tx else x, y.swapaxes(-1, -2) if ty else y)
    begin("matmul", opset, dtype)
    w.tensor("tensor", "x", dtype, x)
    w.tensor("tensor", "y", y_dtype or dtype, y)
    if tx:
        w.bool("transpose_x", True)
    if ty:
        w.bool("transpose_y", True)
    w.out(0, dtype, z)
    w.end()


def einsum(equation, x_shape, y_shape, dtype):
    x, y = numbers(*x_shape), numbers(*y_shape)
    # broadcasting of equal letters by hand: NumPy refuses it
    full_x, full_y = list(x_shape), list(y_shape)
    for i in (0, 2) if len(x_shape) == 4 else (1,):
        full_x[i] = full_y[i] = max(x_shape[i], y_shape[i])
    z = np.einsum(equation, np.broadcast_to(x, full_x), np.broadcast_to(y, full_y))
    begin("einsum", 5, dtype)
    w.tensor("tensor", "values", dtype, x)
    w.tensor("tensor", "values", dtype, y)
    w.text("equation", equation)
    w.out(0, dtype, z)
    w.end()


for dtype in ("fp32", "fp16", "int32"):
    linear((5,), 7, dtype)
    linear((3, 5), 50, dtype, bias=False)
    linear((2, 11, 9), 20, dtype)
    matmul((4, 3), (3, 5), dtype)
    matmul((4, 3), (5, 3), dtype, ty=True)
    matmul((3, 4), (3, 5), dtype, tx=True)
    matmul((3, 4), (5, 3), dtype, tx=True, ty=True)
    matmul((2, 3, 4, 3), (3, 5), dtype)
    matmul((2, 3, 3, 4), (3, 5), dtype, tx=True)
    matmul((5, 3), (2, 3, 3, 6), dtype)
    matmul((2, 1, 4, 3), (3, 3, 17), dtype)
    matmul((1, 3, 4, 7), (2, 1, 17, 7), dtype, ty=True)
    matmul((3,), (3, 5), dtype)
    matmul((3,), (2, 3, 5), dtype)
    matmul((4, 3), (3,), dtype)
    matmul((2, 4, 3), (3,), dtype)
    matmul((3,), (3,), dtype)
    matmul((1, 60), (60, 70), dtype)
    matmul((1, 60), (70, 60), dtype, ty=True)
for dtype in ("fp32", "fp16"):
    einsum("nchw,nwhu->nchu", (2, 3, 4, 5), (2, 5, 4, 6), dtype)
    einsum("bcij,bjid->bcid", (1, 3, 4, 5), (2, 5, 1, 6), dtype)
    einsum("nchw,nwhu->nchu", (2, 3, 1, 5), (1, 5, 4, 6), dtype)
    einsum("chw,whr->chr", (3, 4, 5), (5, 4, 2), dtype)
    einsum("abc,cbd->abd", (3, 4, 5), (5, 1, 2), dtype)
linear((3, 5), 4, "fp32", opset=7, weight_dtype="fp16")
linear((3, 5), 4, "fp16", opset=7, weight_dtype="fp32")
matmul((3, 5), (5, 4), "fp32", opset=7, y_dtype="fp16")
