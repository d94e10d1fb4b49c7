"""A run's model card: README.md as the Hugging Face hub reads it, written from the run's facts alone."""

from __future__ import annotations

import html
import re
import shlex
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

from huggingface_hub import EvalResult, ModelCardData
from markupsafe import Markup

from mobilevision.files import write_text
from mobilevision.pages import quantities
from mobilevision.pages.chapters import interval
from mobilevision.pages.facts import RunFacts, read_facts
from mobilevision.pages.report import environment
from mobilevision.pages.trust import Trust, trust
from mobilevision.run import Run
from mobilevision.tasks.figures import COUNTED, HEADLINES, share_of, title, wilson
from mobilevision.train.recipe import beyond_defaults

UNKNOWN = "unknown"
"""The hub's word for a license that nobody told."""

PIPELINES = {
    "classify": "image-classification",
    "detect": "object-detection",
    "segment": "image-segmentation",
    "embed": "image-feature-extraction",
}
"""A task -> the hub's word for it."""

README = "README.md"
SIGN = "\n<!-- written by mobilevision, which replaces it until it is changed: "
SHOWN = 100  # classes that are named
FEW = 30  # pictures of a class below which its own share says little
MARKS = re.compile(r"([\\`*_\[\]|~#$])")


class Row(NamedTuple):
    """A figure of the card.

    Attributes:
        name: what it is.
        value: as text.
        interval: likewise; "" if it has none.
    """

    name: str
    value: str
    interval: str


def write_card(run: Run | str | Path, *, license: str = UNKNOWN, address: str = "") -> Path:
    """Write a run's README.md, unless a person has worked on the one that is there; see `card_of`."""
    facts = read_facts(run)
    path = facts.folder / README
    write_text(path, card_of(facts, license=license, address=address))
    return path


def card_of(facts: RunFacts, *, license: str = UNKNOWN, address: str = "") -> str:
    """The card of a run: the README.md that a person has worked on, else one that is written anew; see `card`."""
    path = facts.folder / README
    if path.is_file() and (text := path.read_text(encoding="utf-8")) != signed(text.rpartition(SIGN)[0]):
        return text
    return signed(card(facts, license=license, address=address))


def signed(text: str) -> str:
    """A text with its hash behind it, by which a card is known to be as it was written."""
    return f"{text}{SIGN}{sha256(text.encode()).hexdigest()} -->\n"


def card(facts: RunFacts, *, license: str = UNKNOWN, address: str = "") -> str:
    """The card as text: the hub's front matter, then use, figures, files, data, training, limits, license.

    Names of folders above the data's are left out, and whatever comes from the run is told as text, never as markup.

    Args:
        facts: what the run holds.
        license: of the weights, as an SPDX name; nothing in a run tells it.
        address: where the model will be found, for the example; "" is the run's folder name.
    """
    metrics, trusted = facts.part("metrics"), trust(facts, looks=0)
    address = re.sub(r"[`\"'\\<>\s]+", " ", address or facts.name)  # stands in code, where nothing can be escaped
    told = environment().overlay(autoescape=False, finalize=marked)
    return told.get_template("card.md.jinja").render(
        front=Markup(_front(facts, license)),  # noqa: S704  # YAML, quoted by its own writer
        name=facts.name,
        sentence=_sentence(facts),
        address=Markup(address),  # noqa: S704  # of characters that were checked
        quoted=Markup(shlex.quote(address)),  # noqa: S704  # of characters that were checked
        labels=facts.labels,
        SHOWN=SHOWN,
        figures=list(_figures(metrics)),
        count=metrics.get("count"),
        split=metrics.get("split"),
        sure=trusted.sure.facts if trusted.sure else None,
        borne=trusted.borne.facts if trusted.borne else None,
        files=facts.artifacts,
        data=facts.part("data"),
        source=_source(facts),
        seen=facts.part("task").get("preprocessing"),
        recipe=beyond_defaults(facts.part("recipe")),
        environment=facts.part("environment"),
        limits=list(_limits(facts, trusted)),
        license=license,
    )


def marked(value: Any) -> Any:
    """A text in which neither HTML nor Markdown means anything."""
    if isinstance(value, Markup):
        return value
    plain = " ".join(str(value).split()) if isinstance(value, str) and "\n" in value else str(value)
    return MARKS.sub(r"\\\1", html.escape(plain, quote=False))


def _front(facts: RunFacts, license: str) -> str:
    task, metrics = str(facts.part("task").get("task", "")), facts.part("metrics")
    kind = PIPELINES.get(task, "other")
    results = [
        EvalResult(
            task_type=kind,
            dataset_type="imagefolder",
            dataset_name=_source(facts) or UNKNOWN,
            dataset_split=str(metrics.get("split", UNKNOWN)),
            metric_type="accuracy" if name == "top1" else name,
            metric_name=title(name),
            metric_value=round(float(metrics[name]), 4),
        )
        for name in HEADLINES
        if isinstance(metrics.get(name), int | float)
    ]
    formats = sorted({str(file["format"]) for file in facts.artifacts})
    tags = ["mobilevision", *([facts.arch.name] if facts.arch else []), *formats]
    return ModelCardData(
        model_name=facts.name,
        library_name="mobilevision",
        license=license,
        tags=tags,
        pipeline_tag=PIPELINES.get(task),
        eval_results=results or None,
    ).to_yaml()


def _sentence(facts: RunFacts) -> str:
    network = facts.arch.name if facts.arch else "A network that cannot be read"
    kinds = f" for {len(facts.labels)} classes" if facts.labels else ""
    return f"{network}{kinds}, trained with mobilevision to run on phones."


def _source(facts: RunFacts) -> str:
    """What the data is called, without the folders it lies in."""
    return re.split(r"[/\\]", str(facts.part("data").get("source", "")).rstrip("/\\"))[-1]


def _figures(metrics: dict[str, Any]) -> Iterator[Row]:
    for name in HEADLINES:
        value = metrics.get(name)
        if isinstance(value, int | float):
            reach = wilson(value, int(metrics.get("count", 0))) if name in COUNTED else None
            yield Row(title(name), quantities.percent(value), interval(*reach) if reach else "")


def _limits(facts: RunFacts, trusted: Trust) -> Iterator[str]:
    """What a user must know before relying on it, from what was measured; what was not measured is said too."""
    metrics, labels = facts.part("metrics"), facts.labels
    if labels and facts.part("task").get("task") == "classify" and not facts.part("task").get("multilabel"):
        yield f"It says one of its {len(labels)} classes of every picture, also of one that shows none of them."
    if not metrics:
        yield "How good it is was not measured."
    rows = [(row, share) for row in metrics.get("per_class") or [] if (share := share_of(row)) is not None]
    if len(rows) > 1 and (worst := min(rows, key=lambda pair: pair[1]))[1] < 1:
        row, share = worst
        few = ", of which there are few to tell by" if row.get("count", 0) < FEW else ""
        yield f"It knows {row['label']} least: {quantities.percent(share)} of {row.get('count', 'some')} pictures{few}."
    if trusted.borne:
        weak = min(trusted.borne.facts["rows"], key=lambda row: row["levels"][-1]["top1"])
        level = weak["levels"][-1]
        yield (
            f"Of the damages tried, {weak['name']} harms it most: top-1 {quantities.percent(level['top1'])} "
            f"at {level['level']:g} ({weak['unit']})."
        )
    elif metrics:
        yield "How it bears blur, noise, compression and rotation was not measured."
    if not trusted.sure and metrics:
        yield "Whether its probabilities can be taken at their word was not measured."
    yield "Pictures of other cameras, places and light than those of its data were not tried."
