#!/usr/bin/env python3
"""Makes two_functions.mlpackage with coremltools: two functions that share a weight, one with a weight of its own, and metadata."""
import shutil
import tempfile
from pathlib import Path

import coremltools as ct
import numpy as np
from coremltools.converters.mil import Builder as mb
from coremltools.converters.mil.mil import types

random = np.random.default_rng(1)
SHARED = (random.standard_normal((48, 64)) / 8).astype(np.float16)
OWN = (random.standard_normal((56, 48)) / 8).astype(np.float16)


def save(path, with_own):
    @mb.program(input_specs=[mb.TensorSpec((2, 64), dtype=types.fp16)], opset_version=ct.target.iOS18)
    def program(x):
        y = mb.linear(x=x, weight=SHARED, name="shared")
        return mb.linear(x=y, weight=OWN, name="own") if with_own else mb.relu(x=y, name="clipped")

    model = ct.convert(program, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS18,
                       compute_precision=ct.precision.FLOAT32)
    model.save(str(path))


def main():
    target = Path(__file__).parent / "two_functions.mlpackage"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        save(folder / "one.mlpackage", False)
        save(folder / "two.mlpackage", True)
        functions = ct.utils.MultiFunctionDescriptor()
        functions.add_function(str(folder / "one.mlpackage"), "main", "clipped")
        functions.add_function(str(folder / "two.mlpackage"), "main", "projected")
        functions.default_function_name = "clipped"
        ct.utils.save_multifunction(functions, str(folder / "both.mlpackage"))
        model = ct.models.MLModel(str(folder / "both.mlpackage"), skip_model_load=True)
        model.author, model.short_description, model.version = "Ada", "two functions", "1.2"
        model.user_defined_metadata["purpose"] = "tests of compression"
        model.save(str(target))


if __name__ == "__main__":
    main()
