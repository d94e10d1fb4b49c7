"""A run, or several beside each other, as one page that needs nothing else."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from mobilevision.errors import UsageError
from mobilevision.files import write_text
from mobilevision.pages import quantities
from mobilevision.pages.chapters import chapter
from mobilevision.pages.charts import Series, curves
from mobilevision.pages.facts import RunFacts, read_facts
from mobilevision.pages.fronts import fronts_of
from mobilevision.pages.terminal import shape_text
from mobilevision.run import Run
from mobilevision.tasks import decoder
from mobilevision.tasks.figures import called, first_of, title

TEMPLATES = Path(__file__).parent / "templates"
THUMBNAILS = 240  # pictures in a page, some 4 kB each
LOOKS = 40  # mistakes in a page, each three pictures of some 8 kB
MOST = 18  # of them right, and as many wrong, in one run


def report(runs: Sequence[Run | str | Path], *, to: str | Path) -> Path:
    """Write one HTML page about a run, or about several with a comparison first.

    The page holds its style and its pictures and asks the network for nothing. What a run lacks is named with the
    command that makes it.

    Args:
        runs: run folders.
        to: the file to write.

    Returns:
        The file.

    Raises:
        UsageError: if there are no runs, a folder is not there, or the file cannot be written.
        InputError: if a folder holds no run.
    """
    if not runs:
        raise UsageError("there is no run to report on; give the folder of one")
    found = [read_facts(run) for run in ([runs] if isinstance(runs, Run | str | Path) else runs)]
    pictures = min(MOST, THUMBNAILS // (2 * max(1, len(found))))
    chapters = [chapter(facts, pictures=pictures, looks=LOOKS // len(found)) for facts in found]
    page = environment().get_template("report.html.jinja")
    text = page.render(
        title=_title(found),
        chapters=chapters,
        compared=_compared(found) if len(found) > 1 else "",
        fronts=fronts_of(chapters),
        notes=_notes(found),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=(TEMPLATES / "report.css").read_text(encoding="utf-8"),
    )
    to = Path(to)
    try:
        write_text(to, text)
    except OSError as error:
        raise UsageError(f"{to} cannot be written: {error.strerror}; name a file in a folder that can") from error
    return to


def environment() -> Environment:
    """The templates, with every text escaped and numbers written as people read them."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["decoder"] = inspect.getsource(decoder)
    environment.filters |= {
        "count": known(quantities.count),
        "bytes": known(quantities.size),
        "percent": known(quantities.percent),
        "ms": known(quantities.milliseconds),
        "small": known("{:.1e}".format),
        "shape": shape_text,
        "plain": plain,
        "figure": title,
        "called": called,
    }
    return environment


def known(form: Callable[..., str]) -> Callable[..., str]:
    """The same way to write a number, that says so where there is none: other tasks and formats have other facts."""

    def written(value: Any, *, digits: int | None = None) -> str:
        if not isinstance(value, int | float) or not math.isfinite(value):
            return "unknown"
        return form(value) if digits is None else form(value, digits=digits)

    return written


def plain(value: Any) -> str:
    """A fact as a person reads it: lists with commas, no quotes, short fractions."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) and math.isfinite(value) else str(value)


def _title(found: Sequence[RunFacts]) -> str:
    return found[0].name if len(found) == 1 else f"{len(found)} runs compared"


def _compared(found: Sequence[RunFacts]) -> str:
    """How good every run was over its epochs, by the figure that most of them are known by."""
    names = [name for facts in found if (name := first_of(facts.part("metrics")))]
    if not names:
        return ""
    name = max(names, key=names.count)
    series = [
        Series(facts.name, [(line["epoch"], line[name]) for line in facts.history if {"epoch", name} <= line.keys()])
        for facts in found
    ]
    return curves(f"{title(name)} of each run", series, across="epoch", form=lambda share: f"{100 * share:.0f} %")


def _notes(found: Sequence[RunFacts]) -> list[str]:
    """What makes a comparison unfair."""
    notes = []
    digests = {facts.part("data").get("digest") for facts in found}
    splits = {facts.part("metrics").get("split") for facts in found if facts.part("metrics")}
    machines = {facts.part("environment").get("processor") for facts in found}
    if len(digests) > 1:
        notes.append("The runs did not see the same pictures: their accuracies cannot be put side by side.")
    if len(splits) > 1:
        notes.append(f"Some were measured on {' and some on '.join(sorted(map(str, splits)))} pictures.")
    if len(machines) > 1:
        notes.append("The runs are from different machines: their times cannot be put side by side.")
    return notes
