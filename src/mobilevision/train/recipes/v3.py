"""How MobileNetV3 was trained on ImageNet."""

from mobilevision.train.recipe import Recipe

mobilenetv3 = Recipe(
    name="mobilenetv3",
    source="arXiv:1905.02244, section 6.1.1; epsilon, warm-up and label smoothing as in TF-slim; the number of epochs "
    "is torchvision's",
    epochs=600,
    batch=4096,
    size=224,
    crop=0.875,
    optimizer="rmsprop_tf",
    lr=0.1,
    schedule="exponential",
    warmup=5 / 600,
    decay=0.99,
    decay_epochs=3,
    weight_decay=1e-5,
    momentum=0.9,
    rho=0.9,
    epsilon=0.002,
    norm_keep=0.99,
    average=0.9999,
    smoothing=0.1,
    dropout=0.2,
    area=0.05,
    flip=0.5,
    color=0.4,
)
"""MobileNetV3's, on 4 x 4 TPUs (arXiv:1905.02244, section 6.1.1)."""

mobilenetv3_slim = Recipe(
    name="mobilenetv3_slim",
    source="TF-slim's page of MobileNetV3, for 8 GPUs of 192 pictures; the number of epochs is torchvision's",
    epochs=600,
    batch=1536,
    size=224,
    crop=0.875,
    optimizer="rmsprop_tf",
    lr=0.16,
    schedule="step",
    warmup=5 / 600,
    decay=0.99,
    decay_epochs=3,
    weight_decay=1e-5,
    momentum=0.9,
    rho=0.9,
    epsilon=0.002,
    norm_keep=0.997,
    average=0.9999,
    smoothing=0.1,
    dropout=0.2,
    area=0.05,
    flip=0.5,
    color=0.4,
)
"""MobileNetV3's as its authors' code gives it for GPUs."""
