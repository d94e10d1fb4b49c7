"""How near sums of timed rows come to whole networks that were never used in fitting.

Of 500 networks drawn at random those are kept whose multiply-accumulates are spread evenly, so that small and large
ones count alike. Each is measured twice, from two conversions, in separate processes; the rank correlation of the two
measurements is what any predictor could reach. Beside it stands a predictor that always says the same.

Run (times of rows are kept in the table and taken up again): PYTHONPATH=src python benchmarks/latency_prediction.py
--space v4_coarse_small --size 64 --runtime litert --precision fp32 --networks 30 --folder runs/tables
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np

from mobilevision.architecture import Arch
from mobilevision.cost import Table, latency, macs
from mobilevision.search.space import Space, sample
from mobilevision.search.spaces import find_space
from mobilevision.timing.table import Conditions, TimedTable
from mobilevision.timing.table_fill import fill, fit, time_networks
from mobilevision.timing.table_line import fitted

FITTED = 8
"""Whole networks that the line goes through; the others never touch it."""
OUTPUTS = 10


def stratified(price: dict[Arch, float], count: int) -> list[Arch]:
    """Of the priced networks, `count` whose prices are spread evenly from the cheapest to the dearest."""
    order = sorted(price, key=lambda arch: price[arch])
    wanted = np.linspace(price[order[0]], price[order[-1]], count)
    kept: list[Arch] = []
    for each in wanted:
        left = [arch for arch in order if arch not in kept]
        kept.append(min(left, key=lambda arch: abs(price[arch] - each)))
    return kept


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def relative_error(predicted: Sequence[float], measured: Sequence[float]) -> float:
    """The mean of |predicted / measured - 1|."""
    return mean(abs(p / m - 1) for p, m in zip(predicted, measured, strict=True))


def results(table: TimedTable, space: Space, *, networks: int) -> dict[str, object]:
    """Fill the table as far as it is needed, measure, and compare."""
    rng, say = random.Random(0), partial(print, file=sys.stderr, flush=True)
    drawn = {arch: float(macs(arch)) for arch in (sample(space, rng).arch for _ in range(500))}
    tested = stratified(drawn, networks)
    others = [arch for arch in drawn if arch not in tested][:FITTED]
    fill(table, [key for arch in (*tested, *others) for key in table.missing(arch)], say=say)
    fit(table, others, say=say)
    bare = Table(table.times)
    sums = {arch: latency(arch, bare, outputs=table.conditions.outputs) for arch in (*tested, *others)}
    line = fitted([sums[arch] for arch in others], [table.networks[arch] for arch in others])
    first = time_networks(tested, table.conditions)
    second = time_networks(tested[::-1], table.conditions)[::-1]
    predicted = [line(sums[arch]) for arch in tested]
    again, ours = rank_correlation(first, second), rank_correlation(predicted, first)
    return {
        "networks": len(tested),
        "fitted": len(others),
        "rows": len(table.times),
        "fastest_ms": min(first),
        "slowest_ms": max(first),
        "intercept_ms": line.intercept,
        "slope": line.slope,
        "mean_error": relative_error(predicted, first),
        "mean_error_of_measuring_again": relative_error(second, first),
        "mean_error_of_a_constant": relative_error([mean(table.networks[a] for a in others)] * len(first), first),
        "rank_correlation": ours,
        "rank_correlation_of_measuring_again": again,
        "rank_correlation_as_share": ours / again,
        "measured_ms": first,
        "measured_again_ms": second,
        "predicted_ms": predicted,
    }


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--space", default="v4_coarse_small")
    words.add_argument("--size", type=int, default=64)
    words.add_argument("--runtime", default="litert")
    words.add_argument("--precision", default="fp32")
    words.add_argument("--networks", type=int, default=30)
    words.add_argument("--folder", type=Path, default=Path("runs/tables"))
    asked = words.parse_args()
    here = Conditions.here(asked.runtime, asked.precision, outputs=OUTPUTS)
    name = f"{asked.space}-{asked.size}-{asked.runtime}-{asked.precision}"
    table = TimedTable.begin(asked.folder / f"{name}.jsonl", here)
    found = results(table, find_space(asked.space, size=asked.size), networks=asked.networks)
    print(json.dumps({"table": name, "machine": here.machine, "runtime": here.version, **found}, indent=2))


if __name__ == "__main__":
    main()
