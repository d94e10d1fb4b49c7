"""How EMO (MetaMobile) and MnasNet's found networks were trained on ImageNet."""

from mobilevision.train.recipe import Recipe

emo = Recipe(
    name="emo",
    source="arXiv:2301.01146, section 4.1, with the authors' configuration and logs; the noise that the logs of the "
    "two smallest networks show on the learning rate is left out",
    epochs=300,
    batch=2048,
    size=224,
    crop=224 / 256,
    optimizer="adamw",
    lr=6e-3,
    warmup=20 / 300,
    first_lr=1e-6 / 6e-3,
    final_lr=1e-6 / 6e-3,
    weight_decay=0.05,
    beta1=0.9,
    beta2=0.999,
    epsilon=1e-8,
    clip=5.0,
    average=0.9998,
    smoothing=0.1,
    area=0.08,
    flip=0.5,
    policy="rand",
    magnitude=9,
    magnitude_spread=0.5,
    policy_layers=2,
    color=0.4,
)
"""EMO's, for all of its sizes; it uses neither mixup nor cutmix nor random erasing."""

mnasnet = Recipe(
    name="mnasnet",
    source="arXiv:1807.11626, section 5, the training on full ImageNet; epochs and epsilon from the authors' code",
    epochs=350,
    batch=4096,
    size=224,
    crop=0.875,
    optimizer="rmsprop_tf",
    lr=0.256,
    schedule="step",
    warmup=5 / 350,
    decay=0.97,
    decay_epochs=2.4,
    weight_decay=1e-5,
    momentum=0.9,
    rho=0.9,
    epsilon=0.001,
    norm_keep=0.99,
    dropout=0.2,
    area=0.05,
    flip=0.5,
    color=0.4,
)
"""MnasNet's (arXiv:1807.11626, section 5)."""
