"""torchvision's references: how its own weights of mobile networks were trained on ImageNet."""

from mobilevision.train.recipe import Recipe

torchvision_mobilenetv2 = Recipe(
    name="torchvision_mobilenetv2",
    source="torchvision's references/classification, MobileNetV2, first weights (top-1 71.878)",
    init="fan_out",
    epochs=300,
    batch=256,
    size=224,
    crop=224 / 256,
    optimizer="sgd",
    lr=0.045,
    schedule="step",
    decay=0.98,
    decay_epochs=1,
    weight_decay=4e-5,
    undecayed="nothing",
    momentum=0.9,
    dropout=0.2,
    area=0.08,
    flip=0.5,
)
"""Of torchvision's MobileNetV2 (IMAGENET1K_V1)."""

torchvision_mobilenetv3 = Recipe(
    name="torchvision_mobilenetv3",
    source="torchvision's references/classification, MobileNetV3 large and small, first weights",
    init="fan_out",
    epochs=600,
    batch=1024,
    size=224,
    crop=224 / 256,
    optimizer="rmsprop",
    lr=0.064,
    schedule="step",
    decay=0.973,
    decay_epochs=2,
    weight_decay=1e-5,
    undecayed="nothing",
    momentum=0.9,
    rho=0.9,
    epsilon=0.0316,
    dropout=0.2,
    area=0.08,
    flip=0.5,
    policy="auto",
    erase=0.2,
)
"""Of torchvision's MobileNetV3 (IMAGENET1K_V1)."""

torchvision_second = Recipe(
    name="torchvision_second",
    source="torchvision's references/classification, the second weights (IMAGENET1K_V2) of MobileNetV2 and V3; its "
    "average follows every 32 steps, this one at each, as fast",
    init="fan_out",
    epochs=600,
    batch=1024,
    size=224,
    train_size=176,
    crop=224 / 232,
    optimizer="sgd",
    lr=0.5,
    warmup=5 / 600,
    first_lr=0.01,
    weight_decay=2e-5,
    undecayed="norms",
    momentum=0.9,
    average=0.999966,
    smoothing=0.1,
    dropout=0.2,
    area=0.08,
    flip=0.5,
    policy="trivial",
    mixup=0.2,
    cutmix=1.0,
    erase=0.1,
    repeats=4,
)
"""Of torchvision's second weights."""
