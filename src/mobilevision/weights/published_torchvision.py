"""Torchvision's published networks, with its own figures; classifiers are for 224 pixels, all bilinear."""

from mobilevision.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from mobilevision.weights.keys import TORCHVISION_MNASNET, TORCHVISION_V2, TORCHVISION_V3, Naming
from mobilevision.weights.names_torchvision_dense import TORCHVISION_DEEPLAB, TORCHVISION_LRASPP, TORCHVISION_SSDLITE

URL = "https://download.pytorch.org/models/"
HALF = (0.5, 0.5, 0.5)
V2, V3, MNASNET = (TORCHVISION_V2, None), (TORCHVISION_V3, 1e-3), (TORCHVISION_MNASNET, None)

TORCHVISION_ROWS: tuple[tuple[str, str, tuple[Naming, float | None], float, float, int, str], ...] = (
    # architecture, tag, (names, the norms' epsilon if not the architecture's), top-1 and top-5 in percent,
    # resized short side in pixels, file
    ("mobilenetv2_100", "IMAGENET1K_V1", V2, 71.878, 90.286, 256, "mobilenet_v2-b0353104.pth"),
    ("mobilenetv2_100", "IMAGENET1K_V2", V2, 72.154, 90.822, 232, "mobilenet_v2-7ebf99e0.pth"),
    ("mobilenetv3_large_100", "IMAGENET1K_V1", V3, 74.042, 91.34, 256, "mobilenet_v3_large-8738ca79.pth"),
    ("mobilenetv3_large_100", "IMAGENET1K_V2", V3, 75.274, 92.566, 232, "mobilenet_v3_large-5c1a4163.pth"),
    ("mobilenetv3_small_100", "IMAGENET1K_V1", V3, 67.668, 87.402, 256, "mobilenet_v3_small-047dcff4.pth"),
    ("mnasnet_050", "IMAGENET1K_V1", MNASNET, 67.734, 87.49, 256, "mnasnet0.5_top1_67.823-3ffadce67e.pth"),
    ("mnasnet_075", "IMAGENET1K_V1", MNASNET, 71.18, 90.496, 232, "mnasnet0_75-7090bc5f.pth"),
    ("mnasnet_100", "IMAGENET1K_V1", MNASNET, 73.456, 91.51, 256, "mnasnet1.0_top1_73.512-f206786ef8.pth"),
    ("mnasnet_130", "IMAGENET1K_V1", MNASNET, 76.506, 93.522, 232, "mnasnet1_3-a4c69d6f.pth"),
)

DENSE_ROWS = (
    # architecture, tag, names, classes (without SSDLite's background), side in pixels, mean and std, file; published
    # are a mean average precision of 21.3 on COCO, and mean IoUs of 57.9 and 60.3 for VOC's classes on COCO
    (
        "ssdlite320_mobilenet_v3_large",
        "COCO_V1",
        TORCHVISION_SSDLITE,
        90,
        320,
        HALF,
        HALF,
        "ssdlite320_mobilenet_v3_large_coco-a79551df.pth",
    ),
    (
        "lraspp_mobilenet_v3_large",
        "COCO_WITH_VOC_LABELS_V1",
        TORCHVISION_LRASPP,
        21,
        520,
        IMAGENET_MEAN,
        IMAGENET_STD,
        "lraspp_mobilenet_v3_large-d234d4ea.pth",
    ),
    (
        "deeplabv3_mobilenet_v3_large",
        "COCO_WITH_VOC_LABELS_V1",
        TORCHVISION_DEEPLAB,
        21,
        520,
        IMAGENET_MEAN,
        IMAGENET_STD,
        "deeplabv3_mobilenet_v3_large-fc3c493d.pth",
    ),
)
