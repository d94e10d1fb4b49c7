"""Timing where a file will run: on a phone behind adb, or on a board behind ssh."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import UsageError
from mobilevision.timing import adb, ssh
from mobilevision.timing.away import Away
from mobilevision.timing.clock import LEAST, files_of

WAYS: dict[str, Callable[..., Away]] = {"adb": adb.time, "ssh": ssh.time}


@dataclass(frozen=True)
class DeviceTiming:
    """How long a file takes on another device.

    Attributes:
        file: the file's name.
        device: as it was asked for: "adb:SERIAL" or "ssh:HOST".
        taken: what was measured there.
    """

    file: str
    device: str
    taken: Away

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return {"file": self.file, "device": self.device} | asdict(self.taken)

    def words(self) -> str:
        """In a line, with the slowest operators under it if they are known."""
        away = self.taken
        memory = f", {away.peak_mb:.0f} MB of memory" if away.peak_mb else ""
        lines = [
            f"{self.file:<44} {away.median_ms:.2f} ms ({away.low_ms:.2f} to {away.high_ms:.2f}, {away.spread})  "
            f"{away.runs} runs, threads {away.threads}{memory}, {away.runtime}, {away.machine}"
        ]
        slowest = sorted(away.layers, key=lambda each: each["ms"], reverse=True)[:10]
        lines += [f"  {each['ms']:8.3f} ms  {each['operator']} {each['name']}" for each in slowest]
        return "\n".join(lines)


def bench(
    source: Path, device: str, *, threads: int | None, runs: int = LEAST, tool: Path | None = None, seconds: float = 600
) -> list[DeviceTiming]:
    """Time an exported file, or those of a run that the device takes, on that device; it joins each file's facts.

    Args:
        source: the file, or the folder of a run.
        device: "adb:SERIAL" for a phone, "ssh:HOST" for a board.
        threads: of the runtime; None means all cores of the device.
        runs: how many to time, at least 50.
        tool: LiteRT's `benchmark_model`, built for the phone; else the one that lies in its /data/local/tmp.
        seconds: how long a file may take.

    Raises:
        UsageError: if there is no such file, way or device, or the device does not run such files.
        InputError: if a file is not the one that was proven.
        MissingError: if the device is not connected, or lacks what runs the file.
        MobilevisionError: if it fails or takes too long.
    """
    way, colon, name = device.partition(":")
    if way not in WAYS or not colon or not name:
        raise UsageError(f"--device {device!r} is unknown; give adb:SERIAL for a phone or ssh:HOST for a board")
    if runs < LEAST:
        raise UsageError(f"{runs} runs say too little; time at least {LEAST}")
    files = files_of(source)
    if way == "adb" and len(files) > 1:
        files = [each for each in files if each.path.suffix == ".tflite"] or files
    return [
        _timed(each, device, WAYS[way], name, threads=threads, runs=runs, tool=tool, seconds=seconds) for each in files
    ]


def _timed(
    artifact: Artifact,
    device: str,
    time: Callable[..., Away],
    name: str,
    *,
    threads: int | None,
    runs: int,
    tool: Path | None,
    seconds: float,
) -> DeviceTiming:
    away = time(artifact.path, name, threads=threads, runs=runs, tool=tool, seconds=seconds)
    timing = DeviceTiming(artifact.path.name, device, replace(away, layers=tuple(away.layers)))
    artifact.with_facts(devices=artifact.facts.get("devices", {}) | {device: timing.facts()})
    return timing
