"""Several runs against what they cost: which no other beats, and which are beaten by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from mobilevision.pages import quantities
from mobilevision.pages.chapters import Chapter, named
from mobilevision.pages.pareto import Axis, Point, beaten_by, front, scatter
from mobilevision.pages.svg import written
from mobilevision.tasks.figures import COUNTED, first_of, title, wilson

LONGEST = 26  # letters of a run's name in a drawing


class Beaten(NamedTuple):
    """A run that another beats.

    Attributes:
        name: the run's.
        by: the names of those that cost no more and are no worse.
        surely: whether the 95 % interval of one of them lies above its own; None where figures have no interval.
    """

    name: str
    by: list[str]
    surely: bool | None


class Front(NamedTuple):
    """Runs against one cost.

    Attributes:
        title: what is shown.
        note: how the cost was taken.
        drawing: as SVG.
        best: the names of those on the front, from the cheapest.
        beaten: the others.
    """

    title: str
    note: str
    drawing: str
    best: list[str]
    beaten: list[Beaten]


class Fronts(NamedTuple):
    """All of them.

    Attributes:
        fronts: those that two or more runs can stand in.
        left_out: the names of runs that were measured on other pictures, by another figure, or not at all.
    """

    fronts: list[Front]
    left_out: list[str]


Setting = tuple[Any, ...]
"""What must be the same for the costs of two files to be compared."""


class _Entry(NamedTuple):
    """A run, by a name of its own."""

    name: str
    chapter: Chapter

    @property
    def metrics(self) -> dict[str, Any]:
        return self.chapter.facts.part("metrics")

    @property
    def measured(self) -> Setting | None:
        """What must be the same for two figures to be compared: the data, the split and the figure."""
        digest, figure = self.chapter.facts.part("data").get("digest"), first_of(self.metrics)
        return (digest, self.metrics.get("split"), figure) if figure and digest else None


def fronts_of(chapters: Sequence[Chapter]) -> Fronts:
    """The runs against measured time, size of file, and multiply-accumulates.

    Only runs that were measured alike are put side by side, in the setting that most of them have in common.
    """
    times = Counter(one.name for one in chapters)
    entries = [_Entry(one.name if times[one.name] == 1 else str(one.facts.folder), one) for one in chapters]
    wanted = _commonest([each.measured for each in entries])
    alike = [each for each in entries if wanted and each.measured == wanted]
    left_out = [each.name for each in entries if each not in alike]
    found = (_against_time(alike), _against_size(alike), _against_macs(alike)) if len(alike) > 1 else ()
    return Fronts([one for one in found if one is not None], left_out)


def _commonest(settings: Iterable[Setting | None]) -> Setting | None:
    """The one that comes most often, of several the first; None if none comes twice."""
    counted = Counter(each for each in settings if each is not None).most_common(1)
    return counted[0][0] if counted and counted[0][1] > 1 else None


def _against_time(entries: Sequence[_Entry]) -> Front | None:
    found = _common(entries, _timed, lambda file: file["timing"]["median_ms"])
    if found is None:
        return None
    (form, threads, machine), costs = found
    note = f"Median time of the {form} file, {threads} thread{'' if threads == 1 else 's'}, on {machine}."
    return _front("measured time", note, entries, costs, across=Axis("ms a picture", "{:.3g}".format))


def _against_size(entries: Sequence[_Entry]) -> Front | None:
    found = _common(entries, lambda file: (named(file),) if "bytes" in file else None, lambda file: file["bytes"])
    if found is None:
        return None
    (form,), costs = found
    return _front("size", f"Bytes of the {form} file.", entries, costs, across=Axis("bytes", quantities.size))


def _against_macs(entries: Sequence[_Entry]) -> Front | None:
    totals = {each.name: each.chapter.listing.totals for each in entries if each.chapter.listing}
    costs = {name: float(sums["macs"] + sums["attention_macs"]) for name, sums in totals.items()}
    note = "Multiply-accumulates of a picture at the size that each run sees."
    return _front("MACs", note, entries, costs, across=Axis("multiply-accumulates", quantities.count))


def _timed(file: dict[str, Any]) -> Setting | None:
    timing = file.get("timing") or {}
    return (named(file), timing.get("threads"), timing.get("machine")) if "median_ms" in timing else None


def _common(
    entries: Sequence[_Entry],
    setting: Callable[[dict[str, Any]], Setting | None],
    cost: Callable[[dict[str, Any]], float],
) -> tuple[Setting, dict[str, float]] | None:
    """The setting that files of most runs share, of several the cheapest, with the costs; None if none is shared."""
    files = {
        (told, each.name): float(cost(file))
        for each in entries
        for file in each.chapter.facts.artifacts
        if (told := setting(file)) is not None
    }
    shared: dict[Setting, dict[str, float]] = {}
    for (told, name), value in files.items():
        shared.setdefault(told, {})[name] = value
    wanted = max(shared, key=lambda told: (len(shared[told]), -sum(shared[told].values())), default=())
    return (wanted, shared[wanted]) if wanted and len(shared[wanted]) > 1 else None


def _front(what: str, note: str, entries: Sequence[_Entry], costs: dict[str, float], *, across: Axis) -> Front | None:
    """The front of those that have a cost; None if fewer than two have one, or all cost the same."""
    metrics = {each.name: each.metrics for each in entries}
    figure = first_of(entries[0].metrics)
    points = [Point(name, cost, metrics[name][figure]) for name, cost in costs.items() if cost > 0]
    if len({one.cost for one in points}) < 2:
        return None
    drawn = scatter(
        f"{title(figure)} against {what}",
        [one._replace(name=_short(one.name)) for one in points],
        across=across,
        up=Axis(title(figure), lambda share: f"{100 * share:.4g} %"),
    )
    reach = {name: wilson(facts[figure], int(facts.get("count", 0))) for name, facts in metrics.items()}
    beaten = []
    for one in points:
        if by := [other.name for other in beaten_by(one, points)]:
            surely = any(reach[name][0] > reach[one.name][1] for name in by) if figure in COUNTED else None
            beaten.append(Beaten(one.name, by, surely))
    return Front(f"{title(figure)} against {what}", note, written(drawn), [one.name for one in front(points)], beaten)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"
