"""How near predictions come to the measured times of networks that were never used in fitting.

Of 500 networks drawn at random those are kept whose multiply-accumulates are spread evenly, so that small and large
ones count alike; of the others some are fitted to. Every file is timed twice, in processes of their own, in turns with
five networks that are in every turn, by which the machine's drift is taken out. What the two times of one network
differ by is what no predictor can be better than, and their rank correlation the most one can reach; a predictor that
always says the same stands beside. Predictors are those of `PREDICTORS`, each with its coefficients.

Files are written first, which needs no quiet and goes on where it was stopped, then timed, in a few minutes:
    python benchmarks/latency_prediction.py --space v4_coarse_small --runtime onnx --precision int8 --write 300
    python benchmarks/latency_prediction.py --space v4_coarse_small --runtime onnx --precision int8 --json there.json
"""

from __future__ import annotations

import hashlib
import json
import random
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Annotated, Any

import numpy as np
import typer
from scipy.optimize import lsq_linear

from mobilevision import jobs
from mobilevision.architecture import Arch, plain
from mobilevision.cost import Key, Totals, macs, walk
from mobilevision.deploy.formats import find_format
from mobilevision.search.space import sample
from mobilevision.search.spaces import find_space
from mobilevision.timing.table import Conditions
from mobilevision.timing.table_fill import CHANNELS, NEAR, SECONDS, split
from mobilevision.timing.table_line import FORMS, Form, best_form, fit_form

OUTPUTS, DRAWN, SEED = 10, 500, 0
RUNS, WARMUP, TOGETHER, WRITTEN, REFERENCES = 100, 3, 20, 24, 5
"""Laps that count and that do not; files timed in turns; files written in a process; networks in every turn."""
LARGE = 1_000_000.0
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sums:
    """What is known of each of some networks before it is measured.

    Attributes:
        warm: sum of its rows' times, in ms, with their weights in the core's caches.
        cold: the same with their weights further away.
        counts: millions of multiply-accumulates, weights, numbers moved; then operations and rows. Shape: (N, 5).
        hot: which rows it has, how often. Shape: (N, rows).
        row_ms: the rows' own cold times.
    """

    warm: Array
    cold: Array
    counts: Array
    hot: Array
    row_ms: Array


def columns(*parts: Array) -> Array:
    """A constant, and other columns."""
    return np.column_stack([np.ones(len(parts[0])), *parts])


PREDICTORS: dict[str, Callable[[Sums], Array]] = {
    "warm rows": lambda sums: columns(sums.warm),
    "cold rows": lambda sums: columns(sums.cold),
    "warm and cold rows": lambda sums: columns(sums.warm, sums.cold),
    "warm rows and weights": lambda sums: columns(sums.warm, sums.counts[:, 1]),
    "cold rows and weights": lambda sums: columns(sums.cold, sums.counts[:, 1]),
    "warm rows and counts": lambda sums: columns(sums.warm, sums.counts[:, :3]),
    "counts": lambda sums: columns(sums.counts),
}
"""What each is linear in, with the least squares of relative errors; only the constant may be negative."""
TABLES = "as a table does"
"""What the product says: rows of which a part is warm, and that form of `table_line.FORMS` which is best left out."""
CONSTANT = "as a table does, with a constant for the number of rows"
SHARES = (0, 0.5, 0.75, 1)
"""Of near laps in a row's time, that were tried beside the one that stands."""
PULLS = (0.03, 0.1, 0.3)
"""How far the times of single rows may be moved by networks, as shares of them: one-hot features pulled to rows."""


def main(
    space: Annotated[str, typer.Option()] = "v4_coarse_small",
    size: Annotated[int, typer.Option(help="Side of the image.")] = 64,
    width: Annotated[float | None, typer.Option()] = None,
    depth: Annotated[int | None, typer.Option()] = None,
    runtime: Annotated[str, typer.Option()] = "litert",
    precision: Annotated[str, typer.Option()] = "fp32",
    networks: Annotated[int, typer.Option(help="Never used in fitting.")] = 30,
    fitted: Annotated[int, typer.Option(help="Used in fitting.")] = 20,
    folder: Annotated[Path, typer.Option(help="Where files are kept.")] = Path("runs/prediction"),
    write: Annotated[float | None, typer.Option(help="Write files for so many seconds, and time nothing.")] = None,
    to: Annotated[Path | None, typer.Option("--json", help="Also write what came out to this file.")] = None,
) -> None:
    """Write files, or time them and compare predictors."""
    here = Conditions.here(runtime, precision, outputs=OUTPUTS)
    found = find_space(space, size=size, width=width, depth=depth)
    rng = random.Random(SEED)
    drawn = {arch: float(macs(arch)) for arch in (sample(found, rng).arch for _ in range(DRAWN))}
    tested = stratified(drawn, networks)
    others = stratified({arch: price for arch, price in drawn.items() if arch not in tested}, fitted)
    archs = [*tested, *others]
    keys = list(dict.fromkeys((row.block, row.shape) for arch in archs for row in walk(arch, outputs=OUTPUTS)))
    files = Files(folder / f"{space}-{size}-{runtime}-{precision}", here)
    left = files.write([*map(whole, archs), *keys], seconds=LARGE if write is None else write)
    if write is not None:
        print(f"{left} of {len(archs) + len(keys)} files are still to be written", file=sys.stderr)
        raise typer.Exit(1 if left else 0)
    first, warm, cold = timed(files, archs, keys)
    second = timed(files, archs[::-1], keys, rows=False)[0][::-1]
    sums = summed(archs, keys, warm, cold)
    facts = {"space": space, "size": size, "runtime": here.version, "precision": precision, "machine": here.machine}
    facts |= {"rows": len(keys), "fitted": len(others), **compared(sums, first, second, tested=len(tested))}
    print(json.dumps({name: value for name, value in facts.items() if name != "measured"}, indent=2))
    if to:
        to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def stratified(price: dict[Arch, float], count: int) -> list[Arch]:
    """Of the priced networks, `count` whose prices are spread evenly from the cheapest to the dearest."""
    order = sorted(price, key=lambda arch: price[arch])
    kept: list[Arch] = []
    for wanted in np.linspace(price[order[0]], price[order[-1]], count):
        left = [arch for arch in order if arch not in kept]
        kept.append(min(left, key=lambda arch: abs(price[arch] - wanted)))
    return kept


def whole(arch: Arch) -> Key:
    """A network and the picture it takes."""
    return arch, (CHANNELS, arch.size, arch.size)  # type: ignore[return-value]


class Files:
    """Rows and networks as files that are kept.

    Args:
        folder: where.
        here: what they are timed under.
    """

    def __init__(self, folder: Path, here: Conditions) -> None:
        self.folder, self.here, self.suffix = folder, here, find_format(here.runtime).suffix
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: Key) -> Path:
        """Where the file of a row or a network is."""
        text = json.dumps([plain(key[0]), plain(key[1])], sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}{self.suffix}"

    def write(self, keys: Sequence[Key], *, seconds: float) -> int:
        """Write those that are not there, for about so long; how many are left."""
        began, left = time.perf_counter(), [key for key in keys if not self.path(key).is_file()]
        while left and time.perf_counter() - began < seconds:
            now, left = left[:WRITTEN], left[WRITTEN:]
            items = [
                {"what": plain(what), "shape": list(shape), "to": str(self.path((what, shape)))} for what, shape in now
            ]
            asked = {"outputs": OUTPUTS, "format": self.here.runtime, "precision": self.here.precision}
            jobs.call(
                "mobilevision.timing.table_files:write", {"items": items, **asked}, seconds=SECONDS * (1 + len(items))
            )
            print(f"{len(left)} files left", file=sys.stderr, flush=True)
        return len(left)

    def laps(self, keys: Sequence[Key], *, job: str, **options: Any) -> list[list[float]]:
        """Laps of each, in turns, in ms."""
        asked = {"files": [str(self.path(key)) for key in keys], "threads": 1, "runs": RUNS, "warmup": WARMUP}
        return jobs.call(f"mobilevision.timing.table_laps:{job}", asked | options, seconds=600)  # type: ignore[no-any-return]


def timed(
    files: Files, archs: Sequence[Arch], keys: Sequence[Key], *, rows: bool = True
) -> tuple[list[float], Array, Array]:
    """Milliseconds of networks and, if they are wanted, of rows with their weights near and far.

    Some networks are in every turn; their times in the first process are the measure of the others'.
    """
    beside = [whole(archs[len(archs) * part // (REFERENCES + 1)]) for part in range(1, REFERENCES + 1)]

    def taken(items: Sequence[Key], job: str, **options: Any) -> list[float]:
        found, units = list[float](), list[float]()
        for part in split(items, TOGETHER):
            laps = [median(each) for each in files.laps([*part, *beside], job=job, **options)]
            units = units or laps[len(part) :]
            drift = median(ms / unit for ms, unit in zip(laps[len(part) :], units, strict=True))
            found += [ms / drift for ms in laps[: len(part)]]
            print(f"{job} {len(found)} of {len(items)}, {drift:.3f}", file=sys.stderr, flush=True)
        return found

    nets = taken([whole(arch) for arch in archs], "networks")
    if not rows:
        return nets, np.zeros(0), np.zeros(0)
    return nets, np.array(taken(keys, "rows", cold=False)), np.array(taken(keys, "rows", cold=True))


def summed(archs: Sequence[Arch], keys: Sequence[Key], warm: Array, cold: Array) -> Sums:
    """What rows and counts tell of each network."""
    place = {key: i for i, key in enumerate(keys)}
    hot, counts = np.zeros((len(archs), len(keys))), []
    for mine, arch in zip(hot, archs, strict=True):
        rows = walk(arch, outputs=OUTPUTS)
        for row in rows:
            mine[place[row.block, row.shape]] += 1
        costs = [row.cost for row in rows]
        numbers = [sum(c.macs + c.attention_macs for c in costs), sum(c.params for c in costs)]
        numbers.append(sum(c.activation_bytes for c in costs) // 4)
        counts.append([*(n / 1e6 for n in numbers), sum(len(c.operations) for c in costs), len(rows)])
    return Sums(hot @ warm, hot @ cold, np.array(counts, dtype=np.float64), hot, cold)


def compared(sums: Sums, first: Sequence[float], second: Sequence[float], *, tested: int) -> dict[str, Any]:
    """The errors and rank correlations of every predictor on the first `tested` networks, fitted on the others."""
    ms, again = np.array(first[:tested]), np.array(second[:tested])
    known = np.array(first[tested:])
    told = {name: fitted_on(make(sums), known, tested) for name, make in PREDICTORS.items()}
    told |= {f"cold rows, moved by {pull:g}": moved(sums, known, tested, pull) for pull in PULLS}
    for name, share in {TABLES: NEAR, **{f"{TABLES}, {share:g} near": share for share in SHARES}}.items():
        told[name] = by_table(totalled(sums, near=share), known.tolist(), tested)
    told[CONSTANT] = by_table(totalled(sums), known.tolist(), tested, forms=FORMS[:1])
    reached = rank_correlation(ms, again)
    return {
        "range_ms": [float(ms.min()), float(ms.max())],
        "measuring_again": {"error": relative_error(again, ms), "rank": reached},
        "constant": {"error": relative_error(np.full(tested, known.mean()), ms)},
        "predictors": {
            name: {
                "error": relative_error(values, ms),
                "worst": float(np.abs(values / ms - 1).max()),
                "rank": rank_correlation(values, ms),
                "rank_as_share": rank_correlation(values, ms) / reached,
                "coefficients": weights,
            }
            for name, (values, weights) in told.items()
        },
        "measured": {
            "ms": list(first),
            "again_ms": list(second),
            "warm_ms": sums.warm.tolist(),
            "cold_ms": sums.cold.tolist(),
        },
    }


def totalled(sums: Sums, *, near: float = NEAR) -> list[Totals]:
    """What the rows of each network come to, as a table has it, or with another share of near laps."""
    known = zip(sums.cold.tolist(), sums.warm.tolist(), sums.counts.tolist(), strict=True)
    return [
        Totals((1 - near) * cold + near * warm, weights, macs_, int(rows))
        for cold, warm, (macs_, weights, _, _, rows) in known
    ]


def by_table(
    known: Sequence[Totals], measured: Sequence[float], tested: int, *, forms: Sequence[Form] = FORMS
) -> tuple[Array, list[float]]:
    """Predictions of the first `tested` networks and the line's numbers, as a table that holds the others has them."""
    others = known[tested:]
    found = fit_form(best_form(others, measured, forms=forms), others, measured)
    return np.array([found(*each) for each in known[:tested]]), list(found)


TERMS = ("ms", "x the rows' ms", "x millions of weights", "x millions of MACs", "x the number of rows")
"""Of a `Line`'s numbers."""


def line(facts: dict[str, Any]) -> str:
    """A row of the page's table."""
    told, (low, high) = facts["predictors"][TABLES], facts["range_ms"]
    numbers = zip(told["coefficients"], TERMS, strict=True)
    cells = (
        facts["space"],
        facts["runtime"],
        facts["precision"],
        f"{low:.2f} to {high:.2f}",
        f"{facts['constant']['error']:.0%}",
        f"{facts['measuring_again']['error']:.1%}",
        f"{told['error']:.1%}",
        f"{told['worst']:.0%}",
        f"{told['rank']:.3f}",
        f"{told['rank_as_share']:.3f}",
        " ".join(f"{value:+.4f} {term}".rstrip() for value, term in numbers if value),
    )
    return f"| {' | '.join(cells)} |"


def tried(facts: dict[str, Any]) -> str:
    """A row of the page's table of what else was tried."""
    names = (TABLES, *(f"{TABLES}, {share:g} near" for share in SHARES), CONSTANT)
    errors = (f"{facts['predictors'][name]['error']:.1%}" for name in names)
    return f"| {' | '.join((facts['space'], facts['runtime'], facts['precision'], *errors))} |"


def fitted_on(facts: Array, known: Array, tested: int) -> tuple[Array, list[float]]:
    """Predictions of the first `tested` networks, and the coefficients, fitted on the others."""
    weights = solved(facts[tested:], known)
    return facts[:tested] @ weights, weights.tolist()


def solved(facts: Array, known: Array) -> Array:
    """Coefficients with the least squares of relative errors; all but the first are at least 0."""
    least = np.full(facts.shape[1], 0.0)
    least[0] = -np.inf
    found: Array = lsq_linear(facts / known[:, None], np.ones(len(known)), (least, np.inf)).x
    return found


def moved(sums: Sums, known: Array, tested: int, pull: float) -> tuple[Array, list[float]]:
    """As cold rows, but each row's time may differ in networks: least squares, differences pulled to none."""
    weights = solved(columns(sums.cold)[tested:], known)
    plain_ = columns(sums.cold) @ weights
    each = sums.hot * sums.row_ms * weights[1]
    scaled, rest = each[tested:] / known[:, None], 1 - plain_[tested:] / known
    noise = np.eye(len(known)) * NOISE**2
    shift = pull**2 * scaled.T @ np.linalg.solve(pull**2 * scaled @ scaled.T + noise, rest)
    return plain_[:tested] + each[:tested] @ shift, weights.tolist()


NOISE = 0.02
"""How far a measurement is off, as a share, for all that is known."""


def rank_correlation(first: Array, second: Array) -> float:
    """Spearman's: the correlation of ranks."""
    ranks = [np.argsort(np.argsort(values)) for values in (first, second)]
    return float(np.corrcoef(*ranks)[0, 1])


def relative_error(predicted: Array, measured: Array) -> float:
    """The mean of |predicted / measured - 1|."""
    return float(mean(np.abs(predicted / measured - 1)))


if __name__ == "__main__":
    typer.run(main)
