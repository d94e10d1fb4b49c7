"""What a search costs beside the networks themselves, and whether it lands where it aims.

A shared step against the network alone, and prices a second, by processor time on one thread, so that a busy machine
does not change the figures:
    python benchmarks/search_cost.py
TuNAS in the coarse stage on sign_digits, once for each of three targets in the space's range: how far the measured time
of what it finds is from the target. It wants a quiet machine; stopped, it goes on where it was:
    python benchmarks/search_cost.py --landing runs/landing --json landing.json
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.cost import Table, latency, walk
from mobilevision.search import spaces
from mobilevision.search.pricing import cheapest
from mobilevision.search.session import Brief
from mobilevision.search.setting import Setting
from mobilevision.search.space import Space, largest, sample
from mobilevision.search.start import run_shared
from mobilevision.search.supernet import Supernet
from mobilevision.search.tabulate import tabulate
from mobilevision.timing.table import Conditions, TimedTable
from mobilevision.train.recipes import find_recipe

DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
SHARES, NEAR = (0.25, 0.5, 0.75), 0.05
"""Where in the space's range the targets are, and how near the measured time has to be."""
say = partial(print, file=sys.stderr, flush=True)

SPACES: dict[str, Space] = {
    "v4_fine small": partial(spaces.v4_fine, plan=spaces.SMALL, size=64),
    "v3_like": partial(spaces.v3_like, size=64, width=0.5, depth=2),
    "meta": partial(spaces.meta, size=64, width=0.5, depth=3),
}


def step_ratios(space: Space, *, networks: int = 5, repeats: int = 4, batch: int = 32) -> list[float]:
    """Processor time of forward and backward with shared weights, as a multiple of the same network's own."""
    net, rng = Supernet(space, 10), random.Random(0)
    ratios = []
    for _ in range(networks):
        arch = sample(space, rng).arch
        pictures, targets = torch.randn(batch, 3, arch.size, arch.size), torch.randint(0, 10, (batch,))
        alone = net.network(arch).train()
        ways: tuple[tuple[nn.Module, Callable[[Tensor], Tensor]], ...] = (
            (net, partial(net, arch=arch)),
            (alone, alone),
        )
        seconds: list[list[float]] = [[], []]
        for _ in range(repeats):
            for taken, (module, scores) in zip(seconds, ways, strict=True):
                began = time.process_time()
                module.zero_grad()
                F.cross_entropy(scores(pictures), targets).backward()
                taken.append(time.process_time() - began)
        ratios.append(min(seconds[0]) / min(seconds[1]))
    return ratios


def prices_a_second(space: Space, *, networks: int = 1000) -> float:
    """Networks priced in a second of processor time, each made anew, once all of their blocks are known."""
    rng = random.Random(0)
    drawn = [sample(space, rng).arch for _ in range(networks)]
    table = Table({(row.block, row.shape): 1.0 for arch in drawn for row in walk(arch)})
    fresh = [Arch.from_json(arch.to_json()) for arch in drawn]
    began = time.process_time()
    for arch in fresh:
        latency(arch, table)
    return networks / (time.process_time() - began)


def landings(folder: Path, *, size: int, width: float, steps: int, runtime: str) -> dict[str, Any]:
    """Three searches, and how far from its target each has landed."""
    here = Conditions.here(runtime, outputs=10)
    space = spaces.find_space("v4_coarse_small", size=size, width=width)
    file = folder / "table.jsonl"
    told = tabulate(space, file, here, most=2000, networks=12, force=False, say=say)
    table = TimedTable.open(file, here=here).table()
    price = partial(latency, table=table, outputs=10)
    least, most = cheapest(space, price)[1], price(largest(space).arch)
    found = []
    for share in SHARES:
        target = least + share * (most - least)
        brief = Brief(
            method="tunas",
            space="v4_coarse_small",
            size=size,
            width=width,
            targets={"ms": target},
            runtime=runtime,
            numbers={"steps": steps},
        )
        result = run_shared(
            str(DATA / "sign_digits"),
            brief,
            setting=Setting(folder=folder / f"{share:g}", table=file, against_random=False, say=say),
            training=find_recipe("quick"),
            candidates=find_recipe("quick"),
        )
        off = result["measured_ms"] / target - 1
        say(
            f"target {target:.3f} ms, found {result['predicted']['ms']:.3f} ms, measured {result['measured_ms']:.3f} ms"
        )
        kept = {name: result[name] for name in ("digest", "predicted", "measured_ms", "accuracy", "line")}
        found.append({"share": share, "target_ms": target, "off": off, "near": abs(off) <= NEAR, **kept})
    facts = {"machine": here.machine, "runtime": here.version, "size": size, "width": width, "steps": steps}
    ranged = {"least_ms": least, "most_ms": most, "table_error": told["error"]}
    return facts | ranged | {"landings": found, "met": all(each["near"] for each in found)}


def line(landed: dict[str, Any], *, steps: int) -> str:
    """A row of the page's table."""
    target, found, measured = landed["target_ms"], landed["predicted"]["ms"], landed["measured_ms"]
    return f"| {landed['share']:.0%} | {steps} | {target:.3f} | {found:.3f} | {measured:.3f} | {landed['off']:+.1%} |"


def main(
    landing: Annotated[Path | None, typer.Option(help="Folder of the three searches; default: costs alone.")] = None,
    size: Annotated[int, typer.Option(help="Side of the pictures.")] = 64,
    width: Annotated[float, typer.Option(help="Of the space.")] = 1.0,
    steps: Annotated[int, typer.Option(help="Of each search.")] = 1500,
    runtime: Annotated[str, typer.Option()] = "litert",
    to: Annotated[Path | None, typer.Option("--json", help="Also write the landings to this file.")] = None,
) -> None:
    """Print costs, or land three searches."""
    if landing is None:
        costs()
        return
    facts = landings(landing, size=size, width=width, steps=steps, runtime=runtime)
    print(json.dumps(facts, indent=2))
    if to:
        to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def costs() -> None:
    """Print what a search costs beside the networks."""
    torch.set_num_threads(1)
    for name, space in SPACES.items():
        ratios = step_ratios(space)
        figures = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{name:14} shared step / own step: {figures}, median {median(ratios):.2f} (at most 1.2)")
    for name, space in {"v4_coarse": spaces.v4_coarse, "v4_fine": spaces.v4_fine}.items():
        print(f"{name:14} {prices_a_second(space):,.0f} networks priced a second (at least 5,000)")


if __name__ == "__main__":
    typer.run(main)
