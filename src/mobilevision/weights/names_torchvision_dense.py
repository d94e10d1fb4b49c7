"""What torchvision calls the layers of its detector and its segmenters on MobileNetV3."""

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Block, DeepLabV3, SSDLite
from mobilevision.weights.names import SCORES, Layers, Naming, placed
from mobilevision.weights.names_torchvision import CONV, v3_parts

HALVING = {"narrow": "0", "depthwise": "1", "widen": "2"}  # the parts of SSDLite's extra maps


def ssdlite_layers(arch: Arch) -> Layers:
    """Every layer of `arch`, if its head is an SSDLite: the network is cut in two behind the first map's layer.

    Where that layer widens no map (MobileNetV1, EMO), torchvision has no such network.
    """
    if not (isinstance(arch.head, SSDLite) and arch.head.taps(arch)[0].point):
        return {}
    found = _cut(arch) | _extras(len(arch.head.extras))
    for n in range(2 + len(arch.head.extras)):
        for ours, theirs in (("boxes", "regression_head"), ("scores", "classification_head")):
            block = f"head.{theirs}.module_list.{n}"
            found |= {f"head.near_{ours}.{n}.{part}": f"{block}.0.{m}" for part, m in CONV.items()}
            found[f"head.{ours}.{n}"] = f"{block}.1"
    return found


def _cut(arch: Arch) -> Layers:
    """The layers of the backbone: before the first map's, that one itself, and behind it."""
    first = arch.head.taps(arch)[0]
    found: Layers = {}
    behind = -1
    for index, (place, block) in enumerate(arch.places()):
        if place < first.place:
            found |= placed(place, f"backbone.features.0.{index}.", v3_parts(block))
        elif place == first.place:
            found |= placed(place, "", _opened(block, index))
            behind = index
        else:
            found |= placed(place, f"backbone.features.1.{index - behind}.", v3_parts(block))
    return found


def _opened(block: Block, index: int) -> Layers:
    """The parts of the block that the cut goes through: its expanding layer, and the rest of it."""
    found: Layers = {}
    for ours, theirs in v3_parts(block).items():
        _, part, layer = theirs.split(".")
        found[ours] = f"backbone.features.0.{index}.{layer}" if part == "0" else f"backbone.features.1.0.{part}.{layer}"
    return found


def _extras(count: int) -> Layers:
    return {
        f"head.extras.{n}.{part}.{ours}": f"backbone.extra.{n}.{place}.{theirs}"
        for n in range(count)
        for part, place in HALVING.items()
        for ours, theirs in CONV.items()
    }


def lraspp_layers(arch: Arch) -> Layers:
    """Every layer of `arch`, if its head is an LR-ASPP."""
    if not isinstance(arch.head, LRASPP):
        return {}
    return _backbone(arch) | {
        "head.project.conv": "classifier.cbr.0",
        "head.project.norm": "classifier.cbr.1",
        "head.gate.conv": "classifier.scale.1",
        f"{SCORES}.fine": "classifier.low_classifier",
        f"{SCORES}.coarse": "classifier.high_classifier",
    }


def deeplab_layers(arch: Arch) -> Layers:
    """Every layer of `arch`, if its head is a DeepLabV3."""
    if not isinstance(arch.head, DeepLabV3):
        return {}
    found = _backbone(arch)
    branches = 1 + len(arch.head.rates)
    for ours, n in CONV.items():
        found |= {f"head.branches.{i}.{ours}": f"classifier.0.convs.{i}.{n}" for i in range(branches)}
        found[f"head.whole.{ours}"] = f"classifier.0.convs.{branches}.{int(n) + 1}"
        found[f"head.mix.project.{ours}"] = f"classifier.0.project.{n}"
        found[f"head.mix.smooth.{ours}"] = f"classifier.{int(n) + 1}"
        found[f"head.auxiliary.{ours}"] = f"aux_classifier.{n}"
    return found | {f"{SCORES}.main": "classifier.4", f"{SCORES}.auxiliary": "aux_classifier.4"}


def _backbone(arch: Arch) -> Layers:
    found: Layers = {}
    for index, (place, block) in enumerate(arch.places()):
        found |= placed(place, f"backbone.{index}.", v3_parts(block))
    return found


TORCHVISION_SSDLITE = Naming("torchvision", ssdlite_layers)
TORCHVISION_LRASPP = Naming("torchvision", lraspp_layers)
TORCHVISION_DEEPLAB = Naming("torchvision", deeplab_layers)
TORCHVISION_DENSE = (TORCHVISION_SSDLITE, TORCHVISION_LRASPP, TORCHVISION_DEEPLAB)
