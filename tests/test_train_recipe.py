"""Recipes and what follows from them alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.build import starting
from mobilevision.data import Preprocessing
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.layers import Residual
from mobilevision.network import Network
from mobilevision.train.average import Average
from mobilevision.train.chance import set_drops_
from mobilevision.train.device import make_fabric, pick_device
from mobilevision.train.feed import augmentation, seen_in_training
from mobilevision.train.learner import make_learner
from mobilevision.train.optimizer import OPTIMIZERS, groups, make_optimizer
from mobilevision.train.recipe import Recipe, beyond_defaults
from mobilevision.train.recipes import RECIPES, find_recipe, quick
from mobilevision.train.rmsprop import RMSpropTF
from mobilevision.train.schedule import learning_rate
from mobilevision.weights.save import save_weights

TINY = Arch("tiny", ((Conv(8, 2),), (Inverted(8), Inverted(16, 2), Inverted(16))), Classifier(), size=32)


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_every_recipe_reads_back_from_its_facts(recipe: Recipe) -> None:
    assert Recipe.read(recipe.facts()) == recipe
    assert find_recipe(recipe.name) is recipe
    assert augmentation(recipe).flip == recipe.flip


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_what_a_recipe_says_beyond_defaults_is_all_that_it_says(recipe: Recipe) -> None:
    said = beyond_defaults(recipe.facts())
    assert Recipe.read(said) == recipe
    assert len(said) < len(recipe.facts())


def test_words_become_numbers_of_the_field_s_kind() -> None:
    changed = quick.changed({"lr": "3e-4", "epochs": "5", "optimizer": "sgd", "size": 32})
    assert changed == replace(quick, lr=3e-4, epochs=5, least_steps=0, optimizer="sgd", size=32)


def test_who_asks_for_epochs_gets_them() -> None:
    assert quick.least_steps > 100
    assert quick.passes(1) == quick.least_steps
    assert quick.passes(1000) == quick.epochs
    assert quick.changed({"epochs": 3}).passes(1) == 3


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epoch": "5"}, "epochs"),
        ({"epochs": "5.5"}, "whole number"),
        ({"epochs": 5.5}, "whole number"),
        ({"lr": "fast"}, "lr is a number, not 'fast'"),
        ({"lr": "nan"}, "lr must be more than 0"),
        ({"epochs": "0"}, "more than 0"),
        ({"dropout": "1.5"}, "share from 0 to 1"),
        ({"optimizer": "adam"}, "adamw"),
        ({"policy": "wild"}, "trivial"),
        ({"schedule": "cosin"}, "exponential"),
        ({"exclude": "Cutout"}, "no operation 'Cutout'"),
        ({"accumulate": "-1"}, "at least 0"),
        ({"weight_decay": -1}, "at least 0"),
        ({"lr": "inf"}, "at least 0, not inf"),
    ],
)
def test_a_change_that_cannot_be_meant_is_refused(changes: dict[str, str | float], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        quick.changed(changes)


def test_an_unknown_recipe_is_told_with_those_near_it() -> None:
    with pytest.raises(UsageError, match="did you mean finetune"):
        find_recipe("finetun")


def test_a_recipe_that_lacks_a_field_is_refused() -> None:
    facts = quick.facts()
    del facts["lr"]
    with pytest.raises(InputError, match="lacks 'lr'"):
        Recipe.read(facts)


def test_the_learning_rate_rises_in_a_line_and_falls_in_a_cosine() -> None:
    recipe = replace(quick, lr=1.0, warmup=0.2, final_lr=0.1)
    rates = [learning_rate(recipe, step, 100) for step in range(101)]
    assert rates[:20] == pytest.approx([(step + 1) / 21 for step in range(20)])
    assert rates[20] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert rates[100] == pytest.approx(0.1)
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_words_that_are_excluded_are_separated_by_commas() -> None:
    assert quick.changed({"exclude": "Solarize, Posterize"}).exclude == ("Solarize", "Posterize")


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("linear", [1.0, 0.775, 0.55, 0.325, 0.1]),
        ("exponential", [1.0, 0.5**0.5, 0.5, 0.5**1.5, 0.25]),
        ("step", [1.0, 1.0, 0.5, 0.5, 0.25]),
        ("constant", [1.0] * 5),
    ],
)
def test_every_schedule_falls_as_its_name_says(schedule: str, expected: list[float]) -> None:
    recipe = replace(
        quick, lr=1.0, schedule=schedule, warmup=0.0, final_lr=0.1, decay=0.5, decay_epochs=2, epochs=4, least_steps=0
    )
    assert [learning_rate(recipe, step, 40) for step in (0, 10, 20, 30, 40)] == pytest.approx(expected)


def test_a_warm_up_can_start_above_nothing() -> None:
    recipe = replace(quick, lr=1.0, warmup=0.5, first_lr=0.5)
    assert [learning_rate(recipe, step, 8) for step in range(5)] == pytest.approx([0.6, 0.7, 0.8, 0.9, 1.0])


def test_tensorflow_s_rmsprop_follows_its_definition() -> None:
    weight = nn.Parameter(torch.tensor([2.0, -1.0]))
    optimizer = RMSpropTF([weight], 0.1, rho=0.9, epsilon=0.5, momentum=0.8)
    value, square, momentum = weight.detach().clone(), torch.ones(2), torch.zeros(2)
    for slope in (torch.tensor([1.0, 3.0]), torch.tensor([-2.0, 0.5])):
        weight.grad = slope
        optimizer.step()
        square = 0.9 * square + 0.1 * slope**2
        momentum = 0.8 * momentum + 0.1 * slope / (square + 0.5).sqrt()
        value = value - momentum
        assert torch.allclose(weight, value)


def test_weight_decay_is_added_to_the_gradient_of_rmsprop() -> None:
    pulled, plain = (nn.Parameter(torch.ones(1)) for _ in range(2))
    for weight, slope, decay in ((pulled, 0.0, 0.5), (plain, 0.5, 0.0)):
        optimizer = RMSpropTF([{"params": [weight], "weight_decay": decay}], 0.1)
        weight.grad = torch.full((1,), slope)
        optimizer.step()
    assert torch.equal(pulled, plain)


def test_the_l2_term_pulls_what_decays_towards_zero() -> None:
    recipe = replace(quick, l2=0.5, weight_decay=0.0, clip=0.0)
    learner = make_learner(make_fabric("cpu", "32"), Network(TINY, 3), recipe)
    weight, bias = learner.network.head.scores.weight, learner.network.head.scores.bias
    learner.slope_(0 * learner.model(torch.randn(2, 3, 32, 32)).sum())
    assert torch.allclose(weight.grad, 0.5 * weight)
    assert not bias.grad.any()


def test_pictures_grow_in_multiples_of_32_to_the_last_size() -> None:
    recipe, own = replace(quick, first_size=96, train_size=0), Preprocessing((224, 224))
    sides = [seen_in_training(recipe, own, done / 9).size[0] for done in range(10)]
    assert sides[0] == 96
    assert sides[-1] == 224
    assert sides == sorted(sides)
    assert all(side % 32 == 0 for side in sides)
    assert seen_in_training(quick, Preprocessing((96, 160)), 0.5).size == (96, 160)
    assert seen_in_training(replace(quick, train_size=176), own, 0.5).size == (176, 176)


def test_without_warm_up_the_first_rate_is_the_highest() -> None:
    assert learning_rate(replace(quick, warmup=0.0), 0, 100) == quick.lr


def test_every_weight_is_trained_and_norms_and_biases_do_not_decay() -> None:
    network = Network(TINY, 3)
    decaying, free = (group["params"] for group in groups(network, replace(quick, weight_decay=0.05)))
    assert len(decaying) + len(free) == len(list(network.parameters()))
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm2d)]
    unpulled = {id(weight) for weight in free}
    assert unpulled == {id(weight) for norm in norms for weight in norm.parameters()} | {id(network.head.scores.bias)}


def test_frozen_weights_are_left_alone() -> None:
    network = Network(TINY, 3)
    network.stages.requires_grad_(False)
    assert sum(len(group["params"]) for group in groups(network, quick)) == 2


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_every_optimizer_goes_downhill(name: str) -> None:
    torch.manual_seed(0)
    layer, x, y = nn.Linear(4, 1), torch.randn(32, 4), torch.randn(32, 1)
    optimizer = make_optimizer(layer, replace(quick, optimizer=name, lr=0.01))
    losses = []
    for _ in range(20):
        loss = (layer(x) - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]


def test_the_average_is_the_sum_that_its_definition_gives() -> None:
    layer = nn.Linear(2, 2)
    average, expected = Average(layer, 0.5), layer.weight.detach().clone()
    for step in range(4):
        with torch.no_grad():
            layer.weight.add_(1)
        average.update_(layer, step)
        keep = min(0.5, (1 + step) / (10 + step))
        expected = keep * expected + (1 - keep) * layer.weight.detach()
    assert torch.allclose(average.network.weight, expected, atol=1e-6)


def test_an_average_that_keeps_nothing_is_the_network() -> None:
    network = Network(TINY, 3).train()
    average = Average(network, 0.0)
    network(torch.randn(2, 3, 32, 32))
    average.update_(network, 0)
    assert all(torch.equal(a, b) for a, b in zip(average.network.buffers(), network.buffers(), strict=True))
    assert not average.network.training


def test_chances_grow_in_a_line_over_the_blocks() -> None:
    network = Network(TINY, 3)
    set_drops_(network, drop_path=0.2, dropout=0.3)
    assert [part.drop for part in network.modules() if isinstance(part, Residual)] == [0.0, 0.2]
    set_drops_(network, drop_path=0.2, dropout=0.3, shape="flat")
    assert [part.drop for part in network.modules() if isinstance(part, Residual)] == [0.2, 0.2]
    assert network.head.drop.p == 0.3


def test_a_device_that_is_not_here_is_told() -> None:
    with pytest.raises(UsageError, match="gpu"):
        pick_device("gpu")
    if not torch.cuda.is_available():
        with pytest.raises(MissingError, match="cuda"):
            make_fabric("cuda", "auto")
    with pytest.raises(UsageError, match="precision"):
        make_fabric("cpu", "fp12")


def test_weights_are_drawn_as_the_recipe_says_where_a_training_starts_from_nothing(tmp_path: Path) -> None:
    facts: dict[str, Any] = {"task": "classify", "weights": None, "seed": 3}
    plain, drawn, again = (
        starting("mobilenetv2_035", 4, init=init, **facts) for init in ("torch", "fan_out", "fan_out")
    )
    assert all(map(torch.equal, drawn.parameters(), again.parameters()))
    convolutions = [part for part in drawn.stages.modules() if isinstance(part, nn.Conv2d)]
    wide = max(convolutions, key=lambda part: part.weight.numel())
    products = wide.out_channels * wide.kernel_size[0] * wide.kernel_size[1]
    assert wide.weight.std().item() == pytest.approx((2 / products) ** 0.5, rel=0.05)
    assert all(map(torch.equal, drawn.head.parameters(), plain.head.parameters()))
    save_weights(plain, tmp_path / "weights.safetensors")
    given = starting("mobilenetv2_035", 4, init="fan_out", **facts | {"weights": str(tmp_path / "weights.safetensors")})
    assert all(map(torch.equal, given.stages.parameters(), plain.stages.parameters()))
