"""What a device tells of a file, and programs that reach one: called with words, never through a shell of ours."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from subprocess import PIPE
from typing import Any

from mobilevision.errors import MissingError, MobilevisionError
from mobilevision.jobs import end


@dataclass(frozen=True)
class Away:
    """How long one picture takes on a device, in ms.

    Attributes:
        median_ms: half of the runs were faster.
        low_ms: lower end of what `spread` says.
        high_ms: upper end.
        spread: what lies between `low_ms` and `high_ms`.
        runs: how many were timed, after a warm-up.
        threads: that the runtime was allowed.
        peak_mb: memory at its highest, in megabytes (10^6 bytes); None where it is not told.
        machine: the device.
        runtime: what ran the file.
        layers: "name", "operator" and "ms" of each operator, where the device tells.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    spread: str
    runs: int
    threads: int
    peak_mb: float | None
    machine: str
    runtime: str
    layers: tuple[dict[str, Any], ...] = ()


def program(name: str, remedy: str) -> str:
    """The path of a program.

    Raises:
        MissingError: if it is not on PATH, with the remedy.
    """
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is not on PATH; {remedy}")
    return found


def called(command: Sequence[str], *, seconds: float, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """What a program answers, whatever its exit code.

    Raises:
        MobilevisionError: if it takes too long.
    """
    with subprocess.Popen(  # noqa: S603 (a list of words, no shell)
        command, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
    ) as process:
        try:
            said, complained = process.communicate(given, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise MobilevisionError(f"{command[0]} took longer than {seconds:g} s and was stopped") from None
        finally:
            end(process)
    return subprocess.CompletedProcess(list(command), process.returncode, said, complained)


def last_line(output: bytes) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
