"""Verbs that time blocks: table, and suggest, which chooses by them."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Task, ThreadCount, words
from mobilevision.cli.search_options import (
    Depth,
    Force,
    Precision,
    Runtime,
    Size,
    Table,
    Width,
)
from mobilevision.errors import UsageError


def table(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="For example v4_fine_medium.")],
    *,
    size: Size = None,
    width: Width = None,
    depth: Depth = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: ThreadCount = 1,
    outputs: Annotated[int, typer.Option(min=1, help="Classes of the heads.")] = 1000,
    most: Annotated[int, typer.Option(min=1, help="Rows to time at most; searches time others as they meet them.")] = (
        2000
    ),
    networks: Annotated[int, typer.Option(min=0, help="Whole networks that correct the sums of rows.")] = 12,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: tables/, named after all this.")] = None,
    force: Force = False,
) -> Answer:
    """Time every block of a space on every shape once in the real runtime; stopped, it goes on where it was."""
    from mobilevision.jobs.telling import tell
    from mobilevision.search.spaces import find_space
    from mobilevision.search.tabulate import tabulate
    from mobilevision.timing.table import Conditions

    found = find_space(space, size=size, width=width, depth=depth)
    here = Conditions.here(runtime, precision, threads=threads, outputs=outputs)
    named = [space, *(f"{each:g}" for each in (size, width, depth) if each is not None), runtime, precision]
    file = out or Path("tables") / f"{'-'.join([*named, f't{threads}'])}.jsonl"
    facts = tabulate(found, file, here, most=most, networks=networks, force=force, say=tell)
    return Answer(facts, _told_table(facts))


def suggest(
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="Networks to choose from, with * and ?.")] = "*",
    *,
    target_ms: Annotated[float, typer.Option(min=0.001, help="Milliseconds in the runtime.")],
    task: Task = "classify",
    outputs: Annotated[
        int | None, typer.Option(min=1, help="Of the heads; default: ImageNet's, COCO's or VOC's classes, 128 numbers.")
    ] = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: ThreadCount = 1,
    sizes: Annotated[str, typer.Option(help="Sides of the image, separated by commas; default: each one's own.")] = "",
    widths: Annotated[str, typer.Option(help="Widths beside the published ones, separated by commas.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Networks to time: the most accurate that may fit.")] = 12,
    measure: Annotated[int, typer.Option(min=0, help="Of the first, how many to measure as a whole.")] = 3,
    table: Table = None,
    force: Force = False,
) -> Answer:
    """Rank the published networks for a budget by times measured here, without a search."""
    from mobilevision.jobs.telling import tell
    from mobilevision.search.bill import Bill
    from mobilevision.search.pricing import Latency
    from mobilevision.search.suggest import OUTPUTS, candidates
    from mobilevision.search.suggest import suggest as rank
    from mobilevision.timing.table import Conditions, TimedTable

    found = candidates(pattern, task=task, sizes=numbers(sizes, int), widths=numbers(widths, float))
    here = Conditions.here(runtime, precision, threads=threads, outputs=outputs or OUTPUTS[task])
    file = table or Path("tables") / f"zoo-{task}{here.outputs}-{runtime}-{precision}-t{threads}.jsonl"
    timed = TimedTable.begin(file, here, force=force)
    bill = Bill(file.with_suffix(".bill.jsonl"))
    ranked = rank(found, target_ms, Latency(timed, bill=bill, say=tell), most=most, measured=measure)
    facts = {"table": str(file), "machine": here.machine, "suggestions": [one.facts() for one in ranked]}
    top1 = "top-1" if task == "classify" else "top-1 as a classifier"
    head = f"{'network':<34} {'size':>5} {'predicted':>10} {'measured':>10} {top1:>6}  weights"
    return Answer(facts, "\n".join([head, *(_told_suggestion(one.facts(), len(top1)) for one in ranked)]))


def numbers(text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """The numbers of an option that takes several, separated by commas.

    Raises:
        UsageError: if one is no positive number.
    """
    found = []
    for word in words(text):
        try:
            found.append(kind(word))
        except ValueError:
            raise UsageError(f"{word!r} is not a number; give some separated by commas") from None
        if found[-1] <= 0:
            raise UsageError(f"{word} leaves nothing of a network; give positive numbers")
    return tuple(found)


TERMS = {
    "intercept": "1 ms",
    "slope": "sum of rows",
    "far": "millions of weights",
    "work": "millions of multiply-accumulates",
    "each": "number of rows",
}
"""What a table's line adds up."""


def _told_table(facts: dict[str, Any]) -> str:
    error = "" if facts["error"] is None else f"; left out one by one, they are {facts['error']:.1%} off on average"
    line = " ".join(f"{value:+.4g} x {TERMS[name]}" for name, value in facts["line"].items() if value)
    lines = [
        f"table    {facts['table']}: {facts['rows']} rows ({facts['new_rows']} new), {facts['networks']} networks",
        f"line     {line}{error}",
        *(
            f"         {each['predicted_ms']:8.3f} ms predicted {each['measured_ms']:8.3f} ms measured"
            for each in facts["compared"]
        ),
        f"spent    {facts['seconds']:.0f} s, on {facts['machine']}, {facts['version']}, threads {facts['threads']}",
    ]
    return "\n".join(lines)


def _told_suggestion(row: dict[str, Any], width: int) -> str:
    measured = "" if row["measured_ms"] is None else f"{row['measured_ms']:.3f} ms"
    top1 = "-" if row["top1"] is None else f"{row['top1']:.1f}"
    fits = "" if row["fits"] else "  over the budget"
    return (
        f"{row['name']:<34} {row['size']:>5} {row['predicted_ms']:>7.3f} ms {measured:>10} {top1:>{max(width, 6)}}  "
        f"{row['weights']}{fits}"
    )
