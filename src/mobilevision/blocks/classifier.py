"""From the last map to class scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.layers import ACTIVATIONS, Conv2d, chain


@dataclass(frozen=True)
class Classifier(Head):
    """Mean over the map, an optional hidden layer, one score a class.

    Attributes:
        hidden: channels between the mean and the scores; 0 has no hidden layer.
        act: activation of the hidden layer.
        norm: whether the hidden layer has a batch norm (MobileNetV4).
        bias: whether the hidden layer has a bias (MobileNetV3).
    """

    hidden: int = 0
    act: str = "relu"
    norm: bool = False
    bias: bool = False

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """The last map alone."""
        return (arch.tap(arch.last),)

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes the last map, in a list. Shape: [(N, C, H, W)] -> (N, outputs)."""
        return Scores(self, taps[-1].channels, outputs)


class Scores(nn.Module):
    """The module of a `Classifier`; with `outputs` 0 the scores are the embedding itself."""

    def __init__(self, facts: Classifier, cin: int, outputs: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.hidden = chain(
            conv=Conv2d(cin, facts.hidden, 1, bias=facts.bias) if facts.hidden else None,
            norm=nn.BatchNorm2d(facts.hidden) if facts.hidden and facts.norm else None,
            act=ACTIVATIONS[facts.act]() if facts.hidden else None,
        )
        self.features = facts.hidden or cin
        self.drop = nn.Dropout(0.0)  # the rate belongs to the recipe
        self.scores: nn.Module = nn.Linear(self.features, outputs) if outputs else nn.Identity()

    def embed(self, maps: Sequence[Tensor]) -> Tensor:
        """The vector before the scores. Shape: [(N, C, H, W)] -> (N, features)."""
        vector: Tensor = self.hidden(self.pool(maps[-1])).flatten(1)
        return vector

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, C, H, W)] -> (N, outputs)."""
        scores: Tensor = self.scores(self.drop(self.embed(maps)))
        return scores
