#!/usr/bin/env python3
"""How cost grows: small networks made with coremltools, one of their sizes swept from 1 to 16 times, profiled by mlscope.

    python growth.py MLSCOPE [--threads N] [--runs N] > tests/bench/growth.md      needs coremltools and numpy

For each size: the best prediction of all runs, its time for each floating-point operation against that of the whole sweep's median,
and the arena for each element of the largest activation, likewise. 1.00 everywhere is growth in proportion.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

FACTORS = (1, 2, 4, 8, 16)
FP16 = np.float16


def weight(*shape):
    fan_in = int(np.prod(shape[1:]))
    return (np.random.default_rng(0).standard_normal(shape) / np.sqrt(fan_in)).astype(FP16)


def convolutions(batch=1, side=32, depth=4, channels=32):
    def body(x):
        for i in range(depth):
            y = mb.relu(x=mb.conv(x=x, weight=weight(channels, channels, 3, 3), pad_type="same"))
            x = mb.add(x=mb.conv(x=y, weight=weight(channels, channels, 1, 1) / FP16(8)), y=x)  # finite at any depth
        return x
    return (batch, channels, side, side), body, batch * channels * side * side


def attention(batch=1, length=64, depth=2, width=128, heads=4):
    def body(x):
        for i in range(depth):
            n = mb.layer_norm(x=x, axes=[-1], gamma=np.ones(width, FP16), beta=np.zeros(width, FP16))
            parts = [mb.transpose(x=mb.reshape(x=mb.linear(x=n, weight=weight(width, width)),
                                               shape=(batch, length, heads, width // heads)), perm=(0, 2, 1, 3)) for _ in range(3)]
            scores = mb.mul(x=mb.matmul(x=parts[0], y=parts[1], transpose_y=True), y=FP16((width // heads) ** -0.5))
            mixed = mb.matmul(x=mb.softmax(x=scores, axis=-1), y=parts[2])
            joined = mb.reshape(x=mb.transpose(x=mixed, perm=(0, 2, 1, 3)), shape=(batch, length, width))
            x = mb.add(x=x, y=mb.linear(x=joined, weight=weight(width, width)))
            hidden = mb.gelu(x=mb.linear(x=x, weight=weight(4 * width, width)), mode="EXACT")
            x = mb.add(x=x, y=mb.linear(x=hidden, weight=weight(width, 4 * width)))
        return x
    return (batch, length, width), body, batch * length * 4 * width


def recurrence(batch=1, length=32, depth=1, width=128):
    def body(x):
        for i in range(depth):
            zeros = np.zeros((batch, width), FP16)
            x = mb.lstm(x=x, initial_h=zeros, initial_c=zeros, weight_ih=weight(4 * width, width), weight_hh=weight(4 * width, width),
                        output_sequence=True)[0]
        return x
    return (length, batch, width), body, length * batch * width


# what grows, the network, its parameter, the parameter's first value; areas grow with the square of the side
SWEEPS = (("resolution (area)", "convolutions", "side", [32, 45, 64, 90, 128]),
          ("batch", "convolutions", "batch", [1, 2, 4, 8, 16]),
          ("depth", "convolutions", "depth", [2, 4, 8, 16, 32]),
          ("sequence length", "attention", "length", [64, 128, 256, 512, 1024]),
          ("batch", "attention", "batch", [1, 2, 4, 8, 16]),
          ("depth", "attention", "depth", [1, 2, 4, 8, 16]),
          ("sequence length", "recurrence", "length", [32, 64, 128, 256, 512]),
          ("batch", "recurrence", "batch", [1, 2, 4, 8, 16]))
NETWORKS = {"convolutions": convolutions, "attention": attention, "recurrence": recurrence}


def save(make, parameters, package):
    """Writes the network; the elements of its largest activation."""
    shape, body, activation = make(**parameters)

    @mb.program(input_specs=[mb.TensorSpec(shape, dtype=types.fp16)], opset_version=ct.target.iOS17)
    def program(x):
        return mb.identity(x=body(x), name="y")

    ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS17,
               pass_pipeline=ct.PassPipeline.EMPTY, skip_model_load=True).save(str(package))
    return activation


def profile(mlscope, package, threads, runs):
    out = subprocess.run([mlscope, "profile", package, "--json", "--threads", str(threads), "--runs", str(runs), "--warmup", "2"],
                         check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("mlscope")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--runs", type=int, default=10, help="in each round")
    arguments.add_argument("--rounds", type=int, default=5, help="over all networks, so that a disturbance meets one of them once")
    given = arguments.parse_args()
    points = [(sweep, value) for sweep in SWEEPS for value in sweep[3]]
    with tempfile.TemporaryDirectory() as folder:
        packages = [pathlib.Path(folder) / f"{i}.mlpackage" for i in range(len(points))]
        activations = [save(NETWORKS[name], {parameter: value}, package)
                       for ((_, name, parameter, _), value), package in zip(points, packages)]
        found = [[profile(given.mlscope, package, given.threads, given.runs) for package in packages] for _ in range(given.rounds)]
    lines, environment = [], found[0][0]["environment"]
    for sweep in SWEEPS:
        what, name, _, values = sweep
        rows = []
        for i, (of, value) in enumerate(points):
            if of is sweep:
                ns = min(profiles[i]["predict"]["min_ns"] for profiles in found)
                flops = sum(op["flops"] for op in found[0][i]["ops"])
                rows.append((value, ns, ns / flops, found[0][i]["memory"]["arena_bytes"] / activations[i]))
        per_flop, per_element = (statistics.median(row[i] for row in rows) for i in (2, 3))
        for factor, (value, ns, time, memory) in zip(FACTORS, rows):
            lines.append(f"| {name} | {what} | x{factor} | {value} | {ns / 1e6:.3f} | {time * 1e3:.2f} | {time / per_flop:.2f} | "
                         f"{memory / per_element:.2f} |")
    print("# How cost grows\n\nMade by `tests/bench/growth.py`; fp16 programs, "
          f"{given.threads} thread{'s' if given.threads > 1 else ''}, {environment.get('cpu')}, {environment.get('isa')}.\n"
          "Time per operation and arena per element of the largest activation are relative to the sweep's median: 1.00 is growth in\n"
          "proportion.\n\n| network | what grows | by | to | ms | ps per flop | time, relative | memory, relative |\n"
          "| --- | --- | --: | --: | --: | --: | --: | --: |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
