"""Pictures with boxes or masks: what a detector and a segmenter learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from mobilevision.data.dataset import Data, Sample, SetAside
from mobilevision.data.jpeg import DAMAGE
from mobilevision.errors import InputError

Box = tuple[float, float, float, float]
"""Left, top, right and bottom, in pixels of the upright picture."""

UNKNOWN = 255
"""The number of a mask's pixels that nobody has decided on (as in Pascal VOC); they teach and count nothing."""

SINGLE_BYTE = ("1", "L", "P")  # Pillow's names of the modes a mask may have


class Truth(NamedTuple):
    """What a picture shows, as the tensors that a detector's loss takes.

    Attributes:
        boxes: left, top, right and bottom as fractions of the tensor's width and height. Shape: (boxes, 4).
        labels: of each box. Shape: (boxes,).
        crowd: whether a box holds many objects, so that it is neither to be found nor wrong. Shape: (boxes,).
        size: height and width of the picture as it was read, in pixels. Shape: (2,).
    """

    boxes: Tensor
    labels: Tensor
    crowd: Tensor
    size: Tensor


@dataclass(frozen=True)
class BoxSample(Sample):
    """A picture and the boxes in it.

    Attributes:
        labels: of each box, positions in `Data.labels`; a picture without boxes is background.
        boxes: where they are.
        crowd: whether a box holds many objects; empty if none does.
    """

    boxes: tuple[Box, ...] = ()
    crowd: tuple[bool, ...] = ()

    def facts(self) -> str:
        """All that makes it what it is, but for the file."""
        return repr((self.labels, self.boxes, self.crowd))


@dataclass(frozen=True)
class Outline:
    """An object's contour.

    Attributes:
        label: a position in `Data.labels`.
        points: x and y of each corner in turn, in pixels.
    """

    label: int
    points: tuple[float, ...]


@dataclass(frozen=True)
class MaskSample(Sample):
    """A picture and the class of each of its pixels.

    Attributes:
        labels: of the classes in the mask, as far as they are known without opening it.
        mask: a picture of the same size whose values are positions in `Data.labels`; None if there are outlines.
        outlines: filled one over the other on pixels of class 0.
    """

    mask: Path | None = None
    outlines: tuple[Outline, ...] = ()

    def facts(self) -> str:
        """All that makes it what it is, but for the file."""
        return repr((self.mask.name if self.mask else "", self.outlines))

    def draw(self, size: tuple[int, int]) -> Image.Image:
        """The mask: 8 bits a pixel, `UNKNOWN` where nobody has decided.

        Args:
            size: width and height of the picture.

        Raises:
            InputError: if the mask cannot be read or is of another size.
        """
        drawn = open_mask(self.mask) if self.mask else Image.new("L", size)
        if drawn.size != size:
            raise InputError(f"its mask has {drawn.width} x {drawn.height} pixels, the picture {size[0]} x {size[1]}")
        pen = ImageDraw.Draw(drawn)
        for outline in self.outlines:
            pen.polygon(outline.points, fill=outline.label)
        return drawn


def open_mask(file: Path) -> Image.Image:
    """The numbers of a mask's pixels, one byte each; of a palette, the places in it.

    Raises:
        InputError: if it cannot be read, or has more than one number a pixel.
    """
    try:
        with Image.open(file, formats=("PNG", "BMP", "TIFF")) as image:
            image.load()
    except DAMAGE as error:
        raise InputError(f"its mask {file.name} cannot be read: {error}") from error
    if image.mode not in SINGLE_BYTE:
        raise InputError(f"its mask {file.name} has colors ({image.mode}) where one number a pixel is needed")
    return Image.fromarray(np.asarray(image).astype(np.uint8))


@dataclass(frozen=True)
class Scenes(Data):
    """A data set whose samples are `BoxSample` or `MaskSample`."""

    @property
    def learned(self) -> int:
        """All classes: what a mask holds is not known before it is opened."""
        return len(self.labels)

    @property
    def digest(self) -> str:
        """Names the list of files with all their boxes or masks and splits, wherever the data lies: 64 hex digits."""
        lines = [f"{self.labels}"]
        for split, samples in self.splits.items():
            for each in samples:
                assert isinstance(each, (BoxSample, MaskSample))
                lines.append("\t".join([split, self.name(each.file), each.facts()]))
        return hashlib.sha256("\n".join(sorted(lines)).encode(errors="surrogateescape")).hexdigest()

    def relabeled(self, labels: Sequence[str]) -> Scenes:
        """The same pictures, for a network that was trained on the same classes in the same order.

        Raises:
            InputError: if the classes are others.
        """
        if tuple(labels) != self.labels:
            raise InputError(
                f"{self.source} has the classes {', '.join(self.labels)}, the network {', '.join(labels)};"
                " give data with the network's classes in its order"
            )
        return self

    def without(self, bad: Sequence[SetAside]) -> Scenes:
        """The same with some files set aside."""
        gone = {each.file for each in bad}
        parts = [tuple(each for each in part if each.file not in gone) for part in self.splits.values()]
        return replace(self, train=parts[0], validation=parts[1], test=parts[2], set_aside=(*self.set_aside, *bad))
