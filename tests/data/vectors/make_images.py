"""Vectors for operations that read images between their pixels. References: PyTorch where it has the operation; else
the definitions' own formulas for positions, evaluated in float64 with plain bilinear interpolation."""
import itertools
import pathlib

import numpy as np
import torch

from vectors import Writer, numbers

OUT = Writer(pathlib.Path(__file__).parent / "images.vec")
count = 0


def case(op, opset, expected, dtype="fp32", tolerance=1e-6, types=None, **params):
    global count
    types = types or {}
    OUT.begin(f"{op}_{count}", op, opset, 0.0005 if dtype == "fp16" and tolerance else tolerance)
    count += 1
    for name, value in params.items():
        if isinstance(value, str):
            OUT.text(name, value)
        elif isinstance(value, bool):
            OUT.bool(name, value)
        elif isinstance(value, int):
            OUT.tensor("tensor", name, types.get(name, "int32"), np.int32(value))
        else:
            OUT.tensor("tensor", name, types.get(name, dtype), value)
    OUT.out(0, dtype, expected)
    OUT.end()


def bilinear(x, rows, columns, outside=None):
    """x at all pairs of positions; positions are clamped, unless `outside` is given: then those outside give it."""
    h, w = x.shape[-2:]
    result = np.zeros(x.shape[:-2] + (len(rows), len(columns)))
    for (i, r), (j, c) in itertools.product(enumerate(rows), enumerate(columns)):
        if outside is not None and not (0 <= r <= h - 1 and 0 <= c <= w - 1):
            result[..., i, j] = outside
            continue
        r, c = np.clip(r, 0, h - 1), np.clip(c, 0, w - 1)
        r0, c0 = int(r), int(c)
        r1, c1 = min(r0 + 1, h - 1), min(c0 + 1, w - 1)
        a, b = r - r0, c - c0
        result[..., i, j] = ((1 - a) * ((1 - b) * x[..., r0, c0] + b * x[..., r0, c1])
                             + a * ((1 - b) * x[..., r1, c0] + b * x[..., r1, c1]))
    return result


def grid(mode, n_in, n_out):
    i = np.arange(n_out)
    if mode == "STRICT_ALIGN_CORNERS" or (mode == "ALIGN_CORNERS" and n_out > 1):
        return i * (n_in - 1) / max(n_out - 1, 1)
    if mode == "ALIGN_CORNERS":
        return np.array([(n_in - 1) / 2])
    if mode == "DEFAULT":
        return i * (n_in - n_in / n_out) / max(n_out - 1, 1)
    if mode == "OFFSET_CORNERS":
        return (i + 0.5) * max(1, n_in - 1) / n_out
    return i * n_in / n_out + 0.5 * n_in / n_out - 0.5


MODES = ["STRICT_ALIGN_CORNERS", "ALIGN_CORNERS", "DEFAULT", "OFFSET_CORNERS", "UNALIGN_CORNERS"]


def resizing():
    x = numbers(2, 3, 5, 7)
    for mode, (h, w) in itertools.product(MODES, [(9, 11), (1, 1), (3, 20), (5, 7)]):
        expected = bilinear(x, grid(mode, 5, h), grid(mode, 7, w))
        case("resize_bilinear", 5, expected, x=x, target_size_height=h, target_size_width=w, sampling_mode=mode)
    y = numbers(3, 4, 1)
    for dtype in ("fp16", "fp32"):
        case("resize_bilinear", 5, bilinear(y, grid("DEFAULT", 4, 6), grid("DEFAULT", 1, 3)), dtype, x=y,
             target_size_height=6, target_size_width=3)
    # as in the definition's text
    line = np.array([0.0, 1]).reshape(1, 1, 2)
    for mode, expected in [("UNALIGN_CORNERS", [0, 0.1, 0.5, 0.9, 1]), ("ALIGN_CORNERS", [0, 0.25, 0.5, 0.75, 1]),
                           ("DEFAULT", [0, 0.4, 0.8, 1, 1]), ("OFFSET_CORNERS", [0.1, 0.3, 0.5, 0.7, 0.9])]:
        case("resize_bilinear", 5, np.reshape(expected, (1, 1, 5)), x=line, target_size_height=1, target_size_width=5,
             sampling_mode=mode)
    t = torch.from_numpy(x)
    for align, (sh, sw) in itertools.product((False, True), [(2, 3), (1, 4)]):
        expected = torch.nn.functional.interpolate(t, scale_factor=(sh, sw), mode="bilinear", align_corners=align)
        for dtype in ("fp32", "fp16"):
            case("upsample_bilinear", 5, expected.numpy(), dtype, x=x, scale_factor_height=sh, scale_factor_width=sw,
                 align_corners=align)
    case("upsample_bilinear", 6, bilinear(x, grid("DEFAULT", 5, 10), grid("DEFAULT", 7, 14)), x=x, scale_factor_height=2,
         scale_factor_width=2, align_corners=False, half_pixel_centers=False)
    case("upsample_bilinear", 5, bilinear(x, grid("STRICT_ALIGN_CORNERS", 5, 7), grid("STRICT_ALIGN_CORNERS", 7, 17)),
         x=x, scale_factor_height=np.float32(1.5), scale_factor_width=np.float32(2.5),
         types={"scale_factor_height": "fp32", "scale_factor_width": "fp32"})
    for dtype, (sh, sw) in itertools.product(("fp32", "fp16"), [(2, 2), (1, 3), (3, 1)]):
        expected = torch.nn.functional.interpolate(t, scale_factor=(sh, sw), mode="nearest").numpy()
        case("upsample_nearest_neighbor", 5, expected, dtype, 0, x=x, scale_factor_height=sh, scale_factor_width=sw)
    for h, w in [(9, 4), (2, 20), (5, 7)]:
        exact = torch.nn.functional.interpolate(t, size=(h, w), mode="nearest-exact").numpy()
        case("resize_nearest_neighbor", 5, exact, tolerance=0, x=x, target_size_height=h, target_size_width=w)
        case("resize", 7, exact, tolerance=0, types={"shape": "int32", "resized_dims": "uint32"}, x=x,
             shape=np.array([h, w]), resized_dims=2, interpolation_mode="NEAREST_NEIGHBOR")
        case("resize", 7, exact, tolerance=0, types={"shape": "int32", "resized_dims": "uint32"}, x=x,
             shape=np.array([9, h, w]), resized_dims=2, interpolation_mode="NEAREST_NEIGHBOR", sampling_mode="UNALIGN_CORNERS")
    case("resize", 7, bilinear(x, grid("ALIGN_CORNERS", 5, 8), np.arange(7)), types={"shape": "int32", "resized_dims": "uint32"},
         x=x, shape=np.array([8, 0]), resized_dims=2, sampling_mode="ALIGN_CORNERS")
    integers = numbers(4, 3, dtype="int32")
    case("resize", 7, integers[:, [0, 0, 1, 1, 2, 2]], "int32", 0, types={"shape": "uint16", "resized_dims": "uint32"}, x=integers,
         shape=np.array([6]), resized_dims=1, interpolation_mode="NEAREST_NEIGHBOR")


def sampling():
    rng = np.random.default_rng(3)
    x = numbers(2, 3, 6, 9)
    t = torch.from_numpy(x)
    # 5 x 7 pixels: more than one vector and an end; positions inside, between and far outside
    at = np.concatenate([rng.integers(-24, 25, (2, 4, 7, 2)) / 16, rng.integers(-48, 49, (2, 1, 7, 2)) / 8], 1)
    for sampling_mode, padding, align in itertools.product(("bilinear", "nearest"), ("constant", "border", "reflection"), (True, False)):
        torch_padding = {"constant": "zeros"}.get(padding, padding)
        # PyTorch reflects about the edges of the pixels when corners are not aligned: Core ML calls that symmetric
        if padding == "reflection" and not align:
            padding = "symmetric"
        grid_ = torch.from_numpy(at)
        expected = torch.nn.functional.grid_sample(t, grid_, sampling_mode, torch_padding, align).numpy()
        for dtype in ("fp32", "fp16"):
            case("resample", 7, expected, dtype, 0 if sampling_mode == "nearest" else 1e-6, x=x, coordinates=at, types={"coordinates": "fp32"}, sampling_mode=sampling_mode,
                 padding_mode=padding, padding_value=np.float32(0), coordinates_mode="normalized_minus_one_to_one", align_corners=align)
    # every mode of coordinates names the same places
    pixels = (at + 1) / 2 * (np.array([9, 6]) - 1)
    expected = torch.nn.functional.grid_sample(t - 4, torch.from_numpy(at), "bilinear", "zeros", True).numpy() + 4
    for mode, values in [("unnormalized", pixels), ("normalized_zero_to_one", (at + 1) / 2)]:
        case("resample", 5, expected, x=x, coordinates=values, types={"coordinates": "fp32"}, sampling_mode="bilinear", padding_mode="constant",
             padding_value=np.float32(4), coordinates_mode=mode, align_corners=True)
    whole = rng.integers(-4, 12, (2, 3, 4, 2))
    rows, columns = np.pad(np.arange(6), 20, "reflect"), np.pad(np.arange(9), 20, "reflect")
    picked = np.stack([x[b][:, rows[whole[b, ..., 1] + 20], columns[whole[b, ..., 0] + 20]] for b in range(2)])
    for mode in ("nearest", "bilinear"):
        case("resample", 7, picked, tolerance=0, x=x, coordinates=whole, types={"coordinates": "int16"}, sampling_mode=mode, padding_mode="reflection",
             padding_value=np.float32(0), coordinates_mode="unnormalized", align_corners=False)
    thin = numbers(1, 2, 4, 1)
    at1 = rng.integers(-20, 21, (1, 3, 9, 2)) / 16
    expected = torch.nn.functional.grid_sample(torch.from_numpy(thin), torch.from_numpy(at1), "bilinear", "zeros", False).numpy()
    case("resample", 6, expected, x=thin, coordinates=at1, types={"coordinates": "fp32"}, sampling_mode="bilinear", padding_mode="constant", padding_value=np.float32(0),
         coordinates_mode="normalized_minus_one_to_one", align_corners=False)
    matrices = np.array([[0.5, 0.25, 0.125, -0.25, 1.5, 0], [-1, 0, 0, 0, 1, 0.75]])
    for m in (matrices, matrices[:1]):
        theta = torch.from_numpy(np.broadcast_to(m, (2, 6)).reshape(2, 2, 3).copy())
        places = torch.nn.functional.affine_grid(theta, (2, 3, 4, 5), align_corners=True)
        expected = torch.nn.functional.grid_sample(t, places, "bilinear", "zeros", True).numpy()
        case("affine", 5, expected, x=x, transform_matrix=m, output_height=4, output_width=5, sampling_mode="bilinear",
             padding_mode="constant", padding_value=np.float32(0), coordinates_mode="normalized_minus_one_to_one", align_corners=True)


def cropping():
    x = numbers(2, 2, 6, 8)
    boxes = np.array([[1, 0.5, 3.25, 7], [4, 6, 2, 1], [-1, 2, 2, 9.5]])
    for mode in ("CORNERS_HEIGHT_FIRST", "CORNERS_WIDTH_FIRST", "CENTER_SIZE_HEIGHT_FIRST", "CENTER_SIZE_WIDTH_FIRST"):
        given = boxes.copy()
        if mode.startswith("CENTER"):
            given = np.stack([(boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2, boxes[:, 2] - boxes[:, 0],
                              boxes[:, 3] - boxes[:, 1]], 1)
        if "WIDTH" in mode:
            given = given[:, [1, 0, 3, 2]]
        expected = np.stack([bilinear(x, np.linspace(b[0], b[2], 3), np.linspace(b[1], b[3], 4), 0.5) for b in boxes])
        case("crop_resize", 6, expected, x=x, roi=given.reshape(3, 1, 4, 1, 1), target_height=3, target_width=4,
             box_coordinate_mode=mode, sampling_mode="ALIGN_CORNERS", pad_value=np.float32(0.5))
        picked = expected[[0, 1, 2], [1, 0, 1]]
        case("crop_resize", 7, picked, x=x, boxes=given / 2, box_indices=np.array([1, 0, 1]), target_height=3, target_width=4,
             spatial_scale=np.float32(2), types={"box_indices": "int32", "spatial_scale": "fp32"},
             box_coordinate_mode=mode, sampling_mode="STRICT_ALIGN_CORNERS", pad_value=np.float32(0.5))
    # vectors of the definition's own tests
    square = np.arange(1.0, 17).reshape(1, 1, 4, 4)
    roi = np.array([[0, 0.1, 0.3, 1.3, 1], [0, 0.5, 1.8, 1.0, 0.3], [0, 0.0, 0.4, 0.6, 0.7]]).reshape(3, 1, 5, 1, 1)
    expected = np.array([3.1, 5.2, 9, 9, 9, 7.9, 9, 13.9, 2.2, 3.1, 9.4, 10.3]).reshape(3, 1, 1, 2, 2)
    case("crop_resize", 6, expected, tolerance=1e-5, x=square, roi=roi, target_height=2, target_width=2, normalized_coordinates=True,
         sampling_mode="ALIGN_CORNERS", pad_value=np.float32(9))
    whole = np.array([0, 0, 0, 1, 1]).reshape(1, 1, 5, 1, 1)
    case("crop_resize", 5, np.array([3.5, 5.5, 11.5, 13.5]).reshape(1, 1, 1, 2, 2), x=square, roi=whole, target_height=2,
         target_width=2, normalized_coordinates=True, sampling_mode="UNALIGN_CORNERS")
    case("crop_resize", 5, np.full((1, 1, 1, 1, 1), 8.5), x=square, roi=np.array([1, 1, 2, 2]).reshape(1, 1, 4, 1, 1),
         sampling_mode="ALIGN_CORNERS")


for make in (resizing, sampling, cropping):
    make()
