"""How long each operator of a file takes in its runtime, beside the least that this machine could need for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from mobilevision import jobs
from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.base import INT8, Layer
from mobilevision.deploy.formats import format_of
from mobilevision.errors import MissingError
from mobilevision.timing.clock import LEAST, check
from mobilevision.timing.machine import Machine

PROFILES = {
    "litert": ("profile_litert", "each operator cut out of the file and run alone"),
    "onnx": ("profile_onnx", "ONNX Runtime's profile"),
    "openvino": ("profile_openvino", "the CPU plugin's counters"),
    "executorch": ("profile_executorch", "ExecuTorch's event trace"),
}
"""Where each format's times of operators come from: a file of this room, and what it asks."""

WARMUP = 3
"""Runs of each operator that do not count."""

Profile = Callable[[Path, int, int], list[tuple[Layer, float]]]


@dataclass(frozen=True)
class LayerTime:
    """An operator that ran.

    Attributes:
        name: as the runtime names it.
        operator: what it does, by the runtime's word.
        ms: how long it takes, the median of its runs.
        macs: its multiply-accumulates.
        bytes: that it reads and writes at least once; 0 where the runtime's trace does not tell.
        bound: "compute" or "memory", whichever needs longer at best; "" if neither is known.
        bound_ms: what that needs at best.
        piece: the delegate's part it is in; "" if none.
    """

    name: str
    operator: str
    ms: float
    macs: int
    bytes: int
    bound: str
    bound_ms: float
    piece: str

    @property
    def achieved(self) -> float:
        """The best possible time by that taken, 0 to about 1."""
        return self.bound_ms / self.ms if self.ms else 0.0


@dataclass(frozen=True)
class Breakdown:
    """A file's time, operator by operator.

    Attributes:
        file: the file's name.
        layers: what ran, in order.
        machine: the peaks that bounds are reckoned with, measured just before.
        how: where the times are from.
        threads: of the runtime, and of the peaks.
        runs: of each operator.
    """

    file: str
    layers: tuple[LayerTime, ...]
    machine: Machine
    how: str
    threads: int
    runs: int

    @property
    def ms(self) -> float:
        """The sum over all operators."""
        return sum(each.ms for each in self.layers)

    @property
    def bound_ms(self) -> float:
        """The sum of what each needs at best."""
        return sum(each.bound_ms for each in self.layers)

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        rows = [asdict(each) | {"achieved": each.achieved} for each in self.layers]
        whole = {"ms": self.ms, "bound_ms": self.bound_ms, "achieved": self.bound_ms / self.ms if self.ms else 0.0}
        told = {"file": self.file, "how": self.how, "threads": self.threads, "runs": self.runs}
        return told | {"machine": self.machine.facts(), "whole": whole, "layers": rows}


def break_down(file: Artifact | str | Path, *, threads: int = 1, runs: int = LEAST, seconds: float = 900) -> Breakdown:
    """Time a file operator by operator, and measure in the same run what this machine can do at best.

    What is found is kept beside the file, as "layers" of its facts.

    Args:
        file: an exported file with its facts beside it.
        threads: that the runtime may use.
        runs: of each operator.
        seconds: how long it may take.

    Raises:
        UsageError: if there is no such file, or the numbers make no sense on this machine.
        InputError: if the file is not the one that was proven.
        MissingError: if its runtime is not here, or tells no times of operators.
        MobilevisionError: if the runtime crashes or takes too long; names its log.
    """
    artifact = file if isinstance(file, Artifact) else Artifact.open(file)
    check(threads, runs, warmup=WARMUP)
    format_ = format_of(artifact.path)
    format_.need_runtime()
    format_.need_device()
    if format_.name not in PROFILES:
        raise MissingError(f"{format_.name}'s runtime tells no times of operators; choose from {', '.join(PROFILES)}")
    machine = _machine(jobs.call("mobilevision.timing.machine:peaks", {"threads": threads}, seconds=seconds))
    payload = {"file": str(artifact.path), "threads": threads, "runs": runs}
    rows = jobs.call("mobilevision.timing.layers:take", payload, seconds=seconds)
    integers = artifact.facts.get("precision") == INT8.name
    found = Breakdown(
        file=artifact.path.name,
        layers=tuple(bounded(Layer(**layer), ms, machine, integers=integers) for layer, ms in rows),
        machine=machine,
        how=PROFILES[format_.name][1],
        threads=threads,
        runs=runs,
    )
    artifact.with_facts(layers=found.facts())
    return found


def take(file: str, threads: int, runs: int) -> Sequence[tuple[dict[str, Any], float]]:
    """The job: every operator that ran, with the median of its times in ms."""
    name, _ = PROFILES[format_of(Path(file)).name]
    profile: Profile = import_module(f"mobilevision.timing.{name}").profile
    return [(asdict(layer), ms) for layer, ms in profile(Path(file), threads, runs)]


def bounded(layer: Layer, ms: float, machine: Machine, *, integers: bool) -> LayerTime:
    """An operator's time beside the least it could be."""
    compute, memory = machine.compute_ms(layer.macs, integers=integers), machine.memory_ms(layer.bytes)
    least = max(compute, memory)
    bound = ("compute" if compute >= memory else "memory") if least else ""
    return LayerTime(layer.name, layer.operator, ms, layer.macs, layer.bytes, bound, least, layer.piece)


def _machine(facts: dict[str, Any]) -> Machine:
    pairs = tuple((int(area), float(speed)) for area, speed in facts["bandwidth"])
    return Machine(**(facts | {"bandwidth": pairs}))
