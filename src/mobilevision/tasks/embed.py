"""Embedding: a vector of length 1 for each picture, so that alike pictures have near ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.data.class_loader import Prepared, class_loader
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.loaders import drawing
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.tasks.base import Batches, Predict
from mobilevision.tasks.margins import ArcFace, Margin, margin_facts, read_margin
from mobilevision.tasks.retrieval import nearest, retrieval

EXAMPLES = 8
"""Pictures shown of each sort, found right and wrong."""

SHOWN = 4
"""Numbers of a vector that are told to people."""


@dataclass(frozen=True)
class Vector:
    """What a network makes of one picture.

    Attributes:
        file: the picture's file; "" if it has none.
        numbers: of length 1 together.
    """

    file: str
    numbers: tuple[float, ...]

    def facts(self) -> dict[str, Any]:
        """The vector as plain JSON."""
        return {"file": self.file, "vector": list(self.numbers)}

    def rows(self) -> list[dict[str, Any]]:
        """One row of a table: no label, its length as the score, and each number in a column of its own."""
        numbers = {f"number{place}": number for place, number in enumerate(self.numbers)}
        return [{"label": "", "score": 1.0, "file": self.file} | numbers]

    def words(self) -> str:
        """Its first numbers."""
        first = ", ".join(f"{number:.3f}" for number in self.numbers[:SHOWN])
        return f"{first}, ... ({len(self.numbers)} numbers)" if len(self.numbers) > SHOWN else first


class Compared(NamedTuple):
    """Vectors with the loss that compares them.

    Attributes:
        vectors: shape (N, outputs).
        criterion: the loss, with what it learns itself.
    """

    vectors: Tensor
    criterion: nn.Module


@dataclass(frozen=True)
class Embed:
    """Give each picture a vector.

    Attributes:
        outputs: numbers of a vector.
        margin: the loss.
        classes: names of the classes, those of training first; new ones are what a vector is for, so that no output
            depends on them.
    """

    outputs: int = 128
    margin: Margin = field(default_factory=ArcFace)
    classes: tuple[str, ...] = ()

    name = "embed"
    goal = "map"
    labels: tuple[str, ...] = field(default=(), init=False)

    def __post_init__(self) -> None:
        """Check that there can be a vector."""
        if self.outputs < 2:
            raise UsageError(f"a vector of {self.outputs} numbers tells nothing apart; use 64 to 512")

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Embed:
        """The task that `facts` told; what they lack has its usual value. Names of classes may come as "labels"."""
        margin = read_margin(facts["margin"]) if "margin" in facts else ArcFace()
        classes = facts.get("classes", facts.get("labels", ()))
        return cls(int(facts.get("outputs", cls.outputs)), margin, tuple(map(str, classes)))

    def facts(self) -> dict[str, Any]:
        """The task as plain JSON."""
        told = {"task": self.name, "labels": [], "outputs": self.outputs, "margin": margin_facts(self.margin)}
        return told | {"classes": list(self.classes)}

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared."""
        return preprocessing.tensor

    def evaluation(self, preprocessing: Preprocessing) -> Prepared:
        """How a picture is prepared for evaluation."""
        return Prepared(preprocessing.tensor)

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Prepared:
        """How a picture is varied for training, in as many quarter turns as `augment` has, each a class of its own.

        Raises:
            UsageError: if pictures are to be mixed: a mixture is of no class.
        """
        if augment.mixing:
            raise UsageError("vectors are not learned from mixed pictures; set mixup and cutmix to 0")
        return Prepared(augment.transform(preprocessing), augment.turns, self.margin.together)

    def batches(
        self,
        samples: Sequence[Sample],
        *,
        transform: Prepared,
        batch: int,
        shuffle: bool = False,
        seed: int = 0,
        workers: int = 0,
        balanced: bool = False,
        least: int | None = None,
    ) -> DataLoader[tuple[Tensor, Tensor]]:
        """Pictures with their classes; the arguments are those of `mobilevision.data.class_loader.class_loader`."""
        return class_loader(
            samples,
            prepared=transform,
            batch=batch,
            shuffle=shuffle,
            seed=seed,
            workers=workers,
            balanced=balanced,
            least=least,
        )

    def equip_(self, network: Any, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """Give the network the loss with what it learns: a center for each class that is trained on."""
        classes = turns * (1 + max(sample.labels[0] for sample in samples))
        with drawing(seed, classes, self.outputs):
            network.criterion = self.margin.module(classes, self.outputs)

    def forward(self, network: Any, pictures: Tensor) -> Compared:
        """The vectors, with the loss that `equip_` gave. Shape: (N, channels, H, W) -> (N, outputs)."""
        return Compared(network(pictures), network.criterion)

    def loss(
        self, outputs: Compared, targets: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
    ) -> Tensor:
        """The margin's loss.

        Args:
            outputs: what `forward` gave.
            targets: classes. Shape: (N,).
            smoothing: of no use here.
            weights: of no use here.

        Raises:
            UsageError: if targets are to be smoothed or classes weighed.
        """
        if smoothing or weights is not None:
            raise UsageError("losses over vectors smooth no targets and weigh no classes; set smoothing=0 balance=none")
        loss: Tensor = outputs.criterion(outputs.vectors.float(), targets)
        return loss

    def imitate(self, vectors: Tensor, teacher: Tensor) -> Tensor:
        """The mean squared distance to a teacher's vectors, which need no labels (MobileNetV1, section 4.7).

        Args:
            vectors: shape (N, outputs).
            teacher: the same, of length 1.
        """
        return (vectors.float() - teacher.float()).square().sum(1).mean()

    def fitted(self, data: Data) -> tuple[Embed, Data]:
        """The task for the data's own classes: vectors are asked of any."""
        return replace(self, classes=data.labels), data

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """There are none.

        Raises:
            UsageError: always: rare classes can be drawn as often as common ones instead.
        """
        raise UsageError("losses over vectors weigh no classes; draw them evenly instead: balance='sample'")

    def decode(
        self,
        outputs: Tensor,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> list[Vector]:
        """The vector of each picture.

        Args:
            outputs: of the network. Shape: (N, outputs).
            topk: of no meaning here.
            files: the pictures' files, in order.
            sizes: of no meaning here.
        """
        if outputs.ndim != 2 or outputs.shape[1] != self.outputs:
            raise InputError(f"outputs of shape {tuple(outputs.shape)} do not fit vectors of {self.outputs} numbers")
        names = list(files) or [""] * len(outputs)
        return [Vector(file, tuple(row)) for file, row in zip(names, outputs.tolist(), strict=True)]

    @torch.no_grad()
    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """What `mobilevision.tasks.retrieval.retrieval` tells, and examples.

        The "loss" is that of neighborhood component analysis, which needs no centers: minus the logarithm of the chance
        to draw a picture of the same class, nearer ones more likely.

        Args:
            predict: gives the vectors of pictures.
            batches: pictures and classes, in order.
            files: the pictures' files in that order, for the examples; without them there are none.

        Raises:
            InputError: if there are fewer than two pictures.
        """
        pairs = [(predict(pictures).float().cpu(), classes.cpu()) for pictures, classes in batches]
        if sum(len(classes) for _, classes in pairs) < 2:
            raise InputError("there are fewer than two pictures to find among each other")
        vectors, classes = torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])
        metrics = retrieval(vectors, classes)
        metrics["per_class"] = [self._named(row) for row in metrics["per_class"]]
        return {"count": len(vectors)} | metrics | {"examples": self._examples(vectors, classes, files)}

    def _named(self, row: dict[str, Any]) -> dict[str, Any]:
        """A class's row with its name, or its number if it has none."""
        return {"label": self._name(row["class"])} | {key: row[key] for key in ("count", "recall1", "map")}

    def _name(self, number: int) -> str:
        return self.classes[number] if number < len(self.classes) else str(number)

    def _examples(self, vectors: Tensor, classes: Tensor, files: Sequence[str]) -> dict[str, Any]:
        """Pictures whose nearest is of their class, spread over all, and those nearest to one of another class."""
        rows: dict[str, list[dict[str, Any]]] = {"right": [], "wrong": []}
        near = nearest(vectors, vectors, 2) if files else None
        for place, file in enumerate(files if near else ()):
            assert near is not None
            column = int(near.places[place, 0] == place)  # its own is the nearest, but for copies
            found, cosine = int(near.places[place, column]), near.cosines[place, column].item()
            truth, said = (self._name(int(classes[i])) for i in (place, found))
            row = {"file": file, "truth": truth, "label": said, "score": cosine, "nearest": files[found]}
            rows["right" if truth == said else "wrong"].append(row)
        worst = sorted(rows["wrong"], key=lambda row: -row["score"])
        apart = max(1, len(rows["right"]) // EXAMPLES)
        return {"right": rows["right"][::apart][:EXAMPLES], "wrong": worst[:EXAMPLES]}
