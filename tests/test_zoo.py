"""Every family, exactly as published: counts to the unit, and laws over the whole zoo."""

import pytest
import torch
from torch import nn

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.cost import walk
from mobilevision.errors import UsageError
from mobilevision.network import Network
from mobilevision.zoo.families import NAMED, facts
from mobilevision.zoo.v3 import timm_stem
from published_counts import COUNTS, EMO, GRIDS, Counts


def totals(arch: Arch, size: int, outputs: int = 1000) -> tuple[int, int, int]:
    rows = walk(arch, size, outputs)
    return (
        sum(row.cost.params for row in rows),
        sum(row.cost.macs for row in rows),
        sum(row.cost.attention_macs for row in rows),
    )


@pytest.mark.parametrize("counts", COUNTS, ids=lambda counts: counts[0])
def test_counts_are_the_published_ones_to_the_unit(counts: Counts) -> None:
    name, params, without_scores, running, by_size = counts
    arch = zoo.arch(name)

    for size, macs, attention in by_size:
        assert totals(arch, size) == (params, macs, attention)
    assert totals(arch, 32, outputs=0)[0] == without_scores
    with torch.device("meta"):
        norms = [m for m in Network(arch).modules() if isinstance(m, nn.BatchNorm2d)]
    assert 2 * sum(m.num_features for m in norms) == running


@pytest.mark.parametrize(("family", "width", "params", "by_size"), GRIDS)
def test_a_family_at_any_width_has_the_counts_of_its_grid(
    family: str, width: float, params: int, by_size: tuple[tuple[int, int], ...]
) -> None:
    arch = zoo.arch(family, width=width)

    for size, macs in by_size:
        assert totals(arch, size) == (params, macs, 0)


@pytest.mark.parametrize(("name", "params", "running", "macs", "attention"), EMO)
def test_emo_has_its_published_counts_under_both_names(
    name: str, params: int, running: int, macs: int, attention: int
) -> None:
    arch = zoo.arch(name)

    assert totals(arch, 224) == (params, macs, attention)
    assert zoo.arch(name.replace("emo", "metamobile")) == arch
    with torch.device("meta"):
        norms = [m for m in Network(arch).modules() if isinstance(m, nn.BatchNorm2d)]
    assert 2 * sum(m.num_features for m in norms) == running


def test_every_named_network_has_published_counts() -> None:
    counted = {name for name, *_ in (*COUNTS, *EMO)} | {name.replace("emo", "metamobile") for name, *_ in EMO}
    of_grids = [zoo.arch(family, width=width) for family, width, *_ in GRIDS]

    assert [name for name in NAMED if name not in counted and zoo.arch(name) not in of_grids] == []


def test_mobilenetv1_spends_its_arithmetic_where_table_2_says() -> None:
    rows = walk(zoo.arch("mobilenetv1_100"))
    operations = [op for row in rows for op in row.cost.operations]
    total = sum(op.macs for op in operations)
    pointwise = [row.cost.operations[1].macs for row in rows[1:-1]]
    depthwise = [row.cost.operations[0].macs for row in rows[1:-1]]

    assert round(100 * sum(pointwise) / total, 2) == 94.86
    assert round(100 * sum(depthwise) / total, 2) == 3.06


def test_the_redesigned_end_of_mobilenetv3_stands_behind_the_mean() -> None:
    head = Network(zoo.arch("mobilenetv3_large_100")).head

    assert head.hidden.conv.bias is not None  # no norm, so a bias
    assert head.features == 1280


def test_timm_keeps_the_stem_that_the_paper_scales() -> None:
    paper, timm = zoo.arch("mobilenetv3_large", width=0.5), zoo.arch("mobilenetv3_large_050")

    assert (paper.block((0, 0)).out, timm.block((0, 0)).out) == (8, 16)
    assert timm_stem(paper) == timm


@pytest.mark.parametrize("name", NAMED)
def test_every_network_goes_through_json_and_keeps_its_digest(name: str) -> None:
    arch = zoo.arch(name)

    assert Arch.from_json(arch.to_json()) == arch
    assert arch.name == name.replace("metamobile", "emo")


@pytest.mark.parametrize("name", NAMED)
def test_every_network_runs_and_meta_counts_are_real_counts(name: str) -> None:
    arch = zoo.arch(name)
    network = Network(arch, 7).eval()

    scores = network(torch.randn(1, 3, 64, 64))

    assert scores.shape == (1, 7)
    assert totals(arch, 64, 7)[0] == sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", [name for name in NAMED if "metamobile" not in name])
@pytest.mark.slow
def test_every_network_exports_and_the_export_computes_the_same(name: str) -> None:
    network, x = Network(zoo.arch(name), 7), torch.randn(2, 3, 64, 64)
    network.train()(x)
    network.eval()

    exported = torch.export.export(network, (x,)).module()

    torch.testing.assert_close(exported(x), network(x))


def test_the_catalog_is_what_walk_counts() -> None:
    assert zoo.catalog() == facts(), "run: make catalog"


def test_names_are_found_by_pattern() -> None:
    assert zoo.list_models("emo_*") == ["emo_1m", "emo_2m", "emo_5m", "emo_6m"]
    assert zoo.list_models("mobilenetv9*") == []


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("mobilenetv4_con_small", {}, "did you mean mobilenetv4_conv_small"),
        ("mobilenetv2", {"width": 0.0}, "leaves no channels"),
        ("emo_1m", {"width": 0.5}, "is not a family that has a width"),
        ("mobilenetv2_100", {"size": -5}, "is empty"),
        ("mobilenetv2_100", {"padding": "valid"}, "choose 'torch' or 'same'"),
    ],
)
def test_what_does_not_exist_is_refused_in_a_sentence(name: str, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        zoo.arch(name, **options)


def test_a_width_belongs_to_the_family_of_a_name() -> None:
    assert zoo.arch("mobilenetv2_100", width=0.6) == zoo.arch("mobilenetv2", width=0.6)
    assert zoo.arch("mobilenetv2", width=0.6).name == "mobilenetv2_060"
    assert zoo.arch("mobilenetv2", width=0.6, size=96).size == 96
