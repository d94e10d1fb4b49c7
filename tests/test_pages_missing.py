"""A report says what a run lacks and what makes it, shows the rest, and refuses what is no run."""

import json
import shutil
from pathlib import Path

import pytest

from mobilevision.errors import InputError, UsageError
from mobilevision.files import sha256
from mobilevision.pages.facts import read_facts
from mobilevision.pages.report import report
from page_runs import make_run


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


def test_an_artifact_that_is_neither_timed_nor_proven_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for file in run.artifacts.glob("*.json"):
        facts = json.loads(file.read_text())
        file.write_text(json.dumps({key: value for key, value in facts.items() if key not in ("proof", "timing")}))
    page = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "not proven" in page
    assert f"mobilevision bench {run.folder}" in page


@pytest.mark.parametrize(("changed", "why"), [("file", "its sha256 differs"), ("weights", "holds other weights")])
def test_a_file_that_is_not_what_was_proven_is_left_out_and_told(tmp_path: Path, changed: str, why: str) -> None:
    run = make_run(tmp_path / "run")
    beside = next(run.artifacts.glob("*.onnx.json"))
    file = beside.with_suffix("")
    file.write_bytes(b"a network")
    facts = {"bytes": 9, "sha256": sha256(file), "arch_digest": run.arch.digest, "weights_sha256": sha256(run.best)}
    beside.write_text(json.dumps(json.loads(beside.read_text()) | facts))
    whole = read_facts(run)
    {"file": file, "weights": run.best}[changed].write_bytes(b"a NETWORK")
    told = read_facts(run)

    assert len(told.artifacts) == len(whole.artifacts) - 1
    assert not any(why in each.what for each in whole.missing)
    assert any(why in each.what and file.name in each.what for each in told.missing)
    assert why in report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")


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


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        report([tmp_path / "nowhere"], to=tmp_path / "page.html")
    with pytest.raises(InputError):
        report([tmp_path], to=tmp_path / "page.html")
    with pytest.raises(UsageError):
        report([], to=tmp_path / "page.html")


def test_a_page_that_cannot_be_written_is_a_usage_error_that_names_it(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UsageError, match=r"page\.html cannot be written: .*name a file"):
        report([run], to=tmp_path / "file" / "page.html")
