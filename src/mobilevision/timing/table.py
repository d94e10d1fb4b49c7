"""Times of single rows on disk: a file that grows line by line, and is whole whenever it is read.

The first line tells what the times depend on; then each line is a row (a block, or a head, on a shape) with its time,
or a whole network with its time, which the line from predicted to measured times is fitted through.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch, fact, plain
from mobilevision.cost import Key, Line, Table, Totals, totals, walk
from mobilevision.deploy.formats import find_format, find_precision
from mobilevision.errors import InputError, UsageError
from mobilevision.files import append_json, read_json_lines
from mobilevision.timing.clock import LEAST, check, machine
from mobilevision.timing.table_line import best_form, fit_form, left_out_error

LAPS = "from emptied caches; of rows, a quarter near"
"""How laps are taken, see `table_laps`: another way gives other times."""


@dataclass(frozen=True)
class Conditions:
    """What times depend on, beside what is timed.

    Attributes:
        runtime: name of the format whose runtime runs the rows.
        version: that runtime's package and version.
        precision: what the files compute with.
        threads: that the runtime may use.
        machine: the processor and its number of cores.
        outputs: of the heads; for classifiers the number of classes.
        laps: how they are taken.
    """

    runtime: str
    version: str
    precision: str
    threads: int
    machine: str
    outputs: int
    laps: str = LAPS

    @classmethod
    def here(cls, runtime: str, precision: str = "fp32", *, threads: int = 1, outputs: int = 1000) -> Conditions:
        """The conditions of this machine.

        Raises:
            UsageError: if the runtime or precision is unknown, or there are fewer cores than threads.
            MissingError: if the runtime is not installed, or cannot be on this machine.
        """
        format_ = find_format(runtime)
        number = find_precision(format_, precision)
        check(threads, LEAST, 1)
        format_.need_exporter()
        format_.need_device()
        return cls(format_.name, format_.runtime_version, number.name, threads, machine(), outputs)

    @classmethod
    def read(cls, facts: Any) -> Conditions:
        """The conditions in a table's first line.

        Raises:
            InputError: if something is missing in it.
        """
        names = [field.name for field in fields(cls)]
        if not isinstance(facts, dict) or set(names) - set(facts.get("conditions") or ()):
            raise InputError(
                f"this is not a table of times, or one of an earlier version: its first line must tell "
                f"{', '.join(names)}; measure again"
            )
        return cls(**{name: facts["conditions"][name] for name in names})

    def differs(self, other: Conditions) -> str:
        """The first fact that is another one in `other`, as "the machine is A, not B"; "" if all are alike."""
        mine, theirs = asdict(self), asdict(other)
        return next((f"{name} is {mine[name]}, not {theirs[name]}" for name in mine if mine[name] != theirs[name]), "")


class TimedTable:
    """A table that grows on disk.

    Attributes:
        path: the file.
        conditions: what its times depend on.
        times: milliseconds of a row.
        networks: milliseconds of whole networks.
    """

    def __init__(self, path: Path, conditions: Conditions) -> None:
        self.path, self.conditions = path, conditions
        self.times: dict[Key, float] = {}
        self.networks: dict[Arch, float] = {}

    @classmethod
    def open(cls, path: str | Path, *, here: Conditions | None = None, force: bool = False) -> TimedTable:
        """The table in a file.

        Args:
            path: the file.
            here: the conditions to search or to measure under; None takes the table's word.
            force: take it although its conditions are others.

        Raises:
            UsageError: if there is no such file.
            InputError: if it is not a table, or of other conditions than `here`.
        """
        path = Path(path)
        if not path.is_file():
            raise UsageError(f"there is no table {path}; make one with: mobilevision table SPACE")
        first, *lines = read_json_lines(path) or [None]
        found = cls(path, Conditions.read(first))
        if here and not force and (why := found.conditions.differs(here)):
            raise InputError(f"{path} was measured elsewhere: its {why}; measure again, or take it with --force")
        for line in lines:
            found._remember(line)
        return found

    @classmethod
    def begin(cls, path: str | Path, here: Conditions, *, force: bool = False) -> TimedTable:
        """The table in a file, to go on with; a new one if there is none.

        Raises:
            InputError: if the file is not a table, or of other conditions than `here`.
        """
        path = Path(path)
        if path.is_file() and read_json_lines(path):
            return cls.open(path, here=here, force=force)
        append_json(path, {"conditions": asdict(here)})
        return cls(path, here)

    def add(self, key: Key, ms: float) -> None:
        """Keep the time of a row."""
        self._keep({"row": plain(key[0]), "shape": plain(key[1]), "ms": ms})

    def add_network(self, arch: Arch, ms: float) -> None:
        """Keep the time of a whole network."""
        self._keep({"network": plain(arch), "ms": ms})

    def missing(self, arch: Arch) -> list[Key]:
        """The rows of an architecture that have no time yet, each once."""
        rows = walk(arch, outputs=self.conditions.outputs)
        return list(dict.fromkeys(key for row in rows if (key := (row.block, row.shape)) not in self.times))

    def known(self) -> tuple[list[Totals], list[float]]:
        """Of the whole networks whose rows all have times: what their rows come to, and their own times in ms."""
        bare, outputs = Table(self.times), self.conditions.outputs
        found = [(arch, ms) for arch, ms in self.networks.items() if not self.missing(arch)]
        return [totals(arch, bare, outputs=outputs) for arch, _ in found], [ms for _, ms in found]

    def table(self) -> Table:
        """What is known so far as a value, with the line through the whole networks."""
        known, measured = self.known()
        form = best_form(known, measured)
        return Table(
            self.times,
            runtime=self.conditions.runtime,
            precision=self.conditions.precision,
            threads=self.conditions.threads,
            machine=self.conditions.machine,
            line=fit_form(form, known, measured) if measured else Line(),
            error=left_out_error(form, known, measured),
        )

    def compared(self, line: Line) -> list[dict[str, float]]:
        """Of every whole network that was measured and whose rows are known: "predicted_ms" and "measured_ms"."""
        return [{"predicted_ms": line(*each), "measured_ms": ms} for each, ms in zip(*self.known(), strict=True)]

    def _keep(self, line: dict[str, Any]) -> None:
        append_json(self.path, line)
        self._remember(line)

    def _remember(self, line: Any) -> None:
        try:
            if "row" in line:
                self.times[fact(line["row"]), fact(line["shape"])] = float(line["ms"])
            else:
                self.networks[fact(line["network"])] = float(line["ms"])
        except (KeyError, TypeError) as error:
            raise InputError(f"{self.path} has a line that is neither a row nor a network: {error!r}") from error
