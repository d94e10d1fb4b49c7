"""From a picture to the tensor a network is evaluated on, and the facts that travel with the weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as F

from mobilevision.data.pictures import rgb
from mobilevision.errors import InputError

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
INTERPOLATIONS = {"bilinear": InterpolationMode.BILINEAR, "bicubic": InterpolationMode.BICUBIC}
MODES = {1: "L", 3: "RGB"}  # channels -> Pillow's name


@dataclass(frozen=True)
class Preprocessing:
    """How a picture is prepared for evaluation: resize, center crop, scale to 0..1, normalize.

    Attributes:
        size: height and width of the tensor, pixels.
        mean: what is taken from each channel after scaling to 0..1; its length is the number of channels, 3 or 1.
        std: what each channel is divided by afterwards.
        crop: share of the resized short side that the crop keeps; 1.0 leaves no margin.
        interpolation: "bilinear" or "bicubic", both antialiased.

    Raises:
        InputError: if a value makes no sense.
    """

    size: tuple[int, int] = (224, 224)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    crop: float = 0.875
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 1:
            raise InputError(f"size {self.size} is not a height and a width in pixels")
        if len(self.mean) not in MODES or len(self.std) != len(self.mean):
            raise InputError(f"mean {self.mean} and std {self.std} must both have 3 values, or both 1")
        if min(self.std) <= 0:
            raise InputError(f"std {self.std} must be above 0")
        if not 0 < self.crop <= 1:
            raise InputError(f"crop {self.crop} is not a share of the short side, above 0 and at most 1")
        if self.interpolation not in INTERPOLATIONS:
            raise InputError(f"interpolation {self.interpolation!r} is unknown; use {' or '.join(INTERPOLATIONS)}")

    @property
    def channels(self) -> int:
        """Channels of the tensor: 3 for color, 1 for grey."""
        return len(self.mean)

    def tensor(self, image: Image.Image) -> Tensor:
        """The picture as the network sees it.

        Equals torchvision's reference evaluation transform on Pillow images, whose short side is resized to
        `round(size / crop)`. A rectangle is covered: the picture keeps its proportions and fills height and width.

        Args:
            image: of any mode; see `mobilevision.data.pictures.rgb`.

        Returns:
            float32. Shape: (channels, height, width).
        """
        return self.normalized(self.framed(image))

    def framed(self, image: Image.Image) -> Image.Image:
        """The part of a picture that the network sees, resized and cut to `size`, before it is scaled."""
        picture = self.channelled(image)
        resized = F.resize(
            picture,
            list(self.covering(picture.height, picture.width)),
            interpolation=INTERPOLATIONS[self.interpolation],
            antialias=True,
        )
        cut: Image.Image = F.center_crop(resized, list(self.size))
        return cut

    def covering(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to resize a picture of that height and width to, before the crop."""
        tall, wide = (round(side / self.crop) for side in self.size)
        if width * tall <= height * wide:
            return wide * height // width, wide
        return tall, tall * width // height

    def channelled(self, image: Image.Image) -> Image.Image:
        """The picture upright, with this preprocessing's channels."""
        return rgb(image).convert(MODES[self.channels])

    def normalized(self, image: Image.Image) -> Tensor:
        """Pixels to 0..1, then less the mean and divided by the std. Shape: (channels, image height, image width)."""
        return self.scaled(F.pil_to_tensor(image))

    def scaled(self, pixels: Tensor) -> Tensor:
        """The same of pixels as bytes. Shape: (..., channels, height, width), both."""
        scaled = F.to_dtype(pixels, torch.float32, scale=True)
        normalized: Tensor = F.normalize(scaled, list(self.mean), list(self.std))
        return normalized

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "size": list(self.size),
            "mean": list(self.mean),
            "std": list(self.std),
            "crop": self.crop,
            "interpolation": self.interpolation,
        }

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Preprocessing:
        """From what `facts` gave.

        Raises:
            InputError: if a fact is missing, unknown or makes no sense.
        """
        try:
            return cls(
                size=(int(facts["size"][0]), int(facts["size"][1])),
                mean=tuple(float(value) for value in facts["mean"]),
                std=tuple(float(value) for value in facts["std"]),
                crop=float(facts["crop"]),
                interpolation=str(facts["interpolation"]),
            )
        except InputError:
            raise
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise InputError(f"preprocessing facts {dict(facts)} do not hold {error}") from error
