"""A student learns what a teacher says of the pictures it sees, or once said of replicas."""

import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.cli.app import run as command
from mobilevision.compress.distill import Distill, MatchMaps, MatchVectors, attention, divergence, last_map
from mobilevision.compress.feeding import Feeding
from mobilevision.compress.mixture import MixedOrder, Replayed, open_replicas, read_soft
from mobilevision.compress.replicas import FORMS, RELEVANT, find_form, prepare, relevant
from mobilevision.compress.teacher import Teacher, matched, open_teacher
from mobilevision.data import Augment, Preprocessing, open_picture, read_data
from mobilevision.data.dataset import Data
from mobilevision.data.policies import RandAugment
from mobilevision.deploy import export
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.embed import Embed
from mobilevision.train.loop import fit, resume
from mobilevision.train.recipes import quick
from mobilevision.weights.save import save_weights

SEEN = Preprocessing((32, 32))
CLASSES = ("dark", "light")
TINY = Arch("tiny", ((Conv(8, 2),), (Inverted(8, expand=2), Inverted(16, 2, expand=2))), Classifier(), size=32)
RECIPE = replace(quick, epochs=2, least_steps=0, batch=8, size=32, lr=0.01)


class Brightness(nn.Module):
    """A teacher that needs no training: light pictures are of class 1."""

    def __init__(self, swapped: bool = False) -> None:
        super().__init__()
        self.swapped, self.asked = swapped, 0

    def forward(self, pictures: Tensor) -> Tensor:
        self.asked += len(pictures)
        light = pictures.mean((1, 2, 3))
        scores = torch.stack([-light, light], 1)
        return scores.flip(1) if self.swapped else scores


@pytest.fixture
def teacher() -> Teacher:
    return Teacher("brightness", Brightness(), CLASSES, SEEN)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Twelve dark pictures and twelve light ones."""
    generator = np.random.default_rng(0)
    for number in range(24):
        folder = tmp_path / "pictures" / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 100, (36, 44, 3), dtype=np.uint8) + np.uint8(150 * (number % 2))
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return read_data(tmp_path / "pictures")


def student(outputs: int = 2) -> Network:
    torch.manual_seed(0)
    return Network(TINY, outputs)


def test_soft_labels_of_equal_scores_are_no_loss_and_grow_with_the_distance() -> None:
    scores = torch.tensor([[1.0, 2.0], [0.0, -1.0]])
    assert divergence(scores, scores, 3.0).item() == pytest.approx(0, abs=1e-6)
    assert divergence(scores + 5, scores, 3.0).item() == pytest.approx(0, abs=1e-6)
    assert divergence(scores.flip(0), scores, 1.0) > 0


def test_soft_labels_follow_their_formula() -> None:
    student, teacher, temperature = torch.randn(5, 4), torch.randn(5, 4), 2.5
    p, q = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
    expected = (p * (p / q).log()).sum(1).mean() * temperature**2
    assert divergence(student, teacher, temperature).item() == pytest.approx(expected.item(), rel=1e-5)


def test_hard_and_soft_are_added_in_their_shares(teacher: Teacher) -> None:
    task = Distill(Classify(CLASSES), teacher, SEEN, soft=0.25)
    answers = task.forward(nn.Sequential(nn.Flatten(), nn.LazyLinear(2)), torch.randn(4, 3, 32, 32))
    targets = torch.tensor([0, 1, 1, 0])
    soft, hard = divergence(*answers, 1.0), Classify(CLASSES).loss(answers.student, targets, smoothing=0.1)
    assert torch.isclose(task.loss(answers, targets, smoothing=0.1), 0.25 * soft + 0.75 * hard)


def test_the_teacher_sees_the_students_very_picture(teacher: Teacher) -> None:
    pictures = torch.rand(2, 3, 32, 32)
    normalized = (pictures - torch.tensor(SEEN.mean).view(-1, 1, 1)) / torch.tensor(SEEN.std).view(-1, 1, 1)
    task = Distill(Classify(CLASSES), teacher, SEEN)
    assert torch.allclose(task.shown(normalized), pictures, atol=1e-6)
    assert torch.allclose(teacher.seen(pictures), normalized, atol=1e-6)
    assert teacher.seen(torch.rand(2, 3, 50, 20)).shape == (2, 3, 32, 32)


def test_a_taught_student_comes_nearer_to_its_teacher(teacher: Teacher, data: Data, tmp_path: Path) -> None:
    task, network = Distill(Classify(CLASSES), teacher, SEEN), student()
    pictures = torch.stack([SEEN.tensor(open_picture(each.file)) for each in data.validation])
    before = divergence(network.eval()(pictures), teacher.network(pictures), 1.0).item()
    run = fit(network, data, task=task, recipe=replace(RECIPE, epochs=15), to=tmp_path / "run", workers=0)
    assert divergence(network.eval()(pictures), teacher.network(pictures), 1.0).item() < before / 2
    assert run.read("task")["teacher"] == "brightness"
    assert run.read("metrics")["top1"] == 1.0


def test_vectors_are_learned_without_labels(data: Data, tmp_path: Path) -> None:
    mentor = student(0).eval()
    teacher = Teacher("mentor", mentor, (), SEEN)
    task = MatchVectors(Classify(CLASSES), teacher, SEEN)
    assert task.outputs == mentor.num_features
    network = student(task.outputs)
    run = fit(network, data, task=task, recipe=replace(RECIPE, epochs=15), to=tmp_path / "run", workers=0)
    first, *_, last = run.history()
    assert last["loss"] < first["loss"] / 2
    assert run.read("metrics")["likeness"] > first["likeness"]
    answers = task.forward(network, torch.randn(2, 3, 32, 32))
    expected = (answers.student - answers.teacher).square().mean()
    assert torch.isclose(task.loss(answers, None), expected)


def test_maps_are_compared_by_where_they_are_strong() -> None:
    maps = torch.randn(2, 5, 4, 4)
    assert torch.allclose(attention(maps), attention(3 * maps), atol=1e-6)
    assert torch.allclose(attention(maps).norm(dim=1), torch.ones(2))
    wide, slim = student(), create_model("mobilenetv3_small_050", num_classes=2)
    task = MatchMaps(Classify(CLASSES), Teacher("wide", wide, CLASSES, Preprocessing((64, 64))), SEEN)
    outputs = task.forward(slim, torch.randn(2, 3, 64, 64))
    task.loss(outputs, torch.tensor([0, 1])).backward()
    assert all(weight.grad is None for weight in wide.parameters())
    assert outputs[1].student.shape[2:] == (2, 2)
    with pytest.raises(UsageError, match="shows no maps"):
        last_map(Brightness(), torch.randn(1, 3, 8, 8))


def test_a_teacher_of_other_classes_is_refused_with_both_named(teacher: Teacher) -> None:
    with pytest.raises(InputError, match=r"brightness knows 2 classes \(dark, light\) .* 3 classes \(a, b, c\)"):
        matched(teacher, ("a", "b", "c"))
    with pytest.raises(InputError, match=r"dark, light.*dark, lit"):
        matched(teacher, ("dark", "lit"))
    numbered = Teacher("numbers", Brightness(), ("0", "1"), SEEN)
    assert matched(numbered, CLASSES) is numbered
    with pytest.raises(InputError):
        matched(numbered, ("a", "b", "c"))


def test_a_teacher_with_the_classes_in_another_order_is_understood(teacher: Teacher) -> None:
    other = matched(Teacher("swapped", Brightness(swapped=True), CLASSES[::-1], SEEN), CLASSES)
    pictures = torch.rand(3, 3, 32, 32)
    assert torch.equal(other.scores(pictures), teacher.scores(pictures))


def test_teachers_are_runs_networks_and_timms(data: Data, tmp_path: Path) -> None:
    network = student()
    fit(network, data, task="classify", recipe=replace(RECIPE, epochs=1), to=tmp_path / "run", workers=0)
    from_run = open_teacher(tmp_path / "run", labels=CLASSES)
    assert from_run.labels == CLASSES
    file = tmp_path / "run" / "best.safetensors"
    by_name = open_teacher(str(file), labels=CLASSES)
    pictures = torch.rand(2, 3, 32, 32)
    assert from_run.scores(pictures).shape == (2, 2)
    assert torch.allclose(by_name.network(from_run.seen(pictures)), from_run.scores(pictures), atol=1e-5)
    with pytest.raises(UsageError, match="timm has no network 'resnet1'"):
        open_teacher("timm:resnet1", labels=CLASSES)


def test_an_exported_file_teaches_what_its_run_does_and_has_no_vectors(data: Data, tmp_path: Path) -> None:
    run = fit(student(), data, task="classify", recipe=replace(RECIPE, epochs=1), to=tmp_path / "run", workers=0)
    from_run, pictures = open_teacher(run.folder, labels=CLASSES), torch.rand(2, 3, 32, 32)
    from_file = open_teacher(export(run, "onnx").path, labels=CLASSES)
    assert torch.allclose(from_file.scores(pictures), from_run.scores(pictures), atol=1e-4)
    with pytest.raises(UsageError, match="gives scores alone"):
        from_file.embed(pictures)


def test_any_of_timms_networks_can_teach(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    network = timm.create_model("resnet10t", num_classes=2).eval()
    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    teacher = open_teacher("timm:resnet10t", labels=CLASSES, weights=str(tmp_path / "weights.safetensors"))
    pictures = torch.rand(2, 3, 64, 64)
    assert torch.allclose(teacher.scores(pictures), network(teacher.seen(pictures)), atol=1e-5)
    assert teacher.embed(pictures).shape == (2, network.num_features)
    with pytest.raises(InputError, match="3 classes"):
        open_teacher("timm:resnet10t", labels="abc", weights=str(tmp_path / "weights.safetensors"))


@pytest.mark.parametrize("name", ["D1", "D2"])
def test_replicas_hold_what_the_teacher_says_of_them(name: str, teacher: Teacher, data: Data, tmp_path: Path) -> None:
    index = prepare(
        data, teacher, to=tmp_path / name, form=FORMS[name], views=2, size=24, labels=CLASSES, temperature=2
    )
    assert index["soft"]["teacher"] == "brightness"
    (replicas,) = open_replicas(str(tmp_path / name), CLASSES)
    assert len(replicas.album) == 2 * len(data.train)
    for sample in replicas.album:
        picture = open_picture(sample.file)
        assert picture.size == (24, 24)
        shown = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None] / 255
        expected = (teacher.scores(shown) / 2).softmax(-1)[0]
        assert torch.allclose(read_soft(sample.file), expected, atol=1e-3)


def test_mixed_replicas_are_between_two_pictures(teacher: Teacher, data: Data, tmp_path: Path) -> None:
    prepare(data, teacher, to=tmp_path / "D2", form=FORMS["D2"], views=3, size=24, labels=CLASSES)
    (replicas,) = open_replicas(str(tmp_path / "D2"), CLASSES)
    light = [np.asarray(open_picture(sample.file)).mean() for sample in replicas.album]
    assert sum(70 < each < 180 for each in light) > len(light) / 5  # the pictures themselves are at 50 and 200


def test_replicas_are_the_same_each_time_and_differ_from_view_to_view(
    teacher: Teacher, data: Data, tmp_path: Path
) -> None:
    for name in ("one", "two"):
        prepare(data, teacher, to=tmp_path / name, form=FORMS["D1"], views=2, size=24, labels=CLASSES)
    shards = [(tmp_path / name / "train-00000.tar").read_bytes() for name in ("one", "two")]
    assert shards[0] == shards[1]
    (replicas,) = open_replicas(str(tmp_path / "one"), CLASSES)
    assert len({open_picture(sample.file).tobytes() for sample in replicas.album}) == len(replicas.album)


def test_the_sets_are_varied_as_the_paper_says() -> None:
    table = {"D1": (9, False, True), "D2": (0, True, True), "D3": (5, False, False)}  # arXiv:2404.10518, appendix H
    assert {name: (form.magnitude, form.mixed, form.labelled) for name, form in FORMS.items()} == table
    for form in FORMS.values():
        operations = [step for step in form.transform(24).transforms if isinstance(step, RandAugment)]
        assert len(operations) == (2 if form.magnitude else 0)
    assert RELEVANT == 0.3


def test_other_pictures_are_chosen_by_what_the_teacher_is_sure_of(teacher: Teacher, tmp_path: Path) -> None:
    for number, light in enumerate([20, 30, 230, 240, 250, 235]):
        Image.new("RGB", (32, 32), (light,) * 3).save(tmp_path / f"{number}.png")
    chosen = relevant(tmp_path, teacher)
    assert Counter(sample.labels for sample in chosen) == {(0,): 3, (1,): 3}
    unsure = Teacher("unsure", nn.Sequential(nn.Flatten(), nn.Linear(3072, 9)), tuple("abcdefghi"), SEEN)
    for weight in unsure.network.parameters():
        nn.init.zeros_(weight)
    with pytest.raises(InputError, match="finds none of the 6 pictures"):
        relevant(tmp_path, unsure)


def test_a_mixture_keeps_its_ratios_and_shows_all_before_it_repeats(
    teacher: Teacher, data: Data, tmp_path: Path
) -> None:
    for name, views in (("D1", 1), ("D2", 3)):
        prepare(data, teacher, to=tmp_path / name, form=FORMS[name], views=views, size=24, labels=CLASSES)
    task = Replayed(Classify(CLASSES), open_replicas(f"{tmp_path}/D1:1,{tmp_path}/D2:3", CLASSES))
    transform = task.training(SEEN, Augment())
    batches = task.batches(data.train, transform=transform, batch=4, shuffle=True, seed=5)
    seen: Counter[int] = Counter()
    for epoch in range(4):
        batches.dataset.set_epoch(epoch)
        places = [draw.place for draws in batches.batch_sampler for draw in draws]
        assert len(places) == len(data.train) == 20
        assert sum(place < 20 for place in places) == 5
        assert places == [draw.place for draws in batches.batch_sampler for draw in draws]
        seen.update(places)
    assert set(seen.values()) == {1}
    assert isinstance(batches.batch_sampler.order, MixedOrder)
    pictures, targets = next(iter(batches))
    assert pictures.shape == (4, 3, 32, 32)
    assert torch.allclose(targets.sum(1), torch.ones(4))


def test_a_student_of_replicas_never_asks_the_teacher(teacher: Teacher, data: Data, tmp_path: Path) -> None:
    prepare(data, teacher, to=tmp_path / "D1", form=FORMS["D1"], views=2, size=32, labels=CLASSES)
    asked = teacher.network.asked
    network = student()
    feeding = Feeding(distilled=f"{tmp_path}/D1:1")
    fed, task = feeding.fed(data, Classify(CLASSES), network=network, recipe=RECIPE)
    run = fit(network, fed, task=task, recipe=replace(RECIPE, epochs=15), to=tmp_path / "run", workers=0)
    assert teacher.network.asked == asked
    assert run.read("task")["distilled"][0]["teacher"] == "brightness"
    assert run.read("metrics")["top1"] == 1.0


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("{}/nowhere:1", UsageError, "there is no folder"),
        ("{}/D1:x", UsageError, "'x' is no ratio"),
        ("{}/D1:0", UsageError, "'0' is no ratio"),
        ("{}/D1:inf", UsageError, "'inf' is no ratio"),
        ("{}/pictures:1", UsageError, "there are no shards"),
    ],
)
def test_what_is_no_set_of_replicas_is_refused(
    text: str, kind: type[MobilevisionError], reason: str, teacher: Teacher, data: Data, tmp_path: Path
) -> None:
    prepare(data, teacher, to=tmp_path / "D1", form=FORMS["D1"], views=1, size=24, labels=CLASSES)
    with pytest.raises(kind, match=reason):
        open_replicas(text.format(tmp_path), CLASSES)


def test_damaged_replicas_and_those_of_other_classes_are_refused(teacher: Teacher, data: Data, tmp_path: Path) -> None:
    prepare(data, teacher, to=tmp_path / "D1", form=FORMS["D1"], views=1, size=24, labels=CLASSES)
    with pytest.raises(InputError, match="classes dark, light and the student is to learn a, b"):
        open_replicas(str(tmp_path / "D1"), ("a", "b"))
    shard = tmp_path / "D1" / "train-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1000])
    with pytest.raises(InputError, match=r"train-00000\.tar has .* it is cut short"):
        open_replicas(str(tmp_path / "D1"), CLASSES)


def test_numbers_and_pairs_that_make_no_sense_are_refused(teacher: Teacher, data: Data) -> None:
    with pytest.raises(UsageError, match="temperature 0"):
        Distill(Classify(CLASSES), teacher, SEEN, temperature=0)
    with pytest.raises(UsageError, match=r"soft 1\.5"):
        Distill(Classify(CLASSES), teacher, SEEN, soft=1.5)
    with pytest.raises(UsageError, match="replicas or a teacher, not both"):
        Feeding(teacher="x", distilled="y").fed(data, Classify(CLASSES), network=student(), recipe=RECIPE)
    with pytest.raises(UsageError, match="for the task classify"):
        Feeding(cache=True).fed(data, Embed(), network=student(), recipe=RECIPE)
    with pytest.raises(UsageError, match="no set 'D4'"):
        find_form("D4")


@pytest.mark.parametrize("said", [{"teacher_weights": "x"}, {"temperature": 2.0}, {"soft": 0.5}])
def test_what_is_said_of_no_teacher_is_refused(said: dict[str, Any]) -> None:
    (name,) = said
    for distilled in ("", "D1:1"):
        with pytest.raises(UsageError, match=f"--{name.replace('_', '-')} is of a teacher, .* give --teacher"):
            Feeding(distilled=distilled, **said)


@pytest.mark.parametrize("asked", [{"balance": "sample"}, {"balance": "weight"}, {"repeats": 2}])
def test_replicas_are_not_drawn_or_weighed_by_class(asked: dict[str, Any], data: Data) -> None:
    (name,) = asked
    with pytest.raises(UsageError, match=f"{name}=.* would not be heeded.*--set {name}="):
        Feeding(distilled="D1:1").fed(data, Classify(CLASSES), network=student(), recipe=replace(RECIPE, **asked))


def test_a_training_from_the_cache_sees_the_same_pictures(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MOBILEVISION_CACHE", str(tmp_path / "kept"))
    runs = []
    for cache in (False, True):
        network = student()
        fed, task = Feeding(cache=cache).fed(data, Classify(CLASSES), network=network, recipe=RECIPE)
        runs.append(fit(network, fed, task=task, recipe=RECIPE, to=tmp_path / f"run{cache}", workers=0))
    assert runs[1].read("data")["cache"] == 39
    assert runs[0].read("data")["digest"] == runs[1].read("data")["digest"]
    losses = [[line["train_loss"] for line in run.history()] for run in runs]
    assert losses[0] == losses[1]
    assert list((tmp_path / "kept" / "pictures").glob("*.pixels"))
    with pytest.raises(UsageError, match=r"another cache \(39 there, 0 asked\)"):
        fit(student(), data, recipe=RECIPE, to=tmp_path / "runTrue", workers=0)


@pytest.mark.parametrize(
    "feeding",
    [
        Feeding(cache=True),
        Feeding(distilled="D1:1,D1:2"),
        Feeding(teacher="mentor.safetensors", temperature=2.0, soft=0.5),
        Feeding(teacher="mobilenetv1_025", teacher_weights="named.safetensors"),
    ],
)
def test_a_run_goes_on_with_all_that_it_was_fed_with(
    feeding: Feeding, teacher: Teacher, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MOBILEVISION_CACHE", str(tmp_path / "kept"))
    for mentor, name in ((student(), "mentor"), (create_model("mobilenetv1_025", num_classes=len(CLASSES)), "named")):
        mentor.labels, mentor.preprocessing = CLASSES, SEEN
        save_weights(mentor, f"{name}.safetensors", {})
    prepare(data, teacher, to="D1", form=find_form("D1"), views=1, size=32, labels=CLASSES)
    recipe = replace(RECIPE, epochs=1)
    fed, task = feeding.fed(data, Classify(CLASSES), network=student(), recipe=recipe)
    run = fit(student(), fed, task=task, recipe=recipe, to="run", workers=0)
    with pytest.warns(UserWarning, match="learning rate"):
        resume(run.folder, epochs=2, workers=0, feeding=Feeding.of(run))
    assert len(run.history()) == 2


def test_the_verbs_prepare_and_train(data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mentor = student()
    mentor.labels, mentor.preprocessing = CLASSES, SEEN
    save_weights(mentor, tmp_path / "mentor.safetensors", {})
    (tmp_path / "arch.json").write_text(TINY.to_json())
    asked = [str(tmp_path / "pictures"), "--teacher", str(tmp_path / "mentor.safetensors")]
    made = ["--to", str(tmp_path / "D1"), "--views", "1", "--size", "32", "--json"]
    assert command(["distill", "prepare", *asked, *made]) == 0
    assert json.load(io.StringIO(capsys.readouterr().out))["shardlist"][0]["nsamples"] == 20
    learn = ["--arch", str(tmp_path / "arch.json"), "--recipe", "quick", "--epochs", "1", "--set", "size=32", "--json"]
    source = [str(tmp_path / "pictures"), "--out", str(tmp_path / "run")]
    assert command(["train", *source, *learn, "--distilled", f"{tmp_path}/D1:1"]) == 0
    assert json.loads((tmp_path / "run" / "task.json").read_text())["distilled"][0]["ratio"] == 1
    assert command(["distill", "prepare", *asked, *made, "--as", "D3"]) == 2
