"""`mobilevision lint`: what accelerators take of an exported file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.cli.answer import Answer

if TYPE_CHECKING:
    from mobilevision.deploy.lint import Verdict


def lint(file: Annotated[Path, typer.Argument(metavar="FILE", help="An exported file.")]) -> Answer:
    """Tell what accelerators take of an exported file, operator by operator, and what to use instead."""
    from mobilevision.deploy.lint import lint as look

    verdicts = look(file)
    return Answer([each.facts() for each in verdicts], "\n".join(map(told_verdict, verdicts)))


def told_verdict(verdict: "Verdict") -> str:
    """A line for the accelerator, one for everything it does not surely take, and where that is known from."""
    lines = [f"{verdict.target:<22} {verdict.taken:4.0%} of the operators are known to be taken"]
    lines += [f"  {sentence}" for sentence in verdict.unfit]
    for each in verdict.findings:
        if each.taken != "yes" or each.limit:
            asked = f", {each.limit}" if each.limit else ""
            instead = f"; use {each.instead}" if each.instead else ""
            lines.append(f"  {each.name} ({each.count}): {each.taken}{asked}{instead}")
    return "\n".join([*lines, f"  known from: {verdict.source}"])
