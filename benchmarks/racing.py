"""Races of exported files, ours against theirs, whose parts are kept in a JSON file."""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from mobilevision import jobs, zoo
from mobilevision.deploy.base import Array
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

Results = dict[str, dict[str, Any]]
Run = Callable[[str, str, dict[tuple[str, str], Path], int], dict[str, Any]]
"""(network, format, files by side and numbers, laps) -> what a race found."""


def main(doc: str, *, script: str, networks: Sequence[str], to: str, run: Run, page: Callable[[Results], str]) -> None:
    """Write files, race them, or make a page, as the command line says.

    Args:
        doc: the help.
        script: its name; has the job `write`, which writes one side as a file.
        networks: to race.
        to: the usual formats.
        run: races the files of a network and format.
        page: the results as Markdown.
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


def sides(to: str) -> list[tuple[str, str]]:
    numbers = ("fp32", "int8") if find_format(to).quantize else ("fp32",)
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


def raced(files: Sequence[Path], laps: int) -> dict[str, Any]:
    """Race files in `STARTS` processes. "laps": (files, laps of all processes) in ms."""
    payload = {"files": list(map(str, files)), "rounds": laps}
    starts = [jobs.call("racing:race", payload | {"seed": seed}, seconds=1800) for seed in range(STARTS)]
    laps_of_all = np.concatenate([start["laps"] for start in starts], axis=1)
    return starts[0] | {"load": max(start["load"] for start in starts), "laps": laps_of_all}


def facts(name: str, to: str, laps: dict[tuple[str, str], Array], load: float) -> dict[str, Any]:
    """What every race tells: the network, where and when it ran, and the ratios of what stands beside each other."""
    pairs = [((OURS, number), (THEIRS, number)) for number in ("fp32", "int8")] + [((OURS, "int8"), (OURS, "fp32"))]
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
    """A job: all files in one process, on one core, lap by lap in turns; each lap in an order of its own.

    What ran before decides what the caches hold, so each file runs twice in its turn, and the second time counts.
    """
    load = os.getloadavg()[0]
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    chance = np.random.default_rng(seed)
    opened = {turn: open_file(Path(files[turn])) for turn in chance.permutation(len(files)).tolist()}
    runners = [opened[turn] for turn in range(len(files))]
    pictures = [noise(runner.inputs[0].shape) for runner in runners]
    laps: list[list[float]] = [[] for _ in files]
    for i in range(-5, rounds):
        for turn in chance.permutation(len(files)).tolist():
            runners[turn](pictures[turn])
            start = time.perf_counter()
            runners[turn](pictures[turn])
            if i >= 0:
                laps[turn].append(1e3 * (time.perf_counter() - start))
    return {
        "load": load,
        "laps": laps,
        "moves": [moves(Path(file)) for file in files],
        "pieces": [pieces(Path(file), runner) for file, runner in zip(files, runners, strict=True)],
    }


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
