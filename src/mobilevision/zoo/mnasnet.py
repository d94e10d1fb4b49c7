"""MnasNet B1, A1 and small (arXiv:1807.11626, figure 7, and the authors' released tables)."""

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Classifier, Conv, Gate, Inverted, LastConv
from mobilevision.layers import divisible

GATE = Gate(of_input=True, multiple=1, gate="sigmoid")
Table = tuple[tuple[int, int, int, int, int, Gate | None], ...]

B1: Table = (  # kernel, expansion, channels, blocks, first stride, gate
    (3, 1, 16, 1, 1, None),
    (3, 3, 24, 3, 2, None),
    (5, 3, 40, 3, 2, None),
    (5, 6, 80, 3, 2, None),
    (3, 6, 96, 2, 1, None),
    (5, 6, 192, 4, 2, None),
    (3, 6, 320, 1, 1, None),
)
A1: Table = (
    (3, 1, 16, 1, 1, None),
    (3, 6, 24, 2, 2, None),
    (5, 3, 40, 3, 2, GATE),
    (3, 6, 80, 4, 2, None),
    (3, 6, 112, 2, 1, GATE),
    (5, 6, 160, 3, 2, GATE),
    (3, 6, 320, 1, 1, None),
)
SMALL: Table = (
    (3, 1, 8, 1, 1, None),
    (3, 3, 16, 1, 2, None),
    (3, 6, 16, 2, 2, None),
    (5, 6, 32, 4, 2, GATE),
    (3, 6, 32, 3, 1, GATE),
    (5, 6, 88, 3, 2, GATE),
    (3, 6, 144, 1, 1, None),
)


def mnasnet(width: float = 1.0) -> Arch:
    """MnasNet-B1, searched without gates, at any width: channels to multiples of 8, the last 1280 unscaled."""
    return _build(f"mnasnet_{round(100 * width):03d}", B1, 32, width, lonely=(0, 6))


def semnasnet(width: float = 1.0) -> Arch:
    """MnasNet-A1, with gates of a quarter of a block's input, at any width, by the rule of `mnasnet`."""
    return _build(f"semnasnet_{round(100 * width):03d}", A1, 32, width, lonely=(0,))


def mnasnet_small(width: float = 1.0) -> Arch:
    """The small MnasNet of the authors' code, at any width, by the rule of `mnasnet`."""
    name = "mnasnet_small" if width == 1 else f"mnasnet_small_{round(100 * width):03d}"
    return _build(name, SMALL, 8, width, lonely=())


def _build(name: str, rows: Table, stem: int, width: float, *, lonely: tuple[int, ...]) -> Arch:
    """The network of a table; the rows in `lonely` add no input even where the shapes would allow it."""
    stages: list[tuple[Block, ...]] = []
    for row, (kernel, expand, channels, blocks, first, gate) in enumerate(rows):
        stages.append(
            tuple(
                Inverted(
                    divisible(channels * width),
                    first if i == 0 else 1,
                    kernel=kernel,
                    expand=expand,
                    se=gate,
                    act="relu",
                    residual=row not in lonely,
                )
                for i in range(blocks)
            )
        )
    return Arch(name, ((Conv(divisible(stem * width), 2),), *stages, (LastConv(1280),)), Classifier())
