"""Our own recipes, for folders of pictures and few processors."""

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
    average=0.99,
    smoothing=0.1,
    dropout=0.2,
    area=0.5,
    flip=0.5,
    color=0.2,
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
    clip=1.0,
    average=0.995,
    smoothing=0.1,
    dropout=0.2,
    drop_path=0.05,
    area=0.35,
    flip=0.5,
    policy="trivial",
    erase=0.1,
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
    beta2=0.99,
    clip=1.0,
    average=0.98,
    smoothing=0.05,
    area=0.7,
)
"""A few minutes on two cores, from nothing or from weights: for trying things out, at low resolution."""
