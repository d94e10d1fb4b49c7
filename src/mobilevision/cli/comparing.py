"""The verb that puts two runs side by side: compare."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer

LONGEST = 44  # letters of a fact


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of another.")],
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help="Pictures to compare on; default: the data of both.")
    ] = None,
) -> Answer:
    """Say what differs between two runs, which is better on the same pictures and how surely, and which is faster."""
    from mobilevision.pages.compare import compare as look

    facts = look(first, second, data)
    return Answer(facts, "\n".join(_told(facts)))


def _told(facts: Mapping[str, Any]) -> Iterator[str]:
    yield f"{'':<28} {facts['runs'][0]:<{LONGEST}} {facts['runs'][1]}"
    for row in facts["differs"]:
        yield f"{row['what']:<28} {_short(row['first']):<{LONGEST}} {_short(row['second'])}"
    for row in facts["scores"]:
        yield f"{row['name']:<28} {row['first']:<{LONGEST}.2%} {row['second']:.2%}"
    for row in facts["files"]:
        times = [f"{ms:.3g} ms" if ms is not None else "not timed" for ms in row["median_ms"]]
        note = "" if row["same_machine"] else "  (not on the same machine)"
        yield f"{row['format'] + ' ' + str(row['precision']):<28} {times[0]:<{LONGEST}} {times[1]}{note}"
    if found := facts["accuracy"]:
        low, high = 100 * found["low"], 100 * found["high"]
        yield (
            f"on {found['count']:,} {found['split']} pictures: {found['first']:.2%} and {found['second']:.2%}, "
            f"a difference of {100 * found['difference']:+.2f} points (95 %: {low:+.2f} to {high:+.2f}); "
            f"{found['gained_count']} pictures became right, {found['lost_count']} wrong"
        )


def _short(value: Any) -> str:
    words = "-" if value is None else str(value)
    return words if len(words) < LONGEST else words[: LONGEST - 2] + "…"
