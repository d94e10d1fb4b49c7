"""Architectures with fewer channels: in one expansion, or in all blocks that a residual joins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import inf, nextafter

from mobilevision.architecture import Arch, Place
from mobilevision.blocks import IRMB, UIB, Block, Conv, FusedInverted, Inverted, Norm, Separable
from mobilevision.layers import divisible

GRAIN = 8  # channels: what is cut at a time
Widening = FusedInverted | Inverted | UIB | IRMB


@dataclass(frozen=True)
class Expansion:
    """The channels inside one block.

    Attributes:
        place: where the block stands.
    """

    place: Place

    def channels(self, arch: Arch) -> int:
        """How many there are."""
        return inside(arch.block(self.place), _incoming(arch)[self.place])

    def cut(self, arch: Arch, channels: int) -> Arch:
        """The same architecture with `channels` inside this block."""
        return arch.with_block(self.place, _widened_to(arch.block(self.place), _incoming(arch)[self.place], channels))


@dataclass(frozen=True)
class Bottleneck:
    """The channels that leave a row of blocks, each of which adds its input but the first.

    Attributes:
        places: where the blocks stand.
    """

    places: tuple[Place, ...]

    def channels(self, arch: Arch) -> int:
        """How many there are."""
        return arch.block(self.places[0]).out

    def cut(self, arch: Arch, channels: int) -> Arch:
        """The same architecture with `channels` leaving these blocks; what is inside any block stays as it was."""
        before, small = _incoming(arch), arch
        for place in self.places:
            small = small.with_block(place, replace(small.block(place), out=channels))
        for place, cin in _incoming(small).items():
            block = small.block(place)
            if cin != before[place] and _widens(block):
                small = small.with_block(place, _widened_to(block, cin, inside(arch.block(place), before[place])))
        return small


Part = Expansion | Bottleneck
"""What can be made narrower."""


def parts(arch: Arch) -> Iterator[Part]:
    """Everything in `arch` that can be made narrower, from the image on."""
    joined: list[Place] = []
    for place, cin in _incoming(arch).items():
        block = arch.block(place)
        if joined and not _joins(block, cin):
            yield Bottleneck(tuple(joined))
            joined = []
        joined.append(place)
        if _widens(block):
            yield Expansion(place)
    yield Bottleneck(tuple(joined))


def cuts(arch: Arch, part: Part) -> Iterator[tuple[int, Arch]]:
    """The architectures with 8, 16, 24 ... fewer channels in `part`, with how many are left.

    Those are left out in which a block would add its input that did not before, for as many channels enter it now as
    leave it: no network that was trained has weights for that.
    """
    places = part.places if isinstance(part, Bottleneck) else ()
    heads = {block.head for place in places if isinstance(block := arch.block(place), IRMB) and block.head}
    for channels in range(part.channels(arch) - GRAIN, GRAIN - 1, -GRAIN):
        if any(channels % head for head in heads):
            continue
        small = part.cut(arch, channels)
        if _joining(small) == _joining(arch):
            yield channels, small


def inside(block: Block, cin: int) -> int:
    """Channels inside a block that takes `cin`."""
    expand = float(getattr(block, "expand", 0) or 1)
    if isinstance(block, IRMB):
        return int(cin * expand)
    return cin if isinstance(block, Inverted) and expand == 1 else divisible(cin * expand)


def _widens(block: Block) -> bool:
    expand = getattr(block, "expand", 0)
    return isinstance(block, Widening) and expand != 0 and not (isinstance(block, Inverted) and expand == 1)


def _joining(arch: Arch) -> list[bool]:
    """Which blocks add their input, in order."""
    return [_joins(arch.block(place), cin) for place, cin in _incoming(arch).items()]


def _joins(block: Block, cin: int) -> bool:
    """Whether a block adds its input, or hands it on channel by channel, so that both have the same channels."""
    if isinstance(block, Norm):
        return True
    adds = block.stride == 1 and cin == block.out and getattr(block, "residual", True)
    return bool(adds) and not isinstance(block, Conv | Separable)


def _widened_to(block: Block, cin: int, channels: int) -> Block:
    assert isinstance(block, Widening)
    expand = channels / cin
    made = replace(block, expand=expand)
    if inside(made, cin) < channels or expand == 1:  # an IRMB rounds down; with 1, an Inverted has nothing inside
        made = replace(block, expand=nextafter(expand, inf))
    return made


def _incoming(arch: Arch) -> dict[Place, int]:
    """Channels that enter every block."""
    found, cin = {}, 3
    for place, block in arch.places():
        found[place], cin = cin, block.out
    return found
