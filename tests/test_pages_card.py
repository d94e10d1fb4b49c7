"""A run explains itself, gets a model card, and comes back out of what is pushed as it went in."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from huggingface_hub.errors import LocalTokenNotFoundError
from PIL import Image

import mobilevision as mv
from mobilevision.build import evaluate
from mobilevision.cli.app import run as command
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.models import Model
from mobilevision.network import Network
from mobilevision.pages.card import card, write_card
from mobilevision.pages.facts import read_facts
from mobilevision.pages.push import push
from mobilevision.run import Run
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.detect import Detect
from mobilevision.train.loop import fit
from page_runs import make_run
from tiny_training import RECIPE, TINY, fresh

EVIL = "<script>alert('x')</script> | **bold** [link](x)\n# title"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, colors: Path) -> Run:
    """A run of one epoch, which is wrong often enough to be explained."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("runs") / "colors"
    return fit(fresh(), colors, recipe=replace(RECIPE, epochs=1, lr=0.002), to=folder, workers=0)


@pytest.fixture
def run(trained: Run, tmp_path: Path) -> Run:
    """The same in a folder of its own, to write into."""
    return Run(Path(shutil.copytree(trained.folder, tmp_path / "run")))


def exported(run: Run) -> Artifact:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed; run: pip install 'mobilevision[onnx]'")
    return mv.export(run, "onnx")


class Fake:
    """Keeps what would be sent to the hub."""

    def __init__(self, folder: Path, error: Exception | None = None) -> None:
        self.folder, self.error, self.made = folder, error, list[tuple[str, bool | None]]()

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> None:
        if self.error:
            raise self.error
        assert exist_ok
        self.made.append((repo_id, private))

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> None:
        shutil.copytree(folder_path, self.folder / repo_id)


def front(text: str) -> dict[str, Any]:
    _, matter, _ = text.split("---\n", 2)
    return dict(yaml.safe_load(matter))


def test_eval_writes_what_it_explains_into_the_run_and_the_page_draws_it(run: Run) -> None:
    metrics = evaluate(run.folder, explain=True, robust=True)
    assert metrics["explain"]["calibration"]["count"] == metrics["count"]
    assert len(metrics["explain"]["mistakes"]) == len(metrics["examples"]["wrong"]) > 0
    assert metrics["robust"]["plain"]["top1"] == metrics["top1"]
    assert "explain" not in run.read("metrics")
    for name in ("explain", "robust"):
        weights = run.read(name).pop("weights_sha256")
        assert len(weights) == 64
        assert run.read(name) == {"weights_sha256": weights} | metrics[name]
    text = mv.report([run.folder], to=run.folder / "page.html").read_text(encoding="utf-8")
    assert "How sure it may be" in text
    assert "What it can bear" in text
    assert "and where it looked" in text


def test_eval_alone_leaves_explanations_as_they_were(run: Run) -> None:
    evaluate(run.folder, robust=True)
    before = run.read("robust")
    assert "robust" not in evaluate(run.folder)
    assert run.read("robust") == before
    assert not run.has("explain")


def test_the_verb_tells_calibration_and_damage_in_words(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["eval", str(run.folder), "--explain", "--robust"]) == 0
    told = capsys.readouterr().out
    assert "calibration error" in told
    assert "with temperature" in told
    assert re.search(r"noise +mild \d", told)


def test_only_classifiers_with_slopes_are_explained(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    model = mv.load(run.folder)
    monkeypatch.setattr("mobilevision.build.load", lambda source: replace(model, network=torch.nn.Identity()))
    with pytest.raises(UsageError, match="no slopes"):
        evaluate(run.folder, explain=True)
    monkeypatch.setattr("mobilevision.build.load", lambda source: replace(model, task=Detect(("a",))))
    with pytest.raises(UsageError, match="only classifiers"):
        evaluate(run.folder, robust=True)


def test_a_model_comes_back_from_its_folder_as_it_was(run: Run, tmp_path: Path) -> None:
    model = mv.load(run.folder)
    folder = model.save_pretrained(tmp_path / "saved")
    picture = Image.new("RGB", (30, 22), (200, 40, 90))
    for again in (Model.from_pretrained(folder), mv.load(str(folder))):
        assert again.predict(picture) == model.predict(picture)
        assert again.task == model.task
        assert again.preprocessing == model.preprocessing
    bare = mv.create_model(str(folder), pretrained=True)
    assert bare.labels == model.labels
    assert bare.arch == model.network.arch
    assert all(torch.equal(bare.state_dict()[key], tensor) for key, tensor in model.network.state_dict().items())


def test_several_labels_a_picture_come_back_from_a_folder(tmp_path: Path) -> None:
    network = Network(TINY, 2)
    network.labels, network.preprocessing = ("cat", "dog"), Preprocessing((16, 16))
    model = Model(network.eval(), Classify(network.labels, multilabel=True), network.labels, network.preprocessing)
    assert Model.from_pretrained(model.save_pretrained(tmp_path / "saved")).task == model.task


def test_a_card_has_the_hubs_front_matter_with_figures(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    text = write_card(run, license="cc-by-4.0", address="hf-hub:someone/pets").read_text(encoding="utf-8")
    matter = front(text)
    assert matter["library_name"] == "mobilevision"
    assert matter["license"] == "cc-by-4.0"
    assert matter["pipeline_tag"] == "image-classification"
    (result,) = matter["model-index"][0]["results"][:1]
    assert result["metrics"][0]["value"] == round(run.read("metrics")["top1"], 4)
    assert result["dataset"]["split"] == "validation"


def test_a_card_that_a_person_worked_on_is_left_as_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    written = write_card(run).read_text(encoding="utf-8")
    assert write_card(run, license="mit").read_text(encoding="utf-8") != written  # ours, so written anew
    for own in ("my notes", written.replace("## Limits", "## Limits that I know of")):
        (run.folder / "README.md").write_text(own, encoding="utf-8")
        assert write_card(run).read_text(encoding="utf-8") == own


def test_a_card_tells_data_recipe_figures_with_intervals_limits_and_license(tmp_path: Path) -> None:
    text = card(read_facts(make_run(tmp_path / "pets")))
    titles = re.findall(r"^## (.+)$", text, flags=re.MULTILINE)
    assert titles == ["Use", "Figures", "Files for the phone", "Data", "Training", "Limits", "License"]
    assert re.search(r"\| Top-1 \| \d\d\.\d % \| \d\d\.\d to \d\d\.\d % \|", text)
    assert "also chosen by" in text
    assert "off by 8.3 % on average" in text
    assert "harms it most: top-1 50.0 %" in text
    assert "| smoothing | 0.1 |" in text
    assert "| mixup |" not in text  # off, as all that is not named
    assert "license of these weights was not told" in text
    assert "mobilenetv2\\_100\\_fp32.tflite" in text


def test_nothing_of_a_run_is_markup_in_its_card(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", labels=(EVIL, "b", "c"))
    spoiled = run.read("robust")
    for level in spoiled["damages"][0]["levels"]:
        level["strength"] = EVIL
    run.write("robust", spoiled)
    text = card(read_facts(run), license=f"x\n{EVIL}", address="`<script>`\n```")
    assert front(text)["license"] == f"x\n{EVIL}"
    body = text.split("---\n", 2)[2]
    assert "<script>" not in body
    assert body.count("`") == 3 + 3 + 2 + 2  # the example, its command, the digest
    assert "**bold**" not in body
    assert "[link](x)" not in body
    assert "\n# title" not in body


def test_a_card_of_a_thousand_classes_names_a_hundred(tmp_path: Path) -> None:
    text = card(read_facts(make_run(tmp_path / "run", labels=tuple(f"class {i}" for i in range(1000)))))
    assert "class 99 and 900 more" in text
    assert len(text) < 20_000


def test_a_card_of_nothing_but_an_architecture_says_what_is_not_known(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    for file in run.folder.iterdir():
        if file.name != "arch.json":
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    text = card(read_facts(run))
    for told in ("was not measured", "does not tell what it was trained on", "does not tell how it was trained"):
        assert told in text
    assert front(text)["library_name"] == "mobilevision"


def test_a_folder_is_pushed_whole_and_without_the_data_s_place(run: Run, tmp_path: Path) -> None:
    target = tmp_path / "given"
    pushed = push(run, str(target), license="mit")
    assert {"README.md", "config.json", "model.safetensors"} == set(pushed.files)
    assert (run.folder / "README.md").read_text() == (target / "README.md").read_text()
    place = run.read("data")["source"]
    assert not [file for file in target.rglob("*") if file.is_file() and place.encode() in file.read_bytes()]
    assert mv.load(target).labels == ("blue", "green", "red")


@pytest.mark.slow
def test_exported_files_go_along_with_their_facts(run: Run, tmp_path: Path) -> None:
    artifact = exported(run)
    push(run, str(tmp_path / "given"))
    copied = tmp_path / "given" / "artifacts" / artifact.path.name
    assert copied.read_bytes() == artifact.path.read_bytes()
    facts = json.loads(copied.with_name(f"{copied.name}.json").read_text())
    assert facts["sha256"] == artifact.facts["sha256"]
    assert run.read("data")["source"] not in json.dumps(facts)
    assert mv.load(copied).labels == ("blue", "green", "red")


@pytest.mark.slow
def test_a_file_is_tried_on_spoiled_pictures_but_not_explained(run: Run) -> None:
    file = exported(run).path
    metrics = evaluate(file, robust=True)
    assert metrics["robust"]["plain"]["top1"] == metrics["top1"]
    assert not run.has("robust")
    with pytest.raises(UsageError, match="no slopes"):
        evaluate(file, explain=True)


def test_the_hub_is_sent_what_a_folder_would_hold(run: Run, tmp_path: Path) -> None:
    fake = Fake(tmp_path)
    pushed = push(run, "hf-hub:someone/colors", private=True, hub_api=fake)
    assert fake.made == [("someone/colors", True)]
    sent = tmp_path / "someone" / "colors"
    assert sorted(file.name for file in sent.iterdir()) == pushed.files
    assert 'mv.load("hf-hub:someone/colors")' in (sent / "README.md").read_text()
    assert mv.load(sent).predict(Image.new("RGB", (20, 20))) == mv.load(run.folder).predict(Image.new("RGB", (20, 20)))


@pytest.mark.parametrize("error", [LocalTokenNotFoundError("no token"), ConnectionError("no network")])
def test_a_hub_that_lets_nobody_in_is_one_sentence(run: Run, tmp_path: Path, error: Exception) -> None:
    with pytest.raises(MissingError, match="hf auth login"):
        push(run, "hf-hub:someone/colors", hub_api=Fake(tmp_path, error))


@pytest.mark.parametrize("to", ["hf-hub:nobody", "hf-hub:a/b/c", "hf-hub:a/b c", "hf-hub:"])
def test_a_name_that_is_no_repository_is_refused_before_anything_is_written(run: Run, tmp_path: Path, to: str) -> None:
    with pytest.raises(UsageError, match="owner/name"):
        push(run, to, hub_api=Fake(tmp_path))
    assert not (run.folder / "README.md").exists()


def test_a_folder_that_holds_something_and_a_run_without_weights_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds something else"):
        push(run, str(run.folder))
    run.best.unlink()
    with pytest.raises(InputError, match="no weights"):
        push(run, str(tmp_path / "given"))


def test_the_verb_pushes_into_a_folder(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["push", str(run.folder), str(tmp_path / "given"), "--license", "mit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == ["README.md", "config.json", "model.safetensors"]
    assert front((tmp_path / "given" / "README.md").read_text())["license"] == "mit"
