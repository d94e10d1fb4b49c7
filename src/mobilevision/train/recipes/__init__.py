"""The recipes, each whole: the papers', torchvision's, and ours (`finetune`, `scratch_small`, `quick`)."""

from mobilevision.train.recipes.dense import detect_small, segment_small
from mobilevision.train.recipes.embed import embed_finetune, embed_small
from mobilevision.train.recipes.emo_mnasnet import emo, mnasnet
from mobilevision.train.recipes.find import RECIPES, advice, find_recipe, usual
from mobilevision.train.recipes.ours import finetune, quick, scratch_small
from mobilevision.train.recipes.torchvision import torchvision_mobilenetv2, torchvision_mobilenetv3, torchvision_second
from mobilevision.train.recipes.v1_v2 import mobilenetv1, mobilenetv2
from mobilevision.train.recipes.v3 import mobilenetv3, mobilenetv3_slim
from mobilevision.train.recipes.v4 import (
    mobilenetv4_conv_large,
    mobilenetv4_conv_large_code,
    mobilenetv4_conv_medium,
    mobilenetv4_conv_small,
    mobilenetv4_hybrid_large,
    mobilenetv4_hybrid_medium,
)

__all__ = [
    "RECIPES",
    "advice",
    "detect_small",
    "embed_finetune",
    "embed_small",
    "emo",
    "find_recipe",
    "finetune",
    "mnasnet",
    "mobilenetv1",
    "mobilenetv2",
    "mobilenetv3",
    "mobilenetv3_slim",
    "mobilenetv4_conv_large",
    "mobilenetv4_conv_large_code",
    "mobilenetv4_conv_medium",
    "mobilenetv4_conv_small",
    "mobilenetv4_hybrid_large",
    "mobilenetv4_hybrid_medium",
    "quick",
    "scratch_small",
    "segment_small",
    "torchvision_mobilenetv2",
    "torchvision_mobilenetv3",
    "torchvision_second",
    "usual",
]
