"""MnasNet's factorized hierarchical space (arXiv:1807.11626, section 4.1)."""

from __future__ import annotations

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Classifier, Conv, Inverted, LastConv
from mobilevision.layers import divisible
from mobilevision.search.space import Pick
from mobilevision.zoo.mnasnet import GATE

ROWS = (  # channels, layers, first stride: MobileNetV2's, around which every block is searched
    (16, 1, 1),
    (24, 2, 2),
    (32, 3, 2),
    (64, 4, 2),
    (96, 3, 1),
    (160, 3, 2),
    (320, 1, 1),
)
FILTERS = (0.75, 1.0, 1.25)
FINE = 96  # channels; wider blocks are cut to multiples of 16: so A1 has 112 for 1.25 x 96, and B1 192 for 1.25 x 160


def mnasnet(pick: Pick, *, size: int = 224, width: float = 1.0, depth: int = 5) -> Arch:
    """Seven blocks, each of equal layers: which operation, how wide, how many.

    Of the paper's choices, the skip by pooling is left out (no released network has one), and so are the gate and the
    skip of plain convolutions; and a block of one layer cannot lose it. So a block has at most 234 choices, where the
    paper counts 432 for each of 5 blocks, 10^13 in all.

    Args:
        pick: chooses.
        size: side of the image, in pixels.
        width: multiplies all channels.
        depth: the most layers of a block.
    """
    stages = tuple(
        _stage(pick, i, _filters(channels, width), tuple(sorted({max(1, min(n + d, depth)) for d in (-1, 0, 1)})), s)
        for i, (channels, n, s) in enumerate(ROWS, start=1)
    )
    stem = (Conv(divisible(32 * width), 2),)
    return Arch("mnasnet_space", (stem, *stages, (LastConv(1280),)), Classifier(), size=size)


def _stage(pick: Pick, i: int, filters: tuple[int, ...], depths: tuple[int, ...], stride: int) -> tuple[Block, ...]:
    kind = pick(f"{i}.kind", ("Conv", "Inverted"))
    out, kernel = pick(f"{i}.out", filters), pick(f"{i}.kernel", (3, 5))
    depth = pick(f"{i}.depth", depths)
    strides = [stride] + [1] * (depth - 1)
    if kind == "Conv":
        return tuple(Conv(out, s, kernel=kernel) for s in strides)
    expand = pick(f"{i}.expand", (1, 3, 6))
    gate, residual = pick(f"{i}.se", (None, GATE)), pick(f"{i}.residual", (False, True))
    return tuple(
        Inverted(out, s, kernel=kernel, expand=expand, se=gate, act="relu", residual=residual) for s in strides
    )


def _filters(channels: int, width: float) -> tuple[int, ...]:
    """The channels on offer around MobileNetV2's."""
    wanted = (channels * by * width for by in FILTERS)
    return tuple(sorted({divisible(c) if c <= FINE * width else int(c) // 16 * 16 for c in wanted}))
