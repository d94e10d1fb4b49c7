"""The verb that compares networks on every ideal hardware: roofline."""

from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.sources import find_arch


def roofline(
    networks: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ARCH...]", help="Names, arch.json files or runs; default: all with published weights."
        ),
    ] = None,
    *,
    size: Annotated[int | None, typer.Option(min=1, help="Side of the images; default: each network's own.")] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            metavar="PAGE",
            help="HTML page to write, with the fronts drawn, and of a run the roofline of the machine that ran it "
            "(bench --layers).",
        ),
    ] = None,
) -> Answer:
    """Rank networks on every hardware, from arithmetic alone to memory alone, and say where each is best."""
    from mobilevision.files import write_text
    from mobilevision.pages.facts import read_facts
    from mobilevision.pages.operators import spent
    from mobilevision.pages.roofline import candidate, page, sweep
    from mobilevision.zoo import list_models

    archs = [find_arch(name) for name in networks] if networks else dict.fromkeys(map(find_arch, list_models()))
    found = [candidate(arch, size=size) for arch in archs]
    swept = sweep(found if networks else [one for one in found if one.top1 is not None])
    if to is not None:
        runs = [read_facts(name) for name in networks or () if Path(name).is_dir()]
        write_text(to, page(swept, measured=[each for facts in runs for each in spent(facts, (), [])]))
    facts = swept.facts()
    head = f"{'network':<34} {'size':>5} {'MACs':>8} {'top-1':>6}  on the front at ridge points"
    return Answer(facts, "\n".join([head, *map(_line, facts), *([f"page {to}"] if to else [])]))


def _line(row: dict[str, Any]) -> str:
    top1 = f"{row['top1']:.1f}" if row["top1"] is not None else "-"
    where = ", ".join(f"{first:g} to {last:g}" for first, last in row["best_at"]) or "-"
    return f"{row['name']:<34} {row['size']:>5} {row['macs'] / 1e6:>6.0f} M {top1:>6}  {where}"
