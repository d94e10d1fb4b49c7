"""The recipes, each whole."""

from mobilevision.errors import UsageError, nearest
from mobilevision.train.recipe import Recipe

finetune = Recipe(
    name="finetune",
    epochs=10,
    least_steps=400,
    batch=32,
    size=160,
    crop=1.0,
    optimizer="adamw",
    lr=1e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.02,
    momentum=0.9,
    beta1=0.9,
    beta2=0.999,
    rho=0.9,
    epsilon=1e-8,
    clip=0.0,
    average=0.99,
    smoothing=0.1,
    dropout=0.2,
    drop_path=0.0,
    area=0.5,
    aspect=4 / 3,
    flip=0.5,
    policy="none",
    magnitude=9,
    color=0.2,
    erase=0.0,
    balance="none",
)
"""For small folders, on weights that have seen ImageNet."""

scratch_small = Recipe(
    name="scratch_small",
    epochs=60,
    least_steps=2000,
    batch=32,
    size=96,
    crop=1.0,
    optimizer="adamw",
    lr=2e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.05,
    momentum=0.9,
    beta1=0.9,
    beta2=0.999,
    rho=0.9,
    epsilon=1e-8,
    clip=1.0,
    average=0.995,
    smoothing=0.1,
    dropout=0.2,
    drop_path=0.05,
    area=0.35,
    aspect=4 / 3,
    flip=0.5,
    policy="trivial",
    magnitude=9,
    color=0.0,
    erase=0.1,
    balance="none",
)
"""For small folders, from nothing: longer, with more augmentation."""

quick = Recipe(
    name="quick",
    epochs=6,
    least_steps=200,
    batch=32,
    size=64,
    crop=1.0,
    optimizer="adamw",
    lr=3e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.05,
    momentum=0.9,
    beta1=0.9,
    beta2=0.99,
    rho=0.9,
    epsilon=1e-8,
    clip=1.0,
    average=0.98,
    smoothing=0.05,
    dropout=0.0,
    drop_path=0.0,
    area=0.7,
    aspect=4 / 3,
    flip=0.0,
    policy="none",
    magnitude=9,
    color=0.0,
    erase=0.0,
    balance="none",
)
"""A few minutes on two cores, from nothing or from weights: for trying things out, at low resolution."""

RECIPES = {recipe.name: recipe for recipe in (finetune, scratch_small, quick)}


def find_recipe(name: str) -> Recipe:
    """The recipe called `name`.

    Raises:
        UsageError: if there is none.
    """
    if name not in RECIPES:
        raise UsageError(f"there is no recipe {name!r}; {nearest(name, RECIPES)}; known are {', '.join(RECIPES)}")
    return RECIPES[name]
