"""A network as a table for the terminal."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from mobilevision.architecture import Arch
from mobilevision.cost import Row, walk
from mobilevision.pages import quantities
from mobilevision.pages.words import describe, kind

BAR = 8  # characters of the largest share
EIGHTHS = " ▏▎▍▌▋▊▉"


class Column(NamedTuple):
    """A column of the table.

    Attributes:
        title: its heading.
        justify: "left" or "right".
        rank: where the terminal is narrow, columns of a low rank are left out first.
        cell: what it says of a row.
    """

    title: str
    justify: Any
    rank: int
    cell: Callable[[Listing, Row, bool], str | Text]


@dataclass(frozen=True)
class Listing:
    """A network as rows, for a rich console (in color) and for plain `print`.

    Attributes:
        arch: what is shown.
        rows: what `walk` gave.
        outputs: what the head gives.
    """

    arch: Arch
    rows: tuple[Row, ...]
    outputs: int

    @cached_property
    def totals(self) -> dict[str, int]:
        """Sums over the rows: parameters, multiply-accumulates, those of attention, and bytes as float32."""
        names = ("params", "macs", "attention_macs", "weight_bytes", "activation_bytes")
        return {name: sum(getattr(row.cost, name) for row in self.rows) for name in names}

    def facts(self) -> dict[str, Any]:
        """All of it as plain JSON; shapes are (channels, height, width)."""
        return {
            "arch": self.arch.name,
            "digest": self.arch.digest,
            "size": list(self.rows[0].shape[1:]),
            "outputs": self.outputs,
            "rows": [self._fact(row) for row in self.rows],
            "totals": self.totals,
        }

    def share(self, row: Row) -> float:
        """The row's share of all multiply-accumulates, those of attention included."""
        total = self.totals["macs"] + self.totals["attention_macs"]
        return (row.cost.macs + row.cost.attention_macs) / max(1, total)

    @cached_property
    def largest(self) -> float:
        """The largest share of a row."""
        return max(self.share(row) for row in self.rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The name, the table, the totals; where the console is narrow, without some columns rather than cut."""
        yield Text.assemble((self.arch.name, "bold"), (f"  {self._made_for()}", "dim"))
        columns = list(COLUMNS)
        table = self._table(columns, options)
        while len(columns) > 1 and _needed(table, console, options) > options.max_width:
            columns.remove(min(columns, key=lambda column: column.rank))
            table = self._table(columns, options)
        yield table
        yield self._sum()

    def _table(self, columns: Sequence[Column], options: ConsoleOptions) -> Table:
        table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", pad_edge=False)
        for column in columns:
            table.add_column(column.title, justify=column.justify, no_wrap=True)
        for row in self.rows:
            table.add_row(*(column.cell(self, row, options.ascii_only) for column in columns))
        return table

    def __str__(self) -> str:
        """The same as plain text, as wide as the terminal, or as the environment's COLUMNS."""
        out = io.StringIO()
        width = max(20, _columns())
        Console(file=out, width=width, color_system=None, legacy_windows=False).print(self)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    def _made_for(self) -> str:
        side = "x".join(str(side) for side in self.rows[0].shape[1:])
        return f"{side} px, {self.outputs} outputs, {self.arch.digest}"

    def _sum(self) -> Text:
        sums = self.totals
        attention = f" + {sums['attention_macs']:,} of attention" if sums["attention_macs"] else ""
        weights, moved = quantities.size(sums["weight_bytes"]), quantities.size(sums["activation_bytes"])
        lines = (
            f"{sums['params']:,} parameters, {sums['macs']:,} MACs{attention}",
            f"{weights} of weights, {moved} moved, as float32",
        )
        return Text("\n".join(lines), style="bold")

    def _fact(self, row: Row) -> dict[str, Any]:
        cost = row.cost
        return {
            "place": list(row.place),
            "block": describe(row.block),
            "kind": kind(row.block).name,
            "input": _plain(row.shape),
            "output": list(cost.shape),
            "stride": _stride(row),
            "params": cost.params,
            "macs": cost.macs,
            "attention_macs": cost.attention_macs,
            "weight_bytes": cost.weight_bytes,
            "activation_bytes": cost.activation_bytes,
            "share": self.share(row),
        }


def show(arch: Arch, size: int | tuple[int, int] | None = None, outputs: int = 1000) -> Listing:
    """The rows of a network with their shapes and costs; `print` it.

    Args:
        arch: what to show.
        size: side of the image in pixels, or (height, width); default is the architecture's own.
        outputs: what the head gives, for a classifier the number of classes.

    Raises:
        UsageError: if the image is too small for the network.
    """
    return Listing(arch, tuple(walk(arch, size, outputs)), outputs)


def shape_text(shape: Sequence[Any]) -> str:
    """A shape as 96x14x14; of several maps, their shapes."""
    if shape and isinstance(shape[0], tuple):
        return " ".join(shape_text(one) for one in shape)
    return "x".join(str(side) for side in shape)


def _needed(table: Table, console: Console, options: ConsoleOptions) -> int:
    """Characters a line of the table takes where there is room for all."""
    return Measurement.get(console, options.update(max_width=1000), table).maximum


def _columns() -> int:
    """Characters in a line: COLUMNS, else the terminal's, else 100 where there is no terminal."""
    if os.environ.get("COLUMNS", "").isdigit():
        return int(os.environ["COLUMNS"])
    try:
        return os.get_terminal_size().columns
    except OSError:
        return 100


def _plain(shape: Any) -> Any:
    return [_plain(part) for part in shape] if isinstance(shape, tuple) else shape


def _stride(row: Row) -> int:
    return int(getattr(row.block, "stride", 1))


def _place(listing: Listing, row: Row, ascii_only: bool) -> Text:
    return Text(f"{row.place[0]}.{row.place[1]}", style="dim")


def _block(listing: Listing, row: Row, ascii_only: bool) -> Text:
    return Text(describe(row.block), style=kind(row.block).color)


def _input(listing: Listing, row: Row, ascii_only: bool) -> str:
    return shape_text(row.shape)


def _out(listing: Listing, row: Row, ascii_only: bool) -> str:
    return str(row.cost.shape[0])


def _strides(listing: Listing, row: Row, ascii_only: bool) -> Text:
    stride = _stride(row)
    return Text(str(stride), style="bold" if stride > 1 else "dim")


def _params(listing: Listing, row: Row, ascii_only: bool) -> str:
    return quantities.count(row.cost.params)


def _macs(listing: Listing, row: Row, ascii_only: bool) -> str:
    return quantities.count(row.cost.macs + row.cost.attention_macs)


def _share(listing: Listing, row: Row, ascii_only: bool) -> Text:
    eighths = round(8 * BAR * listing.share(row) / listing.largest) if listing.largest else 0
    blocks = "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
    bar = "#" * round(eighths / 8) if ascii_only else blocks
    return Text.assemble((f"{100 * listing.share(row):4.1f} ", ""), (bar, kind(row.block).color))


COLUMNS = (  # title, justify, rank, cell
    Column("place", "left", 4, _place),
    Column("block", "left", 7, _block),
    Column("input", "left", 3, _input),
    Column("out", "right", 5, _out),
    Column("s", "right", 2, _strides),
    Column("params", "right", 6, _params),
    Column("MACs", "right", 8, _macs),
    Column("% of MACs", "left", 1, _share),
)
