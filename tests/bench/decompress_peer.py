#!/usr/bin/env python3
"""Weights that coremltools compressed, run by mlscope in every way, against what coremltools decompresses them to.

  decompress_peer.py --mlscope PATH [--rows 1,40] [--keep DIR]

A small network (linear, a 1x1 convolution, a product with a constant) is compressed in every form that coremltools.optimize.coreml
writes, and decompressed by its decompress_weights. Outputs of the compressed package with `--weights dense` have to equal those of the
decompressed one bit for bit; with `compressed` and `auto`, scales meet codes unrounded, so that the bound is a signal-to-noise ratio. `kernel`
names those that ran. Exit status 1: a bound was missed.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

MIN_SNR_DB = 55


def network(rows, target):
    import coremltools as ct
    from coremltools.converters.mil import Builder as mb
    rng = np.random.default_rng(3)
    draw = lambda *shape: (rng.standard_normal(shape) / np.sqrt(shape[1])).astype(np.float16)
    weights = draw(192, 256), draw(128, 192, 1, 1), draw(128, 160)

    @mb.program(input_specs=[mb.TensorSpec(shape=(rows, 256), dtype=ct.converters.mil.mil.types.fp16)], opset_version=target)
    def prog(x):
        y = mb.linear(x=x, weight=weights[0], bias=np.zeros(192, np.float16), name="linear")
        z = mb.reshape(x=mb.transpose(x=y, perm=[1, 0]), shape=[1, 192, 1, rows])
        z = mb.conv(x=z, weight=weights[1], name="pointwise")
        z = mb.transpose(x=mb.reshape(x=z, shape=[128, rows]), perm=[1, 0])
        return y, mb.matmul(x=z, y=weights[2], name="product")

    return ct.convert(prog, minimum_deployment_target=target, compute_precision=ct.precision.FLOAT16, skip_model_load=True,
                      compute_units=ct.ComputeUnit.CPU_ONLY)


def settings(cto, ios18):
    palette, linear, prune = cto.OpPalettizerConfig, cto.OpLinearQuantizerConfig, cto.OpThresholdPrunerConfig
    whole = {"weight_threshold": 0}
    for bits in (1, 2, 4, 6, 8) + ((3,) if ios18 else ()):
        yield f"pal{bits}", [(cto.palettize_weights, palette(mode="kmeans", nbits=bits, **whole))]
    yield "uniform4", [(cto.palettize_weights, palette(mode="uniform", nbits=4, **whole))]
    for dtype in ("int8", "uint8"):
        for mode in ("linear", "linear_symmetric"):
            yield f"{dtype} {mode}", [(cto.linear_quantize_weights, linear(mode=mode, dtype=dtype, **whole))]
    pruned = (cto.prune_weights, cto.OpMagnitudePrunerConfig(target_sparsity=0.6, **whole))
    yield "sparse", [pruned]
    if not ios18:
        return
    for bits, group in ((4, 16), (4, 8), (4, 1), (6, 32), (8, 32), (2, 4), (3, 32)):
        yield f"pal{bits} by {group}", [(cto.palettize_weights, palette(
            mode="kmeans", nbits=bits, granularity="per_grouped_channel", group_size=group, **whole))]
    yield "pal4 scaled", [(cto.palettize_weights, palette(mode="kmeans", nbits=4, enable_per_channel_scale=True, **whole))]
    for bits, dim in ((4, 2), (6, 4), (8, 2)):
        yield f"pal{bits} vector {dim}", [(cto.palettize_weights, palette(mode="kmeans", nbits=bits, cluster_dim=dim, **whole))]
    for dtype in ("int8", "uint8", "int4", "uint4"):
        for mode in ("linear", "linear_symmetric"):
            yield f"{dtype} {mode} tensor", [(cto.linear_quantize_weights, linear(
                mode=mode, dtype=dtype, granularity="per_tensor", **whole))]
            yield f"{dtype} {mode} block 32", [(cto.linear_quantize_weights, linear(
                mode=mode, dtype=dtype, granularity="per_block", block_size=32, **whole))]
    joint = lambda config: {"joint_compression": True}
    for bits in (2, 4, 6, 8):
        yield f"sparse pal{bits}", [pruned, (cto.palettize_weights, palette(mode="kmeans", nbits=bits, **whole), True)]
    for dtype in ("int8", "int4"):
        yield f"sparse {dtype}", [pruned, (cto.linear_quantize_weights, linear(
            mode="linear_symmetric", dtype=dtype, granularity="per_channel", **whole), True)]
    yield "pal4 int8 table", [(cto.palettize_weights, palette(mode="kmeans", nbits=4, **whole)), (
        cto.linear_quantize_weights, linear(mode="linear_symmetric", dtype="int8", granularity="per_tensor", **whole), True)]


def compress(cto, model, steps):
    for function, op_config, *joint in steps:
        config = cto.OptimizationConfig(global_config=op_config)
        model = function(model, config, **({"joint_compression": True} if joint else {}))
    return model


def run(program, package, x, folder, *options):
    out = os.path.join(folder, "out")
    np.save(os.path.join(folder, "x.npy"), x)
    subprocess.run([program, "run", package, "--input", f"x={folder}/x.npy", "--output-dir", out, "--threads", "1", *options], check=True,
                   capture_output=True)
    with open(os.path.join(out, "outputs.json")) as f:
        return [np.load(os.path.join(out, o["file"])) for o in json.load(f)["outputs"]]


def kernels(program, package):
    text = subprocess.run([program, "profile", package, "--runs", "1", "--warmup", "0", "--threads", "1", "--weights", "compressed", "--json"],
                          check=True, capture_output=True).stdout
    return [o["kernel"].split("__")[0] for o in json.loads(text)["ops"] if o["type"] in ("linear", "conv", "matmul")]


def snr(reference, got):
    a, b = reference.astype(np.float64), got.astype(np.float64)
    noise = np.sum((a - b) ** 2)
    return np.inf if noise == 0 else 10 * np.log10(np.sum(a ** 2) / noise)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--mlscope", required=True)
    p.add_argument("--rows", default="1,40")
    p.add_argument("--only", default="")
    p.add_argument("--keep")
    a = p.parse_args()
    import coremltools as ct
    import coremltools.optimize.coreml as cto
    missed = 0
    with tempfile.TemporaryDirectory() as d:
        d = a.keep or d
        os.makedirs(d, exist_ok=True)
        print(f"{'form':38} rows  dense  compressed    auto  kernels of compressed")
        for target, ios18 in ((ct.target.iOS16, False), (ct.target.iOS18, True)):
            for rows in map(int, a.rows.split(",")):
                base = network(rows, target)
                x = np.random.default_rng(5).standard_normal((rows, 256)).astype(np.float16)
                for name, steps in settings(cto, ios18):
                    if a.only not in name:
                        continue
                    label = f"{'iOS18' if ios18 else 'iOS16'} {name}"
                    try:
                        small = compress(cto, base, steps)
                        plain = cto.decompress_weights(small)
                    except Exception as why:
                        print(f"{label:38} {rows:4}  coremltools: {str(why).splitlines()[0][:80]}")
                        continue
                    paths = [os.path.join(d, f"{n}.mlpackage") for n in ("small", "plain")]
                    for model, path in zip((small, plain), paths):
                        model.save(path)
                    want = run(a.mlscope, paths[1], x, d, "--weights", "dense")
                    got = {w: run(a.mlscope, paths[0], x, d, "--weights", w) for w in ("dense", "compressed", "auto")}
                    equal = all(np.array_equal(u, v) for u, v in zip(want, got["dense"]))
                    least = {w: min(snr(u, v) for u, v in zip(want, got[w])) for w in ("compressed", "auto")}
                    good = equal and min(least.values()) >= MIN_SNR_DB
                    missed += not good
                    print(f"{label:38} {rows:4}  {'equal' if equal else 'DIFFER'}  {least['compressed']:7.1f} dB {least['auto']:7.1f}  "
                          f"{' '.join(kernels(a.mlscope, paths[0]))}{'' if good else '  <-- missed'}", flush=True)
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
