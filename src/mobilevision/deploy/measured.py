"""Whether an exported file is as good as the network: both measured on all validation pictures, by their task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mobilevision.data.dataset import Data
from mobilevision.deploy.apart import SAID, apart
from mobilevision.deploy.proof import file_scores
from mobilevision.deploy.shown import JUDGED, judging_pictures
from mobilevision.errors import ShortfallError
from mobilevision.models import Model
from mobilevision.tasks.catalog import read_filed
from mobilevision.tasks.figures import NAMES
from mobilevision.tasks.measure import measure

EXACT = 0.1
"""Points that a file in float may lose: rounding alone changes which of two like boxes comes first."""

PART = 32
"""Pictures that run through a file together."""


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
        compared: pictures on which what the file gives was held against all that torch says.
        largest_difference: the largest that was found, see `mobilevision.deploy.apart`.
        near: the largest that passes; None where the figure alone decides, as in 8 bits.
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
    compared: int = 0
    largest_difference: float = 0.0
    near: float | None = None

    @property
    def points(self) -> float:
        """What the file loses."""
        return 100 * (self.value_torch - self.value)

    @property
    def passed(self) -> bool:
        """Whether the file may be used; never if what it gives is not numbers."""
        if not self.largest_difference <= (float("inf") if self.near is None else self.near):
            return False
        return self.points <= self.limit + 1e-9

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        lists = {"wide": list(self.wide), "lost": list(self.lost), "errors": list(self.errors)}
        return asdict(self) | lists | {"passed": self.passed}

    def check(self, name: str) -> None:
        """Refuse a file that lost too much.

        Raises:
            ShortfallError: with the loss, the floor and, in 8 bits, the layers that lose most.
        """
        if not self.passed:
            apart = f"{SAID[self.figure]} up to {self.largest_difference:.2g} from torch's"
            worst = ", ".join(each["layer"] for each in self.lost[:3])
            layers = f"; most is lost by {worst}" if worst else ""
            remedy = "raise the floor, the points that it may lose" if self.near is None else "choose another format"
            at_most = "" if self.near is None else f" (at most {self.near:g})"
            raise ShortfallError(
                f"{name} has {NAMES[self.figure]} {self.value:.1%} on {self.pictures} pictures where torch has "
                f"{self.value_torch:.1%} (it may lose {self.limit:g} points), {apart}{at_most}{layers}; "
                f"it was not kept: choose another precision, or {remedy}"
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
    near: float | None = None,
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
        near: how far what the file gives may be from torch's; None asks the figure alone.
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

    filed = read_filed(card)
    found, torchs = figures(shown, filed), figures(model.network.eval(), model.task)
    compared, largest = apart(model, shown, judging_pictures(data), task=filed)
    proof = MeasuredProof(
        pictures=found["count"],
        source=f"validation pictures of {data.source}",
        figure=figure,
        value=found[figure],
        value_torch=torchs[figure],
        limit=limit,
        runtime=runtime,
        compared=compared,
        largest_difference=largest,
        near=near,
    )
    return proof, shown.told
