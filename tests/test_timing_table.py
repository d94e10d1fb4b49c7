"""Tables of timed rows: they grow on disk, refuse what is from elsewhere, and predict whole networks."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch

from mobilevision import files, zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, UIB, Classifier, Conv, Head, SSDLite
from mobilevision.cost import Key, Line, Table, Totals, latency, macs, totals, walk
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.search.space import Pick, Space, sample
from mobilevision.search.space_rows import rows
from mobilevision.search.spaces import find_space
from mobilevision.search.tabulate import tabulate
from mobilevision.timing import table_fill, table_laps, table_line
from mobilevision.timing.table import Conditions, TimedTable
from mobilevision.timing.table_files import part
from mobilevision.timing.table_fill import fill, fit

HERE = Conditions("litert", "ai-edge-litert 2", "fp32", 1, "a phone, 8 cores", 4)


def small(pick: Pick) -> Arch:
    """Two stages, each of three widths."""
    stages = tuple((Conv(pick(f"{i}.out", (8, 16, 24)), 2), UIB(8 * (i + 1), start=3)) for i in range(2))
    return Arch("small", stages, Classifier(), size=16)


def thousands(key: Key) -> float:
    """A pretended time: thousands of multiply-accumulates, and something for being run at all."""
    what, shape = key
    if isinstance(what, Classifier):
        return 0.1
    return 0.1 + walk(Arch("row", ((what,),), size=16), (shape[1], shape[2]), channels=shape[0])[0].cost.macs / 1000  # type: ignore[arg-type]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that needs no runtime; it notes how many rows or networks it is asked for at a time."""
    asked: list[int] = []

    def time_rows(keys: Sequence[Key], conditions: Conditions) -> list[float]:
        asked.append(len(keys))
        return [thousands(key) for key in keys]

    def time_networks(archs: Sequence[Arch], conditions: Conditions) -> list[float]:
        asked.append(len(archs))
        return [0.5 + 1.25 * sum(thousands((row.block, row.shape)) for row in walk(arch, outputs=4)) for arch in archs]

    monkeypatch.setattr(table_fill, "time_rows", time_rows)
    monkeypatch.setattr(table_fill, "time_networks", time_networks)
    return asked


def quiet(line: str) -> None:
    """Say nothing."""


def nothing() -> None:
    """Nothing has to be written."""


def filled(path: Path) -> TimedTable:
    table = TimedTable.begin(path, HERE)
    table_fill.fill(table, rows(small, outputs=4), say=quiet)
    return table


def test_all_rows_of_a_space_are_found() -> None:
    stem = {(Conv(out, 2), (3, 16, 16)) for out in (8, 16, 24)}
    first = {(UIB(8, start=3), (out, 8, 8)) for out in (8, 16, 24)}
    second = {(Conv(out, 2), (8, 8, 8)) for out in (8, 16, 24)}
    last = {(UIB(16, start=3), (out, 4, 4)) for out in (8, 16, 24)}
    head = {(Classifier(), (16, 4, 4))}

    assert set(rows(small)) == stem | first | second | last | head


@pytest.mark.parametrize(("name", "number"), [("v4_fine_medium", 55), ("v4_coarse_medium", 184)])
def test_spaces_of_the_fourth_network_have_few_rows(name: str, number: int) -> None:
    assert len(rows(find_space(name))) == number


def test_a_space_with_many_rows_is_left_before_its_end() -> None:
    assert len(rows(find_space("meta", size=32), most=50)) < 100


def test_what_was_timed_is_read_again(tmp_path: Path, clock: list[int]) -> None:
    table = filled(tmp_path / "t.jsonl")
    again = TimedTable.open(tmp_path / "t.jsonl", here=HERE)

    assert again.times == table.times
    assert again.conditions == HERE


def test_nothing_is_timed_twice(tmp_path: Path, clock: list[int]) -> None:
    filled(tmp_path / "t.jsonl")
    before = list(clock)
    filled(tmp_path / "t.jsonl")

    assert clock == before


def test_a_fill_that_is_killed_goes_on_and_the_line_that_was_cut_off_is_timed_again(
    tmp_path: Path, clock: list[int]
) -> None:
    whole = filled(tmp_path / "whole.jsonl")
    text = (tmp_path / "whole.jsonl").read_bytes()
    for cut in (len(text) - 1, len(text) // 2, len(text) // 3):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(text[:cut])
        assert filled(path).times == whole.times
        assert TimedTable.open(path).times == whole.times


def test_a_full_disk_keeps_what_was_timed(tmp_path: Path, clock: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.jsonl"
    table = TimedTable.begin(path, HERE)
    wanted = rows(small, outputs=4)
    table_fill.fill(table, wanted[:3], say=quiet)

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(MobilevisionError, match=r"No space left on device.*make room") as caught:
        table_fill.fill(table, wanted, say=quiet)
    assert str(path) in str(caught.value)
    monkeypatch.undo()
    assert list(TimedTable.open(path).times) == wanted[:3]


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({"machine": "another phone"}, "machine is a phone, 8 cores, not another phone"),
        ({"version": "ai-edge-litert 3"}, "version is ai-edge-litert 2, not ai-edge-litert 3"),
        ({"runtime": "onnx"}, "runtime is litert, not onnx"),
        ({"precision": "int8"}, "precision is fp32, not int8"),
        ({"threads": 2}, "threads is 1, not 2"),
    ],
)
def test_a_table_from_elsewhere_is_refused_unless_it_is_forced(
    tmp_path: Path, clock: list[int], other: dict[str, object], sentence: str
) -> None:
    filled(tmp_path / "t.jsonl")
    here = replace(HERE, **other)  # type: ignore[arg-type]

    with pytest.raises(InputError, match=sentence):
        TimedTable.open(tmp_path / "t.jsonl", here=here)
    with pytest.raises(InputError, match=f"{sentence}.*--force"):
        TimedTable.begin(tmp_path / "t.jsonl", here)
    assert TimedTable.open(tmp_path / "t.jsonl", here=here, force=True).conditions == HERE


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no table .*mobilevision table SPACE"):
        TimedTable.open(tmp_path / "none.jsonl")
    for text, sentence in (
        ('{"a": 1}\n', "is not a table"),
        (json.dumps({"conditions": {k: v for k, v in asdict(HERE).items() if k != "laps"}}) + "\n", "measure again"),
        ("[]\n", "is not a table"),
        ("no json\n", "not JSON"),
    ):
        (tmp_path / "t.jsonl").write_text(text)
        with pytest.raises(InputError, match=sentence):
            TimedTable.open(tmp_path / "t.jsonl")


def test_a_line_that_is_neither_row_nor_network_is_refused(tmp_path: Path) -> None:
    TimedTable.begin(tmp_path / "t.jsonl", HERE)
    files.append_json(tmp_path / "t.jsonl", {"ms": 3})
    with pytest.raises(InputError, match="neither a row nor a network"):
        TimedTable.open(tmp_path / "t.jsonl")


def test_predictions_lie_on_the_line_through_whole_networks(tmp_path: Path, clock: list[int]) -> None:
    facts = tabulate(small, tmp_path / "t.jsonl", HERE, most=100, networks=5, force=False, say=quiet)

    assert facts["line"]["slope"] == pytest.approx(1.25)
    assert facts["line"]["intercept"] == pytest.approx(0.5)
    assert facts["error"] == pytest.approx(0, abs=1e-9)
    assert all(each["predicted_ms"] == pytest.approx(each["measured_ms"]) for each in facts["compared"])
    value = TimedTable.open(tmp_path / "t.jsonl").table()
    arch = small(lambda _, options: options[0])
    assert latency(arch, value, outputs=4) == pytest.approx(table_fill.time_networks([arch], HERE)[0])


def test_weights_that_are_fetched_from_far_are_priced_and_so_is_each_row(tmp_path: Path, clock: list[int]) -> None:
    line = Line(0.0, 1.1, far=900, each=0.05)
    table = filled(tmp_path / "t.jsonl")
    rng = random.Random(0)
    drawn = {sample(small, rng).arch for _ in range(60)}
    for arch in drawn:
        table.add_network(arch, line(*totals(arch, Table(table.times), outputs=4)))
    value = table.table()

    assert len(drawn) >= table_line.ENOUGH
    assert value.line == pytest.approx(line)
    assert value.error == pytest.approx(0, abs=1e-6)
    for arch, ms in table.networks.items():
        assert latency(arch, value, outputs=4) == pytest.approx(ms)


def drawn_totals(count: int, rng: random.Random) -> list[Totals]:
    return [Totals(*(rng.uniform(1, 9) for _ in range(3)), rows=rng.randint(5, 20)) for _ in range(count)]


def test_the_form_is_chosen_that_foretells_what_it_has_not_seen() -> None:
    rng = random.Random(0)
    known = drawn_totals(12, rng)
    by_chance = [(1 + 2 * each.predicted) * rng.uniform(0.97, 1.03) for each in known]

    for form in table_line.FORMS:
        numbers = dict(zip(form, (3.0, 2.0, 1.5, 0.7), strict=False))
        assert table_line.best_form(known, [Line(**numbers)(*each) for each in known]) == form
    chosen = table_line.best_form(known, by_chance)
    errors = [table_line.left_out_error(form, known, by_chance) for form in table_line.FORMS]
    assert table_line.left_out_error(chosen, known, by_chance) == min(errors)
    assert table_line.best_form(known[:3], by_chance[:3]) == table_line.FORMS[0]


@pytest.mark.parametrize("name", table_line.RISING)
def test_where_more_work_makes_a_network_faster_the_line_is_that_through_rows(name: str) -> None:
    known = drawn_totals(12, random.Random(0))
    line = Line(0.0, 3.0, far=1.0, work=1.0, each=9.0)._replace(**{name: -0.5})
    measured = [line(*each) for each in known]
    found = table_line.fit_form(table_line.FORMS[-1], known, measured)

    assert found == table_line.fitted([each.predicted for each in known], measured)


def test_networks_with_as_many_rows_have_an_intercept_in_their_number() -> None:
    known = [each._replace(rows=9) for each in drawn_totals(12, random.Random(0))]
    measured = [3 + 2 * each.predicted for each in known]

    assert table_line.fit_form(("each", "slope"), known, measured) == pytest.approx(Line(0.0, 2.0, each=3 / 9))


def test_a_rows_time_is_between_that_of_near_and_of_far_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    laps = {True: [4.0, 9.0, 8.0], False: [2.0, 1.0, 4.0]}
    asked: list[str] = []

    def call(job: str, payload: dict[str, object], *, seconds: float) -> object:
        asked.append(job.rsplit(":", 1)[1])
        return None if asked[-1] == "write" else [laps[bool(payload["cold"])] for _ in payload["files"]]  # type: ignore[attr-defined]

    monkeypatch.setattr(table_fill.jobs, "call", call)
    keys: list[Key] = [(Conv(8), (3, 16, 16)), (Conv(16), (3, 16, 16))]

    assert table_fill.time_rows(keys, HERE) == [0.75 * 8 + 0.25 * 2] * 2
    assert asked == ["write", "rows", "rows"]


def test_a_table_without_whole_networks_says_so(tmp_path: Path, clock: list[int]) -> None:
    facts = tabulate(small, tmp_path / "t.jsonl", HERE, most=100, networks=0, force=False, say=quiet)

    assert (Line(**facts["line"]), facts["error"]) == (Line(), None)
    assert json.dumps(facts)  # NaN would be no JSON for others
    assert math.isnan(TimedTable.open(tmp_path / "t.jsonl").table().error)


@pytest.mark.parametrize("head", [SSDLite(), LRASPP()])
@pytest.mark.parametrize("last", [False, True])
def test_a_head_on_several_maps_takes_them_from_one_input(head: Head, last: bool) -> None:
    shapes = (8, 4, 6), (12, 2, 3)
    alone, shown = part(head, shapes, 3, last=last)
    maps = [torch.randn(1, *shape) for shape in shapes]
    laid = [one.permute(0, 2, 3, 1) if last else one for one in maps]
    wanted, said = alone.head(maps), alone(torch.cat([one.flatten() for one in laid]).reshape(1, *shown))

    assert shown == (8 * 4 * 6 + 12 * 2 * 3, 1, 1)
    for one, other in zip(wanted, said, strict=True):
        torch.testing.assert_close(one, other)  # layouts sum in another order


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "precision"), [("litert", "fp32"), ("onnx", "int8")])
@pytest.mark.parametrize("head", [SSDLite(extras=(16, 16)), LRASPP(channels=16)])
def test_networks_of_every_task_are_timed_with_their_rows(
    tmp_path: Path, runtime: str, precision: str, head: Head
) -> None:
    arch = zoo.arch("mobilenetv2", width=0.1, size=64).with_head(head)
    table = TimedTable.begin(tmp_path / "t.jsonl", Conditions.here(runtime, precision, outputs=3))
    fill(table, table.missing(arch), say=quiet)
    fit(table, [arch], say=quiet)

    assert not table.missing(arch)
    assert 0 < table.times[arch.head, walk(arch, outputs=3)[-1].shape] < table.networks[arch]


@pytest.mark.slow
@pytest.mark.parametrize(("runtime", "precision"), [("litert", "fp32"), ("onnx", "fp32"), ("litert", "int8")])
def test_rows_are_timed_in_the_real_runtime(tmp_path: Path, runtime: str, precision: str) -> None:
    here = Conditions.here(runtime, precision, outputs=4)
    space: Space = partial(small)
    facts = tabulate(space, tmp_path / "t.jsonl", here, most=100, networks=3, force=False, say=quiet)
    table = TimedTable.open(tmp_path / "t.jsonl", here=here)

    assert facts["rows"] == len(rows(small, outputs=4))
    assert all(0 < ms < 100 for ms in table.times.values())
    assert len(table.networks) == 3


def test_the_cheapest_row_is_not_the_dearest(clock: list[int], tmp_path: Path) -> None:
    table = filled(tmp_path / "t.jsonl").table()
    least, most = (small(lambda _, options, i=i: options[i]) for i in (0, -1))  # type: ignore[misc]

    assert macs(least) < macs(most)
    assert latency(least, table, outputs=4) < latency(most, table, outputs=4)


def test_laps_that_were_disturbed_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0

    def sleeps_now_and_then() -> None:
        nonlocal calls
        calls += 1
        end = time.thread_time() + 0.001
        while time.thread_time() < end:
            pass
        if calls % 4 == 0:
            time.sleep(0.01)

    monkeypatch.setattr(table_laps, "PATIENCE", 20)
    ready = table_laps.Ready(sleeps_now_and_then, nothing, nothing)
    (laps,) = table_laps.in_turns([ready], runs=10, warmup=1, alone=True)

    assert len(laps) == 10
    assert all(1 <= ms < 5 for ms in laps)


def test_a_machine_that_is_too_busy_is_told() -> None:
    with pytest.raises(MobilevisionError, match="disturbed all but 0 of 40 laps"):
        table_laps.in_turns(
            [table_laps.Ready(lambda: time.sleep(0.001), nothing, nothing)], runs=10, warmup=0, alone=True
        )


def test_before_a_lap_the_caches_are_emptied_the_file_runs_and_what_comes_in_is_written_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[str] = []

    class Lines:
        def max(self) -> None:
            done.append("empty")

        def __getitem__(self, part: slice) -> Lines:
            return self

    monkeypatch.setattr(table_laps, "LINES", Lines())
    ready = table_laps.from_afar(lambda: done.append("run"), lambda: done.append("feed"))
    table_laps.lap(ready, alone=False)
    assert done == ["empty", "run", "feed", "run"]
    done.clear()
    table_laps.lap(table_laps.colder(ready), alone=False)
    assert done == ["empty", "run", "empty", "feed", "run"]
