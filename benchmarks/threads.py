"""How long threads should spin before they sleep, while they wait for each other in a training step.

The step is ours, of mobilenetv4_conv_small at 96 pixels, batch 32: some thousand short pieces of work. It is taken with
nothing else on the machine, and beside one and two processes that want a core each all the time. Each setting has a
process of its own; all take turns.

    python benchmarks/threads.py --minutes 15 --json threads.json --page threads.md

Each part (so many other processes) is kept as it is done, and takes one to five minutes; the same command goes on.
"""

import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilevision.cli.app import TORCH
from parts import Parts, paragraph
from train_throughput import BATCH, ROUNDS, in_turns, stepping

ARCH, SIZE = "mobilenetv4_conv_small", 96
SPINS = (1_000, 3_000, 10_000, 30_000, 100_000)
PAGES = {name: word for name, word in TORCH.items() if name != "GOMP_SPINCOUNT"}
SETTINGS = {
    "sleep at once": PAGES | {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"{spins:,} rounds": PAGES | {"GOMP_SPINCOUNT": str(spins)} for spins in SPINS},
    "torch's own": PAGES,
}
OTHERS = {"nothing else runs": 0, "another process wants a core": 1, "two do": 2}


def main(
    minutes: Annotated[float, typer.Option(help="After which no further part is begun.")] = 15.0,
    to: Annotated[Path, typer.Option("--json", help="Where the parts are kept.")] = Path("threads.json"),
    page: Annotated[Path, typer.Option(help="Where the table is written.")] = Path("threads.md"),
) -> None:
    """Do the parts that are left, and write the table of those that are done."""
    do = {name: partial(steps, count) for name, count in OTHERS.items()}
    Parts(to, minutes=minutes).finish(do, page=page, written=written)


def steps(others: int) -> dict[str, Any]:
    """Pictures a second with each setting, beside so many other processes: the median of the rounds."""
    with busy(others):
        found = in_turns({name: partial(stepping, "ours", ARCH, SIZE) for name in SETTINGS}, told=SETTINGS)
    return {"images_per_second": {name: round(statistics.median(each), 1) for name, each in found.items()}}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that want a core each, for as long as the block lasts."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def written(known: dict[str, dict[str, Any]]) -> str:
    """The page."""
    where = next(iter(known.values()))
    machine = where["machine"]
    head = "# How long threads wait awake (`benchmarks/threads.py`)\n\n" + paragraph(
        f"""Training steps of {ARCH} at {SIZE} pixels, batch {BATCH}: pictures a second, medians of {ROUNDS} turns, by
        the rounds that a thread spins before it sleeps (`GOMP_SPINCOUNT`). The command says
        {int(TORCH["GOMP_SPINCOUNT"]):,}.
        {machine["processor"]}, {machine["cores"]} cores, torch {machine["torch"]}, {where["date"]}."""
    )
    head += f"| | {' | '.join(SETTINGS)} |\n|---|{'---|' * len(SETTINGS)}\n"
    return head + "".join(line(name, facts) for name, facts in known.items())


def line(name: str, facts: dict[str, Any]) -> str:
    speeds = facts["images_per_second"]
    return f"| {name} | {' | '.join(f'{speeds[each]:.0f}' for each in SETTINGS)} |\n"


if __name__ == "__main__":
    typer.run(main)
