"""Run folders as training, export and timing leave them, made from nothing but JSON."""

import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from mobilevision.architecture import Arch
from mobilevision.cost import Row, walk
from mobilevision.files import sha256
from mobilevision.run import Run, environment
from mobilevision.zoo.v2 import mobilenetv2

LABELS = (
    "Egyptian cat",
    "Bengal",
    "Birman",
    "Beagle",
    "Boxer",
    "Pug",
    "Samoyed",
    "Sphynx",
    "Russian Blue",
    "Shiba Inu",
)


def make_run(folder: Path, *, labels: tuple[str, ...] = LABELS, arch: Arch | None = None, epochs: int = 12) -> Run:
    """A run with all its parts; every class has 20 validation pictures."""
    run, chance = Run(folder), random.Random(0)
    confusion = _confusion(len(labels), chance)
    folder.mkdir(parents=True)
    (folder / "best.safetensors").write_bytes(b"weights")
    run.begin(arch or mobilenetv2(), task=_task(labels), recipe=_recipe(epochs), data=_data(labels))
    run.write("environment", environment(0))
    for epoch in range(1, epochs + 1):
        run.log(**_line(epoch, epochs, chance))
    run.write("metrics", _metrics(labels, confusion, _pictures(folder / "pictures", labels)))
    explain(run, run.read("metrics"))
    layers = operators(walk(run.arch, 224, len(labels)))
    artifact(run, "litert", ".tflite", 2.41, layers={"file": "mobilenetv2_100_fp32.tflite"} | layers)
    artifact(run, "onnx", ".onnx", 3.87)
    return run


def make_boxes(folder: Path) -> Run:
    """A detector's run: the same parts, with pictures that show boxes."""
    sides = [[0.1, 0.1, 0.5, 0.6], [0.4, 0.3, 0.9, 0.8]]
    boxes = {"labels": ["Pug", "Boxer"], "scores": [0.93, 0.61], "boxes": sides, "size": [120, 160]}
    return _dense(folder, "detect", "map", boxes)


def make_masks(folder: Path) -> Run:
    """A segmenter's run: the same parts, with pictures that show masks."""
    runs = [[0, 60 * 160], [1, 30 * 160], [2, 30 * 160]]
    return _dense(folder, "segment", "miou", {"runs": runs, "size": [120, 160]})


def make_vectors(folder: Path) -> Run:
    """The run of a network that gives vectors: the same parts, with what was found nearest."""
    run = make_run(folder)
    metrics = run.read("metrics")
    told = {name: metrics[name] for name in ("split", "count", "loss")} | {"recall1": 0.81, "recall5": 0.95, "map": 0.6}
    rows = [{"label": row["label"], "count": 20, "recall1": 0.8, "map": 0.6} for row in metrics["per_class"]]
    files = [row["file"] for row in metrics["examples"]["right"]]
    near = {side: [row | {"nearest": files[0]} for row in metrics["examples"][side]] for side in ("right", "wrong")}
    run.write("task", run.read("task") | {"task": "embed"})
    run.write("metrics", told | {"per_class": rows, "examples": near})
    return run


def _dense(folder: Path, task: str, figure: str, told: dict[str, Any]) -> Run:
    run = make_run(folder)
    metrics = run.read("metrics")
    files = [row["file"] for row in metrics["examples"]["right"]]
    shown = [{"file": file} | told | {"truth": {"file": file} | told} for file in files[:3]]
    rows = [{"label": label, "count": 20, figure: 0.7} for label in LABELS]
    facts = {name: metrics[name] for name in ("split", "count", "loss")} | {figure: 0.7}
    run.write("task", run.read("task") | {"task": task})
    run.write("metrics", facts | {"per_class": rows, "shown": shown})
    return run


def operators(rows: Sequence[Row]) -> dict[str, Any]:
    """What `bench --layers` tells of a file with two operators a row: one that multiplies, one that does not."""
    layers: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        times = {"ms": 0.02 + number / 1000, "bound_ms": 0.01, "achieved": 0.5, "piece": "0"}
        moved = {"bytes": row.cost.weight_bytes + row.cost.activation_bytes, "macs": row.cost.macs}
        layers += [
            times | moved | {"name": f"{number} conv", "operator": "CONV_2D", "bound": "compute"},
            times | {"bytes": 4096, "macs": 0, "name": f"{number} add", "operator": "ADD", "bound": "memory"},
        ]
    machine = {"gmacs": 90.0, "gmacs_int8": 400.0, "threads": 1, "how": "matrix products and copies; best of 12"}
    machine |= {"bandwidth": [[65536, 60.0], [1048576, 90.0], [67108864, 5.0]]}
    whole = {"ms": sum(layer["ms"] for layer in layers), "bound_ms": 0.01 * len(layers), "achieved": 0.25}
    told = {"how": "each operator cut out of the file and run alone", "threads": 1, "runs": 50}
    return told | {"machine": machine, "whole": whole, "layers": layers}


def artifact(run: Run, format_: str, suffix: str, milliseconds: float, *, layers: Any = None) -> None:
    """An exported file, as its facts tell of it."""
    name = f"mobilenetv2_100_fp32{suffix}"
    runtime = f"{format_} 2.3.0"
    timing = {"median_ms": milliseconds, "p10_ms": 0.96 * milliseconds, "p90_ms": 1.22 * milliseconds}
    timing |= {"low_ms": 0.98 * milliseconds, "high_ms": 1.03 * milliseconds, "peak_mb": 61.4}
    proof = {"pictures": 200, "source": "validation", "largest_difference": 3.1e-6, "agreement": 1.0, "limit": 1e-4}
    proof |= {"judged": 200, "accuracy": 0.93, "accuracy_torch": 0.935}
    coverage = {"delegate": "XNNPACK" if format_ == "litert" else "", "pieces": 2, "layers": 66, "macs": 300_774_272}
    coverage |= {"inside": 0.97, "outside": {"HARD_SWISH": 2}, "transposes": 1, "pads": 5}
    facts = {
        "file": name,
        "format": format_,
        "precision": "fp32",
        "bytes": 8_942_016,
        "proof": proof | {"runtime": runtime, "passed": True},
        "coverage": coverage,
        "timing": timing | {"runs": 50, "threads": 1, "busy": 1.0, "machine": "Xeon, 2 cores", "runtime": runtime},
    }
    facts |= {"layers": layers} if layers else {}
    run.artifacts.mkdir(exist_ok=True)
    (run.artifacts / f"{name}.json").write_text(json.dumps(facts))


def explain(run: Run, metrics: dict[str, Any]) -> None:
    """What `eval --explain --robust` leaves."""
    rows = [[0.0, 0.4], [1.0, 0.2]]
    mistakes = [row | {"said": rows, "true": {row["truth"]: rows[::-1]}} for row in metrics["examples"]["wrong"]]
    bins = [{"low": 0.6, "high": 0.667, "count": 40, "sure": 0.64, "right": 0.8}]
    bins += [{"low": 0.9, "high": 1.0, "count": 160, "sure": 0.93, "right": 0.99}]
    side = {"ece": 0.083, "nll": 0.512, "bins": bins}
    of = {"split": "validation", "count": 200}
    fit = {"fitted_on": "validation", "fitted_count": 200, "temperature": 0.71, "at_bound": False}
    calibration = of | fit | {"before": side, "after": side | {"ece": 0.012, "nll": 0.433}}
    plain = {"top1": 0.93, "low": 0.886, "high": 0.958}
    levels = [
        {"strength": name, "level": 1 + i, "top1": 0.9 - 0.2 * i, "low": 0.85 - 0.2 * i, "high": 0.94 - 0.2 * i}
        for i, name in enumerate(("mild", "medium", "strong"))
    ]
    damages = [{"name": name, "unit": "steps", "levels": levels} for name in ("blur", "noise")]
    weights = {"weights_sha256": sha256(run.best)}
    run.write("explain", weights | {"calibration": calibration, "mistakes": mistakes})
    run.write("robust", weights | of | {"seed": 0, "plain": plain, "damages": damages})


def _confusion(n: int, chance: random.Random) -> list[list[int]]:
    table = [[20 * (i == j) for j in range(n)] for i in range(n)]
    for i in range(n):
        for _ in range(chance.randrange(4)):
            table[i][i] -= 1
            table[i][(i + chance.choice((1, 1, 2, 5))) % n] += 1
    return table


def _task(labels: tuple[str, ...]) -> dict[str, Any]:
    seen = {"size": [224, 224], "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    seen |= {"crop": 0.875, "interpolation": "bilinear"}
    return {"task": "classify", "labels": list(labels), "multilabel": False, "preprocessing": seen}


def _recipe(epochs: int) -> dict[str, Any]:
    return {"name": "finetune", "epochs": epochs, "batch": 32, "optimizer": "adamw", "lr": 1e-3, "smoothing": 0.1}


def _data(labels: tuple[str, ...]) -> dict[str, Any]:
    per_class = {"train": 80, "validation": 20, "test": 0}
    aside = [{"file": f"Pug/{i:03}.jpg", "reason": "it is cut off or damaged: 83 bytes are left"} for i in range(7)]
    return {
        "source": "pets",
        "root": "/data/pets",
        "labels": list(labels),
        "multilabel": False,
        "seed": 0,
        "digest": "0" * 64,
        "pictures": {split: number * len(labels) for split, number in per_class.items()},
        "counts": {split: dict.fromkeys(labels, number) for split, number in per_class.items()},
        "set_aside": aside,
        "warnings": ["Pug has 9 times fewer pictures than Beagle; train with --set balance=sample."],
    }


def _line(epoch: int, epochs: int, chance: random.Random) -> dict[str, float]:
    done = epoch / epochs
    return {
        "epoch": epoch,
        "step": 25 * epoch,
        "train_loss": 2.3 * math.exp(-2.6 * done) + 0.35 + chance.uniform(0, 0.04),
        "learning_rate": 5e-4 * (1 + math.cos(math.pi * done)),
        "top1": 0.93 - 0.62 * math.exp(-4 * done) + chance.uniform(-0.01, 0.01),
        "top5": 0.99 - 0.2 * math.exp(-5 * done),
        "loss": 2.0 * math.exp(-2.9 * done) + 0.48 + chance.uniform(0, 0.05),
        "images_per_second": 61.0,
        "data_wait": 0.08,
        "seconds": 13.4,
    }


def _pictures(folder: Path, labels: tuple[str, ...]) -> list[Path]:
    folder.mkdir()
    files = []
    for number in range(min(10, len(labels))):
        image = Image.new("RGB", (160, 120 + 12 * number), (40 + 20 * number, 120, 220 - 18 * number))
        ImageDraw.Draw(image).ellipse((30, 20, 120, 100), fill=(250, 230 - 15 * number, 120))
        files.append(folder / f"{number}.jpg")
        image.save(files[-1])
    return files


def _metrics(labels: tuple[str, ...], confusion: list[list[int]], files: list[Path]) -> dict[str, Any]:
    said = [sum(row[j] for row in confusion) for j in range(len(labels))]
    rows = [
        {"label": label, "count": 20, "accuracy": confusion[i][i] / 20, "precision": confusion[i][i] / max(1, said[i])}
        for i, label in enumerate(labels)
    ]
    right = [
        {"file": str(f), "truth": labels[i], "label": labels[i], "score": 0.99 - 0.02 * i} for i, f in enumerate(files)
    ]
    wrong = [
        {"file": str(f), "truth": labels[i], "label": labels[(i + 1) % len(labels)], "score": 0.91 - 0.07 * i}
        for i, f in enumerate(files[:6])
    ]
    count = 20 * len(labels)
    return {
        "split": "validation",
        "count": count,
        "loss": 0.512,
        "top1": sum(confusion[i][i] for i in range(len(labels))) / count,
        "top5": 0.985,
        "per_class": rows,
        "confusion": confusion,
        "examples": {"right": right, "wrong": [*wrong, wrong[0] | {"file": "gone/away.jpg"}]},
    }
