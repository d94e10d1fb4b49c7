"""Suggestions: published networks ranked for a budget by times of rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Head
from mobilevision.cli.app import run
from mobilevision.cost import Key, cost, macs, params
from mobilevision.errors import UsageError
from mobilevision.search.bill import Bill
from mobilevision.search.pricing import Latency
from mobilevision.search.suggest import candidates, suggest
from mobilevision.tasks.catalog import headed
from mobilevision.timing import table_fill
from mobilevision.timing.table import Conditions, TimedTable

HERE = Conditions("litert", "2", "fp32", 1, "a phone", 1000)


@pytest.fixture
def latency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Latency:
    """A pretended phone that does 10^8 multiply-accumulates a millisecond, heads apart."""

    def time_rows(keys: Sequence[Key], conditions: Conditions) -> list[float]:
        return [0.01 if isinstance(what, Head) else cost(what, shape).macs / 1e8 for what, shape in keys]

    monkeypatch.setattr(table_fill, "time_rows", time_rows)
    monkeypatch.setattr(table_fill, "time_networks", lambda archs, _: [macs(arch) / 1e8 for arch in archs])
    table = TimedTable.begin(tmp_path / "t.jsonl", HERE)
    return Latency(table, bill=Bill(tmp_path / "bill.jsonl"), say=lambda line: None)


def test_the_most_accurate_network_within_the_budget_comes_first(latency: Latency) -> None:
    ranked = suggest(candidates("mobilenetv[23]*"), 2.3, latency, measured=2)

    assert ranked[0].arch.name == "mobilenetv3_large_100"
    assert ranked[0].fits
    assert [one.measured_ms is not None for one in ranked] == [True, True] + [False] * (len(ranked) - 2)
    fitting = [one.top1 or 0 for one in ranked if one.fits]
    assert fitting == sorted(fitting, reverse=True)
    assert all(one.predicted_ms <= 2.3 for one in ranked if one.fits)
    assert all(one.predicted_ms > 2.3 for one in ranked if not one.fits)
    assert ranked == sorted(ranked, key=lambda one: not one.fits)


def test_accuracy_is_told_only_at_the_size_it_was_published_for(latency: Latency) -> None:
    (own,) = suggest(candidates("mobilenetv4_conv_small"), 5, latency)
    (small,) = suggest(candidates("mobilenetv4_conv_small", sizes=[96]), 5, latency)

    assert own.top1 == 73.756
    assert (small.top1, small.weights, small.arch.size) == (None, "", 96)


def test_widths_and_sizes_make_more_candidates() -> None:
    found = candidates("mobilenetv2_100", sizes=[96, 128], widths=[0.6])

    assert len(found) == 4
    assert {one.size for one in found} == {96, 128}


def test_a_budget_that_no_network_meets_names_the_fastest(latency: Latency) -> None:
    with pytest.raises(UsageError, match=r"none of 4 networks takes 0\.1 ms; the smallest, emo_1m at 224"):
        suggest(candidates("emo_*"), 0.1, latency)


def test_a_budget_beyond_all_networks_gives_the_largest(latency: Latency) -> None:
    ranked = suggest(candidates("emo_*"), 1000, latency)

    assert len(ranked) == 4
    assert all(one.fits for one in ranked)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nonet*", "--target-ms", "5"], "no network is called 'nonet*'"),
        (["--target-ms", "5", "--task", "detct"], "there is no task 'detct'"),
        (["deeplabv3*", "--target-ms", "5", "--task", "detect"], "none of these networks does the task"),
        (["--target-ms", "5", "--sizes", "big"], "'big' is not a number"),
        (["--target-ms", "5", "--widths", "-1"], "-1 leaves nothing of a network"),
        (["--target-ms", "5", "--runtime", "tensorfow"], "there is no format 'tensorfow'"),
    ],
)
def test_what_cannot_be_suggested_is_told(
    words: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["suggest", *words, "--json"]) == 2
    assert sentence in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize("task", ["detect", "segment", "embed"])
def test_every_task_is_suggested_under_its_own_heads(task: str, latency: Latency) -> None:
    found = candidates("*mobilenet*v3*", task=task)
    ranked = suggest(found, 2.5, latency)

    assert all(headed(one, task) is one for one in found)
    assert {"mobilenetv3_large_100"} <= {one.arch.name for one in ranked}
    assert all(one.facts()["params"] == params(one.arch, HERE.outputs) for one in ranked)
    assert all(one.top1 is not None for one in ranked if one.arch.name == "mobilenetv3_large_100")


def test_networks_of_other_tasks_are_left_out() -> None:
    own = {one.name for one in candidates("*", task="detect")} & {"ssdlite320_mobilenet_v3_large"}
    assert own == {"ssdlite320_mobilenet_v3_large"}
    assert all(isinstance(one.head, Classifier) for one in candidates("*"))


def test_predictions_are_put_on_what_was_measured(latency: Latency, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_fill, "time_networks", lambda archs, _: [0.5 + 2 * macs(arch) / 1e8 for arch in archs])
    ranked = suggest(candidates("mobilenetv[23]*"), 4, latency, measured=3)

    assert [one.predicted_ms for one in ranked[:3]] == pytest.approx([one.measured_ms for one in ranked[:3]], rel=0.01)


def test_a_network_of_the_zoo_is_an_arch() -> None:
    assert all(isinstance(one, Arch) for one in candidates("mnasnet_*"))
