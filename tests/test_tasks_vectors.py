"""Vectors: how long they are, what they are measured by, and what they learn by."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Projection
from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Sample
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.prepare import deployable
from mobilevision.errors import InputError, UsageError
from mobilevision.network import Network
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.margins import MARGINS, ArcFace, CosFace, NormalizedSoftmax, Triplet, margin_facts, read_margin
from mobilevision.tasks.retrieval import nearest, retrieval, verification
from mobilevision.weights.load import load_weights_
from tiny_vectors import TASK, TINY, fresh


def unit(*rows: list[float]) -> Tensor:
    return F.normalize(torch.tensor(rows, dtype=torch.float32))


def test_vectors_have_length_one_whatever_the_picture() -> None:
    vectors = fresh().eval()(torch.randn(5, 3, 16, 24))
    assert vectors.shape == (5, 8)
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))


def test_a_projection_is_a_fact_like_other_heads() -> None:
    head = Projection(Classifier(hidden=24, act="hswish", norm=True))
    arch = TINY.with_head(head)
    assert Arch.from_json(arch.to_json()) == arch
    assert arch.digest != TINY.digest
    assert Network(arch, 8).head.hidden.conv.out_channels == 24


def test_the_weights_of_a_classifier_start_a_projection() -> None:
    hidden = Classifier(hidden=24, act="hswish", norm=True)
    classifier, network = Network(TINY.with_head(hidden), 5), Network(TINY.with_head(Projection(hidden)), 8)
    with pytest.warns(UserWarning, match="scores start afresh"):
        load_weights_(network, classifier.state_dict())
    pictures = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(network.eval().embed(pictures), classifier.eval().embed(pictures))


def test_the_form_for_files_gives_the_same_vectors() -> None:
    network = Network(TINY.with_head(Projection(Classifier(hidden=24, act="hswish", norm=True))), 8).eval()
    pictures = torch.randn(3, 3, 16, 16)
    torch.testing.assert_close(deployable(network)(pictures), network(pictures), atol=1e-6, rtol=1e-5)


def test_figures_of_four_pictures_are_those_by_hand() -> None:
    vectors = unit([1, 0], [0.9, 0.1], [0.6, 0.5], [0, 1])
    told = retrieval(vectors, torch.tensor([0, 0, 1, 0]))
    # The third is alone. Of the others: 0 finds 1, (2), 3; 1 finds 0, (2), 3; 3 finds (2), 1, 0.
    assert told["alone"] == 1
    assert told["recall1"] == pytest.approx(2 / 3)
    assert told["recall5"] == 1
    assert told["map"] == pytest.approx((2 * (1 + 2 / 3) / 2 + (1 / 2 + 2 / 3) / 2) / 3)
    assert [row["count"] for row in told["per_class"]] == [3, 1]
    assert told["per_class"][1]["map"] is None


def test_figures_agree_with_those_of_pytorch_metric_learning() -> None:
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN

    classes = torch.arange(12).repeat_interleave(25)
    vectors = F.normalize(torch.randn(12, 16)[classes] + 1.5 * torch.randn(300, 16))
    calculator = AccuracyCalculator(
        include=("precision_at_1", "mean_average_precision"),
        knn_func=CustomKNN(CosineSimilarity()),
        kmeans_func=lambda *_: None,
        device=torch.device("cpu"),
    )
    right = calculator.get_accuracy(vectors, classes)
    told = retrieval(vectors, classes)
    assert told["recall1"] == pytest.approx(right["precision_at_1"], abs=1e-9)
    assert told["map"] == pytest.approx(right["mean_average_precision"], abs=1e-6)


def test_true_accepts_are_counted_where_so_many_others_are_accepted() -> None:
    classes = torch.arange(2).repeat_interleave(15)
    angles = torch.cat([torch.linspace(0, 0.5, 15), torch.linspace(0.45, 0.95, 15)])
    vectors = torch.stack([angles.cos(), angles.sin()], 1)
    told = verification(vectors, classes)
    cosines = vectors @ vectors.T
    pairs = [(cosines[i, j].item(), bool(classes[i] == classes[j])) for i in range(30) for j in range(i)]
    others = sorted((cosine for cosine, same in pairs if not same), reverse=True)
    limit = others[2]  # of 225 other pairs, two may be accepted
    assert told["tar_at_far_1e-02"] == pytest.approx(sum(c > limit for c, same in pairs if same) / 210, abs=0.01)
    assert told["tar_at_far_1e-03"] is None, "225 pairs cannot tell one in a thousand"


def test_the_nearest_are_those_of_all_compared() -> None:
    queries, gallery = F.normalize(torch.randn(300, 6)), F.normalize(torch.randn(40, 6))
    found = nearest(queries, gallery, 50)
    assert found.places.shape == (300, 40)
    assert torch.equal(found.places[:, 0], (queries @ gallery.T).argmax(1))


def test_only_vectors_learn_from_turns() -> None:
    with pytest.raises(UsageError, match="only vectors"):
        Classify(("a", "b")).training(Preprocessing((8, 8)), Augment(turns=4))
    assert TASK.training(Preprocessing((8, 8)), Augment(turns=4)).turns == 4


@pytest.mark.parametrize("name", MARGINS)
def test_each_loss_falls_as_vectors_part(name: str) -> None:
    margin = read_margin({"name": name})
    task = replace(TASK, margin=margin)
    holder = torch.nn.Module()
    task.equip_(holder, [Sample(Path("x"), (2,))], turns=1, seed=0)
    free = torch.nn.Parameter(torch.randn(12, 8))
    classes = torch.arange(3).repeat_interleave(4)
    optimizer = torch.optim.Adam([free, *holder.criterion.parameters()], 0.05)
    before, losses = retrieval(F.normalize(free.detach()), classes), []
    for _ in range(60):
        loss = holder.criterion(F.normalize(free), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    after = retrieval(F.normalize(free.detach()), classes)
    assert after["map"] > before["map"] + 0.2
    assert [center.shape for center in holder.criterion.parameters()] == ([] if name == "triplet" else [(8, 3)])


def test_the_papers_numbers_are_those_that_are_told() -> None:
    from pytorch_metric_learning import losses

    arc, cos = losses.ArcFaceLoss(3, 4), losses.CosFaceLoss(3, 4)  # as in the papers
    assert (arc.scale, cos.scale, math.degrees(arc.margin)) == (64, 64, pytest.approx(28.6))
    assert f"the paper has {28.6} ({round(math.radians(28.6), 2)} radians)" in str(ArcFace.__doc__)
    assert all("the paper has 64" in str(kind.__doc__) for kind in (ArcFace, CosFace))
    assert (CosFace().margin, 1 / NormalizedSoftmax().scale, Triplet().margin) == (cos.margin, 0.05, 0.2)


def test_a_loss_is_facts_and_unknown_ones_are_refused() -> None:
    assert read_margin(json.loads(json.dumps(margin_facts(ArcFace(20, 30))))) == ArcFace(20, 30)
    task = replace(TASK, margin=Triplet(0.1), classes=("a", "b"))
    assert Embed.read(json.loads(json.dumps(task.facts()))) == task
    with pytest.raises(UsageError, match="did you mean arcface"):
        read_margin({"name": "arcfaces"})
    with pytest.raises(InputError, match="other numbers"):
        read_margin({"name": "softmax", "margin": 1})


def test_a_teacher_needs_no_labels() -> None:
    teacher = unit([1, 0, 0], [0, 1, 0])
    assert TASK.imitate(teacher, teacher).item() == 0
    assert TASK.imitate(-teacher, teacher).item() == pytest.approx(4)
