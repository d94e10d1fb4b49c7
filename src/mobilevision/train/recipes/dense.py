"""Recipes for boxes and masks in small folders, on weights that have seen ImageNet."""

from mobilevision.train.recipe import Recipe

detect_small = Recipe(
    name="detect_small",
    epochs=30,
    least_steps=750,
    batch=8,
    size=320,
    crop=1.0,
    optimizer="adamw",
    lr=1e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.02,
    clip=5.0,
    average=0.99,
    area=0.4,
    flip=0.5,
    color=0.2,
)
"""Boxes: large pictures, small steps, crops from less than half of the picture."""

segment_small = Recipe(
    name="segment_small",
    epochs=12,
    least_steps=600,
    batch=8,
    size=352,
    train_size=256,
    crop=1.0,
    optimizer="adamw",
    lr=1e-3,
    warmup=0.1,
    final_lr=0.01,
    weight_decay=0.02,
    clip=5.0,
    average=0.99,
    area=0.25,
    flip=0.5,
    color=0.3,
)
"""Masks: crops from a quarter of the picture, so that what is small there is seen large as well.

Such crops are on average 4/3 as large as the picture that they are from, so it is judged, and used, at a larger side.
"""
