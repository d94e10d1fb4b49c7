"""Rows as files: each block, head or whole network that is to be timed is a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.architecture import Arch, Tap, fact
from mobilevision.blocks import Block, Classifier, Head
from mobilevision.deploy.base import INT8, Array, Format, Precision
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.integers import form_for
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.errors import UsageError
from mobilevision.network import Network

CHANNELS_LAST = ("litert",)
"""Formats whose maps have their channels last."""
CARD: dict[str, Any] = {"labels": []}
"""What a file says of itself."""
SHOWN = 4
"""Maps of noise that tell the ranges of 8 bits; times do not depend on them."""


class Alone(nn.Module):
    """A block, a head or a network by itself, in the layout of its format.

    Args:
        part: what is timed.
        last: whether maps leave with their channels last.
    """

    def __init__(self, part: nn.Module, *, last: bool) -> None:
        super().__init__()
        self.part, self.last = part, last

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H', W'), or (N, H', W', out), or (N, outputs)."""
        y: Tensor = self.part(x)
        return y.permute(0, 2, 3, 1) if self.last else y


class OnOneMap(nn.Module):
    """A head that takes its map as it is, not in a list.

    In a network a convolution hands it the map, in the runtime's own layout; here a filter of one pixel does, since a
    converter may leave a transpose in front of a mean. It costs about a thousandth of a head.
    """

    def __init__(self, head: nn.Module, channels: int) -> None:
        super().__init__()
        self.hand, self.head = nn.Conv2d(channels, channels, 1, groups=channels), head

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, C, H, W) -> (N, outputs)."""
        scores: Tensor = self.head([self.hand(x)])
        return scores


def write(items: Sequence[dict[str, Any]], *, outputs: int, format: str, precision: str) -> None:
    """The job of the converter: write a file for each item.

    Args:
        items: "what": a block, a head or an architecture as plain JSON; "shape": (channels, height, width) of what
            comes in; "to": path of the file.
        outputs: of heads.
        format: what to write.
        precision: what the files compute with.
    """
    format_ = find_format(format)
    number = find_precision(format_, precision)
    torch.manual_seed(0)
    for item in items:
        what = fact(item["what"])
        module = Alone(part(what, item["shape"], outputs), last=format in CHANNELS_LAST and isinstance(what, Block))
        write_one(module.eval(), tuple(item["shape"]), format_, number, to=Path(item["to"]))


def part(what: Block | Head | Arch, shape: Sequence[int], outputs: int) -> nn.Module:
    """The module that is timed.

    Raises:
        UsageError: if it is a head on several maps.
    """
    match what:
        case Arch():
            return Network(what, outputs, channels=shape[0])
        case Classifier():
            return OnOneMap(what.build((Tap((0, 0), "", 1, shape[0]),), outputs), shape[0])
        case Block():
            return what.build(shape[0])
    raise UsageError(f"a {type(what).__name__} cannot be timed alone; tables know classifiers' heads")


def write_one(module: nn.Module, shape: tuple[int, int, int], format_: Format, number: Precision, *, to: Path) -> None:
    """Write one file; in 8 bits, calibrated on noise."""
    ready = form_for(module, format_, number)
    if number is not INT8:
        format_.export(ready, shape, CARD, to, number)
        return
    assert format_.quantize is not None
    noise: Array = torch.randn(SHOWN, *shape).numpy()
    format_.quantize(ready, noise, CARD, to, Rounding(minmax))
