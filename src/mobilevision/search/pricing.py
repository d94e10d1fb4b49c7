"""What a network costs: milliseconds by a table that fills itself, and what can be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mobilevision.architecture import Arch
from mobilevision.cost import FLOAT_BYTES, Key, Line, Table, latency, macs, params, roofline, walk
from mobilevision.errors import UsageError
from mobilevision.jobs.telling import Say
from mobilevision.search.bill import Bill
from mobilevision.search.space import Choices, Space, choose, nearby
from mobilevision.timing.table import TimedTable
from mobilevision.timing.table_fill import TOGETHER, fill, fit
from mobilevision.timing.table_line import fitted

Price = Callable[[Arch], float]


class Latency:
    """Milliseconds of a network, predicted from a table; rows that the table lacks are timed when they are met.

    Args:
        table: times of rows and of whole networks.
        bill: is charged for what is timed.
        say: told what is timed.
        line: from sums of rows to milliseconds; None takes the table's own.
    """

    def __init__(self, table: TimedTable, *, bill: Bill, say: Say, line: Line | None = None) -> None:
        self.timed, self.bill, self.say = table, bill, say
        self.line = line or table.table().line

    def __call__(self, arch: Arch) -> float:
        """Predicted milliseconds."""
        self.know([arch])
        return latency(arch, Table(self.timed.times, line=self.line), outputs=self.timed.conditions.outputs)

    def roughly(self, arch: Arch) -> float:
        """Milliseconds by multiply-accumulates, as whole networks have them; no row has to be timed."""
        outputs, known = self.timed.conditions.outputs, self.timed.networks
        return fitted([macs(one, outputs=outputs) for one in known], list(known.values()))(macs(arch, outputs=outputs))

    def know(self, archs: Sequence[Arch]) -> None:
        """Time at once all rows of some networks that the table lacks."""
        self.fill([key for arch in archs for key in self.timed.missing(arch)])

    def know_ahead(self, arch: Arch, then: Iterable[Arch]) -> None:
        """Time at once all rows that a network lacks, and of those that come then as many as one process times."""
        keys = dict.fromkeys(self.timed.missing(arch))
        room = max(TOGETHER, len(keys))
        for other in then:
            if len(keys) >= room:
                break
            keys |= dict.fromkeys(self.timed.missing(other))
        self.fill(list(keys)[:room])

    def fill(self, keys: Sequence[Key]) -> None:
        """Time at once those of some rows that the table lacks."""
        if missing := [key for key in keys if key not in self.timed.times]:
            with self.bill.phase("table") as item:
                item.measured += fill(self.timed, missing, say=self.say)

    def measured(self, archs: Sequence[Arch]) -> list[float]:
        """Milliseconds of whole networks in their runtime; what was measured before is not measured again."""
        if any(arch not in self.timed.networks for arch in archs):
            with self.bill.phase("measuring") as item:
                item.measured += fit(self.timed, archs, say=self.say)
        return [self.timed.networks[arch] for arch in archs]

    def compared(self) -> list[dict[str, float]]:
        """Of every whole network that was measured and whose rows are known: "predicted_ms" and "measured_ms"."""
        return self.timed.compared(self.line)

    def calibrate(self, archs: Sequence[Arch]) -> None:
        """Measure whole networks, and put predictions on the line through all that were measured."""
        self.know(archs)
        self.measured(archs)
        self.line = self.timed.table().line


@dataclass(frozen=True)
class Target:
    """A cost that a search aims at.

    Attributes:
        name: of the cost, with its unit.
        value: what it should be.
        price: what a network costs.
    """

    name: str
    value: float
    price: Price


def peak_bytes(arch: Arch, *, outputs: int = 1000) -> int:
    """The most that one operation reads and writes at once, in bytes as float32: what the memory must hold at least."""
    found = [op.activations for row in walk(arch, outputs=outputs) for op in row.cost.operations]
    return FLOAT_BYTES * max(found)


def countable(name: str, *, outputs: int, ridge: float = 30.0) -> Price:
    """What a network costs in a unit that is counted, not measured.

    Args:
        name: "macs", "params", "peak_bytes" or "roofline".
        outputs: of the head.
        ridge: the roofline's ridge point, in multiply-accumulates a byte; phones' processors have 30 to 40
            (arXiv:2404.10518, table 16).

    Raises:
        UsageError: if there is no such cost.
    """
    known: Mapping[str, Price] = {
        "macs": lambda arch: float(macs(arch, outputs=outputs)),
        "params": lambda arch: float(params(arch, outputs)),
        "peak_bytes": lambda arch: float(peak_bytes(arch, outputs=outputs)),
        "roofline": lambda arch: roofline(walk(arch, outputs=outputs), ridge=ridge),
    }
    if name not in known:
        raise UsageError(f"there is no cost {name!r}; choose from ms, {', '.join(known)}")
    return known[name]


def cheapest(space: Space, price: Price) -> tuple[Choices, float]:
    """A network that no single decision makes cheaper, and what it costs.

    It starts from the first option of every decision, which is the smallest; where costs are sums of rows it ends at
    the cheapest network of all, or next to it.
    """
    choices = choose(space, lambda *_: 0).choices
    least = price(nearby(space, choices).arch)
    better = True
    while better:
        better = False
        for name, number in nearby(space, choices).sizes.items():
            for option in range(number):
                drawn = nearby(space, choices | {name: option})
                if (cost := price(drawn.arch)) < least:
                    choices, least, better = drawn.choices, cost, True
    return choices, least


def check_targets(space: Space, targets: Sequence[Target]) -> None:
    """Refuse targets that no network of the space can meet.

    Raises:
        UsageError: with the least that a network of the space costs.
    """
    for target in targets:
        smallest = target.price(choose(space, lambda *_: 0).arch)
        if smallest > target.value:
            _, least = cheapest(space, target.price)
            if least > target.value:
                raise UsageError(
                    f"no network of this space has {target.value:g} {target.name}; the cheapest found has {least:.4g}: "
                    "raise the target, or shrink the space with --width, --depth or --size"
                )
