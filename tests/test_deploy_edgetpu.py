"""A file for the EdgeTPU holds integers alone, computes what torch computes, and says that it was not compiled."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, MobileMQA
from mobilevision.build import evaluate
from mobilevision.cli.words import told_file
from mobilevision.deploy import export, lint
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.associated import attach
from mobilevision.deploy.base import Port
from mobilevision.deploy.edgetpu import EDGETPU, check_operators, check_tensors, quantize
from mobilevision.deploy.flatbuffer import opened
from mobilevision.deploy.formats import FORMATS, wanted
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.litert import operators
from mobilevision.deploy.litert_open import interpreter
from mobilevision.deploy.load import load
from mobilevision.deploy.ranges import Rounding, minmax
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.errors import InputError, ShortfallError
from mobilevision.network import Network
from mobilevision.pages.report import report
from mobilevision.run import Run
from mobilevision.timing import bench
from mobilevision.train.loop import fit
from page_runs import make_run as make_page_run
from test_deploy_export import LABELS, make_run, pictures
from test_deploy_prepare import NAMES, trained
from tiny_training import RECIPE as QUICK
from tiny_training import fresh

FLOAT32 = 0  # of the schema's tensor types


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("edgetpu"))


@pytest.fixture(scope="module")
def artifact(run: Run) -> Artifact:
    return export(run, "edgetpu", precision="int8", calibrate=8, floor=100)


@pytest.fixture(scope="module")
def doors(run: Run) -> Artifact:
    """The same in 8 bits for LiteRT, with floats at its doors."""
    return export(run, "litert", precision="int8", calibrate=8, floor=100)


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_numbers_pass_a_door_of_integers_and_come_back_within_half_a_step(kind: str) -> None:
    port = Port("image", (1, 4), kind, scale=0.1, zero=3)
    low, high = (0.1 * (np.iinfo(kind).min - 3), 0.1 * (np.iinfo(kind).max - 3))
    values = np.linspace(low, high, 1001)
    assert port.held(values).dtype == kind
    assert np.abs(port.meant(port.held(values)) - values).max() <= 0.05 + 1e-5
    beyond = port.meant(port.held(np.array([low - 9, high + 9, 0.0])))
    assert beyond == pytest.approx([low, high, 0.0], abs=1e-5)
    assert (port.facts()["scale"], port.facts()["zero"]) == (0.1, 3)


def test_floats_pass_a_door_of_floats_as_they_are() -> None:
    port, values = Port("image", (1, 4), "float32"), np.random.default_rng(0).normal(size=(1, 4))
    assert (port.meant(port.held(values)) == values.astype(np.float32)).all()
    assert "scale" not in port.facts()


def test_what_no_list_names_is_refused_with_what_to_use_instead() -> None:
    check_operators(("CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "MUL", "MEAN", "PAD", "RESHAPE"))
    with pytest.raises(ShortfallError, match=r"HARD_SWISH \(not taken\).*minimalistic MobileNetV3.*MobileNetV4-conv"):
        check_operators(("CONV_2D", "HARD_SWISH"))
    with pytest.raises(ShortfallError, match=r"BATCH_MATMUL \(not taken\), TOPK_V2 \(in no list\).*MobileNetV4-conv"):
        check_operators(("TOPK_V2", "BATCH_MATMUL"))
    with pytest.raises(ShortfallError, match="export to litert"):
        check_operators(("TOPK_V2",))


@pytest.mark.parametrize(
    ("task", "tail"),
    [("detect", ("BATCH_MATMUL", "TOPK_V2")), ("segment", ("TRANSPOSE", "ARG_MAX", "CAST")), ("embed", ("POW", "DIV"))],
)
def test_a_tail_that_no_network_is_without_is_sent_to_litert(
    task: str, tail: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mobilevision.deploy.edgetpu.operators", lambda _: ("CONV_2D", *tail))
    attach(tmp_path / "exact.edgetpu.tflite", {"task": task, "labels": []})

    with pytest.raises(ShortfallError, match=f"{tail[-1]} .*of this network; export to litert, .* any operator$"):
        quantize(tmp_path / "exact.edgetpu.tflite", pictures(1), tmp_path / "to.edgetpu.tflite", Rounding(minmax))


def test_a_format_of_integers_alone_is_asked_for_in_8_bits_and_keeps_no_layer_wide() -> None:
    files, left_out = wanted(("litert", "edgetpu"), ("fp32", "int8"))
    assert files == [("litert", "fp32"), ("litert", "int8"), ("edgetpu", "int8")]
    assert left_out == [
        "edgetpu is not written in fp32 here: an EdgeTPU computes with 8-bit integers alone; it is in int8"
    ]
    assert [each.name for each in FORMATS.values() if not each.mixes] == ["edgetpu"]


def test_a_file_that_xnnpack_refuses_falls_short_but_one_for_the_edgetpu_runs_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[object] = []

    class Refusing:
        def __init__(self, **asked: object) -> None:
            self.plain = asked.get("experimental_op_resolver_type")
            seen.append(self.plain)

        def allocate_tensors(self) -> None:
            if self.plain is None:
                raise RuntimeError("failed to create XNNPACK runtimeNode number 14 failed to prepare")

    file = tmp_path / "file.tflite"
    monkeypatch.setattr("ai_edge_litert.interpreter.Interpreter", Refusing)
    monkeypatch.setattr("mobilevision.deploy.litert_open.read_card", lambda _: {"format": "litert"})
    with pytest.raises(ShortfallError, match=r"XNNPACK refuses the integers of file\.tflite.*export it in fp32"):
        interpreter(file)
    monkeypatch.setattr("mobilevision.deploy.litert_open.read_card", lambda _: {"format": "edgetpu"})
    assert interpreter(file).plain == seen[-1]
    assert seen[-1] is not None


@pytest.mark.slow
def test_scales_far_apart_keep_layers_in_float_in_litert_and_run_in_plain_kernels_for_the_edgetpu(
    colors: Path, tmp_path: Path
) -> None:
    run = fit(fresh(), colors, recipe=QUICK, to=tmp_path / "run", workers=0)
    state = load_file(run.best)
    for name in ("weight", "bias"):
        state[f"stages.1.0.body.project.norm.{name}"] *= 1e7
    save_file(state, run.best)
    made = {to: export(run, to, precision="int8", floor=100, calibrate=16) for to in ("litert", "edgetpu")}
    assert "stages.1.0.body.project.conv" in made["litert"].facts["proof"]["wide"]
    assert made["litert"].facts["coverage"]["inside"] > 0.5
    assert made["edgetpu"].facts["proof"]["wide"] == []
    assert made["edgetpu"].facts["coverage"]["inside"] == 0


def test_terminal_and_page_say_that_the_file_was_not_compiled(tmp_path: Path) -> None:
    page_run = make_page_run(tmp_path / "run")
    beside = next(page_run.artifacts.glob("*.tflite.json"))
    facts = json.loads(beside.read_text()) | {"format": "edgetpu", "remains": EDGETPU.remains}
    beside.write_text(json.dumps(facts))
    assert "not compiled here" in told_file(facts)
    assert "not compiled here" in report([page_run.folder], to=tmp_path / "page.html").read_text()
    assert "not on an EdgeTPU" in EDGETPU.runtime_version


@pytest.mark.slow
def test_a_file_holds_integers_alone_with_the_first_convolution_as_it_is(artifact: Artifact) -> None:
    model, _ = opened(artifact.path)
    graph = model.Subgraphs(0)
    assert all(graph.Tensors(i).Type() != FLOAT32 for i in range(graph.TensorsLength()))
    assert artifact.facts["operators"].keys() <= {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "PAD", "MEAN", "RESHAPE"}
    assert artifact.facts["operators"]["RESHAPE"] == 1
    (image,), (told,) = artifact.facts["inputs"], artifact.facts["outputs"]
    assert (image["dtype"], image["shape"], told["dtype"]) == ("int8", [1, 48, 64, 3], "int8")
    assert 0 < image["scale"] < 0.1
    assert {each.target: each.whole for each in lint.lint(artifact.path)}["EdgeTPU"]


@pytest.mark.slow
def test_a_file_is_proven_in_litert_and_says_what_remains(run: Run, artifact: Artifact) -> None:
    proof = artifact.facts["proof"]
    assert artifact.path.name == "mobilenetv2_035_int8.edgetpu.tflite"
    assert (proof["passed"], proof["judged"], proof["wide"]) == (True, 3, [])
    assert proof["divergence"] < 0.05
    assert len(proof["errors"]) == 53
    assert "not compiled here" in artifact.facts["remains"]
    assert Artifact.open(artifact.path, run=run).facts["proof"] == proof


@pytest.mark.slow
def test_a_file_predicts_is_measured_and_timed_as_any_other(run: Run, artifact: Artifact, tmp_path: Path) -> None:
    alone = Path(shutil.copy(artifact.path, tmp_path))
    model, given = load(alone), torch.from_numpy(pictures(3))
    exact = load(run.folder).network.eval()(given).detach()
    assert (model.network(given) - exact).abs().max() < 0.25 * exact.abs().max()
    assert model.predict(run.folder.parent / "pictures" / "dog" / "0.png").label in LABELS
    assert evaluate(artifact.path)["top1"] == artifact.facts["proof"]["accuracy"]
    assert bench(Artifact.open(artifact.path), threads=1).median_ms > 0
    alone.write_bytes(alone.read_bytes()[: alone.stat().st_size // 2])
    with pytest.raises(InputError, match=r"not a whole \.tflite file"):
        load(alone)


@pytest.mark.slow
def test_the_integers_are_those_of_the_litert_file(artifact: Artifact, doors: Artifact) -> None:
    given = pictures(4)
    ours, theirs = (scores(load(each.path).network.runner, given) for each in (artifact, doors))
    assert np.abs(ours - theirs).max() <= 1.01 * artifact.facts["outputs"][0]["scale"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if not name.startswith("mobilenetv2")])
def test_convolutional_families_are_integers_alone(name: str, tmp_path: Path) -> None:
    network, shown = trained(name), torch.randn(4, 3, 32, 32)
    how = {"ranges": "minmax", "equalize": True, "correct": True, "wide": [], "rounded": False}
    card, to = {"format": "edgetpu", "precision": "int8", "labels": []}, tmp_path / "network.edgetpu.tflite"
    convert_integers(network, shown, card=card, to=to, how=how, seconds=300)
    check_operators(operators(to))
    check_tensors(to)
    exact = network(shown).detach().numpy()
    assert np.abs(scores(open_file(to), shown.numpy()) - exact).max() < 0.3 * np.abs(exact).max()


@pytest.mark.slow
def test_an_attention_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    arch = Arch("hybrid", ((Conv(16, 2), Conv(16, 2)), (MobileMQA(16, heads=2, dim=8),)), Classifier(16), size=32)
    how = {"ranges": "minmax", "equalize": True, "correct": True, "wide": [], "rounded": False}
    card, to = {"format": "edgetpu", "precision": "int8", "labels": []}, tmp_path / "hybrid.edgetpu.tflite"
    with pytest.raises(ShortfallError, match=r"BATCH_MATMUL \(not taken\).*MobileNetV4-conv"):
        convert_integers(Network(arch, 3).eval(), torch.randn(2, 3, 32, 32), card=card, to=to, how=how, seconds=300)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_file_with_floats_at_its_doors_is_not_one_for_the_edgetpu(doors: Artifact) -> None:
    with pytest.raises(ShortfallError, match="stays in floats"):
        check_tensors(doors.path)
