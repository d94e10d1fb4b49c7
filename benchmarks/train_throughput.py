"""How fast training steps and training from JPEG folders are, beside timm's own loader and step.

Everything runs in turns in one process, so that the machine's mood hits all alike: ours, timm as it is by default, and
timm at its best (channels last). Same network, batch, optimizer, crop and flip, workers. A turn of `folder` is a whole
pass over the pictures, from the start of its workers' work to the last step.
    python benchmarks/train_throughput.py --part step --arch mobilenetv2_100 --size 96
    python benchmarks/train_throughput.py --part folder --arch mobilenetv4_conv_small --size 224
    python benchmarks/train_throughput.py --part kept --arch mobilenetv4_conv_small --size 96

At 96 pixels the pictures are sign_digits' (100 pixels); at 224 they are BCCD's and the sample photographs, made larger
(short side 960) since no larger ones are at hand: as large as photographs from the web, and nothing but JPEG.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command sets it; for timm too

import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from PIL import Image
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from mobilevision.compress.feeding import ENLARGED
from mobilevision.data import Augment, Preprocessing, read_data
from mobilevision.data.album import Album
from mobilevision.data.cache import cached
from mobilevision.data.dataset import Data
from mobilevision.data.pictures import find_pictures
from mobilevision.data.sharding import shard
from mobilevision.models import create_model
from mobilevision.tasks.classify import Classify
from mobilevision.train.device import make_fabric
from mobilevision.train.learner import make_learner
from mobilevision.train.recipes import scratch_small

AREA, BATCH, CLASSES, LARGE = 0.35, 32, 10, 960
LIMITS = {"step": 0.97, "folder": 1.2}  # ours over timm's best
WAIT = 0.05  # share of the time
Step = Callable[[Tensor, Tensor], None]
Turn = Callable[[], float]
DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def main(
    part: Annotated[str, typer.Option(help="step, folder or kept (cache and shards).")] = "step",
    arch: Annotated[str, typer.Option(help="A network that timm has too.")] = "mobilenetv2_100",
    size: Annotated[int, typer.Option(help="Side of the pictures, 96 or 224.")] = 96,
    workers: Annotated[int, typer.Option(help="Processes that read pictures.")] = 1,
    rounds: Annotated[int, typer.Option(min=3, help="Turns of each.")] = 5,
    pictures: Annotated[int, typer.Option(min=BATCH, help="Pictures in a turn.")] = 320,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Take the turns, print medians of images a second and their ratio, and fail where a limit is missed."""
    with tempfile.TemporaryDirectory() as folder:
        found = PARTS[part](Path(folder), arch, size, workers, rounds, pictures)
    facts = {
        "part": part,
        "arch": arch,
        "size": size,
        "workers": workers,
        "batch": BATCH,
        "machine": machine(),
        **found,
    }
    print(json.dumps(facts, indent=2))
    if to:
        to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if not facts["met"]:
        raise typer.Exit(1)


def steps(folder: Path, arch: str, size: int, workers: int, rounds: int, pictures: int) -> dict[str, Any]:
    """Steps alone, on a batch that is there."""
    x, y = torch.randn(BATCH, 3, size, size), torch.randint(CLASSES, (BATCH,))
    count = max(2, pictures // BATCH // 2)

    def turn(step: Step) -> Turn:
        def run() -> float:
            began = time.perf_counter()
            for _ in range(count):
                step(x, y)
            return count * BATCH / (time.perf_counter() - began)

        return run

    speeds = in_turns({name: turn(make(arch)) for name, make in STEPS.items()}, rounds)
    return judged(speeds, LIMITS["step"])


def folders(folder: Path, arch: str, size: int, workers: int, rounds: int, pictures: int) -> dict[str, Any]:
    """From class folders of JPEGs to the end of the last step."""
    data = jpegs(folder, size, pictures)
    loaders = {
        "ours": our_batches(data, size, workers),
        "timm": timm_batches(data, size, workers),
        "timm, channels last": timm_batches(data, size, workers),
    }
    speeds = in_turns({name: passing(loaders[name], make(arch)) for name, make in STEPS.items()}, rounds)
    return judged(speeds, LIMITS["folder"]) | {"pictures": facts_of(data)}


def kept(folder: Path, arch: str, size: int, workers: int, rounds: int, pictures: int) -> dict[str, Any]:
    """From a cache and from shards: the share of the time that the network waits for pictures."""
    data = jpegs(folder, size, pictures)
    shard(data, folder / "shards", side=round(ENLARGED * size))
    album = cached(Album.of(data.train), folder / "cache", side=round(ENLARGED * size))
    sources = {"files": data.train, "cache": album, "shards": read_data(folder / "shards", validation=0.0).train}
    step, waits = ours(arch), {name: [] for name in sources}
    loaders = {name: our_batches(data, size, workers, samples=samples) for name, samples in sources.items()}
    for _ in range(rounds + 1):
        for name, batches in loaders.items():
            waits[name].append(waiting(batches, step))
    shares = {name: statistics.median(found[1:]) for name, found in waits.items()}
    return {"data_wait": shares, "limit": WAIT, "met": max(shares["cache"], shares["shards"]) < WAIT}


PARTS = {"step": steps, "folder": folders, "kept": kept}


def ours(arch: str) -> Step:
    """Our step, average of the weights and all."""
    torch.manual_seed(0)
    network = create_model(arch, num_classes=CLASSES)
    learner = make_learner(make_fabric("cpu", "32"), network, scratch_small)
    task, number = Classify(tuple(map(str, range(CLASSES)))), iter(range(10**9))

    def step(pictures: Tensor, targets: Tensor) -> None:
        scores = task.forward(learner.model, pictures.contiguous(memory_format=torch.channels_last))
        learner.slope_(task.loss(scores, targets, smoothing=0.1))
        learner.step_(rate=1e-3, step=next(number))

    return step


def timms(arch: str, layout: torch.memory_format) -> Step:
    """Timm's step, as its training script takes it."""
    torch.manual_seed(0)
    network = timm.create_model(arch, num_classes=CLASSES).to(memory_format=layout).train()
    optimizer = create_optimizer_v2(network, opt="adamw", lr=1e-3, weight_decay=0.05)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.1)

    def step(pictures: Tensor, targets: Tensor) -> None:
        loss = loss_of(network(pictures.contiguous(memory_format=layout)), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


STEPS: dict[str, Callable[[str], Step]] = {
    "ours": ours,
    "timm": lambda arch: timms(arch, torch.contiguous_format),
    "timm, channels last": lambda arch: timms(arch, torch.channels_last),
}


def our_batches(data: Data, size: int, workers: int, samples: Any = None) -> Iterable[Any]:
    augment, preprocessing = Augment(area=(AREA, 1.0)), Preprocessing((size, size))
    task = Classify(data.labels)
    return task.batches(
        data.train if samples is None else samples,
        transform=task.training(preprocessing, augment),
        batch=BATCH,
        shuffle=True,
        workers=workers,
        least=augment.least(preprocessing),
    )


def timm_batches(data: Data, size: int, workers: int) -> Iterable[Any]:
    return create_loader(
        create_dataset("", root=str(data.root), is_training=True),
        input_size=(3, size, size),
        batch_size=BATCH,
        is_training=True,
        scale=(AREA, 1.0),
        color_jitter=None,
        interpolation="bilinear",
        num_workers=workers,
        device=torch.device("cpu"),
    )


def passing(batches: Iterable[Any], step: Step) -> Turn:
    """A whole pass, in images a second."""

    def run() -> float:
        began, count = time.perf_counter(), 0
        for pictures, targets in batches:
            step(pictures, targets)
            count += len(pictures)
        return count / (time.perf_counter() - began)

    return run


def waiting(batches: Iterable[Any], step: Step) -> float:
    """The share of a pass, from its second batch on, that is spent waiting for pictures."""
    source, waited, began = iter(batches), 0.0, 0.0
    for number in range(len(batches)):  # type: ignore[arg-type]
        asked = time.perf_counter()
        pictures, targets = next(source)
        if number:
            waited += time.perf_counter() - asked
        else:
            began = time.perf_counter()  # the start of a pass is paid once, not each batch
        step(pictures, targets)
    share = waited / (time.perf_counter() - began)
    assert next(source, None) is None
    return share


def in_turns(turns: dict[str, Turn], rounds: int) -> dict[str, list[float]]:
    """Images a second of each turn; a first round that warms up is not counted."""
    found: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds + 1):
        for name, turn in turns.items():
            found[name].append(turn())
    return {name: speeds[1:] for name, speeds in found.items()}


def judged(speeds: dict[str, list[float]], limit: float) -> dict[str, Any]:
    """Medians, and the median over the rounds of ours over the better of timm's in the same round."""
    rounds = zip(speeds["ours"], speeds["timm"], speeds["timm, channels last"], strict=True)
    ratios = [mine / max(plain, best) for mine, plain, best in rounds]
    ratio = statistics.median(ratios)
    medians = {name: round(statistics.median(found), 1) for name, found in speeds.items()}
    return {"images_per_second": medians, "ratio": round(ratio, 3), "rounds": [round(each, 3) for each in ratios]} | {
        "limit": limit,
        "met": ratio >= limit,
    }


def jpegs(folder: Path, size: int, pictures: int) -> Data:
    """Class folders of JPEGs; large ones are made by stretching real photographs."""
    root = folder / "pictures"
    if size <= 100:
        files = find_pictures(DATA / "sign_digits" / "train")
        chosen = files[:: max(1, len(files) // pictures)][:pictures]
        for file in chosen:
            target = root / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    else:
        files = [*(DATA / "bccd").rglob("*.jpg"), *(DATA / "photos").glob("*.jpg")]
        for number, file in enumerate(islice(sorted(files) * pictures, pictures)):
            target = root / str(number % CLASSES) / f"{number}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            if number < len(files):
                large(file).save(target, quality=90)
            else:
                earlier = number % len(files)
                target.write_bytes((root / str(earlier % CLASSES) / f"{earlier}.jpg").read_bytes())
    return read_data(root, validation=0.0)


def large(file: Path) -> Image.Image:
    with Image.open(file) as image:
        share = LARGE / min(image.size)
        return image.convert("RGB").resize([round(side * share) for side in image.size], Image.Resampling.BICUBIC)


def facts_of(data: Data) -> dict[str, Any]:
    with Image.open(data.train[0].file) as image:
        sides = image.size
    return {"count": len(data.train), "first": f"{sides[0]} x {sides[1]}"}


def machine() -> dict[str, Any]:
    return {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "load": round(os.getloadavg()[0], 1),
    }


if __name__ == "__main__":
    typer.run(main)
