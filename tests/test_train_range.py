"""The search for a learning rate finds where the loss falls, and what holds weights fast does."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mobilevision.errors import MobilevisionError, UsageError
from mobilevision.network import Network
from mobilevision.train.device import make_fabric
from mobilevision.train.learner import make_learner
from mobilevision.train.loop import fit
from mobilevision.train.optimizer import groups
from mobilevision.train.range_test import find_lr, steepest
from tiny_training import RECIPE, TINY, fresh


def test_the_search_leaves_the_network_as_it_is_and_finds_a_rate_that_learns(colors: Path, tmp_path: Path) -> None:
    network = fresh()
    found = find_lr(network, colors, recipe=RECIPE, workers=0, steps=60)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), fresh().parameters(), strict=True))
    assert list(found.rates) == sorted(found.rates)
    assert 1e-5 < found.lr < 0.5
    assert found.lr in found.rates
    run = fit(network, colors, recipe=replace(RECIPE, lr=found.lr), to=tmp_path / "run", workers=0)
    assert run.history()[-1]["train_loss"] < run.history()[0]["train_loss"]


def test_the_steepest_rate_is_where_the_loss_falls_fastest_before_its_lowest() -> None:
    rates = [10.0 ** (-5 + step / 10) for step in range(60)]
    losses = [3 - math.tanh((step - 30) / 5) for step in range(50)] + [2.5 + step for step in range(10)]
    assert steepest(rates, losses) == rates[30]
    early = [9.0, 8.0, 7.0, *losses[3:]]  # the mean of few batches
    assert steepest(rates, early) == rates[30]
    with pytest.raises(MobilevisionError, match="fell at no learning rate"):
        steepest(rates, [float(i) for i in range(60)])
    with pytest.raises(MobilevisionError, match="fell at no learning rate"):
        steepest([], [])


def test_held_stages_and_norms_neither_learn_nor_count() -> None:
    recipe = replace(RECIPE, freeze=1, norms="frozen", weight_decay=0.1)
    learner = make_learner(make_fabric("cpu", "32"), fresh(), recipe)
    before = {name: value.clone() for name, value in learner.network.state_dict().items()}
    learner.slope_(learner.model(torch.randn(4, 3, 16, 16)).square().mean())
    learner.step_(rate=0.1, step=0)
    changed = {name for name, value in learner.network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed
    assert not any(name.startswith("stages.0") or "norm" in name for name in changed)
    with pytest.raises(UsageError, match="freeze is 9, but tiny has 2 stages"):
        make_learner(make_fabric("cpu", "32"), fresh(), replace(recipe, freeze=9))


def test_learning_rates_fall_from_stage_to_stage_towards_the_image() -> None:
    network = Network(TINY, 3)
    scales = {
        id(w): group["scale"] for group in groups(network, replace(RECIPE, layer_decay=0.5)) for w in group["params"]
    }
    assert {scales[id(weight)] for weight in network.head.parameters()} == {1.0}
    assert {scales[id(weight)] for weight in network.stages[1].parameters()} == {0.5}
    assert {scales[id(weight)] for weight in network.stages[0].parameters()} == {0.25}
    assert len(scales) == len(list(network.parameters()))
