#!/usr/bin/env python3
"""Compares mlscope compress with coremltools.optimize.coreml on the same model and settings: SNR of the weights, whether they
are the same bit for bit, whether coremltools reads what mlscope wrote, and time.

usage: compress_peer.py MLSCOPE MODEL.mlpackage [SETTING ...]"""
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings

warnings.filterwarnings("ignore")
import coremltools as ct
import coremltools.optimize.coreml as cto
import numpy as np
from coremltools.models import utils
from coremltools.converters.mil.frontend.milproto import load as milproto

PAL, LIN, MAG, THR = (cto.OpPalettizerConfig, cto.OpLinearQuantizerConfig, cto.OpMagnitudePrunerConfig,
                      cto.OpThresholdPrunerConfig)
# name: (arguments of mlscope, coremltools' passes, what is to be the same bit for bit)
SETTINGS = {
    "pal4": ("--palettize 4", [PAL(nbits=4)], False),
    "pal6": ("--palettize 6", [PAL(nbits=6)], False),
    "pal2": ("--palettize 2", [PAL(nbits=2)], False),
    "pal1": ("--palettize 1", [PAL(nbits=1)], False),
    "pal3": ("--palettize 3 --target iOS18", [PAL(nbits=3)], False),
    "pal8": ("--palettize 8", [PAL(nbits=8)], False),
    "pal4g16": ("--palettize 4 --group-size 16", [PAL(nbits=4, granularity="per_grouped_channel", group_size=16)], False),
    "pal4uniform": ("--palettize 4 --mode uniform", [PAL(nbits=4, mode="uniform")], False),
    "pal4scale": ("--palettize 4 --per-channel-scale", [PAL(nbits=4, enable_per_channel_scale=True)], False),
    "pal4vector2": ("--palettize 4 --cluster-dim 2", [PAL(nbits=4, cluster_dim=2)], False),
    "int8": ("--quantize int8", [LIN()], True),
    "int8linear": ("--quantize int8 --mode linear", [LIN(mode="linear")], True),
    "uint8": ("--quantize uint8", [LIN(dtype="uint8")], True),
    "uint8linear": ("--quantize uint8 --mode linear --granularity per_tensor",
                    [LIN(dtype="uint8", mode="linear", granularity="per_tensor")], True),
    "int4b32": ("--quantize int4 --block-size 32", [LIN(dtype="int4", granularity="per_block", block_size=32)], True),
    "uint4b64": ("--quantize uint4 --mode linear --block-size 64",
                 [LIN(dtype="uint4", mode="linear", granularity="per_block", block_size=64)], True),
    "prune50": ("--prune 0.5", [MAG(target_sparsity=0.5)], True),
    "prune75": ("--prune 0.75", [MAG(target_sparsity=0.75)], True),
    "prune60b4": ("--prune 0.6 --block-size 4", [MAG(target_sparsity=0.6, block_size=4)], True),
    "prune2of4": ("--prune 2:4", [MAG(n_m_ratio=(2, 4))], True),
    "threshold": ("--prune-threshold 0.02", [THR(threshold=0.02)], True),
    "prune50pal4": ("--prune 0.5 --palettize 4", [MAG(target_sparsity=0.5), PAL(nbits=4)], False),
    "prune50int8": ("--prune 0.5 --quantize int8", [MAG(target_sparsity=0.5), LIN()], True),
    "pal4int8lut": ("--palettize 4 --quantize int8 --granularity per_tensor",
                    [PAL(nbits=4), LIN(granularity="per_tensor")], False),
    "int8pal4": ("--quantize int8 --palettize 4", [LIN(), PAL(nbits=4)], False),
}


def weights_of(path, minimum=2048):
    """Dense weights by name, as coremltools sees them after decompression."""
    model = ct.models.MLModel(path, skip_model_load=True)
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


def peer(path, passes, opset18):
    model = ct.models.MLModel(path, skip_model_load=True)
    begin = time.monotonic()
    for i, config in enumerate(passes):
        run = {PAL: cto.palettize_weights, LIN: cto.linear_quantize_weights}.get(type(config), cto.prune_weights)
        model = run(model, cto.OptimizationConfig(global_config=config), **({"joint_compression": True} if i else {}))
    return model, time.monotonic() - begin


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


def main():
    mlscope, source = sys.argv[1:3]
    names = sys.argv[3:] or list(SETTINGS)
    original = weights_of(source)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        raised = os.path.join(folder, "raised.mlpackage")
        raise_opset(source, raised)
        print(f"{'setting':12} {'ours dB':>9} {'theirs':>9} {'same':>5} {'ours s':>8} {'theirs':>8} {'ratio':>6} {'wall s':>7} {'MiB':>6}")
        for name in names:
            arguments, passes, exact = SETTINGS[name]
            out, theirs_out = os.path.join(folder, "ours.mlpackage"), os.path.join(folder, "theirs.mlpackage")
            begin = time.monotonic()
            process = subprocess.run(["/usr/bin/time", "-f", "%M", mlscope, "compress", source, "-o", out, "--force", "--json",
                                      *arguments.split()], capture_output=True, check=True)
            wall = time.monotonic() - begin
            report, peak_kib = json.loads(process.stdout), int(process.stderr.split()[-1])
            seconds = report["seconds"]  # as theirs: without loading and saving
            model, their_seconds = peer(raised, passes, True)
            model.save(theirs_out)
            ours, theirs = weights_of(out), weights_of(theirs_out)
            cto.get_weights_metadata(ct.models.MLModel(out, skip_model_load=True))
            our_snr, their_snr = snr(original, ours), snr(original, theirs)
            same = all(np.array_equal(w, theirs[n]) for n, w in ours.items())
            good = our_snr >= their_snr - 0.01 and (same or not exact)
            failed += not good
            print(f"{name:12} {our_snr:9.3f} {their_snr:9.3f} {'yes' if same else 'no':>5} {seconds:8.3f} {their_seconds:8.2f} "
                  f"{their_seconds / seconds:6.1f} {wall:7.3f} {peak_kib / 1024:6.0f} {'' if good else 'WORSE'}", flush=True)
    return failed


sys.exit(main())
