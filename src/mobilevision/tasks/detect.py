"""Detection: boxes with labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.ops import batched_nms

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.joint import Joint, alone, stretched, varied
from mobilevision.data.loaders import class_weights
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.scene_loader import box_loader
from mobilevision.data.scenes import Box, Truth
from mobilevision.errors import InputError, UsageError
from mobilevision.tasks.base import Batches, Predict
from mobilevision.tasks.coding import decode
from mobilevision.tasks.precision import Found, average_precision
from mobilevision.tasks.styles import Focal, MultiBox, Style

STYLES: tuple[Style, ...] = (Focal(), MultiBox())
"""By the columns of scores beyond the classes: the background's, or none."""

SHOWN = 8
"""Pictures whose boxes are told among the metrics."""


@dataclass(frozen=True)
class Detections:
    """What a network finds in one picture, best first.

    Attributes:
        file: the picture's file; "" if it has none.
        labels: names of classes.
        scores: their probabilities.
        boxes: left, top, right and bottom as fractions of the picture's width and height.
        size: height and width of the picture in pixels; (1, 1) if they are not known.
    """

    file: str
    labels: tuple[str, ...]
    scores: tuple[float, ...]
    boxes: tuple[Box, ...]
    size: tuple[int, int] = (1, 1)

    @property
    def pixels(self) -> list[Box]:
        """The boxes in pixels of the picture."""
        height, width = self.size
        return [(x1 * width, y1 * height, x2 * width, y2 * height) for x1, y1, x2, y2 in self.boxes]

    def facts(self) -> dict[str, Any]:
        """The detections as plain JSON; "pixels" are the boxes in the picture's pixels."""
        return asdict(self) | {"pixels": self.pixels}

    def words(self) -> str:
        """How many of each class, and how sure of the surest."""
        surest: dict[str, list[float]] = {}
        for label, score in zip(self.labels, self.scores, strict=True):
            surest.setdefault(label, []).append(score)
        told = [f"{len(scores)} x {label} (up to {max(scores):.2f})" for label, scores in surest.items()]
        return ", ".join(told) or "nothing"

    def rows(self) -> list[dict[str, Any]]:
        """Each box as a row of a table, in pixels."""
        sides = ("left", "top", "right", "bottom")
        return [
            {"label": label, "score": score, "file": self.file} | dict(zip(sides, box, strict=True))
            for label, score, box in zip(self.labels, self.scores, self.pixels, strict=True)
        ]


@dataclass(frozen=True)
class Detect:
    """Find objects in a picture.

    How a network's scores learn and are read follows from their number: with one more than there are labels, the first
    is the background's and they share one probability (SSDLite); else each class has its own (RetinaNet).

    Attributes:
        labels: names of the classes, without a background.
        least: probability below which a box is not told.
        overlap: intersection over union above which the lesser of two boxes of a class is dropped.
        most: boxes a picture at most.
        candidates: boxes of each class that are compared at most.
        sure: probability from which on a box is worth telling to people; precision counts them all.
    """

    labels: tuple[str, ...]
    least: float = 0.001
    overlap: float = 0.55
    most: int = 300
    candidates: int = 300
    sure: float = 0.3

    name = "detect"
    goal = "map"

    def __post_init__(self) -> None:
        """Check that there is something to find."""
        if not self.labels:
            raise UsageError("a detector needs at least one label; name the classes")
        if len(set(self.labels)) != len(self.labels):
            raise UsageError(f"two of the {len(self.labels)} labels are the same; give each class a name of its own")

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """The task that `facts` told; what they lack has its usual value."""
        known = {one.name: facts[one.name] for one in fields(cls) if one.name in facts}
        return cls(**known | {"labels": tuple(facts["labels"])})

    @property
    def outputs(self) -> int:
        """One a class; a background is the head's own affair."""
        return len(self.labels)

    def facts(self) -> dict[str, Any]:
        """The task as plain JSON."""
        return {"task": self.name} | asdict(self) | {"labels": list(self.labels)}

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared: stretched to the size."""
        return alone(preprocessing)

    def evaluation(self, preprocessing: Preprocessing) -> Joint:
        """How a picture with boxes is prepared for evaluation: stretched to the size, nothing cut off."""
        return stretched(preprocessing)

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Joint:
        """How a picture with boxes is varied for training."""
        return varied(preprocessing, augment)

    def batches(
        self,
        samples: Sequence[Sample],
        *,
        transform: Joint,
        batch: int,
        shuffle: bool = False,
        seed: int = 0,
        workers: int = 0,
        balanced: bool = False,
        least: int | None = None,
    ) -> DataLoader[tuple[Tensor, list[Truth]]]:
        """Pictures with their boxes; the arguments are those of `mobilevision.data.scene_loader.box_loader`."""
        return box_loader(
            samples,
            transform=transform,
            outputs=self.outputs,
            batch=batch,
            shuffle=shuffle,
            seed=seed,
            workers=workers,
            balanced=balanced,
        )

    def equip_(self, network: nn.Module, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """Nothing: the loss learns nothing."""

    def forward(self, network: nn.Module, pictures: Tensor) -> dict[str, Tensor]:
        """Offsets, scores and anchors. Shape: (N, channels, H, W) -> see `mobilevision.blocks.SSDLite`."""
        outputs: dict[str, Tensor] = network(pictures)
        return outputs

    def loss(
        self,
        outputs: dict[str, Tensor],
        targets: Sequence[Truth],
        *,
        smoothing: float = 0.0,
        weights: Tensor | None = None,
    ) -> Tensor:
        """The multibox or the focal loss, as the scores ask for; see `mobilevision.tasks.styles`."""
        return self.style(outputs).loss(outputs, targets, smoothing=smoothing, weights=weights)

    def fitted(self, data: Data) -> tuple[Detect, Data]:
        """Itself, and the pictures of its own labels."""
        return self, data.relabeled(self.labels)

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """The inverse of how common each class's boxes are. Shape: (outputs,)."""
        return class_weights(samples, self.outputs)

    def style(self, outputs: dict[str, Tensor]) -> Style:
        """How these outputs are read.

        Raises:
            InputError: if they are not of these labels.
        """
        columns = outputs["scores"].shape[-1]
        if columns - self.outputs not in range(len(STYLES)):
            raise InputError(f"scores in {columns} columns do not fit {self.outputs} labels")
        return STYLES[columns - self.outputs]

    def lost(self, outputs: Any, targets: Sequence[Truth]) -> dict[str, float]:
        """The loss, by its name, if these outputs have one."""
        return {"loss": self.loss(outputs, targets).item()}

    def found(self, outputs: Any) -> list[Found]:
        """The boxes of each picture, best first: the likely ones, and of those that cover each other the best.

        Args:
            outputs: of the network, see `forward`.
        """
        style = self.style(outputs)
        outputs = {name: value.cpu() for name, value in outputs.items()}
        chances = style.probabilities(outputs["scores"].float())  # (N, anchors, classes)
        boxes = decode(outputs["boxes"].float(), outputs["anchors"].float(), style.code).clamp(0, 1)
        return [self._best(*pair) for pair in zip(boxes, chances, strict=True)]

    def _best(self, boxes: Tensor, chances: Tensor) -> Found:
        best, places = chances.T.topk(min(self.candidates, len(boxes)), dim=1)  # (classes, candidates)
        keep = best > self.least
        labels = torch.arange(self.outputs, device=boxes.device)[:, None].expand_as(places)[keep]
        scores, boxes = best[keep], boxes[places[keep]]
        kept = batched_nms(boxes, scores, labels, self.overlap)[: self.most]
        return Found(boxes[kept], scores[kept], labels[kept])

    def decode(
        self,
        outputs: Any,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> list[Detections]:
        """What is found in each picture with some certainty.

        Args:
            outputs: of the network.
            topk: boxes a picture at most; None has `most`.
            files: the pictures' files, in order.
            sizes: the pictures' heights and widths, in order.
        """
        found = self.found(outputs)
        names, sides = list(files) or [""] * len(found), list(sizes) or [(1, 1)] * len(found)
        return [
            self._named(file, one.above(self.sure), topk, size)
            for file, one, size in zip(names, found, sides, strict=True)
        ]

    def _named(self, file: str, found: Found, topk: int | None, size: Sequence[int]) -> Detections:
        boxes, scores, labels = (x[:topk].tolist() for x in found)
        names = tuple(self.labels[i] for i in labels)
        return Detections(file, names, tuple(scores), tuple(map(tuple, boxes)), (int(size[0]), int(size[1])))

    @torch.no_grad()
    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """Loss, COCO's mean average precision ("map", "map50", "map75") and that of every class.

        Args:
            predict: gives the outputs for pictures.
            batches: pictures and their boxes, in order.
            files: the pictures' files in that order, for the examples; without them there are none.

        Raises:
            InputError: if there are no pictures.
            MissingError: if the package that measures is not installed.
        """
        told: list[Found] = []
        truths: list[Truth] = []
        losses = Counter[str]()
        for pictures, targets in batches:
            outputs = predict(pictures)
            told += self.found(outputs)
            truths += [Truth(*(part.cpu() for part in truth)) for truth in targets]
            losses.update({name: value * len(pictures) for name, value in self.lost(outputs, targets).items()})
        if not truths:
            raise InputError("there are 0 pictures to evaluate on; give some")
        return {
            "count": len(truths),
            **{name: value / len(truths) for name, value in losses.items()},
            **average_precision(told, truths, self.labels),
            "shown": self._shown(files[:SHOWN], told, truths),
        }

    def _shown(self, files: Sequence[str], told: Sequence[Found], truths: Sequence[Truth]) -> list[dict[str, Any]]:
        """What is found in the first pictures, each with the true boxes."""
        rows = []
        for file, found, truth in zip(files, told, truths, strict=False):
            size, real = truth.size.tolist(), Found(truth.boxes, torch.ones(len(truth.boxes)), truth.labels)
            rows.append(
                self._named(file, found.above(self.sure), None, size).facts()
                | {"truth": self._named(file, real, None, size).facts()}
            )
        return rows
