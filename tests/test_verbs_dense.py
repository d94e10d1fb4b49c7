"""Detection and segmentation through every verb, on tiny networks and drawn shapes."""

import csv
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.architecture import Arch
from mobilevision.blocks import LRASPP, Conv, SSDLite
from mobilevision.build import evaluate
from mobilevision.cli.app import run
from mobilevision.data.shapes import write_shapes
from mobilevision.deploy.load import load
from mobilevision.models import open_model
from mobilevision.network import Network
from mobilevision.tasks.catalog import check_data
from mobilevision.tasks.detect import Detections
from mobilevision.tasks.segment import Segmentation
from mobilevision.train.loop import fit
from mobilevision.train.recipes import quick, usual

Said = pytest.CaptureFixture[str]
BACKBONE = Arch("tiny", ((Conv(8, 2), Conv(16, 2), Conv(16, 2)), (Conv(32, 2), Conv(32, 2))), size=64)
HEADS = {"detect": SSDLite((16, 16), smallest=0.2, largest=0.6), "segment": LRASPP(8)}
TASKS = tuple(HEADS)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes")
    write_shapes(folder, {"train": 24, "val": 8})
    return folder


def taught(shapes: Path, folder: Path, *, epochs: int) -> dict[str, Path]:
    """A run of each task."""
    recipe = replace(quick, epochs=epochs, least_steps=0, batch=12, size=64, lr=5e-3, average=0.0)
    torch.manual_seed(0)
    made = {}
    for task, head in HEADS.items():
        data = check_data(task, shapes)
        network = Network(BACKBONE.with_head(head), len(data.labels))
        made[task] = fit(network, data, task=task, recipe=recipe, to=folder / task, workers=0).folder
    return made


@pytest.fixture(scope="module")
def runs(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each task that has hardly learned; its detector tells boxes all the same."""
    made = taught(shapes, tmp_path_factory.mktemp("runs"), epochs=1)
    facts = json.loads((made["detect"] / "task.json").read_text())
    (made["detect"] / "task.json").write_text(json.dumps(facts | {"sure": 0.01}))
    return made


@pytest.fixture(scope="module")
def learned(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A run of each task that finds some of the shapes."""
    return taught(shapes, tmp_path_factory.mktemp("learned"), epochs=60)


def facts(said: Said, *arguments: object) -> Any:
    said.readouterr()
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(said.readouterr().out)


@pytest.mark.parametrize("task", TASKS)
def test_check_and_eval_know_the_task(runs: dict[str, Path], shapes: Path, task: str, capsys: Said) -> None:
    checked = facts(capsys, "check", shapes, "--task", task)
    measured = facts(capsys, "eval", runs[task])

    assert checked["task"] == task
    assert checked["pictures"] == {"train": 24, "validation": 8, "test": 0}
    figure = {"detect": "map50", "segment": "miou"}[task]
    assert 0 <= measured[figure] <= 1
    assert {row["label"] for row in measured["per_class"]} >= {"circle", "square", "triangle"}
    (beside,) = measured["beside"]
    assert (
        beside["what"]
        == {
            "detect": "each class's mean box",
            "segment": "the best mask at stride 8, 8 pictures",
        }[task]
    )


@pytest.mark.parametrize("task", TASKS)
def test_a_report_tells_boxes_and_masks(runs: dict[str, Path], task: str) -> None:
    assert run(["report", str(runs[task])]) == 0

    page = (runs[task] / "report.html").read_text(encoding="utf-8")
    assert {"detect": "mAP50", "segment": "mIoU"}[task] in page
    assert "triangle" in page
    assert page.count('alt="found in') == page.count('alt="true of') == {"detect": 8, "segment": 6}[task]


@pytest.mark.parametrize("format_", ["onnx", "litert"])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.slow
def test_a_file_is_as_good_as_the_network(
    learned: dict[str, Path], shapes: Path, task: str, format_: str, precision: str, capsys: Said
) -> None:
    floor = ["--floor", "5"] if precision == "int8" else []  # tiny networks lose more than those that are used

    (made,) = facts(capsys, "export", learned[task], "--to", format_, "--precision", precision, *floor)
    file = learned[task] / "artifacts" / made["file"]
    measured = evaluate(file, shapes)

    figure = {"detect": "map50", "segment": "miou"}[task]
    assert made["proof"]["figure"] == figure
    assert made["proof"]["passed"]
    assert made["proof"]["compared"] == 32, "all there are, and 64 where there are so many"
    if precision == "fp32":
        assert made["proof"]["largest_difference"] <= made["proof"]["near"] == 1e-4
    assert measured[figure] == pytest.approx(made["proof"]["value"], abs=1e-6)


@pytest.mark.slow
def test_a_raw_file_is_proven_by_the_decoder_that_the_report_shows(learned: dict[str, Path], capsys: Said) -> None:
    (made,) = facts(capsys, "export", learned["detect"], "--to", "onnx", "--precision", "fp32", "--raw")

    file = learned["detect"] / "artifacts" / made["file"]
    assert file.name.endswith("_fp32_raw.onnx")
    assert made["outputs"][0]["shape"][2] == 4 + 3
    assert made["proof"]["passed"]
    assert evaluate(file)["map50"] == pytest.approx(made["proof"]["value"], abs=1e-6)
    assert run(["report", str(learned["detect"])]) == 0
    page = (learned["detect"] / "report.html").read_text(encoding="utf-8")
    assert f"The decoder of {file.name}" in page
    assert "def decode(" in page


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_file_predicts_what_the_network_predicts(learned: dict[str, Path], shapes: Path, task: str) -> None:
    assert run(["export", str(learned[task]), "--to", "onnx", "--precision", "fp32"]) == 0
    pictures = shapes / "images" / "val"

    ours = open_model(learned[task]).predict(pictures)
    files = load(next((learned[task] / "artifacts").glob("*_fp32.onnx"))).predict(pictures)

    assert [one.file for one in ours] == [one.file for one in files]
    for one, other in zip(ours, files, strict=True):
        if isinstance(one, Detections):
            assert one.labels == other.labels
            assert one.pixels == [pytest.approx(box, abs=0.05) for box in other.pixels]
        else:
            assert (one.mask == other.mask).double().mean() > 0.99


def test_boxes_are_saved_as_pictures_json_csv_coco_and_yolo(
    runs: dict[str, Path], shapes: Path, capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilevision.cli.judging._home", lambda _: tmp_path)

    said = facts(capsys, "predict", runs["detect"], shapes / "images" / "val", "--save", "images,json,csv,coco,yolo")

    coco = json.loads((tmp_path / "predictions_coco.json").read_text())
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open()))
    boxes = sum(len(one["labels"]) for one in said["predictions"])
    assert boxes > 0
    assert len(coco["annotations"]) == len(rows) == boxes
    assert [category["name"] for category in coco["categories"]] == ["circle", "square", "triangle"]
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 8
    lines = [line for file in (tmp_path / "labels").glob("*.txt") for line in file.read_text().splitlines()]
    assert len(lines) == boxes
    assert all(0 <= float(value) <= 1 for line in lines for value in line.split()[1:])
    assert len(list((tmp_path / "predictions").glob("*.jpg"))) == 8
    first = next(one for one in said["predictions"] if one["labels"])
    left, top, right, bottom = first["pixels"][0]
    assert 0 <= left < right <= 96
    assert 0 <= top < bottom <= 96


def test_masks_are_saved_as_pictures_at_the_pictures_size(
    runs: dict[str, Path], shapes: Path, capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilevision.cli.judging._home", lambda _: tmp_path)

    facts(capsys, "predict", runs["segment"], shapes / "images" / "val" / "0000.png", "--save", "images,masks,csv")

    mask = Image.open(tmp_path / "predictions" / "0000_mask.png")
    assert mask.size == (96, 96)
    assert set(np.unique(np.asarray(mask))) <= {0, 1, 2, 3}
    assert Image.open(tmp_path / "predictions" / "0000.jpg").size == (96, 96)
    shares = [float(row["score"]) for row in csv.DictReader((tmp_path / "predictions.csv").open())]
    assert sum(shares) == pytest.approx(1, abs=1e-4)


def test_what_is_for_one_task_is_refused_for_another(runs: dict[str, Path], shapes: Path, capsys: Said) -> None:
    assert run(["predict", str(runs["segment"]), str(shapes / "images" / "val"), "--save", "coco"]) == 2
    assert "choose from images, json, csv, masks" in capsys.readouterr().err
    assert run(["predict", str(runs["segment"]), str(shapes / "images" / "val"), "--save", "xml"]) == 2


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of a square that moves."""
    pytest.importorskip("av")
    from mobilevision.pages.film import Film

    path = tmp_path_factory.mktemp("film") / "square.mp4"
    with Film(path, rate=Fraction(10)) as film:
        for n in range(12):
            picture = Image.new("RGB", (97, 64), (120, 130, 125))
            picture.paste((240, 240, 240), (5 + 5 * n, 20, 25 + 5 * n, 40))
            film.add(picture)
    return path


def test_a_video_becomes_an_annotated_video_with_its_speed(
    runs: dict[str, Path], film: Path, capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    monkeypatch.setattr("mobilevision.cli.judging._home", lambda _: tmp_path)

    said = facts(capsys, "predict", runs["detect"], film, "--save", "images,json")

    assert [one["file"].rpartition("#")[2] for one in said["predictions"]] == [f"{n:06}" for n in range(12)]
    assert said["speeds"][0]["frames"] == 12
    assert said["speeds"][0]["frames_per_second"] > 0
    with av.open(str(tmp_path / "predictions" / "square.mp4")) as made:
        frames = list(made.decode(video=0))
    assert len(frames) == 12
    assert (frames[0].width, frames[0].height) == (96, 64)


def test_a_video_that_breaks_off_leaves_what_came_before(
    runs: dict[str, Path], film: Path, capsys: Said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import av

    from mobilevision.data.video import Video
    from mobilevision.errors import InputError

    def broken(self: Video) -> Any:
        for n in range(5):
            yield f"{self.name}#{n:06}", Image.new("RGB", (64, 64))
        raise InputError(f"{self.name} breaks off after 5 frames: invalid data")

    monkeypatch.setattr(Video, "frames", broken)
    monkeypatch.setattr("mobilevision.cli.judging._home", lambda _: tmp_path)

    assert run(["predict", str(runs["detect"]), str(film), "--save", "images,json"]) == 3

    assert "breaks off after 5 frames" in capsys.readouterr().err
    assert len(json.loads((tmp_path / "predictions.json").read_text())) == 5
    with av.open(str(tmp_path / "predictions" / "square.mp4")) as made:
        assert len(list(made.decode(video=0))) == 5


def test_a_file_that_is_no_video_and_a_camera_that_is_not_there_are_told(
    runs: dict[str, Path], capsys: Said, tmp_path: Path
) -> None:
    (tmp_path / "cut.mp4").write_bytes(b"\0" * 100)

    assert run(["predict", str(runs["detect"]), str(tmp_path / "cut.mp4")]) == 3
    assert "cannot be read as a video" in capsys.readouterr().err
    assert run(["predict", str(runs["detect"]), "camera:87"]) == 4
    assert "there is no camera 87 here" in capsys.readouterr().err


def test_a_classifiers_run_gets_a_head_for_the_task(shapes: Path, tmp_path: Path, capsys: Said) -> None:
    small = ["--arch", "mobilenetv2_035", "--recipe", "quick", "--epochs", "1", "--batch", "8", "--set", "size=64"]

    assert run(["train", str(shapes), "--task", "segment", *small, "--out", str(tmp_path / "run")]) == 0

    model = open_model(tmp_path / "run")
    told = model.predict(shapes / "images" / "val" / "0001.png")
    assert isinstance(told, Segmentation)
    assert model.labels == ("background", "circle", "square", "triangle")


@pytest.mark.parametrize(("task", "name"), [("detect", "detect_small"), ("segment", "segment_small")])
def test_a_task_has_a_recipe_of_its_own(task: str, name: str) -> None:
    assert usual(task, weights=True).name == usual(task, weights=False).name == name
    assert usual("classify", weights=True).name == "finetune"
    assert usual("classify", weights=False).name == "scratch_small"
