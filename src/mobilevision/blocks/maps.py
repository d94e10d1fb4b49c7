"""Which maps of an architecture a head stands on, and maps brought to one size."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from mobilevision.blocks.base import Backbone, Tap
from mobilevision.errors import UsageError


def first_of(arch: Backbone, stride: int) -> Tap:
    """The output of the block that brings the map to `stride`.

    Raises:
        UsageError: if no block does.
    """
    reached = 1
    for place, block in arch.places():
        reached *= block.stride
        if reached == stride:
            return arch.tap(place)
    raise UsageError(f"{arch.name} has no map of stride {stride}; it ends at stride {reached}")


def last_of(arch: Backbone, stride: int) -> Tap:
    """The last map of `stride` that heads stand on.

    Raises:
        UsageError: if there is none.
    """
    found = arch.taps((stride,))
    if not found:
        raise UsageError(f"{arch.name} has no map of stride {stride}; choose another architecture or head")
    return found[0]


def resized(x: Tensor, like: Tensor) -> Tensor:
    """A map at the height and width of another, bilinear."""
    return F.interpolate(x, size=like.shape[2:], mode="bilinear", align_corners=False)
