#!/usr/bin/env python3
"""Writes chain.mlpackage: 100 operations of about 10 microseconds each, to measure what hooks cost.

    python make_chain.py OUT.mlpackage        needs coremltools and numpy
"""
import sys

import coremltools as ct
from coremltools.converters.mil import Builder as mb


@mb.program(input_specs=[mb.TensorSpec((1, 64, 56, 56))], opset_version=ct.target.iOS16)
def chain(x):
    for i in range(50):
        x = mb.mul(x=x, y=0.999)
        x = mb.add(x=x, y=0.001)
    return x


ct.convert(chain, convert_to="mlprogram", minimum_deployment_target=ct.target.iOS16,
           compute_precision=ct.precision.FLOAT32, pass_pipeline=ct.PassPipeline.EMPTY).save(sys.argv[1])
