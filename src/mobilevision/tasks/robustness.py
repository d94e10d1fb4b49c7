"""How much of a classifier's accuracy is left on pictures that are blurred, noisy, compressed or turned."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError
from mobilevision.tasks.base import Predict
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.figures import wilson

STRENGTHS = ("mild", "medium", "strong")
SIDE = 224  # pixels of the side that a blur's width is told for
BATCH = 16  # pictures, each in all its forms


class Damage(NamedTuple):
    """A way to spoil a picture.

    Attributes:
        name: what it is called.
        unit: what its levels count.
        levels: one for each of `STRENGTHS`.
        spoil: from bytes, shape (channels, H, W), and a level to bytes; draws from torch's generator.
    """

    name: str
    unit: str
    levels: tuple[float, ...]
    spoil: Callable[[Tensor, float], Tensor]


def blurred(pixels: Tensor, level: float) -> Tensor:
    """A Gaussian blur of so many pixels' deviation, for a short side of 224 pixels."""
    sigma = level * min(pixels.shape[-2:]) / SIDE
    width = 2 * math.ceil(3 * sigma) + 1
    soft: Tensor = F.gaussian_blur(pixels, [width, width], [sigma, sigma])
    return soft


def noisy(pixels: Tensor, level: float) -> Tensor:
    """Gaussian noise of a deviation that is told as a share of white."""
    noise = F.gaussian_noise(F.to_dtype(pixels, torch.float32, scale=True), sigma=level)
    bytes_: Tensor = F.to_dtype(noise, torch.uint8, scale=True)
    return bytes_


def compressed(pixels: Tensor, level: float) -> Tensor:
    """JPEG of a quality from 1 to 100."""
    squeezed: Tensor = F.jpeg(pixels, int(level))
    return squeezed


def turned(pixels: Tensor, level: float) -> Tensor:
    """A turn by so many degrees to a side that is drawn; the corners take the picture's mean color."""
    side = 1 if torch.rand(()) < 0.5 else -1
    fill = pixels.float().mean((1, 2)).tolist()
    turn: Tensor = F.rotate(pixels, side * level, interpolation=InterpolationMode.BILINEAR, fill=fill)
    return turn


DAMAGES = (  # name, unit, mild, medium and strong
    Damage("blur", "pixels of 224", (1, 2, 4), blurred),
    Damage("noise", "share of white", (0.04, 0.08, 0.16), noisy),
    Damage("JPEG", "quality", (50, 20, 8), compressed),
    Damage("rotation", "degrees", (10, 20, 40), turned),
)
FORMS = tuple((damage, level) for damage, level in product(DAMAGES, range(len(STRENGTHS))))


@dataclass(frozen=True)
class Spoiled:
    """A transform: the part of a picture that the network sees, as it is and in every form of damage, as bytes."""

    preprocessing: Preprocessing

    def __call__(self, image: Image.Image) -> Tensor:
        """Shape: (1 + forms, channels, height, width)."""
        pixels = F.pil_to_tensor(self.preprocessing.framed(image))
        return torch.stack([pixels, *(damage.spoil(pixels, damage.levels[i]) for damage, i in FORMS)])


@torch.no_grad()
def robustness(
    predict: Predict,
    samples: Sequence[Sample],
    *,
    task: Classify,
    preprocessing: Preprocessing,
    split: str,
    seed: int = 0,
) -> dict[str, Any]:
    """The top-1 accuracy on pictures as they are and spoiled, each with its 95 % interval, as plain JSON.

    The damage is done to the part of a picture that the network sees, at the size it sees it, and in bytes.

    Args:
        predict: gives the scores for pictures.
        samples: the pictures and their labels.
        task: what is asked.
        preprocessing: how a picture becomes a tensor.
        split: what to call these samples.
        seed: decides the noise and which way a picture is turned, each by its place among the samples.

    Raises:
        InputError: if there are no samples.
    """
    if not samples:
        raise InputError(f"there are no {split} pictures; give a folder that has some")
    batches = task.batches(samples, transform=Spoiled(preprocessing), batch=BATCH, seed=seed)
    right = torch.zeros(1 + len(FORMS), dtype=torch.long)
    for pictures, targets in batches:  # (N, forms, channels, H, W)
        for form, spoiled in enumerate(pictures.unbind(1)):
            best = predict(preprocessing.scaled(spoiled)).cpu().argmax(1)
            hits = targets.gather(1, best[:, None]).squeeze(1) > 0 if task.multilabel else best == targets
            right[form] += hits.sum()
    plain, *told = (_share(hits, len(samples)) for hits in right.tolist())
    levels = [
        {"strength": STRENGTHS[i], "level": damage.levels[i]} | share
        for (damage, i), share in zip(FORMS, told, strict=True)
    ]
    return {
        "split": split,
        "count": len(samples),
        "seed": seed,
        "plain": plain,
        "damages": [
            {"name": damage.name, "unit": damage.unit, "levels": levels[first : first + len(STRENGTHS)]}
            for damage, first in zip(DAMAGES, range(0, len(levels), len(STRENGTHS)), strict=True)
        ],
    }


def _share(right: int, count: int) -> dict[str, float]:
    low, high = wilson(right / count, count)
    return {"top1": right / count, "low": low, "high": high}
