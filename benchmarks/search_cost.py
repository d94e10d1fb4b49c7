"""What a search costs beside the networks themselves: a shared step against the network alone, and prices a second.

Processor time on one thread, so that a busy machine does not change the figures. Run:
PYTHONPATH=src python benchmarks/search_cost.py
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mobilevision.architecture import Arch
from mobilevision.cost import Table, latency, walk
from mobilevision.search import spaces
from mobilevision.search.space import Space, sample
from mobilevision.search.supernet import Supernet

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


def main() -> None:
    torch.set_num_threads(1)
    for name, space in SPACES.items():
        ratios = step_ratios(space)
        figures = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{name:14} shared step / own step: {figures}, median {median(ratios):.2f} (at most 1.2)")
    for name, space in {"v4_coarse": spaces.v4_coarse, "v4_fine": spaces.v4_fine}.items():
        print(f"{name:14} {prices_a_second(space):,.0f} networks priced a second (at least 5,000)")


if __name__ == "__main__":
    main()
