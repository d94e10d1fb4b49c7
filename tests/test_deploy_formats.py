"""Every format keeps the promises of the others: proven, whole, alone on its way, refused when it is cut short."""

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mobilevision import jobs
from mobilevision.cost import walk
from mobilevision.deploy import executorch, export, exporting, mil, onnx
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.base import FP32, Format
from mobilevision.deploy.coreml import ON_A_MAC, tidy
from mobilevision.deploy.formats import FORMATS, find_precision, format_of
from mobilevision.deploy.load import load
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.errors import InputError, MissingError, MobilevisionError, ShortfallError, UsageError
from mobilevision.files import sha256, size
from mobilevision.models import open_model
from mobilevision.run import Run
from mobilevision.timing import bench, bench_run
from test_deploy_export import LABELS, SIZE, make_run, pictures
from works import Proven

NEW = ("openvino", "executorch", "coreml")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="module")
def files(run: Run) -> dict[str, Artifact]:
    """One file of each format that the other tests of exports do not make."""
    return {name: export(run, name) for name in NEW}


@pytest.fixture(params=NEW)
def artifact(request: pytest.FixtureRequest, files: dict[str, Artifact]) -> Artifact:
    return files[request.param]


def copied(source: Path, to: Path) -> Path:
    return Path(shutil.copytree(source, to / source.name) if source.is_dir() else shutil.copy(source, to))


@pytest.mark.slow
def test_a_file_of_every_format_is_proven(run: Run, artifact: Artifact, proven: Proven) -> None:
    proof = artifact.facts["proof"]
    if proof["ran"]:
        proven(artifact)
    assert proof["passed"]
    assert proof["largest_difference"] < 1e-5
    assert Artifact.open(artifact.path, run=run).facts["sha256"] == sha256(artifact.path)
    assert artifact.facts["bytes"] == size(artifact.path)
    left = {path.name for path in run.artifacts.iterdir() if path.name.startswith((".", artifact.path.name))}
    assert left == {artifact.path.name, f"{artifact.path.name}.json"}


@pytest.mark.slow
def test_a_file_of_every_format_travels_alone(run: Run, artifact: Artifact, tmp_path: Path) -> None:
    alone = copied(artifact.path, tmp_path)
    network, given = open_model(run.folder).network.eval(), pictures(3)
    expected = network(torch.from_numpy(given)).detach().numpy()
    assert np.abs(scores(open_file(alone), given) - expected).max() <= 1e-5 * np.abs(expected).max()
    model = load(alone)
    assert model.labels == LABELS
    assert model.preprocessing.size == SIZE
    assert model.predict(run.folder.parent / "pictures" / "dog" / "0.png").label in LABELS


@pytest.mark.slow
@pytest.mark.parametrize("place", ["", "model.xml", "model.bin", "Data/com.apple.CoreML/model.mlmodel"])
def test_what_is_cut_short_is_refused(files: dict[str, Artifact], tmp_path: Path, place: str) -> None:
    name = {"": "executorch", "Data/com.apple.CoreML/model.mlmodel": "coreml"}.get(place, "openvino")
    cut = copied(files[name].path, tmp_path)
    part = cut / place if place else cut
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    with pytest.raises(InputError, match=r"not a whole .*export it again"):
        load(cut)
    shutil.copy(f"{files[name].path}.json", tmp_path)
    with pytest.raises(InputError, match="cut short"):
        load(cut)


@pytest.mark.slow
def test_an_openvino_file_takes_any_number_of_pictures_in_float32(files: dict[str, Artifact]) -> None:
    facts = files["openvino"].facts
    assert facts["inputs"] == [{"name": "image", "shape": ["batch", 3, 48, 64], "dtype": "float32", "layout": "NCHW"}]
    assert "INFERENCE_PRECISION_HINT=f32" in facts["proof"]["runtime"]
    runner = open_file(files["openvino"].path)
    first = runner(pictures(1))
    assert runner(pictures(3)).shape == (3, 3)
    assert (first == runner(pictures(1))).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["openvino", "executorch"])
def test_the_operators_of_a_file_hold_the_networks_arithmetic(run: Run, files: dict[str, Artifact], name: str) -> None:
    coverage = files[name].facts["coverage"]
    assert coverage["macs"] == sum(row.cost.macs for row in walk(run.arch, SIZE, outputs=len(LABELS)))
    assert (coverage["pieces"], coverage["inside"], coverage["outside"]) == (1, 1.0, {})
    assert files["coreml"].facts["coverage"] is None


@pytest.mark.slow
def test_an_executorch_file_is_one_piece_for_xnnpack(files: dict[str, Artifact]) -> None:
    operators = files["executorch"].facts["operators"]
    assert operators["XnnpackBackend"] == 1
    assert all(name.startswith("XNN") for name in operators if name != "XnnpackBackend")
    assert operators["XNNDepthwiseConv2d"] == 17


@pytest.mark.slow
def test_an_executorch_file_with_plain_relu_tells_its_operators(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU(), torch.nn.Flatten())
    executorch.export(network, (3, 4, 4), {"labels": []}, tmp_path / "plain.pte", FP32)
    assert "XNNConv2d" in executorch.operators(tmp_path / "plain.pte")


@pytest.mark.slow
def test_an_executorch_pool_keeps_the_threads_of_the_first_file(files: dict[str, Artifact]) -> None:
    open_file(files["executorch"].path, threads=1)
    with pytest.raises(UsageError, match="use another process"):
        open_file(files["executorch"].path, threads=2)
    assert bench(files["executorch"], threads=1).busy < 1.3


@pytest.mark.slow
@pytest.mark.skipif(ON_A_MAC, reason="Core ML is here")
def test_a_core_ml_file_says_that_it_was_not_run(run: Run, files: dict[str, Artifact]) -> None:
    proof = files["coreml"].facts["proof"]
    assert proof["ran"] is False
    assert proof["runtime"].startswith("not run: Core ML runs on Apple's systems only")
    with pytest.raises(MissingError, match="not timed here"):
        bench(files["coreml"])
    assert files["coreml"].path.name not in {timing.file for timing in bench_run(run)}


@pytest.mark.slow
def test_the_same_network_gives_the_same_core_ml_file_with_nothing_of_the_machine(
    run: Run, files: dict[str, Artifact]
) -> None:
    again = export(run, "coreml")
    assert again.facts["sha256"] == files["coreml"].facts["sha256"]
    paths = [path for path in again.path.rglob("*") if path.is_file()]
    assert {path.name for path in paths} == {"Manifest.json", "model.mlmodel", "weight.bin"}
    assert not any(str(Path(__file__).parents[1]).encode() in path.read_bytes() for path in paths)


def test_every_format_has_a_suffix_an_extra_and_precisions_of_its_own() -> None:
    assert len({each.suffix for each in FORMATS.values()}) == len(FORMATS) == 6
    for name, each in FORMATS.items():
        reader = format_of(Path(f"x{each.suffix}"))
        assert (reader.runner, reader.operators, reader.layers) == (each.runner, each.operators, each.layers)
        assert (each.name, each.precisions[0].name) == (name, "fp32" if each.mixes else "int8")


def test_every_precision_is_offered_or_its_lack_has_a_reason() -> None:
    for each in FORMATS.values():
        offered = {precision.name for precision in each.precisions}
        assert offered.isdisjoint(each.lacks)
        assert offered | each.lacks.keys() == {"fp32", "fp16", "int8"}
        assert (each.quantize is None) == ("int8" in each.lacks)
    with pytest.raises(UsageError, match=r"executorch is not written in fp16 here: .* float32 .*; it is in fp32, int8"):
        find_precision(FORMATS["executorch"], "fp16")


def test_a_format_away_from_its_runtime_is_not_timed() -> None:
    known = FORMATS["onnx"]
    values = {name: getattr(known, name) for name in known.__dataclass_fields__}
    there = Format(**(values | {"away": "it is elsewhere", "note": "computed by hand"}))
    assert there.runtime_version == "not run: it is elsewhere; computed by hand"
    with pytest.raises(MissingError, match=r"not timed here: it is elsewhere"):
        there.need_device()


def test_a_manifest_has_the_same_names_for_the_same_items(tmp_path: Path) -> None:
    made = []
    for stamp in ("a", "b"):
        package = tmp_path / stamp
        package.mkdir()
        items = {f"{stamp}-{i}": {"path": f"com.apple.CoreML/{i}"} for i in range(2)}
        manifest = {"itemInfoEntries": items, "rootModelIdentifier": f"{stamp}-1"}
        (package / "Manifest.json").write_text(json.dumps(manifest))
        (package / "executorch_debug_handle_mapping.json").write_text(str(time.time()))
        tidy(package)
        made.append(sha256(package))
    assert made[0] == made[1]


def test_the_stand_in_for_core_ml_computes_as_torch_does() -> None:
    x, weight = torch.randn(2, 8, 7, 9), torch.randn(6, 4, 3, 3)
    setting = {"pad_type": "custom", "pad": [1, 2, 0, 1], "strides": [2, 1], "dilations": [1, 1], "groups": 2}
    expected = F.conv2d(F.pad(x, (0, 1, 1, 2)), weight, None, (2, 1), 0, 1, 2)
    assert torch.equal(mil.conv({"x": x, "weight": weight, **setting}), expected)
    assert torch.equal(mil.pad({"x": x, "pad": [0, 0, 0, 0, 1, 2, 3, 4]}), F.pad(x, (3, 4, 1, 2)))
    assert torch.equal(mil.matmul({"x": x, "y": x, "transpose_y": True}), x @ x.mT)
    part = mil.slice_by_index({"x": x, "begin": [0, 2, 0, 1], "end": [2, 5, 0, 2], "end_mask": [0, 0, 1, 0]})
    assert torch.equal(part, x[:, 2:5, :, 1:2])
    assert [len(each) for each in mil.split({"x": x, "axis": 1, "num_splits": 2})[0]] == [4, 4]
    hard = x * mil.OPERATIONS["sigmoid_hard"]({"x": x, "alpha": 1 / 6, "beta": 0.5})
    assert torch.allclose(hard, F.hardswish(x), atol=1e-6)
    normed = mil.layer_norm({"x": x, "axes": [-1], "gamma": torch.ones(9), "beta": torch.zeros(9), "epsilon": 1e-6})
    assert torch.allclose(normed, F.layer_norm(x, (9,), eps=1e-6), atol=1e-6)
    assert torch.equal(mil.gelu({"x": x, "mode": "EXACT"}), F.gelu(x))


def test_the_stand_in_for_core_ml_rounds_as_core_ml_is_told_to() -> None:
    x = torch.tensor([-9.0, -0.26, 0.0, 0.24, 9.0])
    steps = mil.quantize({"input": x, "scale": 0.5, "zero_point": 3, "output_dtype": "uint8"})
    assert steps.tolist() == [0, 2, 3, 3, 21]
    assert mil.dequantize({"input": steps, "scale": 0.5, "zero_point": 3}).tolist() == [-1.5, -0.5, 0, 0, 9]
    assert mil.quantize({"input": x * 100, "scale": 0.5, "output_dtype": "int8"}).tolist() == [-128, -52, 0, 48, 127]
    held = {"quantized_data": torch.ones(3, 2, 1, 1), "axis": 0, "scale": torch.tensor([1.0, 2, 3])}
    meant = mil.constexpr_affine_dequantize(held | {"zero_point": torch.tensor([0.0, 1, -1])})
    assert meant[:, 0, 0, 0].tolist() == [1, 0, 6]


@pytest.mark.slow
@pytest.mark.parametrize("name", NEW)
def test_int8_quarters_the_weights_of_every_format(run: Run, proven: Proven, name: str) -> None:
    rounded = export(run, name, precision="int8", calibrate=8, floor=100)
    proof = rounded.facts["proof"]
    assert rounded.path.name.startswith("mobilenetv2_035_int8.")
    assert (proof["passed"], proof["pictures"], proof["judged"], proof["calibration"]) == (True, 15, 3, 8)
    assert proof["ran"] is (ON_A_MAC or name != "coreml")
    if proof["ran"]:
        proven(rounded)
    assert proof["divergence"] < 0.05
    assert len(proof["errors"]) == (53 if name == "openvino" else 0)
    weights = sum(parameter.numel() for parameter in open_model(run.folder).network.parameters())
    assert rounded.facts["bytes"] < 2.5 * weights  # a byte each, scales and biases, the graph, and the labels
    assert load(rounded.path).labels == LABELS
    if name == "openvino":
        assert {"i8", "u8"} >= computed_in(rounded.path)


def computed_in(file: Path) -> set[str]:
    """The numbers that OpenVINO's CPU plugin computes convolutions in."""
    import openvino

    core = openvino.Core()
    asked = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(file / "model.xml"), "CPU", asked)
    facts = [each.get_rt_info() for each in compiled.get_runtime_model().get_ordered_ops()]
    return {str(each["runtimePrecision"].value) for each in facts if each["layerType"].value == "Convolution"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["litert", "onnx", "openvino", "coreml"])
def test_fp16_halves_the_file_and_is_held_to_its_own_limit(run: Run, proven: Proven, name: str) -> None:
    halved = export(run, name, precision="fp16")
    proof = halved.facts["proof"]
    assert halved.path.name.startswith("mobilenetv2_035_fp16.")
    assert 1e-5 < proof["largest_difference"] <= proof["limit"] == 5e-3
    if proof["ran"]:
        proven(halved)
    assert proof["agreement"] == 1
    weights = 4 * sum(parameter.numel() for parameter in open_model(run.folder).network.parameters())
    assert halved.facts["bytes"] < 0.75 * weights
    assert load(halved.path).labels == LABELS


def test_fp16_weights_of_an_onnx_file_are_cast_where_they_are_used() -> None:
    from onnx import TensorProto, helper, numpy_helper

    weight, bias = np.full((2, 3), 1 / 3, np.float32), np.full(2, 1 / 3, np.float32)
    held = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(bias, "b")]
    node = helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)
    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, n]) for name, n in (("x", 3), ("y", 2))]
    model = helper.make_model(helper.make_graph([node], "g", ports[:1], ports[1:], held))
    onnx.halve_(model)
    assert [each.op_type for each in model.graph.node] == ["Cast", "Gemm"]
    assert [numpy_helper.to_array(each).dtype for each in model.graph.initializer] == [np.float16, np.float32]
    assert list(model.graph.node[1].input) == ["x", "w", "b"]


def test_a_file_larger_than_allowed_is_refused_and_not_left_behind(run: Run) -> None:
    before = sorted(run.artifacts.glob("*")) if run.artifacts.is_dir() else []
    with pytest.raises(ShortfallError, match=r"has 1\.\d\d MB, more than the 1 MB allowed") as caught:
        export(run, "onnx", max_mb=1)
    assert caught.value.exit_code == 5
    assert sorted(run.artifacts.glob("*")) == before


def abort(**_: object) -> None:
    """A runtime that crashes."""
    os.abort()


def sleep(**_: object) -> None:
    """A runtime that hangs."""
    time.sleep(60)


@pytest.mark.parametrize(("fault", "words"), [(abort, "was ended by signal 6"), (sleep, "took longer than")])
def test_a_runtime_that_crashes_or_hangs_leaves_its_log_alone(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fault: Callable[..., None], words: str
) -> None:
    other = Run(Path(shutil.copytree(run.folder, tmp_path / "other", ignore=shutil.ignore_patterns("artifacts"))))
    call = jobs.call

    def faulty(target: str, payload: dict[str, Any], *, seconds: float, log: Path | None = None) -> Any:
        return call(f"{__name__}:{fault.__name__}", payload, seconds=seconds if fault is abort else 3, log=log)

    monkeypatch.setattr(exporting, "convert", lambda *_, to, **__: to.write_bytes(b"whole"))
    monkeypatch.setattr(jobs, "call", faulty)
    with pytest.raises(MobilevisionError, match=words) as caught:
        export(other, "onnx")
    (log,) = other.artifacts.iterdir()
    assert str(log) in str(caught.value)
    assert caught.value.exit_code == 1
