"""Whether an exported detector or segmenter is as good as the network: both measured on all validation pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mobilevision.data.dataset import Data
from mobilevision.deploy.proof import file_scores
from mobilevision.errors import ShortfallError
from mobilevision.models import Model
from mobilevision.tasks.catalog import read_filed
from mobilevision.tasks.figures import NAMES
from mobilevision.tasks.measure import measure

EXACT = 0.1
"""Points that a file in float may lose: rounding alone changes which of two like boxes comes first."""

PART = 32
"""Pictures that run through a file together."""

JUDGED = {"detect": "map50", "segment": "miou"}
"""The figure that a task's files are judged by."""


@dataclass(frozen=True)
class MeasuredProof:
    """A file beside torch, by the figure of their task on the same pictures.

    Attributes:
        pictures: how many.
        source: where they are from.
        figure: what was measured, for example "map50".
        value: the file's, in its own runtime, from 0 to 1.
        value_torch: torch's.
        limit: points (hundredths) that the file may lose.
        runtime: what ran the file.
        ran: False where the runtime cannot be, and what the file says was computed without it.
        calibration: pictures that told the ranges of 8 bits.
        wide: layers that stayed in fp32 in a file of 8 bits.
        lost: the layers that lose most in 8 bits, worst first.
        errors: what each layer is off by in the file, as a share of its mean square root, where the format tells.
    """

    pictures: int
    source: str
    figure: str
    value: float
    value_torch: float
    limit: float
    runtime: str
    ran: bool = True
    calibration: int = 0
    wide: tuple[str, ...] = ()
    lost: tuple[dict[str, Any], ...] = ()
    errors: tuple[dict[str, Any], ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the file may be used."""
        return 100 * (self.value_torch - self.value) <= self.limit + 1e-9

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        lists = {"wide": list(self.wide), "lost": list(self.lost), "errors": list(self.errors)}
        return asdict(self) | lists | {"passed": self.passed}

    def check(self, name: str) -> None:
        """Refuse a file that lost too much.

        Raises:
            ShortfallError: with the loss and the floor.
        """
        if not self.passed:
            told = NAMES[self.figure]
            raise ShortfallError(
                f"{name} has {told} {self.value:.1%} on {self.pictures} pictures where torch has "
                f"{self.value_torch:.1%}, more than {self.limit:g} points below; it was not kept"
            )


class Shown:
    """An exported file that is called as a network is, each time in a process of its own.

    Attributes:
        told: what the file said of itself when it ran last.
    """

    def __init__(self, file: Path, *, seconds: float, log: Path | None = None) -> None:
        self.file, self.seconds, self.log = file, seconds, log
        self.told: dict[str, Any] = {}

    def __call__(self, pictures: Tensor) -> Tensor:
        """Shape: (N, channels, H, W) -> what the file gives of each."""
        scores, self.told = file_scores(self.file, pictures.numpy(), seconds=self.seconds, log=self.log)
        return torch.from_numpy(scores)


def measured(
    model: Model,
    file: Path,
    data: Data,
    *,
    card: Mapping[str, Any],
    limit: float,
    runtime: str,
    seconds: float,
    log: Path | None = None,
) -> tuple[MeasuredProof, dict[str, Any]]:
    """Put a file beside torch on all validation pictures.

    Args:
        model: the network, its task, and what it expects of a picture.
        file: what was exported from it.
        data: checked, so that all its pictures can be read.
        card: what stands inside the file.
        limit: points that the file may lose.
        runtime: what runs the file.
        seconds: how long it may take for a part of the pictures.
        log: where its words go; kept if it fails.

    Returns:
        The proof, and what the file says of itself.

    Raises:
        InputError: if there are no pictures.
        MobilevisionError: if the runtime crashes or takes too long; names its log.
    """
    shown, figure = Shown(file, seconds=seconds, log=log), JUDGED[model.task.name]

    def figures(predict: Any, task: Any) -> dict[str, Any]:
        return measure(
            predict,
            data.validation,
            task=task,
            preprocessing=model.preprocessing,
            split="validation",
            batch=PART,
        )

    found, torchs = figures(shown, read_filed(card)), figures(model.network.eval(), model.task)
    proof = MeasuredProof(
        pictures=found["count"],
        source=f"validation pictures of {data.source}",
        figure=figure,
        value=found[figure],
        value_torch=torchs[figure],
        limit=limit,
        runtime=runtime,
    )
    return proof, shown.told
