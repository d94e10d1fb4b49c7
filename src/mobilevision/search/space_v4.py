"""MobileNetV4's two stages of search, one space for each size of network (arXiv:2404.10518, section 6.1)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Block, Classifier, Conv, FusedInverted, MobileMQA
from mobilevision.layers import divisible
from mobilevision.search.space import Pick
from mobilevision.search.space_tunas import MULTIPLIERS
from mobilevision.zoo.v4 import HIDDEN, LAST, LAYER_SCALE

EXPAND = 4
KERNELS = (0, 3, 5)


@dataclass(frozen=True)
class Plan:
    """What one search keeps fixed.

    Attributes:
        name: of the network whose plan it is.
        size: side of the image, in pixels.
        front: the stem and the stages before the searched ones.
        widths: channels of the searched stages.
        depths: their universal inverted bottlenecks.
        attention: an attention block for each of the last stages, if it may hold any.
        slots: how many attention blocks such a stage may hold.
        act: activation.
        scale: start value of the layer scale; 0 has none.
    """

    name: str
    size: int
    front: tuple[tuple[Block, ...], ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    attention: tuple[MobileMQA, ...] = ()
    slots: int = 4
    act: str = "relu"
    scale: float = 0

    def scaled(self, width: float, depth: int | None) -> Plan:
        """The same plan with `width` times the channels, as the zoo scales them, and at most `depth` blocks a stage."""
        stem, *front = self.front
        return replace(
            self,
            front=(stem if width < 1 else _wide(stem, width), *(_wide(stage, width) for stage in front)),
            widths=tuple(divisible(out * width) for out in self.widths),
            depths=tuple(min(blocks, depth or blocks) for blocks in self.depths),
            attention=tuple(replace(block, out=divisible(block.out * width)) for block in self.attention),
        )


def _fused(stem: int, act: str = "relu") -> tuple[tuple[Block, ...], ...]:
    return (Conv(stem, 2, act=act),), (FusedInverted(48, 2, act=act),)


SMALL = Plan(
    "mobilenetv4_conv_small",
    224,
    ((Conv(32, 2),), (Conv(32, 2), Conv(32, kernel=1)), (Conv(96, 2), Conv(64, kernel=1))),
    (96, 128),
    (6, 6),
)
MEDIUM = Plan("mobilenetv4_conv_medium", 256, _fused(32), (80, 160, 256), (2, 8, 11))
LARGE = Plan("mobilenetv4_conv_large", 384, _fused(24), (96, 192, 512), (2, 11, 13))
HYBRID_MEDIUM = Plan(
    "mobilenetv4_hybrid_medium",
    256,
    _fused(32),
    (80, 160, 256),
    (2, 8, 12),
    (MobileMQA(160, heads=4, dim=64, kv_stride=2), MobileMQA(256, heads=4, dim=64)),
    scale=LAYER_SCALE,
)
HYBRID_LARGE = Plan(
    "mobilenetv4_hybrid_large",
    384,
    _fused(24, "gelu"),
    (96, 192, 512),
    (2, 11, 14),
    (MobileMQA(192, heads=8, dim=48, kv_stride=2), MobileMQA(512, heads=8, dim=64)),
    act="gelu",
    scale=LAYER_SCALE,
)


def v4_coarse(
    pick: Pick, *, plan: Plan = MEDIUM, size: int | None = None, width: float = 1.0, depth: int | None = None
) -> Arch:
    """The first stage: only widths are chosen; every block is an inverted bottleneck with a 3x3 filter, expansion 4.

    Args:
        pick: chooses.
        plan: which network's search this is.
        size: side of the image in pixels; default is the plan's.
        width: multiplies all channels.
        depth: the most blocks of a stage; default is the plan's.
    """
    plan = plan.scaled(width, depth)
    stem, *front = plan.front
    stages = [stem]
    for i, stage in enumerate(front, start=1):
        out = pick(f"{i}.out", _filters(stage[-1].out))
        stages.append(_wide(stage, out / stage[-1].out))
    for i, (base, blocks) in enumerate(zip(plan.widths, plan.depths, strict=True), start=len(stages)):
        out = pick(f"{i}.out", _filters(base))
        stages.append(tuple(_uib(plan, out, 2 if j == 0 else 1, start=0, middle=3) for j in range(blocks)))
    return _network("v4_coarse_space", plan, stages, size)


def v4_fine(
    pick: Pick, *, plan: Plan = MEDIUM, size: int | None = None, width: float = 1.0, depth: int | None = None
) -> Arch:
    """The second stage: both depthwise filters of every block, absent, 3x3 or 5x5; the widths are the plan's.

    Plans with attention (the hybrids') have, in the last two stages, slots between the last blocks where the choice
    is between an attention block and a bottleneck. Arguments as for `v4_coarse`.
    """
    plan = plan.scaled(width, depth)
    stages, first = list(plan.front), len(plan.front)
    without = len(plan.widths) - len(plan.attention)
    for i, (out, blocks) in enumerate(zip(plan.widths, plan.depths, strict=True)):
        attention = plan.attention[i - without] if i >= without else None
        stages.append(_stage(pick, first + i, plan, out=out, blocks=blocks, attention=attention))
    return _network("v4_fine_space", plan, stages, size)


def refined(arch: Arch, plan: Plan) -> Plan:
    """The plan of the fine search that follows a coarse one: the widths are those of `arch`, which it found."""
    first = len(plan.front)
    widths = tuple(stage[-1].out for stage in arch.stages[first:-1])
    attention = tuple(
        replace(block, out=out) for block, out in zip(plan.attention, widths[-len(plan.attention) :], strict=False)
    )
    depths = tuple(len(stage) for stage in arch.stages[first:-1])
    return replace(plan, front=arch.stages[:first], widths=widths, depths=depths, attention=attention)


def _stage(pick: Pick, i: int, plan: Plan, *, out: int, blocks: int, attention: MobileMQA | None) -> tuple[Block, ...]:
    slots = min(plan.slots, blocks - 1) if attention else 0
    opens = {blocks - slots + 2 * k for k in range(slots)}  # every second place, up to the last but one
    stage: list[Block] = []
    for j in range(blocks + slots):
        at = f"{i}.{j}"
        if attention and j in opens and pick(f"{at}.kind", ("UIB", "MobileMQA")) == "MobileMQA":
            stage.append(attention)
        else:
            stage.append(_searched(pick, at, plan, out, 2 if j == 0 else 1))
    return tuple(stage)


def _searched(pick: Pick, at: str, plan: Plan, out: int, stride: int) -> UIB:
    """A bottleneck whose filters are chosen; one that halves the map has at least one."""
    start = pick(f"{at}.start", KERNELS)
    middle = pick(f"{at}.middle", KERNELS if stride == 1 or start else KERNELS[1:])
    return _uib(plan, out, stride, start=start, middle=middle)


def _uib(plan: Plan, out: int, stride: int, *, start: int, middle: int) -> UIB:
    return UIB(out, stride, start=start, middle=middle, expand=EXPAND, act=plan.act, scale=plan.scale)


def _network(name: str, plan: Plan, stages: list[tuple[Block, ...]], size: int | None) -> Arch:
    last = Conv(LAST, kernel=1, act=plan.act)
    head = Classifier(hidden=HIDDEN, act=plan.act, norm=True)
    return Arch(name, (*stages, (last,)), head, size=size or plan.size)


def _wide(stage: tuple[Block, ...], width: float) -> tuple[Block, ...]:
    return tuple(block.widened(width) for block in stage)


def _filters(base: int) -> tuple[int, ...]:
    return tuple(sorted({divisible(base * by) for by in MULTIPLIERS}))
