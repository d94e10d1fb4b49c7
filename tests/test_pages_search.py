"""A report tells of a search what it found, beside what, what it liked, and what random search got for the same."""

import re
from pathlib import Path
from typing import Any

import pytest

from mobilevision import zoo
from mobilevision.files import write_json, write_text
from mobilevision.pages.report import report
from mobilevision.pages.search_charts import Tried, agreement, tried
from outline import Outline

FOUND = zoo.arch("mobilenetv4_conv_small", size=64, width=0.9)
BILL = [
    {"phase": "table", "wall_seconds": 300.4, "cpu_seconds": 310.0, "trained": 0, "measured": 88},
    {"phase": "shared weights", "wall_seconds": 1200.0, "cpu_seconds": 2300.0, "trained": 0, "measured": 0},
    {"phase": "total", "wall_seconds": 1500.4, "cpu_seconds": 2610.0, "trained": 0, "measured": 88},
]
RANDOM: dict[str, Any] = {
    "accuracy": 0.902,
    "digest": "abc",
    "costs": {"ms": 0.62},
    "trials": 17,
    "points": [{"digest": "abc", "accuracy": 0.902, "costs": {"ms": 0.62}}],
    "given_seconds": 1200.0,
    "seconds": 1230.0,
    "found_accuracy": 0.931,
    "bill": BILL[-1:],
}
RESULT: dict[str, Any] = {
    "method": "tunas",
    "space": "v4_coarse_small",
    "name": "found",
    "digest": FOUND.digest,
    "outputs": 10,
    "targets": {"ms": 0.64},
    "costs": {"ms": 0.61},
    "measured_ms": 0.65,
    "accuracy": 0.853,
    "shared_accuracy": 0.853,
    "steps": 2000,
    "compared": [{"predicted_ms": 0.5, "measured_ms": 0.52}, {"predicted_ms": 0.7, "measured_ms": 0.69}],
    "liked": {
        "by": "the policy's probabilities",
        "decisions": [
            {"name": "3.out", "options": ["48", "96", "<b>"], "shares": [0.07, 0.81, 0.12], "chosen": 1},
            {"name": "4.0.start", "options": ["0", "3"], "shares": [0.6, 0.4], "chosen": 0},
        ],
    },
    "bill": BILL,
    "random": RANDOM,
}


def page(folder: Path, **facts: Any) -> str:
    folder.mkdir(exist_ok=True)
    write_text(folder / "arch.json", FOUND.to_json())
    write_json(folder / "result.json", {**RESULT, **facts})
    write_json(folder / "search.json", {"method": "tunas", "numbers": {"data": "/pictures/signs"}})
    return report([folder], to=folder / "report.html").read_text(encoding="utf-8")


def words(text: str) -> str:
    """The page without its tags, white space as single blanks."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())


def test_it_ends_with_the_run_of_what_was_found_and_not_with_that_of_a_seed(tmp_path: Path) -> None:
    for name in ("trained", "adapted/run"):  # as `search v3` leaves them where it cuts
        write_json(tmp_path / "s" / name / "metrics.json", {})
    page(tmp_path / "s")
    page(tmp_path / "alone")
    write_json(tmp_path / "alone" / "trained" / "metrics.json", {})
    told = {
        each: words(report([tmp_path / each], to=tmp_path / "r.html").read_text("utf-8")) for each in ("s", "alone")
    }

    assert f"mobilevision report {tmp_path}/s/adapted/run" in told["s"]
    assert f"mobilevision report {tmp_path}/alone/trained" in told["alone"]


def test_it_tells_targets_predictions_and_measurements_in_milliseconds(tmp_path: Path) -> None:
    told = words(page(tmp_path / "s"))

    assert "0.650 ms measured; 0.610 ms predicted, target 0.640 ms" in told
    assert "2 whole networks, 2.6 % off on average" in told


def test_it_tells_whether_an_accuracy_is_of_the_weights_that_were_shared(tmp_path: Path) -> None:
    shared = "on validation pictures, with the weights it was searched with"

    assert shared in words(page(tmp_path / "shared"))
    assert shared not in words(page(tmp_path / "trained", accuracy=0.931))


def test_finalists_are_drawn_beside_what_random_search_tried(tmp_path: Path) -> None:
    points = [
        {"digest": FOUND.digest, "accuracy": 0.94, "costs": {"ms": 0.61}, "reward": 0.94},
        {"digest": "other", "accuracy": 0.92, "costs": {"ms": 0.62}, "reward": 0.92},
    ]
    told = page(tmp_path / "s", points=points, random={"why": "it was not asked for"})

    assert "3 networks of the search, 0 of random search. found: 94.0 % at 0.61" in told


def test_it_tells_what_random_search_got_for_the_same_money(tmp_path: Path) -> None:
    told = words(page(tmp_path / "s"))

    assert "In the same 1200 s random search tried 17 networks near the target; the best has accuracy 90.2 %" in told
    assert "The network found, trained likewise, has 93.1 %" in told


@pytest.mark.parametrize(
    ("facts", "why"),
    [
        ({"random": {"why": "it was not asked for"}}, "it was not asked for"),
        ({"random": None}, "it has not run"),
        ({"method": "random"}, "this is random search itself"),
    ],
)
def test_where_random_search_says_nothing_the_page_says_why(tmp_path: Path, facts: dict[str, Any], why: str) -> None:
    assert f"What random search got for the same is not known: {why}" in words(page(tmp_path / "s", **facts))


def test_the_network_stands_beside_the_nearest_of_the_fourth_generation(tmp_path: Path) -> None:
    text = page(tmp_path / "s")

    assert "The network mobilenetv4_conv_small" in text
    assert text.count('class="mv-network"') == 2
    assert text.count(">10</text>") >= 2  # both heads have the outputs of the search


def test_every_decision_is_shown_with_its_options_and_nothing_in_them_is_trusted(tmp_path: Path) -> None:
    text = page(tmp_path / "s")
    told = words(text)

    assert "stage 3, channels 48 7 % 96 81 % , chosen" in told
    assert "stage 4, block 0, first depthwise none 60 % , chosen" in told
    assert "&lt;b&gt;" in text
    assert "<b>" not in text


def test_the_bill_is_told_by_phase(tmp_path: Path) -> None:
    told = words(page(tmp_path / "s"))

    assert "table 300 s 310 s 0 88" in told
    assert "shared weights 1200 s 2300 s 0 0" in told


def test_the_page_is_whole_and_says_how_to_go_on(tmp_path: Path) -> None:
    text = page(tmp_path / "s")
    outline = Outline(text)

    assert outline.open == []
    assert not outline.facts("script")
    assert all(facts.get("scope") for facts in outline.facts("th"))
    assert f"mobilevision train DATA --arch {tmp_path}/s/arch.json" in words(text)
    assert "What is missing" not in text


def test_a_search_without_times_or_trials_has_no_charts_of_them(tmp_path: Path) -> None:
    bare = {"compared": [], "random": {"why": "it was not asked for"}, "liked": None, "measured_ms": None}
    text = page(tmp_path / "s", targets={"macs": 5e6}, costs={"macs": 4.9e6}, **bare)

    assert 'class="chart"' not in text
    assert "4.90 M" in words(text)


def test_a_broken_result_is_told_and_the_rest_still_shows(tmp_path: Path) -> None:
    page(tmp_path / "s")
    (tmp_path / "s" / "result.json").write_text("{")
    text = report([tmp_path / "s"], to=tmp_path / "again.html").read_text(encoding="utf-8")

    assert "mobilenetv4_conv_small" in text


def test_the_chart_names_what_was_found_and_counts_what_was_tried() -> None:
    points = [Tried(1.0, 0.8, ours=True, name="found"), Tried(1.1, 0.7, ours=False)]
    text = tried(points, target=1.05, cost="ms", form="{:.3g}".format)

    assert "1 networks of the search, 1 of random search. found: 80.0 % at 1." in text
    assert ">found</text>" in text


def test_a_prediction_that_is_right_lies_on_the_diagonal() -> None:
    text = agreement([(1.0, 1.0), (2.0, 2.0), (1.5, 1.5)])
    dots = [(float(x), float(y)) for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', text)]
    (x0, y0), (x1, y1), (x2, y2) = dots

    assert (y2 - y0) / (x2 - x0) == pytest.approx((y1 - y0) / (x1 - x0), rel=0.01)
    assert "3 networks; predictions are 0.0 % off on average." in text


def test_one_point_alone_can_be_drawn() -> None:
    tried([Tried(1.0, 0.8, ours=True)], target=1.0, cost="ms", form="{:.3g}".format)
    agreement([(1.0, 1.1)])
