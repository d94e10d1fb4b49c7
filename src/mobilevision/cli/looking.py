"""Verbs that look: list, show, check."""

from typing import Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Seed, Source, Task
from mobilevision.cli.sources import find_arch
from mobilevision.cli.words import told_data
from mobilevision.errors import UsageError, nearest


def list_networks(
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="Names to show, with * and ?.")] = "*",
) -> Answer:
    """List the networks with their parameters and multiply-accumulates at their own size."""
    from mobilevision.zoo import catalog, list_models

    rows = [{"name": name, **catalog()[name]} for name in list_models(pattern)]
    if not rows:
        raise UsageError(f"no network is called {pattern!r}; {nearest(pattern.strip('*?'), catalog())}")
    head = f"{'network':<34} {'size':>5} {'params':>9} {'MACs':>10}  paper"
    return Answer(rows, "\n".join([head, *map(_line, rows), f"{len(rows)} networks"]))


def show(
    network: Annotated[str, typer.Argument(metavar="ARCH|arch.json|RUN", help="A name, a file, or a run.")],
    *,
    size: Annotated[
        int | None, typer.Option(min=1, help="Side of the image in pixels; default: the network's.")
    ] = None,
) -> Answer:
    """Show a network row by row: shapes, parameters, multiply-accumulates."""
    from mobilevision.pages.terminal import show as listing

    shown = listing(find_arch(network), size)
    return Answer(shown.facts(), shown)


def check(data: Source, *, task: Task = "classify", seed: Seed = 0) -> Answer:
    """Look at every picture and every label, and say what is wrong before any training."""
    from mobilevision.tasks.catalog import check_data, make_task

    found = check_data(task, data, seed=seed)
    facts = make_task(task, found.labels, multilabel=found.multilabel).facts() | found.facts()
    return Answer(facts, told_data(facts))


def _line(row: dict[str, Any]) -> str:
    params, macs = f"{row['params'] / 1e6:.2f} M", f"{row['macs'] / 1e6:.0f} M"
    return f"{row['name']:<34} {row['size']:>5} {params:>9} {macs:>10}  {row['paper']}"
