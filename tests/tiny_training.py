"""A training of seconds: three classes of small pictures, a tiny network, and ways to stop it."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.network import Network
from mobilevision.train.recipes import quick

TINY = Arch("tiny", ((Conv(8, 2),), (Inverted(8, expand=2), Inverted(16, 2, expand=2))), Classifier(), size=16)
RECIPE = replace(
    quick, epochs=3, least_steps=0, batch=8, size=16, lr=0.01, dropout=0.1, drop_path=0.1, erase=0.2, flip=0.5
)


def draw_colors(folder: Path) -> Path:
    """Three classes of noisy 20-pixel pictures that differ in color."""
    generator = torch.Generator().manual_seed(1)
    for channel, name in enumerate(("blue", "green", "red")):
        (folder / name).mkdir()
        for i in range(14):
            pixels = torch.randint(0, 128, (20, 20, 3), dtype=torch.uint8, generator=generator)
            pixels[..., 2 - channel] += 90
            Image.fromarray(pixels.numpy()).save(folder / name / f"{i}.png")
    return folder


def draw_hues(folder: Path, names: Iterable[str], *, side: int) -> Path:
    """Classes of six noisy pictures that differ in color, one for each of `names`."""
    generator = np.random.default_rng(1)
    for name in names:
        color = generator.integers(0, 190, 3)
        (folder / name).mkdir()
        for i in range(6):
            pixels = (color + generator.integers(0, 64, (side, side, 3))).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


def fresh() -> Network:
    """A new network, always the same."""
    torch.manual_seed(0)
    return Network(TINY, 3)


class Stopped(Network):
    """A network whose training is interrupted at a step."""

    left = 0

    def forward(self, x: Tensor) -> Tensor:
        self.left -= self.training
        if self.left < 0:
            raise KeyboardInterrupt
        return super().forward(x)


def stopped_after(steps: int) -> Network:
    torch.manual_seed(0)
    network = Stopped(TINY, 3)
    network.left = steps
    return network


def same(one: Path, other: Path) -> bool:
    a, b = load_file(one), load_file(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
