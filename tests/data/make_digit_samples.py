#!/usr/bin/env python3
"""Made digits_calibration.npz and digits_labelled.npz: held-out images of the demo model (tests/demo) as samples of many
predictions, the first without labels, the second, of other images, with them.

usage: make_digit_samples.py   (in the root of the repository; needs numpy and Pillow)"""
import csv

import numpy as np
from PIL import Image

rows = list(csv.DictReader(open("tests/demo/digits/labels.csv")))
images = np.stack([np.asarray(Image.open("tests/demo/digits/" + row["file"]))[..., None] for row in rows])
labels = np.array([int(row["label"]) for row in rows], np.int64)
np.savez_compressed("tests/data/digits_calibration.npz", image=images[:60])
np.savez_compressed("tests/data/digits_labelled.npz", image=images[60:160], labels=labels[60:160])
