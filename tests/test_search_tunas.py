"""TuNAS's loop: what it learns, what it measures, and that it goes on where it was."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.blocks import Conv, Inverted
from mobilevision.cost import Line, macs
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.search import tunas
from mobilevision.search.reward import Absolute, Hard, Soft
from mobilevision.search.space import Choices, Pick, choose, largest
from mobilevision.search.spaces import find_space
from mobilevision.search.supernet import Supernet
from mobilevision.search.tunas import OFF, Progress, Recipe, Tunas, accuracy
from mobilevision.timing.table_line import fitted

RECIPE = Recipe(
    steps=60, lr=0.05, policy_lr=0.05, policy_growth=4, policy_quiet=0.2, recalibrate=0.5, measured=4, keep=20
)
LARGE = find_space("v4_coarse_small", size=32, width=0.25)


def small(pick: Pick) -> Arch:
    """One searched block: its width, its filter, and the channels inside it."""
    block = Inverted(
        pick("1.out", (8, 16)), kernel=pick("1.0.kernel", (3, 5)), expand=pick("1.0.expand", (2, 4)), act="relu"
    )
    return Arch("small", ((Conv(8, 2),), (block,)), size=16)


def price(arch: Arch) -> tuple[float]:
    """Thousands of multiply-accumulates."""
    return (macs(arch, outputs=2) / 1000,)


def batches(seed: int) -> list[tuple[Tensor, Tensor]]:
    """Pictures of two classes that differ in their mean."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.arange(16) % 2
    return [
        (torch.randn(16, 3, 16, 16, generator=generator) + 0.5 * targets[:, None, None, None], targets)
        for _ in range(3)
    ]


def begun(recipe: Recipe = RECIPE) -> Tunas:
    torch.manual_seed(0)
    return Tunas(small, Supernet(small, 2), recipe, seed=0)


def run(search: Tunas, reward: Absolute, **measure: object) -> Iterator[Progress]:
    return search.search(
        batches(0),
        batches(1),
        prices=price,
        reward=reward,
        loss=F.cross_entropy,
        accuracy=accuracy,
        **measure,  # type: ignore[arg-type]
    )


def test_shared_weights_learn_and_the_policy_finds_its_target() -> None:
    cheapest, dearest = (
        price(small(lambda _, options: options[0]))[0],
        price(small(lambda _, options: options[-1]))[0],
    )
    for target in (cheapest, dearest):
        search = begun(replace(RECIPE, steps=200))
        steps = list(run(search, Absolute((target,), beta=-1.0)))
        assert len(steps) == 200
        assert sum(step.loss for step in steps[-20:]) < 0.5 * sum(step.loss for step in steps[:20])
        assert price(search.best().arch)[0] == pytest.approx(target, rel=0.1)


def test_a_search_that_was_stopped_ends_as_if_it_had_not_been() -> None:
    def steps(search: Tunas) -> list[Progress]:
        one, other = batches(0)[:1], batches(1)[:1]  # the loaders begin again, so one batch alone is the same to both
        costs = Absolute((100.0,))
        found = search.search(one, other, prices=price, reward=costs, loss=F.cross_entropy, accuracy=accuracy)
        return list(found)

    straight = steps(begun())
    kept = straight[19].kept
    assert kept is not None
    for _ in range(2):  # what was kept stays as it was
        again = begun()
        with torch.no_grad():
            for weight in again.supernet.parameters():
                weight.zero_()
        again.restore_(kept)
        assert [step[:5] for step in steps(again)] == [step[:5] for step in straight[20:]]


def test_states_are_handed_out_as_often_as_the_recipe_says() -> None:
    assert [step.step for step in run(begun(), Absolute((100.0,))) if step.kept] == [20, 40, 60]


def test_the_state_of_another_space_is_refused() -> None:
    kept = begun().state()
    other = Supernet(lambda pick: Arch("other", ((Conv(pick("0.out", (4, 8))),),), size=16), 2)
    with pytest.raises(InputError, match="another space"):
        Tunas(small, other, RECIPE).restore_(kept)


def unsure(preferred: Choices) -> Tunas:
    """A search in a space of some millions that prefers some choices, but not by much."""
    found = Tunas(LARGE, Supernet(LARGE, 2), RECIPE, seed=0)
    for name, number in choose(LARGE, lambda name, _: preferred[name]).sizes.items():
        found.policy.logits[f"{name}/{number}"] = [float(option == preferred[name]) for option in range(number)]
    return found


def test_a_search_that_is_not_sure_yet_lands_on_its_target() -> None:
    large = largest(LARGE)
    search, target = unsure(large.choices), 0.8 * price(large.arch)[0]
    likely = search.likely(256)
    (found,) = search.landed(likely, price, Absolute((target,)))

    assert likely[0].choices == large.choices
    assert price(found.arch)[0] == pytest.approx(target, rel=OFF)
    near = [drawn for drawn in likely if price(drawn.arch)[0] == pytest.approx(target, rel=OFF)]
    assert len(near) > 1
    assert all(search.policy.likelihood(found) >= search.policy.likelihood(drawn) for drawn in near)


def test_the_most_likely_choices_are_taken_where_their_cost_is_as_good_as_any() -> None:
    large = largest(LARGE)
    search, (most,) = unsure(large.choices), price(large.arch)
    likely = search.likely(64)

    for reward in (Absolute((most,)), Hard((1.1 * most,)), Soft((0.5 * most,))):
        assert search.landed(likely, price, reward)[0].choices == large.choices


def test_where_no_network_meets_the_target_the_nearest_is_taken() -> None:
    search = unsure(largest(LARGE).choices)
    likely = search.likely(64)
    (found,) = search.landed(likely, price, Hard((1.0,)))

    assert price(found.arch) == min(price(drawn.arch) for drawn in likely)


def test_several_that_land_are_told_the_likeliest_first_and_no_two_alike() -> None:
    large = largest(LARGE)
    search, target = unsure(large.choices), 0.8 * price(large.arch)[0]
    likely = search.likely(256)
    found = search.landed([*likely, *likely], price, Absolute((target,)), count=5)
    chances = [search.policy.likelihood(drawn) for drawn in found]

    assert len(found) == len({drawn.arch.digest for drawn in found}) == 5
    assert all(price(drawn.arch)[0] == pytest.approx(target, rel=OFF) for drawn in found)
    assert chances == sorted(chances, reverse=True)
    assert found[0] == search.landed(likely, price, Absolute((target,)))[0]


def test_a_likelihood_is_the_chance_of_all_choices_together() -> None:
    search = begun()
    search.policy.logits = {"1.out/2": [0.0, math.log(3)], "1.0.kernel/2": [0.0, math.log(4)]}
    drawn = choose(small, lambda name, options: 1)

    assert math.exp(search.policy.likelihood(drawn)) == pytest.approx(3 / 4 * 4 / 5 * 1 / 2)


def test_late_in_the_search_costs_are_put_on_the_line_of_measurements() -> None:
    measured: list[Arch] = []

    def measure(archs: Sequence[Arch]) -> list[float]:
        measured.extend(archs)
        return [3.0 + 2.0 * price(arch)[0] for arch in archs]

    search = begun()
    steps = list(run(search, Absolute((100.0,)), measure=measure))
    drawn = {price(arch)[0] for arch in measured}

    assert len(measured) == RECIPE.measured
    assert len(drawn) > 1
    assert search.line.slope == pytest.approx(2.0)
    assert search.line.intercept == pytest.approx(3.0)
    assert steps[-1].costs[0] > 1.9 * min(step.costs[0] for step in steps[:30])


def test_predictions_are_fitted_by_a_line_or_by_a_factor() -> None:
    assert fitted([1, 2, 3], [3, 5, 7]) == pytest.approx(Line(1.0, 2.0))
    assert fitted([2, 2], [3, 5]) == Line(0.0, 2.0)
    assert fitted([1, 2], [4, 2]) == Line(0.0, 2.0)
    with pytest.raises(UsageError, match="cannot be fitted"):
        fitted([1.0, 2.0], [1.0])


def test_the_warm_ups_open_everything_at_first_and_nothing_later() -> None:
    search = begun()
    first = [search._opened(search.policy.sample(small, search.rng)) for _ in range(20)]
    search.step = RECIPE.steps // 2
    later = [search._opened(search.policy.sample(small, search.rng)) for _ in range(20)]
    widest = largest(small).arch

    assert all(arch.block((1, 0)).out == widest.block((1, 0)).out and others for arch, others in first)
    assert all(others is None for _, others in later)
    assert len({arch for arch, _ in later}) > 3


def test_no_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="no validation pictures"):
        next(
            begun().search(
                batches(0), [], prices=price, reward=Absolute((1.0,)), loss=F.cross_entropy, accuracy=accuracy
            )
        )


def test_a_loss_that_is_no_number_stops_the_search() -> None:
    broken = [(torch.full((4, 3, 16, 16), float("nan")), torch.zeros(4, dtype=torch.long))]
    with pytest.raises(MobilevisionError, match="the loss is nan at step 0"):
        next(
            begun().search(
                broken, batches(1), prices=price, reward=Absolute((1.0,)), loss=F.cross_entropy, accuracy=accuracy
            )
        )


def test_the_recipe_has_the_authors_numbers() -> None:
    recipe = tunas.Recipe(steps=1)

    assert (recipe.decay, recipe.momentum, recipe.eps, recipe.weight_decay) == (0.9, 0.9, 1.0, 4e-5)
    assert (recipe.policy_lr, recipe.policy_growth, recipe.policy_quiet) == (3e-4, 10.0, 0.25)
    assert (recipe.lr, recipe.warmup, recipe.open_ops, recipe.open_widths) == (0.165, 0.025, 0.25, 0.25)
