"""conv_transpose.vec: transposed convolutions, by PyTorch; the full result is cut to size here. Run in this folder:
python make_conv_transpose.py"""
import numpy as np
import torch
import torch.nn.functional as F

from vectors import TOLERANCE, Writer, numbers

w = Writer("conv_transpose.vec")
count = 0


def case(x_shape, weight_shape, dtype="fp32", stride=None, dilation=None, groups=1, pad_type="valid", pad=None,
         output=None, bias=True, opset=7):
    global count
    n = len(x_shape) - 2
    channels = weight_shape[1] * groups
    x, weight, b = numbers(*x_shape), numbers(*weight_shape), numbers(channels)
    stride_, dilation_ = stride or [1] * n, dilation or [1] * n
    conv = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[n - 1]
    full = conv(torch.tensor(x), torch.tensor(weight), None, stride_, 0, 0, groups, dilation_).numpy()
    for i in range(n):
        size = full.shape[2 + i]
        reach = (weight_shape[2 + i] - 1) * dilation_[i] + 1
        if pad_type == "same":
            out = output[i] if output else x_shape[2 + i] * stride_[i]
            before = max(0, (x_shape[2 + i] - 1) * stride_[i] + reach - out) // 2
        else:
            before, after = (pad[2 * i], pad[2 * i + 1]) if pad_type == "custom" else (0, 0)
            out = output[i] if output else size - before - after
        widths = [(0, 0)] * full.ndim
        widths[2 + i] = (0, max(0, before + out - size))
        full = np.pad(full, widths).take(range(before, before + out), 2 + i)
    if bias:
        full = full + b.reshape((1, -1) + (1,) * n)
    w.begin(f"conv_transpose_{count}_{dtype}_{pad_type}", "conv_transpose", opset, TOLERANCE[dtype])
    w.tensor("tensor", "x", dtype, x)
    w.tensor("tensor", "weight", dtype, weight)
    if bias:
        w.tensor("tensor", "bias", dtype, b)
    for param, values in (("strides", stride), ("dilations", dilation), ("pad", pad)):
        if values:
            w.ints(param, values)
    if pad_type != "valid":
        w.text("pad_type", pad_type)
    if output:
        w.ints("output_shape", [x_shape[0], channels] + output)
    if groups != 1:
        w.ints("groups", [groups])
    w.out(0, dtype, full)
    w.end()
    count += 1


for dtype in ("fp32", "fp16"):
    case((1, 3, 5, 4), (3, 5, 3, 3), dtype)
    case((2, 3, 5, 4), (3, 5, 2, 2), dtype, stride=[2, 2])
    case((1, 4, 5, 4), (4, 3, 3, 3), dtype, stride=[2, 2], groups=2, pad_type="custom", pad=[1, 0, 1, 0])
    case((1, 4, 5, 4), (4, 9, 4, 4), dtype, stride=[2, 2], pad_type="same", bias=False)
    case((1, 4, 5, 4), (4, 2, 3, 3), dtype, stride=[2, 2], pad_type="same", output=[9, 8])
    case((1, 4, 5, 4), (4, 2, 3, 3), dtype, stride=[2, 2], pad_type="custom", pad=[1, 1, 1, 1], output=[10, 8])
    case((1, 2, 4, 4), (2, 2, 1, 1), dtype, stride=[3, 3], pad_type="same")
    case((1, 4, 4, 4), (4, 1, 3, 3), dtype, stride=[2, 1], groups=4, dilation=[2, 3])
    case((2, 3, 10), (3, 4, 5), dtype, stride=[3], pad_type="custom", pad=[2, 1])
    case((1, 2, 3, 3, 2), (2, 3, 2, 3, 2), dtype, stride=[2, 1, 2], pad_type="custom", pad=[0, 1, 1, 1, 0, 0])
case((1, 3, 5, 4), (3, 5, 3, 3), "fp32", opset=5, dilation=[2, 2])
