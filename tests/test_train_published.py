"""The papers' recipes have the papers' numbers."""

from dataclasses import asdict

import pytest
import torch
from torch import nn

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.data.policies import OPERATIONS
from mobilevision.network import Network
from mobilevision.train import recipes
from mobilevision.train.device import make_fabric
from mobilevision.train.feed import augmentation
from mobilevision.train.learner import make_learner
from mobilevision.train.optimizer import groups
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import RECIPES
from mobilevision.train.schedule import learning_rate
from mobilevision.zoo import arch

OURS = {"finetune", "scratch_small", "quick", "detect_small", "segment_small", "embed_small", "embed_finetune"}

# arXiv:2404.10518, table 10, a column a network
TABLE_10 = {
    "mobilenetv4_conv_small": (4096, 0.002, 9600, 5, 0, 0.01, 0.6, 1e-6, 0.9999, 1e-5, 0.3, 0, 0.5, 9, 0),
    "mobilenetv4_conv_medium": (4096, 0.004, 500, 5, 0, 0.1, 0.9, 1e-7, 0, 0, 0.2, 0.075, 0.7, 15, 0),
    "mobilenetv4_hybrid_medium": (16384, 0.016, 500, 20, 0, 0.1, 0.9, 1e-7, 0, 0, 0.2, 0.075, 0.7, 15, 0),
    "mobilenetv4_conv_large": (16384, 0.004, 500, 20, 0, 0.2, 0.9, 1e-7, 0, 0, 0.2, 0.35, 1.0, 15, 0.3),
    "mobilenetv4_hybrid_large": (16384, 0.01, 500, 20, 0.001, 0.2, 0.9, 1e-7, 0, 0, 0.2, 0.35, 1.0, 15, 0.3),
}


@pytest.mark.parametrize("name", TABLE_10)
def test_mobilenetv4_has_the_numbers_of_table_10(name: str) -> None:
    recipe = RECIPES[name]
    mixing = augmentation(recipe).mixing
    row = (
        *(recipe.batch, recipe.lr, recipe.epochs, recipe.warmup * recipe.epochs, recipe.final_lr),
        *(recipe.weight_decay, recipe.beta1, recipe.epsilon, recipe.average, recipe.l2),
        *(recipe.dropout, recipe.drop_path, recipe.policy_chance, recipe.magnitude, mixing.chance if mixing else 0),
    )
    assert row == pytest.approx(TABLE_10[name])
    assert (recipe.optimizer, recipe.schedule, recipe.beta2, recipe.smoothing) == ("adamw", "cosine", 0.999, 0.1)
    assert (recipe.policy, recipe.policy_layers, recipe.clip) == ("rand", 2, 0)
    assert "Cutout" not in OPERATIONS
    if mixing:
        assert (recipe.mixup, recipe.cutmix) == (0.8, 1.0)


PUBLISHED = {  # name -> the figures that are published
    "mobilenetv1": {  # from epochs on Inception-V3's (arXiv:1512.00567, section 8)
        **{"optimizer": "rmsprop_tf", "smoothing": 0.0, "undecayed": "vectors_depthwise", "epochs": 100, "batch": 32},
        **{"lr": 0.045, "decay": 0.94, "decay_epochs": 2, "rho": 0.9, "epsilon": 1.0, "clip": 2.0},
    },
    "mobilenetv2": {
        **{"optimizer": "rmsprop_tf", "rho": 0.9, "momentum": 0.9, "weight_decay": 4e-5, "lr": 0.045, "batch": 96},
        **{"decay": 0.98, "decay_epochs": 1, "smoothing": 0.1, "average": 0.9999},
    },
    "mobilenetv3": {
        **{"optimizer": "rmsprop_tf", "momentum": 0.9, "lr": 0.1, "batch": 4096, "decay": 0.99, "decay_epochs": 3},
        **{"dropout": 0.2, "weight_decay": 1e-5, "average": 0.9999, "norm_keep": 0.99, "epsilon": 0.002},
    },
    "mobilenetv3_slim": {
        **{"optimizer": "rmsprop_tf", "rho": 0.9, "momentum": 0.9, "epsilon": 0.002, "lr": 0.16, "batch": 8 * 192},
        **{"decay": 0.99, "decay_epochs": 3, "weight_decay": 1e-5, "average": 0.9999, "dropout": 0.2},
        **{"norm_keep": 0.997, "smoothing": 0.1},
    },
    "mobilenetv4_conv_large_code": {"drop_path": 0.2, "drop_path_shape": "flat", "mix_chance": 0.2},
    "mobilenetv4_conv_small": {"norm_keep": 0.95},
    "mobilenetv4_conv_medium": {"norm_keep": 0.997},
    "emo": {
        **{"optimizer": "adamw", "batch": 2048, "epochs": 300, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8},
        **{"weight_decay": 0.05, "lr": 6e-3, "schedule": "cosine", "smoothing": 0.1, "mixup": 0.0, "cutmix": 0.0},
        **{"erase": 0.0, "policy": "rand", "magnitude": 9, "magnitude_spread": 0.5, "color": 0.4, "clip": 5.0},
        **{"average": 0.9998, "crop": 224 / 256},
    },
    "mnasnet": {
        **{"optimizer": "rmsprop_tf", "rho": 0.9, "momentum": 0.9, "norm_keep": 0.99, "weight_decay": 1e-5},
        **{"dropout": 0.2, "lr": 0.256, "decay": 0.97, "decay_epochs": 2.4, "batch": 4096, "size": 224},
        **{"epochs": 350, "epsilon": 0.001},  # 437,898 steps of 1024 pictures, and the optimizer of the authors' code
    },
    "torchvision_mobilenetv2": {
        **{"optimizer": "sgd", "epochs": 300, "lr": 0.045, "weight_decay": 4e-5, "decay": 0.98, "decay_epochs": 1},
        **{"batch": 32 * 8, "momentum": 0.9},
    },
    "torchvision_mobilenetv3": {
        **{"optimizer": "rmsprop", "epochs": 600, "batch": 128 * 8, "lr": 0.064, "weight_decay": 1e-5},
        **{"decay": 0.973, "decay_epochs": 2, "policy": "auto", "erase": 0.2},
        **{"momentum": 0.9, "rho": 0.9, "epsilon": 0.0316},  # of its train.py
    },
    "torchvision_second": {
        **{"epochs": 600, "lr": 0.5, "schedule": "cosine", "policy": "trivial", "erase": 0.1, "smoothing": 0.1},
        **{"mixup": 0.2, "cutmix": 1.0, "weight_decay": 2e-5, "undecayed": "norms", "train_size": 176},
        **{"crop": 224 / 232, "size": 224, "repeats": 4},
        **{"optimizer": "sgd", "momentum": 0.9, "batch": 128 * 8, "first_lr": 0.01},
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_figures_are_the_recipe_s(name: str) -> None:
    facts = asdict(RECIPES[name])
    assert {field: facts[field] for field in PUBLISHED[name]} == PUBLISHED[name]


def test_the_average_of_torchvision_s_second_weights_follows_as_fast_as_its_own() -> None:
    recipe = recipes.torchvision_second
    decay, steps = 0.99998, 32  # of its train.py, which scales what is left of 1 by pictures a step and by epochs

    followed = (1 - decay) * recipe.batch * steps / recipe.epochs

    assert 1 - recipe.average**steps == pytest.approx(followed, rel=0.01)


WARMUPS = {"mobilenetv3_slim": 5, "emo": 20, "mnasnet": 5, "torchvision_second": 5}


@pytest.mark.parametrize(("name", "epochs"), WARMUPS.items())
def test_warm_ups_take_the_published_epochs(name: str, epochs: int) -> None:
    recipe = RECIPES[name]
    rates = [learning_rate(recipe, step, 10 * recipe.epochs) for step in range(10 * epochs + 1)]
    assert rates == sorted(rates)
    assert rates[-1] == recipe.lr


def test_every_published_recipe_tells_its_source() -> None:
    assert all(RECIPES[name].source for name in RECIPES.keys() - OURS)
    assert not any(RECIPES[name].source for name in OURS)
    assert {name for name in recipes.__all__ if isinstance(getattr(recipes, name), Recipe)} == RECIPES.keys()


TINY = Arch("tiny", ((Conv(8, 2),), (Inverted(8), Inverted(16, 2), Inverted(16))), Classifier(), size=32)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_takes_a_step(recipe: Recipe) -> None:
    learner = make_learner(make_fabric("cpu", "32"), Network(TINY, 3), recipe)
    before = learner.network.head.scores.weight.clone()
    pictures, targets = augmentation(recipe).mixing.mixed(torch.randn(4, 3, 32, 32), torch.arange(4) % 3, outputs=3)
    loss = nn.functional.cross_entropy(learner.model(pictures), targets, label_smoothing=recipe.smoothing)
    learner.slope_(loss / recipe.accumulate)
    learner.step_(rate=recipe.lr, step=0)
    assert not torch.equal(learner.network.head.scores.weight, before)
    assert all(torch.isfinite(weight).all() for weight in learner.network.parameters())


def test_mobilenetv1_spares_depthwise_filters_and_torchvision_spares_nothing() -> None:
    network = Network(TINY, 3)
    depthwise = {id(part.weight) for part in network.modules() if isinstance(part, nn.Conv2d) and part.groups > 1}
    assert depthwise
    decaying = {name: set[int]() for name in ("mobilenetv1", "mobilenetv2", "torchvision_mobilenetv2")}
    for name in decaying:
        found = [group["params"] for group in groups(network, RECIPES[name]) if group["weight_decay"]]
        decaying[name] = {id(weight) for weights in found for weight in weights}
    assert not depthwise & decaying["mobilenetv1"]
    assert depthwise <= decaying["mobilenetv2"]
    assert decaying["torchvision_mobilenetv2"] == {id(weight) for weight in network.parameters()}


@pytest.mark.parametrize(
    ("name", "recipe", "advised"),
    [
        ("mobilenetv4_hybrid_medium", "scratch_small", "--set lr=0.0005"),
        ("mobilenetv4_hybrid_medium", "mobilenetv4_hybrid_medium", ""),  # its batch is 512 times as large
        ("mobilenetv4_conv_small", "scratch_small", ""),
        ("emo_1m", "scratch_small", ""),
    ],
)
def test_a_learning_rate_at_which_mobile_mqa_runs_away_is_told(name: str, recipe: str, advised: str) -> None:
    line = recipes.advice(RECIPES[recipe], arch(name))
    assert advised in line
    assert bool(line) == bool(advised)


def test_masks_are_judged_at_the_side_at_which_training_sees_their_pictures() -> None:
    recipe = recipes.segment_small
    areas = torch.linspace(recipe.area, 1, 10_001)
    zoom = float(areas.rsqrt().mean())

    assert zoom == pytest.approx(4 / 3, abs=1e-3)
    assert abs(recipe.train_size * zoom - recipe.size) < 32  # the next side that strides of 32 divide
