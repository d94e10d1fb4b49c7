"""What accelerators take is told from a table with sources; what works here is found by importing it."""

from pathlib import Path
from typing import Any

import pytest

from mobilevision.deploy import doctor, lint
from mobilevision.deploy.formats import FORMATS
from mobilevision.deploy.takes import INSTEAD, LIMITS, NAMES, NO, TAKES, TARGETS, UNKNOWN, YES
from mobilevision.errors import UsageError
from mobilevision.jobs import call

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
    assert told["XNNPACK"].whole
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


def test_an_operator_of_no_known_name_is_unknown_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"CONV_2D": 1, "STABLEHLO_COMPOSITE": 1})
    assert {verdict.taken for verdict in told.values()} == {0.5}
    assert not any(verdict.whole for verdict in told.values())


def test_what_xnnpack_left_to_the_runtime_is_not_taken_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    told = linted(monkeypatch, {"XnnpackBackend": 2, "XNNConv2d": 3, "aten::expand_copy.out": 1})
    assert told["XNNPACK"].taken == 0.75
    assert [each.taken for each in told["XNNPACK"].findings] == [YES, NO]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        lint.lint(tmp_path / "network.onnx")


def test_the_doctor_imports_each_package_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def imported(target: str, payload: dict[str, Any], *, seconds: float) -> None:
        asked.append((target, payload["module"]))
        if payload["module"] == "onnxruntime":
            call(target, {"module": "no_such_module"}, seconds=seconds)

    monkeypatch.setattr("mobilevision.jobs.call", imported)
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name == "openvino" else object())
    told = {(each.format, each.part, each.package): each for each in doctor.examine(seconds=60)}
    assert {each.format for each in told.values()} == set(FORMATS)
    assert ("mobilevision.deploy.doctor:importing", "ai_edge_litert.interpreter") in asked
    broken = told["onnx", "runtime", "onnxruntime"]
    assert not broken.works
    assert "no_such_module" in broken.trouble
    assert broken.command == "pip install 'mobilevision[onnx]'"
    absent = told["openvino", "runtime", "openvino"]
    assert (absent.works, absent.trouble) == (False, "not installed")
    assert told["litert", "exporter", "litert-torch"].works


@pytest.mark.slow
def test_every_exporter_and_runtime_works_here() -> None:
    told = doctor.examine()
    assert [each.package for each in told if not each.works] == []
    assert all(each.version for each in told)
