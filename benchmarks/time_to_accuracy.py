"""How long it takes from a folder of JPEGs to 97 % on pictures that were held back, beside timm's loader and optimizer.

MobileNetV2 starts from its ImageNet weights and learns sign_digits. Ours is `fit` with the recipe named; the other is
timm's loader, AdamW and cosine, batch 32, channels last, as a plain loop over the same network. Both have the same
pictures to learn and to validate by, the same size, crops and epochs, and the best of three learning rates. The clock
starts before the folder is read and stops after the validation that first says 97 %.
    python benchmarks/time_to_accuracy.py --part race --seeds 0,1,2,3,4 --json race.json
    python benchmarks/time_to_accuracy.py --part quick --json quick.json
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command sets it; for timm too

import json
import math
import platform
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from torch import nn

from mobilevision.build import evaluate, train
from mobilevision.data import Data, Preprocessing, read_data
from mobilevision.data.check import check
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.measure import measure
from mobilevision.train.loop import fit
from mobilevision.train.recipes import find_recipe, quick

DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
WEIGHTS = DATA / "weights" / "mobilenet_v2-b0353104.pth"
PICTURES = DATA / "sign_digits"
GOAL, BATCH, SIZE, RATES = 0.97, 32, 128, (1e-4, 3e-4, 1e-3)
HALF, TOP1, MINUTES = 0.5, 0.98, 5.0


def main(
    part: Annotated[str, typer.Option(help="race or quick.")] = "race",
    seeds: Annotated[str, typer.Option(help="Whole numbers, separated by commas.")] = "0,1,2,3,4",
    recipe: Annotated[str, typer.Option(help="Ours.")] = "finetune",
    epochs: Annotated[int, typer.Option(min=1, help="Passes of both; the cosine ends with the last.")] = 6,
    workers: Annotated[int, typer.Option(min=0, help="Processes that read pictures.")] = 1,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Race or run, print the seconds, and fail where a limit is missed."""
    numbers = [int(seed) for seed in seeds.split(",")]
    found = race(numbers, recipe, epochs, workers) if part == "race" else whole(numbers[0])
    machine = {"platform": platform.platform(), "cores": os.cpu_count(), "torch": torch.__version__}
    facts = {"part": part, "size": SIZE, "machine": machine | {"timm": timm.__version__}, **found}
    print(json.dumps(facts, indent=2))
    if to:
        to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if not facts["met"]:
        raise typer.Exit(1)


def race(seeds: list[int], recipe: str, epochs: int, workers: int) -> dict[str, Any]:
    """Seconds to the goal of both in turns, for each learning rate and seed."""
    with tempfile.TemporaryDirectory() as name:
        folder = held_back(Path(name))
        seconds: dict[str, dict[float, list[float]]] = {who: {rate: [] for rate in RATES} for who in ("ours", "timm")}
        for seed in seeds:
            for rate in RATES:
                seconds["ours"][rate].append(ours(folder, recipe, rate, seed=seed, epochs=epochs, workers=workers))
                seconds["timm"][rate].append(timms(folder, rate, seed=seed, epochs=epochs, workers=workers))
                print(seed, rate, seconds["ours"][rate][-1], seconds["timm"][rate][-1], flush=True)
    medians = {who: {rate: statistics.median(found) for rate, found in rates.items()} for who, rates in seconds.items()}
    best = {who: min(rates.values()) for who, rates in medians.items()}
    ratio = best["ours"] / best["timm"]
    return {
        "goal": GOAL,
        "epochs": epochs,
        "recipe": recipe,
        "seeds": seeds,
        "seconds": told(seconds),
        "median_seconds": told(medians),
        "ratio": ratio,
        "limit": HALF,
        "met": ratio <= HALF,
    }


def whole(seed: int) -> dict[str, Any]:
    """The recipe `quick` from the folder to the accuracy on the test pictures."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        recipe = quick.changed({"size": SIZE})
        run = train(
            PICTURES, arch="mobilenetv2_100", weights=str(WEIGHTS), recipe=recipe, out=Path(name) / "run", seed=seed
        )
        metrics = evaluate(run.folder)
        minutes = (time.perf_counter() - began) / 60
    return {
        "top1": metrics["top1"],
        "split": metrics["split"],
        "minutes": minutes,
        "limit": {"top1": TOP1, "minutes": MINUTES},
        "met": metrics["top1"] >= TOP1 and minutes <= MINUTES,
    }


def ours(folder: Path, recipe: str, rate: float, *, seed: int, epochs: int, workers: int) -> float:
    """Seconds of ours; infinite if the goal was not reached."""
    began = time.perf_counter()
    numbers = find_recipe(recipe).changed({"lr": rate, "epochs": epochs, "size": SIZE, "batch": BATCH})
    data = check(folder, seed=seed)
    network = starting(data)
    with tempfile.TemporaryDirectory() as name:
        before = time.perf_counter() - began
        run = fit(network, data, recipe=numbers, to=Path(name) / "run", seed=seed, device="cpu", workers=workers)
        taken = 0.0
        for line in run.history():
            taken += line["seconds"]
            if line["top1"] >= GOAL:
                return before + taken
    return math.inf


def timms(folder: Path, rate: float, *, seed: int, epochs: int, workers: int) -> float:
    """Seconds of timm's loader and optimizer; infinite if the goal was not reached."""
    began = time.perf_counter()
    torch.manual_seed(seed)
    data, seen = read_data(folder), Preprocessing((SIZE, SIZE), crop=1.0)
    network = starting(data).to(memory_format=torch.channels_last)
    batches = create_loader(
        create_dataset("", root=str(folder / "train"), is_training=True),
        input_size=(3, SIZE, SIZE),
        batch_size=BATCH,
        is_training=True,
        scale=(find_recipe("finetune").area, 1.0),
        color_jitter=0.2,
        interpolation="bilinear",
        num_workers=workers,
        device=torch.device("cpu"),
    )
    optimizer = create_optimizer_v2(network, opt="adamw", lr=rate, weight_decay=0.02)
    schedule = CosineLRScheduler(optimizer, t_initial=epochs * len(batches), lr_min=rate * 0.01, t_in_epochs=False)
    loss_of, done = nn.CrossEntropyLoss(label_smoothing=0.1), 0
    for _ in range(epochs):
        network.train()
        for pictures, targets in batches:
            loss = loss_of(network(pictures.contiguous(memory_format=torch.channels_last)), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            done += 1
            schedule.step_update(done)
        if accuracy(network.eval(), data, seen, workers) >= GOAL:
            return time.perf_counter() - began
    return math.inf


def accuracy(network: Network, data: Data, seen: Preprocessing, workers: int) -> float:
    """The share of the validation pictures that the network names rightly."""
    with torch.inference_mode():
        found = measure(
            lambda pictures: network(pictures.contiguous(memory_format=torch.channels_last)),
            data.validation,
            task=Classify(data.labels),
            preprocessing=seen,
            split="validation",
            batch=BATCH,
            workers=workers,
        )
    return float(found["top1"])


def starting(data: Data) -> Network:
    """MobileNetV2 with ImageNet's weights and fresh scores."""
    torch.manual_seed(0)
    network = create_model("mobilenetv2_100", pretrained=str(WEIGHTS), num_classes=len(data.labels))
    network.preprocessing = replace(network.preprocessing, size=(SIZE, SIZE))
    return network


def held_back(folder: Path) -> Path:
    """The training pictures, of which a fifth is laid aside for validation, as both find them."""
    cut = read_data(PICTURES, seed=0)
    for split, samples in (("train", cut.train), ("val", cut.validation)):
        for sample in samples:
            target = folder / "pictures" / split / cut.labels[sample.labels[0]] / sample.file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(sample.file, target)
    return folder / "pictures"


def told(value: Any) -> Any:
    """The same as JSON can hold it: seconds that never came are null."""
    if isinstance(value, dict):
        return {str(key): told(each) for key, each in value.items()}
    if isinstance(value, list):
        return [told(each) for each in value]
    return round(value, 1) if math.isfinite(value) else None


if __name__ == "__main__":
    typer.run(main)
