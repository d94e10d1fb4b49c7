"""Layers that lose most stay in float together with their maps, in every format that is written in 8 bits."""

import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from torch import nn

from mobilevision.deploy import export
from mobilevision.deploy.formats import FORMATS
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.quantize import Quantization, judge
from mobilevision.deploy.regions import IMAGE, owners, region
from mobilevision.deploy.shown import calibration_pictures, judging_pictures, run_data
from mobilevision.deploy.simulate import sensitivity
from mobilevision.deploy.tails import Operation
from mobilevision.errors import ShortfallError
from mobilevision.models import open_model
from mobilevision.run import Run
from mobilevision.train.loop import fit
from mobilevision.weights.save import save_weights
from tiny_training import RECIPE, fresh

FAR = 2e4
"""What a channel that nobody reads holds; a step of 8 bits is 78 then, and the other channels are lost."""

BLOCK = (  # of a network with a residual sum: kind, what it reads, what it makes
    Operation("pad", ("image",), ("padded",)),
    Operation("conv", ("padded",), ("a",)),
    Operation("relu", ("a",), ("b",)),
    Operation("conv", ("b",), ("c",)),
    Operation("add", ("b", "c"), ("sum",)),
    Operation("conv", ("sum",), ("d",)),
    Operation("relu", ("d",), ("e",)),
)


def test_a_map_belongs_to_the_last_convolution_it_is_computed_from() -> None:
    found = owners(BLOCK, ("conv",))
    assert found == {"padded": IMAGE, "a": 0, "b": 0, "c": 1, "sum": 1, "d": 2, "e": 2}


def test_maps_stay_in_float_with_the_convolutions_that_would_round_them() -> None:
    kinds = [BLOCK[i].makes[0] for i in region(BLOCK, ("conv",), {1})]
    assert kinds == ["c", "sum", "d"]  # what reads the sum computes in float, and its own map is rounded
    assert region(BLOCK, ("conv",), set()) == []


@pytest.fixture(scope="module")
def lame(colors: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run whose network has a channel in a residual sum that is far from all others, and that nobody reads."""
    folder = tmp_path_factory.mktemp("lame") / "run"
    run = fit(fresh(), colors, recipe=RECIPE, to=folder, workers=0)
    network = open_model(run.folder).network
    adds, reads = network.stages[1][0].body.project, network.stages[1][1].expand.conv
    with torch.no_grad():
        adds.norm.bias[0] += FAR
        reads.weight[:, 0] = 0
    save_weights(network, run.best)
    return run


def test_a_sum_that_is_lost_is_found_by_the_convolution_behind_which_it_is_made(lame: Run) -> None:
    network = integer_form(deployable(open_model(lame.folder).network))
    pictures = calibration_pictures(run_data(lame), open_model(lame.folder), count=16)
    worst, second, *_ = sensitivity(network, pictures)
    assert worst["layer"] == "stages.1.0.body.project.conv"
    assert worst["divergence"] > 5 * second["divergence"]
    assert worst["place"] == [n for n, m in network.named_modules() if isinstance(m, nn.Conv2d)].index(worst["layer"])


@pytest.mark.parametrize(
    "to", [pytest.param(each.name, marks=pytest.mark.slow if each.name != "onnx" else ()) for each in FORMATS.values()]
)
def test_a_file_that_misses_its_floor_is_saved_by_its_most_sensitive_layers_and_by_no_others(
    lame: Run, to: str, tmp_path: Path
) -> None:
    run = Run(Path(shutil.copytree(lame.folder, tmp_path / "run")))
    if not FORMATS[to].mixes:
        with pytest.raises(ShortfallError, match=r"lose most are stages\.1\.0\.body\.project\.conv"):
            export(run, to, precision="int8", calibrate=16)
        return
    proof = export(run, to, precision="int8", calibrate=16).facts["proof"]
    assert proof["passed"]
    assert len(proof["wide"]) == 2
    assert proof["wide"][0] == proof["lost"][0]["layer"] == "stages.1.0.body.project.conv"

    model, how = open_model(run.folder), Quantization(calibrate=16)
    shown = calibration_pictures(run_data(run), model, count=16)
    others = [each["place"] for each in sensitivity(integer_form(deployable(model.network)), shown)[-2:]]
    card = {"format": to, "precision": "int8", "labels": []}
    with FORMATS[to].writing(tmp_path / f"other{FORMATS[to].suffix}") as file:
        asked = asdict(how) | {"wide": others, "rounded": False}
        convert_integers(model.network, shown, card=card, to=file, how=asked, seconds=300)
        found, _ = judge(model, file, judging_pictures(run_data(run)), how=how, runtime="", seconds=300)
    assert found.accuracy < proof["accuracy"] - 0.2
    assert not found.passed
