#!/usr/bin/env python3
"""nms_pipelines.py: detectors that end in non-maximum suppression, whole, against NumPy. Not a test of ctest: it needs coremltools.

    python tests/parity/nms_pipelines.py --mlscope build/release/mlscope --shared ../shared [PART_OF_A_PATH]

Each pipeline of an ML Program and a suppression in the shared models gets random weights. Its first model runs alone, NumPy
suppresses what it gives, and the pipeline has to keep the same boxes in the same order. One line a package; exit 1 when one differs.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy
from coremltools.proto import Model_pb2


SPEC = "Data/com.apple.CoreML/model.mlmodel"


def read_model(path):
    model = Model_pb2.Model()
    model.ParseFromString(path.read_bytes())
    return model


def find_pipelines(shared, part):
    for path in sorted(shared.glob("models/**/*.mlpackage/Data/com.apple.CoreML/model.mlmodel")):
        if part not in str(path) or path.stat().st_size > 1 << 24:
            continue
        model = read_model(path)
        if model.WhichOneof("Type") == "pipeline":
            kinds = [stage.WhichOneof("Type") for stage in model.pipeline.models]
            if kinds == ["mlProgram", "nonMaximumSuppression"]:
                yield path.parents[2]


def predict(mlscope, package, out):
    subprocess.run([mlscope, "run", package, "--random-seed", "1", "--quiet", "--output-dir", out], check=True)
    entries = json.loads((out / "outputs.json").read_text())["outputs"]
    return {entry["name"]: numpy.load(out / entry["file"]) for entry in entries}


def iou(box, others):
    """Of boxes as centre, width and height."""
    low = numpy.maximum(box[:2] - box[2:] / 2, others[:, :2] - others[:, 2:] / 2)
    high = numpy.minimum(box[:2] + box[2:] / 2, others[:, :2] + others[:, 2:] / 2)
    both = numpy.prod(numpy.maximum(high - low, 0), axis=1)
    either = box[2] * box[3] + others[:, 2] * others[:, 3] - both
    return numpy.where(either > 0, both / numpy.where(either > 0, either, 1), 0)


def suppress(confidence, coordinates, least, most_overlap, per_class):
    confidence, coordinates = confidence.astype(numpy.float64), coordinates.astype(numpy.float64)
    best, label = confidence.max(axis=1), confidence.argmax(axis=1)
    order = [i for i in numpy.argsort(-best, kind="stable") if best[i] > least]
    kept = []
    for i in order:
        rivals = [k for k in kept if not per_class or label[k] == label[i]]
        if not rivals or (iou(coordinates[i], coordinates[rivals]) <= most_overlap).all():
            kept.append(i)
    return kept


def check(arguments, package, work):
    whole, bare, first = work / "whole.mlpackage", work / "bare.mlpackage", work / "first.mlpackage"
    pipeline = read_model(package / SPEC)
    (bare / SPEC).parent.mkdir(parents=True)
    shutil.copy(package / "Manifest.json", bare)
    (bare / SPEC).write_bytes(pipeline.pipeline.models[0].SerializeToString())
    subprocess.run([sys.executable, arguments.shared / "tools/synth_weights.py", bare, first], check=True, capture_output=True)
    shutil.copytree(first, whole)
    shutil.copy(package / SPEC, whole / SPEC)
    stage = pipeline.pipeline.models[1].nonMaximumSuppression
    raw = predict(arguments.mlscope, first, work / "raw")
    found = predict(arguments.mlscope, whole, work / "found")
    confidence = raw[stage.confidenceInputFeatureName].reshape(-1, raw[stage.confidenceInputFeatureName].shape[-1])
    coordinates = raw[stage.coordinatesInputFeatureName].reshape(-1, 4)
    kept = suppress(confidence, coordinates, stage.confidenceThreshold, stage.iouThreshold, stage.pickTop.perClass)
    got = found[stage.confidenceOutputFeatureName], found[stage.coordinatesOutputFeatureName]
    same = len(got[0]) == len(kept) and numpy.array_equal(got[0], confidence[kept]) and numpy.array_equal(got[1], coordinates[kept])
    print(f"{package.relative_to(arguments.shared)}: {len(confidence)} boxes, NumPy keeps {len(kept)}, mlscope {len(got[0])}:",
          "the same" if same else "DIFFERENT", flush=True)
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mlscope", required=True)
    parser.add_argument("--shared", type=pathlib.Path, required=True)
    parser.add_argument("part", nargs="?", default="")
    arguments = parser.parse_args()
    n = n_same = 0
    for package in find_pipelines(arguments.shared, arguments.part):
        with tempfile.TemporaryDirectory() as work:
            n += 1
            n_same += check(arguments, package, pathlib.Path(work))
    print(f"{n_same} of {n} the same")
    return n_same != n


sys.exit(main())
