"""What random search finds in the same time: what every search has to beat, and what its report says of it.

random/     in the folder of the search: a search of its own, with its bill and the network that it found; candidates
            are kept with those of the search, so that none is trained twice
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.jobs import Local, Workers
from mobilevision.search.evaluate import Evaluator, Exam, Say
from mobilevision.search.session import Brief, Session
from mobilevision.search.space import Space
from mobilevision.search.trials import search

FOLDER = "random"
ENDLESS = 1_000_000
"""Trials, where time ends a search."""
TOLD = (
    "name",
    "digest",
    "accuracy",
    "costs",
    "measured_ms",
    "trials",
    "networks",
    "failed",
    "points",
    "seconds",
    "bill",
)
"""What a search's report repeats of its rival's."""

UNASKED = {"why": "it was not asked for"}
"""What a report says where random search was not asked."""


def with_rival(session: Session, result: dict[str, Any], exam: Exam | None, *, workers: Workers) -> dict[str, Any]:
    """The result of a search, with what random search found in the same time.

    Args:
        session: that has finished.
        result: of it.
        exam: how candidates are trained and judged; None leaves random search out.
        workers: what trains them.
    """
    if exam is None:
        return session.tell(result, random=UNASKED)
    found = random_rival(
        session.folder,
        session.brief,
        exam,
        seconds=session.bill.searching(),
        found=Arch.from_json((session.folder / "arch.json").read_text(encoding="utf-8")),
        workers=workers,
        say=session.say,
        space=session.space,
        table=session.latency.timed.path if session.latency else None,
    )
    return session.tell(result, random=found)


def random_rival(
    folder: Path,
    brief: Brief,
    exam: Exam,
    *,
    seconds: float,
    found: Arch,
    workers: Workers,
    say: Say,
    space: Space | None = None,
    table: Path | None = None,
) -> dict[str, Any]:
    """What random search finds with the same pictures, targets and table in so many seconds, as plain JSON.

    Its candidates are drawn near the target, trained and judged by `exam`, and so is what the search has found, unless
    it was already. Times of rows and networks are charged to neither: both take them from one table.

    Args:
        folder: of the search; its rival's is inside.
        brief: what the search was asked for.
        exam: how candidates are trained and judged.
        seconds: of wall time that the search took.
        found: what it found.
        workers: what trains candidates.
        say: told how far it is.
        space: where to look; None takes the one that the brief names.
        table: times of rows; None takes one in the rival's folder, which fills itself.
    """
    say(f"and random search gets the same {seconds:.0f} s (--no-random turns it off)")
    together = workers.processes if isinstance(workers, Local) else 1
    asked = replace(brief, method="random", numbers={"trials": ENDLESS, "together": together})
    session = Session(folder / FOLDER, asked, space=space, table=table, force=True, say=say)
    evaluator = Evaluator(folder, exam, workers=workers, bill=session.bill, say=say)
    try:
        result = search(session, evaluator, seconds=seconds)
    except UsageError as error:
        return {"given_seconds": seconds, "why": str(error)}
    (same,) = evaluator.judge([found], phase="the network to beat")
    told = {name: result[name] for name in TOLD}
    return told | {"given_seconds": seconds, "found_accuracy": same.accuracy, "found_failure": same.failure}
