"""Candidates are judged once each, bills are kept, and a search that is killed ends as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from mobilevision.architecture import Arch
from mobilevision.errors import MobilevisionError, UsageError
from mobilevision.files import read_json_lines
from mobilevision.jobs import Done
from mobilevision.search.bill import Bill
from mobilevision.search.evaluate import Evaluator, Exam
from mobilevision.search.front import Point, front
from mobilevision.search.pricing import Target, cheapest, check_targets, countable, peak_bytes
from mobilevision.search.session import Brief, Session
from mobilevision.search.space import Space, choose, largest
from mobilevision.search.spaces import find_space
from mobilevision.search.trials import METHODS, search, search_front

SIZE, WIDTH = 32, 0.25
COUNT = countable("macs", outputs=4)


def space() -> Space:
    return find_space("v4_coarse_small", size=SIZE, width=WIDTH, depth=1)


def target() -> float:
    """What a network in the middle of the space costs."""
    least, most = COUNT(choose(space(), lambda *_: 0).arch), COUNT(largest(space()).arch)
    return (least + most) / 2


def pretend(arch: str) -> dict[str, float]:
    """A candidate's accuracy, without training: it grows with the channels of some stages and falls with others."""
    stages = Arch.from_json(arch).stages
    return {"accuracy": 0.5 + sum((-1) ** i * stage[-1].out for i, stage in enumerate(stages)) / 1e4}


class Desk:
    """Workers that answer at once, in this process.

    Attributes:
        asked: architectures that were judged, in order.
    """

    elsewhere, processes = False, 1

    def __init__(self, refused: Callable[[Arch], bool] = lambda arch: False) -> None:
        self.refused, self.asked = refused, list[Arch]()

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        for place, payload in reversed(list(enumerate(payloads))):
            arch = Arch.from_json(payload["arch"])
            self.asked.append(arch)
            if self.refused(arch):
                yield Done(place, None, "it ran out of memory", 2, 1.0, 0.0)
            else:
                yield Done(place, pretend(payload["arch"]), "", 1, 1.0, 0.5)


def quiet(line: str) -> None:
    """Say nothing."""


def brief(method: str, *, trials: int = 24, together: int = 3, targets: Mapping[str, float] | None = None) -> Brief:
    return Brief(
        method=method,
        space="v4_coarse_small",
        size=SIZE,
        width=WIDTH,
        depth=1,
        targets=targets or {"macs": target()},
        outputs=4,
        numbers={"trials": trials, "together": together},
    )


def begun(folder: Path, asked: Brief) -> Session:
    return Session(folder, asked, table=None, force=False, say=quiet)


def judged(session: Session, desk: Desk) -> Evaluator:
    return Evaluator(session.folder, Exam("tests:pretend", {"seed": 0}), workers=desk, bill=session.bill, say=quiet)


def done(folder: Path, asked: Brief, desk: Desk) -> dict[str, Any]:
    session = begun(folder, asked)
    go = search_front if asked.method == "nsga2" else search
    return go(session, judged(session, desk))


def test_no_candidate_is_judged_twice_not_even_in_one_batch(tmp_path: Path) -> None:
    desk, (one, other) = Desk(), (choose(space(), lambda *_: 0).arch, largest(space()).arch)
    session = begun(tmp_path, brief("random"))
    first = judged(session, desk).judge([one, other, one])
    second = judged(session, desk).judge([other])

    assert len(desk.asked) == 2
    assert first[0] == first[2]
    assert second == [first[1]]
    assert len(read_json_lines(tmp_path / "trials.jsonl")) == 2


def test_another_recipe_data_or_seed_is_another_exam() -> None:
    arch = largest(space()).arch
    exams = [Exam("tests:pretend", facts, aside) for facts, aside in (({"seed": 0}, {}), ({"seed": 1}, {}))]

    assert exams[0].key(arch) != exams[1].key(arch)
    assert exams[0].key(arch) == Exam("tests:pretend", {"seed": 0}, {"threads": 2}).key(arch)


def test_a_candidate_that_fails_is_kept_with_its_reason_and_the_search_goes_on(tmp_path: Path) -> None:
    known: list[Arch] = []

    def first_two(arch: Arch) -> bool:
        known.append(arch)
        return len(known) <= 2

    facts = done(tmp_path, brief("random", together=4), Desk(first_two))
    failed = [line for line in read_json_lines(tmp_path / "trials.jsonl") if line["failure"]]

    assert facts["failed"] == 2
    assert {line["failure"] for line in failed} == {"it ran out of memory"}
    assert {line["attempts"] for line in failed} == {2}
    assert facts["digest"] not in {line["digest"] for line in failed}


def test_when_all_of_a_batch_fail_the_search_stops_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(MobilevisionError, match="all 3 candidates failed; the last because it ran out of memory"):
        done(tmp_path, brief("random"), Desk(lambda arch: True))


@pytest.mark.parametrize("method", [*METHODS, "nsga2"])
def test_a_search_that_is_stopped_ends_as_if_it_had_not_been(tmp_path: Path, method: str) -> None:
    whole_desk, first, second = Desk(), Desk(), Desk()
    whole = done(tmp_path / "whole", brief(method), whole_desk)

    class StoppedError(Exception):
        pass

    def stop(arch: Arch) -> bool:
        if len(first.asked) > 7:
            raise StoppedError
        return False

    first.refused = stop
    with pytest.raises(StoppedError):
        done(tmp_path / "parts", brief(method), first)
    kept = {line["digest"] for line in read_json_lines(tmp_path / "parts" / "trials.jsonl")}
    parts = done(tmp_path / "parts", brief(method), second)

    bare = {"bill"}
    assert {k: v for k, v in parts.items() if k not in bare} == {k: v for k, v in whole.items() if k not in bare}
    assert not kept & {arch.digest for arch in second.asked}
    assert kept | {arch.digest for arch in second.asked} == {arch.digest for arch in whole_desk.asked}


def test_random_networks_cost_at_most_the_target_and_little_less(tmp_path: Path) -> None:
    desk = Desk()
    done(tmp_path, brief("random"), desk)

    assert all(0.95 * target() <= COUNT(arch) <= target() for arch in desk.asked)


def test_the_network_found_is_an_ordinary_architecture(tmp_path: Path) -> None:
    facts = done(tmp_path, brief("evolution"), Desk())
    found = Arch.from_json((tmp_path / "arch.json").read_text())

    assert found.digest == facts["digest"]
    assert found.name == facts["name"] == f"v4_coarse_small_{found.digest}"
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads(json.dumps(facts))
    assert facts["costs"] == {"macs": COUNT(found)}


def test_a_front_holds_what_no_other_beats(tmp_path: Path) -> None:
    facts = done(tmp_path, brief("nsga2"), Desk())
    tried = {
        line["digest"]: (line["accuracy"], COUNT(Arch.from_json(json.dumps(line["arch"]))))
        for line in read_json_lines(tmp_path / "trials.jsonl")
    }
    told = {point["digest"]: (point["accuracy"], point["costs"]["macs"]) for point in facts["front"]}

    assert told == {
        digest: (accuracy, cost)
        for digest, (accuracy, cost) in tried.items()
        if not any(a >= accuracy and c <= cost and (a, c) != (accuracy, cost) for a, c in tried.values())
    }


def test_equal_points_of_a_front_are_both_kept() -> None:
    least, most = choose(space(), lambda *_: 0).arch, largest(space()).arch
    points = [Point(least, {}, (0.5, 1.0)), Point(most, {}, (0.5, 1.0)), Point(least, {}, (0.5, 1.0))]

    assert len(front(points)) == 2


def test_several_costs_are_aimed_at_at_once(tmp_path: Path) -> None:
    most = largest(space()).arch
    targets = {"macs": target(), "params": countable("params", outputs=4)(most)}
    facts = done(tmp_path, brief("evolution", targets=targets), Desk())

    assert facts["costs"].keys() == targets.keys()


def test_another_search_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    begun(tmp_path, brief("random"))
    with pytest.raises(UsageError, match=r"holds a search with another method .random there, evolution asked"):
        begun(tmp_path, brief("evolution"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"targets": {"macs": 1000.0}}, r"no network of this space has 1000 macs; the cheapest found has .*e\+06"),
        ({"targets": {}}, "needs a target"),
        ({"targets": {"joules": 1.0}}, "there is no cost 'joules'"),
        ({"space": "v5"}, "there is no space 'v5'"),
        ({"width": 0.0}, "a width of 0 leaves no network"),
        ({"reward": "kind"}, "there is no reward 'kind'"),
        ({"targets": {"macs": -1.0}}, "targets .* cannot be met"),
    ],
)
def test_a_search_that_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    asked = Brief(**{**asdict(brief("random")), **change})
    with pytest.raises(UsageError, match=sentence):
        begun(tmp_path, asked).check()


def test_a_target_that_was_refused_leaves_the_folder_to_a_better_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no network of this space"):
        begun(tmp_path, brief("random", targets={"macs": 1000.0})).check()
    begun(tmp_path, brief("random")).check()
    with pytest.raises(UsageError, match="holds a search with another targets"):
        begun(tmp_path, brief("random", targets={"macs": 1000.0})).check()


def test_a_runtime_that_was_mistyped_leaves_the_folder_to_the_right_one(tmp_path: Path) -> None:
    asked = brief("random", targets={"macs": target(), "ms": 1.0})
    with pytest.raises(UsageError, match="litrt"):
        begun(tmp_path, replace(asked, runtime="litrt"))
    with pytest.raises(UsageError, match="there is no cost 'joules'"):
        begun(tmp_path, replace(asked, targets={"joules": 1.0}))
    begun(tmp_path, brief("random")).check()


def test_the_cheapest_network_is_found_where_costs_are_sums() -> None:
    choices, least = cheapest(space(), COUNT)

    assert set(choices.values()) == {0}
    assert least == COUNT(choose(space(), lambda *_: 0).arch)


def test_a_target_that_a_network_meets_is_let_pass() -> None:
    least = COUNT(choose(space(), lambda *_: 0).arch)
    check_targets(space(), [Target("macs", least, COUNT)])
    with pytest.raises(UsageError, match="no network of this space"):
        check_targets(space(), [Target("macs", least - 1, COUNT)])


def test_peak_memory_is_the_largest_operation() -> None:
    arch = find_space("v4_fine_small")(lambda _, options: options[-1])
    stem_out, first_in = 32 * 112 * 112, 3 * 224 * 224

    assert peak_bytes(arch) >= 4 * (stem_out + first_in)


def charge_and_fail(bill: Bill) -> None:
    with bill.phase("candidates") as item:
        item.trained += 2
        time.sleep(0.01)
        raise RuntimeError


def test_the_bill_survives_and_adds_up(tmp_path: Path) -> None:
    with Bill(tmp_path / "bill.jsonl").phase("table") as item:
        item.measured += 3
    bill = Bill(tmp_path / "bill.jsonl")
    with pytest.raises(RuntimeError):
        charge_and_fail(bill)
    with bill.phase("table") as item:
        item.measured += 1
    table, candidates, total = Bill(tmp_path / "bill.jsonl").phases()

    assert (table.phase, table.measured, candidates.trained) == ("table", 4, 2)
    assert (total.phase, total.trained, total.measured) == ("total", 2, 4)
    assert total.wall_seconds == pytest.approx(table.wall_seconds + candidates.wall_seconds)
    assert candidates.wall_seconds >= 0.01
    assert "candidates" in bill.words()


def test_work_within_work_is_charged_once(tmp_path: Path) -> None:
    bill = Bill(tmp_path / "bill.jsonl")
    began = time.perf_counter()
    with bill.phase("outer"):
        time.sleep(0.02)
        with bill.phase("inner"):
            time.sleep(0.05)
    inner, outer, total = bill.phases()

    assert inner.wall_seconds >= 0.05 > outer.wall_seconds
    assert total.wall_seconds <= time.perf_counter() - began


def test_minutes_end_a_search(tmp_path: Path) -> None:
    session = begun(tmp_path, brief("random", together=2))
    facts = search(session, judged(session, Desk()), minutes=0)

    assert facts["trials"] == 1


def test_minutes_end_a_front_with_a_whole_generation(tmp_path: Path) -> None:
    session = begun(tmp_path, brief("nsga2", trials=24))
    facts = search_front(session, judged(session, Desk()), minutes=0)

    assert facts["trials"] == 6


@pytest.mark.slow
def test_a_killed_search_goes_on_where_it_was(tmp_path: Path, real_data: Path) -> None:
    words = (
        f"search random {real_data / 'sign_digits'} --out {tmp_path / 's'} --target-macs 1.75e6 --size 32 --width 0.25 "
        "--depth 1 --trials 3 --epochs 1 --json"
    ).split()
    command = [sys.executable, "-m", "mobilevision", *words]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
    trials = tmp_path / "s" / "trials.jsonl"
    going = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(read_json_lines(trials)) < 1:
        assert going.poll() is None
        time.sleep(0.2)
    going.send_signal(signal.SIGKILL)
    going.wait()
    first = read_json_lines(trials)
    again = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    facts = json.loads(again.stdout)

    assert read_json_lines(trials)[: len(first)] == first
    assert facts["trials"] == 3
    assert len({line["key"] for line in read_json_lines(trials)}) == len(read_json_lines(trials)) <= 3
    assert sum(phase["trained"] for phase in facts["bill"] if phase["phase"] == "total") >= 2
