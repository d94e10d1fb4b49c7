"""What a page says about one run: its facts, put into the order of reading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any, NamedTuple

from mobilevision.cost import Row
from mobilevision.errors import InputError, MobilevisionError
from mobilevision.pages import quantities
from mobilevision.pages.charts import WRITTEN, Series, confusions, curves, matrix, raster
from mobilevision.pages.facts import Missing, RunFacts, facts_by_name
from mobilevision.pages.operators import Spent, spent
from mobilevision.pages.picture import picture
from mobilevision.pages.scenes import Shown, legend, shown_scenes
from mobilevision.pages.search import Search, searched
from mobilevision.pages.terminal import Listing, show
from mobilevision.pages.thumbnails import thumbnail
from mobilevision.pages.trust import Trust, trust, untold
from mobilevision.pages.words import describe, kind
from mobilevision.run import Run
from mobilevision.tasks.figures import COUNTED, HEADLINES, NAMES, called, first_of, title, told_beside, wilson


class Figure(NamedTuple):
    """A number in the headline.

    Attributes:
        name: what it is.
        value: as text.
        note: how sure, of how many, on what.
    """

    name: str
    value: str
    note: str = ""


class Example(NamedTuple):
    """A picture with what was said of it.

    Attributes:
        file: its name.
        image: a data URI; "" if it cannot be shown.
        why: why it cannot.
        truth: its label.
        label: what was said.
        score: the probability that was given to that, 0 to 1, if it is known.
    """

    file: str
    image: str
    why: str
    truth: str
    label: str
    score: float | None


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix, ready to be shown.

    Attributes:
        drawing: as SVG.
        pairs: (truth, said, pictures), worst first.
        folded: whether there are too many classes to show it at once.
        what: what was counted: "Pictures", or "Pixels" of masks.
    """

    drawing: str
    pairs: list[tuple[str, str, int]]
    folded: bool
    what: str


@dataclass(frozen=True)
class Chapter:
    """One run, as the page tells it.

    Attributes:
        facts: all that the run holds.
        figures: the headline.
        listing: the network's rows, if its architecture can be read.
        drawing: the network as SVG.
        charts: title and curves as SVG, in pairs.
        confusion: what was taken for what.
        right: examples.
        wrong: examples, the surest mistakes first.
        scenes: pictures with boxes or masks, drawn.
        spent: where the time of its files goes.
        trust: how far it may be trusted.
        missing: what is not there.
        more: what was not asked for yet and could be told besides.
        search: what the folder's search tells, if it holds one.
    """

    facts: RunFacts
    figures: list[Figure]
    listing: Listing | None
    drawing: str
    charts: list[tuple[str, str]]
    confusion: Confusion | None
    right: list[Example]
    wrong: list[Example]
    scenes: list[Shown]
    spent: list[Spent]
    trust: Trust
    missing: list[Missing]
    more: list[Missing]
    search: Search | None = None

    @property
    def name(self) -> str:
        """The run's."""
        return self.facts.name

    @property
    def score(self) -> Figure | None:
        """How good the run is, by the figure that its task is known by; None if it was not measured."""
        name = first_of(self.facts.part("metrics"))
        return self.figures[0] if name else None

    @property
    def sentence(self) -> str:
        """What the run is, in one sentence."""
        if self.search:
            return self.search.sentence
        labels, data = self.facts.labels, self.facts.part("data")
        network = self.facts.arch.name if self.facts.arch else "A network that cannot be read"
        kinds = f", {len(labels)} classes" if labels else ""
        source = f", trained on {data['source']}" if "source" in data else ""
        task = self.facts.part("task").get("task")
        return f"{network}{f', task {task}' if task else ''}{kinds}{source}."

    @property
    def training(self) -> str:
        """How long it was trained and how fast, in a sentence; "" if the log does not tell."""
        lines = [line for line in self.facts.history if isinstance(line.get("seconds"), int | float)]
        speeds = [line["images_per_second"] for line in lines if "images_per_second" in line]
        waits = [line["data_wait"] for line in lines if "data_wait" in line]
        if not lines:
            return ""
        speed = f", {median(speeds):.0f} pictures a second" if speeds else ""
        wait = f", {quantities.percent(median(waits))} of the time waiting for pictures" if waits else ""
        return f"{len(lines)} epochs in {quantities.seconds(sum(line['seconds'] for line in lines))}{speed}{wait}."

    @property
    def measured(self) -> list[str]:
        """Every single number of the metrics with its name."""
        metrics = self.facts.part("metrics")
        found = {name: value for name, value in metrics.items() if isinstance(value, int | float) and name != "count"}
        written: dict[str, Callable[[float], str]] = {"loss": "{:.4g}".format, "alone": str}  # all others are shares
        return [f"{called(name)} {written.get(name, quantities.percent)(value)}" for name, value in found.items()]

    @property
    def beside(self) -> list[str]:
        """What needs no training, and what no network could exceed, in lines."""
        return told_beside(self.facts.part("metrics"), percent=quantities.percent)

    @property
    def legend(self) -> list[tuple[str, str]]:
        """The labels drawn in its scenes with their colors."""
        return legend(self.scenes)

    @property
    def timed(self) -> Spent | None:
        """The first file whose time is known block by block."""
        return next((one for one in self.spent if one.rows), None)

    def block(self, row: Row) -> str:
        """A row's block in words."""
        return describe(row.block)

    def color(self, row: Row) -> str:
        """The color of a row's kind."""
        return kind(row.block).color


def chapter(facts: RunFacts, *, pictures: int, looks: int) -> Chapter:
    """Everything a page says about a run.

    Args:
        facts: what the run holds.
        pictures: examples of right answers, and as many of wrong ones, at most.
        looks: mistakes shown with where the network looked, at most.
    """
    search = searched(facts)
    listing, broken = _listing(facts, search.outputs if search else None)
    examples = facts.part("metrics").get("examples") or {}
    right, wrong = ([_example(each) for each in (examples.get(side) or [])[:pictures]] for side in ("right", "wrong"))
    trusted = trust(facts, looks=looks)
    slow: list[Missing] = []
    times = spent(facts, listing.rows if listing else (), slow)
    undrawn = [Missing(f"The network cannot be drawn: {broken}.")] if broken else []
    return Chapter(
        facts=facts,
        figures=_figures(facts, listing),
        listing=listing,
        drawing=picture(listing.arch, _size(facts), outputs=listing.outputs) if listing else "",
        charts=_charts(facts),
        confusion=_confusion(facts),
        right=right,
        wrong=wrong,
        scenes=shown_scenes(facts.part("metrics"), facts.labels),
        spent=times,
        trust=trusted,
        missing=[*facts.missing, *trusted.missing, *slow, *undrawn, *_unfinished(facts)],
        more=[*facts.later, *untold(facts)],
        search=search,
    )


def _listing(facts: RunFacts, outputs: int | None) -> tuple[Listing | None, str]:
    """The network's rows, or why there are none; `outputs` of the head, None takes those of the task."""
    if facts.arch is None:
        return None, ""
    try:
        wanted = outputs or int(facts.part("task").get("outputs", len(facts.labels))) or 1000
        return show(facts.arch, _size(facts), wanted), ""
    except MobilevisionError as error:
        return None, str(error)


def _size(facts: RunFacts) -> tuple[int, int] | None:
    size = (facts.part("task").get("preprocessing") or {}).get("size")
    return (int(size[0]), int(size[1])) if size else None


def _figures(facts: RunFacts, listing: Listing | None) -> list[Figure]:
    """Accuracy, size and time, those that are known."""
    found = [*_accuracy(facts.part("metrics"))]
    if listing:
        totals = listing.totals
        macs = totals["macs"] + totals["attention_macs"]
        found.append(
            Figure("Parameters", quantities.count(totals["params"]), f"{quantities.count(macs)} MACs a picture")
        )
    if sized := [file for file in facts.artifacts if "bytes" in file]:
        least = min(sized, key=lambda file: file["bytes"])
        found.append(Figure("Smallest file", quantities.size(least["bytes"]), named(least)))
    if timed := [file for file in facts.artifacts if "median_ms" in (file.get("timing") or {})]:
        fastest = min(timed, key=lambda file: file["timing"]["median_ms"])
        timing = fastest["timing"]
        threads = timing.get("threads", "?")
        note = f"{named(fastest)}, {threads} thread{'' if threads == 1 else 's'}, median of {timing.get('runs', '?')}"
        found.append(Figure("Fastest file", quantities.milliseconds(timing["median_ms"]), note))
    return found


def _accuracy(metrics: dict[str, Any]) -> list[Figure]:
    name = first_of(metrics)
    if not name:
        return []
    count = int(metrics.get("count", 0))
    of = f"{count} {metrics.get('split', '')} pictures".replace("  ", " ")
    if name not in COUNTED:
        return [Figure(title(name), quantities.percent(metrics[name]), of)]
    low, high = wilson(metrics[name], count)
    return [Figure(title(name), quantities.percent(metrics[name]), f"{interval(low, high)} (95 %), {of}")]


def interval(low: float, high: float) -> str:
    """An interval of shares: 91.5 to 96.1 %."""
    return f"{100 * low:.1f} to {100 * high:.1f} %"


def named(file: dict[str, Any]) -> str:
    """A file by its format and precision."""
    return " ".join(str(file[key]) for key in ("format", "precision") if key in file)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _charts(facts: RunFacts) -> list[tuple[str, str]]:
    """Loss, accuracy and learning rate over the epochs."""
    plain: Callable[[float], str] = "{:.3g}".format
    wanted = (  # title, (key, name) of each curve, form
        ("Loss", (("train_loss", "training"), ("loss", "validation")), plain),
        ("Accuracy", tuple((name, NAMES[name]) for name in HEADLINES), _percent),
        ("Learning rate", (("learning_rate", "learning rate"),), plain),
    )
    drawn = [
        (title, curves(title, [_series(facts, key, name) for key, name in keys], across="epoch", form=form))
        for title, keys, form in wanted
    ]
    return [(title, drawing) for title, drawing in drawn if drawing]


def _series(facts: RunFacts, key: str, name: str) -> Series:
    lines = [line for line in facts.history if isinstance(line.get(key), int | float) and "epoch" in line]
    return Series(name, [(float(line["epoch"]), float(line[key])) for line in lines])


def _confusion(facts: RunFacts) -> Confusion | None:
    counts = facts.part("metrics").get("confusion")
    labels = facts.labels
    if not counts or len(counts) != len(labels):
        return None
    folded = len(labels) > WRITTEN
    drawing = raster(counts) if folded else matrix(counts, labels)
    what = "Pixels" if facts.part("task").get("task") == "segment" else "Pictures"
    return Confusion(drawing, confusions(counts, labels), folded, what)


def _example(facts: dict[str, Any]) -> Example:
    file = str(facts.get("file", ""))
    try:
        image, why = thumbnail(file), ""
    except InputError as error:
        image, why = "", str(error)
    name = file.rpartition("/")[2]
    return Example(name, image, why, str(facts.get("truth", "")), str(facts.get("label", "")), facts.get("score"))


def _unfinished(facts: RunFacts) -> list[Missing]:
    """A training that was stopped before its last epoch."""
    wanted, done = facts.part("recipe").get("epochs"), len(facts.history)
    if not done or not isinstance(wanted, int) or done >= wanted or _tired(facts):
        return []
    command = f"mobilevision train --resume {facts.quoted}"
    return [Missing(f"The training stopped after {done} of {wanted} epochs.", command)]


def _tired(facts: RunFacts) -> bool:
    """Whether the training ended because the recipe's patience did: going on would do nothing."""
    patience, run = facts.part("recipe").get("patience"), Run(facts.folder)
    since = facts_by_name(run, "last/state", "", []).get("since") if run.has("last/state") else None
    return isinstance(patience, int) and isinstance(since, int) and 0 < patience <= since
