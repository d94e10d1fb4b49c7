"""What a block and a head are: frozen facts that can build their own modules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, Protocol, Self

from torch import nn

from mobilevision.layers import Chain, Residual, divisible

Place = tuple[int, int]
"""(stage, block): where a block stands; the stem is (0, 0)."""

STRIDES = (2, 4, 8, 16, 32)


class Tap(NamedTuple):
    """A map that a head can stand on.

    Attributes:
        place: the block it is taken from.
        point: the part of that block it comes out of, for example "expand"; "" is the block's output.
        stride: pixels of the image for one pixel of the map, on each axis.
        channels: channels of the map.
    """

    place: Place
    point: str
    stride: int
    channels: int


@dataclass(frozen=True)
class Block(ABC):
    """One row of an architecture.

    Attributes:
        out: channels leaving the block.
        stride: 1 keeps height and width, 2 halves them (rounding up).
        dilation: distance between neighboring pixels under a filter; 1 is the ordinary filter.
    """

    out: int
    stride: int = 1
    dilation: int = 1

    tapped: ClassVar[bool] = True
    """Whether the block's output is a map that other heads stand on."""

    @abstractmethod
    def build(self, cin: int) -> nn.Module:
        """A fresh module for `cin` incoming channels. Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""

    def widened(self, by: float) -> Self:
        """The same block with `by` times the outgoing channels, rounded to a multiple of 8."""
        return replace(self, out=divisible(self.out * by))

    @property
    def expansion(self) -> str:
        """The part that has widened the map and not yet shrunk it, where SSDLite looks; "" if there is none."""
        return ""

    def skip(self, cin: int, body: Chain) -> nn.Module:
        """`body` with its input added where the shapes allow it."""
        return Residual(body) if self.stride == 1 and cin == self.out else body


class Backbone(Protocol):
    """What a head may ask of the architecture that it stands on; see `mobilevision.architecture.Arch`."""

    @property
    def name(self) -> str:
        """What people call it."""

    @property
    def eps(self) -> float:
        """The constant under the root of every batch norm."""

    @property
    def last(self) -> Place:
        """The place of the last block."""

    def places(self) -> Iterator[tuple[Place, Block]]:
        """Every block with the place it stands at."""

    def tap(self, place: Place, point: str = "") -> Tap:
        """The map at `place`, or at the part of its block called `point`."""

    def taps(self, strides: Collection[int] = STRIDES) -> tuple[Tap, ...]:
        """The last map of every stride, fine to coarse."""


@dataclass(frozen=True)
class Head(ABC):
    """What stands on the maps of an architecture: it knows where they are taken, not how many outputs a task wants."""

    @abstractmethod
    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """Where in `arch` the head takes its maps, fine to coarse."""

    @abstractmethod
    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """A fresh module that takes the list of maps and gives the task's outputs.

        Its part `scores` holds the layers whose channels depend on `outputs`, and no other layer does.
        """

    def outputs(self, channels: int) -> int:
        """How many outputs a layer of scores with so many channels was built for."""
        return channels

    def epsilon(self, arch: Backbone) -> float:
        """The constant under the root of the head's own batch norms."""
        return arch.eps
