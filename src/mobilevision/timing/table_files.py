"""Rows as files: each block, head or whole network that is to be timed is a file of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mobilevision.architecture import Arch, Tap, fact
from mobilevision.blocks import Block, Head
from mobilevision.deploy.base import INT8, Array, Format, Precision
from mobilevision.deploy.filing import Shape, filing_, opened
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.deploy.integers import form_for
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.network import Network
from mobilevision.tasks.catalog import task_of

CHANNELS_LAST = ("litert",)
"""Formats whose maps have their channels last."""
CARD: dict[str, Any] = {"labels": []}
"""What a file says of itself."""
SHOWN = 4
"""Maps of noise that tell the ranges of 8 bits; times do not depend on them."""


class Alone(nn.Module):
    """A block by itself, in the layout of its format.

    Args:
        part: what is timed.
        last: whether maps leave with their channels last.
    """

    def __init__(self, part: nn.Module, *, last: bool) -> None:
        super().__init__()
        self.part, self.last = part, last

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H', W'), or (N, H', W', out)."""
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

    def forward(self, x: Tensor) -> Any:
        """Shape: (N, C, H, W) -> what the head gives."""
        return self.head([self.hand(x)])


class OnMaps(nn.Module):
    """A head that takes its maps from one input, since a file that is timed has one.

    Args:
        head: what is timed.
        shapes: of its maps.
        last: whether maps come with their channels last.
    """

    def __init__(self, head: nn.Module, shapes: Sequence[Shape], *, last: bool) -> None:
        super().__init__()
        self.head, self.shapes, self.last = head, shapes, last
        self.ends = list(accumulate(map(math.prod, shapes), initial=0))

    def forward(self, x: Tensor) -> Any:
        """Shape: (N, numbers of all maps, 1, 1) -> what the head gives."""
        flat, places = x.flatten(1), pairwise(self.ends)
        return self.head([self.laid(flat[:, a:b], shape) for (a, b), shape in zip(places, self.shapes, strict=True)])

    def laid(self, numbers: Tensor, shape: Shape) -> Tensor:
        """The numbers of a map as a map."""
        channels, height, width = shape
        if self.last:
            return numbers.reshape(-1, height, width, channels).permute(0, 3, 1, 2)
        return numbers.reshape(-1, *shape)


def write(items: Sequence[dict[str, Any]], *, outputs: int, format: str, precision: str) -> None:
    """The job of the converter: write a file for each item.

    Args:
        items: "what": a block, a head or an architecture as plain JSON; "shape": (channels, height, width) of what
            comes in, or several of a head on several maps; "to": path of the file.
        outputs: of heads.
        format: what to write.
        precision: what the files compute with.
    """
    format_ = find_format(format)
    number = find_precision(format_, precision)
    torch.manual_seed(0)
    for item in items:
        what, shape = fact(item["what"]), fact(item["shape"])
        if isinstance(what, Arch):
            module, shown = whole(what, shape, outputs, format_, number), shape
        else:
            alone, shown = part(what, shape, outputs, last=format in CHANNELS_LAST)
            module = form_for(alone.eval(), format_, number)
        write_one(module, shown, format_, number, to=Path(item["to"]))


def whole(arch: Arch, shape: Shape, outputs: int, format_: Format, number: Precision) -> nn.Module:
    """A network as its file holds it, with what chooses boxes or enlarges masks behind a dense head."""
    network = Network(arch, outputs, channels=shape[0])
    card = task_of(arch, tuple(map(str, range(outputs)))).facts()
    filing = filing_(network, card, shape)
    return filing.finished(form_for(network, format_, number))


def part(what: Block | Head, shape: Any, outputs: int, *, last: bool) -> tuple[nn.Module, Shape]:
    """A row by itself, and the shape of what comes into it; of dense heads, what their layers say.

    Args:
        what: a block or a head.
        shape: of what comes in; several of a head on several maps.
        outputs: of a head.
        last: whether maps come and leave with their channels last.
    """
    if isinstance(what, Block):
        return Alone(what.build(shape[0]), last=last), shape
    shapes = shape if isinstance(shape[0], tuple) else (shape,)
    head = what.build(tuple(Tap((0, 0), "", 1, each[0]) for each in shapes), outputs).eval()
    filed = opened(head, [torch.zeros(1, *each) for each in shapes])
    if len(shapes) == 1:
        return OnOneMap(filed, shapes[0][0]), shapes[0]
    return OnMaps(filed, shapes, last=last), (sum(map(math.prod, shapes)), 1, 1)


def write_one(module: nn.Module, shape: Shape, format_: Format, number: Precision, *, to: Path) -> None:
    """Write one file; in 8 bits, calibrated on noise."""
    if number is not INT8:
        format_.export(module, shape, CARD, to, number)
        return
    assert format_.quantize is not None
    noise: Array = torch.randn(SHOWN, *shape).numpy()
    format_.quantize(module, noise, CARD, to, Rounding(minmax))
