#!/usr/bin/env python3
"""Trains the demo model and writes digits.mlpackage and the held-out images (digits/NNN.png, digits/labels.csv).

A classifier of hand-written digits (scikit-learn's digits set: 1,797 images of 8x8, from the UCI repository, CC BY 4.0):
convolutions, depthwise convolutions and attention, about 150,000 parameters, an fp16 ML Program with an image input.
Every fifth image is held out. Reproducible: fixed seeds, one thread.

    python train.py        needs torch, coremltools, scikit-learn, pillow
"""
import csv
import pathlib
import shutil

import coremltools as ct
import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
PIXEL = 15  # the set counts ink from 0 to 16; a pixel of the images is 15 times that


class Separable(nn.Module):
    """Depthwise then pointwise convolution, with a residual where the shape stays."""

    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(n_in, n_in, 3, stride, 1, groups=n_in, bias=False)
        self.norm_1 = nn.BatchNorm2d(n_in)
        self.pointwise = nn.Conv2d(n_in, n_out, 1, bias=False)
        self.norm_2 = nn.BatchNorm2d(n_out)
        self.residual = stride == 1 and n_in == n_out

    def forward(self, x):
        y = torch.relu(self.norm_1(self.depthwise(x)))
        y = torch.nn.functional.silu(self.norm_2(self.pointwise(y)))
        return x + y if self.residual else y


class Attention(nn.Module):
    """A transformer block with normalisation in front."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def split(self, x):
        n, tokens, width = x.shape
        return x.reshape(n, tokens, self.heads, width // self.heads).transpose(1, 2)

    def forward(self, x):
        y = self.norm_1(x)
        q, k, v = self.split(self.query(y)), self.split(self.key(y)), self.split(self.value(y))
        weights = torch.softmax(q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5), -1)
        y = (weights @ v).transpose(1, 2).reshape(x.shape)
        x = x + self.out(y)
        return x + self.down(torch.nn.functional.gelu(self.up(self.norm_2(x))))


class Digits(nn.Module):
    def __init__(self, width=64, blocks=4):
        super().__init__()
        self.stem = nn.Conv2d(1, 32, 3, 1, 1)
        self.stem_norm = nn.BatchNorm2d(32)
        self.stages = nn.Sequential(Separable(32, width, 2), Separable(width, width, 1), Separable(width, width, 1))
        self.position = nn.Parameter(torch.zeros(1, 64, width))
        self.blocks = nn.Sequential(*(Attention(width, 4) for _ in range(blocks)))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, 10)

    def logits(self, x):
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        x = torch.relu(self.stem_norm(self.stem(x)))
        x = self.stages(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.norm(self.blocks(x)).mean(1))

    def forward(self, x):
        return torch.softmax(self.logits(x), -1)


def batches(x, y, rng):
    for index in np.array_split(rng.permutation(len(x)), len(x) // 64):
        shift = rng.integers(-1, 2, 2)
        yield torch.roll(x[index], tuple(int(s) for s in shift), (2, 3)), y[index]


def train(x, y, epochs=60):
    torch.manual_seed(7)
    rng = np.random.default_rng(7)
    model = Digits()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=0.05)
    steps = epochs * (len(x) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for epoch in range(epochs):
        model.train()
        for images, labels in batches(x, y, rng):
            loss = nn.functional.cross_entropy(model.logits(images), labels, label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def export(model):
    traced = torch.jit.trace(model, torch.zeros(1, 1, 8, 8))
    package = ct.convert(
        traced,
        inputs=[ct.ImageType("image", (1, 1, 8, 8), scale=1 / (16 * PIXEL), color_layout=ct.colorlayout.GRAYSCALE)],
        classifier_config=ct.ClassifierConfig([str(i) for i in range(10)]),
        compute_precision=ct.precision.FLOAT16,
        minimum_deployment_target=ct.target.iOS16,
    )
    package.author = "mlscope"
    package.license = "MIT"
    package.version = "1"
    package.short_description = "Demo: recognises hand-written digits of 8x8 pixels"
    path = HERE / "digits.mlpackage"
    shutil.rmtree(path, ignore_errors=True)
    package.save(str(path))


def main():
    torch.set_num_threads(1)
    digits = load_digits()
    images = (digits.images * PIXEL).astype(np.uint8)
    held_out = np.arange(len(images)) % 5 == 0
    x = torch.tensor(images[:, None] / (16.0 * PIXEL), dtype=torch.float32)
    y = torch.tensor(digits.target)
    model = train(x[~held_out], y[~held_out])
    with torch.no_grad():
        right = (model(x[held_out]).argmax(1) == y[held_out]).sum().item()
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {right} of {held_out.sum()} held-out images right")
    export(model)
    folder = HERE / "digits"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with open(folder / "labels.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "label"])
        for i in np.flatnonzero(held_out):
            Image.fromarray(images[i]).save(folder / f"{i:04}.png", optimize=True)
            writer.writerow([f"{i:04}.png", int(digits.target[i])])


if __name__ == "__main__":
    main()
