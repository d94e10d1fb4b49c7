"""What accelerators would make of an exported file, operator by operator, before anyone has the device in hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mobilevision import jobs
from mobilevision.deploy.formats import format_of
from mobilevision.deploy.runtime import open_file
from mobilevision.deploy.takes import FLOATS, INSTEAD, INTEGERS, LIMITS, NO, TARGETS, Target, taken, word

KINDS = {"int8", "uint8"}
"""What ports of integers hold."""


@dataclass(frozen=True)
class Finding:
    """An operator of a file for one target.

    Attributes:
        name: as the file names it.
        count: how often the file holds it.
        taken: "yes", "no" or "unknown".
        limit: what the target asks of it, "" if nothing is known.
        instead: what to use where it is not taken, "" if it is.
    """

    name: str
    count: int
    taken: str
    limit: str
    instead: str


@dataclass(frozen=True)
class Verdict:
    """A file for one target.

    Attributes:
        target: its name.
        source: where this is known from.
        taken: share of the operators that are known to be taken, 0 to 1.
        unfit: sentences about the file as a whole: its format, its numbers, its shapes.
        findings: one for each operator.
    """

    target: str
    source: str
    taken: float
    unfit: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def whole(self) -> bool:
        """Whether the file fits and every operator is known to be taken."""
        return not self.unfit and all(each.taken == "yes" for each in self.findings)

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"whole": self.whole}


def lint(file: str | Path, *, seconds: float = 300) -> list[Verdict]:
    """Tell for each accelerator what it takes of a file, from published lists; nothing is compiled.

    Args:
        file: of any format; an accelerator that runs other formats says so, and still tells of the operators.
        seconds: how long reading the file may take.

    Raises:
        UsageError: if there is no such file.
        InputError: if it is not whole, or of no known format.
        MissingError: if its runtime is not installed, with the pip command.
    """
    format_ = format_of(Path(file))
    told = jobs.call("mobilevision.deploy.lint:read", {"file": str(file)}, seconds=seconds)
    return [_verdict(target, format_.name, told) for target in TARGETS]


def read(file: str) -> dict[str, Any]:
    """The job: a file's operators with their counts, and its inputs and outputs."""
    path = Path(file)
    runner, names = open_file(path), format_of(path).operators(path)
    ports = [port.facts() for port in (*runner.inputs, *runner.outputs)]
    return {"operators": {name: names.count(name) for name in sorted(set(names))}, "ports": ports}


def _verdict(target: Target, format_: str, told: dict[str, Any]) -> Verdict:
    counts = {name: count for name, count in told["operators"].items() if name != "XnnpackBackend"}
    findings = tuple(_finding(name, count, target) for name, count in counts.items())
    known = sum(each.count for each in findings if each.taken == "yes")
    unfit = tuple(_unfit(target, format_, counts, told["ports"]))
    return Verdict(target.name, target.source, known / max(1, sum(counts.values())), unfit, findings)


def _finding(name: str, count: int, target: Target) -> Finding:
    answer, limit = taken(name, target.name), LIMITS.get((word(name), target.name), "")
    return Finding(name, count, answer, limit, INSTEAD.get(word(name), "") if answer == NO else "")


def _unfit(target: Target, format_: str, operators: Mapping[str, int], ports: list[dict[str, Any]]) -> list[str]:
    """What of the file as a whole the target does not take; of a file of another format, that alone."""
    if format_ not in target.formats:
        return [f"it runs {', '.join(target.formats)} files, not {format_}; export to {target.formats[0]}"]
    found, held = [], {port["dtype"] for port in ports}
    rounded = bool(held & KINDS) or "quantize" in map(word, operators)
    if not rounded and FLOATS not in target.numbers:
        found.append(f"it computes with {INTEGERS}, and this file with floats; export in int8")
    if rounded and INTEGERS not in target.numbers:
        found.append(f"this file computes with {INTEGERS}; this is of what is left of it in floats")
    if FLOATS not in target.numbers and sum(n for name, n in operators.items() if word(name) == "dequantize") > 1:
        found.append(f"it computes with {INTEGERS}, and parts of this file with floats: from DEQUANTIZE to QUANTIZE")
    if target.doors and not held <= KINDS:
        found.append(f"it takes {INTEGERS} from the image to the scores; export to {target.formats[0]}")
    if any(isinstance(side, str) for port in ports for side in port["shape"]):
        found.append("it asks for constant shapes, and the number of pictures is free in this file")
    return found
