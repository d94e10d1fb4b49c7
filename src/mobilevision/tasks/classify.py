"""Classification: one label a picture, or several."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.loaders import Transform, class_weights, loader
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.tasks.base import Batches, Predict

USUAL = 5
"""Labels told of a picture, if nobody says how many."""

EXAMPLES = 8
"""Pictures shown of each sort, right and wrong."""


@dataclass(frozen=True)
class Prediction:
    """What a network says of one picture.

    Attributes:
        file: the picture's file; "" if it has none.
        labels: names of classes, best first.
        scores: their probabilities.
    """

    file: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]

    @property
    def label(self) -> str:
        """The best label."""
        return self.labels[0]

    @property
    def score(self) -> float:
        """The probability of the best label."""
        return self.scores[0]

    def facts(self) -> dict[str, Any]:
        """The prediction as plain JSON."""
        return asdict(self) | {"label": self.label, "score": self.score}

    def words(self) -> str:
        """The labels with their probabilities, best first."""
        return ", ".join(f"{label} {score:.2f}" for label, score in zip(self.labels, self.scores, strict=True))

    def rows(self) -> list[dict[str, Any]]:
        """The best label as a row of a table."""
        return [{"label": self.label, "score": self.score, "file": self.file}]


@dataclass(frozen=True)
class Classify:
    """Name what is in a picture.

    Attributes:
        labels: names of the classes, in the order of the outputs.
        multilabel: whether a picture may have several labels, or none.
    """

    labels: tuple[str, ...]
    multilabel: bool = False

    name = "classify"
    goal = "top1"

    def __post_init__(self) -> None:
        """Check that there is something to tell apart."""
        if len(set(self.labels)) != len(self.labels):
            raise UsageError(f"two of the {len(self.labels)} labels are the same; give each class a name of its own")

    @property
    def outputs(self) -> int:
        """One score a class."""
        return len(self.labels)

    def facts(self) -> dict[str, Any]:
        """The task as plain JSON."""
        return {"task": self.name, "labels": list(self.labels), "multilabel": self.multilabel}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Classify:
        """The task that `facts` told."""
        return cls(tuple(facts["labels"]), facts["multilabel"])

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared."""
        return preprocessing.tensor

    def evaluation(self, preprocessing: Preprocessing) -> Transform:
        """How a picture is prepared for evaluation."""
        return preprocessing.tensor

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Transform:
        """How a picture is varied for training."""
        return augment.unturned().transform(preprocessing)

    def batches(
        self,
        samples: Sequence[Sample],
        *,
        transform: Transform,
        batch: int,
        shuffle: bool = False,
        seed: int = 0,
        workers: int = 0,
        balanced: bool = False,
        least: int | None = None,
    ) -> DataLoader[tuple[Tensor, Tensor]]:
        """Pictures with their classes; the arguments are those of `mobilevision.data.loaders.loader`."""
        return loader(
            samples,
            transform=transform,
            outputs=self.outputs,
            batch=batch,
            shuffle=shuffle,
            seed=seed,
            workers=workers,
            balanced=balanced,
            multilabel=self.multilabel,
            least=least,
        )

    def equip_(self, network: nn.Module, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """Nothing: the loss learns nothing."""

    def forward(self, network: nn.Module, pictures: Tensor) -> Tensor:
        """The scores. Shape: (N, channels, H, W) -> (N, outputs)."""
        scores: Tensor = network(pictures)
        return scores

    def loss(
        self, outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
    ) -> Tensor:
        """Cross entropy (one label; smoothing as in arXiv:1512.00567, section 7), or binary cross entropy (several).

        Args:
            outputs: scores. Shape: (N, outputs).
            targets: classes, shape (N,), or a probability for each class, shape (N, outputs).
            smoothing: share of the target that is spread over all classes; with several labels, over yes and no.
            weights: how much each class counts; with several labels, how much its presence counts. Shape: (outputs,).
        """
        if self.multilabel:
            soft = targets * (1 - smoothing) + smoothing / 2
            return F.binary_cross_entropy_with_logits(outputs, soft, pos_weight=weights)
        return F.cross_entropy(outputs, targets, weights, label_smoothing=smoothing)

    def fitted(self, data: Data) -> tuple[Classify, Data]:
        """Itself, and the pictures of its own labels."""
        return self, data.relabeled(self.labels)

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """The inverse of how common each class is; with several labels, its absences for each presence."""
        if not self.multilabel:
            return class_weights(samples, self.outputs).float()
        present = torch.tensor([[label in sample.labels for label in range(self.outputs)] for sample in samples]).sum(0)
        return (len(samples) - present).clamp(min=1) / present.clamp(min=1)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Each class on its own if there may be several labels, else together 1. Shape: (N, outputs), both."""
        return scores.sigmoid() if self.multilabel else scores.softmax(-1)

    def decode(
        self,
        outputs: Tensor,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> list[Prediction]:
        """The best labels of each picture.

        Args:
            outputs: scores. Shape: (N, outputs).
            topk: labels a picture, at most as many as there are; None has 5.
            files: the pictures' files, in order.
            sizes: of no meaning here.
        """
        scores = outputs
        if scores.ndim != 2 or scores.shape[1] != self.outputs:
            raise InputError(f"scores of shape {tuple(scores.shape)} do not fit {self.outputs} labels")
        best = self.probabilities(scores.float()).topk(min(topk or USUAL, self.outputs), dim=-1)
        names = list(files) or [""] * len(scores)
        return [
            Prediction(file, tuple(self.labels[i] for i in classes), tuple(values))
            for file, classes, values in zip(names, best.indices.tolist(), best.values.tolist(), strict=True)
        ]

    @torch.no_grad()
    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """Loss, top-1, top-5, every class, the confusion matrix (rows: truth) and examples.

        With several labels, top-1 asks whether the best-scored label is one of the picture's, and classes are told at
        a probability of one half; there is no confusion matrix.

        Args:
            predict: gives the scores for pictures.
            batches: pictures and targets, in order.
            files: the pictures' files in that order, for the examples; without them there are none.

        Raises:
            InputError: if there are no pictures.
        """
        pairs = [(predict(pictures).float().cpu(), targets.cpu()) for pictures, targets in batches]
        if not pairs:
            raise InputError("there are 0 pictures to evaluate on; give some")
        scores, targets = torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])
        truth = targets.bool() if self.multilabel else F.one_hot(targets, self.outputs).bool()  # (N, outputs)
        counts = self._several(scores, targets) if self.multilabel else self._single(scores, targets)
        return {
            "count": len(scores),
            "loss": self.loss(scores, targets).item(),
            "top1": _hits(scores, truth, 1),
            "top5": _hits(scores, truth, 5),
            **counts,
            "examples": self._examples(scores, truth, files),
        }

    def _single(self, scores: Tensor, targets: Tensor) -> dict[str, Any]:
        from torchmetrics import classification  # heavy

        matrix = classification.MulticlassConfusionMatrix(self.outputs)(scores, targets)  # (truth, said)
        right = matrix.diagonal()
        return {"per_class": self._rows(right, matrix.sum(1), matrix.sum(0)), "confusion": matrix.tolist()}

    def _several(self, scores: Tensor, targets: Tensor) -> dict[str, Any]:
        from torchmetrics import classification

        probabilities, truth = scores.sigmoid(), targets.long()
        matrix = classification.MultilabelConfusionMatrix(self.outputs)(probabilities, truth)  # (outputs, truth, said)
        area = classification.BinaryAveragePrecision()
        areas = [area(probabilities[:, i], truth[:, i]).item() for i in range(self.outputs) if truth[:, i].any()]
        rows = self._rows(matrix[:, 1, 1], matrix[:, 1].sum(1), matrix[:, :, 1].sum(1))
        return {"average_precision": sum(areas) / max(1, len(areas)), "per_class": rows, "confusion": []}

    def _rows(self, right: Tensor, there: Tensor, said: Tensor) -> list[dict[str, Any]]:
        """Each class: how many there are, the share of them found, and the share of those said that is true."""
        columns = zip(self.labels, right.tolist(), there.tolist(), said.tolist(), strict=True)
        return [
            {"label": label, "count": count, "accuracy": hit / max(1, count), "precision": hit / max(1, told)}
            for label, hit, count, told in columns
        ]

    def _examples(self, scores: Tensor, truth: Tensor, files: Sequence[str]) -> dict[str, Any]:
        """Pictures that are right, spread over all of them, and those that are wrong with most certainty."""
        rows: dict[str, list[dict[str, Any]]] = {"right": [], "wrong": []}
        for told, real in zip(self.decode(scores, 1, files=files) if files else [], truth, strict=bool(files)):
            names = [label for label, has in zip(self.labels, real.tolist(), strict=True) if has]
            row = {"file": told.file, "truth": ", ".join(names), "label": told.label, "score": told.score}
            rows["right" if told.label in names else "wrong"].append(row)
        worst = sorted(rows["wrong"], key=lambda row: -row["score"])
        apart = max(1, len(rows["right"]) // EXAMPLES)
        return {"right": rows["right"][::apart][:EXAMPLES], "wrong": worst[:EXAMPLES]}


def _hits(scores: Tensor, truth: Tensor, k: int) -> float:
    """The share of pictures whose `k` best-scored labels hold a true one."""
    best = scores.topk(min(k, scores.shape[1]), dim=-1).indices
    return truth.gather(1, best).any(1).double().mean().item()
