"""A run in 8 bits: calibrated on its training pictures, judged on all its validation pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mobilevision.deploy.base import Array, Format
from mobilevision.deploy.handover import convert_integers
from mobilevision.deploy.measured import MeasuredProof, measured
from mobilevision.deploy.proof import side_by_side, weigh
from mobilevision.deploy.ranges import USUAL, find_estimator
from mobilevision.deploy.rounded import is_rounded
from mobilevision.deploy.shown import JUDGED, Pictures, calibration_pictures, judging_pictures, run_data
from mobilevision.errors import InputError, ShortfallError, UsageError
from mobilevision.models import Model
from mobilevision.run import Run

ROUNDS = (0, 2, 4, 8)
"""How many of the most sensitive layers stay in fp32, one try after the other, until the floor is met."""


@dataclass(frozen=True)
class Quantization:
    """How a network goes to 8 bits.

    Attributes:
        floor: points of accuracy (percent of the pictures) that a file may lose against torch.
        calibrate: training pictures that tell the ranges, spread over all of them.
        ranges: estimator of the ranges: "minmax", "percentile" or "mse".
        equalize: whether channels of unlike ranges are made alike first.
        correct: whether the shift that rounding causes is taken back, as long as that serves; see `settled`.
    """

    floor: float = 1.0
    calibrate: int = 128
    ranges: str = USUAL
    equalize: bool = True
    correct: bool = True

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: with the value and what would.
        """
        find_estimator(self.ranges)
        if not 0 <= self.floor <= 100:
            raise UsageError(f"a floor of {self.floor} points makes no sense; give 0 to 100")
        if self.calibrate < 1:
            raise UsageError(f"{self.calibrate} pictures tell no ranges; calibrate on 64 to 256")


@dataclass(frozen=True)
class IntegerProof:
    """A file in 8 bits beside torch, on all validation pictures, and training pictures where those are few.

    Attributes:
        pictures: how many.
        judged: how many of them are validation pictures, on which the accuracies are.
        source: where they are from.
        accuracy: share of those whose best class, by the file, is one of their labels.
        accuracy_torch: the same of torch.
        agreement: share of pictures whose best class is the same in both.
        divergence: mean Kullback-Leibler divergence of the file's probabilities from torch's, in nats.
        largest_difference: the largest absolute difference of a score, as a share of the largest absolute score.
        limit: points of accuracy that the file may lose.
        runtime: what ran the file.
        calibration: pictures that told the ranges.
        wide: layers that stayed in fp32.
        lost: the layers that lose most in 8 bits, worst first: {"layer", "divergence"} of each rounded alone.
        errors: what the output of each convolution is off by in the file itself, as a share of its root mean square,
            in the order in which they run: {"layer", "error"}; empty where a format does not tell.
        ran: False where the runtime cannot be, and what the file says was computed without it.
    """

    pictures: int
    judged: int
    source: str
    accuracy: float
    accuracy_torch: float
    agreement: float
    divergence: float
    largest_difference: float
    limit: float
    runtime: str
    calibration: int
    wide: tuple[str, ...] = ()
    lost: tuple[dict[str, Any], ...] = ()
    errors: tuple[dict[str, Any], ...] = ()
    ran: bool = True

    @property
    def points(self) -> float:
        """What the file loses."""
        return 100 * (self.accuracy_torch - self.accuracy)

    @property
    def passed(self) -> bool:
        """Whether the file may be used: it may lose `limit` points, or one picture where there are so few."""
        allowed = max(self.limit / 100, 1 / self.judged) if self.limit else 0.0
        return bool(np.isfinite(self.divergence)) and self.accuracy_torch - self.accuracy <= allowed + 1e-9

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        lists = {name: list(getattr(self, name)) for name in ("wide", "lost", "errors")}
        return asdict(self) | lists | {"passed": self.passed}

    def check(self, name: str) -> None:
        """Refuse a file that lost too much.

        Raises:
            ShortfallError: with the loss, the floor and the layers that lose most.
        """
        if not self.passed:
            worst = ", ".join(each["layer"] for each in self.lost[:3])
            raise ShortfallError(
                f"{name} is right on {self.accuracy:.1%} of {self.judged} pictures where torch is on "
                f"{self.accuracy_torch:.1%}, more than {self.limit:g} points below; the layers that lose most are "
                f"{worst}; it was not kept: calibrate on more pictures, or raise the floor, the points that it may lose"
            )


Attempted = tuple[IntegerProof | MeasuredProof, dict[str, Any]]
"""The proof of a file, and what the file says of itself."""


def integers(
    run: Run,
    model: Model,
    format_: Format,
    *,
    card: dict[str, Any],
    to: Path,
    how: Quantization,
    seconds: float,
    logs: Callable[[str], Path | None] = lambda what: None,
) -> Attempted:
    """Write a run's network in 8 bits and judge it; while it falls short, try otherwise, see `settled`.

    Args:
        run: whose data to calibrate and to judge on.
        model: the run's.
        format_: what to write.
        card: what stands inside the file.
        to: where to write.
        how: floor, pictures, estimator.
        seconds: how long the converter may take, and the runtime.
        logs: where the words of the "export" and of the "runtime" go; kept if it fails.

    Returns:
        The proof of the file as it is now, and what the file says of itself.

    Raises:
        InputError: if the run's data is gone or cannot be read.
        ShortfallError: if the runtime refuses the integers, whichever layers stay in fp32.
        MobilevisionError: if the converter or the runtime crashes or takes too long.
    """
    data, trained = run_data(run), is_rounded(run.folder)
    pictures = judging_pictures(data)
    shown = calibration_pictures(data, model, count=how.calibrate)
    lost: list[dict[str, Any]] = []
    asked = asdict(how) | {"rounded": trained}

    def attempt(correct: bool, count: int) -> Attempted:
        tried = asked | {"correct": correct, "wide": [each["place"] for each in lost[:count]], "lost": list(lost)}
        written = convert_integers(
            model.network, shown, card=card, to=to, how=tried, seconds=seconds, log=logs("export")
        )
        lost[:] = written["lost"]
        runtime, log = format_.runtime_version, logs("runtime")
        found: IntegerProof | MeasuredProof
        if model.task.name in JUDGED:
            found, told = measured(
                model, to, data, card=card, limit=how.floor, runtime=runtime, seconds=seconds, log=log
            )
        else:
            found, told = judge(model, to, pictures, how=how, runtime=runtime, seconds=seconds, log=log)
        layers = _told_of_layers(lost, wide=lost[:count])
        return replace(found, ran=not format_.away, calibration=len(shown), **layers), told

    ways = (True, False) if how.correct and not trained else (how.correct,)
    return settled(attempt, ways=ways, rounds=ROUNDS if format_.mixes else ROUNDS[:1])


def settled(attempt: Callable[[bool, int], Attempted], *, ways: Sequence[bool], rounds: Sequence[int]) -> Attempted:
    """The first attempt that passes; if none does, the last.

    Taking back the shift of each channel's mean serves most networks. Where a picture is mostly background, that is
    what the mean is of, and what is looked for is shifted instead: so a file is tried without it as well, and layers
    are kept in fp32 in the way that lost less.

    Args:
        attempt: writes and judges a file, with the shift taken back or not, and so many sensitive layers in fp32.
        ways: whether the shift is taken back, one after the other.
        rounds: how many layers stay in fp32, from none on.

    Raises:
        ShortfallError: if the runtime refuses the integers of the last attempt.
    """
    points: dict[bool, float] = {}

    def plans() -> Iterator[tuple[bool, int]]:
        yield from ((way, rounds[0]) for way in ways)
        for count in rounds[1:]:
            yield min(points, key=points.__getitem__, default=ways[0]), count

    found: Attempted | ShortfallError
    for way, count in plans():
        try:
            found = attempt(way, count)
        except ShortfallError as error:  # the runtime takes none of it so
            found = error
            continue
        if found[0].passed:
            break
        points.setdefault(way, found[0].points)
    if isinstance(found, ShortfallError):
        raise found
    return found


def _told_of_layers(lost: Sequence[dict[str, Any]], *, wide: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What a proof tells of layers."""
    in_order = sorted(lost, key=lambda each: int(each["place"]))
    return {
        "wide": tuple(each["layer"] for each in wide),
        "lost": tuple({name: each[name] for name in ("layer", "divergence")} for each in lost[:8]),
        "errors": tuple(
            {name: each[name] for name in ("layer", "error")} for each in in_order if each["error"] is not None
        ),
    }


def refuse(pictures: Sequence[str | Path]) -> None:
    """Pictures without labels tell no accuracy.

    Raises:
        UsageError: if there are any.
    """
    if pictures:
        raise UsageError(f"this file is judged by accuracy, which {pictures[0]} has no labels for; leave them out")


def judge(
    model: Model,
    file: Path,
    pictures: Pictures,
    *,
    how: Quantization,
    runtime: str,
    seconds: float,
    log: Path | None = None,
) -> tuple[IntegerProof, dict[str, Any]]:
    """Put a file beside torch on the same pictures; also what the file says of itself.

    Raises:
        InputError: if none of those with labels can be read.
    """
    sides = side_by_side(model, file, pictures, seconds=seconds, log=log)
    found = weigh(sides, pictures, limit=how.floor, runtime=runtime)
    if found.accuracy is None or found.accuracy_torch is None:
        raise InputError(f"none of the {pictures.source} that have labels can be read; a file is judged on them")
    proof = IntegerProof(
        pictures=found.pictures,
        judged=found.judged,
        source=found.source,
        accuracy=found.accuracy,
        accuracy_torch=found.accuracy_torch,
        agreement=found.agreement,
        divergence=divergence(sides.reference, sides.scores),
        largest_difference=found.largest_difference,
        limit=how.floor,
        runtime=runtime,
        calibration=0,
    )
    return proof, sides.told


def divergence(reference: Array, scores: Array) -> float:
    """Mean Kullback-Leibler divergence of softmax probabilities, in nats. Shape of both: (N, outputs)."""
    right, found = (torch.from_numpy(each).double().log_softmax(1) for each in (reference, scores))
    return float((right.exp() * (right - found)).sum(1).mean())
