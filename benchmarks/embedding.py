"""How well vectors find drawings of characters that training never saw, beside pixels; and what exported files lose.

Trains once for each seed (a run that was stopped goes on), and measures on the last classes by name. Beside it stands
what needs no training: each drawing cut to its ink, shrunk to 20 x 20 pixels, blurred, and compared as it is.
    python benchmarks/embedding.py ../shared/data/omniglot_small1 --to runs/embedding --seeds 3 --json embedding.json
"""

import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image, ImageFilter, ImageOps
from torch.nn import functional as F

from mobilevision.build import evaluate, finish, train
from mobilevision.data.classes import check_classes
from mobilevision.data.dataset import Data, Sample
from mobilevision.data.pictures import open_picture
from mobilevision.run import Run
from mobilevision.tasks.retrieval import retrieval

SIDE, BLUR = 20, 1.0  # pixels
SHOWN = ("recall1", "recall5", "map", "knn", "tar_at_far_1e-02", "tar_at_far_1e-03")
LEAST = {"recall1": 0.95, "map": 0.75}


def main(
    data: Annotated[Path, typer.Argument(help="A folder with a folder of drawings for each class.")],
    to: Annotated[Path, typer.Option(help="The folder of the runs.")] = Path("runs/embedding"),
    seeds: Annotated[int, typer.Option(min=1, help="Trainings, from seed 0 on.")] = 3,
    arch: Annotated[str, typer.Option(help="The network.")] = "mobilenetv4_conv_small",
    weights: Annotated[str | None, typer.Option(help="What to start from; nothing, if it is not given.")] = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Train, measure, export in fp32 and int8; fail if a seed misses recall@1 0.95 or mAP 0.75."""
    found = check_classes(data)
    plain = {name: value for name, value in untrained(found).items() if name in SHOWN}
    print(f"{'pixels':<28}", told(plain))
    rows = [trained(data, to / f"seed{seed}", arch=arch, weights=weights, seed=seed) for seed in range(seeds)]
    facts = {"machine": platform.platform(), "cores": os.cpu_count(), "data": data.name, "arch": arch}
    facts |= {"classes": found.facts()["pictures"], "pixels": plain, "runs": rows}
    if json_to:
        json_to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if any(row[name] < least for row in rows for name, least in LEAST.items()):
        raise typer.Exit(1)


def untrained(data: Data) -> dict[str, Any]:
    """What pixels alone find among the test classes."""
    pixels = torch.stack([F.normalize(torch.from_numpy(inked(sample)).flatten(), dim=0) for sample in data.test])
    return retrieval(pixels, torch.tensor([sample.labels[0] for sample in data.test]))


def inked(sample: Sample) -> np.ndarray:
    """A drawing, cut to its ink, as 20 x 20 blurred pixels; ink is 1."""
    picture = ImageOps.invert(open_picture(sample.file).convert("L"))
    left, top, right, bottom = picture.getbbox() or (0, 0, *picture.size)
    side = max(right - left, bottom - top)
    square = Image.new("L", (side, side))
    square.paste(picture.crop((left, top, right, bottom)), ((side - right + left) // 2, (side - bottom + top) // 2))
    small = square.resize((SIDE, SIDE), Image.Resampling.BILINEAR).filter(ImageFilter.GaussianBlur(BLUR))
    return np.asarray(small, dtype=np.float32) / 255


def trained(data: Path, folder: Path, *, arch: str, weights: str | None, seed: int) -> dict[str, Any]:
    """The figures of a training with a seed, its minutes, and those of its files, each in its own runtime."""
    run = train(data, arch=arch, task="embed", weights=weights, out=folder, seed=seed)
    metrics, minutes = evaluate(run.folder), sum(line["seconds"] for line in run.history()) / 60
    row = {"seed": seed, "minutes": minutes} | {name: metrics[name] for name in SHOWN}
    print(f"{f'seed {seed}, {minutes:.1f} minutes':<28}", told(row), flush=True)
    return row | {"files": list(exported(run))}


def exported(run: Run) -> Iterable[dict[str, Any]]:
    """The files of a run, measured on the test classes."""
    for to, precision in (("litert", "fp32"), ("litert", "int8"), ("onnx", "fp32"), ("onnx", "int8")):
        artifact = finish(run, to, precision=precision)
        metrics = evaluate(artifact.path)
        figures = {name: metrics[name] for name in SHOWN}
        time = artifact.facts["timing"]["median_ms"]
        print(f"  {f'{to} {precision}':<26}", told(figures), f"{time:.2f} ms", flush=True)
        yield {"file": artifact.path.name, "bytes": artifact.facts["bytes"], "median_ms": time} | figures


def told(figures: dict[str, Any]) -> str:
    """Figures in a line."""
    return "  ".join(f"{name} {figures[name]:.3f}" for name in SHOWN if figures.get(name) is not None)


if __name__ == "__main__":
    typer.run(main)
