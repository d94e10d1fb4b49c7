"""A report tells what a run holds and how several compare, and trusts no text that comes from a run."""

import json
import re
import time
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from mobilevision.pages.charts import matrix
from mobilevision.pages.report import report
from mobilevision.pages.scenes import CROWD, Shown, legend, shown_scenes
from mobilevision.run import Run
from mobilevision.zoo.v2 import mobilenetv2
from outline import Outline
from page_runs import artifact, make_run


@pytest.fixture
def page(tmp_path: Path) -> str:
    return report([make_run(tmp_path / "pets")], to=tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_tells_the_accuracy_with_its_interval_the_files_and_the_times(page: str) -> None:
    assert "200 validation pictures" in page
    assert re.search(r"\d\d\.\d to \d\d\.\d % \(95 %\)", page)
    assert "mobilenetv2_100_fp32.tflite" in page
    assert "2.41 ms" in page
    assert "8.94 MB" in page
    assert "3.1e-06" in page
    assert '2.36 ms to 2.48 ms <span class="still">(95 %)</span>' in page
    assert "61.4 MB" in page
    assert "torch 93.5 %" in page
    assert "97 % of the MACs" in page
    assert "Taken by XNNPACK" in page
    assert "2 pieces of 66 operators" in page
    assert "outside: HARD_SWISH (2)" in page
    assert "1 transposes, 5 pads" in page
    assert "Pug/004.jpg: it is cut off" in page
    assert "2 more" in page


def test_a_page_tells_layer_by_layer_what_8_bits_cost(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    beside = next(run.artifacts.glob("*.json"))
    facts = json.loads(beside.read_text())
    layers = {
        "lost": [{"layer": "stages.1.0", "divergence": 0.0123}],
        "errors": [{"layer": "head.hid", "error": 0.045}],
    }
    beside.write_text(json.dumps(facts | {"proof": facts["proof"] | layers}))
    page = report([run.folder], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert Outline(page).open == []
    assert re.search(r"stages\.1\.0</th><td[^>]*>1\.2e-02", page)
    assert re.search(r"head\.hid</th><td[^>]*>4\.5 %", page)


def test_a_page_is_whole_and_asks_the_network_for_nothing(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert not outline.facts("script")
    assert not outline.facts("link")
    sources = [facts.get("src") or "" for facts in outline.facts("img")]
    assert sources
    assert all(source.startswith("data:") for source in sources)
    assert not re.findall(r"(?:url\(|href=\"|src=\")\s*(?:https?:)?//", page)


def test_a_page_can_be_read_with_a_screen_reader(page: str) -> None:
    outline = Outline(page)
    assert all(facts.get("alt") for facts in outline.facts("img"))
    assert all(facts.get("scope") for facts in outline.facts("th"))
    assert all(facts.get("aria-label") for facts in outline.facts("svg"))
    levels = [int(tag[1]) for tag, _ in outline.seen if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [facts["id"] for _, facts in outline.seen if "id" in facts]
    assert len(names) == len(set(names))


def test_a_class_name_with_html_in_it_is_shown_and_not_obeyed(tmp_path: Path) -> None:
    evil = "<script>alert('x')</script><img src=x onerror=alert(1)>"
    run = make_run(tmp_path / "run", labels=(evil, "a&b", '"quoted"'))
    outline = Outline(report([run], to=tmp_path / "page.html").read_text(encoding="utf-8"))
    assert not outline.facts("script")
    assert all("onerror" not in facts for facts in outline.facts("img"))
    assert "&lt;script&gt;" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_picture_that_is_gone_is_said_in_its_place(page: str) -> None:
    assert "gone/away.jpg cannot be opened" in page


def test_facts_of_another_task_are_shown_under_their_own_names(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    rows = [{"label": "cell", "count": 40, "average_precision": 0.731}]
    run.write("metrics", {"split": "test", "count": 72, "mean_average_precision": 0.5, "per_class": rows})
    file = next(run.artifacts.glob("*.json"))
    file.write_text(json.dumps({"format": "litert", "proof": {"passed": True}, "timing": {"runs": 50}}))
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "mean average precision 50.0 %" in page
    assert "average precision</th>" in page
    assert "73.1 %" in page
    assert "unknown" in page


def test_a_thousand_classes_are_folded_and_small(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", labels=tuple(f"class {i}" for i in range(1000)))
    page = report([run], to=tmp_path / "page.html")
    assert page.stat().st_size < 3e6
    text = page.read_text(encoding="utf-8")
    assert "<summary>Confusion matrix of 1000 classes</summary>" in text
    assert "<summary>Each of 1000 classes</summary>" in text


def test_several_runs_are_compared_first_with_what_makes_it_unfair(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name) for name in ("one", "two")]
    facts = runs[1].read("data")
    runs[1].write("data", facts | {"digest": "f" * 64})
    text = report([runs[0], runs[1].folder], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "2 runs compared" in text
    assert "did not see the same pictures" in text
    assert text.index("Side by side") < text.index('id="run-1"') < text.index('id="run-2"')
    assert Outline(text).open == []


def test_where_it_looked_how_sure_it_is_and_what_it_bears_are_drawn(page: str) -> None:
    outline = Outline(page)
    captions = re.findall(r"<figcaption>for ([^<]+)</figcaption>", page)
    assert captions[:2] == ["Bengal", "Egyptian cat"]  # what was said, then what is true
    assert "the last map has 2 x 2 places" in page
    drawn = [facts["aria-label"] for facts in outline.facts("svg")]
    assert {"Reliability diagram", "Accuracy under damage"} <= set(drawn)
    assert "temperature 0.71" in page
    assert "the same ones, so that those with the temperature are too kind" in page
    assert "85.0 to 94.0" in page


def test_a_last_map_of_one_place_is_not_drawn_as_if_it_told_where(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    explained = run.read("explain")
    mistakes = [row | {"said": [[1.0]], "true": {row["truth"]: [[0.0]]}} for row in explained["mistakes"]]
    run.write("explain", explained | {"mistakes": mistakes})
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "the last map has a single place" in page
    assert "<figcaption>for " not in page
    assert "truth: Egyptian cat" in page


def test_a_class_name_with_html_is_escaped_among_the_explanations(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    text = report([make_run(tmp_path / "run", labels=(evil, "b", "c"))], to=tmp_path / "page.html").read_text()
    assert "for &lt;img src=x onerror=alert(1)&gt;" in text
    assert evil not in text


def three_runs(folder: Path) -> list[Run]:
    """A quick one, a good one, and one that is slower than the good one and worse."""
    widths = {"quick": 0.5, "good": 1.0, "poor": 1.4}
    runs = [make_run(folder / name, arch=mobilenetv2(width)) for name, width in widths.items()]
    for run, top1, milliseconds in zip(runs, (0.80, 0.95, 0.70), (1.0, 2.0, 3.0), strict=True):
        run.write("metrics", run.read("metrics") | {"top1": top1, "count": 1000})
        artifact(run, "litert", ".tflite", milliseconds)
        for file in run.artifacts.glob("*.json"):
            file.write_text(json.dumps(json.loads(file.read_text()) | {"bytes": int(1e6 * milliseconds)}))
    return runs


def test_several_runs_stand_on_fronts_and_the_beaten_are_named(tmp_path: Path) -> None:
    text = report(three_runs(tmp_path), to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert Outline(text).open == []
    assert "Not beaten: quick, good." in text
    assert "<strong>poor</strong> is beaten by quick, good</li>" in text
    for what in ("measured time", "size", "MACs"):
        assert f"Top-1 against {what}" in text


def test_a_page_of_twenty_runs_stays_below_three_megabytes_and_takes_less_than_ten_seconds(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    start = time.process_time()
    size = report([run] * 20, to=tmp_path / "page.html").stat().st_size
    assert time.process_time() - start < 10
    assert size < 3e6


def test_only_runs_that_were_measured_alike_stand_on_a_front(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)
    runs[2].write("data", runs[2].read("data") | {"digest": "f" * 64})
    text = report(runs, to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "by the same figure: poor." in text
    assert "<strong>poor</strong>" not in text


def test_times_of_different_machines_are_not_put_on_one_front(tmp_path: Path) -> None:
    runs = three_runs(tmp_path)
    for number, run in enumerate(runs):
        for file in run.artifacts.glob("*.json"):
            facts = json.loads(file.read_text())
            facts["timing"]["machine"] = f"machine {number}"
            file.write_text(json.dumps(facts))
    text = report(runs, to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "against measured time" not in text
    assert "Top-1 against size" in text


def test_runs_of_one_name_are_told_apart_on_a_front(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / folder / "run", arch=mobilenetv2(width)) for folder, width in (("a", 0.5), ("b", 1.0))]
    runs[1].write("metrics", runs[1].read("metrics") | {"top1": 0.5})
    text = report(runs, to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"<strong>{runs[1].folder}</strong> is beaten by {runs[0].folder}" in text


def test_pixels_in_a_confusion_matrix_are_called_so_and_stay_in_their_cells() -> None:
    drawn = matrix([[7_423_539, 97_930], [150_943, 12]], ["background", "nucleus"])
    assert re.findall(r"<text[^>]*middle[^>]*>([^<]*)<", drawn) == ["7.42 M", "97.9 k", "151 k", "12"]


def test_names_leave_a_crowded_picture_and_stand_in_a_legend_with_their_colors(tmp_path: Path) -> None:
    pytest.importorskip("supervision")
    Image.new("RGB", (320, 320), (128, 128, 128)).save(tmp_path / "a.png")

    def shown(count: int) -> list[Shown]:
        box = [0.3, 0.3, 0.7, 0.7]
        boxes = {"labels": ["cell"] * count, "scores": [0.9] * count, "boxes": [box] * count}
        return shown_scenes({"shown": [boxes | {"file": str(tmp_path / "a.png"), "truth": boxes}]}, ["cell"])

    few, crowd = shown(CROWD), shown(CROWD + 1)
    assert few[0].found != crowd[0].found == crowd[0].truth  # boxes alone: no score tells them apart
    assert [label for label, _ in legend(crowd)] == ["cell"]
    assert re.fullmatch("#[0-9A-Fa-f]{6}", legend(crowd)[0][1])


def test_what_vectors_are_worth_is_called_as_the_field_calls_it_and_counts_are_no_shares(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    told = {"recall1": 0.5, "tar_at_far_1e-02": 0.25, "alone": 3, "loss": 1.23456}
    run.write("metrics", run.read("metrics") | told)
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    for line in ("recall@1 50.0 %", "TAR@FAR 1e-2 25.0 %", "pictures alone in their class 3", "loss 1.235"):
        assert line in page
