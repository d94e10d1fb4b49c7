"""A student learns what a teacher once said of replicas, and a run goes on with all that it was fed with."""

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
from torch import nn

from brightness import CLASSES, RECIPE, SEEN, TINY, brightness, draw_tones, student
from mobilevision.cli.app import run as command
from mobilevision.compress.feeding import Feeding
from mobilevision.compress.mixture import MixedOrder, Replayed, open_replicas, read_soft
from mobilevision.compress.replicas import FORMS, RELEVANT, find_form, prepare, relevant
from mobilevision.compress.teacher import Teacher
from mobilevision.data import Augment, open_picture
from mobilevision.data.dataset import Data
from mobilevision.data.policies import RandAugment
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.models import create_model
from mobilevision.tasks.classify import Classify
from mobilevision.train.loop import fit, resume
from mobilevision.weights.save import save_weights


@pytest.fixture
def teacher() -> Teacher:
    return brightness()


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return draw_tones(tmp_path)


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
