"""What the articles claim of their networks, tried: each claim is an edit of an architecture, counted and timed.

    python benchmarks/claims.py --files FILES --write
    python benchmarks/claims.py --files FILES
    python benchmarks/claims.py --learn PICTURES
    python benchmarks/claims.py --page docs/claims.md

The first line writes the files that are missing, which needs no quiet; the second races them, trial by trial (`--only`
takes a pattern of their names); the third trains MobileNetV2 with and without its linear bottleneck; the last makes a
page and a drawing of the JSON file that the others add to.
"""

import argparse
import json
import statistics
import sys
import tempfile
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np

from claimed import TRIALS, Claim, Trial, bent, find_trial
from claims_page import drawn, page
from export_latency import settle
from mobilevision import jobs, zoo
from mobilevision.deploy.base import FP32, Array
from mobilevision.deploy.formats import find_format
from mobilevision.files import write_json, write_text
from mobilevision.run import processor
from mobilevision.timing.versus import interval
from racing import STARTS, blocks, make
from racing import raced as race

RUNTIMES = ("litert", "onnx")
WIDTH, SIDE, EPOCHS, SEEDS = 0.5, 64, 20, (0, 1, 2)
"""Of the training: MobileNetV2's width, the pictures' side in pixels, passes, and seeds."""


def main() -> None:
    asked = arguments()
    if asked.page:
        results = json.loads(asked.out.read_text(encoding="utf-8"))
        write_text(asked.page, page(results))
        write_text(asked.page.with_suffix(".svg"), drawn(results) + "\n")
    elif asked.learn:
        note(asked.out, "learned", learned(asked.learn))
    else:
        for trial in (trial for trial in TRIALS if fnmatch(trial.name, asked.only)):
            for to in RUNTIMES:
                files = written(trial, to, asked.files)
                if not asked.write:
                    note(asked.out, f"{trial.name} {to}", raced(trial, to, files, rounds=asked.rounds))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=Path, default=Path("claims_files"), help="folder of the files")
    parser.add_argument("--only", default="*", help="pattern of the trials' names")
    parser.add_argument("--write", action="store_true", help="write the files that are missing, race nothing")
    parser.add_argument("--rounds", type=int, default=120, help="laps of each file, taken in turns")
    parser.add_argument("--learn", type=Path, help="train on this folder of pictures, race nothing")
    parser.add_argument("--out", type=Path, default=Path("docs/claims.json"))
    parser.add_argument("--page", type=Path, help="write a page of the results there, try nothing")
    return parser.parse_args()


def note(out: Path, key: str, found: dict[str, Any]) -> None:
    """Add what was found to the results, with the machine and the day."""
    results = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    write_json(out, results | {key: found | {"machine": processor(), "date": day}})
    print(key, json.dumps(found), flush=True)


def written(trial: Trial, to: str, folder: Path) -> list[Path]:
    """The files of a trial's networks; those that are missing are made."""
    files = []
    for name in trial.networks:
        files.append(folder / f"{trial.name} {name}{find_format(to).suffix}".replace(" ", "_"))
        make(files[-1], to, "claims:write", {"trial": trial.name, "name": name, "to": to})
    return files


def raced(trial: Trial, to: str, files: list[Path], *, rounds: int) -> dict[str, Any]:
    """The times of a trial's networks in one runtime, and the ratio of each claim."""
    each = max(10, rounds // (STARTS * trial.slow))
    told = race(files, each)
    laps = dict(zip(trial.networks, told["laps"], strict=True))
    return {
        "runtime": find_format(to).runtime_version,
        "load": told["load"],
        "laps": each * STARTS,
        "median_ms": {name: float(np.median(times)) for name, times in laps.items()},
        "shares": {claim.name: timed(claim, laps) for claim in trial.claims},
    }


def timed(claim: Claim, laps: dict[str, Array]) -> tuple[float, float, float]:
    """The share of its time that a claim's idea leaves, with the ends of its interval.

    What both networks are measured above is taken off lap by lap: those of a turn are neighbors in time.
    """
    least = laps[claim.above] if claim.above else 0.0
    return interval(blocks(laps[claim.new] - least, laps[claim.old] - least))


def write(trial: str, name: str, to: str, file: str) -> None:
    """A job: one network of a trial as a file, with random weights."""
    import torch

    from mobilevision.deploy.filing import filing_
    from mobilevision.deploy.integers import form_for
    from mobilevision.network import Network

    torch.manual_seed(0)
    whole = find_trial(trial)
    arch = whole.networks[name]
    shape = (3, arch.size, arch.size)
    network = settle(Network(arch, whole.outputs), arch.size)
    facts = {"task": whole.task, "labels": [f"class {i}" for i in range(whole.outputs)]}
    filing = filing_(network, facts, shape)
    format_ = find_format(to)
    format_.export(filing.finished(form_for(network, format_, FP32)), shape, {"labels": []}, Path(file), FP32)


def learned(pictures: Path) -> dict[str, Any]:
    """The accuracy of MobileNetV2 with its linear bottleneck, and with ReLU6 behind it, seed by seed."""
    top1: dict[str, list[float]] = {"linear": [], "ReLU6": []}
    for seed in SEEDS:
        for side, reached in top1.items():
            payload = {"side": side, "pictures": str(pictures.resolve()), "seed": seed}
            reached.append(jobs.call("claims:learn", payload, seconds=1800))
            print(f"seed {seed}, {side}: {reached[-1]:.3f}", file=sys.stderr, flush=True)
    lead = [straight - other for straight, other in zip(*top1.values(), strict=True)]
    told = {"network": f"mobilenetv2_{round(100 * WIDTH):03d}", "size": SIDE, "epochs": EPOCHS, "data": pictures.name}
    return told | {"top1": top1, "lead": [statistics.mean(lead), min(lead), max(lead)]}


def learn(side: str, pictures: str, seed: int) -> float:
    """A job: train one side from nothing; the share of the test pictures that its best weights name rightly."""
    import torch
    from safetensors.torch import load_file

    from mobilevision.data import read_data
    from mobilevision.network import Network
    from mobilevision.tasks.classify import Classify
    from mobilevision.tasks.measure import measure
    from mobilevision.train.loop import fit
    from mobilevision.train.recipes import scratch_small

    torch.manual_seed(seed)
    straight = zoo.arch("mobilenetv2", width=WIDTH, size=SIDE)
    data = read_data(pictures, seed=seed)
    network = Network({"linear": straight, "ReLU6": bent(straight)}[side], len(data.labels))
    recipe = scratch_small.changed({"size": SIDE, "epochs": EPOCHS, "least_steps": 0})
    with tempfile.TemporaryDirectory() as folder:
        run = fit(network, data, recipe=recipe, to=Path(folder) / "run", seed=seed, device="cpu", workers=0)
        network.load_state_dict(load_file(run.best))
    with torch.inference_mode():
        found = measure(
            network.eval(),
            data.test,
            task=Classify(data.labels),
            preprocessing=network.preprocessing,
            split="test",
            batch=32,
            workers=0,
        )
    return float(found["top1"])


if __name__ == "__main__":
    main()
