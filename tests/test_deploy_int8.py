"""A file in 8 bits keeps the network's accuracy, or it is refused with the layers that lost most."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from mobilevision.cli.words import told_file
from mobilevision.deploy import export, quantize
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.formats import FORMATS
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.load import load
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.quantize import IntegerProof
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.deploy.shown import calibration_pictures, run_data, spread
from mobilevision.deploy.stem import columns_as_channels
from mobilevision.errors import InputError, ShortfallError, UsageError
from mobilevision.network import Network
from mobilevision.run import Run
from test_deploy_export import make_run
from test_deploy_prepare import trained

PROOF = IntegerProof(
    pictures=100,
    judged=100,
    source="",
    accuracy=0.80,
    accuracy_torch=0.82,
    agreement=0.9,
    divergence=0.1,
    largest_difference=0.1,
    limit=1.0,
    runtime="",
    calibration=64,
    lost=({"layer": "stages.0.0.conv", "divergence": 0.5},),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("int8"))


def test_an_export_in_8_bits_is_judged_on_all_validation_pictures(run: Run) -> None:
    artifact = export(run, "onnx", precision="int8", floor=100, calibrate=8)
    proof = artifact.facts["proof"]
    assert artifact.path.name == "mobilenetv2_035_int8.onnx"
    assert (proof["pictures"], proof["judged"], proof["calibration"], proof["passed"]) == (15, 3, 8, True)
    assert 0 <= proof["accuracy"] <= 1
    assert proof["divergence"] < 0.05
    assert len(proof["lost"]) == 8
    convolutions = [m for m in Network(run.arch, 3).modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [each["layer"] for each in proof["errors"]][-1] == "head.scores"
    assert len(proof["errors"]) == len(convolutions)
    assert all(0 < each["error"] < 0.5 for each in proof["errors"])
    assert artifact.facts["operators"]["QuantizeLinear"] > 50
    assert artifact.facts["inputs"][0]["dtype"] == "float32"


def stored_weights(file: Path) -> list[tuple[int, int]]:
    """Of each convolution in a .tflite file: how many scales its weight has, and how many bytes it takes."""
    model, names = opened(file)
    graph, found = model.Subgraphs(0), []
    for i in range(graph.OperatorsLength()):
        if names[graph.Operators(i).OpcodeIndex()] in ("CONV_2D", "DEPTHWISE_CONV_2D"):
            weight = graph.Tensors(graph.Operators(i).Inputs(1))
            assert not weight.Quantization().ZeroPointAsNumpy().any()
            buffer = model.Buffers(weight.Buffer())  # inside the flatbuffer, or behind it
            found.append((weight.Quantization().ScaleLength(), buffer.DataLength() or buffer.Size()))
    return found


@pytest.mark.slow
def test_a_litert_file_in_8_bits_computes_nearly_the_same(run: Run) -> None:
    artifact = export(run, "litert", precision="int8", floor=100, calibrate=8)
    fp32 = export(run, "litert")
    assert artifact.facts["proof"]["divergence"] < 0.05
    assert artifact.facts["inputs"] == fp32.facts["inputs"]
    written = columns_as_channels(deployable(Network(run.arch, 3).eval()))
    shapes = [m.weight.shape for name, m in written.named_modules() if isinstance(m, nn.Conv2d) and "plain" not in name]
    assert sorted(stored_weights(artifact.path)) == sorted((shape[0], shape.numel()) for shape in shapes)
    assert artifact.facts["operators"]["QUANTIZE"] == artifact.facts["operators"]["DEQUANTIZE"] == 1
    assert load(artifact.path).labels == load(fp32.path).labels  # read from inside the file


def test_a_file_below_the_floor_is_refused_with_the_layers_that_lost_most(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def convert(*_: object, how: dict, **__: object) -> dict:
        tried.append((how["correct"], how["wide"]))
        return {
            "lost": [{"layer": f"layer{i}", "place": i, "divergence": 1 / (1 + i), "error": 0.1} for i in range(20)]
        }

    monkeypatch.setattr(quantize, "convert_integers", convert)
    monkeypatch.setattr(quantize, "judge", lambda *_, **__: (PROOF, {}))
    with pytest.raises(
        ShortfallError, match=r"80.0% of 100 pictures where torch is on 82.0%.*layer0, layer1, layer2"
    ) as caught:
        export(run, "onnx", precision="int8")
    assert caught.value.exit_code == 5
    assert tried == [(True, []), (False, []), (True, [0, 1]), (True, [0, 1, 2, 3]), (True, [0, 1, 2, 3, 4, 5, 6, 7])]
    assert not list(run.artifacts.glob(".*"))


def test_layers_stay_wide_only_until_the_floor_is_met(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"lost": [{"layer": f"layer{i}", "place": i, "divergence": 1.0, "error": None} for i in range(20)]}
    proofs = iter([PROOF, PROOF, replace(PROOF, accuracy=0.815)])
    monkeypatch.setattr(quantize, "convert_integers", lambda *_, **__: told)
    monkeypatch.setattr(quantize, "judge", lambda *_, **__: (next(proofs), {}))
    proof, _ = quantize.integers(
        run,
        quantize_model(run),
        FORMATS["onnx"],
        card={},
        to=Path("unused"),
        how=quantize.Quantization(calibrate=4),
        seconds=60,
    )
    assert proof.passed
    assert proof.wide == ("layer0", "layer1")


def test_integers_that_a_runtime_refuses_leave_more_layers_wide(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"lost": [{"layer": f"layer{i}", "place": i, "divergence": 1.0, "error": None} for i in range(20)]}
    answers = iter([None, None, None, replace(PROOF, accuracy=0.815)])

    def judge(*_: object, **__: object) -> tuple[object, dict]:
        if (answer := next(answers)) is None:
            raise ShortfallError("XNNPACK refuses the integers")
        return answer, {}

    monkeypatch.setattr(quantize, "convert_integers", lambda *_, **__: told)
    monkeypatch.setattr(quantize, "judge", judge)
    how, model = quantize.Quantization(calibrate=4), quantize_model(run)
    proof, _ = quantize.integers(run, model, FORMATS["onnx"], card={}, to=Path("unused"), how=how, seconds=60)
    assert proof.wide == ("layer0", "layer1", "layer2", "layer3")
    assert "in float32: layer0, layer1" in told_file({"file": "file", "bytes": 1, "proof": proof.facts()})
    answers = iter([None] * 5)
    with pytest.raises(ShortfallError, match="XNNPACK refuses"):
        quantize.integers(run, model, FORMATS["onnx"], card={}, to=Path("unused"), how=how, seconds=60)


def test_layers_are_kept_in_float32_in_the_way_that_lost_less() -> None:
    tried, losses = [], {(True, 0): 5.0, (False, 0): 3.0, (False, 2): 2.0, (False, 4): 0.5}

    def attempt(correct: bool, count: int) -> tuple[IntegerProof, dict]:
        tried.append((correct, count))
        return replace(PROOF, accuracy=PROOF.accuracy_torch - losses[correct, count] / 100), {"try": len(tried)}

    proof, told = quantize.settled(attempt, ways=(True, False), rounds=quantize.ROUNDS)
    assert tried == list(losses)
    assert proof.passed
    assert told == {"try": 4}
    last, _ = quantize.settled(lambda *_: (PROOF, {}), ways=(True, False), rounds=(0,))
    assert not last.passed


def quantize_model(run: Run) -> object:
    from mobilevision.models import open_model

    return open_model(run.folder)


def test_a_wide_layer_is_not_rounded_in_the_file(tmp_path: Path) -> None:
    network, pictures = trained("mobilenetv2_035"), torch.randn(4, 3, 32, 32)
    card = {"format": "onnx", "precision": "int8", "labels": []}
    counts = []
    for wide in ([], list(range(52))):
        how = {"ranges": "minmax", "equalize": True, "correct": True, "wide": wide, "rounded": False}
        convert_integers(network, pictures, card=card, to=tmp_path / "file.onnx", how=how, seconds=300)
        counts.append(FORMATS["onnx"].operators(tmp_path / "file.onnx").count("QuantizeLinear"))
        error = np.abs(scores(open_file(tmp_path / "file.onnx"), pictures.numpy()) - network(pictures).detach().numpy())
        assert error.max() < 0.3 * network(pictures).abs().max()
    assert counts[1] < counts[0] / 2


def test_pictures_without_labels_are_refused(run: Run) -> None:
    with pytest.raises(UsageError, match="no labels"):
        export(run, "onnx", precision="int8", pictures=["somewhere"])


@pytest.mark.parametrize(("option", "value"), [("floor", -1), ("calibrate", 0), ("ranges", "entropy")])
def test_what_makes_no_sense_is_told(run: Run, option: str, value: object) -> None:
    with pytest.raises(UsageError, match=r"choose from|give 0 to 100|calibrate on"):
        export(run, "onnx", precision="int8", **{option: value})


def another_class(picture: Path) -> None:
    folder = picture.parents[1] / f"no {picture.parent.name}"
    folder.mkdir(exist_ok=True)
    picture.rename(folder / picture.name)


def changed(run: Run, folder: Path, change: Callable[[Path], object]) -> Run:
    """A copy of a run, of whose pictures each was changed."""
    shutil.copytree(run.folder.parent, folder, ignore=shutil.ignore_patterns("artifacts"))
    copy = Run(folder / "run")
    copy.write("data", copy.read("data") | {"source": str(folder / "pictures")})
    for picture in list((folder / "pictures").rglob("*.png")):
        change(picture)
    return copy


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (Path.unlink, "has no picture left"),
        (lambda picture: picture.write_text("a letter"), "none of the training pictures .* can be read"),
        (lambda picture: picture.write_bytes(b""), "none of the training pictures .* can be read"),
        (another_class, "no longer what it was"),
    ],
    ids=["gone", "text", "empty", "other classes"],
)
def test_calibration_data_that_is_no_longer_what_it_was_is_told_and_nothing_is_left(
    run: Run, tmp_path: Path, change: Callable[[Path], object], sentence: str
) -> None:
    other = changed(run, tmp_path / "copy", change)
    with pytest.raises(InputError, match=sentence) as caught:
        export(other, "onnx", precision="int8")
    assert caught.value.exit_code == 3
    assert not list(other.artifacts.glob("*"))


@pytest.mark.parametrize(("pictures", "count"), [(255, 128), (128, 128), (129, 128), (1314, 128), (7, 128), (0, 8)])
def test_calibration_sees_all_of_the_training_pictures_whatever_their_number(pictures: int, count: int) -> None:
    taken = spread(range(pictures), count)
    assert len(set(taken)) == len(taken) == min(pictures, count)
    steps = np.diff([*taken, pictures])
    assert not len(taken) or (taken[0] == 0 and steps.max() - steps.min() <= 1)


def test_calibration_without_a_readable_picture_is_told(run: Run) -> None:
    data = run_data(run)
    broken = replace(data.train[0], file=Path(__file__))
    with pytest.raises(InputError, match="none of the training pictures"):
        calibration_pictures(replace(data, train=(broken,)), quantize_model(run), count=4)


def test_calibration_pictures_of_any_size_and_kind_are_seen_as_the_network_sees_pictures(
    run: Run, tmp_path: Path
) -> None:
    sizes = iter([(1, 1), (20, 400), (900, 30), (64, 48)] * 9)

    def other(picture: Path) -> None:
        Image.open(picture).convert("L").resize(next(sizes)).save(picture)

    copy = changed(run, tmp_path / "copy", other)
    artifact = export(copy, "onnx", precision="int8", floor=100)
    assert artifact.facts["inputs"][0]["shape"] == ["batch", 3, 48, 64]
    assert artifact.facts["proof"]["calibration"] == 12
    assert calibration_pictures(run_data(copy), quantize_model(copy), count=4).shape == (4, 3, 48, 64)


def test_calibration_pictures_that_cannot_be_read_are_left_out(run: Run, tmp_path: Path) -> None:
    broken = iter([True, False] * 18)
    copy = changed(run, tmp_path / "copy", lambda picture: next(broken) and picture.write_bytes(b"no picture"))
    proof = export(copy, "onnx", precision="int8", floor=100).facts["proof"]
    assert 0 < proof["calibration"] < 12
    assert 0 < proof["judged"] <= 3
