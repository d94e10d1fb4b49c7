"""Races of exported files, ours against theirs, whose parts are kept in a JSON file."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.deploy.base import Array, Runner
from mobilevision.deploy.formats import find_format, format_of
from mobilevision.deploy.runtime import open_file
from mobilevision.files import write_json, write_text
from mobilevision.run import processor
from mobilevision.timing.versus import interval

OURS, THEIRS = "ours", "theirs"
STARTS = 6
"""Processes that a race is cut into: where a file's weights happen to lie is worth up to 6 % to it."""

BLOCK = 10
"""Laps that are drawn together: neighbors in time are alike."""

Entrant = tuple[str, ...]
"""What runs: a side, its numbers, and how it is called if there are several ways."""

NUMBERS = ("fp32", "int8")
PAIRS: tuple[tuple[Entrant, Entrant], ...] = (
    *(((OURS, number), (THEIRS, number)) for number in NUMBERS),
    ((OURS, "int8"), (OURS, "fp32")),
)

Results = dict[str, dict[str, Any]]
Run = Callable[[str, str, dict[tuple[str, str], Path], int], dict[str, Any]]
"""(network, format, files by side and numbers, laps) -> what a race found."""

Sides = Callable[[str], Sequence[tuple[str, str]]]
"""Format -> the sides of a race and their numbers."""


def main(
    doc: str, *, script: str, networks: Sequence[str], to: str, run: Run, page: Callable[[Results], str], sides: Sides
) -> None:
    """Write files, race them, or make a page, as the command line says.

    Args:
        doc: the help.
        script: its name; has the job `write`, which writes one side as a file.
        networks: to race.
        to: the usual formats.
        run: races the files of a network and format.
        page: the results as Markdown.
        sides: what is raced.
    """
    asked = arguments(doc, script, to)
    known: Results = json.loads(asked.out.read_text(encoding="utf-8")) if asked.out.is_file() else {}
    if asked.page:
        write_text(asked.page, page(known))
        return
    for name, form in ((name, form) for name in networks for form in asked.to.split(",")):
        if not fnmatch(name, asked.networks):
            continue
        files = {(side, number): place(asked.files, name, side, form, number) for side, number in sides(form)}
        there = {entry: file for entry, file in files.items() if file.exists()}
        if asked.write:
            for (side, number), file in files.items():
                payload = {"name": name, "side": side, "to": form, "number": number}
                make(file, form, f"{script}:write", payload)
        elif len(there) > 1 and (asked.again or f"{name} {form}" not in known):
            known[f"{name} {form}"] = found = run(name, form, there, asked.rounds)
            write_json(asked.out, known)
            print("\n".join(lines(found)), flush=True)


def arguments(doc: str, script: str, to: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=Path(f"{script}_files"), help="folder of the files")
    parser.add_argument("--networks", default="*", help="pattern of names")
    parser.add_argument("--to", default=to)
    parser.add_argument("--write", action="store_true", help="write the files that are missing, race nothing")
    parser.add_argument("--rounds", type=int, default=240, help="laps of each file, taken in turns")
    parser.add_argument("--again", action="store_true", help="race what has its result already")
    parser.add_argument("--out", type=Path, default=Path(f"docs/{script}.json"))
    parser.add_argument("--page", type=Path, help="write a page of the results there, race nothing")
    return parser.parse_args()


def ours_and_theirs(to: str) -> list[tuple[str, str]]:
    """In every precision that is raced."""
    numbers = NUMBERS if find_format(to).quantize else ("fp32",)
    return [(side, number) for number in numbers for side in (OURS, THEIRS)]


def place(folder: Path, name: str, side: str, to: str, number: str) -> Path:
    return folder / f"{name}_{side}_{number}{find_format(to).suffix}"


def make(file: Path, to: str, job: str, payload: dict[str, Any]) -> None:
    """Have a job write a file that is missing."""
    if file.exists():
        return
    with find_format(to).writing(file) as beside:
        jobs.call(job, payload | {"file": str(beside)}, seconds=1800)
    print(f"{file} written", file=sys.stderr, flush=True)


def raced(files: Sequence[Path], laps: int, *, job: str = "racing:race") -> dict[str, Any]:
    """Race files in `STARTS` processes. "laps": (entrants, laps of all processes) in ms."""
    payload = {"files": list(map(str, files)), "rounds": laps}
    starts = [jobs.call(job, payload | {"seed": seed}, seconds=1800) for seed in range(STARTS)]
    laps_of_all = np.concatenate([start["laps"] for start in starts], axis=1)
    return starts[0] | {"load": max(start["load"] for start in starts), "laps": laps_of_all}


def facts(
    name: str, to: str, laps: Mapping[Entrant, Array], load: float, *, pairs: Sequence[tuple[Entrant, Entrant]] = PAIRS
) -> dict[str, Any]:
    """What every race tells: the network, where and when it ran, and the ratios of what stands beside each other."""
    return {
        "network": name,
        "size": zoo.arch(name).size,
        "format": to,
        "runtime": find_format(to).runtime_version,
        "machine": processor(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
        "load": load,
        "laps": len(next(iter(laps.values()))),
        "ratios": {
            f"{' '.join(one)} / {' '.join(other)}": interval(blocks(laps[one], laps[other]))
            for one, other in pairs
            if one in laps and other in laps
        },
    }


def blocks(one: Array, other: Array) -> Array:
    """Shape: (blocks, 2, BLOCK)."""
    whole = len(one) // BLOCK
    return np.stack([one, other])[:, : whole * BLOCK].reshape(2, whole, BLOCK).swapaxes(0, 1)


def race(files: list[str], rounds: int, seed: int) -> dict[str, Any]:
    """A job: all files in one process, on one core."""
    load, chance = to_one_core(), np.random.default_rng(seed)
    runners = opened(files, chance)
    calls = [partial(runner, noise(runner.inputs[0].shape)) for runner in runners]
    return {
        "load": load,
        "laps": taking_turns(calls, rounds, chance),
        "moves": [moves(Path(file)) for file in files],
        "pieces": [pieces(Path(file), runner) for file, runner in zip(files, runners, strict=True)],
    }


def to_one_core() -> float:
    """Keep this process to one core where that can be asked for; gives the machine's load."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return os.getloadavg()[0]


def opened(files: Sequence[str], chance: np.random.Generator) -> list[Runner]:
    """Files ready to run, opened in an order of chance: it decides where their weights happen to lie."""
    found = {turn: open_file(Path(files[turn])) for turn in chance.permutation(len(files)).tolist()}
    return [found[turn] for turn in range(len(files))]


def taking_turns(calls: Sequence[Callable[[], object]], rounds: int, chance: np.random.Generator) -> list[list[float]]:
    """Time calls lap by lap in turns; each lap in an order of its own.

    What ran before decides what the caches hold, so each runs twice in its turn, and the second time counts.

    Returns:
        Laps in ms. Shape: (calls, rounds).
    """
    laps: list[list[float]] = [[] for _ in calls]
    for i in range(-5, rounds):
        for turn in chance.permutation(len(calls)).tolist():
            calls[turn]()
            start = time.perf_counter()
            calls[turn]()
            if i >= 0:
                laps[turn].append(1e3 * (time.perf_counter() - start))
    return laps


def noise(shape: tuple[int | str, ...]) -> Array:
    sides = [1 if isinstance(side, str) else side for side in shape]
    return np.random.default_rng(0).standard_normal(sides).astype(np.float32)


def moves(file: Path) -> dict[str, int]:
    """How many operators only move numbers."""
    names = [name.lower().removeprefix("xnnstatic") for name in format_of(file).operators(file)]
    return {word: sum(word in name for name in names) for word in ("transpose", "reshape", "pad")}


def pieces(file: Path, runner: Any) -> int | None:
    """Into how many pieces the delegate's share is cut; None for runtimes that have no delegate."""
    interpreter = getattr(runner, "_interpreter", None)
    if interpreter is not None:
        return sum(each["op_name"] == "DELEGATE" for each in interpreter._get_ops_details())
    found = [name for name in format_of(file).operators(file) if name == "XnnpackBackend"]
    return len(found) or None


def lines(found: dict[str, Any]) -> list[str]:
    """A line for each pair."""
    return [
        f"{found['network']:30} {found['format']:10} {pair:24} {shown(ratio)}"
        for pair, ratio in found["ratios"].items()
    ]


def shown(ratio: list[float]) -> str:
    return f"{ratio[0]:.3f} [{ratio[1]:.3f}, {ratio[2]:.3f}]"
