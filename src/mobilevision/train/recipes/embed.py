"""The recipes for vectors, each whole."""

from mobilevision.train.recipe import Recipe

embed_small = Recipe(
    name="embed_small",
    epochs=20,
    least_steps=2000,
    batch=64,
    size=64,
    crop=1.0,
    optimizer="adamw",
    lr=2e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.05,
    clip=5.0,
    average=0.99,
    aspect=1.0,
    policy="affine",
    magnitude=10,
    turns=4,
)
"""For small folders, from nothing; no mirror images, and quarter turns are classes of their own: drawings and marks."""

embed_finetune = Recipe(
    name="embed_finetune",
    epochs=8,
    least_steps=1500,
    batch=32,
    size=96,
    crop=1.0,
    optimizer="adamw",
    lr=1e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.02,
    clip=5.0,
    average=0.99,
    aspect=1.0,
    policy="affine",
    magnitude=10,
    turns=4,
)
"""The same on weights that have seen ImageNet, which takes fewer steps."""
