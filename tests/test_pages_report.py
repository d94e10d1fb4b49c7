"""A report tells what a run holds, says what it lacks, and trusts no text that comes from a run."""

import json
import re
import shutil
import time
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image

from mobilevision.errors import InputError, UsageError
from mobilevision.pages.charts import matrix
from mobilevision.pages.report import report
from mobilevision.pages.scenes import CROWD, Shown, legend, shown_scenes
from mobilevision.run import Run
from mobilevision.zoo.v2 import mobilenetv2
from page_runs import artifact, make_run

EMPTY = {"meta", "link", "br", "img", "input", "hr"}


class Outline(HTMLParser):
    """Every tag that is opened, and whether all are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def facts(self, tag: str) -> list[dict[str, str | None]]:
        return [facts for name, facts in self.seen if name == tag]


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


def test_a_run_of_nothing_but_an_architecture_says_what_is_missing_and_what_makes_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for file in run.folder.iterdir():
        if file.name != "arch.json":
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    page = report([run.folder], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"mobilevision eval {run.folder}" in page
    assert f"mobilevision export {run.folder} --to litert" in page
    assert "There is no log" in page
    assert "best.safetensors" in page
    assert 'class="mv-network"' in page


def test_what_was_only_not_asked_for_is_told_quietly_at_the_end(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    whole = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    (run.folder / "explain.json").unlink()
    (run.folder / "robust.json").unlink()
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "More can be told" not in whole
    assert "What is missing" not in page
    assert page.index("How it was made") < page.index("More can be told") < page.index(f"eval {run.folder} --robust")
    shutil.rmtree(run.artifacts)
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What is missing" not in page
    assert page.index("More can be told") < page.index(f"export {run.folder} --to litert")
    run.best.unlink()  # nothing can be told of weights that are not there
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"eval {run.folder} --robust" not in page
    assert "What is missing" in page


@pytest.mark.parametrize("name", ["arch", "task", "recipe", "data", "environment", "metrics"])
@pytest.mark.parametrize("text", ["{ not json", "[1, 2]", "null"])
def test_a_broken_part_is_told_and_the_rest_is_shown(tmp_path: Path, name: str, text: str) -> None:
    run = make_run(tmp_path / "run")
    (run.folder / f"{name}.json").write_text(text)
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "What is missing" in page
    assert "mobilenetv2_100_fp32.tflite" in page


def test_half_a_log_is_drawn_and_the_page_says_that_the_training_stopped(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    log = run.folder / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:3]) + '{"epoch": 4, "tra')
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"stopped after 3 of 12 epochs. Run <code>mobilevision train --resume {run.folder}</code>" in page
    assert 'class="chart"' in page


def test_a_log_that_is_broken_in_the_middle_is_told_on_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (run.folder / "log.jsonl").write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n')
    assert "The log of the training cannot be read" in report([run], to=tmp_path / "page.html").read_text("utf-8")


def test_a_training_whose_patience_ended_is_not_told_to_go_on(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    log = run.folder / "log.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:3]))
    run.write("recipe", run.read("recipe") | {"patience": 2})
    run.write("last/state", {"epoch": 3, "since": 1})
    assert "--resume" in report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    run.write("last/state", {"epoch": 3, "since": 2})
    assert "--resume" not in report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_loss_that_is_no_number_does_not_stop_the_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", epochs=2)
    run.log(epoch=3, train_loss=float("nan"), loss=None, top1=float("inf"), learning_rate=0.0)
    assert report([run], to=tmp_path / "page.html").is_file()


def test_a_picture_that_is_gone_is_said_in_its_place(page: str) -> None:
    assert "gone/away.jpg cannot be opened" in page


def test_an_artifact_that_is_neither_timed_nor_proven_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for file in run.artifacts.glob("*.json"):
        facts = json.loads(file.read_text())
        file.write_text(json.dumps({key: value for key, value in facts.items() if key not in ("proof", "timing")}))
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not proven" in page
    assert f"mobilevision bench {run.folder}" in page


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


@pytest.mark.parametrize("name", ["explain", "robust"])
@pytest.mark.parametrize(
    "text", ["{ not json", "[1, 2]", "null", '{"calibration": {"before": 3}, "plain": {}}', "gone"]
)
def test_a_broken_explanation_is_told_with_what_makes_it_anew(tmp_path: Path, name: str, text: str) -> None:
    run, file = make_run(tmp_path / "run"), tmp_path / "run" / f"{name}.json"
    if text == "gone":
        file.unlink()
    else:
        weights = run.read(name)["weights_sha256"]
        file.write_text(text.replace('{"cal', f'{{"weights_sha256": "{weights}", "cal'))
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert f"mobilevision eval {run.folder} --{name}" in page
    assert "mobilenetv2_100_fp32.tflite" in page


def test_an_explanation_of_other_weights_is_not_shown(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.best.write_bytes(b"trained again")
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "explain.json is of other weights" in page
    assert "robust.json is of other weights" in page
    assert "How sure it may be" not in page


def test_a_run_without_weights_or_artifacts_says_both_and_shows_the_rest(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.best.unlink()
    shutil.rmtree(run.artifacts)
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "There are no weights" in page
    assert "No file for a phone has been exported" in page
    assert "What was taken for what" in page


def test_other_tasks_are_not_asked_for_explanations_they_cannot_give(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    run.write("task", run.read("task") | {"task": "detect"})
    for name in ("explain", "robust"):
        (run.folder / f"{name}.json").unlink()
    assert "--explain" not in report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")


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


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        report([tmp_path / "nowhere"], to=tmp_path / "page.html")
    with pytest.raises(InputError):
        report([tmp_path], to=tmp_path / "page.html")
    with pytest.raises(UsageError):
        report([], to=tmp_path / "page.html")


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


def test_a_page_that_cannot_be_written_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"page\.html cannot be written: .*name a file"):
        report([run], to=tmp_path / "file" / "page.html")


def test_what_vectors_are_worth_is_called_as_the_field_calls_it_and_counts_are_no_shares(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    told = {"recall1": 0.5, "tar_at_far_1e-02": 0.25, "alone": 3, "loss": 1.23456}
    run.write("metrics", run.read("metrics") | told)
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    for line in ("recall@1 50.0 %", "TAR@FAR 1e-2 25.0 %", "pictures alone in their class 3", "loss 1.235"):
        assert line in page
