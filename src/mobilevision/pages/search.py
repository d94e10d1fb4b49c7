"""What a page says about a search: what it found, beside what, what it liked, what it cost, and what chance found."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.cost import macs, params
from mobilevision.errors import UsageError
from mobilevision.pages import quantities
from mobilevision.pages.facts import Missing, RunFacts, facts_by_name
from mobilevision.pages.picture import picture
from mobilevision.pages.plane import Form
from mobilevision.pages.search_charts import Tried, agreement, tried
from mobilevision.run import Run

UNITS: dict[str, tuple[str, Form]] = {
    "ms": ("ms", quantities.milliseconds),
    "macs": ("multiply-accumulates", quantities.count),
    "params": ("parameters", quantities.count),
    "peak_bytes": ("bytes at the peak", quantities.size),
    "roofline": ("multiply-accumulates at the roofline", quantities.count),
}
"""How costs are called, and written."""
WORDS = {"out": "channels", "start": "first depthwise", "middle": "middle depthwise", "expand": "expansion"}
TRAININGS = ("adapted/run", "trained", "run")
"""Where a search leaves the training of what it found; `search v3` that cuts leaves that of its seed in the second."""


class Beside(NamedTuple):
    """A published network beside the one that was found.

    Attributes:
        name: of it.
        drawing: as SVG.
        params: of it.
        macs: of it.
    """

    name: str
    drawing: str
    params: int
    macs: int


class Option(NamedTuple):
    """An option of a decision: in words, the share of it, and whether the network found has it."""

    word: str
    share: float
    chosen: bool


class Decision(NamedTuple):
    """A decision of the space, in words, with its options."""

    name: str
    options: list[Option]


class Cost(NamedTuple):
    """A cost of the network that was found, as text: its name, what was aimed at, predicted, and measured."""

    name: str
    target: str
    predicted: str
    measured: str


@dataclass(frozen=True)
class Search:
    """One search, as the page tells it.

    Attributes:
        facts: its result.
        asked: what it was asked for.
        costs: of the network found.
        nearest: of MobileNetV4's networks the one that is most alike.
        liked: every decision with how much each option was wanted.
        tried: accuracy against cost as SVG; "" if nothing was trained.
        agreement: measured against predicted times as SVG; "" if nothing was measured.
        pairs: (predicted, measured) in ms.
        training: the command that tells of the training of the network found, or that trains it.
        missing: what cannot be read.
    """

    facts: dict[str, Any]
    asked: dict[str, Any]
    costs: list[Cost]
    nearest: Beside | None
    liked: list[Decision]
    tried: str
    agreement: str
    pairs: list[tuple[float, float]]
    training: str
    missing: list[Missing]

    @property
    def outputs(self) -> int | None:
        """Of the network's head, if the search tells."""
        return self.facts.get("outputs")

    @property
    def sentence(self) -> str:
        """What the search was, in one sentence."""
        seen = (self.asked.get("numbers") or {}).get("data")
        pictures = f" on {seen}" if seen else ""
        name, method, space = (self.facts.get(word, "") for word in ("name", "method", "space"))
        return f"{name}, found by search {method} in {space}{pictures}."

    @property
    def off(self) -> float:
        """How far predictions were off on average, as a fraction."""
        return sum(abs(predicted / measured - 1) for predicted, measured in self.pairs) / max(1, len(self.pairs))

    @property
    def wall(self) -> str:
        """How long it took, as text."""
        return quantities.seconds(next((i["wall_seconds"] for i in self.bill if i["phase"] == "total"), 0.0))

    @property
    def bill(self) -> list[dict[str, Any]]:
        """What it has cost, by phase."""
        return [item for item in self.facts.get("bill") or [] if isinstance(item, dict)]

    @property
    def random(self) -> dict[str, Any]:
        """What random search found in the same time; "why" tells if that is not known."""
        if self.facts["method"] == "random":
            return {"why": "this is random search itself"}
        return self.facts.get("random") or {"why": "it has not run; run the search again, it goes on where it was"}


def searched(facts: RunFacts) -> Search | None:
    """Everything a page says about the search in a folder; None if the folder holds none."""
    run, missing = Run(facts.folder), list[Missing]()
    if facts.arch is None or not run.has("result"):
        return None
    again = "mobilevision search, as it was asked"
    found = facts_by_name(run, "result", again, missing)
    asked = facts_by_name(run, "search", again, missing) if run.has("search") else {}
    if not {"method", "space", "costs"} <= found.keys():
        return None
    pairs = [
        (float(each["predicted_ms"]), float(each["measured_ms"]))
        for each in found.get("compared") or []
        if each["measured_ms"] > 0
    ]
    return Search(
        facts=found,
        asked=asked,
        costs=_costs(found),
        nearest=_nearest(facts.arch, found.get("outputs") or 1000),
        liked=[_decision(each) for each in (found.get("liked") or {}).get("decisions") or []],
        tried=_tried(found),
        agreement=agreement(pairs) if pairs else "",
        pairs=pairs,
        training=_training(facts),
        missing=missing,
    )


def _costs(found: dict[str, Any]) -> list[Cost]:
    rows = []
    predicted = found["costs"] | (found.get("predicted") or {})
    for name, target in found["targets"].items():
        title, form = UNITS.get(name, (name, "{:.4g}".format))
        measured = form(found["measured_ms"]) if name == "ms" and found.get("measured_ms") else ""
        rows.append(Cost(title, form(target), form(predicted[name]) if name in predicted else "", measured))
    return rows


def _nearest(arch: Arch, outputs: int) -> Beside | None:
    """Of MobileNetV4's networks at the same image size, the one with about as many parameters and MACs."""
    found = []
    for name in zoo.list_models("mobilenetv4*"):
        other = zoo.arch(name, size=arch.size)
        try:
            sizes = params(other, outputs), macs(other, outputs=outputs)
        except UsageError:  # attention that cannot take so small a map
            continue
        mine = params(arch, outputs), macs(arch, outputs=outputs)
        distance = math.hypot(*(math.log(a / b) for a, b in zip(sizes, mine, strict=True)))
        found.append((distance, name, other, sizes))
    if not found:
        return None
    _, name, other, (weights, products) = min(found, key=lambda each: each[:2])
    return Beside(name, picture(other, arch.size, outputs=outputs), weights, products)


def _decision(facts: dict[str, Any]) -> Decision:
    *place, word = str(facts["name"]).split(".")
    kinds = zip(("stage", "block"), place, strict=False)
    named = [f"{kind} {number}" if number.isdigit() else number for kind, number in kinds]
    absent = word in ("start", "middle")
    options = [
        Option("none" if absent and option == "0" else str(option), float(share), number == facts["chosen"])
        for number, (option, share) in enumerate(zip(facts["options"], facts["shares"], strict=True))
    ]
    return Decision(", ".join([*named, WORDS.get(word, word)]), options)


def _tried(found: dict[str, Any]) -> str:
    """All networks that were trained to be judged, against the first cost."""
    cost = next(iter(found["targets"]))
    random = found.get("random") or {}
    ours, theirs = found.get("points") or [], random.get("points") or []
    point = partial(_point, cost=cost)
    points = [point(each, ours=True) for each in ours] + [point(each, ours=False) for each in theirs]
    own = next((each["accuracy"] for each in ours if each["digest"] == found["digest"]), None)
    accuracy = random.get("found_accuracy", own)
    if accuracy is not None:
        points.append(Tried(found["costs"][cost], accuracy, True, "found"))
    if "accuracy" in random:
        points.append(point(random, ours=False)._replace(name="random's best"))
    title, form = UNITS.get(cost, (cost, "{:.4g}".format))
    form = "{:.3g}".format if cost == "ms" else form  # its name says the unit
    return tried(points, target=found["targets"][cost], cost=title, form=form) if points else ""


def _point(facts: dict[str, Any], *, ours: bool, cost: str) -> Tried:
    return Tried(float(facts["costs"][cost]), float(facts["accuracy"]), ours)


def _training(facts: RunFacts) -> str:
    """What tells of the training of the network that was found, or starts it."""
    for name in TRAININGS:
        if (facts.folder / name / "metrics.json").is_file():
            return f"mobilevision report {facts.quoted}/{name}"
    return f"mobilevision train DATA --arch {facts.quoted}/arch.json"
