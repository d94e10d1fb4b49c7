"""Every search says what random search found in the same time."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mobilevision.architecture import Arch
from mobilevision.blocks import Head
from mobilevision.cost import Key, cost, macs
from mobilevision.files import read_json_lines
from mobilevision.jobs import Done
from mobilevision.search.chains import both_stages
from mobilevision.search.evaluate import Evaluator, Exam
from mobilevision.search.liked import liked_by_trials
from mobilevision.search.netadapt import random_cuts
from mobilevision.search.pricing import countable
from mobilevision.search.rival import with_rival
from mobilevision.search.session import Brief, Session
from mobilevision.search.setting import Setting
from mobilevision.search.space import choose, largest, replay, sample
from mobilevision.search.spaces import PLANS, find_space, refined, v4_coarse, v4_fine
from mobilevision.search.trials import search
from mobilevision.timing import table_fill
from mobilevision.timing.table import Conditions
from mobilevision.timing.table_fill import TOGETHER
from mobilevision.zoo.v2 import mobilenetv2

SPACE = find_space("v4_coarse_small", size=32, width=0.25, depth=1)
COUNT = countable("macs", outputs=4)
EXAM = Exam("tests:pretend", {"seed": 0})


class Desk:
    """Workers to whom every candidate is ten seconds' work.

    Attributes:
        asked: digests of what they judged.
    """

    elsewhere, processes = False, 1

    def __init__(self) -> None:
        self.asked: list[str] = []

    def run(self, target: str, payloads: Sequence[Mapping[str, Any]], *, seconds: float) -> Iterator[Done]:
        for place, payload in enumerate(payloads):
            arch = Arch.from_json(payload["arch"])
            self.asked.append(arch.digest)
            yield Done(place, {"accuracy": arch.stages[-1][-1].out % 7 / 10}, "", 1, 10.0, 10.0)


def quiet(line: str) -> None:
    """Say nothing."""


def target() -> float:
    least, most = COUNT(choose(SPACE, lambda *_: 0).arch), COUNT(largest(SPACE).arch)
    return (least + most) / 2


def evolved(folder: Path, desk: Desk, *, asked: bool = True, spent: float = 40.0, together: int = 1) -> dict[str, Any]:
    """An evolution of twelve networks that took so many seconds, and its rival."""
    brief = Brief(
        method="evolution",
        space="v4_coarse_small",
        size=32,
        width=0.25,
        depth=1,
        targets={"macs": target()},
        outputs=4,
        numbers={"trials": 12, "together": together},
    )
    session = Session(folder, brief, table=None, force=False, say=quiet)
    judge = Evaluator(folder, EXAM, workers=desk, bill=session.bill, say=quiet)
    result = search(session, judge)
    with session.bill.phase("candidates") as item:
        item.wall_seconds += spent - session.bill.searching()
    setting = Setting(folder=folder, workers=desk, against_random=asked, say=quiet)
    return with_rival(session, result, EXAM, setting=setting)


def test_random_search_gets_as_long_as_the_search_and_what_it_found_is_told(tmp_path: Path) -> None:
    facts = evolved(tmp_path, Desk())["random"]

    assert facts["given_seconds"] == pytest.approx(40, abs=1)
    assert 40 <= facts["seconds"] < 60  # the candidate that is at work when time is up is finished
    assert facts["trials"] >= facts["seconds"] / 10
    assert facts["accuracy"] == max(point["accuracy"] for point in facts["points"])
    assert all(0.95 * target() <= point["costs"]["macs"] <= target() for point in facts["points"])
    assert json.loads((tmp_path / "result.json").read_text())["random"] == json.loads(json.dumps(facts))
    assert (tmp_path / "random" / "arch.json").is_file()


def test_what_the_search_found_is_judged_as_its_rivals_are(tmp_path: Path) -> None:
    facts = evolved(tmp_path, Desk())

    assert facts["random"]["found_accuracy"] == facts["accuracy"]


def test_a_search_and_its_rival_go_on_with_another_number_of_workers(tmp_path: Path) -> None:
    first = evolved(tmp_path, Desk(), together=2)
    desk = Desk()
    desk.processes = 3
    again = evolved(tmp_path, desk, together=3)

    assert not desk.asked  # what was judged is known, and nothing else is come to
    assert [again[name] for name in ("digest", "points")] == [first[name] for name in ("digest", "points")]
    assert again["random"]["points"] == first["random"]["points"]


def test_no_network_is_trained_twice_for_search_and_rival(tmp_path: Path) -> None:
    desk = Desk()
    evolved(tmp_path, desk)

    assert len(desk.asked) == len(set(desk.asked)) == len(read_json_lines(tmp_path / "trials.jsonl"))


def test_a_rival_that_is_asked_again_says_the_same_and_trains_nothing(tmp_path: Path) -> None:
    first = evolved(tmp_path, Desk())["random"]
    desk = Desk()
    second = evolved(tmp_path, desk)["random"]

    assert desk.asked == []
    assert second["digest"] == first["digest"]
    assert second["points"] == first["points"]


def test_random_search_is_left_out_only_where_it_is_asked_and_that_is_told(tmp_path: Path) -> None:
    facts = evolved(tmp_path, Desk(), asked=False)

    assert facts["random"] == {"why": "it was not asked for"}


def test_a_search_by_trials_tells_what_its_best_quarter_chose(tmp_path: Path) -> None:
    facts = evolved(tmp_path, Desk(), asked=False)
    decisions = facts["liked"]["decisions"]

    assert facts["liked"]["by"] == "the choices of the best 3 of 12"
    assert {each["name"] for each in decisions} <= facts["choices"].keys()
    for each in decisions:
        assert len(each["options"]) == len(each["shares"]) > 1
        assert sum(each["shares"]) == pytest.approx(1)
        assert each["chosen"] == facts["choices"][each["name"]]


def test_options_are_told_in_words() -> None:
    space = find_space("meta", size=32, width=0.25, depth=1)
    drawn = choose(space, lambda _, options: options - 1)
    told = liked_by_trials([], space, drawn.choices)["decisions"]
    by_name = {each["name"]: each["options"] for each in told}

    assert by_name["1.0.kind"] == ["FusedInverted", "UIB", "Inverted"]
    assert by_name["1.0.kernel"] == ["3", "5"]


def test_cuts_at_random_meet_the_budget_and_differ() -> None:
    arch = replace(mobilenetv2(width=0.25), size=96)
    budget = 0.85 * macs(arch)
    found = [random_cuts(arch, lambda one: float(macs(one)), budget, rng=random.Random(seed)) for seed in range(3)]

    assert all(0.5 * macs(arch) < macs(one) <= budget for one in found)
    assert len({one.digest for one in found}) > 1


def test_random_search_against_two_stages_may_find_all_that_both_can() -> None:
    limits: dict[str, Any] = {"plan": PLANS["hybrid_medium"], "size": 64, "width": 0.25, "depth": 3}
    for seed in range(5):
        arch, choices, _ = sample(partial(both_stages, **limits), random.Random(seed))
        widths = {name: index for name, index in choices.items() if name.endswith(".out")}
        coarse = replay(partial(v4_coarse, **limits), widths)
        fine = partial(v4_fine, plan=refined(coarse, limits["plan"]), size=coarse.size)
        others = {name: index for name, index in choices.items() if name not in widths}

        assert replay(fine, others).digest == arch.digest


def by_time(folder: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], int]:
    """Random search for milliseconds on a pretended clock: the networks it tried, and how many rows are known then."""

    def time_rows(keys: Sequence[Key], conditions: Conditions) -> list[float]:
        asked.append(len(keys))
        return [0.01 if isinstance(what, Head) else cost(what, shape).macs / 1e6 for what, shape in keys]

    monkeypatch.setattr(table_fill, "time_rows", time_rows)
    monkeypatch.setattr(table_fill, "time_networks", lambda archs, _: [macs(arch, outputs=4) / 1e6 for arch in archs])
    brief = Brief(
        method="random",
        space="meta",
        size=32,
        width=0.25,
        depth=1,
        targets={"ms": 0.6},
        outputs=4,
        numbers={"trials": 8, "together": 1},
    )
    session = Session(folder, brief, table=folder / "table.jsonl", force=False, say=quiet)
    judge = Evaluator(folder, EXAM, workers=Desk(), bill=session.bill, say=quiet)
    result = search(session, judge)
    assert session.latency is not None
    return [point["digest"] for point in result["points"]], len(session.latency.timed.times)


def test_rows_of_networks_to_come_are_timed_with_those_of_the_next_and_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert", reason="a table needs a runtime; run: pip install 'mobilevision[litert]'")
    asked = list[int]()
    first, rows = by_time(tmp_path / "a", asked, monkeypatch)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "table.jsonl").write_bytes((tmp_path / "a" / "table.jsonl").read_bytes())
    second, _ = by_time(tmp_path / "b", (again := list[int]()), monkeypatch)

    assert first == second
    assert not again
    assert len(asked) <= rows / TOGETHER + 2, f"{rows} rows in parts of {asked}"
