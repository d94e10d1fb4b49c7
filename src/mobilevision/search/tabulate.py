"""The whole table of a space, and how near its predictions are."""

from __future__ import annotations

import math
import random
import time
from pathlib import Path
from typing import Any

from mobilevision.jobs.telling import Say
from mobilevision.search.space import Space, sample
from mobilevision.search.space_rows import rows
from mobilevision.timing.table import Conditions, TimedTable
from mobilevision.timing.table_fill import fill, fit


def tabulate(
    space: Space, file: Path, here: Conditions, *, most: int, networks: int, force: bool, say: Say
) -> dict[str, Any]:
    """Time the rows of a space into a file, then whole networks, and fit the line between them.

    Args:
        space: whose rows.
        file: where the times are kept; what is in it is not timed again.
        here: the conditions.
        most: rows to time at most.
        networks: whole networks, drawn at random, that the line goes through.
        force: go on with a file from elsewhere.
        say: told how far it is.

    Returns:
        What the table has come to, as plain JSON.

    Raises:
        InputError: if the file is not a table, or from another machine or runtime.
    """
    began = time.perf_counter()
    table = TimedTable.begin(file, here, force=force)
    new = fill(table, rows(space, outputs=here.outputs, most=most)[:most], say=say)
    rng = random.Random(0)  # noqa: S311 - nothing secret
    drawn = [sample(space, rng).arch for _ in range(networks)]
    new += fill(table, [key for arch in drawn for key in table.missing(arch)], say=say)
    fit(table, drawn, say=say)
    value = table.table()
    compared = table.compared(value.line)
    return {
        "table": str(file),
        "rows": len(table.times),
        "new_rows": new,
        "networks": len(compared),
        "line": value.line._asdict(),
        "error": None if math.isnan(value.error) else value.error,
        "compared": compared,
        "machine": here.machine,
        "version": here.version,
        "precision": here.precision,
        "threads": here.threads,
        "seconds": time.perf_counter() - began,
    }
