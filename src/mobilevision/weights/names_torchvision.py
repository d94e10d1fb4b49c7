"""What torchvision calls our layers: places in nested sequences, counted differently in each of its three families."""

from functools import singledispatch

from mobilevision.architecture import Arch
from mobilevision.blocks import Block, Conv, Inverted, LastConv
from mobilevision.weights.names import HIDDEN, SCORES, Layers, Naming, placed

CONV = {"conv": "0", "norm": "1"}
GATE = {"squeeze.conv": "fc1", "excite.conv": "fc2"}


def v2_layers(arch: Arch) -> Layers:
    """Every layer of `arch` that has a name in torchvision's MobileNetV2."""
    found = {SCORES: "classifier.1"}
    for index, (place, block) in enumerate(arch.places()):
        found |= placed(place, f"features.{index}.", v2_parts(block))
    return found


@singledispatch
def v2_parts(block: Block) -> Layers:
    """The parts of a block, ours -> those of torchvision's MobileNetV2."""
    return {}


@v2_parts.register
def _(block: Conv) -> Layers:
    return CONV


@v2_parts.register
def _(block: Inverted) -> Layers:
    *paired, last = present(block)
    found = {f"{part}.{ours}": f"conv.{n}.{m}" for n, part in enumerate(paired) for ours, m in CONV.items()}
    return found | {f"{last}.{ours}": f"conv.{len(paired) + int(m)}" for ours, m in CONV.items()}


def v3_layers(arch: Arch) -> Layers:
    """Every layer of `arch` that has a name in torchvision's MobileNetV3."""
    found = {HIDDEN: "classifier.0", SCORES: "classifier.3"}
    for index, (place, block) in enumerate(arch.places()):
        found |= placed(place, f"features.{index}.", v3_parts(block))
    return found


@singledispatch
def v3_parts(block: Block) -> Layers:
    """The parts of a block, ours -> those of torchvision's MobileNetV3; parts that are missing are not counted."""
    return {}


@v3_parts.register
def _(block: Conv) -> Layers:
    return CONV


@v3_parts.register
def _(block: Inverted) -> Layers:
    return {
        f"{part}.{ours}": f"block.{n}.{theirs}"
        for n, part in enumerate(present(block))
        for ours, theirs in (CONV | GATE).items()
    }


def mnasnet_layers(arch: Arch) -> Layers:
    """Every layer of `arch` that has a name in torchvision's MnasNet: its first block lies flat behind the stem."""
    found = {SCORES: "classifier.1"}
    for (i, j), block in arch.places():
        found |= placed((i, j), mnasnet_prefix(block, i, j), mnasnet_parts(block))
    return found


@singledispatch
def mnasnet_prefix(block: Block, i: int, j: int) -> str:
    """What stands before the names of a block's parts."""
    return "layers."


@mnasnet_prefix.register
def _(block: Inverted, i: int, j: int) -> str:
    return "layers." if block.expand == 1 else f"layers.{6 + i}.{j}.layers."


@singledispatch
def mnasnet_parts(block: Block) -> Layers:
    """The parts of a block, ours -> those of torchvision's MnasNet: convolution, norm and activation count as three."""
    return {}


@mnasnet_parts.register
def _(block: Conv) -> Layers:
    return CONV


@mnasnet_parts.register
def _(block: LastConv) -> Layers:
    return {"conv": "14", "norm": "15"}


@mnasnet_parts.register
def _(block: Inverted) -> Layers:
    first = 1 if block.expand == 1 else 0
    return {
        f"{part}.{ours}": str(3 * n + int(m))
        for n, part in enumerate(present(block), first)
        for ours, m in CONV.items()
    }


def present(block: Inverted) -> list[str]:
    """The parts of an inverted residual that are there, in order."""
    there = {"expand": block.expand != 1, "depthwise": True, "gate": block.se is not None, "project": True}
    return [part for part, is_there in there.items() if is_there]


TORCHVISION_V2 = Naming("torchvision", v2_layers)
TORCHVISION_V3 = Naming("torchvision", v3_layers, flat=(HIDDEN,))
TORCHVISION_MNASNET = Naming("torchvision", mnasnet_layers)
