"""MobileNetV2 (arXiv:1801.04381, table 2)."""

from math import ceil

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted, LastConv
from mobilevision.layers import divisible

ROWS = (  # t (expansion), c (channels), n (blocks), s (first stride): the columns of table 2
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def mobilenetv2(width: float = 1.0) -> Arch:
    """MobileNetV2 at any width.

    Channels are rounded to a multiple of 8, never more than 10 % down; the last 1280 grow with a width above 1 but do
    not shrink below it (section 5.1 of the paper).
    """
    stages = (
        tuple(Inverted(divisible(c * width), s if i == 0 else 1, expand=t) for i in range(n)) for t, c, n, s in ROWS
    )
    stem = Conv(divisible(32 * width), 2, act="relu6")
    last = LastConv(divisible(1280 * max(1.0, width)), act="relu6")
    return Arch(f"mobilenetv2_{round(100 * width):03d}", ((stem,), *stages, (last,)), Classifier())


def mobilenetv2_deep(width: float, depth: float) -> Arch:
    """Timm's deeper MobileNetV2: more blocks in every row but the first and the last, stem and last conv unscaled."""
    stages = []
    for t, c, n, s in ROWS:
        blocks = ceil(n * depth) if 16 < c < 320 else n
        stages.append(tuple(Inverted(divisible(c * width), s if i == 0 else 1, expand=t) for i in range(blocks)))
    name = f"mobilenetv2_{round(100 * width)}d"
    return Arch(name, ((Conv(32, 2, act="relu6"),), *stages, (LastConv(1280, act="relu6"),)), Classifier())
