"""conv.vec: convolutions of one to three dimensions, by PyTorch. Run in this folder: python make_conv.py"""
import numpy as np
import torch
import torch.nn.functional as F

from vectors import TOLERANCE, Writer, numbers, same_pads

w = Writer("conv.vec")
count = 0


def case(x_shape, weight_shape, dtype="fp32", stride=None, dilation=None, groups=1, pad_type="valid", pad=None,
         bias=True, opset=7, weight_dtype=None):
    global count
    n = len(x_shape) - 2
    x, weight = numbers(*x_shape), numbers(*weight_shape)
    b = numbers(weight_shape[0]) if bias else None
    stride_, dilation_ = stride or [1] * n, dilation or [1] * n
    if pad_type in ("same", "same_lower"):
        pads = [same_pads(x_shape[2 + i], weight_shape[2 + i], stride_[i], dilation_[i], pad_type == "same_lower")
                for i in range(n)]
    elif pad_type == "custom":
        pads = [(pad[2 * i], pad[2 * i + 1]) for i in range(n)]
    else:
        pads = [(0, 0)] * n
    padded = np.pad(x, [(0, 0), (0, 0)] + pads)
    conv = (F.conv1d, F.conv2d, F.conv3d)[n - 1]
    y = conv(torch.tensor(padded), torch.tensor(weight), None if b is None else torch.tensor(b), stride_, 0, dilation_,
             groups).numpy()
    weight_dtype = weight_dtype or dtype
    w.begin(f"conv_{count}_{dtype}_{pad_type}", "conv", opset, TOLERANCE[dtype])
    w.tensor("tensor", "x", dtype, x)
    w.tensor("tensor", "weight", weight_dtype, weight)
    if b is not None:
        w.tensor("tensor", "bias", weight_dtype, b)
    if stride:
        w.ints("strides", stride)
    if dilation:
        w.ints("dilations", dilation)
    if pad_type != "valid":
        w.text("pad_type", pad_type)
    if pad:
        w.ints("pad", pad)
    if groups != 1:
        w.ints("groups", [groups])
    w.out(0, dtype, y)
    w.end()
    count += 1


for dtype in ("fp32", "fp16"):
    case((1, 3, 9, 11), (5, 3, 3, 3), dtype)
    case((2, 3, 9, 11), (10, 3, 3, 3), dtype, stride=[2, 2], pad_type="custom", pad=[1, 1, 1, 1])
    case((1, 4, 7, 7), (9, 4, 1, 1), dtype)
    case((2, 4, 7, 5), (3, 4, 1, 1), dtype, stride=[2, 1], bias=False)
    case((1, 4, 10, 6), (6, 4, 3, 2), dtype, dilation=[2, 3], pad_type="custom", pad=[2, 1, 0, 3])
    case((1, 6, 8, 8), (8, 3, 3, 3), dtype, groups=2, pad_type="same")
    case((2, 4, 8, 7), (4, 1, 3, 3), dtype, groups=4, pad_type="same")
    case((1, 4, 12, 40), (4, 1, 3, 3), dtype, groups=4, stride=[2, 2], pad_type="same")
    case((1, 4, 12, 13), (4, 1, 3, 3), dtype, groups=4, stride=[2, 2], pad_type="same_lower")
    case((1, 3, 9, 9), (6, 1, 5, 3), dtype, groups=3, dilation=[1, 2], stride=[1, 3], pad_type="custom",
         pad=[2, 2, 1, 4])
    case((1, 1, 30, 21), (2, 1, 4, 4), dtype, pad_type="same")
    case((2, 5, 50), (7, 5, 4), dtype, stride=[3], pad_type="same")
    case((1, 6, 75), (6, 1, 9), dtype, groups=6, dilation=[2], pad_type="custom", pad=[16, 0])
    case((1, 2, 5, 6, 7), (4, 2, 3, 2, 3), dtype, stride=[1, 2, 2], pad_type="custom", pad=[1, 1, 0, 1, 2, 0])
    case((1, 3, 4, 5, 5), (3, 1, 2, 3, 3), dtype, groups=3, pad_type="same")
    case((1, 40, 4, 4), (12, 40, 3, 3), dtype, pad_type="same_lower", stride=[1, 1])
case((1, 3, 6, 6), (4, 3, 3, 3), "fp32", weight_dtype="fp16")
case((1, 3, 6, 6), (4, 3, 3, 3), "fp16", weight_dtype="fp32")
case((1, 3, 6, 6), (4, 3, 3, 3), "fp32", opset=5, pad_type="same")
