"""Our own space: every block may be of any kind; with the right menu, all published networks are points of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.blocks import (
    IRMB,
    UIB,
    Block,
    Classifier,
    Conv,
    FusedInverted,
    Gate,
    Head,
    Inverted,
    LastConv,
    MobileMQA,
    Norm,
    Separable,
)
from mobilevision.errors import UsageError
from mobilevision.layers import divisible
from mobilevision.search.space import Pick
from mobilevision.zoo.mnasnet import GATE
from mobilevision.zoo.v4 import LAYER_SCALE


@dataclass(frozen=True)
class Offer:
    """One kind of block, and what is open about it.

    Attributes:
        kind: the class of the block.
        fields: options of its fields, in the order they are chosen; one option is no choice.
        first: whether it may open a stage, where the map shrinks and the channels change.
    """

    kind: type[Block]
    fields: Mapping[str, Sequence[Any]] = field(default_factory=dict, hash=False)
    first: bool = True

    def block(self, pick: Pick, at: str, *, out: int, stride: int) -> Block:
        """The block that `pick` chooses for the place `at`."""
        chosen: dict[str, Any] = {"out": out, "stride": stride}
        for name in self.fields:
            options = self.options(name, chosen)
            chosen[name] = pick(f"{at}.{name}", options) if len(options) > 1 else options[0]
        return self.kind(**chosen)

    def options(self, name: str, chosen: Mapping[str, Any]) -> Sequence[Any]:
        """The options of a field, after those in `chosen`."""
        return self.fields[name]


class BottleneckOffer(Offer):
    """A universal inverted bottleneck that halves the map needs a depthwise filter."""

    def options(self, name: str, chosen: Mapping[str, Any]) -> Sequence[Any]:
        """The options of a field, after those in `chosen`."""
        needed = name == "middle" and chosen["stride"] > 1 and not chosen["start"]
        return tuple(side for side in self.fields[name] if side or not needed)


class HeadsOffer(Offer):
    """The heads of an inverted residual mobile block divide its channels; a block that halves the map has none."""

    def options(self, name: str, chosen: Mapping[str, Any]) -> Sequence[Any]:
        """The options of a field, after those in `chosen`."""
        if name != "head":
            return self.fields[name]
        whole = chosen["stride"] == 1
        return tuple(head for head in self.fields[name] if not head or (whole and chosen["out"] % head == 0))


@dataclass(frozen=True)
class StageMenu:
    """What one stage offers.

    Attributes:
        widths: channels.
        depths: numbers of blocks.
        strides: of its first block.
        offers: kinds of blocks.
    """

    widths: Sequence[int]
    depths: Sequence[int]
    strides: Sequence[int]
    offers: Sequence[Offer]

    def stage(self, pick: Pick, i: int) -> tuple[Block, ...]:
        """The blocks that `pick` chooses for stage `i`."""
        out, depth = _one(pick, f"{i}.out", self.widths), _one(pick, f"{i}.depth", self.depths)
        strides = [_one(pick, f"{i}.stride", self.strides)] + [1] * (depth - 1)
        return tuple(self._block(pick, f"{i}.{j}", out, stride) for j, stride in enumerate(strides))

    def _block(self, pick: Pick, at: str, out: int, stride: int) -> Block:
        offers = {o.kind.__name__: o for o in self.offers if o.first or not at.endswith(".0")}
        return offers[_one(pick, f"{at}.kind", tuple(offers))].block(pick, at, out=out, stride=stride)


@dataclass(frozen=True)
class Menu:
    """What a whole space offers.

    Attributes:
        counts: numbers of stages after the stem's.
        stages: what each may hold, from the stem's on.
        head: options of the classifier's fields.
    """

    counts: Sequence[int]
    stages: Sequence[StageMenu]
    head: Mapping[str, Sequence[Any]] = field(hash=False)


SEARCHED: tuple[Offer, ...] = (
    Offer(FusedInverted, {"kernel": (3, 5), "expand": (2, 4, 6)}),
    BottleneckOffer(UIB, {"start": (0, 3, 5), "middle": (0, 3, 5), "expand": (2, 4, 6)}),
    Offer(Inverted, {"kernel": (3, 5), "expand": (2, 4, 6), "se": (None, Gate()), "act": ("relu",)}),
)
MIXING: tuple[Offer, ...] = (
    Offer(MobileMQA, {"heads": (4, 8), "dim": (32, 64), "kv_stride": (1, 2)}, first=False),
    HeadsOffer(IRMB, {"kernel": (3, 5), "expand": (2, 4, 6), "head": (0, 8, 16, 32)}),
)
WIDTHS = (  # channels, and the most blocks, of the stages after the stem
    ((16, 24, 32, 48), 2),
    ((32, 48, 64, 80, 96), 4),
    ((64, 96, 128, 160, 192), 8),
    ((96, 128, 192, 256, 320), 8),
)


def searched(width: float = 1.0, depth: int = 8) -> Menu:
    """The menu of a search: four stages that each halve the map, attention in the last two, no choice of activation."""
    stem = StageMenu(_rounded((16, 24, 32), width), (1,), (2,), (Offer(Conv),))
    stages = [stem]
    for i, (widths, most) in enumerate(WIDTHS):
        offers = SEARCHED + MIXING * (i >= 2)
        stages.append(StageMenu(_rounded(widths, width), range(1, min(most, depth) + 1), (2,), offers))
    last = StageMenu((divisible(960 * width),), (1,), (1,), (Offer(Conv, {"kernel": (1,)}),))
    return Menu((5,), (*stages, last), {"hidden": (1280,), "norm": (True,)})


def meta(pick: Pick, *, menu: Menu | None = None, size: int = 224, width: float = 1.0, depth: int = 8) -> Arch:
    """Every block an inverted residual with or without gate, a universal bottleneck, fused, Mobile MQA or an iRMB.

    Args:
        pick: chooses.
        menu: what is on offer; default is `searched(width, depth)`. With `ZOO`, every network of the zoo is a point.
        size: side of the image, in pixels.
        width: multiplies all channels of the default menu.
        depth: the most blocks of a stage of the default menu.
    """
    menu = menu or searched(width, depth)
    number = _one(pick, "stages", menu.counts)
    if number >= len(menu.stages):
        raise UsageError(f"the menu offers {number} stages but describes {len(menu.stages) - 1} after the stem's")
    stages = tuple(stage.stage(pick, i) for i, stage in enumerate(menu.stages[: number + 1]))
    return Arch("meta_space", stages, _head(pick, menu.head), size=size)


def _head(pick: Pick, fields: Mapping[str, Sequence[Any]]) -> Head:
    return Classifier(**{name: _one(pick, f"head.{name}", options) for name, options in fields.items()})


def _one(pick: Pick, name: str, options: Sequence[Any]) -> Any:
    """The choice among several options, or the only one."""
    return pick(name, options) if len(options) > 1 else options[0]


def _rounded(widths: Sequence[int], width: float) -> tuple[int, ...]:
    return tuple(sorted({divisible(channels * width) for channels in widths}))


ACTS = ("", "relu", "relu6", "hswish", "silu", "gelu")
POOLS = ("", "average", "blur")
EVERY_WIDTH = range(8, 2049, 8)
GATES = (
    None,
    Gate(),
    GATE,
    Gate(multiple=1),
    Gate(multiple=1, act="hswish"),
    Gate(ratio=1.0, act="silu", gate="sigmoid"),
)
EXPANDS = (0, 1, 2, 2.3, 2.5, 3, 3.5, 88 / 24, 4, 4.5, 5, 6, 7, 8, 10)  # 88/24: MobileNetV3-Small's second row
EVERYTHING: tuple[Offer, ...] = (
    Offer(Norm),
    Offer(Conv, {"out": EVERY_WIDTH, "kernel": (1, 3, 5), "act": ACTS, "bias": (False, True)}),
    Offer(LastConv, {"act": ACTS}),
    Offer(Separable, {"kernel": (3, 5, 7), "act": ACTS}),
    Offer(FusedInverted, {"kernel": (3, 5), "expand": EXPANDS[1:], "act": ACTS, "pool": POOLS}),
    BottleneckOffer(
        UIB,
        {
            "start": (0, 3, 5, 7),
            "middle": (0, 3, 5, 7),
            "expand": EXPANDS[1:],
            "act": ACTS,
            "scale": (0, LAYER_SCALE),
            "pool": POOLS,
        },
    ),
    Offer(
        Inverted,
        {"kernel": (3, 5, 7), "expand": EXPANDS[1:], "se": GATES, "act": ACTS, "residual": (False, True)},
    ),
    Offer(
        MobileMQA,
        {"heads": (2, 4, 8), "dim": (32, 48, 64), "kv_stride": (1, 2), "scale": (0, LAYER_SCALE)},
        first=False,
    ),
    HeadsOffer(
        IRMB,
        {
            "kernel": (3, 5, 7),
            "expand": EXPANDS,
            "head": (0, 8, 16, 20, 21, 24, 32),
            "se": GATES,
            "norm": ("", "batch", "layer"),
            "act": ACTS[1:],
            "residual": (False, True),
        },
    ),
)
ANY_STAGE = StageMenu(EVERY_WIDTH, range(1, 25), (1, 2), EVERYTHING)
ZOO = Menu(
    range(1, 10),
    (ANY_STAGE,) * 10,
    {"hidden": (0, 1024, 1280), "act": ACTS[1:], "norm": (False, True), "bias": (False, True)},
)
"""Everything the zoo's networks are made of: for `meta(pick, menu=ZOO)`, to find or replay them, not to search."""
