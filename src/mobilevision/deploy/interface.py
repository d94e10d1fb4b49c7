"""What a file takes and gives where that is not prepared pictures and scores. It imports no torch and no runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.deploy.base import Array, Format

TAKES, GIVES = "takes", "gives"
"""The names of both in a file's card; without them it takes prepared pictures and gives scores."""

PIXELS, PROBABILITIES = "pixels", "probabilities"
RAW = "raw"
"""The name, in a card, of what says that a detector's file chooses nothing."""
WHITE = 255.0

LEAST = 1e-5
"""The least probability that is told apart from none: float16 holds smaller ones by too few steps."""


@dataclass(frozen=True)
class Interface:
    """What a file is asked to take and to give.

    Attributes:
        pixels: whether it takes a picture's bytes, 0 to 255, so that a program need not normalize them.
        softmax: whether it gives probabilities, so that a program need not make them of scores.
        raw: whether a detector's file chooses nothing: it gives the box of every anchor with the probability of each
            class, and `mobilevision.tasks.decoder`, a few lines that the report shows, chooses.
    """

    pixels: bool = False
    softmax: bool = False
    raw: bool = False

    @property
    def asked(self) -> tuple[str, ...]:
        """The names of those that are asked for; they end the file's name."""
        return tuple(name for name in ("pixels", "softmax", RAW) if getattr(self, name))

    def card(self) -> dict[str, Any]:
        """What the file says of it; nothing where it is as usual."""
        doors = ({TAKES: PIXELS} if self.pixels else {}) | ({GIVES: PROBABILITIES} if self.softmax else {})
        return doors | ({RAW: True} if self.raw else {})

    def check(self, format_: Format, task: Mapping[str, Any]) -> None:
        """Refuse what a format or a task has not.

        Args:
            format_: of the file.
            task: its facts.

        Raises:
            UsageError: with the option, and why it cannot be.
        """
        for name in self.asked:
            if name in format_.closed:
                raise UsageError(f"--{name} is not for {format_.name}: {format_.closed[name]}; leave it out")
        if self.raw and task["task"] != "detect":
            raise UsageError(f"--raw is for detect, and this run is of {task['task']}; leave it out")
        if self.pixels and task["task"] not in ("classify", "embed"):
            raise UsageError(f"--pixels is for classify and embed, and this run is of {task['task']}; leave it out")
        if self.softmax and (task["task"] != "classify" or task["multilabel"]):
            kind = "of several labels a picture" if task["task"] == "classify" else f"of {task['task']}"
            raise UsageError(f"--softmax is for classes of which one is right, and this run is {kind}; leave it out")


def taken(pictures: Array, card: Mapping[str, Any]) -> Array:
    """Pictures as a file takes them.

    Args:
        pictures: prepared; or pixels, for a file that takes them. Shape: (N, channels, height, width).
        card: what the file says of itself.
    """
    if card.get(TAKES) != PIXELS or pictures.dtype == np.uint8:
        return pictures
    mean, std = (np.array(card["preprocessing"][name], np.float32)[:, None, None] for name in ("mean", "std"))
    pixels: Array = np.round((pictures * std + mean) * WHITE).clip(0, WHITE).astype(np.uint8)
    return pixels


def scored(given: Array, card: Mapping[str, Any]) -> Array:
    """What a file gives as scores: of probabilities their logarithms, whose softmax they are. Shape: (N, ...), both."""
    return np.log(given.clip(LEAST, None)) if card.get(GIVES) == PROBABILITIES else given


def alike(scores: Array, card: Mapping[str, Any]) -> Array:
    """A network's scores as `scored` would give them of its file. Shape: (N, outputs), both."""
    if card.get(GIVES) != PROBABILITIES:
        return scores
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return scored(powers / powers.sum(1, keepdims=True), card)
