"""Detectors and segmenters that are published whole, and V4's backbone for segmentation."""

from collections.abc import Callable
from dataclasses import replace

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Classifier, Conv, DeepLabV3, RetinaNetLite, SSDLite
from mobilevision.zoo import v3, v4
from mobilevision.zoo.edits import reduced_tail

TORCHVISION_EPS = 1e-3  # of the norms of its MobileNetV3


def ssdlite320_mobilenet_v3_large() -> Arch:
    """Torchvision's detector: SSDLite on MobileNetV3-Large with the reduced tail (arXiv:1905.02244, section 6.3)."""
    arch = reduced_tail(v3.mobilenetv3_large()).with_head(SSDLite())
    return replace(arch, name="ssdlite320_mobilenet_v3_large", size=320, eps=TORCHVISION_EPS)


def lraspp_mobilenet_v3_large() -> Arch:
    """Torchvision's small segmenter: LR-ASPP on MobileNetV3-Large at stride 16 (arXiv:1905.02244, section 6.4)."""
    arch = v3.mobilenetv3_large().dilated(16).with_head(LRASPP())
    return replace(arch, name="lraspp_mobilenet_v3_large", size=520, eps=TORCHVISION_EPS)


def deeplabv3_mobilenet_v3_large() -> Arch:
    """Torchvision's larger segmenter: DeepLabV3 with its auxiliary head on MobileNetV3-Large at stride 16."""
    arch = v3.mobilenetv3_large().dilated(16).with_head(DeepLabV3(auxiliary=True))
    return replace(arch, name="deeplabv3_mobilenet_v3_large", size=520, eps=TORCHVISION_EPS)


def retinanet_mobilenetv4_conv_medium() -> Arch:
    """The detector of MobileNetV4's table 7: RetinaNet with separable convolutions on Conv-M, 384 pixels."""
    return replace(
        v4.conv_medium().with_head(RetinaNetLite()), name="retinanet384_mobilenetv4_conv_medium", size=384, eps=1e-3
    )


def mobilenetv4_conv_medium_seg() -> Arch:
    """MobileNetV4-Conv-M for segmentation, of the authors' released code: narrower behind the last stride."""
    style = v4.Style()
    deep = style.stage(256, (5, 5, 6)) + tuple(
        replace(block, stride=1)
        for block in style.stage(128, (5, 5, 4), (3, 5, 4), (3, 5, 4), (3, 0, 4), (3, 5, 2), (5, 5, 4), (5, 0, 2))
    )
    stages = (
        style.stem(32),
        style.fused(48),
        style.stage(80, (3, 5, 4), (3, 3, 2)),
        style.stage(160, (3, 5, 6), (3, 3, 4), (3, 3, 4), (3, 5, 4), (3, 3, 4), (3, 0, 4), (3, 0, 4)),
        deep,
        (Conv(448, kernel=1),),
    )
    return Arch("mobilenetv4_conv_medium_seg", stages, Classifier(hidden=v4.HIDDEN, norm=True), size=256)


HEADS: dict[str, Callable[[Arch], Arch]] = {
    "ssdlite": lambda arch: arch.with_head(SSDLite()),
    "retinanet": lambda arch: arch.with_head(RetinaNetLite()),
    "retinanet96": lambda arch: arch.with_head(RetinaNetLite(channels=96, depth=2, size=2.5)),
    "lraspp": lambda arch: arch.dilated(16).with_head(LRASPP()),
    "lraspp4": lambda arch: arch.dilated(16).with_head(LRASPP(stride=4)),
    "deeplabv3": lambda arch: arch.dilated(16).with_head(DeepLabV3()),
}
"""What a name may begin with: "lraspp_mobilenetv2_100" is that backbone under that head.

"retinanet96" has towers of 96 channels and two layers, and anchors from 20 pixels on: for few pictures, small things;
"lraspp4" scores at stride 4 instead of 8.
"""


def parted(name: str) -> tuple[str, str]:
    """The head and the backbone of a name such as "ssdlite_mobilenetv2_100"; "" and the name where it begins with none.

    Torchvision's own names ("ssdlite320_mobilenet_v3_large") are whole.
    """
    head, _, backbone = name.partition("_")
    return (head, backbone) if head in HEADS and backbone else ("", name)


DENSE: dict[str, Callable[[], Arch]] = {
    "ssdlite320_mobilenet_v3_large": ssdlite320_mobilenet_v3_large,
    "lraspp_mobilenet_v3_large": lraspp_mobilenet_v3_large,
    "deeplabv3_mobilenet_v3_large": deeplabv3_mobilenet_v3_large,
    "retinanet384_mobilenetv4_conv_medium": retinanet_mobilenetv4_conv_medium,
    "mobilenetv4_conv_medium_seg": mobilenetv4_conv_medium_seg,
}

CLASSES = {
    "ssdlite320_mobilenet_v3_large": 90,
    "retinanet384_mobilenetv4_conv_medium": 90,
    "lraspp_mobilenet_v3_large": 21,
    "deeplabv3_mobilenet_v3_large": 21,
}
"""How many classes each is published for: COCO's numbers without the background, VOC's with it."""
