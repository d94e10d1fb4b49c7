"""Timing on a board behind ssh that has Python and the runtime; nothing is installed there, nothing is left."""

from __future__ import annotations

import io
import json
import re
import shlex
import tarfile
from pathlib import Path

import numpy as np

from mobilevision.deploy.formats import format_of
from mobilevision.errors import MissingError, MobilevisionError, UsageError
from mobilevision.timing import board
from mobilevision.timing.away import Away, called, last_line, program
from mobilevision.timing.clock import median_interval

HOST = re.compile(r"[\w.@:/\[\]][\w.@:/\[\]-]*")
UNREACHED, NO_COMMAND = 255, 127  # exit codes of ssh itself, and of a shell that knows no such program
WARMUP = 10
UNPACK = """import runpy, sys, tarfile, tempfile
with tempfile.TemporaryDirectory() as folder:
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
        archive.extractall(folder)
    runpy.run_path(folder + "/board.py", {"FOLDER": folder}, "__main__")
"""
"""What the board's Python is given to run: it takes our two files from its standard input."""


def time(file: Path, host: str, *, threads: int | None, runs: int, tool: Path | None, seconds: float) -> Away:
    """Send a file to a board, run it there, and read the times.

    Args:
        file: what to time.
        host: as ssh knows it, for example "pi@board" or "ssh://pi@board:2222"; it must ask for no password.
        threads: of the runtime; None means all cores of the board.
        runs: how many to time.
        tool: of no use here; must be None.
        seconds: how long all may take.

    Raises:
        UsageError: if the host is no name of one, or a tool was given.
        MissingError: if ssh, the board, its Python or the runtime is missing.
        MobilevisionError: if it fails or takes too long.
    """
    if tool is not None:
        raise UsageError(f"--tool {tool} is for phones; a board runs files in its Python")
    if not HOST.fullmatch(host):
        raise UsageError(f"{host!r} is no name of a host; give it as ssh takes it, for example pi@board")
    name = format_of(file).name
    if name not in board.OPENERS:
        raise UsageError(f"a board runs {', '.join(board.OPENERS)} files, not {name}; export to one of them")
    words = ("python3", "-c", UNPACK, file.name, name, str(threads or 0), str(runs), str(WARMUP))
    command = (program("ssh", "install OpenSSH's client"), "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "--", host)
    done = called((*command, shlex.join(words)), seconds=seconds, given=_packed(file))
    if done.returncode == UNREACHED:
        raise MissingError(f"{host} is not reached: {last_line(done.stderr)}")
    if done.returncode == NO_COMMAND:
        raise MissingError(f"{host} has no python3: {last_line(done.stderr)}")
    if done.returncode:
        raise MobilevisionError(f"{file.name} failed on {host}: {last_line(done.stderr + done.stdout)}")
    return _read(done.stdout, host)


def _packed(file: Path) -> bytes:
    """The file, and what runs it there."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(board.__file__, "board.py")
        archive.add(file, file.name)
    return packed.getvalue()


def _read(said: bytes, host: str) -> Away:
    try:
        told = json.loads(said.decode(errors="replace").splitlines()[-1])
    except (json.JSONDecodeError, IndexError):
        raise MobilevisionError(f"{host} told no times; its last words: {last_line(said)}") from None
    if "missing" in told:
        raise MissingError(f"{host} lacks {told['missing']}; run there: python3 -m pip install {told['missing']}")
    low, high = median_interval(told["laps"])
    return Away(
        median_ms=float(np.median(told["laps"])),
        low_ms=low,
        high_ms=high,
        spread="95 % interval of the median",
        runs=len(told["laps"]),
        threads=told["threads"],
        peak_mb=told["peak_mb"],
        machine=told["machine"],
        runtime=told["runtime"],
    )
