"""Timing on a connected Android phone, with LiteRT's own benchmark_model and its profile of operators."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mobilevision.errors import MissingError, MobilevisionError, UsageError
from mobilevision.timing.away import Away, called, last_line, program

SHELF = "/data/local/tmp"
FOLDER, TOOL = f"{SHELF}/mobilevision", f"{SHELF}/benchmark_model"
NIGHTLY = "https://storage.googleapis.com/tensorflow-nightly-public/prod/tensorflow/release/lite/tools/nightly/latest/"
BUILDS = {"arm64-v8a": "android_aarch64_benchmark_model", "armeabi-v7a": "android_arm_benchmark_model"}

NUMBER = r"([\d.]+(?:e[+-]?\d+)?)"
LAPS = re.compile(rf"count=(\d+) first=.* min={NUMBER} max={NUMBER} avg={NUMBER}")
MIDDLE = re.compile(rf"p5={NUMBER} median={NUMBER} p95={NUMBER}")
SUMMARY = "Inference timings in us"
MEMORY = re.compile(rf"Memory footprint delta from the start of the tool \(MB\): init={NUMBER} overall={NUMBER}")


@dataclass(frozen=True)
class Phone:
    """A phone that adb reaches.

    Attributes:
        adb: path of the program.
        serial: the phone's.
        seconds: how long one command may take.
    """

    adb: str
    serial: str
    seconds: float

    def shell(self, *words: str) -> str:
        """What a command says on the phone, errors too.

        Raises:
            MobilevisionError: if it fails.
        """
        done = self._called("shell", shlex.join(words))  # the phone's shell reads one line
        if done.returncode:
            told = last_line(done.stderr + done.stdout)
            raise MobilevisionError(
                f"{words[0]} failed on the phone {self.serial} (exit code {done.returncode}): {told}"
            )
        return (done.stdout + done.stderr).decode(errors="replace").replace("\r", "")

    def has(self, path: str) -> bool:
        """Whether a file is on the phone."""
        return self._called("shell", shlex.join(("ls", path))).returncode == 0

    def push(self, file: Path, to: str) -> None:
        """Copy a file to the phone.

        Raises:
            MobilevisionError: if it cannot be.
        """
        done = self._called("push", str(file), to)
        if done.returncode:
            raise MobilevisionError(
                f"{file} could not be copied to {self.serial}: {last_line(done.stderr + done.stdout)}"
            )

    def _called(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return called((self.adb, "-s", self.serial, *words), seconds=self.seconds)


def time(file: Path, serial: str, *, threads: int | None, runs: int, tool: Path | None, seconds: float) -> Away:
    """Push a .tflite file to a phone, run it there, and read the times.

    Args:
        file: what to time.
        serial: the phone's, as `adb devices` tells it.
        threads: of the runtime; None means all cores of the phone.
        runs: how many to time.
        tool: `benchmark_model`, built for the phone; None takes the one that lies in its /data/local/tmp.
        seconds: how long each command may take.

    Raises:
        UsageError: if the file is no .tflite file, or the tool is not there.
        MissingError: if adb, the phone or the tool is missing.
        MobilevisionError: if a command fails or takes too long.
    """
    if file.suffix != ".tflite":
        raise UsageError(f"a phone is timed with .tflite files, not {file.name}; export to litert")
    if tool is not None and not tool.is_file():
        raise UsageError(f"there is no {tool}; give LiteRT's benchmark_model, built for the phone")
    phone = connected(serial, seconds=seconds)
    model, release, abi = (
        phone.shell("getprop", f"ro.{key}").strip()
        for key in ("product.model", "build.version.release", "product.cpu.abi")
    )
    if tool is None and not phone.has(TOOL):
        build = BUILDS.get(abi, "benchmark_model")
        raise MissingError(
            f"the phone {serial} ({abi}) has no {TOOL}; fetch LiteRT's benchmark_model from {NIGHTLY}{build}, and give "
            "it with --tool"
        )
    count = threads or int(phone.shell("nproc"))
    phone.shell("mkdir", "-p", FOLDER)
    try:
        phone.push(file, f"{FOLDER}/network.tflite")
        run = TOOL
        if tool is not None:
            run = f"{FOLDER}/benchmark_model"
            phone.push(tool, run)
            phone.shell("chmod", "755", run)
        said = phone.shell(
            run,
            f"--graph={FOLDER}/network.tflite",
            f"--num_threads={count}",
            f"--num_runs={runs}",
            "--warmup_runs=10",
            "--use_xnnpack=true",
            "--enable_op_profiling=true",
        )
    finally:
        phone.shell("rm", "-rf", FOLDER)
    return read(said, threads=count, machine=f"{model}, Android {release}, {abi}")


def connected(serial: str, *, seconds: float) -> Phone:
    """A phone that is ready.

    Raises:
        MissingError: if adb is not here, or the phone is not connected, not allowed or not ready.
    """
    adb = program("adb", "install Android's platform tools (developer.android.com/tools/releases/platform-tools)")
    listed = called((adb, "devices"), seconds=seconds).stdout.decode(errors="replace").splitlines()[1:]
    states = dict(line.split("\t", 1) for line in listed if "\t" in line)
    if serial not in states:
        known = ", ".join(states) or "no phone at all"
        raise MissingError(f"no phone {serial} is connected; adb sees {known}: connect it and allow USB debugging")
    if states[serial].strip() != "device":
        raise MissingError(f"the phone {serial} is {states[serial].strip()}; unlock it and allow USB debugging on it")
    return Phone(adb, serial, seconds)


def read(said: str, *, threads: int, machine: str) -> Away:
    """The times in what benchmark_model says.

    Args:
        said: all it printed.
        threads: that it was given.
        machine: the phone.

    Raises:
        MobilevisionError: if there are none.
    """
    head, found, tail = said.partition(SUMMARY)
    laps = LAPS.findall(head)
    if not found or not laps:
        raise MobilevisionError(f"benchmark_model told no times; its last words: {last_line(said.encode())}")
    count, least, most, mean = laps[-1]  # the one before is the warm-up's
    middle = MIDDLE.findall(head)
    low, median, high = middle[-1] if middle else (least, mean, most)
    memory = MEMORY.search(tail)
    return Away(
        median_ms=float(median) / 1e3,
        low_ms=float(low) / 1e3,
        high_ms=float(high) / 1e3,
        spread="90 % of the runs" if middle else "all runs; their mean",
        runs=int(count),
        threads=threads,
        peak_mb=float(memory[2]) * 1024**2 / 1e6 if memory else None,
        machine=machine,
        runtime="LiteRT's benchmark_model with XNNPACK",
        layers=tuple(_layers(tail)),
    )


def _layers(said: str) -> list[dict[str, Any]]:
    """The operators in the order they run; those inside a delegate in place of the delegate, if it tells them."""
    _, _, profile = said.partition("Operator-wise Profiling Info")
    plain, _, inside = profile.partition("Delegate internal")
    within = _rows(inside)
    return [row for row in _rows(plain) if not (within and "delegate" in row["operator"].lower())] + within


def _rows(profile: str) -> list[dict[str, Any]]:
    """The rows of the first table of operators, whose columns have names that differ by version."""
    _, _, table = profile.partition("Run Order")
    lines = table.splitlines()[1:]
    if not lines:
        return []
    columns = [name.strip().strip("[]") for name in lines[0].split("\t")]
    rows = []
    for line in lines[1:]:
        values = [value.strip() for value in line.split("\t")]
        if len(values) < len(columns):
            break
        row = dict(zip(columns, values, strict=False))
        rows.append({"name": row["Name"], "operator": row["node type"], "ms": float(row["avg ms"])})
    return rows
