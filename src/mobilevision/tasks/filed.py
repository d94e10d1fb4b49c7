"""What exported files give where they give more than a network: boxes with the best chosen, masks with the classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mobilevision.data.scenes import Truth
from mobilevision.errors import InputError
from mobilevision.tasks.decoder import decode
from mobilevision.tasks.detect import Detect
from mobilevision.tasks.precision import Found
from mobilevision.tasks.segment import Segment

SIDES = 4
ROW = 6
"""Numbers of a chosen box: left, top, right and bottom, as fractions of the picture, its probability, its class."""


@dataclass(frozen=True)
class FiledDetect(Detect):
    """Detection by a file, which decodes boxes and drops the lesser of those that cover each other."""

    def found(self, outputs: Any) -> list[Found]:
        """The boxes of each picture, best first.

        Args:
            outputs: rows of boxes; those that are none have probability 0. Shape: (N, boxes, 6).

        Raises:
            InputError: if they are of another shape.
        """
        if outputs.ndim != 3 or outputs.shape[-1] != ROW:
            raise InputError(f"boxes of shape {tuple(outputs.shape)} are not rows of {ROW} numbers; export again")
        return [self._sorted(rows.float().cpu()) for rows in outputs]

    def _sorted(self, rows: Tensor) -> Found:
        rows = rows[rows[:, 4] > self.least]
        rows = rows[rows[:, 4].argsort(descending=True, stable=True)][: self.most]
        return Found(rows[:, :4], rows[:, 4], rows[:, 5].round().long())

    def lost(self, outputs: Any, targets: Sequence[Truth]) -> dict[str, float]:
        """Nothing: a file tells no offsets that a loss could take."""
        return {}


@dataclass(frozen=True)
class RawDetect(FiledDetect):
    """Detection by a file that chooses nothing: it gives the box of every anchor, and `decode` chooses among them."""

    def found(self, outputs: Any) -> list[Found]:
        """The boxes of each picture, best first.

        Args:
            outputs: the rows of every anchor. Shape: (N, anchors, 4 + classes).

        Raises:
            InputError: if they are of another shape.
        """
        if outputs.ndim != 3 or outputs.shape[-1] != SIDES + self.outputs:
            raise InputError(
                f"rows of shape {tuple(outputs.shape)} do not hold a box and {self.outputs} classes each; export again"
            )
        asked = {name: getattr(self, name) for name in ("least", "overlap", "candidates", "most")}
        return [self._sorted(torch.from_numpy(decode(rows.float().cpu().numpy(), **asked))) for rows in outputs]


def filed_detect(facts: Mapping[str, Any]) -> FiledDetect:
    """The detector that the card of a file tells."""
    return RawDetect.read(facts) if facts.get("raw") else FiledDetect.read(facts)


@dataclass(frozen=True)
class FiledSegment(Segment):
    """Segmentation by a file, which gives scores, (N, classes, h, w), or the classes themselves, (N, H, W)."""

    def scores(self, outputs: Any) -> Tensor:
        """Scores of either. Shape: (N, classes, h, w)."""
        if outputs.ndim == 4:
            return super().scores(outputs)
        return F.one_hot(outputs.long().cpu(), self.outputs).movedim(-1, 1).float()

    def lost(self, outputs: Any, targets: Tensor) -> dict[str, float]:
        """The loss of scores; classes alone have none."""
        return super().lost(outputs, targets) if outputs.ndim == 4 else {}
