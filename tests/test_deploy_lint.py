"""What accelerators take is told from a table with sources; what works here is found by trying it."""

import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilevision.cli.doctor import _told
from mobilevision.cli.linting import told_verdict
from mobilevision.deploy import doctor, lint
from mobilevision.deploy.formats import FORMATS
from mobilevision.deploy.handover import convert
from mobilevision.deploy.takes import INSTEAD, LIMITS, NAMES, NO, TAKES, TARGETS, UNKNOWN, YES
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.jobs import call
from test_deploy_prepare import trained

PORT = {"name": "image", "shape": [1, 64, 64, 3], "dtype": "float32", "layout": "NHWC"}


def linted(monkeypatch: pytest.MonkeyPatch, operators: dict[str, int], **port: Any) -> dict[str, lint.Verdict]:
    told = {"operators": operators, "ports": [PORT | port]}
    monkeypatch.setattr("mobilevision.jobs.call", lambda *_, **__: told)
    return {verdict.target: verdict for verdict in lint.lint("network.tflite")}


def test_every_row_of_the_table_has_a_word_for_every_target_and_every_target_its_source() -> None:
    assert all(len(row) == len(TARGETS) and set(row) <= {YES, NO, UNKNOWN} for row in TAKES.values())
    assert all(target.source and set(target.formats) <= set(FORMATS) for target in TARGETS)
    assert NAMES.keys() == TAKES.keys()
    assert set(INSTEAD) <= set(TAKES)
    assert {(word in TAKES, name in {target.name for target in TARGETS}) for word, name in LIMITS} == {(True, True)}
    names = [name for each in NAMES.values() for name in each]
    assert len(names) == len(set(names))


def test_hard_swish_stops_an_edge_tpu_and_the_minimalistic_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"CONV_2D": 3, "HARD_SWISH": 1}, dtype="int8")
    assert told["GPU delegate"].whole
    assert "computes with 8-bit integers" in told["XNNPACK"].unfit[0]
    edge = told["EdgeTPU"]
    assert (edge.whole, edge.taken, edge.unfit) == (False, 0.75, ())
    (finding,) = [each for each in edge.findings if each.taken == NO]
    assert (finding.name, finding.count) == ("HARD_SWISH", 1)
    assert "minimalistic MobileNetV3" in finding.instead
    assert [each.taken for each in told["XNNPACK in 8 bits"].findings] == [YES, NO]


def test_floats_free_shapes_and_other_formats_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"CONV_2D": 1}, shape=["batch", 64, 64, 3])
    assert any("8-bit integers" in sentence for sentence in told["Hexagon"].unfit)
    assert any("constant shapes" in sentence for sentence in told["GPU delegate"].unfit)
    assert any("export to coreml" in sentence for sentence in told["Neural Engine"].unfit)
    assert told["EdgeTPU"].facts()["whole"] is False


def test_image_and_scores_in_floats_send_to_the_format_that_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"QUANTIZE": 1, "CONV_2D": 1, "DEQUANTIZE": 1})
    assert told["EdgeTPU"].unfit == ("it takes 8-bit integers from the image to the scores; export to edgetpu",)
    assert told["XNNPACK in 8 bits"].whole
    mixed = linted(monkeypatch, {"QUANTIZE": 2, "SOFTMAX": 1, "DEQUANTIZE": 2})
    assert any("from DEQUANTIZE to QUANTIZE" in sentence for sentence in mixed["XNNPACK in 8 bits"].unfit)
    assert mixed["GPU delegate"].unfit == ()


def test_an_operator_of_no_known_name_is_unknown_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"CONV_2D": 1, "STABLEHLO_COMPOSITE": 1})
    assert {verdict.taken for verdict in told.values()} == {0.5}
    assert not any(verdict.whole for verdict in told.values())


def test_what_xnnpack_left_to_the_runtime_is_not_taken_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"XnnpackBackend": 2, "XNNConv2d": 3, "aten::expand_copy.out": 1})
    assert told["XNNPACK"].taken == 0.75
    assert [each.taken for each in told["XNNPACK"].findings] == [YES, NO]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left"), [("mobilenetv3_small_050", "HARD_SWISH"), ("emo_1m", "BATCH_MATMUL")])
def test_the_table_agrees_with_what_a_runtime_takes_of_a_real_file(name: str, left: str, tmp_path: Path) -> None:
    file, card = tmp_path / "network.tflite", {"format": "litert", "precision": "fp32", "labels": []}
    convert(trained(name), (64, 64), card=card, to=file, seconds=400)
    layers = FORMATS["litert"].layers(file)
    counts = Counter(each.operator for each in layers)
    told = {each.target: each for each in lint.lint(file)}
    for verdict in told.values():
        assert {each.name: each.count for each in verdict.findings} == counts
        assert verdict.source
        assert verdict.taken == sum(each.count for each in verdict.findings if each.taken == YES) / counts.total()
        assert all(each.instead for each in verdict.findings if each.taken == NO)
    answers = {target: {each.name: each.taken for each in verdict.findings} for target, verdict in told.items()}
    assert all(answers["XNNPACK"][each.operator] != (NO if each.piece else YES) for each in layers)
    assert told["XNNPACK"].whole
    assert answers["EdgeTPU"][left] == NO
    assert answers["XNNPACK in 8 bits"][left] != YES
    words = "\n".join(map(told_verdict, told.values()))
    assert f"{left} ({counts[left]}): no; use " in words
    assert all(verdict.source in words for verdict in told.values())


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        lint.lint(tmp_path / "network.onnx")


def test_the_doctor_lets_each_format_write_and_run_in_processes_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def called(target: str, payload: dict[str, Any], *, seconds: float) -> Any:
        asked.append(target.partition(":")[2])
        if payload.get("format") == "onnx":
            return call("no_such_module:write", {}, seconds=seconds)
        return [[1.0]]

    monkeypatch.setattr("mobilevision.jobs.call", called)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "openvino" else object())
    told = {(each.format, each.part): each for sides in doctor.examine(seconds=60) for each in sides}
    assert {name for name, _ in told} == set(FORMATS)
    assert (asked.count("write"), asked.count("run")) == (5, 4)
    assert told["litert", "exporter"].works
    assert told["litert", "runtime"].works
    broken, untried = told["onnx", "exporter"], told["onnx", "runtime"]
    assert "no_such_module" in broken.trouble
    assert broken.command == untried.command == "pip install 'mobilevision[onnx]'"
    assert "not tried" in untried.trouble
    absent = told["openvino", "runtime"]
    assert (absent.works, absent.trouble) == (False, "openvino not installed")
    assert told["coreml", "runtime"].trouble == FORMATS["coreml"].away
    assert (told["edgetpu", "runtime"].works, told["edgetpu", "runtime"].trouble) == (True, FORMATS["edgetpu"].remains)


def test_a_format_that_took_too_long_is_not_to_be_installed_but_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(target: str, payload: dict[str, Any], *, seconds: float) -> Any:
        time.sleep(seconds)
        raise MobilevisionError(f"{target} took longer than {seconds:g} s and was stopped")

    monkeypatch.setattr("mobilevision.jobs.call", stopped)
    monkeypatch.setattr(doctor, "FORMATS", {"onnx": FORMATS["onnx"]})
    ((exporter, runtime),) = doctor.examine(seconds=0.01)
    assert exporter.trouble.endswith("took longer than 0.01 s and was stopped; try again when the machine is less busy")
    assert not exporter.works
    assert not runtime.works
    assert exporter.command == runtime.command == ""
    assert _told(exporter).endswith("less busy")


def test_scores_that_are_not_those_expected_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobilevision.deploy.runtime.open_file", lambda file: None)
    monkeypatch.setattr("mobilevision.deploy.runtime.scores", lambda runner, pictures: np.array([[1.0, 2.0]]))
    doctor.run("file", [[1.0, 2.0]])
    with pytest.raises(InputError, match="off by 1"):
        doctor.run("file", [[1.0, 3.0]])


@pytest.mark.slow
def test_every_exporter_and_runtime_works_here() -> None:
    told = [each for sides in doctor.examine() for each in sides]
    assert [each for each in told if not each.works] == []
    assert all(version for each in told for version in each.packages.values())
