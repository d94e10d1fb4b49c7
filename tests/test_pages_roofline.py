"""Fronts, the sweep of ridge points, and published latencies against the roofline."""

import json
import math
from pathlib import Path

import pytest

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import Conv, Separable
from mobilevision.cli.app import run
from mobilevision.cost import walk
from mobilevision.errors import UsageError
from mobilevision.pages.devices import DEVICES, NETWORKS, fits
from mobilevision.pages.pareto import Axis, Point, beaten_by, front, scatter
from mobilevision.pages.roofline import Candidate, candidate, drawn, page, sweep
from mobilevision.pages.svg import written
from page_runs import make_run

WIDE = Arch("wide", ((Conv(8, 2),), (Conv(64),)), size=16)
SMALL = Arch("small", ((Conv(8, 2),), (Separable(16),)), size=16)


def made(arch: Arch, top1: float | None) -> Candidate:
    return Candidate(arch.name, arch.size, tuple(walk(arch, outputs=10)), top1)


def test_the_front_holds_what_no_other_beats_from_the_cheapest() -> None:
    points = [Point("dear", 9, 9), Point("bad", 5, 2), Point("cheap", 1, 3), Point("same", 1, 3), Point("mid", 4, 5)]

    assert [one.name for one in front(points)] == ["cheap", "same", "mid", "dear"]
    assert {one.name for one in beaten_by(points[1], points)} == {"cheap", "same", "mid"}


def test_every_point_is_on_the_front_or_beaten_by_one_that_is() -> None:
    points = [Point(str(n), 1 + (n * 7) % 11, (n * 5) % 13) for n in range(40)]
    best = front(points)

    assert all((one in best) != bool(set(beaten_by(one, points)) & set(best)) for one in points)


def test_a_scatter_names_the_front_for_those_who_cannot_see_it() -> None:
    axis = Axis("ms", lambda value: f"{value:g}")
    text = written(scatter("Speed", [Point("<a>", 1, 1), Point("b", 2, 0.5)], across=axis, up=axis))

    assert "On the front, from the cheapest: &lt;a&gt;." in text
    assert "<a>" not in text


def test_without_a_ridge_networks_rank_by_arithmetic() -> None:
    found = sweep([made(WIDE, None), made(SMALL, None)])
    macs = {one.name: sum(row.cost.macs for row in one.rows) for one in found.candidates}

    assert found.ranked(0.0) == sorted(macs, key=lambda name: macs[name]) == ["small", "wide"]


def test_times_never_fall_as_the_ridge_rises() -> None:
    for times in sweep([made(WIDE, None), made(SMALL, None)]).times.values():
        assert list(times) == sorted(times)


def test_a_network_that_is_faster_and_better_everywhere_is_alone_on_the_front() -> None:
    found = sweep([made(SMALL, 70.0), made(WIDE, 60.0)])

    assert found.best("small") == [(0.0, 500.0)]
    assert found.best("wide") == []
    assert found.best("wide") == sweep([made(WIDE, None), made(SMALL, 70.0)]).best("wide")


def test_published_accuracy_belongs_to_the_size_of_its_weights() -> None:
    arch = zoo.arch("mobilenetv4_conv_small")

    assert candidate(arch).top1 is not None
    assert candidate(arch).source.startswith("mobilenetv4_conv_small.")
    assert candidate(arch, size=64).top1 is None


def test_no_network_and_one_asked_for_twice_are_refused() -> None:
    with pytest.raises(UsageError, match="give some names"):
        sweep([])
    with pytest.raises(UsageError, match="small is asked for twice"):
        sweep([made(SMALL, None), made(SMALL, None)])


def test_the_page_tells_every_network_and_needs_nothing_else() -> None:
    found = sweep([made(SMALL, 70.0), made(WIDE, None)])
    text = page(found)

    assert drawn(found) in text
    assert all(name in text for name in ("small", "wide", "unknown"))
    assert "://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_a_run_whose_operators_were_timed_brings_the_roofline_of_its_machine(tmp_path: Path) -> None:
    names = [str(make_run(tmp_path / "pets").folder), "mobilenetv4_conv_small"]

    assert run(["roofline", *names, "--to", str(tmp_path / "page.html")]) == 0
    assert "The machine's roofline for mobilenetv2_100_fp32.tflite" in (tmp_path / "page.html").read_text("utf-8")


# arXiv:2404.10518, table 6: width and side, then ms on Pixel 6's CPU, Pixel 8's EdgeTPU, iPhone 13's Neural Engine,
# Pixel 4's Hexagon, Pixel 7's GPU, and Galaxy S23's CPU and GPU; None where a network failed or none is given
TABLE_6 = {
    ("mobilenetv2", 0.5, 224): (2.4, 0.7, 0.5, 2.9, 8.3, 1.8, 1.9),
    ("mobilenetv3_large", 0.5, 224): (2.4, 0.8, 0.45, 3.5, 9.9, 2.0, 2.1),
    ("mobilenetv2", 1.0, 224): (5.0, 0.7, 0.7, 3.9, 13.6, 4.1, 2.5),
    ("mobilenetv4_conv_small", None, 224): (2.4, 0.7, 0.6, 2.4, 8.4, 1.8, 2.0),
    ("mobilenetv1", 1.0, 224): (6.1, 0.8, 0.7, 3.2, 13.0, 4.6, 2.1),
    ("mobilenetv2", 1.5, 224): (9.3, 0.9, 1.0, 5.6, 16.4, 7.3, 3.3),
    ("mobilenetv2", 2.0, 224): (13.9, 1.1, 1.5, 6.9, 19.1, 10.6, 4.2),
    ("mobilenetv4_conv_medium", None, 256): (11.4, 1.1, 1.1, 7.3, 18.1, 8.6, 4.1),
    ("mobilenetv4_hybrid_medium", None, 256): (14.3, 1.5, None, None, 17.9, 10.8, 5.9),
    ("mobilenetv4_conv_large", None, 384): (59.9, 2.4, 3.0, 20.8, 37.6, 43.0, 13.2),
    ("mobilenetv4_hybrid_large", None, 384): (87.6, 3.8, None, None, 61.3, 61.8, 18.1),
}

# arXiv:2404.10518, table 16: ridge point in multiply-accumulates a byte, rank correlation of the roofline, and of
# multiply-accumulates alone
TABLE_16 = {
    "Pixel 6 CPU": (31.2, 0.973, 0.962),
    "Galaxy S23 CPU": (39.7, 0.962, 0.940),
    "Pixel 4 Hexagon": (347.3, 0.962, 0.758),
    "Pixel 8 EdgeTPU": (433.8, 0.973, 0.857),
}


def test_phones_have_the_latencies_of_table_6() -> None:
    held = {(name, width, size): ms for name, width, size, ms in NETWORKS}

    assert {key: tuple(None if math.isnan(one) else one for one in ms) for key, ms in held.items()} == TABLE_6
    assert [device.name for device in DEVICES] == [
        *("Pixel 6 CPU", "Pixel 8 EdgeTPU", "iPhone 13 Neural Engine", "Pixel 4 Hexagon", "Pixel 7 GPU"),
        *("Galaxy S23 CPU", "Galaxy S23 GPU"),
    ]


def test_phones_have_the_ridges_and_rank_correlations_of_table_16() -> None:
    assert {name: tuple(told) for name, *told in DEVICES if told != [None] * 3} == TABLE_16


def test_the_roofline_ranks_accelerators_better_than_arithmetic_does() -> None:
    found = {fit.device.name: fit for fit in fits((0.0, 28.0, 46.0, 63.0, 141.0))}
    edge, hexagon = found["Pixel 8 EdgeTPU"], found["Pixel 4 Hexagon"]

    assert (round(edge.macs_rank, 3), round(hexagon.macs_rank, 3)) == (0.917, 0.833)
    assert edge.rank > edge.macs_rank
    assert hexagon.rank > hexagon.macs_rank
    assert all(fit.times_error < fit.macs_error for fit in found.values())


def test_the_verb_ranks_and_writes_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["mobilenetv3_small_050", "mobilenetv4_conv_small"]

    assert run(["roofline", *names, "--to", str(tmp_path / "page.html"), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in facts} == set(names)
    assert all(row["best_at"] == [[0.0, 500.0]] for row in facts)
    assert "mobilenetv4_conv_small" in (tmp_path / "page.html").read_text(encoding="utf-8")
