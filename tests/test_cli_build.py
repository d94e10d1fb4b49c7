"""The main job on tiny pictures: every verb reads the run folder, and none does a thing twice."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mobilevision
from mobilevision import build
from mobilevision.cli.app import run
from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import InputError
from mobilevision.files import sha256, size
from mobilevision.run import Run
from page_runs import make_run

Said = pytest.CaptureFixture[str]
ONNX = ["--to", "onnx", "--precision", "fp32"]
SMALL = ["--arch", "mobilenetv2_035", "--recipe", "quick", "--set", "size=32", "--batch", "8"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(mobilevision.__file__).parents[1]), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def colors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy pictures in two colors, 20 each."""
    folder = tmp_path_factory.mktemp("data") / "colors"
    noise = np.random.default_rng(0)
    for name, channel in (("blue", 2), ("red", 0)):
        (folder / name).mkdir(parents=True)
        for i in range(20):
            pixels = noise.integers(0, 100, (32, 32, 3))
            pixels[..., channel] += 150
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{i:02}.png")
    (folder / "red" / "broken.png").write_text("not a picture", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def built(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was built: trained for one epoch, written as ONNX, timed, told on a page."""
    folder = tmp_path_factory.mktemp("runs") / "colors"
    assert run(["build", str(colors), *SMALL, "--epochs", "1", *ONNX, "--out", str(folder)]) == 0
    return folder


def facts(said: Said, arguments: list[str]) -> Any:
    """What a verb answers with --json: stdout holds nothing else."""
    said.readouterr()
    assert run([*arguments, "--json"]) == 0
    return json.loads(said.readouterr().out)


def test_a_build_leaves_every_file_of_a_run(built: Path) -> None:
    names = {"arch", "task", "recipe", "data", "environment", "metrics"}
    assert all((built / f"{name}.json").is_file() for name in names)
    assert (built / "best.safetensors").is_file()
    assert (built / "report.html").is_file()
    assert (built / "artifacts" / "mobilenetv2_035_fp32.onnx").is_file()


def test_a_file_that_is_no_picture_is_set_aside_and_told(built: Path) -> None:
    (aside,) = json.loads((built / "data.json").read_text(encoding="utf-8"))["set_aside"]
    assert aside["file"] == "red/broken.png"
    assert aside["reason"]


def test_a_built_file_is_proven_and_timed(built: Path) -> None:
    told = json.loads((built / "artifacts" / "mobilenetv2_035_fp32.onnx.json").read_text(encoding="utf-8"))
    assert told["proof"]["passed"]
    assert told["timing"]["runs"] >= 50


def test_a_build_asked_for_again_takes_what_stands_there(colors: Path, built: Path, capsys: Said) -> None:
    before = {path: path.stat().st_mtime_ns for path in (built / "artifacts").iterdir()} | {
        built / "best.safetensors": (built / "best.safetensors").stat().st_mtime_ns
    }
    arguments = ["build", str(colors), *SMALL, "--epochs", "1", *ONNX, "--out", str(built)]
    summary = facts(capsys, arguments)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert summary["metrics"]["count"] == 8
    assert summary["report"] == str(built / "report.html")


def test_a_build_takes_the_architecture_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, asked = tmp_path / "arch.json", []
    file.write_text(mobilevision.arch("mnasnet_small").to_json())

    def go(data: str, *, arch: Any, **_: Any) -> None:
        asked.append(arch)
        raise InputError("that was asked")

    monkeypatch.setattr(build, "build", go)
    assert run(["build", str(tmp_path), "--arch", str(file)]) == 3
    assert asked == [mobilevision.arch("mnasnet_small")]


def test_a_file_that_is_a_folder_stands_where_a_build_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = make_run(tmp_path / "run")
    file = opened.artifacts / "mobilenetv2_100_fp32.mlpackage"
    file.mkdir()
    (file / "model").write_bytes(b"a program")
    told = {"bytes": size(file), "sha256": sha256(file), "timing": {}}
    origin = {"arch_digest": opened.arch.digest, "weights_sha256": sha256(opened.best)}
    Artifact(file, told | origin).write()
    monkeypatch.setattr(build, "export", lambda *_, **__: pytest.fail("it was exported again"))
    assert build.finish(opened, "coreml", precision="fp32").path == file


def test_another_training_in_the_same_folder_is_refused(colors: Path, built: Path, capsys: Said) -> None:
    arguments = ["build", str(colors), *SMALL, "--epochs", "2", *ONNX, "--out", str(built), "--json"]
    capsys.readouterr()
    assert run(arguments) == 2
    assert "epochs" in json.loads(capsys.readouterr().out)["error"]


def test_a_run_and_its_file_score_alike(built: Path, capsys: Said) -> None:
    network = facts(capsys, ["eval", str(built)])
    file = facts(capsys, ["eval", str(built / "artifacts" / "mobilenetv2_035_fp32.onnx")])
    assert network["split"] == file["split"] == "validation"
    assert network["confusion"] == file["confusion"]
    assert network["loss"] == pytest.approx(file["loss"], rel=1e-4)


def test_other_data_without_splits_is_measured_whole(built: Path, colors: Path, tmp_path: Path, capsys: Said) -> None:
    for name in ("blue", "red"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for file in sorted((colors / name).glob("0*.png")):
            (tmp_path / "other" / name / file.name).write_bytes(file.read_bytes())
    before = (built / "metrics.json").read_bytes()
    assert facts(capsys, ["eval", str(built), str(tmp_path / "other")])["count"] == 20
    assert (built / "metrics.json").read_bytes() == before


def test_data_with_other_labels_is_unfit(built: Path, tmp_path: Path, capsys: Said) -> None:
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(5):
            Image.new("RGB", (8, 8), (10 * i, len(name), 0)).save(tmp_path / name / f"{i}.png")
    assert run(["eval", str(built), str(tmp_path)]) == 3


def test_a_folder_becomes_an_album_sorted_by_label(built: Path, colors: Path, capsys: Said) -> None:
    told = facts(capsys, ["predict", str(built), str(colors / "blue"), "--save", "csv,json", "--topk", "2"])
    rows = list(csv.DictReader((built / "predictions.csv").open(encoding="utf-8")))
    assert told["saved"] == [str(built / "predictions.csv"), str(built / "predictions.json")]
    assert len(rows) == len(told["predictions"]) == 20
    assert [row["label"] for row in rows] == sorted(row["label"] for row in rows)
    assert json.loads((built / "predictions.json").read_text(encoding="utf-8")) == told["predictions"]


def test_a_file_predicts_as_its_run_does(built: Path, colors: Path, capsys: Said) -> None:
    picture = str(colors / "red" / "03.png")
    ours = facts(capsys, ["predict", str(built), picture])["predictions"][0]
    its = facts(capsys, ["predict", str(built / "artifacts" / "mobilenetv2_035_fp32.onnx"), picture])["predictions"][0]
    assert ours["labels"] == its["labels"]
    assert ours["scores"] == pytest.approx(its["scores"], abs=1e-4)


def test_bench_times_every_file_of_a_run(built: Path, capsys: Said) -> None:
    (timing,) = facts(capsys, ["bench", str(built)])
    assert 0 < timing["p10_ms"] <= timing["median_ms"] <= timing["p90_ms"]
    assert timing["threads"] == 1


def test_a_report_can_be_written_elsewhere(built: Path, tmp_path: Path, capsys: Said) -> None:
    page = tmp_path / "page.html"
    assert facts(capsys, ["report", str(built), "--to", str(page)])["report"] == str(page)
    assert "<svg" in page.read_text(encoding="utf-8")


def test_a_new_build_takes_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilevision.build import fresh_folder

    monkeypatch.chdir(tmp_path)
    assert fresh_folder("pictures/pets/") == Path("runs/pets")
    (tmp_path / "runs" / "pets").mkdir(parents=True)
    assert fresh_folder("pictures/pets/") == Path("runs/pets-2")
    assert fresh_folder("sample:digits") == Path("runs/digits")


@pytest.mark.slow
def test_an_interrupted_training_exits_with_130_and_goes_on(colors: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    arguments = [sys.executable, "-m", "mobilevision", "train", str(colors), *SMALL, "--epochs", "20"]
    arguments += ["--out", str(folder), "--json"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # what starts in the background ignores it
    with subprocess.Popen(arguments, env=ENVIRONMENT, stdout=PIPE, stderr=PIPE, preexec_fn=heard) as process:
        deadline = time.monotonic() + 120
        while not Run(folder).history() and time.monotonic() < deadline:
            time.sleep(0.05)  # Python itself loses an interruption that comes while a module is imported
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err.decode()
    assert json.loads(out)["exit_code"] == 130
    assert b"Traceback" not in err
    done = subprocess.run(arguments, env=ENVIRONMENT, capture_output=True, check=True)
    assert json.loads(done.stdout)["metrics"]["count"] == 8
    assert [line["epoch"] for line in Run(folder).history()] == list(range(1, 21))


def test_a_training_stops_in_time_goes_on_and_grows_longer(colors: Path, tmp_path: Path, capsys: Said) -> None:
    out = ["--out", str(tmp_path / "run")]
    told = facts(capsys, ["train", str(colors), *SMALL, "--epochs", "1", "--workers", "0", "--minutes", "1e-9", *out])
    assert told["metrics"] is None
    told = facts(capsys, ["train", "--resume", str(tmp_path / "run"), "--workers", "0"])
    assert told["metrics"]["count"] == 8
    with pytest.warns(UserWarning, match="the schedule has 2 epochs instead of 1"):
        assert run(["train", "--resume", str(tmp_path / "run"), "--epochs", "2", "--workers", "0"]) == 0
    assert "epoch 2" in capsys.readouterr().err


def test_a_batch_is_a_number_or_automatic(colors: Path, tmp_path: Path, capsys: Said) -> None:
    some = ["train", str(colors), *SMALL, "--epochs", "1", "--workers", "0", "--out", str(tmp_path / "run")]
    assert run([*some, "--batch", "auto"]) == 0
    numbers = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert (numbers["batch"], numbers["accumulate"]) == (32, 1)
    assert run([*some, "--batch", "many"]) == 2
    assert "batch is a whole number, not 'many'" in capsys.readouterr().err


def test_a_learning_rate_is_searched_without_training(
    colors: Path, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = facts(capsys, ["train", str(colors), *SMALL, "--workers", "0", "--find-lr"])
    assert told["rates"][0] < told["lr"] < told["rates"][-1]
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_a_usage_error(colors: Path, tmp_path: Path, capsys: Said) -> None:
    out = ["--out", str(tmp_path / "run"), "--log", "mlflo"]
    assert run(["train", str(colors), *SMALL, "--epochs", "1", "--workers", "0", *out]) == 2
    assert "did you mean mlflow" in capsys.readouterr().err


@pytest.mark.slow
def test_a_build_writes_fp32_and_int8_in_both_formats_and_they_agree(
    colors: Path, tmp_path: Path, capsys: Said
) -> None:
    folder = tmp_path / "run"
    summary = facts(capsys, ["build", str(colors), *SMALL, "--epochs", "4", "--out", str(folder)])
    names = [(file["format"], file["precision"]) for file in summary["files"]]
    assert sorted(names) == [("litert", "fp32"), ("litert", "int8"), ("onnx", "fp32"), ("onnx", "int8")]
    assert all(file["proof"]["passed"] for file in summary["files"])
    assert all(file["proof"]["accuracy"] == file["proof"]["accuracy_torch"] for file in summary["files"])
    assert all(file["timing"]["low_ms"] <= file["timing"]["median_ms"] for file in summary["files"])
    scores = [facts(capsys, ["eval", file["path"]])["confusion"] for file in summary["files"]]
    assert all(each == scores[0] for each in scores)
