#!/usr/bin/env python3
"""Compares mlscope compress with coremltools.optimize.coreml on the same model and settings.

For every setting: SNR of the weights, whether they are the same bit for bit, whether coremltools reads what mlscope wrote and
decompresses it to the weights that mlscope runs with, and time and memory. Times are processor seconds, which other work on the
machine hardly changes: of mlscope for all that it does from opening the model to having written the package (and the wall
seconds of compressing alone), of coremltools for the call that compresses.

usage: compress_peer.py [--limit SECONDS] [--threads N] [--rounds N] MLSCOPE MODEL.mlpackage [SETTING ...]
  --limit    leave a setting's peer after so long: its quality is not compared then (it runs in a process of its own)
  --rounds   times that mlscope compresses each setting; the fastest counts"""
import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
os.environ.setdefault("TQDM_DISABLE", "1")
import coremltools as ct
import coremltools.optimize.coreml as cto
import numpy as np
from coremltools.converters.mil.frontend.milproto import load as milproto
from coremltools.converters.mil.mil.ops.defs.iOS18 import compression
from coremltools.models import utils
from coremltools.optimize import _utils as optimize_utils

PAL, LIN, MAG, THR = (cto.OpPalettizerConfig, cto.OpLinearQuantizerConfig, cto.OpMagnitudePrunerConfig,
                      cto.OpThresholdPrunerConfig)


def grouped(nbits, size, **more):
    return PAL(nbits=nbits, granularity="per_grouped_channel", group_size=size, **more)


def blocks(dtype, size, **more):
    return LIN(dtype=dtype, granularity="per_block", block_size=size, **more)


YAML = {
    "yamltypes": """
config_type: OpPalettizerConfig
global_config: {mode: kmeans, nbits: 4}
op_type_configs:
  linear: {mode: uniform, nbits: 6}
  conv: {mode: kmeans, nbits: 2, granularity: per_grouped_channel, group_size: 8}
  gather: null
""",
    "yamlnames": """
config_type: OpLinearQuantizerConfig
global_config: {mode: linear_symmetric, dtype: int8, weight_threshold: 4096}
op_name_configs:
  %s: {mode: linear, dtype: uint4, granularity: per_block, block_size: 16}
  %s: null
""",
    "yamlprune": """
config_type: OpThresholdPrunerConfig
global_config: {threshold: 0.01, minimum_sparsity_percentile: 0.2}
op_type_configs:
  conv: {config_type: OpMagnitudePrunerConfig, n_m_ratio: [3, 4]}
  linear: {config_type: OpMagnitudePrunerConfig, target_sparsity: 0.3}
""",
}

# name: (arguments of mlscope, coremltools' passes, what is to be the same bit for bit)
SETTINGS = {
    "pal1": ("--palettize 1", [PAL(nbits=1)], False),
    "pal2": ("--palettize 2", [PAL(nbits=2)], False),
    "pal3": ("--palettize 3", [PAL(nbits=3)], False),
    "pal4": ("--palettize 4", [PAL(nbits=4)], False),
    "pal6": ("--palettize 6", [PAL(nbits=6)], False),
    "pal8": ("--palettize 8", [PAL(nbits=8)], False),
    "pal1g4": ("--palettize 1 --group-size 4", [grouped(1, 4)], False),
    "pal2g16": ("--palettize 2 --group-size 16", [grouped(2, 16)], False),
    "pal3g8": ("--palettize 3 --group-size 8", [grouped(3, 8)], False),
    "pal4g1": ("--palettize 4 --group-size 1", [grouped(4, 1)], False),
    "pal4g16": ("--palettize 4 --group-size 16", [grouped(4, 16)], False),
    "pal4g32": ("--palettize 4 --granularity per_grouped_channel", [grouped(4, 32)], False),
    "pal6g32": ("--palettize 6 --group-size 32", [grouped(6, 32)], False),
    "pal8g64": ("--palettize 8 --group-size 64", [grouped(8, 64)], False),
    "pal2uniform": ("--palettize 2 --mode uniform", [PAL(nbits=2, mode="uniform")], False),
    "pal4uniform": ("--palettize 4 --mode uniform", [PAL(nbits=4, mode="uniform")], False),
    "pal8uniform": ("--palettize 8 --mode uniform", [PAL(nbits=8, mode="uniform")], False),
    "pal4uniformg16": ("--palettize 4 --mode uniform --group-size 16", [grouped(4, 16, mode="uniform")], False),
    "unique": ("--palettize unique", [PAL(mode="unique")], True),  # of weights that were palettized and decompressed
    "uniqueg16": ("--palettize unique --group-size 16", [grouped(None, 16, mode="unique")], True),
    "pal4scale": ("--palettize 4 --per-channel-scale", [PAL(nbits=4, enable_per_channel_scale=True)], False),
    "pal4g16scale": ("--palettize 4 --group-size 16 --per-channel-scale",
                     [grouped(4, 16, enable_per_channel_scale=True)], False),
    "pal4vector2": ("--palettize 4 --cluster-dim 2", [PAL(nbits=4, cluster_dim=2)], False),
    "pal6vector4": ("--palettize 6 --cluster-dim 4", [PAL(nbits=6, cluster_dim=4)], False),
    "pal4vector2g16": ("--palettize 4 --cluster-dim 2 --group-size 16", [grouped(4, 16, cluster_dim=2)], False),
    "int8": ("--quantize int8", [LIN()], True),
    "int8tensor": ("--quantize int8 --granularity per_tensor", [LIN(granularity="per_tensor")], True),
    "int8linear": ("--quantize int8 --mode linear", [LIN(mode="linear")], True),
    "uint8": ("--quantize uint8", [LIN(dtype="uint8")], True),
    "uint8linear": ("--quantize uint8 --mode linear --granularity per_tensor",
                    [LIN(dtype="uint8", mode="linear", granularity="per_tensor")], True),
    "int8b32": ("--quantize int8 --block-size 32", [blocks("int8", 32)], True),
    "int4": ("--quantize int4", [LIN(dtype="int4")], True),
    "int4tensor": ("--quantize int4 --granularity per_tensor", [LIN(dtype="int4", granularity="per_tensor")], True),
    "int4linear": ("--quantize int4 --mode linear", [LIN(dtype="int4", mode="linear")], True),
    "int4b32": ("--quantize int4 --block-size 32", [blocks("int4", 32)], True),
    "int4b16linear": ("--quantize int4 --mode linear --block-size 16", [blocks("int4", 16, mode="linear")], True),
    "uint4": ("--quantize uint4", [LIN(dtype="uint4")], True),
    "uint4b64": ("--quantize uint4 --mode linear --block-size 64", [blocks("uint4", 64, mode="linear")], True),
    "prune50": ("--prune 0.5", [MAG(target_sparsity=0.5)], True),
    "prune75": ("--prune 0.75", [MAG(target_sparsity=0.75)], True),
    "prune60b4": ("--prune 0.6 --block-size 4", [MAG(target_sparsity=0.6, block_size=4)], True),
    "prune60b8d1": ("--prune 0.6 --block-size 8 --dim 1", [MAG(target_sparsity=0.6, block_size=8, dim=1)], True),
    "prune2of4": ("--prune 2:4", [MAG(n_m_ratio=(2, 4))], True),
    "prune1of3d0": ("--prune 1:3 --dim 0", [MAG(n_m_ratio=(1, 3), dim=0)], True),
    "threshold": ("--prune-threshold 0.02", [THR(threshold=0.02)], True),
    "prune50pal4": ("--prune 0.5 --palettize 4", [MAG(target_sparsity=0.5), PAL(nbits=4)], False),
    "prune50pal4g16": ("--prune 0.5 --palettize 4 --group-size 16", [MAG(target_sparsity=0.5), grouped(4, 16)], False),
    "prune50int8": ("--prune 0.5 --quantize int8", [MAG(target_sparsity=0.5), LIN()], True),
    "prune50int4b32": ("--prune 0.5 --quantize int4 --block-size 32", [MAG(target_sparsity=0.5), blocks("int4", 32)], True),
    "int8prune50": ("--quantize int8 --prune 0.5", [LIN(), MAG(target_sparsity=0.5)], True),
    "pal4prune50": ("--palettize 4 --prune 0.5", [PAL(nbits=4), MAG(target_sparsity=0.5)], False),
    "pal4int8lut": ("--palettize 4 --quantize int8 --granularity per_tensor",
                    [PAL(nbits=4), LIN(granularity="per_tensor")], False),
    "int8pal4": ("--quantize int8 --palettize 4", [LIN(), PAL(nbits=4)], False),
    "threshold100k": ("--quantize int8 --weight-threshold 100000", [LIN(weight_threshold=100000)], True),
    "yamltypes": (None, None, False),
    "yamlnames": (None, None, True),
    "yamlprune": (None, None, True),
}


def lut_to_dense(indices, lut, vector_axis=None):
    """As optimize_utils.lut_to_dense, without a palette for every element in memory."""
    table = np.zeros((1,) * indices.ndim, np.int64)
    for axis in range(indices.ndim):
        group = np.arange(indices.shape[axis]) // (indices.shape[axis] // lut.shape[axis])
        table = table * lut.shape[axis] + group.reshape([-1 if i == axis else 1 for i in range(indices.ndim)])
    dense = lut.reshape(-1, lut.shape[-2], lut.shape[-1])[table, indices.astype(np.uint8)]
    if lut.shape[-1] == 1:
        return dense[..., 0]
    axis = vector_axis % indices.ndim
    dense = np.moveaxis(dense, -1, axis + 1)
    shape = list(indices.shape)
    shape[axis] *= lut.shape[-1]
    return dense.reshape(shape)


def materialize_lut(self):
    """coremltools 9.0 cannot decompress palettes that are quantized themselves."""
    lut = self.lut.val if self.lut.val is not None else self.lut.op.materialized_val_inference()
    return lut_to_dense(self.indices.val, lut, None if self.vector_axis is None else self.vector_axis.val)


def check_lut_to_dense():
    random = np.random.default_rng(1)
    for axis, vector in ((None, 1), (0, 2), (1, 3)):
        indices, lut = random.integers(0, 4, (4, 6, 2)), random.random((2, 3, 1, 4, vector))
        assert np.array_equal(lut_to_dense(indices, lut, axis), optimize_utils.lut_to_dense(indices, lut, axis))


def weights_of(model, minimum=2048):
    """Dense weights by the operation that uses them, as coremltools decompresses them."""
    if isinstance(model, str):
        model = ct.models.MLModel(model, skip_model_load=True)
    program = utils._convert_model_spec_to_pymil_prog(model, model.get_spec().specificationVersion, milproto.load)
    found = {}
    for function in program.functions.values():
        for op in function.operations:
            for output in op.outputs[-1:]:
                users = [u.op_type for u in output.child_ops]
                if not users or any(u.startswith("constexpr_") for u in users):
                    continue
                if op.op_type == "const":
                    value = op.val.val
                elif op.op_type.startswith("constexpr_"):
                    value = op.materialized_val_inference()
                    value = value[-1] if isinstance(value, (tuple, list)) else value
                else:
                    continue
                if isinstance(value, np.ndarray) and value.size > minimum and value.dtype in (np.float16, np.float32):
                    found[users[0] + " " + output.child_ops[0].name + " " + str(value.shape)] = value
    return found


def snr(before, after):
    signal = sum(float((w.astype(np.float64) ** 2).sum()) for w in before.values())
    noise = sum(float(((w.astype(np.float64) - after[n].astype(np.float64)) ** 2).sum()) for n, w in before.items())
    return 10 * np.log10(signal / noise) if noise else float("inf")


def equal(a, b):
    """-0 and 0 are the same number: coremltools prunes by multiplying."""
    return all(np.array_equal(w, b[n]) and w.dtype == b[n].dtype for n, w in a.items())


def peer(path, passes, yaml):
    model = ct.models.MLModel(path, skip_model_load=True)
    configs = [cto.OptimizationConfig.from_yaml(yaml)] if yaml else [cto.OptimizationConfig(global_config=p) for p in passes]
    begin = time.process_time()
    for i, config in enumerate(configs):
        kind = type(config.global_config)
        run = {PAL: cto.palettize_weights, LIN: cto.linear_quantize_weights}.get(kind, cto.prune_weights)
        model = run(model, config, **({"joint_compression": True} if i else {}))
    return model, time.process_time() - begin


def peer_process(pipe, path, passes, yaml, original):
    try:
        model, seconds = peer(path, passes, yaml)
        theirs = weights_of(model)
        pipe.send((seconds, snr(original, theirs), theirs))
    except Exception as error:  # a setting that coremltools refuses or fails at
        pipe.send((None, f"{type(error).__name__}: {error}"[:80], None))


def limited_peer(limit, *arguments):
    here, there = multiprocessing.Pipe(False)
    process = multiprocessing.get_context("fork").Process(target=peer_process, args=(there, *arguments))
    process.start()
    result = here.recv() if here.poll(limit) else (None, f"over {limit:g} s", None)
    process.kill()
    process.join()
    return result


def raise_opset(path, out):
    """coremltools wants the opset first for what iOS 18 brought."""
    spec = ct.models.utils.load_spec(path)
    spec.specificationVersion = 9
    for function in spec.mlProgram.functions.values():
        block = list(function.block_specializations.values())[0]
        copy = type(block)()
        copy.CopyFrom(block)
        for key in list(function.block_specializations):
            del function.block_specializations[key]
        function.opset = "CoreML8"
        function.block_specializations["CoreML8"].CopyFrom(copy)
    weights = os.path.join(path, "Data/com.apple.CoreML/weights")
    ct.models.MLModel(spec, weights_dir=weights, skip_model_load=True).save(out)


def two_names(path):
    """Names of the two largest weights, for settings by name."""
    model = ct.models.MLModel(path, skip_model_load=True)
    program = utils._convert_model_spec_to_pymil_prog(model, model.get_spec().specificationVersion, milproto.load)
    consts = [op for f in program.functions.values() for op in f.operations
              if op.op_type == "const" and isinstance(op.val.val, np.ndarray) and op.val.val.ndim >= 2 and op.outputs[0].child_ops]
    return tuple(op.name for op in sorted(consts, key=lambda op: -op.val.val.size)[:2])


def ours(options, source, out, arguments):
    """The best seconds of compressing, the best processor seconds of the whole command, and the most memory of `rounds` runs."""
    own, whole, peak = float("inf"), float("inf"), 0
    command = [options.mlscope, "compress", source, "-o", out, "--force", "--target", "iOS18",
               "--threads", str(options.threads), *arguments.split()]
    for _ in range(options.rounds):
        process = subprocess.run(["/usr/bin/time", "-f", "%M %U %S", *command, "--quiet"], capture_output=True)
        if process.returncode:
            raise RuntimeError(process.stderr.decode().strip())
        kib, user, system = process.stderr.split()[-3:]
        peak, whole = max(peak, int(kib)), min(whole, max(float(user) + float(system), 0.01))  # hundredths
        report = subprocess.run([*command, "--json"], capture_output=True, check=True)  # --json also hashes the model
        own = min(own, json.loads(report.stdout)["seconds"])
    return own, whole, peak


def by_us(options, source, out, *arguments):
    subprocess.run([options.mlscope, "compress", source, "-o", out, "--force", "--quiet", *arguments], check=True)
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=float, default=600)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("mlscope")
    parser.add_argument("model")
    parser.add_argument("settings", nargs="*")
    options = parser.parse_args()
    check_lut_to_dense()
    compression.constexpr_lut_to_dense.materialized_val_inference = materialize_lut
    optimize_utils.lut_to_dense = lut_to_dense
    original = weights_of(options.model)
    model_mib = sum(w.nbytes for w in original.values()) / 2**20
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        raised, out = os.path.join(folder, "raised.mlpackage"), os.path.join(folder, "ours.mlpackage")
        raise_opset(options.model, raised)
        print(f"{'setting':15} {'ours dB':>9} {'theirs':>9} {'same':>5} {'reads':>5} {'own s':>7} {'whole':>7} {'theirs':>8} "
              f"{'own x':>6} {'whole':>6} {'MiB':>5} {'/model':>6}")
        for name in options.settings or list(SETTINGS):
            arguments, passes, exact = SETTINGS[name]
            yaml = None
            if name in YAML:
                yaml = os.path.join(folder, "config.yaml")
                text = YAML[name]
                with open(yaml, "w") as file:
                    file.write(text % two_names(raised) if "%" in text else text)
                arguments = "--config " + yaml
            source, before = raised, original
            if name.startswith("unique"):  # needs weights of few values
                source = by_us(options, raised, os.path.join(folder, "few.mlpackage"), "--palettize", "4")
                source = by_us(options, source, os.path.join(folder, "plain.mlpackage"), "--decompress")
                before = weights_of(source)
            try:
                own, whole, peak_kib = ours(options, source, out, arguments)
            except RuntimeError as error:
                print(f"{name:15} {error}")
                failed += 1
                continue
            mine = weights_of(out)
            written = ct.models.MLModel(out, skip_model_load=True)
            cto.get_weights_metadata(written, weight_threshold=2048)
            reads = equal(mine, weights_of(by_us(options, out, os.path.join(folder, "dense.mlpackage"), "--decompress")))
            their_seconds, their_snr, theirs = limited_peer(options.limit, source, passes, yaml, before)
            our_snr = snr(before, mine)
            line = f"{name:15} {our_snr:9.3f} "
            if their_seconds is None:
                line += f"{their_snr:>24} {'yes' if reads else 'NO':>5} {own:7.3f} {whole:7.3f}"
                good = reads
            else:
                same = equal(mine, theirs)
                good = our_snr >= their_snr - 0.01 and (same or not exact) and reads
                line += (f"{their_snr:9.3f} {'yes' if same else 'no':>5} {'yes' if reads else 'NO':>5} {own:7.3f} {whole:7.3f} "
                         f"{their_seconds:8.2f} {their_seconds / own:6.1f} {their_seconds / whole:6.1f}")
            failed += not good
            print(f"{line} {peak_kib / 1024:5.0f} {peak_kib / 1024 / model_mib:6.2f} {'' if good else 'WORSE'}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
