"""A search on sign_digits, against MobileNetV4-conv-small made as fast, and against random search for as long.

Parts, each kept in the folder as soon as it is done, so that a run that is stopped goes on where it was:
  search    a table and TuNAS in two stages (widths, then filters), each with finalists trained by themselves, 60
            minutes at most in all; then random search in the same space for the same wall time, candidates trained as
            the finalists are
  scaled    MobileNetV4-conv-small whose width gives the same measured time within 2 %
  folds     each of the three trained from nothing by one recipe on four fifths of all pictures, five times, and asked
            about the fifth that it has not seen
    python benchmarks/search_against.py --folder runs/against
Tiny, to see that it runs: --steps 20 --finalists 2 --candidates 1 --epochs 1 --folds 2 --size 32 --width 0.25
--depth 1 --target-ms 0.16
"""

from __future__ import annotations

import json
import os
import random
import shutil
import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.data import Data, Sample, read_data
from mobilevision.data.album import Album
from mobilevision.deploy.rounded import open_run
from mobilevision.files import write_json, write_text
from mobilevision.jobs import Local
from mobilevision.network import Network
from mobilevision.pages.compare import paired
from mobilevision.search import chains
from mobilevision.search.session import Brief
from mobilevision.search.setting import Setting
from mobilevision.tasks.base import Task
from mobilevision.timing.table import Conditions
from mobilevision.timing.table_fill import time_networks
from mobilevision.train.loop import fit
from mobilevision.train.recipes import find_recipe

DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
PICTURES = DATA / "sign_digits"
RIVAL = "mobilenetv4_conv_small"
MINUTES, ALIKE, WORST, HELD = 60.0, 0.02, -0.01, 6
"""Limits: of search and table; how far times may differ; the interval's lower end. Every so many-th is to validate."""
PAIRS = 5
"""How often two networks are timed in turns, in each of both orders."""
say = partial(print, file=sys.stderr, flush=True)


def main(
    folder: Annotated[Path, typer.Option(help="Where every part is kept.")] = Path("runs/against"),
    target_ms: Annotated[float | None, typer.Option(help="Default: 1.5 times MobileNetV4-conv-small's time.")] = None,
    size: Annotated[int, typer.Option(help="Side of the pictures.")] = 64,
    width: Annotated[float, typer.Option(help="Of the space.")] = 1.0,
    depth: Annotated[int | None, typer.Option(help="The most blocks of a stage.")] = None,
    steps: Annotated[int, typer.Option(help="Of each of the two stages.")] = 2500,
    finalists: Annotated[int, typer.Option(help="Of each of the two stages.")] = 8,
    candidates: Annotated[int, typer.Option(help="Passes over the pictures for a finalist or candidate.")] = 6,
    processes: Annotated[int, typer.Option(help="Finalists or candidates that are trained at a time.")] = 1,
    epochs: Annotated[int, typer.Option(help="Of the last trainings.")] = 40,
    recipe: Annotated[str, typer.Option(help="Of the last trainings.")] = "quick",
    folds: Annotated[int, typer.Option(min=2)] = 5,
    runtime: Annotated[str, typer.Option()] = "litert",
) -> None:
    """Go on with all parts, and print what came out."""
    here = Conditions.here(runtime, outputs=10)
    whole = zoo.arch(RIVAL, size=size)
    target = target_ms or kept(folder / "target.json", lambda: 1.5 * median(whole, here))
    brief = Brief(
        method="v4",
        space="v4_coarse_small",
        size=size,
        width=width,
        depth=depth,
        targets={"ms": target},
        runtime=runtime,
        numbers={"steps": steps, "finalists": finalists},
    )
    setting = Setting(folder=folder / "search", workers=Local(processes), device="cpu", say=say)
    result = kept(folder / "search.json", lambda: searched(setting, brief, epochs=candidates))
    if "why" in result["random"]:
        raise typer.BadParameter(f"{result['random']['why']}; give another --target-ms and --folder")
    found, lucky = (
        Arch.from_json((folder / "search" / name).read_text()) for name in ("arch.json", "random/arch.json")
    )
    scaled = kept(folder / "scaled.json", lambda: as_fast(found, here))
    networks = {"found": found, "random": lucky, "scaled": zoo.arch(RIVAL, size=size, width=scaled["width"])}
    last = find_recipe(recipe).changed({"epochs": epochs, "size": size})
    right: dict[str, list[bool]] = {name: [] for name in networks}
    for number, data in enumerate(fifths(read_data(PICTURES), folds)):
        for name, arch in networks.items():
            file = folder / "folds" / f"{name}-{number}.json"
            right[name] += kept(file, partial(trained, arch, data, last, folder / "folds" / f"{name}-{number}"))
    asked = {"steps": steps, "finalists": finalists, "recipe": recipe, "epochs": epochs}
    facts = concluded(result, scaled, right, target=target) | asked
    facts |= {"machine": here.machine, "runtime": here.version}
    write_json(folder / "against.json", facts)
    print(json.dumps(facts, indent=2))


def searched(setting: Setting, brief: Brief, *, epochs: int) -> dict[str, Any]:
    """Both stages, and random search for as long."""
    training = find_recipe("quick").changed({"size": brief.size, "epochs": epochs})
    return chains.two_stages(str(PICTURES), brief, setting=setting, training=training, candidates=training)


def median(arch: Arch, here: Conditions) -> float:
    """Milliseconds of a network."""
    return time_networks([arch], here)[0]


def as_fast(found: Arch, here: Conditions) -> dict[str, Any]:
    """The width at which MobileNetV4-conv-small takes as long as the network found.

    It is looked for by halves, among the widths that give networks of their own.
    """
    scaled = ((zoo.arch(RIVAL, size=found.size, width=width), width) for width in np.arange(0.15, 2.0, 0.002).tolist())
    left = list({arch.digest: (arch, width) for arch, width in scaled}.values())
    tried = list[dict[str, Any]]()
    while left:
        middle = len(left) // 2
        arch, width = left[middle]
        pairs = in_turns(arch, found, here)
        ratios = [theirs / ours for theirs, ours in pairs]
        ms, found_ms = (statistics.median(each) for each in zip(*pairs, strict=True))
        tried.append({"width": width, "ms": ms, "found_ms": found_ms, "ratio": statistics.median(ratios)})
        tried[-1]["ratios"] = ratios
        say(f"width {width:.3f}: {ms:.3f} ms beside {found_ms:.3f} ms, {tried[-1]['ratio']:.3f} of it")
        left = left[middle + 1 :] if tried[-1]["ratio"] < 1 else left[:middle]
    best = min(tried, key=lambda each: abs(each["ratio"] - 1))
    return best | {"tried": tried, "alike": abs(best["ratio"] - 1) <= ALIKE}


def in_turns(one: Arch, other: Arch, here: Conditions) -> list[tuple[float, float]]:
    """Milliseconds of two networks, in both orders: the first of several files was seen to take longer."""
    times = time_networks([*PAIRS * (one, other), *PAIRS * (other, one)], here)
    pairs = list(zip(times[::2], times[1::2], strict=True))
    return [*pairs[:PAIRS], *((theirs, ours) for ours, theirs in pairs[PAIRS:])]


def fifths(data: Data, count: int) -> list[Data]:
    """Every picture in one of `count` parts to test by, every class alike; of the others some are to validate."""
    samples = sorted((*data.train, *data.validation, *data.test), key=lambda sample: str(sample.file))
    random.Random(0).shuffle(samples)
    samples.sort(key=lambda sample: sample.labels)
    parts: list[list[Sample]] = [samples[number::count] for number in range(count)]
    made = []
    for number, test in enumerate(parts):
        others = [sample for i, part in enumerate(parts) if i != number for sample in part]
        held = [sample for i, sample in enumerate(others) if i % HELD == 0]
        learned = [sample for i, sample in enumerate(others) if i % HELD]
        albums = (Album.of(each) for each in (learned, held, test))
        made.append(replace(data, **dict(zip(("train", "validation", "test"), albums, strict=True))))
    return made


def trained(arch: Arch, data: Data, recipe: Any, folder: Path) -> list[bool]:
    """Whether a network that was trained from nothing tells each test picture right."""
    torch.manual_seed(0)
    run = fit(Network(arch, len(data.labels)), data, recipe=recipe, to=folder, seed=0, device="cpu")
    model = open_run(run.folder)
    told = asked(model.network, data.test, model.task, model.preprocessing)
    shutil.rmtree(folder)
    return told


@torch.no_grad()
def asked(network: Network, samples: Sequence[Sample], task: Task, seen: Any) -> list[bool]:
    """Whether the label with the best score is each picture's."""
    batches = task.batches(samples, transform=task.evaluation(seen), batch=32)
    best = torch.cat([network.eval()(pictures).argmax(1) for pictures, _ in batches]).tolist()
    return [said in sample.labels for said, sample in zip(best, samples, strict=True)]


def concluded(
    result: dict[str, Any], scaled: dict[str, Any], right: dict[str, list[bool]], *, target: float
) -> dict[str, Any]:
    """Accuracies, their paired differences, and whether the limits are met."""
    total = next(item for item in result["bill"] if item["phase"] == "total")
    arrays = {name: np.array(values) for name, values in right.items()}
    differences = {name: paired(arrays[name], arrays["found"]) for name in ("scaled", "random")}
    return {
        "target_ms": target,
        "found": {name: result[name] for name in ("digest", "costs", "measured_ms", "accuracy", "shared_accuracy")},
        "minutes": total["wall_seconds"] / 60,
        "bill": result["bill"],
        "random_search": {k: v for k, v in result["random"].items() if k not in ("points", "bill")},
        "scaled": {name: scaled[name] for name in ("width", "ms", "found_ms", "ratio", "ratios", "alike")},
        "pictures": len(arrays["found"]),
        "accuracy": {name: float(values.mean()) for name, values in arrays.items()},
        "found_less": differences,
        "met": total["wall_seconds"] <= 60 * MINUTES
        and scaled["alike"]
        and all(each["low"] >= WORST for each in differences.values()),
    }


def lines(facts: dict[str, Any]) -> list[str]:
    """The rows of the page's table."""
    right = facts["accuracy"]
    told = [f"| the network found | {right['found']:.2%} | |"]
    scaled = f"MobileNetV4-conv-small at width {facts['scaled']['width']:g}"
    names = {"scaled": scaled, "random": "random search's best"}
    for name, words in names.items():
        less = facts["found_less"][name]
        interval = f"{100 * less['low']:+.2f} to {100 * less['high']:+.2f}"
        told.append(f"| {words} | {right[name]:.2%} | {100 * less['difference']:+.2f} ({interval}) |")
    return told


def kept(file: Path, make: Any) -> Any:
    """What a file holds; it is made and written if it is not there."""
    if not file.is_file():
        write_text(file, json.dumps(make()))
    return json.loads(file.read_text())


if __name__ == "__main__":
    typer.run(main)
