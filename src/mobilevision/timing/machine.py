"""What a machine can do at best: products and bytes a second, measured with named matrix products and copies."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

SIDES = (256, 512, 1024)
AREAS = (1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26)  # bytes that a copy touches, from one cache to memory
ROUNDS = 12


@dataclass(frozen=True)
class Machine:
    """Peaks of a machine.

    Attributes:
        gmacs: 10^9 multiply-accumulates a second in float32, the best of all sizes that were tried.
        gmacs_int8: the same for 8-bit integers that are summed in 32 bits.
        bandwidth: bytes that a copy read and wrote in all -> 10^9 bytes a second, least area first.
        threads: that were used.
        how: what was measured.
    """

    gmacs: float
    gmacs_int8: float
    bandwidth: tuple[tuple[int, float], ...]
    threads: int
    how: str

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"bandwidth": [list(each) for each in self.bandwidth]}

    def compute_ms(self, macs: int, *, integers: bool) -> float:
        """The least time for so many multiply-accumulates, in ms."""
        return macs / (self.gmacs_int8 if integers else self.gmacs) / 1e6

    def memory_ms(self, moved: int) -> float:
        """The least time to move so many bytes, in ms, where they are as near as so many bytes can be."""
        near = [speed for area, speed in self.bandwidth if area >= moved] or [self.bandwidth[-1][1]]
        return moved / max(near) / 1e6


def peaks(threads: int) -> dict[str, Any]:
    """The job: measure this machine. Keyword arguments of a `Machine`."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    floats, integers = [], []
    for side in SIDES:
        a, b, out = torch.randn(side, side), torch.randn(side, side), torch.empty(side, side)
        floats.append(side**3 / _best(partial(torch.mm, a, b, out=out)) / 1e9)
        x, y = (torch.randint(-100, 100, (side, side), dtype=torch.int8) for _ in range(2))
        integers.append(side**3 / _best(partial(torch._int_mm, x, y)) / 1e9)
    bandwidth = []
    for area in AREAS:
        source = torch.ones(area // 8)  # half of it, in float32
        to, times = torch.empty_like(source), max(1, (1 << 23) // area)
        bandwidth.append((area, times * area / _best(partial(_copy, source, to, times)) / 1e9))
    sides = ", ".join(map(str, SIDES))
    how = f"torch {torch.__version__}: mm and _int_mm of square matrices ({sides}), copies of tensors; best of {ROUNDS}"
    return {
        "gmacs": max(floats),
        "gmacs_int8": max(integers),
        "bandwidth": bandwidth,
        "threads": threads,
        "how": how,
    }


def _copy(source: Any, to: Any, times: int) -> None:
    for _ in range(times):
        to.copy_(source)


def _best(work: Callable[[], Any]) -> float:
    """The least seconds of several rounds."""
    work()
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)
