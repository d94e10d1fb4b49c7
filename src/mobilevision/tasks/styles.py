"""The two ways a detector learns: with a background class and the hardest negatives, or each class on its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

from mobilevision.data.scenes import Truth
from mobilevision.tasks.coding import BETWEEN, Weights, encode, match


class Style(Protocol):
    """How scores and offsets of anchors are read, and how they learn."""

    code: ClassVar[Weights]

    def probabilities(self, scores: Tensor) -> Tensor:
        """From logits to the chance of each class. Shape: (N, anchors, columns) -> (N, anchors, classes)."""

    def loss(
        self, outputs: dict[str, Tensor], truths: Sequence[Truth], *, smoothing: float, weights: Tensor | None
    ) -> Tensor:
        """The number to make small, a scalar; see `Task.loss`."""


@dataclass(frozen=True)
class MultiBox:
    """SSD's loss (arXiv:1512.02325, section 2.2): cross entropy with a background, and smooth L1 on the offsets.

    Of the anchors without a box, only the hardest learn. A picture without boxes teaches `negatives` anchors, where
    torchvision lets it teach none.

    Attributes:
        overlap: intersection over union from which on an anchor stands for a box.
        negatives: anchors without a box that learn, for each one with a box.
    """

    overlap: float = 0.5
    negatives: int = 3

    code: ClassVar[Weights] = (10, 10, 5, 5)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Of each class against the others and the background, which comes first and is left out."""
        return scores.softmax(-1)[..., 1:]

    def loss(
        self, outputs: dict[str, Tensor], truths: Sequence[Truth], *, smoothing: float, weights: Tensor | None
    ) -> Tensor:
        """The sum over the anchors that learn, for each anchor that stands for a box."""
        wanted = Wanted.of(outputs, truths, high=self.overlap, low=self.overlap, code=self.code)
        classes = torch.where(wanted.found, wanted.labels + 1, 0)  # (N, anchors)
        if weights is not None:
            weights = torch.cat([weights.new_ones(1), weights])
        each = F.cross_entropy(
            outputs["scores"].float().transpose(1, 2), classes, weights, reduction="none", label_smoothing=smoothing
        )
        hardness = each.detach().masked_fill(wanted.found | wanted.between, -torch.inf)
        rank = hardness.argsort(1, descending=True).argsort(1)
        counts = wanted.found.sum(1, keepdim=True).clamp(min=1)
        hard = (rank < self.negatives * counts) & hardness.isfinite()
        far = F.smooth_l1_loss(outputs["boxes"].float()[wanted.found], wanted.offsets, reduction="sum")
        return (each[wanted.found | hard].sum() + far) / wanted.count


@dataclass(frozen=True)
class Focal:
    """RetinaNet's loss (arXiv:1708.02002): focal binary cross entropy, and L1 on the offsets.

    Attributes:
        high: intersection over union from which on an anchor stands for a box.
        low: below, it stands for the background; between, it learns nothing.
        alpha: weight of objects against 1 - alpha of background.
        gamma: how fast easy anchors lose weight.
    """

    high: float = 0.5
    low: float = 0.4
    alpha: float = 0.25
    gamma: float = 2.0

    code: ClassVar[Weights] = (1, 1, 1, 1)

    def probabilities(self, scores: Tensor) -> Tensor:
        """Of each class on its own."""
        return scores.sigmoid()

    def loss(
        self, outputs: dict[str, Tensor], truths: Sequence[Truth], *, smoothing: float, weights: Tensor | None
    ) -> Tensor:
        """The sum over all anchors, for each anchor that stands for a box."""
        wanted = Wanted.of(outputs, truths, high=self.high, low=self.low, code=self.code)
        scores = outputs["scores"].float()
        classes = torch.zeros_like(scores)
        classes[wanted.found] = F.one_hot(wanted.labels[wanted.found], scores.shape[-1]).to(scores.dtype)
        soft = classes * (1 - smoothing) + smoothing / scores.shape[-1] * classes.amax(-1, keepdim=True)
        each: Tensor = sigmoid_focal_loss(scores, soft, self.alpha, self.gamma)
        if weights is not None:
            each = each * torch.where(classes > 0, weights, 1.0)
        far = F.l1_loss(outputs["boxes"].float()[wanted.found], wanted.offsets, reduction="sum")
        near: Tensor = each[~wanted.between].sum()
        return (near + far) / wanted.count


@dataclass(frozen=True)
class Wanted:
    """What the anchors of a batch should say.

    Attributes:
        found: anchors that stand for a box. Shape: (N, anchors).
        between: anchors that learn nothing. Shape: (N, anchors).
        labels: the box's class, where there is one. Shape: (N, anchors).
        offsets: to the boxes, of the anchors that stand for one. Shape: (found, 4).
    """

    found: Tensor
    between: Tensor
    labels: Tensor
    offsets: Tensor

    @classmethod
    def of(
        cls, outputs: dict[str, Tensor], truths: Sequence[Truth], *, high: float, low: float, code: Weights
    ) -> Wanted:
        """From the anchors among a head's `outputs` and the boxes of each picture; crowds teach nothing."""
        anchors = outputs["anchors"].float()
        places, labels, offsets = [], [], []
        for truth in truths:
            single = ~truth.crowd
            boxes, place = truth.boxes[single], match(truth.boxes[single], anchors, high=high, low=low)
            here = place >= 0
            places.append(place)
            labels.append(torch.where(here, truth.labels[single][place.clamp(min=0)] if len(boxes) else 0, 0))
            offsets.append(encode(boxes[place[here]], anchors[here], code))
        place = torch.stack(places)
        return cls(place >= 0, place == BETWEEN, torch.stack(labels), torch.cat(offsets))

    @property
    def count(self) -> int:
        """How many anchors stand for a box, at least 1."""
        return max(1, len(self.offsets))
