"""From the last map to a vector that tells pictures apart: alike pictures, near vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.blocks.classifier import Classifier, Scores


@dataclass(frozen=True)
class Projection(Head):
    """A classifier's mean and hidden layer, then a layer to as many numbers as a task asks for, of length 1 together.

    Its layers are called what the classifier's are, so that weights of one start the other. The product of two vectors
    is the cosine of the angle between them.

    Attributes:
        over: the classifier whose hidden layer stands between the mean and the vector.
    """

    over: Classifier = field(default_factory=Classifier)

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """Those of the classifier: the last map alone."""
        return self.over.taps(arch)

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes the last map, in a list. Shape: [(N, C, H, W)] -> (N, outputs), each row of length 1."""
        return Projected(self.over, taps[-1].channels, outputs)


class Projected(Scores):
    """The module of a `Projection`; with `outputs` 0 it gives the pooled vector, of length 1."""

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, C, H, W)] -> (N, outputs), each row of length 1."""
        return F.normalize(super().forward(maps))
