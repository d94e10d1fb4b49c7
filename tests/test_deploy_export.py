"""An export is a file that was run in its own runtime and computes what torch computes, or it is not there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.cost import walk
from mobilevision.data.check import check
from mobilevision.data.folders import read_data
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy import export, exporting, onnx
from mobilevision.deploy.artifact import Artifact, facts_path
from mobilevision.deploy.formats import FORMATS, wanted
from mobilevision.deploy.load import load
from mobilevision.deploy.proof import compare
from mobilevision.deploy.runtime import open_file, scores
from mobilevision.deploy.shown import proof_pictures
from mobilevision.errors import InputError, MissingError, MobilevisionError, ShortfallError, UsageError
from mobilevision.files import sha256
from mobilevision.models import create_model, open_model
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.classify import Classify
from mobilevision.timing import bench, bench_run
from mobilevision.weights.save import save_weights
from mobilevision.zoo.v2 import mobilenetv2
from works import Proven

LABELS = ("cat", "dog", "größer")
SIZE = (48, 64)  # not square, so that height and width cannot trade places unseen


def make_run(folder: Path) -> Run:
    """A run with pictures of three colors and a network whose norms have seen some."""
    source = folder / "pictures"
    for color, label in enumerate(LABELS):
        (source / label).mkdir(parents=True)
        for i in range(5):
            pixels = np.random.default_rng(10 * color + i).integers(0, 120, (60, 80, 3)).astype(np.uint8)
            pixels[..., color] += 100
            Image.fromarray(pixels).save(source / label / f"{i}.png")
    network = create_model(mobilenetv2(0.35), num_classes=len(LABELS))
    with torch.no_grad():
        network.train()(torch.randn(8, 3, *SIZE))
    preprocessing = Preprocessing(size=SIZE)
    run = Run(folder / "run")
    task = Classify(LABELS).facts() | {"preprocessing": preprocessing.facts()}
    run.begin(network.arch, task=task, data=read_data(source).facts())
    save_weights(network, run.best)
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    torch.manual_seed(0)
    return make_run(tmp_path_factory.mktemp("export"))


@pytest.fixture(scope="module")
def onnx_file(run: Run) -> Artifact:
    return export(run, "onnx")


@pytest.fixture
def alone(onnx_file: Artifact, tmp_path: Path) -> Path:
    """The file without anything beside it."""
    return Path(shutil.copy(onnx_file.path, tmp_path / "alone.onnx"))


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((count, 3, *SIZE)).astype(np.float32)


def test_an_export_is_proven_on_the_runs_own_pictures_and_judged_on_its_validation_pictures(
    onnx_file: Artifact, proven: Proven
) -> None:
    proof = onnx_file.facts["proof"]
    proven(onnx_file)
    assert proof["passed"] is True
    assert (proof["pictures"], proof["judged"]) == (15, 3)  # fewer than 64, so training pictures too
    assert 0 < proof["largest_difference"] <= proof["limit"] == 1e-4
    assert proof["agreement"] == 1
    assert proof["accuracy"] == proof["accuracy_torch"]
    assert "validation and training" in proof["source"]
    assert proof["runtime"].startswith("onnxruntime ")


def test_the_facts_beside_a_file_tell_what_it_is(run: Run, onnx_file: Artifact) -> None:
    facts = json.loads((run.artifacts / "mobilenetv2_035_fp32.onnx.json").read_text())
    assert facts == onnx_file.facts
    assert facts["file"] == "mobilenetv2_035_fp32.onnx"
    assert facts["sha256"] == sha256(onnx_file.path)
    assert facts["bytes"] == onnx_file.path.stat().st_size
    assert facts["arch_digest"] == run.arch.digest
    assert facts["weights_sha256"] == sha256(run.best)
    assert (facts["format"], facts["precision"], facts["task"]) == ("onnx", "fp32", "classify")
    assert facts["inputs"] == [{"name": "image", "shape": ["batch", 3, 48, 64], "dtype": "float32", "layout": "NCHW"}]
    assert facts["outputs"] == [{"name": "scores", "shape": ["batch", 3], "dtype": "float32", "layout": ""}]
    assert facts["preprocessing"] == Preprocessing(size=SIZE).facts()
    assert {"mobilevision", "torch", "onnx", "onnxscript", "onnxruntime"} <= facts["versions"].keys()
    assert (run.artifacts / "labels.txt").read_text(encoding="utf-8").split() == list(LABELS)


def test_an_export_leaves_the_file_its_facts_and_the_labels_and_nothing_else(run: Run, onnx_file: Artifact) -> None:
    kept = {path.name for path in run.artifacts.iterdir() if path.name.startswith(("mobilenetv2_035_fp32.onnx", "."))}
    assert kept == {onnx_file.path.name, f"{onnx_file.path.name}.json"}


@pytest.mark.parametrize("count", [1, 3])
def test_the_batch_of_an_onnx_file_is_free(run: Run, onnx_file: Artifact, count: int) -> None:
    given = pictures(count)
    network = open_model(run.folder).network.eval()
    expected = network(torch.from_numpy(given)).detach().numpy()
    found = open_file(onnx_file.path)(given)
    assert found.shape == (count, 3)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


def test_an_onnx_file_tells_its_opset_and_nothing_of_the_machine(onnx_file: Artifact) -> None:
    import onnx as package

    model = package.load(onnx_file.path)
    assert [(each.domain, each.version) for each in model.opset_import] == [("", onnx.OPSET)]
    assert str(Path(__file__).parents[1]).encode() not in onnx_file.path.read_bytes()


def test_a_file_that_travels_alone_predicts_as_the_run_does(run: Run, alone: Path) -> None:
    picture = run.folder.parent / "pictures" / "dog" / "0.png"
    ours, theirs = load(alone).predict(picture), load(run.folder).predict(picture)
    assert load(alone).labels == LABELS
    assert load(alone).preprocessing == Preprocessing(size=SIZE)
    assert ours.labels == theirs.labels
    assert ours.scores == pytest.approx(theirs.scores, abs=1e-5)


def test_a_file_predicts_a_folder_as_a_list(run: Run, alone: Path) -> None:
    told = load(alone).predict(run.folder.parent / "pictures" / "cat", topk=2)
    assert [len(each.labels) for each in told] == [2] * 5


def test_a_file_cut_short_is_refused_with_a_sentence(onnx_file: Artifact, tmp_path: Path) -> None:
    cut = tmp_path / onnx_file.path.name
    cut.write_bytes(onnx_file.path.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"not a whole .onnx file"):
        load(cut)
    shutil.copy(f"{onnx_file.path}.json", tmp_path)
    with pytest.raises(InputError, match="cut short"):
        load(cut)


def test_a_file_with_other_bytes_than_proven_is_refused(onnx_file: Artifact, tmp_path: Path) -> None:
    changed = tmp_path / onnx_file.path.name
    content = bytearray(onnx_file.path.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    shutil.copy(f"{onnx_file.path}.json", tmp_path)
    with pytest.raises(InputError, match="sha256 differs"):
        Artifact.open(changed)


@pytest.fixture
def other(run: Run, tmp_path: Path) -> Run:
    """A run of the same architecture with other weights, and no files yet."""
    copy = Run(Path(shutil.copytree(run.folder, tmp_path / "other", ignore=shutil.ignore_patterns("artifacts"))))
    save_weights(create_model(run.arch, num_classes=len(LABELS)), copy.best)
    return copy


def test_a_file_that_differs_is_refused_and_not_left_behind(
    other: Run, onnx_file: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(network: Network, size: tuple[int, int], *, to: Path, **_: object) -> None:
        shutil.copy(onnx_file.path, to)  # a converter that writes the other run's weights

    monkeypatch.setattr(exporting, "convert", convert)
    with pytest.raises(
        ShortfallError, match=r"differs from torch by .* of the largest score on 15 pictures.*: choose another"
    ):
        export(other, "onnx")
    assert not list(other.artifacts.iterdir())


def test_an_exporter_that_takes_too_long_leaves_its_log_alone(other: Run) -> None:
    with pytest.raises(MobilevisionError, match=r"took longer than 0.1 s") as caught:
        export(other, "onnx", seconds=0.1)
    (log,) = other.artifacts.iterdir()
    assert str(log) in str(caught.value)


def test_scores_that_are_no_numbers_prove_nothing() -> None:
    good = np.ones((2, 3), np.float32)
    with pytest.raises(ShortfallError, match="differs"):
        compare(good * np.nan, good, source="", limit=1e-4, runtime="").check("file")
    with pytest.raises(ShortfallError, match="proves nothing"):
        compare(good, good * np.nan, source="", limit=1e-4, runtime="")


def test_a_file_of_other_weights_is_not_of_the_run(run: Run, other: Run, onnx_file: Artifact) -> None:
    assert Artifact.open(onnx_file.path, run=run).path == onnx_file.path
    with pytest.raises(InputError, match="other weights"):
        Artifact.open(onnx_file.path, run=other)


def test_a_file_whose_digest_is_of_another_architecture_is_not_of_the_run(
    run: Run, onnx_file: Artifact, tmp_path: Path
) -> None:
    copy = Path(shutil.copy(onnx_file.path, tmp_path))
    Artifact(copy, onnx_file.facts | {"arch_digest": "0" * 12}).write()
    with pytest.raises(InputError, match="another architecture than the run") as caught:
        Artifact.open(copy, run=run)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(("text", "sentence"), [("{", "is not JSON"), ("[]", "does not tell arch_digest, bytes")])
def test_facts_that_cannot_be_read_are_told(onnx_file: Artifact, tmp_path: Path, text: str, sentence: str) -> None:
    copy = Path(shutil.copy(onnx_file.path, tmp_path))
    facts_path(copy).write_text(text)
    with pytest.raises(InputError, match=sentence):
        load(copy)


def test_pictures_given_are_proven_on_when_the_data_is_gone(run: Run, other: Run, tmp_path: Path) -> None:
    other.write("data", other.read("data") | {"source": str(tmp_path / "gone")})
    with pytest.raises(InputError, match="the run's data is gone"):
        proof_pictures(other)
    given = export(other, "onnx", pictures=[run.folder.parent / "pictures"])
    proof = given.facts["proof"]
    assert (proof["pictures"], proof["judged"], proof["accuracy"]) == (15, 0, None)


def test_a_run_is_judged_on_what_it_never_learned_though_some_of_its_data_was_set_aside(
    run: Run, tmp_path: Path
) -> None:
    source = Path(shutil.copytree(run.folder.parent / "pictures", tmp_path / "pictures"))
    for i in range(8):
        shutil.copyfile(source / "cat" / "0.png", source / "cat" / f"copy{i}.png")
        (source / "dog" / f"broken{i}.png").write_bytes(b"no picture")
    data = check(source)
    assert read_data(source).digest != data.digest
    learner = Run(tmp_path / "run")
    learner.begin(run.arch, task=run.read("task"), data=data.facts())
    assert {sample.file for sample in data.validation} == set(proof_pictures(learner).labels)


def test_data_whose_classes_have_other_numbers_is_told(run: Run, tmp_path: Path) -> None:
    learner = Run(tmp_path / "run")
    task = run.read("task") | {"labels": LABELS[::-1]}
    learner.begin(run.arch, task=task, data=run.read("data"))
    with pytest.raises(InputError, match="has the classes cat, dog"):
        proof_pictures(learner)


@pytest.mark.parametrize(("to", "precision"), [("tflite", "fp32"), ("onnx", "int4")])
def test_an_unknown_format_or_precision_is_told_with_the_known(run: Run, to: str, precision: str) -> None:
    with pytest.raises(UsageError, match=r"choose from litert, onnx|it is in fp32, fp16, int8"):
        export(run, to, precision=precision)


def test_a_format_without_a_precision_is_written_in_what_it_has_and_named() -> None:
    files, left_out = wanted(("onnx", "executorch"), ("fp32", "fp16"))
    assert files == [("onnx", "fp32"), ("onnx", "fp16"), ("executorch", "fp32")]
    assert [line.partition(":")[0] for line in left_out] == ["executorch is not written in fp16 here"]
    with pytest.raises(UsageError, match="executorch is not written in fp16"):
        wanted(("onnx", "executorch"), ("fp16",))
    with pytest.raises(UsageError, match="int4"):
        wanted(("onnx",), ("fp32", "int4"))


def test_a_file_that_falls_short_does_not_keep_the_others_from_being_made() -> None:
    made = []

    def make(to: str, precision: str) -> Artifact:
        if precision == "int8":
            raise ShortfallError(f"{to} lost too much")
        made.append(to)
        return Artifact(Path(to), {})

    with pytest.raises(ShortfallError, match="litert lost too much; onnx lost too much"):
        exporting.export_each([(to, number) for to in ("litert", "onnx") for number in ("int8", "fp32")], make)
    assert made == ["litert", "onnx"]


def test_a_file_tells_what_computes_its_arithmetic(run: Run, onnx_file: Artifact) -> None:
    coverage = onnx_file.facts["coverage"]
    rows = walk(run.arch, SIZE, outputs=len(LABELS))
    assert coverage["macs"] == sum(row.cost.macs for row in rows)
    assert (coverage["delegate"], coverage["pieces"], coverage["inside"], coverage["outside"]) == ("", 1, 1.0, {})


@pytest.mark.parametrize(("name", "package"), [("litert", "litert_torch"), ("onnx", "onnxruntime")])
def test_a_missing_package_is_told_with_its_command(
    run: Run, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingError, match=rf"pip install 'mobilevision\[{FORMATS[name].extra}\]'"):
        export(run, name)


def test_a_file_of_no_known_format_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none of .tflite, .onnx"):
        open_file(tmp_path / "model.pb")


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        load(tmp_path / "model.onnx")


def test_a_strangers_file_is_told_to_lack_its_labels(alone: Path) -> None:
    import onnx as package

    model = package.load(alone)
    del model.metadata_props[:]
    package.save(model, alone)
    with pytest.raises(InputError, match="does not hold its labels, preprocessing, task"):
        load(alone)


def test_weights_beside_a_file_are_refused(alone: Path) -> None:
    with pytest.raises(UsageError, match="holds its own weights"):
        load(alone, weights="other.pth")


def test_times_join_the_facts_of_every_file_of_a_run(run: Run, onnx_file: Artifact) -> None:
    timings = bench_run(run, threads=1)
    (timing,) = [each for each in timings if each.file == onnx_file.path.name]
    assert 0 < timing.p10_ms <= timing.median_ms <= timing.p90_ms
    assert (timing.runs, timing.threads) == (50, 1)
    assert timing.busy < 1.3
    assert 10 < timing.peak_mb < 2000
    assert "cores" in timing.machine
    assert Artifact.open(onnx_file.path).facts["timing"] == timing.facts()


@pytest.mark.parametrize(("threads", "runs"), [(0, 50), (4096, 50), (1, 49)])
def test_times_that_say_too_little_are_not_taken(onnx_file: Artifact, threads: int, runs: int) -> None:
    with pytest.raises(UsageError):
        bench(onnx_file, threads=threads, runs=runs)


@pytest.mark.slow
def test_a_litert_file_takes_channels_last_without_a_transpose_and_travels_alone(run: Run, tmp_path: Path) -> None:
    artifact = export(run, "litert")
    facts = artifact.facts
    assert facts["inputs"] == [{"name": "image", "shape": [1, 48, 64, 3], "dtype": "float32", "layout": "NHWC"}]
    assert facts["outputs"] == [{"name": "scores", "shape": [1, 3], "dtype": "float32", "layout": ""}]
    assert facts["proof"]["passed"]
    assert "TRANSPOSE" not in facts["operators"]
    coverage, rows = facts["coverage"], walk(run.arch, SIZE, outputs=len(LABELS))
    assert coverage["macs"] == sum(row.cost.macs for row in rows)
    assert (coverage["delegate"], coverage["pieces"], coverage["inside"]) == ("XNNPACK", 1, 1.0)
    assert (coverage["outside"], coverage["transposes"], coverage["pads"]) == ({}, 0, facts["operators"]["PAD"])
    assert facts["operators"]["DEPTHWISE_CONV_2D"] == 17
    alone = Path(shutil.copy(artifact.path, tmp_path))
    model = open_model(run.folder)
    given = pictures(2)
    expected = model.network.eval()(torch.from_numpy(given)).detach().numpy()
    assert np.abs(scores(open_file(alone), given) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert load(alone).labels == LABELS
    assert bench(artifact, runs=2000).busy < 1.3  # so many that the start does not count
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(artifact.path.read_bytes()[:-100])
    with pytest.raises(InputError, match="cut short"):
        load(cut)


def test_the_process_of_a_runtime_is_free_of_torch() -> None:
    code = "import sys, mobilevision.timing.laps; sys.exit('torch' in sys.modules)"
    path = os.pathsep.join(path for path in sys.path if path)
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}).returncode == 0
