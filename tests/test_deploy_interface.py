"""Files that take a picture's bytes and give probabilities: the same answers, from what a program has and wants."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.cli.app import run as command
from mobilevision.deploy import export
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.doors import Centered
from mobilevision.deploy.formats import FORMATS, find_format
from mobilevision.deploy.interface import LEAST, Interface, alike, scored, taken
from mobilevision.deploy.load import load
from mobilevision.deploy.runtime import open_file
from mobilevision.deploy.shown import run_data
from mobilevision.errors import UsageError
from mobilevision.run import Run
from mobilevision.timing.laps import take
from mobilevision.timing.stages import way_in
from mobilevision.train.loop import fit
from tiny_training import RECIPE, fresh

BOTH = Interface(pixels=True, softmax=True)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, colors: Path) -> Run:
    return fit(fresh(), colors, recipe=RECIPE, to=tmp_path_factory.mktemp("interface") / "run", workers=0)


@pytest.fixture(scope="module")
def file(run: Run) -> Artifact:
    return export(run, "onnx", interface=BOTH)


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("litert", "openvino", "executorch")]


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("to", ["onnx", *SLOW])
def test_a_file_takes_bytes_and_gives_probabilities_as_the_network_has_them(run: Run, to: str, precision: str) -> None:
    found, model = export(run, to, precision=precision, floor=100, calibrate=16, interface=BOTH), load(run.folder)
    runner, (port,) = open_file(found.path), found.facts["inputs"]
    assert port["dtype"] == "uint8" == runner.inputs[0].dtype
    image = Image.open(run_data(run).validation[0].file)
    pixels = np.asarray(model.preprocessing.framed(image))[None]
    given = runner(np.ascontiguousarray(pixels if port["layout"] == "NHWC" else pixels.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        right = model.network(model.preprocessing.tensor(image)[None]).softmax(1).numpy()
    assert given.sum() == pytest.approx(1, abs=0.01)
    assert np.abs(given - right).max() < (1e-5 if precision == "fp32" else 0.05)


def test_its_facts_and_its_name_say_so_and_the_usual_file_stays(run: Run, file: Artifact) -> None:
    usual = export(run, "onnx")
    assert (file.path.name, usual.path.name) == ("tiny_fp32_pixels_softmax.onnx", "tiny_fp32.onnx")
    assert (file.facts["takes"], file.facts["gives"]) == ("pixels", "probabilities")
    assert "takes" not in usual.facts
    assert usual.path.exists()
    assert file.path.exists()


def test_it_predicts_as_the_run_does(run: Run, file: Artifact) -> None:
    picture = run_data(run).validation[0].file
    right, found = load(run.folder).predict(picture), load(file.path).predict(picture)
    assert found.labels == right.labels
    assert found.scores == pytest.approx(right.scores, abs=2 * LEAST)


def test_it_is_timed_on_bytes(run: Run, file: Artifact) -> None:
    prepared = way_in(load(file.path))(Image.open(run_data(run).validation[0].file))
    assert prepared.dtype == torch.uint8
    assert len(take(str(file.path), 1, 3, 1)["laps"]) == 3


def test_pixels_are_found_again_to_the_byte(run: Run) -> None:
    how = load(run.folder).preprocessing
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 16), np.uint8)
    prepared = how.scaled(torch.from_numpy(pixels)).numpy()
    card = {"takes": "pixels", "preprocessing": how.facts()}
    assert (taken(prepared, card) == pixels).all()
    assert taken(pixels, card) is pixels
    assert taken(prepared, {}) is prepared


def test_the_mean_is_taken_from_rows_as_from_planes() -> None:
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, 4, 6), np.uint8))
    planes = Centered(torch.tensor([100.0, 50.0, 9.5]))
    rows = planes.channels_last(6)
    assert rows(pixels.permute(0, 2, 3, 1)).equal(planes(pixels).permute(0, 2, 3, 1))


def test_logarithms_of_probabilities_are_scores() -> None:
    card, scores = {"gives": "probabilities"}, np.float32([[3.0, -1.0, 40.0], [1.0, 1.0, 1.0]])
    chances = torch.from_numpy(scores).softmax(1).numpy()
    assert np.allclose(scored(chances, card), alike(scores, card), atol=1e-6)
    assert alike(scores, card).min() == pytest.approx(np.log(LEAST))
    assert scored(scores, {}) is scores is alike(scores, {})


@pytest.mark.parametrize(("to", "interface"), [(name, each) for name, f in FORMATS.items() for each in f.closed])
def test_a_format_that_has_no_such_door_says_why(run: Run, to: str, interface: str) -> None:
    with pytest.raises(UsageError, match=f"--{interface} is not for {to}: .*; leave it out"):
        Interface(**{interface: True}).check(find_format(to), run.read("task"))


@pytest.mark.parametrize(
    ("task", "interface", "sentence"),
    [
        ({"task": "detect"}, Interface(pixels=True), "--pixels is for classify and embed, and this run is of detect"),
        ({"task": "embed"}, Interface(softmax=True), "which one is right, and this run is of embed"),
        ({"task": "classify", "multilabel": True}, Interface(softmax=True), "of several labels a picture"),
    ],
)
def test_a_task_that_has_no_such_door_says_so(task: dict[str, object], interface: Interface, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        interface.check(find_format("onnx"), task)


def test_the_command_writes_such_a_file(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["export", str(run.folder), "--to", "onnx", "--precision", "fp32", "--pixels"]
    assert command([*asked]) == 0
    assert "tiny_fp32_pixels.onnx" in capsys.readouterr().out
