"""How fast training steps and training from JPEG folders are, beside timm's own loader and step.

Ours, timm as it is by default, timm at its best (channels last), and that with our memory and threads, take turns in
one run, each in a process of its own, so that the machine's mood hits all alike and none sees another's memory. Same
network, batch, crop and flip, workers; AdamW, each side's own. On timm's sides torch's threads wait for each other as
torch has it, on ours as the command tells them. A turn of "folder" is a whole pass over the pictures, from the start of
its workers' work to the last step; "kept" is the share of a pass of ours, from its second batch on, that waits for
pictures.

    python benchmarks/train_throughput.py --minutes 9 --json train_throughput.json --page train_throughput.md

Each part is kept as it is done, and takes one to six minutes; the same command goes on with those that are left.

At 96 pixels the pictures are sign_digits' (100 pixels); at 224 they are BCCD's and the sample photographs, made larger
(short side 960) since no larger ones are at hand: as large as photographs from the web, and nothing but JPEG.
"""

import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Annotated, Any

import timm
import torch
import typer
from PIL import Image
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from torch import Tensor, nn

from mobilevision.cli.app import TORCH
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
from mobilevision.train.memory import keep_memory
from mobilevision.train.recipes import scratch_small
from parts import Parts, environment, paragraph

AREA, BATCH, CLASSES, LARGE, WORKERS = 0.35, 32, 10, 960, 1
ARCHS, SIZES = ("mobilenetv2_100", "mobilenetv4_conv_small"), (96, 224)
PICTURES, STEPS, ROUNDS = 320, 5, 5  # pictures of a pass, steps of a turn, turns that count
STEP, FOLDER, WAIT = 0.97, 1.2, 0.05  # ours over timm's best, twice; a share of the time
Step = Callable[[Tensor, Tensor], None]
Turn = Callable[[], float]
DATA = Path(os.environ.get("MOBILEVISION_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))


def main(
    minutes: Annotated[float, typer.Option(help="After which no further part is begun.")] = 9.0,
    only: Annotated[str, typer.Option(help="Parts that have this in their name: step, folder, kept, a network.")] = "",
    to: Annotated[Path, typer.Option("--json", help="Where the parts are kept.")] = Path("train_throughput.json"),
    page: Annotated[Path, typer.Option(help="Where the tables are written.")] = Path("train_throughput.md"),
) -> None:
    """Do the parts that are left, write the tables of those that are done, and fail where a limit is missed."""
    parts = Parts(to, minutes=minutes)
    for name in parts.left([name for name in PARTS if only in name]):
        with tempfile.TemporaryDirectory() as folder:
            parts.keep(name, {"timm": timm.__version__, **PARTS[name](Path(folder))})
    page.write_text(written(parts.known), encoding="utf-8")
    print(page.read_text(encoding="utf-8"))
    if not all(facts["met"] for facts in parts.known.values()):
        raise typer.Exit(1)


def steps(folder: Path, *, arch: str, size: int) -> dict[str, Any]:
    """Steps alone, on a batch that is there."""
    return judged(in_turns({side: partial(stepping, side, arch, size) for side in SIDES}, told=AS_IT_COMES), STEP)


def folders(folder: Path, *, arch: str, size: int) -> dict[str, Any]:
    """From class folders of JPEGs to the end of the last step."""
    data = jpegs(folder, size)
    speeds = in_turns({side: partial(passing, side, arch, size, data.root) for side in SIDES}, told=AS_IT_COMES)
    with Image.open(data.train[0].file) as image:
        return judged(speeds, FOLDER) | {"pictures": len(data.train), "first_picture": list(image.size)}


def kept(folder: Path, *, arch: str, size: int) -> dict[str, Any]:
    """From files, from a cache and from shards: the share of the time that the network waits for pictures."""
    data = jpegs(folder, size)
    side = round(ENLARGED * size)
    shard(data, folder / "shards", side=side)
    cached(Album.of(data.train), folder / "cache", side=side)
    waits = in_turns({kind: partial(waiting, kind, arch, size, folder) for kind in SOURCES}, told={})
    shares = {kind: round(statistics.median(each), 4) for kind, each in waits.items()}
    return {"data_wait": shares, "limit": WAIT, "met": max(shares["cache"], shares["shards"]) < WAIT}


PARTS = {
    f"{name} {arch} {size}": partial(part, arch=arch, size=size)
    for name, part in (("step", steps), ("folder", folders), ("kept", kept))
    for size in SIZES
    for arch in ARCHS
}


def ours(arch: str) -> Step:
    """Our step, average of the weights and all."""
    keep_memory()
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


def timms_with_our_memory(arch: str) -> Step:
    keep_memory()
    return timms(arch, torch.channels_last)


SIDES: dict[str, Callable[[str], Step]] = {
    "ours": ours,
    "timm": partial(timms, layout=torch.contiguous_format),
    "timm, channels last": partial(timms, layout=torch.channels_last),
    "the same, our memory and threads": timms_with_our_memory,  # what is due to that alone; not what ours is judged by
}
AS_IT_COMES: dict[str, dict[str, str]] = {"timm": {}, "timm, channels last": {}}
"""Who is told nothing before torch starts; all others have what the command tells it."""


def our_batches(data: Data, samples: Any, size: int) -> Iterable[Any]:
    augment, preprocessing = Augment(area=(AREA, 1.0)), Preprocessing((size, size))
    task = Classify(data.labels)
    return task.batches(
        samples,
        transform=task.training(preprocessing, augment),
        batch=BATCH,
        shuffle=True,
        workers=WORKERS,
        least=augment.least(preprocessing),
    )


def timm_batches(root: Path, size: int) -> Iterable[Any]:
    return create_loader(
        create_dataset("", root=str(root), is_training=True),
        input_size=(3, size, size),
        batch_size=BATCH,
        is_training=True,
        scale=(AREA, 1.0),
        color_jitter=None,
        interpolation="bilinear",
        num_workers=WORKERS,
        device=torch.device("cpu"),
    )


def stepping(side: str, arch: str, size: int) -> Turn:
    """Turns of a few steps, in pictures a second."""
    step, x, y = SIDES[side](arch), torch.randn(BATCH, 3, size, size), torch.randint(CLASSES, (BATCH,))

    def turn() -> float:
        began = time.perf_counter()
        for _ in range(STEPS):
            step(x, y)
        return STEPS * BATCH / (time.perf_counter() - began)

    return turn


def passing(side: str, arch: str, size: int, root: Path) -> Turn:
    """Turns of a whole pass, in pictures a second."""
    step, data = SIDES[side](arch), read_data(root, validation=0.0)
    batches = our_batches(data, data.train, size) if side == "ours" else timm_batches(root, size)

    def turn() -> float:
        began, count = time.perf_counter(), 0
        for pictures, targets in batches:
            step(pictures, targets)
            count += len(pictures)
        return count / (time.perf_counter() - began)

    return turn


SOURCES: dict[str, Callable[[Path, int], Any]] = {
    "files": lambda folder, side: read_data(folder / "pictures", validation=0.0).train,
    "cache": lambda folder, side: cached(
        Album.of(read_data(folder / "pictures", validation=0.0).train), folder / "cache", side=side
    ),
    "shards": lambda folder, side: read_data(folder / "shards", validation=0.0).train,
}


def waiting(kind: str, arch: str, size: int, folder: Path) -> Turn:
    """Turns of a pass of ours: the share of it, from its second batch on, that is spent waiting for pictures."""
    step, data = ours(arch), read_data(folder / "pictures", validation=0.0)
    batches = our_batches(data, SOURCES[kind](folder, round(ENLARGED * size)), size)

    def turn() -> float:
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

    return turn


def in_turns(make: dict[str, Callable[[], Turn]], *, told: Mapping[str, Mapping[str, str]]) -> dict[str, list[float]]:
    """What each gives in `ROUNDS` rounds, each in its process, one at a time; a first round warms up.

    Args:
        make: makes what takes the turns, in the process, by name.
        told: the environment of those that are told something else than the command tells torch.
    """
    context = multiprocessing.get_context("spawn")
    found: dict[str, list[float]] = {name: [] for name in make}
    ends, processes = {}, []
    for name, maker in make.items():
        ends[name], other = context.Pipe()
        processes.append(context.Process(target=serve, args=(other, maker)))
        with environment(told.get(name, TORCH)):
            processes[-1].start()
        other.close()  # a process that dies is told then, not waited for
        ends[name].recv()  # made
    for _ in range(1 + ROUNDS):
        for name, end in ends.items():
            end.send(True)
            found[name].append(end.recv())
    for end, process in zip(ends.values(), processes, strict=True):
        end.send(False)
        process.join()
    return {name: each[1:] for name, each in found.items()}


def serve(end: Connection, make: Callable[[], Turn]) -> None:
    """Take a turn whenever it is asked for."""
    turn = make()
    end.send(True)
    while end.recv():
        end.send(turn())


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


def jpegs(folder: Path, size: int) -> Data:
    """Class folders of JPEGs; large ones are made by stretching real photographs."""
    root = folder / "pictures"
    if size <= 100:
        files = find_pictures(DATA / "sign_digits" / "train")
        for file in files[:: max(1, len(files) // PICTURES)][:PICTURES]:
            target = root / file.parent.name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    else:
        files = [*(DATA / "bccd").rglob("*.jpg"), *(DATA / "photos").glob("*.jpg")]
        for number, file in enumerate(islice(sorted(files) * PICTURES, PICTURES)):
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


def written(known: dict[str, dict[str, Any]]) -> str:
    """The page."""
    where = next(iter(known.values()))
    machine = where["machine"]
    loads = [facts["machine"]["load"] for facts in known.values()]
    told = "# How fast a training is (`benchmarks/train_throughput.py`)\n\n" + paragraph(
        f"""Beside timm {where["timm"]}: pictures a second, medians of {ROUNDS} turns; the ratio is the median, over the
        rounds, of ours by the better of timm's (its defaults, and channels last) in the same round. Batch {BATCH},
        {WORKERS} worker, each side in a process of its own, in turns. {machine["processor"]}, {machine["cores"]} cores,
        torch {machine["torch"]}, {where["date"]}, load {min(loads)} to {max(loads)}."""
    )
    speeds = [line(name, facts) for name, facts in known.items() if "ratio" in facts]
    waits = [waited(name, facts) for name, facts in known.items() if "data_wait" in facts]
    names = " | ".join(SIDES)
    return told + (
        f"| | {names} | ratio | at least | |\n|---|{'---|' * len(SIDES)}---|---|---|\n{''.join(speeds)}\n"
        "The share of the time that the network waits for pictures:\n\n"
        f"| | files | cache | shards | at most, for cache and shards | |\n|---|---|---|---|---|---|\n{''.join(waits)}"
    )


def line(name: str, facts: dict[str, Any]) -> str:
    speeds = " | ".join(f"{facts['images_per_second'][side]}" for side in SIDES)
    return f"| {name} | {speeds} | {facts['ratio']:.3f} | {facts['limit']} | {verdict(facts)} |\n"


def waited(name: str, facts: dict[str, Any]) -> str:
    shares = " | ".join(f"{100 * facts['data_wait'][kind]:.1f} %" for kind in SOURCES)
    return f"| {name} | {shares} | {100 * facts['limit']:.0f} % | {verdict(facts)} |\n"


def verdict(facts: dict[str, Any]) -> str:
    return "reached" if facts["met"] else "short"


if __name__ == "__main__":
    typer.run(main)
