"""Spaces: what they ask, how many points they have, and which published networks are among them."""

import math
import random
from functools import partial

import pytest

from located import locate, outside
from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Conv, MobileMQA
from mobilevision.cost import walk
from mobilevision.errors import UsageError
from mobilevision.search import spaces
from mobilevision.search.count import count
from mobilevision.search.space import Pick, Space, largest, neighbours, replay, sample
from mobilevision.search.spaces import HYBRID_LARGE, HYBRID_MEDIUM, LARGE, MEDIUM, SMALL, ZOO
from mobilevision.zoo.families import NAMED

SPACES: dict[str, Space] = {
    "mnasnet": spaces.mnasnet,
    "proxyless": spaces.proxyless,
    "proxyless_enlarged": spaces.proxyless_enlarged,
    "v3_like": spaces.v3_like,
    "v4_coarse": spaces.v4_coarse,
    "v4_coarse small": partial(spaces.v4_coarse, plan=SMALL),
    "v4_fine": spaces.v4_fine,
    "v4_fine small": partial(spaces.v4_fine, plan=SMALL),
    "v4_fine hybrid large": partial(spaces.v4_fine, plan=HYBRID_LARGE),
    "meta": spaces.meta,
}
LIMITED = (
    spaces.mnasnet,
    spaces.proxyless,
    spaces.proxyless_enlarged,
    spaces.v3_like,
    spaces.v4_coarse,
    spaces.v4_fine,
    spaces.meta,
)


def bendy(pick: Pick) -> Arch:
    """A space small enough to count by hand: a width, a depth, and a kernel for each block; 5x5 may be dilated."""
    out, depth = pick("1.out", (8, 16)), pick("1.depth", (1, 2))
    blocks = []
    for j in range(depth):
        kernel = pick(f"1.{j}.kernel", (3, 5))
        blocks.append(Conv(out, kernel=kernel, dilation=pick(f"1.{j}.dilation", (1, 2)) if kernel == 5 else 1))
    return Arch("bendy", ((Conv(8, 2),), tuple(blocks)), size=16)


def test_conditional_decisions_count_where_they_are_asked() -> None:
    assert count(bendy) == 2 * (3 + 3 * 3)


def test_the_count_is_the_number_of_different_choices() -> None:
    rng = random.Random(0)
    seen = {tuple(sorted(sample(bendy, rng).choices.items())) for _ in range(2000)}

    assert len(seen) == count(bendy)


def test_a_decision_that_governs_another_group_is_not_counted_wrong() -> None:
    def crossed(pick: Pick) -> Arch:
        wide = pick("1.0.kernel", (3, 5)) == 5
        return Arch("crossed", ((Conv(8), Conv(8, kernel=pick("1.1.kernel", (3, 5)) if wide else 3)),))

    with pytest.raises(UsageError, match="own group and those below"):
        count(crossed)


@pytest.mark.parametrize("way", [largest, lambda space: sample(space, random.Random(0)), count])
def test_a_decision_asked_twice_is_refused(way: object) -> None:
    def forgetful(pick: Pick) -> Arch:
        return Arch("forgetful", ((Conv(pick("0.out", (8, 16))), Conv(pick("0.out", (8, 16)))),))

    assert callable(way)
    with pytest.raises(UsageError, match=r"asks the decision '0\.out' twice"):
        way(forgetful)


def test_a_decision_without_options_is_refused() -> None:
    with pytest.raises(UsageError, match="has no options"):
        largest(lambda pick: Arch("empty", ((Conv(pick("0.out", ())),),)))


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_choices_replay_to_the_network_they_came_from(space: Space) -> None:
    rng = random.Random(1)
    for _ in range(5):
        arch, choices, _ = sample(space, rng)
        assert replay(space, choices) == arch
        assert Arch.from_json(arch.to_json()) == arch


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_a_network_of_a_space_is_found_in_it(space: Space) -> None:
    rng = random.Random(2)
    for _ in range(5):
        arch, choices, _ = sample(space, rng)
        assert replay(space, locate(space, arch)) == arch
        assert locate(space, arch) == choices


def test_unknown_choices_are_refused_by_name() -> None:
    with pytest.raises(UsageError, match=r"does not ask '1\.widht'"):
        replay(bendy, {"1.widht": 0})
    with pytest.raises(UsageError, match=r"does not ask '1\.1\.kernel'"):
        replay(bendy, {"1.depth": 0, "1.1.kernel": 0})


def test_neighbors_show_every_option_of_every_decision() -> None:
    shown = {
        (name, index, drawn.sizes[name]) for _, drawn in neighbours(bendy) for name, index in drawn.choices.items()
    }
    wanted = {(name, i, 2) for name in ("1.out", "1.depth") for i in range(2)}
    wanted |= {(f"1.{j}.{word}", i, 2) for j in range(2) for word in ("kernel", "dilation") for i in range(2)}

    assert shown == wanted


def test_every_block_of_a_random_network_has_a_neighbor_of_its_kind_and_filters() -> None:
    space = partial(spaces.meta, size=64, depth=3)
    kinds = {
        (place, type(block), getattr(block, "kernel", 0))
        for _, drawn in neighbours(space)
        for place, block in drawn.arch.places()
    }
    rng = random.Random(3)

    for _ in range(50):
        for place, block in sample(space, rng).arch.places():
            assert (place, type(block), getattr(block, "kernel", 0)) in kinds


@pytest.mark.parametrize("space", LIMITED)
def test_every_space_serves_small_pictures_within_limits(space: Space) -> None:
    small = partial(space, size=64, width=0.5, depth=2)  # type: ignore[call-arg]
    whole, cut = largest(space).arch, largest(small).arch

    assert cut.size == 64
    assert max(len(stage) for stage in cut.stages) <= 2 < max(len(stage) for stage in whole.stages)
    assert sum(row.cost.params for row in walk(cut)) < sum(row.cost.params for row in walk(whole)) / 2
    assert walk(cut, outputs=10)[-1].cost.shape == (10,)
    assert walk(sample(small, random.Random(0)).arch)[-2].cost.shape[1:] == (2, 2)


def test_a_block_of_mnasnet_has_its_choices_by_the_papers_sum() -> None:
    # conv: 2 kernels; depthwise-separable and the two expansions: 2 kernels x gate x skip; 3 widths, 3 depths.
    assert (2 + 3 * 2 * 2 * 2) * 3 * 3 == 234
    # Two skips by pooling, and gate and skip of plain convolutions, would make the paper's 4 x 2 x 2 x 3 x 3 x 3 = 432.
    assert math.log10(432**5) == pytest.approx(13, abs=0.2)
    assert math.log10(count(spaces.mnasnet)) == pytest.approx(15.9, abs=0.1)


def test_proxyless_has_the_papers_size_if_skipped_layers_count() -> None:
    sizes = largest(spaces.proxyless).sizes
    stages = [i for i in range(2, 8) if f"{i}.depth" in sizes]
    layer = sizes["2.1.kernel"] * sizes["2.1.expand"]
    paper = sizes["1.0.kernel"] * layer * math.prod(layer * (2 * layer) ** 3 for _ in stages)

    assert len(stages) == 5
    assert math.log10(paper) == pytest.approx(21, abs=0.5)
    assert count(spaces.proxyless) == 3 * layer * (layer + layer**2 + layer**3 + layer**4) ** 5  # each network once


def test_proxyless_enlarged_has_the_papers_size_if_skipped_layers_and_equal_widths_count() -> None:
    sizes = largest(spaces.proxyless_enlarged).sizes
    widths = [name for name in sizes if name.endswith(".out")]

    assert len(widths) == 9
    assert max(sizes[name] for name in widths) == 7
    assert math.log10(7**9 * 2.2e21) == pytest.approx(28.5, abs=0.5)
    assert count(spaces.proxyless_enlarged) == count(spaces.proxyless) * math.prod(sizes[name] for name in widths)


def test_v3_like_has_the_papers_size_if_skipped_layers_and_equal_widths_count() -> None:
    sizes = largest(spaces.v3_like).sizes
    widths = [name for name in sizes if name.endswith((".out", ".hidden"))]
    layer = sizes["1.1.kernel"] * sizes["1.1.expand"] * sizes["1.1.se"]
    paper = 7 ** len(widths) * sizes["0.0.kernel"] * 2 * sizes["0.1.kernel"] * (layer * (2 * layer) ** 3) ** 5

    assert math.log10(paper) == pytest.approx(43, abs=0.5)
    assert math.log10(count(spaces.v3_like)) == pytest.approx(38.3, abs=0.1)


def test_the_fine_space_counts_two_filters_a_block() -> None:
    assert count(partial(spaces.v4_fine, plan=SMALL)) == (8 * 9**5) ** 2
    assert count(spaces.v4_fine) == 8 * 9 * 8 * 9**7 * 8 * 9**10


@pytest.mark.parametrize(
    ("space", "name"),
    [
        (spaces.mnasnet, "semnasnet_100"),  # MnasNet-A1
        (spaces.mnasnet, "mnasnet_100"),  # MnasNet-B1
        (partial(spaces.v4_fine, plan=LARGE), "mobilenetv4_conv_large"),
        (partial(spaces.v4_fine, plan=HYBRID_LARGE), "mobilenetv4_hybrid_large"),
    ],
)
def test_published_networks_are_points_of_their_spaces(space: Space, name: str) -> None:
    published = zoo.arch(name)
    replayed = replay(space, locate(space, published))

    assert replayed.digest == published.digest


@pytest.mark.parametrize(
    ("space", "name", "decisions"),
    [
        (
            partial(spaces.v4_fine, plan=SMALL),
            "mobilenetv4_conv_small",
            ("3.0.expand", "3.1.expand", "3.2.expand", "3.3.expand", "3.4.expand", "4.0.expand", "4.3.expand"),
        ),
        (
            partial(spaces.v4_fine, plan=MEDIUM),
            "mobilenetv4_conv_medium",
            ("2.1.expand", "3.0.expand", "3.6.expand", "4.0.expand", "4.6.expand", "4.10.expand"),
        ),
        (
            partial(spaces.v4_fine, plan=HYBRID_MEDIUM),
            "mobilenetv4_hybrid_medium",
            ("2.1.expand", "3.0.expand", "3.1.expand", "4.0.expand", "4.4.expand", "4.5.expand", "4.6.expand"),
        ),
    ],
)
def test_what_keeps_published_networks_outside_is_named(space: Space, name: str, decisions: tuple[str, ...]) -> None:
    named = [found.name for found in outside(space, zoo.arch(name))]

    assert named == list(decisions)
    with pytest.raises(UsageError, match=f"{name} is outside this space: {decisions[0]} is "):
        locate(space, zoo.arch(name))


def test_netadapts_widths_keep_mobilenetv3_outside() -> None:
    stem, first, *rest = zoo.arch("mobilenetv3_large_100").stages
    large = Arch("large", (stem + first, *rest), zoo.arch("mobilenetv3_large_100").head)  # as TuNAS groups them
    found = {found.name: found.value for found in outside(spaces.v3_like, large)}

    expands = {"3.1.expand": 2.5, "3.2.expand": 2.3, "3.3.expand": 2.3}
    assert found == expands | {"4.out": 112, "6.out": 960}


@pytest.mark.parametrize("name", sorted(NAMED))
def test_meta_contains_every_network_of_the_zoo(name: str) -> None:
    space, published = partial(spaces.meta, menu=ZOO), zoo.arch(name)
    replayed = replay(space, locate(space, published))

    assert (replayed.stages, replayed.head) == (published.stages, published.head)


def test_the_fine_plan_has_the_widths_a_coarse_search_found() -> None:
    found = sample(spaces.v4_coarse, random.Random(5)).arch
    fine = largest(partial(spaces.v4_fine, plan=spaces.refined(found, MEDIUM))).arch

    assert [stage[-1].out for stage in fine.stages] == [stage[-1].out for stage in found.stages]
    assert [len(stage) for stage in fine.stages] == [len(stage) for stage in found.stages]


def test_hybrids_have_their_attention_in_the_last_two_stages_alone() -> None:
    arch = largest(partial(spaces.v4_fine, plan=HYBRID_MEDIUM)).arch
    stages = {place[0] for place, block in arch.places() if isinstance(block, MobileMQA)}

    assert stages == {3, 4}
    assert isinstance(arch.stages[3][-1], UIB)
