"""A teacher that needs no training, pictures for it, and a student."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import tiny_training
from mobilevision.compress.teacher import Teacher
from mobilevision.data import Preprocessing, read_data
from mobilevision.data.dataset import Data
from mobilevision.network import Network
from mobilevision.train.recipes import quick

SEEN = Preprocessing((32, 32))
CLASSES = ("dark", "light")
TINY = replace(tiny_training.TINY, size=32)
RECIPE = replace(quick, epochs=2, least_steps=0, batch=8, size=32, lr=0.01)


class Brightness(nn.Module):
    """A teacher that needs no training: light pictures are of class 1."""

    def __init__(self, swapped: bool = False) -> None:
        super().__init__()
        self.swapped, self.asked = swapped, 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.asked += len(pictures)
        light = pictures.mean((1, 2, 3))
        scores = torch.stack([-light, light], 1)
        return scores.flip(1) if self.swapped else scores


def brightness() -> Teacher:
    return Teacher("brightness", Brightness(), CLASSES, SEEN)


def draw_tones(folder: Path) -> Data:
    """Twelve dark pictures and twelve light ones, in `folder`/pictures."""
    generator = np.random.default_rng(0)
    for number in range(24):
        place = folder / "pictures" / CLASSES[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 100, (36, 44, 3), dtype=np.uint8) + np.uint8(150 * (number % 2))
        Image.fromarray(pixels).save(place / f"{number}.png")
    return read_data(folder / "pictures")


def student(outputs: int = 2) -> Network:
    torch.manual_seed(0)
    return Network(TINY, outputs)
