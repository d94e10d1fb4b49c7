"""LR-ASPP: a segmenter of four small layers (arXiv:1905.02244, section 6.4 and figure 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.blocks.base import Backbone, Head, Tap
from mobilevision.blocks.maps import first_of, resized
from mobilevision.layers import Conv2d, chain, conv


@dataclass(frozen=True)
class LRASPP(Head):
    """The last map, gated by its own mean, and a finer map of stride 8, scored and added.

    The defaults are torchvision's form, which averages over the whole map. The paper's network averages over windows
    of 49 x 49 pixels of the map, 16 rows and 20 columns apart; `window` 49 is that.

    Attributes:
        channels: of the map that is scored (the paper's F).
        window: side of the averaging window, in pixels of the last map; 0 averages over all of it.
        rows: distance from a window to the next below, in pixels of the last map.
        columns: distance to the next at the right.
        stride: pixels of the image for one pixel of the finer map, and of the scores.
        eps: constant under the root of the head's own batch norm.
    """

    channels: int = 128
    window: int = 0
    rows: int = 16
    columns: int = 20
    stride: int = 8
    eps: float = 1e-5

    def taps(self, arch: Backbone) -> tuple[Tap, ...]:
        """The first map of `stride`, and the last map of all."""
        return first_of(arch, self.stride), arch.tap(arch.last)

    def build(self, taps: tuple[Tap, ...], outputs: int) -> nn.Module:
        """Takes both maps. Shape: [(N, c, H, W), (N, C, h, w)] -> (N, outputs, H, W)."""
        return Gated(self, taps[0].channels, taps[1].channels, outputs)

    def epsilon(self, arch: Backbone) -> float:
        """The head's own."""
        return self.eps


class Gated(nn.Module):
    """The module of an `LRASPP`."""

    def __init__(self, facts: LRASPP, fine: int, coarse: int, classes: int) -> None:
        super().__init__()
        self.window, self.steps = facts.window, (facts.rows, facts.columns)
        self.project = conv(coarse, facts.channels, act="relu")
        self.gate = chain(conv=Conv2d(coarse, facts.channels, 1, bias=False), gate=nn.Sigmoid())
        self.scores = nn.ModuleDict({"fine": Conv2d(fine, classes, 1), "coarse": Conv2d(facts.channels, classes, 1)})

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Shape: [(N, c, H, W), (N, C, h, w)] -> (N, classes, H, W)."""
        fine, coarse = maps
        scores: Tensor = self.scores["fine"](fine) + self.scores["coarse"](resized(self.gated(coarse), fine))
        return scores

    def gated(self, coarse: Tensor) -> Tensor:
        """The coarse map, each channel weighed by what is in sight. Shape: (N, C, h, w) -> (N, channels, h, w)."""
        x, gate = self.project(coarse), self.gate(self._mean(coarse))
        weighed: Tensor = x * (resized(gate, x) if self.window else gate)
        return weighed

    def _mean(self, x: Tensor) -> Tensor:
        if not self.window:
            return F.adaptive_avg_pool2d(x, 1)
        window = min(self.window, x.shape[2]), min(self.window, x.shape[3])
        return F.avg_pool2d(x, window, self.steps)
