"""An architecture as a value: what a network is, without weights."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import cache
from typing import Any

import torch

from mobilevision import blocks
from mobilevision.blocks import Block, Classifier, Head
from mobilevision.blocks.base import STRIDES, Place, Tap
from mobilevision.errors import InputError, UsageError, nearest

__all__ = ["STRIDES", "Arch", "Place", "Tap"]


@dataclass(frozen=True)
class Arch:
    """The one source of truth for a network: the module, the counts, the saved JSON and the picture follow from it.

    The number of classes is not part of it: that is the task's.

    Attributes:
        name: what people call it; two architectures that differ only in name have the same digest.
        stages: blocks in order, grouped by stage; the first stage holds the stem.
        head: what stands on the maps.
        size: side of the square image it was made for, in pixels; others are welcome.
        eps: constant under the root of every batch norm.
        padding: "torch" pads strided convolutions alike on all sides, "same" as TensorFlow does.
    """

    name: str
    stages: tuple[tuple[Block, ...], ...]
    head: Head = field(default_factory=Classifier)
    size: int = 224
    eps: float = 1e-5
    padding: str = "torch"

    def __post_init__(self) -> None:
        """Check the facts that no type checks."""
        if self.padding not in ("torch", "same"):
            raise UsageError(f"padding {self.padding!r} is not known; choose 'torch' or 'same'")
        if not self.stages or not all(self.stages):
            raise UsageError(f"{self.name!r} has an empty stage; every stage needs a block")

    def places(self) -> Iterator[tuple[Place, Block]]:
        """Every block with the place it stands at, from the image on."""
        for i, stage in enumerate(self.stages):
            for j, block in enumerate(stage):
                yield (i, j), block

    def block(self, place: Place) -> Block:
        """The block at `place`.

        Raises:
            UsageError: if there is none.
        """
        known = dict(self.places())
        if place not in known:
            raise UsageError(f"{self.name} has no block at {place}; the last is at {max(known)}")
        return known[place]

    def with_block(self, place: Place, block: Block) -> Arch:
        """The same architecture with another block at `place`."""
        self.block(place)
        i, j = place
        stage = (*self.stages[i][:j], block, *self.stages[i][j + 1 :])
        return replace(self, stages=(*self.stages[:i], stage, *self.stages[i + 1 :]))

    def with_head(self, head: Head) -> Arch:
        """The same architecture under another head."""
        return replace(self, head=head)

    def widened(self, by: float) -> Arch:
        """The same architecture with `by` times the channels in every block, rounded to multiples of 8."""
        stages = tuple(tuple(block.widened(by) for block in stage) for stage in self.stages)
        return replace(self, name=f"{self.name}_x{by:g}", stages=stages)

    def dilated(self, stride: int) -> Arch:
        """The same architecture whose coarsest map has `stride`: later strides become dilations, as in DeepLab.

        Args:
            stride: pixels of the image for one pixel of the last map: 8, 16 or 32.
        """
        reached, dilation, stages = 1, 1, []
        for stage in self.stages:
            blocks_: list[Block] = []
            for block in stage:
                keeps = reached * block.stride <= stride
                dilation *= 1 if keeps else block.stride
                reached *= block.stride if keeps else 1
                blocks_.append(replace(block, stride=block.stride if keeps else 1, dilation=block.dilation * dilation))
            stages.append(tuple(blocks_))
        if reached != stride and dilation == 1:
            raise UsageError(f"{self.name} ends at stride {reached}; it cannot be dilated to {stride}")
        return replace(self, stages=tuple(stages))

    @property
    def last(self) -> Place:
        """The place of the last block."""
        return len(self.stages) - 1, len(self.stages[-1]) - 1

    def tap(self, place: Place, point: str = "") -> Tap:
        """The map at `place`, or at the part of its block called `point`, with its stride and channels.

        Raises:
            UsageError: if the block has no such part.
        """
        cin, stride = 3, 1
        for here, block in self.places():
            if here == place:
                channels, shrinks = _measured(block, cin, point)
                return Tap(place, point, stride * shrinks, channels)
            cin, stride = block.out, stride * block.stride
        raise UsageError(f"{self.name} has no block at {place}; the last is at {self.last}")

    def taps(self, strides: Collection[int] = STRIDES) -> tuple[Tap, ...]:
        """The last map of every stride that other heads stand on, fine to coarse."""
        found: dict[int, Tap] = {}
        stride = 1
        for place, block in self.places():
            stride *= block.stride
            if block.tapped:
                found[stride] = Tap(place, "", stride, block.out)
        return tuple(tap for stride, tap in found.items() if stride in strides)

    @property
    def digest(self) -> str:
        """Twelve hex digits that name this architecture, whatever its name says."""
        text = json.dumps(plain(replace(self, name="")), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> str:
        """The architecture as JSON, one block a line; `from_json` reads it back."""
        facts = plain(self)
        stages = facts.pop("stages")
        rows = ",\n".join(
            "  [\n" + ",\n".join("    " + json.dumps(block) for block in stage) + "\n  ]" for stage in stages
        )
        rest = ",\n".join(f'  "{name}": {json.dumps(value)}' for name, value in facts.items())
        return f'{{\n{rest},\n  "stages": [\n{rows}\n  ]\n}}\n'

    @classmethod
    def from_json(cls, text: str) -> Arch:
        """The architecture that `to_json` wrote.

        Raises:
            InputError: if the text is not JSON, or names a block or a field that is not known.
        """
        try:
            facts = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"this architecture is not JSON: {error}") from error
        arch = fact(facts)
        if not isinstance(arch, cls):
            raise InputError('this JSON is not an architecture: it needs "kind": "Arch"')
        return arch


def plain(value: Any) -> Any:
    """Frozen facts, such as a block, as dictionaries that each tell their kind; `fact` reads them back."""
    if is_dataclass(value) and not isinstance(value, type):
        return {"kind": type(value).__name__} | {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def fact(value: Any) -> Any:
    """The facts that `plain` made plain.

    Raises:
        InputError: if they name a block or a field that is not known, or lack one.
    """
    if isinstance(value, list):
        return tuple(fact(item) for item in value)
    if not isinstance(value, dict):
        return value
    kinds = _kinds()
    name = value.get("kind")
    if name not in kinds:
        raise InputError(f"{name!r} is not a kind of block or head; {nearest(str(name), kinds)}")
    known = {f.name for f in fields(kinds[name])}
    if unknown := value.keys() - known - {"kind"}:
        raise InputError(f"{name} has no field {sorted(unknown)[0]!r}; {nearest(sorted(unknown)[0], known)}")
    try:
        return kinds[name](**{key: fact(item) for key, item in value.items() if key != "kind"})
    except TypeError as error:
        raise InputError(f"{name} lacks a field: {error}") from error


def _kinds() -> dict[str, Any]:
    """Every kind of fact by its name: what `blocks` offers, every head that exists, and `Arch` itself."""
    heads = {kind.__name__: kind for kind in Head.__subclasses__()}
    return {name: getattr(blocks, name) for name in blocks.__all__} | heads | {"Arch": Arch}


@cache
def _measured(block: Block, cin: int, point: str) -> tuple[int, int]:
    """Channels at a point of a block, and how much smaller the map is there; found by running it on meta."""
    with torch.device("meta"):
        module = block.build(cin).eval()
        x = torch.empty(1, cin, 64, 64)
        if not point:
            y = module(x)
        else:
            observe = getattr(module, "observe", None)
            seen = observe(x, (point,))[1] if observe else {}
            if point not in seen:
                parts = [name for name, _ in getattr(module, "body", module).named_children()]
                raise UsageError(f"{type(block).__name__} has no part {point!r}; its parts are {', '.join(parts)}")
            y = seen[point]
    return y.shape[1], 64 // y.shape[2]
