#!/usr/bin/env python3
"""What a product of one row costs for each weight, by the form in which the weights lie (core/kernels/matvec): the numbers of
`costs` there. Picoseconds on one thread, the least of all runs, for products whose weights do not fit the caches.

usage: panel_costs.py MLSCOPE MODEL.mlpackage [CPU ...]     (a decoder that makes one token; generic, avx2, avx512, ...)"""
import json
import subprocess
import sys
import tempfile

SETTINGS = ["", "--quantize int8", "--quantize int4", "--palettize 1", "--palettize 2", "--palettize 3", "--palettize 4",
            "--palettize 6", "--palettize 8", "--prune 0.5"]
LEAST_WEIGHTS = 1 << 20


def main():
    mlscope, model, *cpus = sys.argv[1:]
    costs = {}
    with tempfile.TemporaryDirectory() as folder:
        for setting in SETTINGS:
            package = model
            if setting:
                package = folder + "/form.mlpackage"
                subprocess.run([mlscope, "compress", model, "-o", package, "--force", "--quiet", *setting.split()], check=True)
            for cpu in cpus or ["native"]:
                command = [mlscope, "profile", package, "--threads", "1", "--weights", "compressed", "--max-seconds", "1", "--json"]
                report = json.loads(subprocess.run(command + (["--cpu", cpu] if cpus else []), capture_output=True, check=True).stdout)
                weights, time_ns = {}, {}
                for op in report["ops"]:
                    kernel = op["kernel"] or ""
                    if kernel.startswith("matvec_") and op["flops"] >= 2 * LEAST_WEIGHTS:
                        weights[kernel] = weights.get(kernel, 0) + op["flops"] / 2
                        time_ns[kernel] = time_ns.get(kernel, 0) + op["min_ns"]
                for kernel, n in weights.items():
                    costs[kernel] = min(costs.get(kernel, 1e9), 1000 * time_ns[kernel] / n)
    for kernel in sorted(costs, key=lambda k: (k.split("__")[1], k)):
        print(f"{kernel:32} {costs[kernel]:8.0f}")


if __name__ == "__main__":
    main()
