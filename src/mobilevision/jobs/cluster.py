"""Many jobs on the machines of a Ray cluster."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from mobilevision.errors import MissingError, MobilevisionError, missing_extra
from mobilevision.jobs.many import ATTEMPTS, Done
from mobilevision.jobs.single import call_timed

PATIENCE = 5.0
"""Seconds that a cluster has to answer."""


class Attempt(NamedTuple):
    """What came of one attempt at a job.

    Attributes:
        result: what the function gave; None if it failed.
        failure: why it failed; "" if it did not.
        wall_seconds: that it took on its worker, without the time that it waited for one.
        cpu_seconds: processor seconds; of one that failed none are known.
    """

    result: Any
    failure: str
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0


class Cluster:
    """A Ray cluster that is running; mobilevision must be installed on its machines, and the data be at the same path.

    Args:
        address: "auto" for the cluster that this machine belongs to, or "host:port" of its head; a job takes one core.

    Raises:
        MissingError: if Ray is not installed, or nobody answers at the address.
    """

    elsewhere, processes = True, 1

    def __init__(self, address: str = "auto") -> None:
        try:
            import ray
        except ImportError:
            raise missing_extra("ray", "ray") from None
        _knock(address)
        paths = os.pathsep.join(path for path in sys.path if path)
        try:
            ray.init(address=address, log_to_driver=False, runtime_env={"env_vars": {"PYTHONPATH": paths}})
        except (ConnectionError, RuntimeError) as error:
            raise MissingError(_nobody(address, error)) from error
        self._ray = ray
        self._job: Any = ray.remote(num_cpus=1, max_retries=0)(attempt)

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        """Call a function once for each payload; every call as it ends, in any order.

        A worker that dies takes one attempt of its job with it; Ray gives the next to another.
        """
        tries, spent = [1] * len(payloads), [0.0] * len(payloads)
        pending = {self._job.remote(target, payload, seconds): index for index, payload in enumerate(payloads)}
        while pending:
            ended, _ = self._ray.wait(list(pending))
            for each in ended:
                index = pending.pop(each)
                result, failure, wall, cpu = self._outcome(each)
                spent[index] += wall
                if failure and tries[index] < ATTEMPTS:
                    tries[index] += 1
                    pending[self._job.remote(target, payloads[index], seconds)] = index
                else:
                    yield Done(index, result, failure, tries[index], spent[index], cpu)

    def close(self) -> None:
        """Leave the cluster, which goes on running."""
        self._ray.shutdown()

    def _outcome(self, job: Any) -> Attempt:
        try:
            return Attempt(*self._ray.get(job))
        except self._ray.exceptions.RayError as error:
            return Attempt(None, f"its worker died: {str(error).strip().splitlines()[0]}")


def attempt(target: str, payload: dict[str, Any], seconds: float) -> Attempt:
    """The worker's side: one attempt, in a process of its own."""
    began = time.perf_counter()
    try:
        result, cpu = call_timed(target, payload, seconds=seconds)
    except MobilevisionError as error:
        return Attempt(None, str(error), time.perf_counter() - began)
    return Attempt(result, "", time.perf_counter() - began, cpu)


def _knock(address: str) -> None:
    """Find out at once whether somebody listens; Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    if not port.isdigit():
        raise MissingError(f"{address!r} is not the address of a Ray cluster; give auto, or host:port of its head")
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise MissingError(_nobody(address, error)) from error


def _nobody(address: str, error: Exception) -> str:
    first = (str(error).strip().splitlines() or ["no answer"])[0]
    return f"no Ray cluster answers at {address}: {first}; start one with: ray start --head"
