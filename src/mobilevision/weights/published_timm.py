"""Timm's published weights: its own figures (results-imagenet.csv, 2026-08-08) and preprocessing of every tag."""

from typing import NamedTuple

Figures = tuple[float | None, float | None, int, float]
"""top-1 and top-5 in percent on ImageNet-1k (None: not a classifier of it), side in pixels, share kept by the crop."""


class Style(NamedTuple):
    """What the weights of one recipe expect.

    Attributes:
        mean: taken from every color of a picture in 0..1.
        std: what the difference is divided by.
        interpolation: how pictures were resized.
        prefix: what timm puts before the architecture's name.
        eps: the norms' epsilon, if it is not the architecture's.
        padding: the convolutions' padding, if it is not the architecture's.
    """

    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bicubic"
    prefix: str = ""
    eps: float | None = None
    padding: str | None = None


IMAGENET = Style((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Style((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
PLAIN = Style((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), "bilinear")
TENSORFLOW = Style((0.5, 0.5, 0.5), (0.5, 0.5, 0.5), "bilinear", prefix="tf_", eps=1e-3, padding="same")


class Row(NamedTuple):
    """One set of weights.

    Attributes:
        tag: timm's name of it.
        at: figures at the size it was trained for.
        better: figures at a larger size that suits it better, if one is known.
        style: what it expects.
        classes: how many it tells apart: 1000 of ImageNet-1k, 11221 of ImageNet-21k-P or 11821 of ImageNet-12k.
    """

    tag: str
    at: Figures
    better: Figures | None = None
    style: Style = IMAGENET
    classes: int = 1000


TIMM_ROWS: dict[str, tuple[Row, ...]] = {  # by architecture; the first of each is what `pretrained=True` takes
    "mnasnet_100": (Row("rmsp_in1k", (74.672, 92.108, 224, 0.875)),),
    "mnasnet_small": (Row("lamb_in1k", (66.204, 86.470, 224, 0.875)),),
    "mobilenetv1_100": (
        Row("ra4_e3600_r224_in1k", (75.388, 92.310, 224, 0.875), (76.088, 93.006, 256, 0.95), style=HALF),
    ),
    "mobilenetv1_100h": (
        Row("ra4_e3600_r224_in1k", (75.664, 92.522, 224, 0.875), (76.598, 93.272, 256, 0.95), style=HALF),
    ),
    "mobilenetv1_125": (
        Row("ra4_e3600_r224_in1k", (76.920, 93.232, 224, 0.9), (77.612, 93.754, 256, 1.0), style=HALF),
    ),
    "mobilenetv2_050": (Row("lamb_in1k", (65.928, 86.114, 224, 0.875)),),
    "mobilenetv2_100": (Row("ra_in1k", (72.910, 91.000, 224, 0.875)),),
    "mobilenetv2_110d": (Row("ra_in1k", (75.056, 92.186, 224, 0.875)),),
    "mobilenetv2_120d": (Row("ra_in1k", (77.300, 93.516, 224, 0.875)),),
    "mobilenetv2_140": (Row("ra_in1k", (76.528, 93.008, 224, 0.875)),),
    "mobilenetv3_large_100": (
        Row("ra_in1k", (75.784, 92.528, 224, 0.875)),
        Row("miil_in21k", (None, None, 224, 0.875), style=PLAIN, classes=11221),
        Row("miil_in21k_ft_in1k", (77.920, 92.894, 224, 0.875), style=PLAIN),
        Row("ra4_e3600_r224_in1k", (76.310, 92.842, 224, 0.95), (77.182, 93.328, 256, 1.0), style=HALF),
        Row("in1k", (75.510, 92.600, 224, 0.875), style=TENSORFLOW),
    ),
    "mobilenetv3_rw": (Row("rmsp_in1k", (75.616, 92.696, 224, 0.875)),),
    "mobilenetv3_small_050": (Row("lamb_in1k", (57.918, 80.144, 224, 0.875)),),
    "mobilenetv3_small_075": (
        Row("lamb_in1k", (65.284, 85.462, 224, 0.875)),
        Row("in1k", (65.706, 86.130, 224, 0.875), style=TENSORFLOW),
    ),
    "mobilenetv3_small_100": (
        Row("lamb_in1k", (67.636, 87.638, 224, 0.875)),
        Row("in1k", (67.922, 87.686, 224, 0.875), style=TENSORFLOW),
    ),
    "mobilenetv4_conv_aa_large": (
        Row("e230_r448_in12k_ft_in1k", (84.668, 97.108, 448, 0.95), (84.990, 97.294, 544, 1.0)),
        Row("e230_r384_in12k", (None, None, 384, 0.95), (None, None, 448, 1.0), classes=11821),
        Row("e230_r384_in12k_ft_in1k", (84.314, 97.102, 384, 0.95), (84.772, 97.344, 480, 1.0)),
        Row("e600_r384_in1k", (83.264, 96.390, 384, 0.95), (83.826, 96.720, 480, 1.0)),
    ),
    "mobilenetv4_conv_blur_medium": (Row("e500_r224_in1k", (79.446, 94.920, 224, 0.95), (80.152, 95.298, 256, 1.0)),),
    "mobilenetv4_conv_large": (
        Row("e600_r384_in1k", (82.974, 96.244, 384, 0.95), (83.418, 96.612, 448, 1.0)),
        Row("e500_r256_in1k", (81.864, 95.696, 256, 0.95), (82.672, 96.310, 320, 1.0)),
    ),
    "mobilenetv4_conv_medium": (
        Row("e500_r256_in1k", (79.916, 95.188, 256, 0.95), (80.890, 95.750, 320, 1.0)),
        Row("e180_ad_r384_in12k", (None, None, 384, 1.0), classes=11821),
        Row("e180_r384_in12k", (None, None, 384, 1.0), classes=11821),
        Row("e250_r384_in12k", (None, None, 384, 1.0), classes=11821),
        Row("e250_r384_in12k_ft_in1k", (82.776, 96.448, 384, 0.95)),
        Row("e500_r224_in1k", (79.092, 94.788, 224, 0.95), (79.836, 95.192, 256, 1.0)),
    ),
    "mobilenetv4_conv_small": (
        Row("e2400_r224_in1k", (73.756, 91.430, 224, 0.875), (74.644, 92.022, 256, 0.95)),
        Row("e1200_r224_in1k", (73.450, 91.340, 224, 0.875), (74.282, 92.122, 256, 0.95)),
        Row("e3600_r256_in1k", (74.534, 91.940, 256, 0.95), (75.616, 92.768, 320, 1.0), style=HALF),
    ),
    "mobilenetv4_conv_small_050": (
        Row("e3000_r224_in1k", (64.778, 85.500, 224, 0.875), (65.826, 86.416, 256, 0.95), style=HALF),
    ),
    "mobilenetv4_hybrid_large": (
        Row("ix_e600_r384_in1k", (83.996, 96.714, 384, 0.95), (84.352, 96.888, 448, 1.0)),
        Row("e600_r384_in1k", (83.826, 96.748, 384, 0.95), (84.264, 96.956, 448, 1.0)),
    ),
    "mobilenetv4_hybrid_medium": (
        Row("e200_r256_in12k_ft_in1k", (82.360, 96.256, 256, 0.95), (82.998, 96.676, 320, 1.0)),
        Row("e200_r256_in12k", (None, None, 256, 0.95), (None, None, 320, 1.0), classes=11821),
        Row("e500_r224_in1k", (80.432, 95.378, 224, 0.95), (81.284, 95.746, 256, 1.0)),
        Row("ix_e550_r256_in1k", (81.478, 95.692, 256, 0.95), (82.500, 96.286, 320, 1.0)),
        Row("ix_e550_r384_in1k", (82.952, 96.470, 384, 0.95), (83.390, 96.766, 448, 1.0)),
    ),
    "semnasnet_075": (Row("rmsp_in1k", (73.000, 91.124, 224, 0.875)),),
    "semnasnet_100": (Row("rmsp_in1k", (75.452, 92.608, 224, 0.875)),),
    "mobilenetv3_large_075": (Row("in1k", (73.442, 91.332, 224, 0.875), style=TENSORFLOW),),
    "mobilenetv3_large_minimal_100": (Row("in1k", (72.270, 90.664, 224, 0.875), style=TENSORFLOW),),
    "mobilenetv3_small_minimal_100": (Row("in1k", (62.892, 84.270, 224, 0.875), style=TENSORFLOW),),
}
