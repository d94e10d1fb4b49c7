"""A student learns what a teacher says of the pictures it sees."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from brightness import CLASSES, RECIPE, SEEN, Brightness, brightness, draw_tones, student
from mobilevision.compress.distill import Distill, MatchMaps, MatchVectors, attention, divergence, last_map
from mobilevision.compress.feeding import Feeding
from mobilevision.compress.replicas import find_form
from mobilevision.compress.teacher import Teacher, matched, open_teacher
from mobilevision.data import Preprocessing, open_picture
from mobilevision.data.dataset import Data
from mobilevision.deploy import export
from mobilevision.errors import InputError, UsageError
from mobilevision.models import create_model
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.embed import Embed
from mobilevision.train.loop import fit


@pytest.fixture
def teacher() -> Teacher:
    return brightness()


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return draw_tones(tmp_path)


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
