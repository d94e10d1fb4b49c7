"""What EMO's authors call our layers: `stage<N>.<block>.<part>`, `norm`, `head` (arXiv:2301.01146, released code)."""

from functools import singledispatch

from mobilevision.architecture import Arch
from mobilevision.blocks import IRMB, Block, Conv, Norm
from mobilevision.weights.names import SCORES, Layers, Naming, placed


def layers(arch: Arch) -> Layers:
    """Every layer of `arch` that has a name in EMO."""
    found = {SCORES: "head"}
    for (i, j), block in arch.places():
        found |= placed((i, j), prefix(block, f"stage{i}.{j}."), parts(block))
    return found


@singledispatch
def prefix(block: Block, usual: str) -> str:
    """What stands before the names of a block's parts; the last norm belongs to no stage."""
    return usual


@prefix.register
def _(block: Norm, usual: str) -> str:
    return ""


@singledispatch
def parts(block: Block) -> Layers:
    """The parts of a block, ours -> EMO's; none, if EMO has no such block."""
    return {}


@parts.register
def _(block: Conv) -> Layers:
    return {"conv": "convs.0.0", "norm": "convs.0.1"}


@parts.register
def _(block: Norm) -> Layers:
    return {"": "norm.norm"}


@parts.register
def _(block: IRMB) -> Layers:
    return {
        "norm": "norm.norm" if block.norm == "layer" else "norm",
        "far.qk": "qk.conv",
        "widen.conv": "v.conv",
        "near.depthwise.conv": "conv_local.conv",
        "near.depthwise.norm": "conv_local.norm",
        "near.gate.squeeze.conv": "se.conv_reduce",
        "near.gate.excite.conv": "se.conv_expand",
        "project": "proj.conv",
    }


EMO = Naming("emo", layers)
