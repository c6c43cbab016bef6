"""Vectors for operations that move data: shapes, slices, joins, gathers, sorting, filling. NumPy is the reference;
depth and space, which it lacks, are PyTorch's or written out from TensorFlow's definition."""
import pathlib

import numpy as np
import torch

from vectors import Writer, numbers

OUT = Writer(pathlib.Path(__file__).parent / "movement.vec")


class Case:
    """One case: keyword arguments are parameters. Arrays are fp32 unless `types` says otherwise; ints are int32
    scalars, lists of ints int32 vectors, lists of arrays variadic parameters."""

    count = 0

    def __init__(self, op, opset, outputs, types=None, tolerance=0, **params):
        types = types or {}
        OUT.begin(f"{op}_{Case.count}", op, opset, tolerance)
        Case.count += 1
        for name, value in params.items():
            self.param(name, value, types.get(name))
        for index, (dtype, array) in enumerate(outputs):
            OUT.out(index, dtype, array)
        OUT.end()

    def param(self, name, value, dtype):
        if isinstance(value, str):
            OUT.text(name, value)
        elif isinstance(value, bool):
            OUT.bool(name, value)
        elif isinstance(value, int):
            OUT.tensor("tensor", name, dtype or "int32", np.int32(value))
        elif isinstance(value, list) and value and isinstance(value[0], np.ndarray):
            for one in value:
                OUT.tensor("tensor", name, dtype or "fp32", one)
        elif isinstance(value, list):
            OUT.tensor("tensor", name, dtype or ("bool" if value and isinstance(value[0], bool) else "int32"), value)
        else:
            OUT.tensor("tensor", name, dtype or "fp32", value)


WIDTHS = ["bool", "fp16", "fp32"]


def data(dtype, *shape):
    return (numbers(*shape) > 0).astype(np.int32) if dtype == "bool" else numbers(*shape)


def views():
    x = numbers(2, 3, 4)
    Case("identity", 5, [("fp32", x)], x=x)
    for shape, result in [([6, 4], (6, 4)), ([0, 0, -1], (2, 3, 4)), ([2, -1], (2, 12)), ([0, -1, 2], (2, 6, 2)), ([24], (24,))]:
        Case("reshape", 5 if len(shape) < 3 else 7, [("fp32", x.reshape(result))], x=x, shape=shape)
    for shape, result in [([1, 0, -1, 0, 0], (1, 1, 2, 3, 4)), ([-1, 0], (6, 4))]:
        Case("reshape", 7, [("fp32", x.reshape(result))], x=x, shape=shape)
    Case("reshape_like", 6, [("fp32", x.reshape(4, 6))], x=x,
         ref_tensors=[numbers(9, 4), numbers(6, 5)], begins=[np.array(1), np.array(0)], ends=[np.array(0), np.array(1)],
         end_masks=[np.array(1), np.array(0)], types={"begins": "int32", "ends": "int32", "end_masks": "bool"})
    Case("expand_dims", 5, [("fp32", x.reshape(1, 2, 3, 4, 1))], x=x, axes=[0, -1])
    Case("expand_dims", 7, [("fp32", x.reshape(2, 1, 1, 3, 4))], x=x, axes=[2, 1])
    y = numbers(1, 3, 1, 2)
    Case("squeeze", 5, [("fp32", y.reshape(3, 2))], x=y)
    Case("squeeze", 7, [("fp32", y.reshape(1, 3, 2))], x=y, axes=[-2, 1])
    Case("flatten2d", 5, [("fp32", x.reshape(6, 4))], x=x, axis=-1)
    Case("flatten2d", 5, [("fp32", x.reshape(2, 12))], x=x)
    Case("shape", 5, [("int32", [2, 3, 4])], x=x)


def transposes():
    for dtype in WIDTHS:
        for shape, perm in [((5, 7), (1, 0)), ((33, 17), (1, 0)), ((64, 65), (1, 0)), ((2, 9, 3, 8), (0, 2, 1, 3)),
                            ((3, 4, 5), (2, 1, 0)), ((2, 3, 4, 5), (0, 3, 1, 2)), ((1, 6, 1, 2), (0, 3, 2, 1)),
                            ((3, 1, 300), (2, 0, 1)), ((2, 2, 2, 2, 2), (4, 2, 0, 3, 1)), ((70, 3), (1, 0))]:
            x = data(dtype, *shape)
            Case("transpose", 7, [(dtype, x.transpose(perm))], {"x": dtype}, x=x, perm=list(perm))
    x = numbers(4, 5, 6)
    Case("transpose", 5, [("fp32", x.transpose(2, 0, 1))], x=x, perm=[-1, 0, 1])
    Case("reverse", 5, [("fp32", np.flip(x, (0, 2)))], x=x, axes=[0, -1])
    Case("reverse", 5, [("fp32", np.flip(x))], x=x)
    lengths = [3, 0, 5, 1]
    expected = x.copy()
    for b, n in enumerate(lengths):
        expected[b, :n] = x[b, :n][::-1]
    Case("reverse_sequence", 5, [("fp32", expected)], x=x, lengths=lengths, seq_axis=1, batch_axis=0)
    expected = x.copy()
    for b, n in enumerate([2, 4, 0, 1, 3, 4]):
        expected[:n, :, b] = x[:n, :, b][::-1]
    Case("reverse_sequence", 7, [("fp32", expected)], x=x, lengths=[2, 4, 0, 1, 3, 4], seq_axis=0, batch_axis=-1)
    windows = np.stack([x[:, s:s + 3] for s in range(0, 3, 2)], axis=1)
    Case("sliding_windows", 5, [("fp32", windows)], x=x, axis=1, size=3, stride=2)


def blocks():
    x = numbers(2, 12, 3, 5)
    t = torch.from_numpy(x)
    n, c, h, w, b = 2, 3, 3, 5, 2
    Case("pixel_shuffle", 5, [("fp32", torch.nn.functional.pixel_shuffle(t, b).numpy())], x=x, upscale_factor=b)
    # TensorFlow splits the channels as block row, block column, channel
    to_space = x.reshape(n, b, b, c, h, w).transpose(0, 3, 4, 1, 5, 2).reshape(n, c, h * b, w * b)
    Case("depth_to_space", 5, [("fp32", to_space)], x=x, block_size=b)
    y = numbers(2, 3, 4, 6)
    u = torch.from_numpy(y)
    Case("pixel_unshuffle", 6, [("fp32", torch.nn.functional.pixel_unshuffle(u, b).numpy())], {"downscale_factor": "uint32"},
         x=y, downscale_factor=b)
    to_depth = y.reshape(2, 3, 2, b, 3, b).transpose(0, 3, 5, 1, 2, 4).reshape(2, 12, 2, 3)
    Case("space_to_depth", 5, [("fp32", to_depth)], x=y, block_size=b)
    for block, pads in [((2, 3), ((0, 0), (0, 0))), ((2, 2), ((1, 1), (0, 2))), ((3, 2), ((2, 0), (1, 1)))]:
        padded = np.pad(y, ((0, 0), (0, 0)) + pads)
        ph, pw = padded.shape[2] // block[0], padded.shape[3] // block[1]
        batches = padded.reshape(2, 3, ph, block[0], pw, block[1]).transpose(3, 5, 0, 1, 2, 4)
        batches = batches.reshape(2 * block[0] * block[1], 3, ph, pw)
        Case("space_to_batch", 5, [("fp32", batches)], x=y, block_shape=list(block), paddings=np.array(pads),
             types={"paddings": "int32"})
        Case("batch_to_space", 5, [("fp32", y)], x=batches, block_shape=list(block), crops=np.array(pads),
             types={"crops": "int32"})


def joins():
    a, b, c = numbers(2, 3, 4), numbers(2, 1, 4), numbers(2, 5, 4)
    Case("concat", 5, [("fp32", np.concatenate([a, b, c], 1))], values=[a, b, c], axis=1)
    Case("concat", 5, [("fp16", np.concatenate([a, a], -1))], {"values": "fp16"}, values=[a, a], axis=-1)
    p, q = numbers(3, 2), numbers(3, 2)
    Case("concat", 5, [("fp32", np.stack([p, q], 1).reshape(6, 2))], values=[p, q], axis=0, interleave=True)
    Case("concat", 5, [("fp32", np.stack([p, q], 2).reshape(3, 4))], values=[p, q], axis=1, interleave=True)
    Case("concat", 5, [("int32", [1, 7])], {"values": "int32"}, values=[np.int32(1), np.int32(7)], axis=0)
    for axis in (0, 1, -1):
        Case("stack", 5, [("fp32", np.stack([p, q, p], axis))], values=[p, q, p], axis=axis)
    Case("split", 5, [("fp32", part) for part in np.split(c, [1, 3], 1)], x=c, split_sizes=[1, 2, 2], axis=1)
    Case("split", 5, [("fp16", part) for part in np.split(a, 2, -1)], {"x": "fp16"}, x=a, num_splits=2, axis=-1)
    for shape, reps in [((2, 3), (2, 2)), ((1, 5), (4, 1)), ((3, 1, 2), (1, 3, 2)), ((4,), (3,)), ((2, 1), (1, 7))]:
        x = numbers(*shape)
        Case("tile", 5, [("fp32", np.tile(x, reps))], x=x, reps=list(reps))


def slices():
    x = numbers(5, 6, 7)
    for begin, end, stride in [((0, 0, 0), (5, 6, 7), (1, 1, 1)), ((1, 2, 3), (4, 5, 6), (1, 2, 3)),
                               ((-2, -5, 0), (5, -1, -3), (1, 1, 2)), ((4, 5, 6), (0, 1, -8), (-1, -2, -1)),
                               ((0, 3, 1), (99, 2, 99), (2, 1, 4)), ((-99, 0, 0), (3, 1, 1), (1, 1, 1))]:
        index = tuple(slice(b, e, s) for b, e, s in zip(begin, end, stride))
        Case("slice_by_index", 5, [("fp32", x[index])], x=x, begin=list(begin), end=list(end), stride=list(stride))
    Case("slice_by_index", 7, [("fp32", x[1:, :4, ::-2])], x=x, begin=[1, 3, 0], end=[0, 4, 0], stride=[1, 1, -2],
         begin_mask=[False, True, True], end_mask=[True, False, True])
    Case("slice_by_index", 7, [("fp32", x[2, :, -1])], x=x, begin=[2, 0, -1], end=[0, 6, 0],
         squeeze_mask=[True, False, True])
    Case("slice_by_size", 5, [("fp32", x[1:3, 2:, -3:-1])], x=x, begin=[1, 2, -3], size=[2, -1, 2])
    y = numbers(2, 3, 8, 9)
    Case("crop", 5, [("fp32", y[:, :, 1:6, 3:9])], x=y, crop_height=[1, 2], crop_width=[3, 0])
    for begin, end, stride in [((1, 0, 2), (4, 6, 5), (1, 1, 1)), ((4, 0, 6), (0, 5, 0), (-2, 2, -3))]:
        index = tuple(slice(b, e, s) for b, e, s in zip(begin, end, stride))
        update, expected = numbers(*x[index].shape), x.copy()
        expected[index] = update
        Case("slice_update", 8, [("fp32", expected)], x=x, update=update, begin=list(begin), end=list(end),
             stride=list(stride))
    expected = x.copy()
    expected[3, 1:4] = 9
    Case("slice_update", 8, [("fp16", expected)], {"x": "fp16", "update": "fp16"}, x=x, update=np.full((3, 7), 9.0),
         begin=[3, 1, 0], end=[0, 4, 0], squeeze_mask=[True, False, False], end_mask=[False, False, True])


def pads():
    x = numbers(2, 3, 4)
    for width in [((0, 0), (1, 2), (3, 1)), ((1, 0), (0, 0), (0, 2)), ((2, 3), (1, 1), (2, 2))]:
        Case("pad", 5, [("fp32", np.pad(x, width, constant_values=0.5))], x=x, pad=[int(w) for w in np.ravel(width)],
             mode="constant", constant_val=np.float32(0.5))
        Case("pad", 5, [("fp16", np.pad(x, width, "edge"))], {"x": "fp16"}, x=x, pad=[int(w) for w in np.ravel(width)],
             mode="replicate")
    Case("pad", 5, [("fp32", np.pad(x, ((1, 1), (2, 0), (3, 3)), "reflect"))], x=x, pad=[1, 1, 2, 0, 3, 3], mode="reflect")
    Case("pad", 5, [("fp32", np.pad(x, ((0, 0), (0, 0), (2, 3)), "reflect"))], x=x, pad=[2, 3], mode="reflect")
    Case("pad", 5, [("fp32", np.pad(x, ((0, 0), (1, 0), (0, 1))))], x=x, pad=[1, 0, 0, 1])


def gathers():
    x = numbers(4, 5, 6)
    Case("gather", 5, [("fp32", x[[3, -1, 0]])], x=x, indices=[3, -1, 0])
    Case("gather", 6, [("fp32", x[:, [[1, 4], [0, -5]]])], {"indices": "int16"}, x=x,
         indices=np.array([[1, 4], [0, -5]]), axis=1)
    Case("gather", 7, [("fp16", x[:, :, 2])], {"x": "fp16"}, x=x, indices=2, axis=-1)
    i = np.array([[0, 4], [1, 1], [2, 3], [4, 0]])
    Case("gather", 6, [("fp32", np.stack([x[b][i[b]] for b in range(4)]))], {"indices": "int32"}, x=x, indices=i, axis=1,
         batch_dims=1)
    Case("gather", 6, [("fp32", np.stack([x[b][:, i[b]] for b in range(4)]))], {"indices": "uint16"}, x=x, indices=i, axis=2,
         batch_dims=1)
    # out of range and not validated: the nearest end
    Case("gather", 7, [("fp32", x[[3, 0, 3]])], x=x, indices=[9, -9, -1])
    for axis in (0, 1, 2):
        shape = [4, 5, 6]
        shape[axis] = 3
        j = np.random.default_rng(axis).integers(-shape[axis], shape[axis], shape)
        Case("gather_along_axis", 5, [("fp32", np.take_along_axis(x, j, axis))], {"indices": "int32"}, x=x, indices=j,
             axis=axis)
    j = np.array([[[0, 1], [2, 3]], [[3, 4], [1, -1]]])
    Case("gather_nd", 5, [("fp32", x[j[..., 0], j[..., 1]])], {"indices": "int32"}, x=x, indices=j)
    j = np.array([[1, 2, 3], [0, 0, 5]])
    Case("gather_nd", 5, [("fp32", x[j[:, 0], j[:, 1], j[:, 2]])], {"indices": "int32"}, x=x, indices=j)
    j = np.array([[[1], [4]], [[0], [0]], [[2], [3]], [[4], [1]]])
    Case("gather_nd", 6, [("fp32", np.stack([x[b][j[b, :, 0]] for b in range(4)]))], {"indices": "int32"}, x=x, indices=j,
         batch_dims=1)


def sorting():
    x = numbers(3, 40)
    for ascending in (False, True):
        keys = x if ascending else -x
        order = np.argsort(keys, axis=1, kind="stable")
        Case("argsort", 5, [("int32", order)], x=x, axis=1, ascending=ascending)
        for k in (1, 4, 5, 40):
            top = order[:, :k]
            Case("topk", 5, [("fp32", np.take_along_axis(x, top, 1)), ("int32", top)], x=x, k=k, axis=-1, ascending=ascending)
    y = numbers(90, 2, 3)
    order = np.argsort(-y, axis=0, kind="stable")
    Case("topk", 6, [("fp16", np.take_along_axis(y, order[:7], 0))], {"x": "fp16"}, x=y, k=7, axis=0, return_indices=False)
    Case("topk", 7, [("fp16", np.take_along_axis(y, order, 0)), ("uint16", order)], {"x": "fp16"}, x=y, k=-1, axis=0,
         output_indices_dtype="uint16", sort=True)
    z = np.array([3.0, np.nan, -np.inf, np.inf, -0.0, 0.0, 3.0])
    Case("argsort", 5, [("int32", [2, 4, 5, 0, 6, 3, 1])], x=z, axis=0, ascending=True)
    Case("argsort", 5, [("int32", [3, 0, 6, 4, 5, 2, 1])], x=z, axis=0, ascending=False)
    i = np.array([5, -7, 2147483000, -2147483000, 5])
    Case("argsort", 5, [("int32", [2, 0, 4, 1, 3])], {"x": "int32"}, x=i)


def filling():
    Case("fill", 5, [("fp32", np.full((2, 3), 1.5))], shape=[2, 3], value=np.float32(1.5))
    Case("fill", 5, [("bool", np.ones((4,)))], {"value": "bool"}, shape=[4], value=np.int32(1))
    Case("fill_like", 6, [("int32", np.full((2, 2), 7))], {"value": "int32"}, ref_tensor=numbers(2, 2), value=np.int32(7))
    Case("range_1d", 5, [("int32", np.arange(2, 11, 3))], {"start": "int32", "end": "int32", "step": "int32"}, start=2, end=11, step=3)
    Case("range_1d", 5, [("fp32", np.arange(1, -1, -0.25))], start=np.float32(1), end=np.float32(-1), step=np.float32(-0.25))
    i = np.array([[0, 2], [1, -1]])
    hot = np.eye(4)[i]
    Case("one_hot", 5, [("fp32", hot * 3 - 1)], {"indices": "int32"}, indices=i, one_hot_vector_size=4,
         on_value=np.float32(2), off_value=np.float32(-1))
    Case("one_hot", 5, [("int32", np.moveaxis(np.eye(3)[[0, 2]], -1, 0))], {"indices": "int32", "on_value": "int32", "off_value": "int32"},
         indices=[0, 2], one_hot_vector_size=3, axis=0, on_value=1, off_value=0)
    x = numbers(2, 5, 7)
    for lower, upper in [(0, -1), (-1, 0), (1, 2), (0, 0), (-1, -1), (9, 1)]:
        m, n = np.mgrid[:5, :7]
        keep = ((lower < 0) | (m - n <= lower)) & ((upper < 0) | (n - m <= upper))
        Case("band_part", 5, [("fp32", np.where(keep, x, 0))], x=x, lower=lower, upper=upper)
    x = numbers(3, 70, 4)
    for axis in (0, 1, -1):
        inclusive = np.cumsum(x, axis)
        Case("cumsum", 5, [("fp32", inclusive)], x=x, axis=axis)
        Case("cumsum", 5, [("fp32", inclusive - x)], x=x, axis=axis, exclusive=True)
        Case("cumsum", 5, [("fp16", np.flip(np.cumsum(np.flip(x, axis), axis), axis))], {"x": "fp16"}, x=x, axis=axis, reverse=True)
    Case("non_zero", 5, [("int32", np.argwhere(x[:, :3] > 1.5))], {"x": "bool"}, x=(x[:, :3] > 1.5).astype(np.int32))
    Case("non_zero", 5, [("int32", np.argwhere(x[0, :4]))], {"x": "fp16"}, x=x[0, :4])


def suppression():
    """By hand: boxes 0 and 1 overlap by 0.6, box 2 is apart, box 3 is below the threshold, box 4 covers box 2."""
    boxes = np.array([[[2, 2, 4, 4], [3, 2, 4, 4], [20, 20, 2, 2], [40, 40, 1, 1], [20, 20, 2.5, 2.5]]])
    scores = np.array([[[0.5, 0.75], [0.875, 0.25], [0.5, 0.25], [0.125, 0.0625], [0.25, 0.625]]])
    pick = lambda a, rows, n: np.concatenate([a[:, rows], np.zeros((1, n - len(rows), a.shape[2]))], 1)
    for per_class, rows in [(False, [1, 4]), (True, [1, 0, 4, 2])]:
        n = 4 if per_class else 3
        index = np.array([rows + [-1] * (n - len(rows))])
        thresholds = dict(iou_threshold=np.float32(0.5), score_threshold=np.float32(0.1875))
        outputs = [("fp32", pick(boxes, rows, n)), ("fp32", pick(scores, rows, n)), ("int32", index)]
        Case("non_maximum_suppression", 5, outputs + [("int32", [len(rows)])], boxes=boxes, scores=scores, **thresholds,
             max_boxes=n, per_class_suppression=per_class)
    rows = [1, 4, 3]
    Case("non_maximum_suppression", 7,
         [("fp32", boxes[:, rows].transpose(0, 2, 1)), ("fp32", scores[:, rows].transpose(0, 2, 1)), ("int32", [rows])],
         boxes=boxes.transpose(0, 2, 1), scores=scores.transpose(0, 2, 1), iou_threshold=np.float32(0.5), max_boxes=3)
    Case("non_maximum_suppression", 5, [("fp32", boxes[:, [1]]), ("fp32", scores[:, [1]]), ("int32", [[1]]), ("int32", [1])],
         boxes=boxes, scores=scores, iou_threshold=np.float32(0.5), score_threshold=np.float32(2), max_boxes=1)


def later_definitions():
    """Definitions of later opsets: smaller types, and indices that are not validated."""
    x = numbers(4, 5, dtype="int32")
    small = np.random.default_rng(5).integers(-4, 4, (2, 5))
    for opset in (6, 7):
        Case("gather_along_axis", opset, [("fp32", np.take_along_axis(x, small, 0))], {"indices": "int32"}, x=x, indices=small,
             axis=0)
    Case("gather_along_axis", 7, [("int8", np.take_along_axis(x, small % 4, 0))], {"x": "int8", "indices": "uint16"}, x=x,
         indices=small % 4, axis=0, validate_indices=True)
    pairs = np.array([[0, 1], [3, 4], [-1, 2]])
    Case("gather_nd", 7, [("uint8", abs(x)[pairs[:, 0], pairs[:, 1]])], {"x": "uint8", "indices": "int16"}, x=abs(x),
         indices=pairs)
    Case("reshape_like", 7, [("int16", x.reshape(5, 4))],
         {"x": "int16", "begins": "int32", "ends": "int32", "end_masks": "bool"}, x=x, ref_tensors=[numbers(5, 4)], begins=[np.array(0)],
         ends=[np.array(2)], end_masks=[np.array(0)])
    Case("reverse", 7, [("int8", np.flip(x, 1))], {"x": "int8"}, x=x, axes=[1])
    Case("slice_by_size", 7, [("int16", x[1:3, 2:])], {"x": "int16", "begin": "int16"}, x=x, begin=[1, 2], size=[2, -1])
    # An expand that keeps a size of 5, then one that makes none of a size of 1.
    Case("tile", 5, [("int32", np.tile(x, (2, 1)))], {"x": "int32"}, x=x, reps=[2, 0])
    Case("tile", 5, [("int32", np.tile(x[:, :1], (2, 0)))], {"x": "int32"}, x=x[:, :1], reps=[2, 0])
    windows = np.lib.stride_tricks.sliding_window_view(x, 3, 1)
    Case("sliding_windows", 7, [("uint16", abs(windows))], {"x": "uint16"}, x=abs(x), axis=1, size=3)


for make in (views, transposes, blocks, joins, slices, pads, gathers, sorting, filling, suppression, later_definitions):
    make()
