"""MobileNetV1 (arXiv:1704.04861, table 1)."""

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, LastConv, Separable

ROWS = (  # channels, blocks, first stride; the table prints stride 2 for the last block, but its sizes say 1
    (64, 1, 1),
    (128, 2, 2),
    (256, 2, 2),
    (512, 6, 2),
    (1024, 2, 2),
)


def mobilenetv1(width: float = 1.0) -> Arch:
    """MobileNetV1 at any width.

    Channels are cut to whole numbers, not rounded to a multiple of anything, and are at least 8; the last 1024 are
    scaled too (section 3.3 and the authors' code, which also has ReLU6 for the paper's ReLU).
    """
    return Arch(f"mobilenetv1_{round(100 * width):03d}", _stages(width), Classifier())


def mobilenetv1_100h() -> Arch:
    """Timm's MobileNetV1 with one more 1x1 convolution of 1024 channels before the mean."""
    return Arch("mobilenetv1_100h", (*_stages(1.0), (LastConv(1024, act="relu6"),)), Classifier())


def _stages(width: float) -> tuple[tuple[Conv | Separable, ...], ...]:
    def scaled(channels: int) -> int:
        return max(8, int(channels * width))

    stages = (tuple(Separable(scaled(c), s if i == 0 else 1, act="relu6") for i in range(n)) for c, n, s in ROWS)
    return ((Conv(scaled(32), 2, act="relu6"),), *stages)
