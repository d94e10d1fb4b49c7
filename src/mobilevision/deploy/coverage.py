"""How much of a file its runtime's delegate takes, and what stays outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilevision.deploy.base import Layer
from mobilevision.deploy.formats import format_of
from mobilevision.deploy.takes import NAMES


@dataclass(frozen=True)
class Coverage:
    """What a delegate takes of a file.

    Attributes:
        delegate: its name; "" where the runtime has none and its own kernels take all.
        pieces: parts that the delegate takes, each a trip from the runtime to it and back.
        layers: operators of the file.
        macs: multiply-accumulates of one picture.
        inside: share of them that the delegate computes, 0 to 1.
        outside: how often the file holds each operator that stays outside.
        transposes: operators that only turn a map round.
        pads: operators that only put a border round a map.
    """

    delegate: str
    pieces: int
    layers: int
    macs: int
    inside: float
    outside: dict[str, int]
    transposes: int
    pads: int

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self)


def coverage(layers: Sequence[Layer], delegate: str) -> Coverage:
    """Count what is inside and outside of a delegate.

    Args:
        layers: of a file.
        delegate: its name.
    """
    macs = sum(each.macs for each in layers)
    inside = sum(each.macs for each in layers if each.piece)
    words = Counter(each.operator for each in layers)
    return Coverage(
        delegate=delegate,
        pieces=len({each.piece for each in layers if each.piece}),
        layers=len(layers),
        macs=macs,
        inside=inside / macs if macs else float(all(each.piece for each in layers)),
        outside=dict(sorted(Counter(each.operator for each in layers if not each.piece).items())),
        transposes=sum(words[name] for name in NAMES["transpose"]),
        pads=sum(words[name] for name in NAMES["pad"]),
    )


def cover(file: Path) -> dict[str, Any] | None:
    """The coverage of a file as plain JSON; None where the runtime decides on the device."""
    format_ = format_of(file)
    return None if format_.layers is None else coverage(format_.layers(file), format_.delegate).facts()
