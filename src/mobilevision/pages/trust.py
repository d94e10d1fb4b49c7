"""What a page says about how far a run may be trusted: where it looked, how sure it may be, what it can bear."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError
from mobilevision.files import sha256
from mobilevision.pages.diagrams import endured, reliability
from mobilevision.pages.facts import Missing, RunFacts, facts_by_name
from mobilevision.pages.heat import as_uri, overlaid, seen
from mobilevision.run import Run

T = TypeVar("T")
MOST_TRUE = 2  # true labels of a picture whose maps are shown
ASKED = {
    "explain": "Where it looked when it was wrong, and how sure it may be.",
    "robust": "What blur, noise, JPEG and rotation it can bear.",
}
"""What `eval` tells only if it is asked: its option, and what that tells."""


class Look(NamedTuple):
    """A mistake with where the network looked.

    Attributes:
        file: the picture's name.
        why: why it cannot be shown; "" if it can.
        truth: what is true.
        label: what was said.
        score: its probability, 0 to 1.
        views: (caption, data URI): the picture, and what speaks for each label.
    """

    file: str
    why: str
    truth: str
    label: str
    score: float | None
    views: list[tuple[str, str]]


class Sure(NamedTuple):
    """How sure and how right.

    Attributes:
        drawing: the reliability diagram, as SVG.
        facts: what `mobilevision.tasks.calibration` told.
    """

    drawing: str
    facts: dict[str, Any]


class Borne(NamedTuple):
    """What is left under damage.

    Attributes:
        drawing: curves, as SVG.
        facts: what `mobilevision.tasks.robustness` told.
    """

    drawing: str
    facts: dict[str, Any]


@dataclass(frozen=True)
class Trust:
    """All of it that a run holds.

    Attributes:
        looks: mistakes, the surest first.
        sure: calibration, if it was told.
        borne: robustness, if it was told.
        missing: what cannot be read, or is of other weights.
        places: how fine the maps of `looks` are, as height x width.
    """

    looks: list[Look]
    sure: Sure | None
    borne: Borne | None
    missing: list[Missing]
    places: str = ""


def trust(facts: RunFacts, *, looks: int) -> Trust:
    """What a run's explain.json and robust.json tell.

    Args:
        facts: what the run holds.
        looks: mistakes to show at most.
    """
    missing: list[Missing] = []
    explained, spoiled = (kept(facts, name, missing) for name in ASKED)
    return Trust(
        looks=_read(lambda: _looks(facts, explained, looks), "explain", facts, missing) or [],
        sure=_read(lambda: _sure(explained), "explain", facts, missing),
        borne=_read(lambda: _borne(spoiled), "robust", facts, missing),
        missing=list(dict.fromkeys(missing)),
        places=_read(lambda: _places(explained), "explain", facts, missing) or "",
    )


def kept(facts: RunFacts, name: str, missing: list[Missing]) -> dict[str, Any]:
    """What `eval --explain` or `--robust` left in a run, if it is there and of the run's weights; else empty.

    Args:
        facts: the run's.
        name: "explain" or "robust".
        missing: told why there is nothing.
    """
    run, command = Run(facts.folder), _command(facts, name)
    if not run.has(name):
        return {}
    part = facts_by_name(run, name, command, missing)
    if part and run.best.is_file() and part.get("weights_sha256") != sha256(run.best):
        missing.append(Missing(f"{name}.json is of other weights than the run's best.", command))
        return {}
    return part


def untold(facts: RunFacts) -> list[Missing]:
    """What more a classifier's weights would tell, if `eval` were asked."""
    run = Run(facts.folder)
    if facts.part("task").get("task") != "classify" or not run.best.is_file():
        return []
    return [Missing(what, _command(facts, name)) for name, what in ASKED.items() if not run.has(name)]


def _read(how: Callable[[], T], name: str, facts: RunFacts, missing: list[Missing]) -> T | None:
    """What `how` reads out of the facts called `name`, or None if they are not as they are written here."""
    try:
        return how()
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        missing.append(Missing(f"{name}.json is not whole.", _command(facts, name)))
        return None


def _command(facts: RunFacts, name: str) -> str:
    return f"mobilevision eval {facts.quoted} --{name}"


def _looks(facts: RunFacts, explained: Mapping[str, Any], most: int) -> list[Look]:
    mistakes = (explained.get("mistakes") or [])[:most]
    return [_look(row, Preprocessing.read(facts.part("task")["preprocessing"])) for row in mistakes]


def _look(row: Mapping[str, Any], preprocessing: Preprocessing) -> Look:
    file, label = str(row["file"]), str(row["label"])
    told = Look(file.rpartition("/")[2], "", str(row["truth"]), label, row.get("score"), [])
    try:
        picture = seen(file, preprocessing)
    except InputError as error:
        return told._replace(why=str(error))
    if len(row["said"]) == len(row["said"][0]) == 1:  # one place cannot tell where
        return told._replace(views=[("", as_uri(picture))])
    true = [(f"for {name}", overlaid(picture, rows)) for name, rows in list(row["true"].items())[:MOST_TRUE]]
    return told._replace(views=[("", as_uri(picture)), (f"for {label}", overlaid(picture, row["said"])), *true])


def _places(explained: Mapping[str, Any]) -> str:
    mistakes = explained.get("mistakes")
    return f"{len(mistakes[0]['said'])} x {len(mistakes[0]['said'][0])}" if mistakes else ""


def _sure(explained: Mapping[str, Any]) -> Sure | None:
    facts = explained.get("calibration")
    if not facts:
        return None
    sides = {"as trained": facts["before"]["bins"], "with the temperature": facts["after"]["bins"]}
    plain = ("temperature", "fitted_on", "fitted_count", "split", "count", "at_bound")
    errors = {side: {name: float(facts[side][name]) for name in ("ece", "nll")} for side in ("before", "after")}
    answers = sum(bin_["count"] for bin_ in facts["before"]["bins"])
    return Sure(reliability(sides), {name: facts[name] for name in plain} | errors | {"answers": answers})


def _borne(spoiled: dict[str, Any]) -> Borne | None:
    if not spoiled:
        return None
    drawn = endured(spoiled["plain"], spoiled["damages"])
    names = [level["strength"] for level in spoiled["damages"][0]["levels"]]
    rows = [{name: damage[name] for name in ("name", "unit", "levels")} for damage in spoiled["damages"]]
    return Borne(drawn, {name: spoiled[name] for name in ("count", "split", "plain")} | {"names": names, "rows": rows})
