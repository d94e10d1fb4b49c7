"""Whether an exported file computes what the network computes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mobilevision import jobs
from mobilevision.data.folders import read_data
from mobilevision.data.pictures import find_pictures, open_picture
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.base import Array
from mobilevision.errors import InputError, ShortfallError, UsageError
from mobilevision.run import Run

COUNT = 64
"""Pictures a proof is made on, at most."""


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
    """

    pictures: int
    source: str
    largest_difference: float
    agreement: float
    limit: float
    runtime: str
    ran: bool = True

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
                f"pictures, more than {self.limit:g} (same best class on {self.agreement:.0%}); it was not kept"
            )


@dataclass(frozen=True)
class Pictures:
    """Real pictures, prepared as the network sees them.

    Attributes:
        tensor: shape (N, channels, height, width).
        source: where they are from.
    """

    tensor: Tensor
    source: str


def proof_pictures(
    run: Run, preprocessing: Preprocessing, *, given: Sequence[str | Path] = (), count: int = COUNT
) -> Pictures:
    """Up to `count` pictures: those given, else of the run's validation data, spread over all of it.

    Args:
        run: whose data to take.
        preprocessing: the network's.
        given: files or folders to take instead.
        count: how many at most.

    Raises:
        InputError: if none can be read.
    """
    files = [file for source in given for file in find_pictures(source)] if given else _validation_files(run)
    tensors = []
    for file in files[:: max(1, len(files) // count)][:count]:
        try:
            tensors.append(preprocessing.tensor(open_picture(file)))
        except InputError:  # the check of the data has told of it
            continue
    source = ", ".join(map(str, given)) if given else f"validation pictures of {run.read('data')['source']}"
    if not tensors:
        raise InputError(f"none of the pictures in {source} can be read; a file is proven on real pictures: give some")
    return Pictures(torch.stack(tensors), source)


def _validation_files(run: Run) -> list[Path]:
    facts = run.read("data")
    try:
        data = read_data(facts["source"], seed=facts["seed"])
    except UsageError as error:
        raise InputError(f"the run's data is gone: {error}; or give other pictures to prove the file on") from error
    return [sample.file for sample in data.validation]


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
