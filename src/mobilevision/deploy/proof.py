"""Whether an exported file computes what the network computes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobilevision import jobs
from mobilevision.deploy.base import Array
from mobilevision.deploy.interface import alike
from mobilevision.deploy.shown import Pictures, readable
from mobilevision.errors import InputError, ShortfallError
from mobilevision.models import Model

PART = 256
"""Pictures that are in memory at a time."""


@dataclass(frozen=True)
class Proof:
    """A file's scores beside torch's, on the same pictures.

    Attributes:
        pictures: how many.
        source: where they are from.
        largest_difference: the largest absolute difference of a score, as a share of the largest absolute score.
        agreement: share of pictures whose best class is the same, 0 to 1. Within `limit` only classes that torch
            itself can hardly tell apart may trade places, so this is told but not judged.
        limit: the largest difference that passes.
        runtime: what ran the file.
        ran: False where the runtime cannot be, and what the file says was computed without it.
        judged: how many of the pictures are validation pictures, on which the accuracies are.
        accuracy: share of those whose best class, by the file in its own runtime, is one of their labels; None if there
            are none.
        accuracy_torch: the same of torch.
    """

    pictures: int
    source: str
    largest_difference: float
    agreement: float
    limit: float
    runtime: str
    ran: bool = True
    judged: int = 0
    accuracy: float | None = None
    accuracy_torch: float | None = None

    @property
    def passed(self) -> bool:
        """Whether the file may be used; never if a score is not a number."""
        return self.largest_difference <= self.limit

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"passed": self.passed}

    def check(self, name: str) -> None:
        """Refuse a file that differs.

        Raises:
            ShortfallError: with the difference and the limit.
        """
        if not self.passed:
            raise ShortfallError(
                f"{name} differs from torch by {self.largest_difference:.2g} of the largest score on {self.pictures} "
                f"pictures, more than {self.limit:g} (same best class on {self.agreement:.0%}); it was not kept: "
                "choose another precision or format"
            )


@dataclass(frozen=True)
class Sides:
    """What a file and torch make of the same pictures.

    Attributes:
        files: the pictures that could be read.
        scores: the file's; the logarithms of probabilities where it gives those. Shape: (N, outputs).
        reference: the same of torch. Shape: (N, outputs).
        told: what the file says of itself.
    """

    files: tuple[Path, ...]
    scores: Array
    reference: Array
    told: dict[str, Any]


def side_by_side(model: Model, file: Path, pictures: Pictures, *, seconds: float, log: Path | None = None) -> Sides:
    """Run a file in its own runtime, and torch, on the same pictures, part by part.

    Args:
        model: the network, with what it expects of a picture.
        file: what was exported from it.
        pictures: what to run on; what cannot be read is left out.
        seconds: how long the runtime may take for a part.
        log: where its words go; kept if it fails.

    Raises:
        InputError: if none can be read.
        MobilevisionError: if the runtime crashes or takes too long; names its log.
    """
    parts = []
    for i in range(0, len(pictures.files), PART):
        files, tensor = readable(pictures.files[i : i + PART], model)
        if files:
            scores, told = file_scores(file, tensor.numpy(), seconds=seconds, log=log)
            right = alike(torch_scores(model.network, tensor), told["card"])
            parts.append(Sides(files, scores, right, told))
    if not parts:
        raise InputError(
            f"none of the pictures in {pictures.source} can be read; a file is proven on real pictures: give some"
        )
    return Sides(
        files=tuple(each for part in parts for each in part.files),
        scores=np.concatenate([part.scores for part in parts]),
        reference=np.concatenate([part.reference for part in parts]),
        told=parts[0].told,
    )


@torch.no_grad()
def torch_scores(network: nn.Module, pictures: Tensor) -> Array:
    """The network's own scores, a few pictures at a time. Shape: (N, channels, H, W) -> (N, outputs)."""
    network.eval()
    scores: Array = torch.cat([network(part) for part in torch.split(pictures, 8)]).numpy()
    return scores


def file_scores(
    file: Path, pictures: Array, *, seconds: float, log: Path | None = None
) -> tuple[Array, dict[str, Any]]:
    """A file's scores in its own runtime and process, and what the file says of itself.

    Raises:
        MobilevisionError: if the runtime crashes or takes longer than `seconds`.
    """
    with tempfile.TemporaryDirectory() as folder:
        shown, found = Path(folder) / "pictures.npy", Path(folder) / "scores.npy"
        np.save(shown, pictures)
        payload = {"file": str(file), "pictures": str(shown), "to": str(found)}
        told = jobs.call("mobilevision.deploy.runtime:run", payload, seconds=seconds, log=log)
        return np.load(found), told


def weigh(sides: Sides, pictures: Pictures, *, limit: float, runtime: str) -> Proof:
    """The proof that both sides make: how far apart they are, and how often each is right.

    Args:
        sides: what the file and torch made of the pictures.
        pictures: with the labels of those that accuracy is measured on.
        limit: the largest difference that passes, as a share of the largest score.
        runtime: what ran the file.

    Raises:
        ShortfallError: see `compare`.
    """
    proof = compare(sides.scores, sides.reference, source=pictures.source, limit=limit, runtime=runtime)
    judged, right, right_torch = accuracies(sides, pictures)
    return replace(proof, judged=judged, accuracy=right, accuracy_torch=right_torch)


def accuracies(sides: Sides, pictures: Pictures) -> tuple[int, float | None, float | None]:
    """On how many pictures accuracy is measured, the file's and torch's; None if there are none."""
    places = [i for i, file in enumerate(sides.files) if file in pictures.labels]
    labels = [pictures.labels[sides.files[i]] for i in places]
    right, right_torch = (accuracy(scores[places], labels) for scores in (sides.scores, sides.reference))
    return len(places), right, right_torch


def accuracy(scores: Array, labels: Sequence[tuple[int, ...]]) -> float | None:
    """Share of pictures whose best class is one of their labels; None if there are none. Shape: (N, outputs)."""
    if not labels:
        return None
    return float(np.mean([int(best) in its for best, its in zip(scores.argmax(1), labels, strict=True)]))


def compare(scores: Array, reference: Array, *, source: str, limit: float, runtime: str) -> Proof:
    """Put a file's scores beside torch's.

    Args:
        scores: the file's. Shape: (N, outputs).
        reference: torch's. Shape: (N, outputs).
        source: where the pictures are from.
        limit: the largest difference that passes, as a share of the largest score.
        runtime: what ran the file.

    Raises:
        ShortfallError: if the shapes differ, or torch's scores are all 0 or not numbers and prove nothing.
    """
    if scores.shape != reference.shape:
        raise ShortfallError(f"the file gives scores of shape {scores.shape} where torch gives {reference.shape}")
    largest = float(np.abs(reference).max())
    if not 0 < largest < np.inf:
        raise ShortfallError(f"the network's largest score is {largest}, which proves nothing; check its weights")
    return Proof(
        pictures=len(scores),
        source=source,
        largest_difference=float(np.abs(scores - reference).max()) / largest,
        agreement=float((scores.argmax(1) == reference.argmax(1)).mean()),
        limit=limit,
        runtime=runtime,
    )
