"""The three spaces of TuNAS (arXiv:2008.06120, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Classifier, Conv, Gate, Inverted
from mobilevision.layers import divisible
from mobilevision.search.space import Pick

MULTIPLIERS = (0.5, 0.625, 0.75, 1.0, 1.25, 1.5, 2.0)
Filters = tuple[tuple[int, ...], ...]

PROXYLESS = (32, 16, 32, 40, 80, 96, 192, 320, 1280)  # channels: stem, first block, six stages, last convolution
PROXYLESS_STAGES = ((2, 4), (2, 4), (2, 4), (1, 4), (2, 4), (1, 1))  # first stride, most layers
V3_STAGES = ((2, "relu"), (2, "relu"), (2, "hswish"), (1, "hswish"), (2, "hswish"))  # first stride, activation


def proxyless(pick: Pick, *, size: int = 224, width: float = 1.0, depth: int = 4) -> Arch:
    """ProxylessNAS's space: kernel and expansion of every layer, and how many layers a stage has.

    The paper lets every layer but a stage's first be skipped and counts the choices of skipped layers too: 10^21.
    Which of several layers is skipped makes no difference to the network, so here the depth is chosen, and every
    network is counted once.

    Args:
        pick: chooses.
        size: side of the image, in pixels.
        width: multiplies all channels.
        depth: the most layers of a stage.
    """
    filters = tuple((divisible(channels * width),) for channels in PROXYLESS)
    return _proxyless("proxyless_space", pick, filters, size=size, depth=depth)


def proxyless_enlarged(pick: Pick, *, size: int = 224, width: float = 1.0, depth: int = 4) -> Arch:
    """As `proxyless`, with seven widths for every stage, the stem and the last convolution: 10^28 in the paper."""
    filters = _scaled((16, 16, 16, 32, 64, 128, 256, 512, 1024), width)
    return _proxyless("proxyless_enlarged_space", pick, filters, size=size, depth=depth)


def v3_like(pick: Pick, *, size: int = 224, width: float = 1.0, depth: int = 4) -> Arch:
    """The MobileNetV3-like space: kernel, expansion and gate of every layer, depths and widths; 10^43 in the paper.

    Layers of a stage are left out from the end, as in `proxyless`. Arguments as there.
    """
    filters = _scaled((16, 16, 32, 64, 128, 256, 512, 1024), width)
    stem = Conv(_out(pick, "0", filters[0]), 2, kernel=pick("0.0.kernel", (3, 5)), act="hswish")
    stages: list[tuple[Block, ...]] = [(stem, *_separable(pick, stem.out))]
    for i, (stride, act) in enumerate(V3_STAGES, start=1):
        out, layers = _out(pick, str(i), filters[i]), pick(f"{i}.depth", range(1, depth + 1))
        strides = [stride] + [1] * (layers - 1)
        stages.append(tuple(_gated(pick, f"{i}.{j}", out, s, act) for j, s in enumerate(strides)))
    last = Conv(_out(pick, "6", filters[6]), kernel=1, act="hswish")
    head = Classifier(pick("head.hidden", filters[7]), act="hswish", bias=True)
    return Arch("v3_like_space", (*stages, (last,)), head, size=size)


def _proxyless(name: str, pick: Pick, filters: Filters, *, size: int, depth: int) -> Arch:
    stem = Conv(_out(pick, "0", filters[0]), 2)
    first = Inverted(_out(pick, "1", filters[1]), kernel=pick("1.0.kernel", (3, 5, 7)), expand=1, act="relu")
    stages: list[tuple[Block, ...]] = [(stem,), (first,)]
    for i, (stride, most) in enumerate(PROXYLESS_STAGES, start=2):
        out = _out(pick, str(i), filters[i])
        most = min(most, depth)
        layers = pick(f"{i}.depth", range(1, most + 1)) if most > 1 else 1
        strides = [stride] + [1] * (layers - 1)
        stages.append(tuple(_bottleneck(pick, f"{i}.{j}", out, s) for j, s in enumerate(strides)))
    last = Conv(_out(pick, "8", filters[8]), kernel=1)
    return Arch(name, (*stages, (last,)), Classifier(), size=size)


def _bottleneck(pick: Pick, at: str, out: int, stride: int) -> Inverted:
    kernel, expand = pick(f"{at}.kernel", (3, 5, 7)), pick(f"{at}.expand", (3, 6))
    return Inverted(out, stride, kernel=kernel, expand=expand, act="relu")


def _gated(pick: Pick, at: str, out: int, stride: int, act: str) -> Inverted:
    kernel, expand = pick(f"{at}.kernel", (3, 5, 7)), pick(f"{at}.expand", (1, 2, 3, 4, 5, 6))
    return Inverted(out, stride, kernel=kernel, expand=expand, se=pick(f"{at}.se", (None, Gate())), act=act)


def _separable(pick: Pick, out: int) -> tuple[Block, ...]:
    """The layer behind the stem, if there is one."""
    if pick("0.depth", (1, 2)) == 1:
        return ()
    return (Inverted(out, kernel=pick("0.1.kernel", (3, 5, 7)), expand=1, act="relu"),)


def _out(pick: Pick, at: str, filters: Sequence[int]) -> int:
    return pick(f"{at}.out", filters) if len(filters) > 1 else filters[0]


def _scaled(base: Sequence[int], width: float) -> Filters:
    return tuple(tuple(sorted({divisible(c * by * width) for by in MULTIPLIERS})) for c in base)
