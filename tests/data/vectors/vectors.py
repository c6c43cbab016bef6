"""Writes vector files that tests/support/op_vectors.h reads. Inputs are small multiples of 1/8, so that products are
exact; expected values are computed by PyTorch or NumPy in float64 and rounded once."""
import numpy as np

rng = np.random.default_rng(7)


def numbers(*shape, dtype="fp32"):
    if dtype == "int32":
        return rng.integers(-9, 10, shape)
    return rng.integers(-16, 17, shape) / 8.0


def same_pads(size, kernel, stride, dilation, lower):
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size)
    small = total // 2
    return (total - small, small) if lower else (small, total - small)


class Writer:
    def __init__(self, path):
        self.file = open(path, "w")

    def values(self, array):
        return " ".join(f"{float(v):.9g}" for v in np.asarray(array).ravel())

    def begin(self, name, op, opset, tolerance):
        self.file.write(f"case {name} {op} {opset} {tolerance:g}\n")

    def tensor(self, kind, param, dtype, array):
        array = np.asarray(array)
        dims = " ".join(str(d) for d in array.shape)
        self.file.write(f"{kind} {param} {dtype} {array.ndim} {dims} {self.values(array)}\n")

    def text(self, param, value):
        self.file.write(f"text {param} {value}\n")

    def ints(self, param, values):
        self.file.write(f"ints {param} {len(values)} {' '.join(map(str, values))}\n")

    def bool(self, param, value):
        self.file.write(f"bool {param} {int(value)}\n")

    def out(self, index, dtype, array):
        array = np.asarray(array, dtype=np.float64)
        if dtype == "fp16":
            array = array.astype(np.float16)
        self.tensor("out", index, dtype, array)

    def end(self):
        self.file.write("end\n")


TOLERANCE = {"fp32": 1e-6, "fp16": 0.0005, "int32": 0}
