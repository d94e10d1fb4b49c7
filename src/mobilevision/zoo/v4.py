"""MobileNetV4 (arXiv:2404.10518, tables 11 to 15; the hybrids as in the authors' released code)."""

from dataclasses import dataclass, replace

from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Block, Classifier, Conv, FusedInverted, MobileMQA
from mobilevision.layers import divisible

Row = tuple[int, int, float]
"""(kernel of the start depthwise, kernel of the middle one, expansion); a kernel of 0 leaves that one out."""

LAST, HIDDEN, LAYER_SCALE = 960, 1280, 1e-5


@dataclass(frozen=True)
class Style:
    """What all blocks of one network share.

    Attributes:
        width: every channel but the head's is scaled by it and rounded to a multiple of 8; the stem only above 1.
        act: activation.
        scale: start value of the layer scale; 0 has none.
        pool: how strided convolutions shrink: "" by their stride, else by an anti-aliasing pool after them.
    """

    width: float = 1.0
    act: str = "relu"
    scale: float = 0
    pool: str = ""

    def wide(self, channels: int) -> int:
        """`channels` at this width."""
        return divisible(channels * self.width)

    def stem(self, channels: int) -> tuple[Block, ...]:
        """The first convolution, which a width below 1 leaves as it is."""
        return (Conv(channels if self.width < 1 else self.wide(channels), 2, act=self.act),)

    def convs(self, *rows: tuple[int, int, int]) -> tuple[Block, ...]:
        """A stage of plain convolutions from rows of (kernel, stride, channels)."""
        return tuple(Conv(self.wide(out), s, kernel=kernel, act=self.act) for kernel, s, out in rows)

    def fused(self, out: int) -> tuple[Block, ...]:
        """The stage of one fused inverted bottleneck that follows the stem."""
        return (FusedInverted(self.wide(out), 2, act=self.act, pool=self.pool),)

    def stage(self, out: int, *rows: Row | MobileMQA) -> tuple[Block, ...]:
        """A stage from the rows of its table; the first one halves the map."""
        return tuple(self._block(out, row, 2 if i == 0 else 1) for i, row in enumerate(rows))

    def _block(self, out: int, row: Row | MobileMQA, stride: int) -> Block:
        if isinstance(row, MobileMQA):
            return replace(row, out=self.wide(row.out))
        start, middle, expand = row
        block = UIB(self.wide(out), stride, start=start, middle=middle, expand=expand)
        return replace(block, act=self.act, scale=self.scale, pool=self.pool)

    def network(self, name: str, *stages: tuple[Block, ...], size: int) -> Arch:
        """The stages, the last 1x1 convolution and the classifier, whose 1280 channels no width scales."""
        last = Conv(self.wide(LAST), kernel=1, act=self.act)
        return Arch(name, (*stages, (last,)), Classifier(hidden=HIDDEN, act=self.act, norm=True), size=size)


def conv_small(width: float = 1.0) -> Arch:
    """MobileNetV4-Conv-S at any width."""
    style = Style(width)
    return style.network(
        _named("mobilenetv4_conv_small", width),
        style.stem(32),
        style.convs((3, 2, 32), (1, 1, 32)),
        style.convs((3, 2, 96), (1, 1, 64)),
        style.stage(96, (5, 5, 3), *[(0, 3, 2)] * 4, (3, 0, 4)),
        style.stage(128, (3, 3, 6), (5, 5, 4), (0, 5, 4), (0, 5, 3), (0, 3, 4), (0, 3, 4)),
        size=224,
    )


def conv_medium(width: float = 1.0, *, pool: str = "") -> Arch:
    """MobileNetV4-Conv-M at any width; with `pool`, timm's anti-aliased variants "average" and "blur"."""
    style = Style(width, pool=pool)
    return style.network(
        _named(f"mobilenetv4_conv_{_pooled(pool)}medium", width),
        style.stem(32),
        style.fused(48),
        style.stage(80, (3, 5, 4), (3, 3, 2)),
        style.stage(160, (3, 5, 6), (3, 3, 4), (3, 3, 4), (3, 5, 4), (3, 3, 4), (3, 0, 4), (0, 0, 2), (3, 0, 4)),
        style.stage(
            256,
            *((5, 5, 6), (5, 5, 4), (3, 5, 4), (3, 5, 4), (0, 0, 4), (3, 0, 4)),
            *((3, 5, 2), (5, 5, 4), (0, 0, 4), (0, 0, 4), (5, 0, 2)),
        ),
        size=256,
    )


def conv_large(width: float = 1.0, *, pool: str = "") -> Arch:
    """MobileNetV4-Conv-L at any width; with `pool`, timm's anti-aliased variant "average"."""
    style = Style(width, pool=pool)
    return style.network(
        _named(f"mobilenetv4_conv_{_pooled(pool)}large", width),
        style.stem(24),
        style.fused(48),
        style.stage(96, (3, 5, 4), (3, 3, 4)),
        style.stage(192, (3, 5, 4), *[(3, 3, 4)] * 3, (3, 5, 4), *[(5, 3, 4)] * 5, (3, 0, 4)),
        style.stage(
            512,
            *[(5, 5, 4)] * 4,
            *((5, 0, 4), (5, 3, 4), (5, 0, 4), (5, 0, 4), (5, 3, 4), (5, 5, 4)),
            *[(5, 0, 4)] * 3,
        ),
        size=384,
    )


def hybrid_medium(width: float = 1.0) -> Arch:
    """MobileNetV4-Hybrid-M at any width: the released code's table, which all published weights follow."""
    style = Style(width, scale=LAYER_SCALE)
    wide, deep = MobileMQA(160, heads=4, dim=64, kv_stride=2), MobileMQA(256, heads=4, dim=64)
    return style.network(
        _named("mobilenetv4_hybrid_medium", width),
        style.stem(32),
        style.fused(48),
        style.stage(80, (3, 5, 4), (3, 3, 2)),
        style.stage(
            160,
            *((3, 5, 6), (0, 0, 2), (3, 3, 4), (3, 5, 4), wide, (3, 3, 4)),
            *(wide, (3, 0, 4), wide, (3, 3, 4), wide, (3, 0, 4)),
        ),
        style.stage(
            256,
            *((5, 5, 6), (5, 5, 4), (3, 5, 4), (3, 5, 4), (0, 0, 2), (3, 5, 2), (0, 0, 2), (0, 0, 4)),
            *(deep, (3, 0, 4), deep, (5, 5, 4), deep, (5, 0, 4), deep, (5, 0, 4)),
        ),
        size=256,
    )


def hybrid_large(width: float = 1.0) -> Arch:
    """MobileNetV4-Hybrid-L at any width; the only one with GELU."""
    style = Style(width, act="gelu", scale=LAYER_SCALE)
    wide, deep = MobileMQA(192, heads=8, dim=48, kv_stride=2), MobileMQA(512, heads=8, dim=64)
    return style.network(
        _named("mobilenetv4_hybrid_large", width),
        style.stem(24),
        style.fused(48),
        style.stage(96, (3, 5, 4), (3, 3, 4)),
        style.stage(
            192,
            *((3, 5, 4), (3, 3, 4), (3, 3, 4), (3, 3, 4), (3, 5, 4), (5, 3, 4), (5, 3, 4)),
            *(wide, (5, 3, 4), wide, (5, 3, 4), wide, (5, 3, 4), wide, (3, 0, 4)),
        ),
        style.stage(
            512,
            *[(5, 5, 4)] * 4,
            *((5, 0, 4), (5, 3, 4), (5, 0, 4), (5, 0, 4), (5, 3, 4), (5, 5, 4)),
            *(deep, (5, 0, 4), deep, (5, 0, 4), deep, (5, 0, 4), deep, (5, 0, 4)),
        ),
        size=384,
    )


def _named(name: str, width: float) -> str:
    return name if width == 1 else f"{name}_{round(100 * width):03d}"


def _pooled(pool: str) -> str:
    return {"": "", "average": "aa_", "blur": "blur_"}[pool]
