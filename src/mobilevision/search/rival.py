"""What random search finds in the same time: what every search has to beat, and what its report says of it.

random/     in the folder of the search: a search of its own, with its bill and the network that it found; candidates
            are kept with those of the search, so that none is trained twice
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.search.evaluate import Evaluator, Exam
from mobilevision.search.session import Brief, Session
from mobilevision.search.setting import Setting
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


def with_rival(session: Session, result: dict[str, Any], exam: Exam, *, setting: Setting) -> dict[str, Any]:
    """The result of a search, with what random search found in the same time, if the setting asks for it.

    Args:
        session: that has finished.
        result: of it.
        exam: how candidates are trained and judged.
        setting: of the search.
    """
    if not setting.against_random:
        return session.tell(result, random=UNASKED)
    found = random_rival(
        session.brief,
        exam,
        setting=replace(setting, table=session.latency.timed.path if session.latency else None),
        seconds=session.bill.searching(),
        found=Arch.from_json((session.folder / "arch.json").read_text(encoding="utf-8")),
        space=session.space,
    )
    return session.tell(result, random=found)


def random_rival(
    brief: Brief, exam: Exam, *, setting: Setting, seconds: float, found: Arch, space: Space | None = None
) -> dict[str, Any]:
    """What random search finds with the same pictures, targets and table in so many seconds, as plain JSON.

    Its candidates are drawn near the target, trained and judged by `exam`, and so is what the search has found, unless
    it was already. Times of rows and networks are charged to neither: both take them from one table.

    Args:
        brief: what the search was asked for.
        exam: how candidates are trained and judged.
        setting: of the search; its rival's folder is inside.
        seconds: of wall time that the search took.
        found: what it found.
        space: where to look; None takes the one that the brief names.
    """
    setting.say(f"and random search gets the same {seconds:.0f} s (--no-random turns it off)")
    workers = setting.workers
    asked = replace(brief, method="random", numbers={"trials": ENDLESS, "together": workers.processes})
    session = Session(setting.folder / FOLDER, asked, space=space, table=setting.table, force=True, say=setting.say)
    evaluator = Evaluator(setting.folder, exam, workers=workers, bill=session.bill, say=setting.say)
    try:
        result = search(session, evaluator, seconds=seconds)
    except UsageError as error:
        return {"given_seconds": seconds, "why": str(error)}
    (same,) = evaluator.judge([found], phase="the network to beat")
    told = {name: result[name] for name in TOLD}
    return told | {"given_seconds": seconds, "found_accuracy": same.accuracy, "found_failure": same.failure}
