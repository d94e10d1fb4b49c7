"""A segmenter as a file holds it: scores at a coarser stride, or the class of every pixel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.tasks.segment import enlarged

INPUT = "input"
"""The class of every pixel of the tensor, instead of scores."""


class Main(nn.Module):
    """A segmenter's head without the auxiliary scores, which help in training alone."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: maps -> (N, classes, h, w)."""
        outputs: Any = self.head(maps)
        scores: Tensor = outputs["scores"] if isinstance(outputs, dict) else outputs
        return scores


class PixelRows(nn.Module):
    """A segmenter's scores as rows, a pixel each: how much a layer matters is seen from them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N * h * w, classes)."""
        scores: Tensor = self.network(pictures)
        return scores.movedim(1, -1).flatten(0, 2)


class Coarse(nn.Module):
    """A network whose scores are given at a stride."""

    gives = "scores"

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.size = network, size

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, classes, *size)."""
        return enlarged(self.network(pictures), self.size)


class Mask(Coarse):
    """A network that gives the likeliest class of every pixel."""

    gives = "mask"

    def forward(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> (N, H, W), whole numbers as floats."""
        return super().forward(pictures).argmax(1).to(pictures.dtype)


def open_masks(network: nn.Module, shape: tuple[int, int, int], size: str) -> nn.Module:
    """A segmenter as its file gives masks.

    Args:
        network: gives scores.
        shape: channels, height and width of a picture.
        size: "input", or pixels of the picture for one of the scores.

    Raises:
        UsageError: if `size` is neither.
    """
    _, height, width = shape
    if size == INPUT:
        return Mask(network, (height, width))
    stride = check_masks(size)
    return Coarse(network, (-(-height // stride), -(-width // stride)))


def check_masks(size: str) -> int:
    """The stride that a size of masks means; 1 for "input".

    Raises:
        UsageError: if it means none.
    """
    if size == INPUT:
        return 1
    if size not in ("4", "8", "16", "32"):
        raise UsageError(f"masks of size {size!r} are not known; choose input, 4, 8, 16 or 32 (pixels for one score)")
    return int(size)


def without_auxiliary_(network: Network) -> None:
    """Leave the auxiliary scores of a segmenter out, in place."""
    network.head = Main(network.head)
