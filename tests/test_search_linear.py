"""TuNAS's linear price over one-hot features: what is a sum of rows it tells to the end."""

import random

import pytest

from mobilevision.architecture import Arch
from mobilevision.cost import macs, walk
from mobilevision.errors import InputError, UsageError
from mobilevision.search.linear import features, fit_one_hot
from mobilevision.search.space import largest, sample
from mobilevision.search.spaces import find_space

SPACE = find_space("v4_coarse_small", size=32, width=1.0, depth=1)


def drawn(count: int, seed: int) -> list[Arch]:
    rng = random.Random(seed)
    return [sample(SPACE, rng).arch for _ in range(count)]


def price(arch: Arch) -> float:
    return 1e5 + macs(arch, outputs=4)


def test_a_network_has_a_feature_for_each_block_where_it_stands() -> None:
    arch = largest(SPACE).arch
    found = features(arch, outputs=4)

    assert len(found) == len(set(found)) == len(walk(arch))
    assert found[0] == ((0, 0), arch.block((0, 0)), (3, 32, 32))


def test_prices_that_are_sums_of_rows_are_told_of_networks_that_were_not_fitted() -> None:
    known = drawn(300, 0)
    model = fit_one_hot(known, [price(arch) for arch in known], outputs=4)
    others = [arch for arch in drawn(40, 1) if arch not in known]

    assert len(others) > 10
    for arch in others:
        assert model(arch) == pytest.approx(price(arch), rel=1e-3)


def test_of_a_block_that_no_network_of_the_fit_had_nothing_is_known() -> None:
    model = fit_one_hot(drawn(1, 0), [1.0], outputs=4)
    with pytest.raises(InputError, match="no network of the fit has"):
        model(largest(SPACE).arch)


@pytest.mark.parametrize("prices", [[], [1.0], [1.0, 0.0]])
def test_prices_that_make_no_sense_are_refused(prices: list[float]) -> None:
    with pytest.raises(UsageError, match="cannot be fitted; give positive ones"):
        fit_one_hot(drawn(2, 0), prices)
