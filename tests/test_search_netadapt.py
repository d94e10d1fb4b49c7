"""NetAdapt: what can be cut, which weights stay, and which proposal wins."""

import itertools
import math
import random
from collections.abc import Sequence
from functools import partial

import pytest
import torch

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import IRMB, UIB, Classifier, Conv, Gate, Inverted, LastConv, MobileMQA
from mobilevision.cost import macs
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.search.inherit import inherit
from mobilevision.search.narrow import Bottleneck, Expansion, cuts, inside, parts
from mobilevision.search.netadapt import Step, by_accuracy, by_ratio, netadapt, proposals
from mobilevision.search.space import sample
from mobilevision.search.spaces import find_space

ARCH = Arch(
    "three",
    (
        (Conv(8, 2),),
        (
            Inverted(16, 2, expand=4, se=Gate(multiple=1), act="relu"),
            Inverted(16, expand=2, act="relu"),
            UIB(16, start=3, expand=2),
        ),
        (IRMB(24, 2, expand=3), IRMB(24, head=8, window=2, expand=2), MobileMQA(24, heads=2, dim=8)),
        (LastConv(32),),
    ),
    Classifier(),
    size=16,
)
CHEAP = partial(macs, outputs=5)


def moved(arch: Arch) -> Network:
    """A network whose batch norms have seen noise and have scales of their own."""
    network = Network(arch, 5)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() == 1:
                weight.copy_(torch.rand_like(weight) + 0.5 * ("weight" in name))
    network.train()(torch.randn(8, 3, 16, 16))
    return network.eval()


def half(networks: Sequence[Network]) -> list[float]:
    """Every network is right on half of the pictures."""
    return [0.5] * len(networks)


def test_expansions_and_bottlenecks_that_residuals_join_can_be_cut() -> None:
    assert list(parts(ARCH)) == [
        Bottleneck(((0, 0),)),
        Expansion((1, 0)),
        Expansion((1, 1)),
        Expansion((1, 2)),
        Bottleneck(((1, 0), (1, 1), (1, 2))),
        Expansion((2, 0)),
        Expansion((2, 1)),
        Bottleneck(((2, 0), (2, 1), (2, 2))),
        Bottleneck(((3, 0),)),
    ]


def test_every_cut_builds_and_costs_less() -> None:
    for part in parts(ARCH):
        for channels, small in cuts(ARCH, part):
            assert part.channels(small) == channels
            assert CHEAP(small) < CHEAP(ARCH)
            assert Network(small, 5)(torch.randn(2, 3, 16, 16)).shape == (2, 5)


def test_no_cut_makes_a_block_add_its_input_that_did_not_before() -> None:
    arch = Arch("steps", ((Conv(16, 2),), (Inverted(24), Inverted(24)), (Inverted(40),)), size=16)
    part = Bottleneck(((1, 0), (1, 1)))

    assert [channels for channels, _ in cuts(arch, part)] == [8]
    for _, small in cuts(arch, part):
        assert inherit(Network(arch, 5), small)(torch.randn(2, 3, 16, 16)).shape == (2, 5)


def test_every_cut_of_any_network_of_a_space_has_the_weights_that_the_network_has() -> None:
    space, rng = find_space("mnasnet", size=32, width=0.25, depth=1), random.Random(0)
    with torch.device("meta"):
        for _ in range(30):
            arch = sample(space, rng).arch
            names = Network(arch, 3).state_dict().keys()
            for part in parts(arch):
                for _, small in itertools.islice(cuts(arch, part), 2):
                    assert Network(small, 3).state_dict().keys() == names


def test_a_bottleneck_that_is_cut_leaves_what_is_inside_every_block() -> None:
    part = Bottleneck(((1, 0), (1, 1), (1, 2)))
    small = part.cut(ARCH, 8)

    for place, cin, before in (((1, 1), 8, 16), ((1, 2), 8, 16), ((2, 0), 8, 16)):
        assert inside(small.block(place), cin) == inside(ARCH.block(place), before)


def test_a_cut_keeps_the_heads_of_an_inverted_residual_mobile_block_whole() -> None:
    arch = Arch("heads", ((Conv(40, 2), IRMB(40, head=20)),), size=16)

    assert [channels for channels, _ in cuts(arch, Bottleneck(((0, 0), (0, 1))))] == []


@pytest.mark.parametrize("name", ["mobilenetv3_small_100", "mobilenetv4_conv_small", "emo_1m", "mobilenetv1_050"])
def test_published_networks_have_proposals(name: str) -> None:
    arch = zoo.arch(name)
    found = list(proposals(arch, macs, 0.99 * macs(arch)))

    assert len(found) > 10
    assert all(macs(proposal.arch) == proposal.cost <= 0.99 * macs(arch) for proposal in found)


def test_channels_that_do_nothing_are_the_ones_that_go() -> None:
    network, pictures = moved(ARCH), torch.randn(4, 3, 16, 16)
    body = network.stages[1][1].body  # its expansion has 32 channels
    with torch.no_grad():
        idle = torch.arange(0, 32, 2)
        body.expand.conv.weight[idle] *= 1e-4
        body.project.conv.weight[:, idle] = 0
    small = inherit(network, Expansion((1, 1)).cut(ARCH, 16)).eval()

    torch.testing.assert_close(small(pictures), network(pictures))


def test_joined_bottlenecks_lose_the_same_channels_everywhere() -> None:
    network, pictures = moved(ARCH), torch.randn(4, 3, 16, 16)
    idle = [1, 4, 5, 7, 8, 11, 13, 14]
    with torch.no_grad():
        for block in (network.stages[1][0], network.stages[1][1].body, network.stages[1][2].body):
            block.project.conv.weight[idle] *= 1e-4
            block.project.norm.weight[idle] = 0
            block.project.norm.bias[idle] = 0
    part = Bottleneck(((1, 0), (1, 1), (1, 2)))
    small = inherit(network, part.cut(ARCH, 8)).eval()
    first = network.stages[1][0].project.conv.weight
    rest = [i for i in range(16) if i not in idle]

    assert torch.equal(small.stages[1][0].project.conv.weight, first[rest])
    # The start filter of the third block and the norm of the fourth see a constant where a channel was idle.
    uib = network.stages[1][2].body
    with torch.no_grad():
        uib.expand.conv.weight[:, idle] = 0
        network.stages[2][0].widen.conv.weight[:, idle] = 0
    small = inherit(network, part.cut(ARCH, 8)).eval()
    torch.testing.assert_close(small(pictures), network(pictures))


def test_a_gate_stays_with_its_channels() -> None:
    network = moved(ARCH)
    small = inherit(network, Expansion((1, 0)).cut(ARCH, 16))
    old, new = network.stages[1][0], small.stages[1][0]
    size = old.expand.conv.weight.square().flatten(1).sum(1)
    kept = size.topk(16).indices.sort().values

    hidden = new.gate.squeeze.conv.weight.shape[0]
    assert torch.equal(new.gate.excite.conv.bias, old.gate.excite.conv.bias[kept])
    assert torch.equal(new.gate.squeeze.conv.weight, old.gate.squeeze.conv.weight[:hidden, kept])


def test_the_weights_of_an_uncut_network_are_its_own() -> None:
    network, pictures = moved(ARCH), torch.randn(2, 3, 16, 16)

    assert torch.equal(inherit(network, ARCH).eval()(pictures), network(pictures))


def test_a_network_cannot_inherit_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="cannot lend"):
        inherit(Network(ARCH, 5), ARCH.with_block((1, 0), Inverted(16, 2, expand=8, se=Gate(multiple=1), act="relu")))


def test_the_budget_is_met_step_by_step() -> None:
    start = CHEAP(ARCH)
    steps = list(
        netadapt(
            Network(ARCH, 5),
            price=CHEAP,
            budget=0.7 * start,
            saving=0.05 * start,
            tune=half,
        )
    )

    assert steps[0].proposal is None
    assert steps[-1].cost <= 0.7 * start < steps[-2].cost
    assert all(
        before.cost - after.cost >= min(0.05 * start, before.cost - 0.7 * start) - 1e-6
        for before, after in itertools.pairwise(steps)
    )
    assert all(step.cost == CHEAP(step.network.arch) for step in steps)


def test_a_search_that_was_stopped_goes_on_from_its_last_step() -> None:
    start = CHEAP(ARCH)

    def tune(networks: Sequence[Network]) -> list[float]:
        return [macs(network.arch, outputs=5) % 97 / 97 for network in networks]

    def steps(begun: Step | None = None) -> list[Step]:
        return list(
            netadapt(Network(ARCH, 5), price=CHEAP, budget=0.7 * start, saving=0.05 * start, tune=tune, begun=begun)
        )

    whole = steps()
    rest = steps(whole[2])
    assert [step.network.arch for step in rest] == [step.network.arch for step in whole[3:]]


def test_proposals_are_the_widest_that_are_cheap_enough() -> None:
    most = 0.95 * CHEAP(ARCH)
    found = {proposal.part: proposal.channels for proposal in proposals(ARCH, CHEAP, most)}
    widest = {
        part: next((channels for channels, small in cuts(ARCH, part) if CHEAP(small) <= most), None)
        for part in parts(ARCH)
    }

    assert found == {part: channels for part, channels in widest.items() if channels is not None}


def test_a_budget_no_network_can_meet_is_refused_with_the_least_reached() -> None:
    with pytest.raises(UsageError, match="the least reached is"):
        list(
            netadapt(
                Network(ARCH, 5),
                price=CHEAP,
                budget=1.0,
                saving=CHEAP(ARCH) / 4,
                tune=half,
            )
        )


def test_a_saving_that_is_nothing_is_refused() -> None:
    with pytest.raises(UsageError, match="never ends"):
        next(netadapt(Network(ARCH, 5), price=CHEAP, budget=1.0, saving=0, tune=half))


def test_netadapt_prefers_accuracy_and_mobilenetv3_what_a_saved_millisecond_loses() -> None:
    network = Network(ARCH, 5)
    before = Step(network, 0.80, 10.0, None, 1)
    little, much = Step(network, 0.79, 9.5, None, 2), Step(network, 0.78, 6.0, None, 2)

    assert by_accuracy(before, little) > by_accuracy(before, much)
    assert by_ratio(before, little) < by_ratio(before, much)


def test_netadapt_reaches_the_optimum_where_greedy_is_optimal() -> None:
    """Every expansion is worth a concave function of its channels, and every channel costs alike: greedy is best."""
    widths = (4, 4, 4)
    arch = Arch(
        "equal", ((Conv(16, 2),), tuple(Inverted(16, 2 if j == 0 else 1, expand=e) for j, e in enumerate(widths)))
    )
    worth = (0.05, 0.02, 0.11)

    def channels(a: Arch) -> tuple[int, ...]:
        return tuple(inside(block, 16) for block in a.stages[1])

    def accuracy(counts: tuple[int, ...]) -> float:
        return sum(w * math.sqrt(n) for w, n in zip(worth, counts, strict=True))

    def price(a: Arch) -> float:  # only what is inside the blocks has a price
        same = all(block.out == 16 for block in a.stages[1]) and a.block((0, 0)).out == 16
        return float(sum(channels(a))) if same else 1e9

    steps = list(
        netadapt(
            Network(arch, 5),
            price=price,
            budget=96,
            saving=8,
            tune=lambda networks: [accuracy(channels(network.arch)) for network in networks],
        )
    )
    possible = (counts for counts in itertools.product(range(8, 65, 8), repeat=3) if sum(counts) == 96)

    assert steps[-1].cost == 96
    assert steps[-1].accuracy == pytest.approx(max(accuracy(counts) for counts in possible))
