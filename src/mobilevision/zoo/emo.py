"""EMO, the network of Meta Mobile Blocks, also called MetaMobile (arXiv:2301.01146 and its released code)."""

from mobilevision.architecture import Arch
from mobilevision.blocks import IRMB, Block, Classifier, Conv, Gate, Norm

SIZES = {  # by stage: blocks, channels, expansion, channels of an attention head (0 has none)
    "emo_1m": ((2, 2, 8, 3), (32, 48, 80, 168), (2, 2.5, 3, 3.5), (0, 0, 20, 21)),
    "emo_2m": ((3, 3, 9, 3), (32, 48, 120, 200), (2, 2.5, 3, 3.5), (0, 0, 20, 20)),
    "emo_5m": ((3, 3, 9, 3), (48, 72, 160, 288), (2, 3, 4, 4), (0, 0, 32, 32)),
    "emo_6m": ((3, 3, 9, 3), (48, 72, 160, 320), (2, 3, 4, 5), (0, 0, 20, 32)),
}
STYLES = ((3, "batch", "silu"), (3, "batch", "silu"), (5, "layer", "gelu"), (5, "layer", "gelu"))  # kernel, norm, act
STEM = 24


def emo(name: str) -> Arch:
    """One of `SIZES`.

    A stage opens with a block that halves the map, expands twice as much and has no attention. The stem's convolution
    has a bias, as in the released code, so that the published counts hold.
    """
    stages: list[tuple[Block, ...]] = []
    for (depth, out, expand, head), (kernel, norm, act) in zip(zip(*SIZES[name], strict=True), STYLES, strict=True):
        first = IRMB(out, 2, kernel=kernel, expand=2 * expand, norm=norm, act=act)
        other = IRMB(out, kernel=kernel, expand=expand, head=head, norm=norm, act=act)
        stages.append((first, *[other] * (depth - 1)))
    gate = Gate(ratio=1.0, act="silu", gate="sigmoid")
    stem = (Conv(STEM, 2, act="", bias=True), IRMB(STEM, expand=0, se=gate, norm="", residual=False))
    return Arch(name, (stem, *stages, (Norm(stages[-1][-1].out),)), Classifier(), eps=1e-6)
