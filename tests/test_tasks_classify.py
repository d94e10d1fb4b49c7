"""Classification: losses, decoding, metrics."""

from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.tasks.catalog import make_task, read_task
from mobilevision.tasks.classify import Classify, Prediction
from mobilevision.tasks.measure import measure

ABC = Classify(("a", "b", "c"))
TAGS = Classify(("a", "b", "c"), multilabel=True)


def test_the_best_labels_come_first_with_their_probabilities() -> None:
    (told,) = ABC.decode(torch.tensor([[0.0, 2.0, 1.0]]), 2, files=["x.jpg"])
    assert told.labels == ("b", "c")
    assert told.scores == pytest.approx((0.6652, 0.2447), abs=1e-4)
    assert (told.label, told.score, told.file) == ("b", told.scores[0], "x.jpg")


def test_no_more_labels_are_told_than_there_are() -> None:
    (told,) = ABC.decode(torch.zeros(1, 3), 5)
    assert sum(told.scores) == pytest.approx(1)
    assert len(told.labels) == 3


def test_several_labels_have_probabilities_of_their_own() -> None:
    (told,) = TAGS.decode(torch.tensor([[0.0, 3.0, 3.0]]))
    assert sum(told.scores) == pytest.approx(0.5 + 2 * 0.9526, abs=1e-3)


def test_scores_for_other_classes_are_refused() -> None:
    with pytest.raises(InputError, match="3 labels"):
        ABC.decode(torch.zeros(1, 4))


def test_a_prediction_is_plain_json() -> None:
    assert Prediction("x", ("a", "b"), (0.75, 0.25)).facts()["labels"] == ("a", "b")
    assert Prediction("x", ("a", "b"), (0.75, 0.25)).facts()["label"] == "a"


def test_two_labels_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="same"):
        Classify(("a", "a"))


def test_hard_targets_are_soft_targets_that_are_sure() -> None:
    scores, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    hard, soft = (ABC.loss(scores, kind, smoothing=0.1) for kind in (targets, F.one_hot(targets, 3).float()))
    assert hard.item() == pytest.approx(soft.item(), rel=1e-6)


def test_smoothing_spreads_its_share_over_all_classes() -> None:
    scores, targets = torch.randn(5, 3), torch.tensor([0, 1, 2, 0, 1])
    spread = 0.7 * F.one_hot(targets, 3) + 0.3 / 3
    assert ABC.loss(scores, targets, smoothing=0.3).item() == pytest.approx(ABC.loss(scores, spread).item(), rel=1e-6)


def test_weights_make_rare_classes_count_as_much_as_common_ones() -> None:
    samples = [Sample(Path("x"), (label,)) for label in (0, 0, 0, 0, 1, 1, 2)]
    weights = ABC.weights(samples)
    assert (weights * torch.tensor([4, 2, 1])).diff().abs().max() < 1e-6


def test_the_weight_of_a_tag_is_its_absences_for_each_presence() -> None:
    samples = [Sample(Path("x"), labels) for labels in ((0, 1), (0,), (0,), ())]
    assert TAGS.weights(samples).tolist() == pytest.approx([1 / 3, 3, 4])


def test_metrics_are_those_counted_by_hand() -> None:
    scores = torch.tensor([[3.0, 0, 0], [0, 3.0, 0], [0, 3.0, 0], [0, 0, 3.0]])
    metrics = ABC.evaluate(lambda x: scores[x.long()], [(torch.arange(4.0), torch.tensor([0, 0, 1, 2]))])
    assert (metrics["count"], metrics["top1"], metrics["top5"]) == (4, 0.75, 1.0)
    assert metrics["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert metrics["per_class"][0] == {"label": "a", "count": 2, "accuracy": 0.5, "precision": 1.0}
    assert metrics["per_class"][1] == {"label": "b", "count": 1, "accuracy": 1.0, "precision": 0.5}
    assert metrics["examples"] == {"right": [], "wrong": []}


def test_metrics_do_not_depend_on_the_size_of_batches() -> None:
    pictures, targets = torch.randn(10, 3), torch.arange(10) % 3
    whole = ABC.evaluate(lambda x: x, [(pictures, targets)])
    parts = ABC.evaluate(lambda x: x, list(zip(pictures.split(3), targets.split(3), strict=True)))
    assert whole == parts


def test_examples_name_the_files_and_the_surest_mistakes_come_first() -> None:
    scores = torch.tensor([[1.0, 0, 0], [0, 5.0, 0], [9.0, 0, 0]])
    metrics = ABC.evaluate(lambda _: scores, [(scores, torch.tensor([1, 0, 0]))], files=["p", "q", "r"])
    assert [row["file"] for row in metrics["examples"]["wrong"]] == ["q", "p"]
    assert metrics["examples"]["wrong"][0] | {"score": 0} == {"file": "q", "truth": "a", "label": "b", "score": 0}
    assert [row["file"] for row in metrics["examples"]["right"]] == ["r"]


def test_tags_are_told_at_one_half() -> None:
    scores, truth = torch.tensor([[2.0, -2, 2], [-2, 2, -1]]), torch.tensor([[1.0, 0, 0], [1, 1, 0]])
    metrics = TAGS.evaluate(lambda _: scores, [(scores, truth)])
    rows = [(row["count"], row["accuracy"], row["precision"]) for row in metrics["per_class"]]
    assert rows == [(2, 0.5, 1.0), (1, 1.0, 1.0), (0, 0.0, 0.0)]
    assert metrics["top1"] == 1.0
    assert metrics["average_precision"] == 1.0
    assert metrics["confusion"] == []


def test_nothing_cannot_be_evaluated() -> None:
    with pytest.raises(InputError, match="0 pictures"):
        ABC.evaluate(lambda x: x, [])
    with pytest.raises(InputError, match="no test pictures"):
        measure(lambda x: x, [], task=ABC, preprocessing=Preprocessing(), split="test")


def test_a_measure_reads_pictures_from_files(tmp_path: Path) -> None:
    samples = []
    for label, shade in enumerate((0, 128, 255)):
        Image.new("RGB", (8, 8), (shade,) * 3).save(tmp_path / f"{label}.png")
        samples.append(Sample(tmp_path / f"{label}.png", (label,)))
    plain = Preprocessing(size=(8, 8), mean=(0.5,) * 3, std=(0.5,) * 3, crop=1.0)

    def darkness(pictures: torch.Tensor) -> torch.Tensor:
        return -(pictures.mean((1, 2, 3))[:, None] - torch.tensor([-1.0, 0, 1])).abs() * 10

    metrics = measure(darkness, samples, task=ABC, preprocessing=plain, split="test", batch=2)
    assert (metrics["split"], metrics["count"], metrics["top1"]) == ("test", 3, 1.0)
    assert metrics["examples"]["right"][2]["file"] == str(tmp_path / "2.png")


def test_a_task_reads_back_from_its_facts() -> None:
    assert read_task(TAGS.facts()) == TAGS
    with pytest.raises(UsageError, match="classify"):
        make_task("clasify", ("a", "b"))
    with pytest.raises(InputError, match="labels"):
        read_task({"task": "classify"})
