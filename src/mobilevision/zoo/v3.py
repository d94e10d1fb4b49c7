"""MobileNetV3 (arXiv:1905.02244, tables 1 and 2)."""

from dataclasses import replace
from itertools import groupby

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Classifier, Conv, Gate, Inverted
from mobilevision.layers import divisible

Table = tuple[tuple[int, int, int, int, bool, str, int], ...]

LARGE: Table = (  # stage, kernel, exp size, out, SE, NL, s: the rows of table 1
    (1, 3, 16, 16, False, "relu", 1),
    (2, 3, 64, 24, False, "relu", 2),
    (2, 3, 72, 24, False, "relu", 1),
    (3, 5, 72, 40, True, "relu", 2),
    (3, 5, 120, 40, True, "relu", 1),
    (3, 5, 120, 40, True, "relu", 1),
    (4, 3, 240, 80, False, "hswish", 2),
    (4, 3, 200, 80, False, "hswish", 1),
    (4, 3, 184, 80, False, "hswish", 1),
    (4, 3, 184, 80, False, "hswish", 1),
    (5, 3, 480, 112, True, "hswish", 1),
    (5, 3, 672, 112, True, "hswish", 1),
    (6, 5, 672, 160, True, "hswish", 2),
    (6, 5, 960, 160, True, "hswish", 1),
    (6, 5, 960, 160, True, "hswish", 1),
)
SMALL: Table = (  # the rows of table 2
    (1, 3, 16, 16, True, "relu", 2),
    (2, 3, 72, 24, False, "relu", 2),
    (2, 3, 88, 24, False, "relu", 1),
    (3, 5, 96, 40, True, "hswish", 2),
    (3, 5, 240, 40, True, "hswish", 1),
    (3, 5, 240, 40, True, "hswish", 1),
    (4, 5, 120, 48, True, "hswish", 1),
    (4, 5, 144, 48, True, "hswish", 1),
    (5, 5, 288, 96, True, "hswish", 2),
    (5, 5, 576, 96, True, "hswish", 1),
    (5, 5, 576, 96, True, "hswish", 1),
)
STEM = 16


def mobilenetv3_large(width: float = 1.0) -> Arch:
    """MobileNetV3-Large at any width.

    The paper's convention: every channel, the stem's too, is scaled and rounded to a multiple of 8; the 1280 behind
    the mean stay (it reproduces table 9). Timm keeps the stem as well, below 0.75: see `timm_stem`.
    """
    return _build(f"mobilenetv3_large_{round(100 * width):03d}", LARGE, width, last=960, hidden=1280)


def mobilenetv3_small(width: float = 1.0) -> Arch:
    """MobileNetV3-Small at any width, by the rule of `mobilenetv3_large`; 1024 channels behind the mean.

    Table 2 marks a gate on the last convolution, but no released network has one there.
    """
    return _build(f"mobilenetv3_small_{round(100 * width):03d}", SMALL, width, last=576, hidden=1024)


def mobilenetv3_large_minimal(width: float = 1.0) -> Arch:
    """MobileNetV3-Large minimalistic: no gates, ReLU for h-swish, 3x3 for 5x5 (for DSPs and EdgeTPUs)."""
    return _build(f"mobilenetv3_large_minimal_{round(100 * width):03d}", _minimal(LARGE), width, last=960, hidden=1280)


def mobilenetv3_small_minimal(width: float = 1.0) -> Arch:
    """MobileNetV3-Small minimalistic: no gates, ReLU for h-swish, 3x3 for 5x5 (for DSPs and EdgeTPUs)."""
    return _build(f"mobilenetv3_small_minimal_{round(100 * width):03d}", _minimal(SMALL), width, last=576, hidden=1024)


def mobilenetv3_rw() -> Arch:
    """Timm's early MobileNetV3-Large.

    Gates have unrounded widths and their block's activation, the first block adds no input, and the layer behind the
    mean has no bias.
    """
    arch = mobilenetv3_large()
    for place, block in arch.places():
        if isinstance(block, Inverted):
            gate = Gate(multiple=1, act=block.act) if block.se else None
            arch = arch.with_block(place, replace(block, se=gate, residual=place != (1, 0)))
    return replace(arch, name="mobilenetv3_rw", head=Classifier(hidden=1280, act="hswish"), eps=1e-3)


def timm_stem(arch: Arch) -> Arch:
    """The same network with the stem unscaled: how timm builds MobileNetV3 at widths below 0.75."""
    stem = Conv(STEM, 2, act="hswish")
    return arch.with_block((0, 0), stem)


def _minimal(rows: Table) -> Table:
    return tuple((stage, 3, mid, out, False, "relu", s) for stage, _, mid, out, _, _, s in rows)


def _build(name: str, rows: Table, width: float, *, last: int, hidden: int) -> Arch:
    stages: list[tuple[Block, ...]] = []
    cin = STEM
    for _, group in groupby(rows, key=lambda row: row[0]):
        blocks = []
        for _, kernel, mid, out, se, act, stride in group:
            blocks.append(
                Inverted(
                    divisible(out * width),
                    stride,
                    kernel=kernel,
                    expand=mid / cin,
                    se=Gate() if se else None,
                    act=act,
                )
            )
            cin = out
        stages.append(tuple(blocks))
    act = rows[-1][5]
    stem, end = Conv(divisible(STEM * width), 2, act=act), Conv(divisible(last * width), kernel=1, act=act)
    return Arch(name, ((stem,), *stages, (end,)), Classifier(hidden=hidden, act=act, bias=True))
