"""What timm calls our layers: `conv_stem`, `blocks.<stage>.<block>.<part>`, `conv_head`, `classifier`."""

from functools import singledispatch

from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Block, Conv, FusedInverted, Inverted, LastConv, MobileMQA, Separable
from mobilevision.weights.names import HIDDEN, SCORES, Layers, Naming, placed

STEM = {"conv": "conv_stem", "norm": "bn1"}
UIB_PARTS = {"start": "dw_start", "expand": "pw_exp", "middle": "dw_mid", "project": "pw_proj"}


def layers(arch: Arch) -> Layers:
    """Every layer of `arch` that has a name in timm."""
    found = {HIDDEN: "conv_head", "head.hidden.norm": "norm_head", SCORES: "classifier"}
    for (i, j), block in arch.places():
        if (i, j) == (0, 0):
            found |= placed((i, j), "", STEM)
        else:
            found |= placed((i, j), prefix(block, f"blocks.{i - 1}.{j}."), parts(block))
    return found


@singledispatch
def prefix(block: Block, usual: str) -> str:
    """What stands before the names of a block's parts; the convolution before the classifier belongs to no stage."""
    return usual


@prefix.register
def _(block: LastConv, usual: str) -> str:
    return ""


@singledispatch
def parts(block: Block) -> Layers:
    """The parts of a block, ours -> timm's; none, if timm has no such block."""
    return {}


@parts.register
def _(block: Conv) -> Layers:
    return {"conv": "conv", "norm": "bn1"}


@parts.register
def _(block: LastConv) -> Layers:
    return {"conv": "conv_head", "norm": "bn2"}


@parts.register
def _(block: Separable) -> Layers:
    return {
        "depthwise.conv": "conv_dw",
        "depthwise.norm": "bn1",
        "pointwise.conv": "conv_pw",
        "pointwise.norm": "bn2",
    }


@parts.register
def _(block: Inverted) -> Layers:
    convs = [("expand", "conv_pw"), ("depthwise", "conv_dw"), ("project", "conv_pwl")]
    if block.expand == 1:  # timm builds it as a separable convolution
        convs = [("depthwise", "conv_dw"), ("project", "conv_pw")]
    found = {"gate.squeeze.conv": "se.conv_reduce", "gate.excite.conv": "se.conv_expand"}
    for n, (ours, theirs) in enumerate(convs, 1):
        found |= {f"{ours}.conv": theirs, f"{ours}.norm": f"bn{n}"}
    return found


@parts.register
def _(block: FusedInverted) -> Layers:
    return {"expand.conv": "conv_exp", "expand.norm": "bn1", "project.conv": "conv_pwl", "project.norm": "bn2"}


@parts.register
def _(block: UIB) -> Layers:
    found = {"scale": "layer_scale"}
    for ours, theirs in UIB_PARTS.items():
        found |= {f"{ours}.conv": f"{theirs}.conv", f"{ours}.norm": f"{theirs}.bn"}
    return found


@parts.register
def _(block: MobileMQA) -> Layers:
    found = {"norm": "norm", "scale": "layer_scale"}
    found |= {"attention.query": "attn.query.proj", "attention.project": "attn.output.proj"}
    for one in ("key", "value"):
        found |= {
            f"attention.{one}.shrink.conv": f"attn.{one}.down_conv",
            f"attention.{one}.shrink.norm": f"attn.{one}.norm",
            f"attention.{one}.project": f"attn.{one}.proj",
        }
    return found


TIMM = Naming("timm", layers)
