"""How MobileNetV1 and V2 were trained on ImageNet."""

from mobilevision.train.recipe import Recipe

mobilenetv1 = Recipe(
    name="mobilenetv1",
    source="arXiv:1704.04861, section 3.3: RMSprop as Inception-V3 (arXiv:1512.00567, section 8: batch, lr, decay, "
    "epsilon, clip, epochs), no label smoothing, milder crops (how mild is not told: 0.35 is ours), no weight decay on "
    "depthwise filters (how much elsewhere is not told: V2's)",
    epochs=100,
    batch=32,
    size=224,
    crop=0.875,
    optimizer="rmsprop_tf",
    lr=0.045,
    schedule="step",
    decay=0.94,
    decay_epochs=2,
    weight_decay=4e-5,
    undecayed="vectors_depthwise",
    momentum=0.9,
    rho=0.9,
    epsilon=1.0,
    clip=2.0,
    area=0.35,
    flip=0.5,
)
"""MobileNetV1's, as far as it is published (arXiv:1704.04861)."""

mobilenetv2 = Recipe(
    name="mobilenetv2",
    source="arXiv:1801.04381, section 6.1, for one of its 16 processors; label smoothing, average, Inception's crop "
    "and colors as in TF-slim; epsilon TF-slim's default; the number of epochs is torchvision's",
    epochs=300,
    batch=96,
    size=224,
    crop=0.875,
    optimizer="rmsprop_tf",
    lr=0.045,
    schedule="step",
    decay=0.98,
    decay_epochs=1,
    weight_decay=4e-5,
    undecayed="vectors",
    momentum=0.9,
    rho=0.9,
    epsilon=1.0,
    average=0.9999,
    smoothing=0.1,
    area=0.05,
    flip=0.5,
    color=0.4,
)
"""MobileNetV2's (arXiv:1801.04381, section 6.1)."""
