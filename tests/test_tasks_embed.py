"""Runs of vectors: which classes are kept from training, how it goes on, and what finds pictures again."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from mobilevision.build import evaluate
from mobilevision.cli.app import run as command
from mobilevision.data.class_loader import Prepared, class_loader
from mobilevision.data.classes import check_classes, divide_classes, read_classes
from mobilevision.data.dataset import Sample
from mobilevision.data.folders import list_source
from mobilevision.data.policies import Affine
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.exporting import export
from mobilevision.deploy.indexing import find, index
from mobilevision.deploy.load import load
from mobilevision.deploy.measured import MeasuredProof
from mobilevision.errors import InputError, ShortfallError, UsageError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.embed import Vector
from mobilevision.tasks.index import Index
from mobilevision.train.loop import fit, resume
from tiny_training import draw_hues
from tiny_vectors import RECIPE, SHADES, TASK, TINY, fresh


@pytest.fixture(scope="session")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of six noisy pictures that differ in color."""
    return draw_hues(tmp_path_factory.mktemp("shades"), SHADES, side=20)


@pytest.fixture(scope="session")
def trained(shades: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return fit(fresh(), shades, task=TASK, recipe=RECIPE, to=tmp_path_factory.mktemp("runs") / "run", workers=0)


def test_the_last_classes_by_name_are_kept_from_training(shades: Path) -> None:
    data = check_classes(shades)
    assert data.labels == SHADES
    told = {split: {data.labels[each.labels[0]] for each in samples} for split, samples in data.splits.items()}
    assert told == {"train": set(SHADES[:5]), "validation": {"red", "teal"}, "test": {"white", "yellow", "zinc"}}
    assert check_classes(shades, seed=5).digest == data.digest
    assert len({each.labels[0] for each in divide_classes(list_source(shades), test=0.5).test}) == 5
    assert not divide_classes(list_source(shades), test=0.19).test, "one class alone would measure nothing"


def test_splits_that_a_source_names_may_have_classes_of_their_own(shades: Path, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    parts = {"amber": "train", "zinc": "train", "blue": "val", "cyan": "test"}
    rows = [f"{shades / name / f'{i}.png'},{name},{part}" for name, part in parts.items() for i in range(3)]
    table.write_text("\n".join(["file,label,split", *rows]))
    data = read_classes(table)
    assert data.labels == ("amber", "zinc", "blue", "cyan"), "those of training first, so that its centers have no gap"
    assert [len(samples) for samples in data.splits.values()] == [6, 3, 3]


def pairs(folder: Path, *rows: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text("\n".join(["first,second,same", *rows]))
    return path


def test_pairs_make_classes_of_what_is_the_same_as_a_third(shades: Path) -> None:
    same = [f"{name}/{i}.png,{name}/{i + 1}.png,1" for name in SHADES for i in range(4)]
    table = pairs(shades, *same, "amber/0.png,zinc/0.png,0", "amber/5.png,gone.png,0")
    data = check_classes(table)
    table.unlink()
    assert set(data.labels) == {f"{name}/0.png" for name in SHADES} | {"amber/5.png"}
    found = [each for samples in data.splits.values() for each in samples]
    assert len(found) == 51
    assert all(data.labels[each.labels[0]].startswith(each.file.parent.name) for each in found)
    assert [each.file.name for each in data.set_aside] == ["gone.png"]


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["amber/0.png,amber/1.png,yes"], "'yes' in the column same; put 1"),
        (["amber/0.png,,1"], "a row without two pictures"),
        (["amber/0.png,blue/1.png,1", "blue/1.png,cyan/1.png,1", "cyan/1.png,amber/0.png,0"], "differ, and other rows"),
    ],
)
def test_pairs_that_make_no_sense_are_refused(shades: Path, tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_classes(pairs(tmp_path, *rows))


def test_what_vectors_cannot_be_learned_from_is_refused(shades: Path, tmp_path: Path) -> None:
    table = tmp_path / "rows.csv"
    table.write_text(f"file,label\n{shades}/amber/1.png,amber;warm\n{shades}/blue/1.png,blue\n")
    with pytest.raises(InputError, match="2 labels"):
        read_classes(table)
    with pytest.raises(InputError, match="0 classes to train on"):
        divide_classes(list_source(shades), test=0.8)
    with pytest.raises(UsageError, match="not a share"):
        divide_classes(list_source(shades), test=1.0)


def test_quarter_turns_are_classes_of_their_own(tmp_path: Path) -> None:
    pixels = np.zeros((4, 4, 3), np.uint8)
    pixels[0, 0] = 255
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    pair = tuple(Sample(tmp_path / name / "1.png", (place,)) for place, name in enumerate("ab"))
    plain = Preprocessing((4, 4), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), crop=1.0)
    ((pictures, classes),) = class_loader(pair, prepared=Prepared(plain.tensor, turns=4), batch=8)
    assert classes.tolist() == list(range(8))
    assert [tuple(map(int, each[0].nonzero()[0])) for each in pictures[::2]] == [(0, 0), (3, 0), (3, 3), (0, 3)]


def test_pictures_of_a_class_stand_together_in_another_order_each_epoch(shades: Path) -> None:
    prepared = Prepared(Preprocessing((8, 8)).tensor, together=3)
    batches = class_loader(read_classes(shades).train, prepared=prepared, batch=9, shuffle=True)
    seen = []
    for epoch in (0, 1, 0):
        batches.dataset.set_epoch(epoch)
        seen.append([classes.tolist() for _, classes in batches])
    assert all(set(Counter(batch).values()) <= {3, 6} for batch in seen[0])
    assert seen[0] == seen[2] != seen[1]


def test_what_comes_in_from_outside_has_the_color_of_the_border() -> None:
    white = Image.new("RGB", (20, 12), "white")
    for _ in range(5):
        assert np.asarray(Affine(30)(white)).min() == 255
    assert Affine(10)(white).size == (20, 12)


def test_what_these_losses_do_not_know_is_refused(shades: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="smoothing=0"):
        fit(fresh(), shades, task=TASK, recipe=replace(RECIPE, smoothing=0.1), to=tmp_path / "a", workers=0)
    with pytest.raises(UsageError, match="balance='sample'"):
        fit(fresh(), shades, task=TASK, recipe=replace(RECIPE, balance="weight"), to=tmp_path / "b", workers=0)


def test_a_training_tells_of_classes_it_never_saw(trained: Run) -> None:
    metrics = trained.read("metrics")
    assert metrics["count"] == 12
    assert [row["label"] for row in metrics["per_class"]] == ["red", "teal"]
    assert {"recall1", "map", "knn", "loss", "tar_at_far_1e-02"} <= metrics.keys()
    assert trained.read("task")["margin"] == {"name": "softmax", "scale": 20.0}


def test_what_the_loss_learned_is_in_the_checkpoint_and_not_in_the_weights(trained: Run) -> None:
    state = load_file(trained.folder / "last" / "state.safetensors")
    assert state["network.criterion.W"].shape == (8, 5)
    assert any(name.startswith("optimizer.") and value.shape == (8, 5) for name, value in state.items())
    assert not [name for name in load_file(trained.best) if "criterion" in name]


class Stopped(Network):
    """A network whose training is interrupted at a step."""

    left = 5

    def forward(self, x: Tensor) -> Tensor:
        self.left -= self.training
        if self.left < 0:
            raise KeyboardInterrupt
        return super().forward(x)


def test_a_training_that_was_stopped_ends_with_the_same_centers(shades: Path, trained: Run, tmp_path: Path) -> None:
    torch.manual_seed(0)
    with pytest.raises(KeyboardInterrupt):
        fit(Stopped(TINY, 8), shades, task=TASK, recipe=RECIPE, to=tmp_path / "run", workers=0)
    again = resume(tmp_path / "run", workers=0)
    one, other = (load_file(run.folder / "last" / "state.safetensors") for run in (trained, again))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_index_finds_a_picture_by_itself_and_its_like_beside_it(shades: Path, trained: Run, tmp_path: Path) -> None:
    path = index(shades, run=trained.folder, to=tmp_path / "shades.safetensors")
    assert len(Index.open(path)) == 60
    hits = find(shades / "red" / "3.png", index=path, topk=4)
    assert hits[0].file == str(shades / "red" / "3.png")
    assert hits[0].cosine == pytest.approx(1, abs=1e-5)
    assert [hit.cosine for hit in hits] == sorted((hit.cosine for hit in hits), reverse=True)
    assert find(shades / "red" / "3.png", run=trained.folder, index=path, topk=4) == hits


def test_an_index_of_other_weights_is_refused(
    shades: Path, trained: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = index(shades / "red", run=trained.folder, to=tmp_path / "red.safetensors")
    other = fit(fresh(1), shades, task=TASK, recipe=replace(RECIPE, epochs=1), to=tmp_path / "other", workers=0)
    photo = str(shades / "red" / "1.png")
    assert command(["find", photo, "--run", str(other.folder), "--index", str(path), "--json"]) == 3
    assert "other weights" in json.loads(capsys.readouterr().out)["error"]


def test_find_says_what_is_missing(shades: Path, trained: Run, tmp_path: Path) -> None:
    photo = shades / "red" / "1.png"
    with pytest.raises(UsageError, match="--run RUN or --index FILE"):
        find(photo)
    with pytest.raises(UsageError, match="mobilevision index"):
        find(photo, index=tmp_path / "none.safetensors")
    with pytest.raises(UsageError, match="no folder"):
        index(tmp_path / "nowhere", run=trained.folder)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not an index")
    with pytest.raises(InputError, match="not a whole index"):
        find(photo, index=broken)


def test_an_index_that_lost_pictures_or_numbers_is_refused(tmp_path: Path) -> None:
    Index(torch.eye(3), ("a", "b"), "run", "0" * 64).save(tmp_path / "short.safetensors")
    with pytest.raises(InputError, match="for 2 pictures"):
        Index.open(tmp_path / "short.safetensors")
    Index(torch.full((1, 3), torch.nan), ("a",), "run", "0" * 64).save(tmp_path / "nan.safetensors")
    with pytest.raises(InputError, match="make it again"):
        Index.open(tmp_path / "nan.safetensors")


def test_a_run_predicts_vectors(shades: Path, trained: Run) -> None:
    told = load(trained.folder).predict(shades / "red" / "1.png")
    assert isinstance(told, Vector)
    assert torch.tensor(told.numbers).norm().item() == pytest.approx(1, abs=1e-5)
    assert told.words().endswith("(8 numbers)")
    assert list(told.rows()[0])[:4] == ["label", "score", "file", "number0"]


def proof(*, distance: float, near: float | None) -> MeasuredProof:
    return MeasuredProof(100, "here", "recall1", 0.9, 0.905, 1.0, "a runtime", largest_difference=distance, near=near)


def test_a_file_is_refused_if_its_vectors_are_far_from_torchs_or_find_less() -> None:
    assert proof(distance=1e-5, near=1e-4).passed
    assert proof(distance=0.05, near=None).passed, "in 8 bits what is found decides"
    assert not proof(distance=float("nan"), near=None).passed
    assert not replace(proof(distance=0, near=1e-4), value=0.89).passed
    with pytest.raises(ShortfallError, match=r"up to 0\.001 from torch's \(at most 0\.0001\)"):
        proof(distance=1e-3, near=1e-4).check("a.tflite")


@pytest.mark.slow
@pytest.mark.parametrize("to", ["litert", "onnx"])
def test_files_give_unit_vectors_that_find_what_torch_finds(to: str, trained: Run, shades: Path) -> None:
    for precision, apart in (("fp32", 1e-4), ("int8", 0.2)):
        artifact = export(trained, to, precision=precision)
        told = artifact.facts["proof"]
        assert told["figure"] == "recall1"
        assert told["largest_difference"] <= apart
        seen = trained.read("data")["pictures"]
        assert told["compared"] == seen["train"] + seen["validation"], "fewer than 64: all but those kept for the test"
        assert told["value"] >= told["value_torch"] - 0.01
        vectors = torch.tensor([each.numbers for each in load(artifact.path).predict(shades / "red")])
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(6), atol=1e-3, rtol=0)
        assert evaluate(artifact.path)["recall1"] == pytest.approx(evaluate(trained.folder)["recall1"], abs=0.06)
        path = index(shades, run=trained.folder)
        assert find(shades / "red" / "3.png", run=artifact.path, index=path)[0].file.endswith("red/3.png")


def test_the_command_line_chooses_the_loss(shades: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "arch.json").write_text(TINY.to_json())
    words = ["train", str(shades), "--arch", str(tmp_path / "arch.json"), "--epochs", "1", "--batch", "12", "--json"]
    words += ["--set", "size=16", "--set", "turns=1", "--out", str(tmp_path / "run")]
    assert command([*words, "--task", "embed", "--loss", "triplet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["recipe"] == "embed_small"
    assert told["metrics"].keys() >= {"recall1", "map"}
    assert Run.open(tmp_path / "run").read("task")["margin"] == {"name": "triplet", "margin": 0.2}
    assert command([*words, "--task", "classify", "--loss", "triplet"]) == 2
    assert "no choice of losses" in json.loads(capsys.readouterr().out)["error"]
