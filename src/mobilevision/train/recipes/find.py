"""The recipes by name."""

from mobilevision.architecture import Arch
from mobilevision.blocks.uib import MobileMQA
from mobilevision.errors import UsageError, nearest
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import dense, embed, ours, torchvision, v1_v2, v3, v4
from mobilevision.train.recipes.emo_mnasnet import emo, mnasnet

RECIPES = {
    recipe.name: recipe
    for recipe in (
        *(ours.finetune, ours.scratch_small, ours.quick, dense.detect_small, dense.segment_small),
        *(embed.embed_small, embed.embed_finetune),
        *(v1_v2.mobilenetv1, v1_v2.mobilenetv2, v3.mobilenetv3, v3.mobilenetv3_slim),
        *(v4.mobilenetv4_conv_small, v4.mobilenetv4_conv_medium, v4.mobilenetv4_hybrid_medium),
        *(v4.mobilenetv4_conv_large, v4.mobilenetv4_conv_large_code, v4.mobilenetv4_hybrid_large),
        *(emo, mnasnet),
        *(torchvision.torchvision_mobilenetv2, torchvision.torchvision_mobilenetv3, torchvision.torchvision_second),
    )
}


USUAL = {  # from nothing, from weights
    "detect": (dense.detect_small, dense.detect_small),
    "segment": (dense.segment_small, dense.segment_small),
    "embed": (embed.embed_small, embed.embed_finetune),
}
"""The recipes of tasks that are not trained as a classifier is."""


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}; {nearest(name, RECIPES)}; known are {', '.join(RECIPES)}")
    return RECIPES[name]


def usual(task: str, *, weights: bool) -> Recipe:
    """The recipe of a task where nobody names one.

    Args:
        task: its name.
        weights: whether the training starts from weights that have seen pictures.
    """
    return USUAL.get(task, (ours.scratch_small, ours.finetune))[weights]


CALM, CALM_BATCH = 5e-4, 32
"""A learning rate of AdamW, and its batch, at which Mobile MQA learned from nothing; at 2e-3 it ran away."""


def advice(recipe: Recipe, arch: Arch) -> str:
    """What to change of a recipe for a network that starts from nothing; "" if nothing speaks against it."""
    attends = any(isinstance(block, MobileMQA) for stage in arch.stages for block in stage)
    if not attends or recipe.optimizer != "adamw" or recipe.lr / recipe.batch <= 2 * CALM / CALM_BATCH:
        return ""
    return (
        f"{arch.name} has attention, which may not learn from nothing at a learning rate of {recipe.lr:g}; "
        f"try --set lr={CALM * recipe.batch / CALM_BATCH:g}, or start from weights"
    )
