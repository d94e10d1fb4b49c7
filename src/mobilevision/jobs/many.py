"""Many jobs at once: each is tried again when it fails, and one that fails again is told with its reason."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

from mobilevision.errors import MobilevisionError, UsageError
from mobilevision.jobs.single import call_timed

ATTEMPTS = 2
"""How often a job is tried."""


class Done(NamedTuple):
    """A job that has ended.

    Attributes:
        place: which of the payloads it was, from 0.
        result: what the function gave; None if it failed.
        failure: why it failed the last time; "" if it did not.
        attempts: how often it was tried.
        wall_seconds: from its start to its end, all attempts together; of one whose worker died none are known.
        cpu_seconds: processor seconds of the attempt that ended well; of one that failed none are known.
    """

    place: int
    result: Any
    failure: str
    attempts: int
    wall_seconds: float
    cpu_seconds: float


class Workers(Protocol):
    """Whatever can run jobs."""

    @property
    def elsewhere(self) -> bool:
        """Whether the jobs' processor seconds are not among those of this process and its children."""

    @property
    def processes(self) -> int:
        """How many jobs share a machine at a time."""

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        """Call a function once for each payload; every call as it ends, in any order.

        Args:
            target: "package.module:function", importable where it runs.
            payloads: keyword arguments of the function, plain JSON.
            seconds: how long one attempt may take.
        """


@dataclass(frozen=True)
class Local:
    """Processes on this machine, a fresh one for each job.

    Attributes:
        processes: how many at a time.
    """

    processes: int = 1
    elsewhere: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the facts that no type checks."""
        if self.processes < 1:
            raise UsageError(f"{self.processes} processes do no work; give at least 1")

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        """Call a function once for each payload; every call as it ends, in any order."""
        pool = ThreadPoolExecutor(self.processes)
        try:
            jobs = [pool.submit(_tried, target, index, payload, seconds) for index, payload in enumerate(payloads)]
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _tried(target: str, index: int, payload: dict[str, Any], seconds: float) -> Done:
    began, failure = time.perf_counter(), ""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            result, cpu = call_timed(target, payload, seconds=seconds)
        except MobilevisionError as error:
            failure = str(error)
        else:
            return Done(index, result, "", attempt, time.perf_counter() - began, cpu)
    return Done(index, None, failure, ATTEMPTS, time.perf_counter() - began, 0.0)
