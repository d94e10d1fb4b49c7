"""Shared weights: they compute what a network of its own computes, and learn what it learns."""

import random
import sys
from functools import partial
from pathlib import Path
from statistics import median

import pytest
import torch
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.blocks import IRMB, UIB, Conv, Inverted, MobileMQA
from mobilevision.errors import UsageError
from mobilevision.search import spaces
from mobilevision.search.corner import corner
from mobilevision.search.space import WIDTHS, Pick, Space, largest, replay, sample
from mobilevision.search.supernet import Supernet, alternatives

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))
import search_cost

SPACES: dict[str, Space] = {
    "mnasnet": partial(spaces.mnasnet, size=32, width=0.5, depth=2),
    "v3_like": partial(spaces.v3_like, size=32, width=0.5, depth=2),
    "v4_fine": partial(spaces.v4_fine, plan=spaces.HYBRID_MEDIUM, size=64, width=0.25, depth=3),
    "meta": partial(spaces.meta, size=64, width=0.25, depth=2),
}


def small(pick: Pick) -> Arch:
    """One searched block: its width, its filter, and the channels inside it."""
    block = Inverted(
        pick("1.out", (8, 16)), kernel=pick("1.0.kernel", (3, 5)), expand=pick("1.0.expand", (2, 4)), act="relu"
    )
    return Arch("small", ((Conv(8, 2),), (block,)), size=16)


def test_a_corner_is_the_first_channels_and_the_middle_of_the_kernel() -> None:
    weight = torch.arange(2 * 3 * 5 * 5).float().reshape(2, 3, 5, 5)

    assert torch.equal(corner(weight, (1, 2, 3, 3)), weight[:1, :2, 1:4, 1:4])


def test_a_corner_of_several_parts_takes_the_first_of_each() -> None:
    assert corner(torch.arange(6), (4,), parts=2).tolist() == [0, 1, 3, 4]


def test_a_corner_larger_than_its_weight_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\(2, 3\) cannot lend \(2, 4\)"):
        corner(torch.zeros(2, 3), (2, 4))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_largest_architecture_matches_stand_alone(space: Space) -> None:
    net, arch = Supernet(space, 5), largest(space).arch
    pictures = torch.randn(4, 3, arch.size, arch.size)

    assert torch.equal(net(pictures, arch), net.network(arch).train()(pictures))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_every_architecture_matches_a_network_with_copies_of_its_weights(space: Space) -> None:
    net, rng = Supernet(space, 5), random.Random(0)
    for _ in range(4):
        arch = sample(space, rng).arch
        pictures = torch.randn(4, 3, arch.size, arch.size)
        assert torch.equal(net(pictures, arch), net.network(arch).train()(pictures))


def test_gradients_flow_to_the_lender_and_stay_in_the_corner() -> None:
    net = Supernet(small, 3)
    narrow = replay(small, {"1.out": 0, "1.0.kernel": 0, "1.0.expand": 0})
    net(torch.randn(4, 3, 16, 16), narrow).square().sum().backward()
    expand, project = net.weights["1-0-expand-conv-weight"].grad, net.weights["1-0-project-conv-weight"].grad

    assert expand is not None
    assert project is not None
    assert expand[:16].abs().amin() > 0
    assert project[:8, :16].abs().amin() > 0
    assert expand[16:].abs().amax() == 0
    assert project[8:].abs().amax() == 0
    assert project[:, 16:].abs().amax() == 0


def test_gradients_are_those_of_a_network_of_its_own() -> None:
    net = Supernet(small, 3)
    arch = replay(small, {"1.out": 1, "1.0.kernel": 0, "1.0.expand": 0})
    alone, pictures = net.network(arch).train(), torch.randn(4, 3, 16, 16)
    net(pictures, arch).square().sum().backward()
    alone(pictures).square().sum().backward()
    lent, own = net.weights["1-0-expand-conv-weight"].grad, alone.get_parameter("stages.1.0.expand.conv.weight").grad

    assert lent is not None
    assert own is not None
    assert torch.equal(lent[:16], own)


def test_filters_of_different_sides_are_weights_of_their_own_and_share_the_rest() -> None:
    roles = set(Supernet(small, 3).weights)

    assert {role for role in roles if "depthwise" in role and "conv" in role} == {
        "1-0-depthwise-conv-weight-3x3",
        "1-0-depthwise-conv-weight-5x5",
    }
    assert {role for role in roles if "expand-conv" in role} == {"1-0-expand-conv-weight"}


def test_a_block_borrows_the_same_weights_with_and_without_its_residual() -> None:
    def optional(pick: Pick) -> Arch:
        return Arch("optional", ((Conv(8, 2),), (UIB(pick("1.out", (8, 16)), start=3),)), size=16)

    net = Supernet(optional, 3)

    assert len([role for role in net.weights if "expand-conv" in role]) == 1
    for index in range(2):
        arch = replay(optional, {"1.out": index})
        pictures = torch.randn(2, 3, 16, 16)
        assert torch.equal(net(pictures, arch), net.network(arch).train()(pictures))


def test_queries_and_keys_are_borrowed_apart() -> None:
    def mixing(pick: Pick) -> Arch:
        out = pick("1.out", (8, 16))
        return Arch("mixing", ((Conv(out, 2),), (IRMB(out, head=4, window=2, expand=2), MobileMQA(out))), size=8)

    net = Supernet(mixing, 3)
    net(torch.randn(2, 3, 8, 8), replay(mixing, {"1.out": 0})).sum().backward()
    grad = net.weights["1-0-far-qk-bias"].grad

    assert grad is not None
    assert [i for i, value in enumerate(grad.tolist()) if value] <= [*range(8), *range(16, 24)]
    assert grad[:8].abs().sum() > 0  # queries
    assert grad[8:16].abs().sum() == grad[24:].abs().sum() == 0


def test_an_architecture_of_another_space_is_refused() -> None:
    with pytest.raises(UsageError, match="architecture of their space"):
        Supernet(small, 3)(torch.randn(2, 3, 16, 16), replay(small, {}).with_block((1, 0), UIB(16, start=3)))
    with pytest.raises(UsageError, match="cannot lend"):
        Supernet(small, 3)(torch.randn(2, 3, 16, 16), replay(small, {}).with_block((1, 0), Inverted(24, expand=4)))


def test_evaluation_takes_the_statistics_of_the_batch_too() -> None:
    net, pictures = Supernet(small, 3), torch.randn(4, 3, 16, 16)
    arch = largest(small).arch

    assert torch.equal(net.train()(pictures, arch), net.eval()(pictures, arch))
    assert not dict(net.named_buffers())


def test_alternatives_are_the_other_operations_at_the_same_width() -> None:
    drawn = sample(small, random.Random(1))
    found = alternatives(small, drawn.choices, fixed=WIDTHS)
    block = drawn.arch.block((1, 0))

    assert list(found) == [(1, 0)]
    assert isinstance(block, Inverted)
    assert [(other.out, getattr(other, "kernel", 0)) for other in found[1, 0]] == [(block.out, 8 - block.kernel)]


def test_the_warm_up_runs_the_mean_of_all_operations() -> None:
    net, drawn = Supernet(small, 3), largest(small)
    pictures = torch.randn(4, 3, 16, 16)
    others = alternatives(small, drawn.choices, fixed=WIDTHS)
    alone = [net.network(arch).train() for arch in (drawn.arch, replay(small, {"1.0.kernel": 0}))]
    stem = alone[0].stages[0](pictures)
    expected = alone[0].head([torch.stack([network.stages[1](stem) for network in alone]).mean(0)])

    torch.testing.assert_close(net(pictures, drawn.arch, others), expected)


def test_shared_weights_learn() -> None:
    net, rng = Supernet(small, 2), random.Random(0)
    pictures, targets = torch.randn(16, 3, 16, 16), torch.arange(16) % 2
    adam = torch.optim.Adam(net.parameters(), lr=0.01)
    losses = []
    for _ in range(40):
        loss = F.cross_entropy(net(pictures, sample(small, rng).arch), targets)
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())

    assert sum(losses[-8:]) < 0.3 * sum(losses[:8])


@pytest.mark.slow
@pytest.mark.parametrize("space", search_cost.SPACES.values(), ids=search_cost.SPACES)
def test_a_shared_step_costs_at_most_a_fifth_more_than_the_network_alone(space: Space) -> None:
    assert median(search_cost.step_ratios(space)) <= 1.2


@pytest.mark.slow
def test_five_thousand_networks_are_priced_in_a_second() -> None:
    assert search_cost.prices_a_second(spaces.v4_fine) >= 5000
