"""Segmentation: a class for every pixel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.joint import Joint, alone, stretched, varied
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.scene_loader import mask_loader
from mobilevision.data.scenes import UNKNOWN
from mobilevision.errors import InputError, UsageError
from mobilevision.tasks.base import Batches, Predict

SHOWN = 6
"""Pictures whose masks are told among the metrics."""

SIDE = 160
"""Pixels of the longer side of those masks."""

Scores = Tensor | dict[str, Tensor]
"""Of a segmenter, (N, classes, h, w); with an auxiliary segmenter, "scores" and "auxiliary"."""


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What a network says of the pixels of one picture.

    Attributes:
        file: the picture's file; "" if it has none.
        labels: names of the classes; the mask's numbers are places in it.
        mask: the likeliest class of each pixel, at the size that was asked for. Shape: (H, W), uint8.
    """

    file: str
    labels: tuple[str, ...]
    mask: Tensor

    @property
    def shares(self) -> dict[str, float]:
        """The fraction of the pixels that each class has, the largest first; classes without pixels are left out."""
        counts = torch.bincount(self.mask.flatten().long(), minlength=len(self.labels)).tolist()
        ranked = sorted(zip(self.labels, counts, strict=True), key=lambda pair: -pair[1])
        return {label: count / self.mask.numel() for label, count in ranked if count}

    def facts(self) -> dict[str, Any]:
        """The shares as plain JSON; the mask is a picture of its own."""
        return {"file": self.file, "shares": self.shares, "size": list(self.mask.shape)}

    def words(self) -> str:
        """The share of each class, the largest first."""
        return ", ".join(f"{label} {share:.1%}" for label, share in self.shares.items())

    def rows(self) -> list[dict[str, Any]]:
        """Each class that has pixels as a row of a table; "score" is its share of them."""
        return [{"label": label, "score": share, "file": self.file} for label, share in self.shares.items()]


@dataclass(frozen=True)
class Segment:
    """Name the class of every pixel.

    Attributes:
        labels: names of the classes, in the order of the masks' numbers; the background is one of them.
        auxiliary: what the loss of an auxiliary segmenter counts, against 1 of the main one's.
    """

    labels: tuple[str, ...]
    auxiliary: float = 0.4

    name = "segment"
    goal = "miou"

    def __post_init__(self) -> None:
        """Check that there is something to tell apart."""
        if not 2 <= len(self.labels) <= UNKNOWN:
            raise UsageError(f"a segmenter tells 2 to {UNKNOWN} classes apart, not {len(self.labels)}")
        if len(set(self.labels)) != len(self.labels):
            raise UsageError(f"two of the {len(self.labels)} labels are the same; give each class a name of its own")

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Segment:
        """The task that `facts` told; what they lack has its usual value."""
        known = {one.name: facts[one.name] for one in fields(cls) if one.name in facts}
        return cls(**known | {"labels": tuple(facts["labels"])})

    @property
    def outputs(self) -> int:
        """One map of scores a class."""
        return len(self.labels)

    def facts(self) -> dict[str, Any]:
        """The task as plain JSON."""
        return {"task": self.name, "labels": list(self.labels), "auxiliary": self.auxiliary}

    def picture(self, preprocessing: Preprocessing) -> Callable[[Image.Image], Tensor]:
        """How a picture alone is prepared: stretched to the size."""
        return alone(preprocessing)

    def evaluation(self, preprocessing: Preprocessing) -> Joint:
        """How a picture with its mask is prepared for evaluation: stretched to the size, nothing cut off."""
        return stretched(preprocessing)

    def training(self, preprocessing: Preprocessing, augment: Augment) -> Joint:
        """How a picture with its mask is varied for training."""
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
    ) -> DataLoader[tuple[Tensor, Tensor]]:
        """Pictures with their masks; the arguments are those of `mobilevision.data.scene_loader.mask_loader`.

        Raises:
            UsageError: if classes are to be drawn equally often: a picture holds many of them.
        """
        if balanced:
            raise UsageError("pictures with masks cannot be drawn by class; weight the loss instead: balance='weight'")
        return mask_loader(samples, transform=transform, batch=batch, shuffle=shuffle, seed=seed, workers=workers)

    def equip_(self, network: nn.Module, samples: Sequence[Sample], *, turns: int, seed: int) -> None:
        """Nothing: the loss learns nothing."""

    def forward(self, network: nn.Module, pictures: Tensor) -> Scores:
        """The scores. Shape: (N, channels, H, W) -> (N, outputs, h, w), coarser than the picture."""
        outputs: Scores = network(pictures)
        return outputs

    def loss(
        self, outputs: Scores, targets: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None
    ) -> Tensor:
        """Cross entropy of each pixel whose class is known, at the masks' size; with that of an auxiliary segmenter.

        Args:
            outputs: what `forward` gave.
            targets: masks. Shape: (N, H, W), int64.
            smoothing: share of the target that is spread over all classes.
            weights: how much each class counts. Shape: (outputs,).
        """
        both = outputs if isinstance(outputs, dict) else {"scores": outputs}
        shares = {"scores": 1.0, "auxiliary": self.auxiliary}
        return torch.stack(
            [shares[name] * self._entropy(scores, targets, smoothing, weights) for name, scores in both.items()]
        ).sum()

    def _entropy(self, scores: Tensor, targets: Tensor, smoothing: float, weights: Tensor | None) -> Tensor:
        known = targets != UNKNOWN
        each = F.cross_entropy(
            enlarged(scores.float(), targets.shape[1:]),
            targets,
            weights,
            ignore_index=UNKNOWN,
            reduction="none",
            label_smoothing=smoothing,
        )
        return each.sum() / (known.sum() if weights is None else weights[targets[known]].sum()).clamp(min=1)

    def fitted(self, data: Data) -> tuple[Segment, Data]:
        """Itself, and the pictures of its own labels."""
        return self, data.relabeled(self.labels)

    def weights(self, samples: Sequence[Sample]) -> Tensor:
        """One for each class: what a picture holds is not known before its mask is opened. Shape: (outputs,)."""
        return torch.ones(self.outputs)

    def scores(self, outputs: Any) -> Tensor:
        """The scores among the outputs. Shape: (N, classes, h, w).

        Raises:
            InputError: if they are not of these labels.
        """
        scores: Tensor = outputs["scores"] if isinstance(outputs, dict) else outputs
        if scores.ndim != 4 or scores.shape[1] != self.outputs:
            raise InputError(f"scores of shape {tuple(scores.shape)} do not fit {self.outputs} labels")
        return scores.float().cpu()

    def lost(self, outputs: Any, targets: Tensor) -> dict[str, float]:
        """The loss, by its name, if these outputs have one."""
        return {"loss": self.loss(outputs, targets.to(_main(outputs).device)).item()}

    def decode(
        self,
        outputs: Any,
        topk: int | None = None,
        *,
        files: Sequence[str] = (),
        sizes: Sequence[Sequence[int]] = (),
    ) -> list[Segmentation]:
        """The likeliest class of every pixel.

        Args:
            outputs: of the network.
            topk: of no meaning here.
            files: the pictures' files, in order.
            sizes: height and width to give each mask, for example the picture's; without them, that of the scores.
        """
        scores = self.scores(outputs)
        names, sides = list(files) or [""] * len(scores), list(sizes) or [scores.shape[2:]] * len(scores)
        return [
            Segmentation(file, self.labels, enlarged(one[None], size)[0].argmax(0).byte())
            for file, one, size in zip(names, scores, sides, strict=True)
        ]

    @torch.no_grad()
    def evaluate(self, predict: Predict, batches: Batches, *, files: Sequence[str] = ()) -> dict[str, Any]:
        """Loss, mean intersection over union ("miou"), share of right pixels, every class, confusion (rows: truth).

        All pixels of all pictures count together, at the size of the masks; classes that neither truth nor prediction
        has are not in the mean.

        Args:
            predict: gives the outputs for pictures.
            batches: pictures and their masks, in order.
            files: the pictures' files in that order, for the examples; without them there are none.

        Raises:
            InputError: if there are no pictures.
        """
        from torchmetrics.classification import MulticlassConfusionMatrix, MulticlassJaccardIndex  # heavy

        matrix = MulticlassConfusionMatrix(self.outputs, ignore_index=UNKNOWN)
        union = MulticlassJaccardIndex(self.outputs, ignore_index=UNKNOWN)
        count, losses = 0, Counter[str]()
        shown: list[dict[str, Any]] = []
        for pictures, masks in batches:
            outputs, masks = predict(pictures), masks.cpu()
            said = enlarged(self.scores(outputs), masks.shape[1:]).argmax(1)
            matrix.update(said, masks)
            union.update(said, masks)
            losses.update({name: value * len(masks) for name, value in self.lost(outputs, masks).items()})
            for file, one, truth in zip(files[count:SHOWN], said, masks, strict=False):
                shown.append({"file": file} | rolled(one) | {"truth": rolled(truth)})
            count += len(masks)
        if not count:
            raise InputError("there are 0 pictures to evaluate on; give some")
        confusion = matrix.compute()
        right = confusion.diagonal().sum().item() / max(1, confusion.sum().item())
        facts = {"count": count, **{name: value / count for name, value in losses.items()}}
        facts |= {"miou": union.compute().item(), "accuracy": right}
        return facts | {"per_class": self._rows(confusion), "confusion": confusion.tolist(), "shown": shown}

    def _rows(self, confusion: Tensor) -> list[dict[str, Any]]:
        """Each class: how many pixels it has, the share of them found, and its intersection over union."""
        right, there = confusion.diagonal(), confusion.sum(1)
        either = there + confusion.sum(0) - right
        columns = zip(self.labels, there.tolist(), right.tolist(), either.tolist(), strict=True)
        return [
            {
                "label": label,
                "count": count,
                "accuracy": hit / count if count else None,
                "iou": hit / whole if whole else None,
            }
            for label, count, hit, whole in columns
        ]


def enlarged(scores: Tensor, size: Sequence[int]) -> Tensor:
    """Scores at another height and width, bilinear. Shape: (N, classes, h, w) -> (N, classes, *size)."""
    if tuple(scores.shape[2:]) == tuple(size):
        return scores
    return F.interpolate(scores, size=tuple(size), mode="bilinear", align_corners=False)


def _main(outputs: Scores) -> Tensor:
    return outputs["scores"] if isinstance(outputs, dict) else outputs


def rolled(mask: Tensor) -> dict[str, Any]:
    """A mask made small, as runs of pixels of one class, row by row: pairs of the class and its count.

    Shape: (H, W) -> {"size": (h, w), "runs": [...]}, with h and w of at most `SIDE`.
    """
    step = max(1, -(-max(mask.shape) // SIDE))
    small = mask[::step, ::step]
    numbers, counts = torch.unique_consecutive(small.flatten(), return_counts=True)
    return {"size": list(small.shape), "runs": torch.stack([numbers.long(), counts], 1).tolist()}


def unrolled(runs: Sequence[Sequence[int]], size: Sequence[int]) -> Tensor:
    """The mask that `rolled` told; pixels that nobody has decided on become background. Shape: size, uint8."""
    numbers, counts = torch.tensor(runs).unbind(1)
    numbers = torch.where(numbers == UNKNOWN, 0, numbers)
    return numbers.repeat_interleave(counts).reshape(*size).byte()
