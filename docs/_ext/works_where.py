"""The directive `works-where`: which network, task, format and precision was verified, and how; from facts alone.

The facts are the catalog, what each format is written in, which heads stand on which network, and the results that lie
beside these pages: of benchmarks in `zoo_parity.json`, `int8_accuracy.json` and `export_latency.json`, of tests in
`works_tests.json`. What no file tells of was not run as far as these pages know, and is only expected.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from mobilevision.deploy.base import FP32
from mobilevision.deploy.formats import FORMATS
from mobilevision.errors import UsageError
from mobilevision.tasks.catalog import TASKS, headed
from mobilevision.zoo import arch, catalog, list_models

HERE = Path(__file__).resolve().parents[1]
RESULTS = ("zoo_parity.json", "int8_accuracy.json", "export_latency.json", "works_tests.json")
PRECISIONS = ("fp32", "fp16", "int8")
FLOOR = 0.01  # share of the pictures that a file in 8 bits may be wrong on more often than torch
SIGNS = {"verified": "✓", "failed": "✗", "ran": "▷", "tested": "◐", "expected": "○", "blocked": "-"}
MEANING = {
    "verified": "compared with torch in its own runtime, within the limit; the result is kept beside these pages",
    "failed": "its result is there, and it is not within the limit, or there is no file",
    "ran": "written and timed in its runtime by a benchmark that does not compare it with torch",
    "tested": "a small network of this family was written, run in its runtime and compared with torch by a test",
    "expected": "no result is kept beside these pages; every export is compared with torch all the same",
    "blocked": "cannot be, or cannot be run, and the cell says why",
}


@dataclass(frozen=True)
class Told:
    """What is known of one file: the state, a figure for the cell, and a sentence."""

    state: str
    why: str
    figure: str = ""


Results = dict[tuple[str, ...], Told]
"""By network, format and precision; of small networks by kin, task, format and precision."""


def read_results(folder: Path = HERE) -> Results:
    """All that the files of results tell, the stronger word last."""
    found: Results = {}
    for file, reader in zip(RESULTS, (_parity, _integers, _timed, _tested), strict=True):
        path = folder / file
        told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        found = dict(reader(told)) | found  # the first file is the strongest
    return found


def _parity(told: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Told]]:
    for key, facts in told.get("files", {}).items():
        network, to = key.split()
        if "error" in facts:
            yield (network, to, "fp32"), Told("failed", facts["error"])
        else:
            off = facts["largest_difference"]
            state = "verified" if facts["passed"] else "failed"
            yield (
                (network, to, "fp32"),
                Told(state, f"differs by {off:.1e} (limit {FP32.limit:.0e})", f"{off:.0e}"),
            )


def _integers(told: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Told]]:
    for key, facts in told.items():
        if not {"arch", "accuracy_file", "accuracy_float32"} <= facts.keys():
            continue  # photographs without labels
        if "accuracy_rounded_torch" in facts or key.count("/") > 1:
            continue  # trained with the rounding inside, or rounded in another way than an export does by itself
        file, torch = facts["accuracy_file"], facts["accuracy_float32"]
        state = "verified" if file >= torch - FLOOR else "failed"
        why = f"{file:.1%} right where torch in float32 is {torch:.1%}, on {facts['pictures']} pictures"
        yield (facts["arch"], key.split("/")[1], "int8"), Told(state, why, f"{file:.1%}")


def _timed(told: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Told]]:
    for facts in told.values():
        for name, file in facts["files"].items():
            side, precision = name.split()
            if side == "ours":
                why = f"{file['median_ms']:.2f} ms in {facts['runtime']} on {facts['machine']}"
                yield (facts["network"], facts["format"], precision), Told("ran", why)


def _tested(told: Sequence[dict[str, Any]]) -> Iterator[tuple[tuple[str, ...], Told]]:
    for facts in told:
        key = (kin(facts["family"], facts["attention"]), facts["task"], facts["format"], facts["precision"])
        if "refused" in facts:
            yield key, Told("blocked", facts["refused"])
        else:
            yield key, Told("tested", f"{facts['network']} was written, run and compared by {facts['test']}")


def kin(family: str, attention: Any) -> str:
    """What networks share that one small network can stand for: the family, and whether there is attention."""
    return f"{family} with attention" if attention else family


def told(network: str, task: str, to: str, precision: str, results: Results) -> Told:
    """What is known of a network, under a head for a task, as a file."""
    try:
        own = headed(arch(network), task) == arch(network)
    except UsageError as error:
        return Told("blocked", str(error))
    format_ = FORMATS[to]
    known = [each.name for each in format_.precisions]
    if precision not in known:
        return Told("blocked", format_.without(precision))
    if own and (network, to, precision) in results:
        return results[network, to, precision]
    facts = catalog()[network]
    small = (kin(facts["family"], facts["attention_macs"]), task, to, precision)
    if small in results:
        return results[small]
    if format_.away:
        return Told("blocked", f"{to} is not run here: {format_.away}; {format_.note}")
    if format_.remains:
        return Told("blocked", f"{to} is not run on its device: {format_.remains}")
    return Told("expected", "no result beside these pages")


def rows(task: str, results: Results) -> list[tuple[str, list[Told]]]:
    """A line a network; neighbors of one family that nothing tells apart share one."""
    columns = [(to, precision) for to in FORMATS for precision in PRECISIONS]
    names = [name for name in list_models() if not name.startswith("metamobile") and _does(name, task)]
    lines = [(name, [told(name, task, *column, results) for column in columns]) for name in names]
    found = []
    for (family, cells), group in groupby(lines, key=lambda line: (catalog()[line[0]]["family"], line[1])):
        same = [name for name, _ in group]
        found.append((same[0] if len(same) == 1 else f"{family}: {', '.join(map(_short(family), same))}", cells))
    return found


def _does(network: str, task: str) -> bool:
    """Whether the network is a backbone, or published whole for this task."""
    head = arch(network).head
    return isinstance(head, (*TASKS["classify"].heads, *TASKS[task].heads))


def _short(family: str) -> Any:
    return lambda name: name.removeprefix(family).lstrip("_") or name


def table(task: str, results: Results) -> str:
    """The lines of a task as HTML."""
    above = "".join(f'<th colspan="{len(PRECISIONS)}" scope="colgroup">{to}</th>' for to in FORMATS)
    below = "".join(f'<th scope="col">{precision}</th>' for _ in FORMATS for precision in PRECISIONS)
    lines = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(_cell, cells))}</tr>'
        for name, cells in rows(task, results)
    )
    head = f'<thead><tr><th rowspan="2" scope="col">network</th>{above}</tr><tr>{below}</tr></thead>'
    inside = f'<table class="docutils">{head}<tbody>{lines}</tbody></table>'
    return f'<div class="table-wrapper works">{inside}</div>'


def _cell(known: Told) -> str:
    said = f"{SIGNS[known.state]} {known.figure}".strip()
    return f'<td title="{escape(f"{known.state}: {known.why}")}">{said}</td>'


class WorksWhere(Directive):
    """`works-where` with a task's name: its table, and what is blocked and why under it."""

    required_arguments = 1
    has_content = False

    def run(self) -> list[nodes.Node]:
        """The table and a list of reasons."""
        task, results = self.arguments[0], read_results()
        for file in RESULTS:
            self.state.document.settings.env.note_dependency(str(HERE / file))
        cells = [cell for _, line in rows(task, results) for cell in line]
        reasons = dict.fromkeys(cell.why for cell in cells if cell.state in {"blocked", "failed"})
        listed = nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph(why, why)) for why in reasons))
        return [nodes.raw("", table(task, results), format="html"), listed]


class WorksLegend(Directive):
    """`works-legend`: the signs with their meaning, and which files of results are there."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        """A list and a sentence."""
        listed = [f"{sign} {state}: {MEANING[state]}" for state, sign in SIGNS.items()]
        items = nodes.bullet_list("", *(nodes.list_item("", nodes.paragraph(text, text)) for text in listed))
        there = [file for file in RESULTS if (HERE / file).is_file()]
        missing = [file for file in RESULTS if file not in there]
        said = f"Results read: {', '.join(there) or 'none'}. Not there: {', '.join(missing) or 'none'}."
        return [items, nodes.paragraph(said, said)]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directives known."""
    app.add_directive("works-where", WorksWhere)
    app.add_directive("works-legend", WorksLegend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
