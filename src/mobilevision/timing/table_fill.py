"""Filling a table: rows become files in one process, and are timed in turns in another."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mobilevision import jobs
from mobilevision.architecture import Arch, plain
from mobilevision.cost import Key
from mobilevision.deploy.formats import find_format
from mobilevision.jobs.telling import Say
from mobilevision.timing.table import Conditions, TimedTable

TOGETHER = 24
"""Files that are written in one process and timed in turns in another; a fill that is killed loses no more."""
RUNS, WARMUP = 30, 2
SECONDS = 60.0
"""How long one file may take, to be written and to be timed."""
CHANNELS = 3
NEAR = 0.25
"""How much near laps count in a row's time. A row's weights are further away in a network than alone, but what is
fetched to run it at all, its code and the runtime's own state, the rows before it have fetched."""


def fill(table: TimedTable, keys: Iterable[Key], *, say: Say) -> int:
    """Time the rows that the table lacks, and keep each time as soon as its batch is done.

    Args:
        table: what is filled.
        keys: rows that are wanted.
        say: told how far it is.

    Returns:
        How many rows were timed.

    Raises:
        MobilevisionError: if the converter or the runtime crashes or takes too long; names its log.
    """
    wanted = [key for key in dict.fromkeys(keys) if key not in table.times]
    done = 0
    for together in split(wanted, TOGETHER):
        for key, ms in zip(together, time_rows(together, table.conditions), strict=True):
            table.add(key, ms)
        done += len(together)
        say(f"timed {done} of {len(wanted)} rows into {table.path}")
    return done


def fit(table: TimedTable, archs: Iterable[Arch], *, say: Say) -> int:
    """Time whole networks that the table lacks, so that its line goes through them; returns how many were timed."""
    wanted = [arch for arch in dict.fromkeys(archs) if arch not in table.networks]
    done = 0
    for together in split(wanted, TOGETHER):
        for arch, ms in zip(together, time_networks(together, table.conditions), strict=True):
            table.add_network(arch, ms)
        done += len(together)
        say(f"timed {done} of {len(wanted)} whole networks into {table.path}")
    return done


def time_rows(keys: Sequence[Key], conditions: Conditions) -> list[float]:
    """The time of each row, in ms, the computation alone: of its median far and near, what `NEAR` says."""
    items = [{"what": plain(what), "shape": plain(shape)} for what, shape in keys]
    ways = ({"cold": True}, {"cold": False})
    far, near = _timed(items, conditions, job="mobilevision.timing.table_laps:rows", ways=ways)
    return [between(*each) for each in zip(far, near, strict=True)]


def between(far: float, near: float) -> float:
    """What a row counts for whose weights have just left the core's own caches, or are still there."""
    return (1 - NEAR) * far + NEAR * near


def time_networks(archs: Sequence[Arch], conditions: Conditions) -> list[float]:
    """The median time of each network, in ms, with the picture copied in and the scores copied out."""
    items = [{"what": plain(arch), "shape": [CHANNELS, arch.size, arch.size]} for arch in archs]
    (found,) = _timed(items, conditions, job="mobilevision.timing.table_laps:networks", ways=({},))
    return found


def split(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    """The items in order, in parts of at most `size`."""
    return [items[i : i + size] for i in range(0, len(items), size)]


def _timed(
    items: list[dict[str, Any]], conditions: Conditions, *, job: str, ways: Sequence[dict[str, Any]]
) -> list[list[float]]:
    """The median of each item's laps, for each way to take them."""
    suffix = find_format(conditions.runtime).suffix
    with tempfile.TemporaryDirectory() as folder:
        for number, item in enumerate(items):
            item["to"] = str(Path(folder) / f"{number}{suffix}")
        asked = {"outputs": conditions.outputs, "format": conditions.runtime, "precision": conditions.precision}
        seconds = SECONDS * (1 + len(items))
        jobs.call("mobilevision.timing.table_files:write", {"items": items, **asked}, seconds=seconds)
        counts = {"threads": conditions.threads, "runs": RUNS, "warmup": WARMUP}
        given = {"files": [item["to"] for item in items], **counts}
        laps = [jobs.call(job, given | way, seconds=seconds) for way in ways]
    return [[median(each) for each in found] for found in laps]
