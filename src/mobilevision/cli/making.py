"""Verbs that make: build, train, export."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import (
    Arch,
    Batch,
    Changes,
    Device,
    Epochs,
    Formats,
    Out,
    Precisions,
    Recipe,
    RunFolder,
    Seed,
    Source,
    Task,
    Weights,
    Workers,
    words,
)
from mobilevision.cli.sources import network_named
from mobilevision.cli.words import told_file, told_run
from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.train.recipe import Recipe as Numbers


def build(
    data: Source,
    *,
    arch: Arch = "mobilenetv4_conv_small",
    task: Task = "classify",
    to: Formats = "litert,onnx",
    precision: Precisions = "fp32,int8",
    weights: Weights = None,
    recipe: Recipe = None,
    epochs: Epochs = None,
    batch: Batch = None,
    changes: Changes = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Out = None,
) -> Answer:
    """Go the whole way: check, train, eval, export, prove, time, report.

    A build that was stopped goes on where it was when the same command is given again with the same --out.
    """
    from mobilevision.build import build as go
    from mobilevision.build import summary

    run = go(
        data,
        arch=arch,
        task=task,
        to=words(to),
        precision=words(precision),
        weights=weights,
        recipe=_recipe(recipe, weights, changes, epochs=epochs, batch=batch),
        out=out,
        seed=seed,
        device=device,
    )
    facts = summary(run)
    return Answer(facts, told_run(facts))


def train(
    data: Annotated[str | None, typer.Argument(metavar="DATA", help="As for build; not needed with --resume.")] = None,
    *,
    arch: Arch = "mobilenetv4_conv_small",
    task: Task = "classify",
    weights: Weights = None,
    recipe: Recipe = None,
    epochs: Epochs = None,
    batch: Batch = None,
    changes: Changes = None,
    seed: Seed = 0,
    device: Device = "auto",
    precision: Annotated[str, typer.Option(help="auto, 32, bf16 or 16 (mixed).")] = "auto",
    workers: Workers = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run as it was begun, or for more --epochs.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long; --resume goes on. 0 has no limit.")] = 0.0,
    log: Annotated[str, typer.Option(help="Where to write curves too, separated by commas: mlflow, wandb.")] = "",
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Try learning rates, and train nothing.")] = False,
) -> Answer:
    """Train a network on checked data into a run folder.

    A training that was stopped goes on where it was: with --resume RUN, or with the same command and the same --out.
    Started by torchrun, several processes share each batch.
    """
    from mobilevision.build import summary
    from mobilevision.build import train as go
    from mobilevision.train.device import leads
    from mobilevision.train.loop import resume as go_on
    from mobilevision.train.position import Habits

    habits = Habits(minutes=minutes, log=words(log))
    if resume is not None:
        run = go_on(resume, data, epochs=epochs, device=device, precision=precision, workers=workers, habits=habits)
    elif data is None:
        raise UsageError("there is no DATA to train on; give it, or --resume RUN")
    elif find_lr:
        numbers = _recipe(recipe, weights, changes, epochs=epochs, batch=batch)
        return _tried(data, arch, task=task, weights=weights, recipe=numbers, seed=seed, device=device, workers=workers)
    else:
        run = go(
            data,
            arch=network_named(arch),
            task=task,
            weights=weights,
            recipe=_recipe(recipe, weights, changes, epochs=epochs, batch=batch),
            out=out,
            seed=seed,
            device=device,
            precision=precision,
            workers=workers,
            habits=habits,
        )
    if not leads():  # one of several processes tells
        raise typer.Exit
    facts = summary(run)
    return Answer(facts, told_run(facts))


def export(
    run: RunFolder,
    *,
    to: Formats = "litert,onnx",
    precision: Precisions = "fp32,int8",
    floor: Annotated[float, typer.Option(help="Points of accuracy that an int8 file may lose.")] = 1.0,
    calibrate: Annotated[int, typer.Option(metavar="N", help="Training pictures that tell int8's ranges.")] = 128,
    max_mb: Annotated[float | None, typer.Option(min=0, help="Megabytes that a file may have at most.")] = None,
) -> Answer:
    """Write a run's best weights as files for a phone, each proven against torch in its own runtime, and timed."""
    from mobilevision.build import tell, timed
    from mobilevision.deploy import export as write
    from mobilevision.deploy.exporting import export_each
    from mobilevision.deploy.formats import wanted
    from mobilevision.run import Run

    opened = Run.open(run)
    files, left_out = wanted(words(to), words(precision))
    for line in left_out:
        tell(line)
    one = partial(write, opened, floor=floor, calibrate=calibrate, max_mb=max_mb)
    made = [each.facts for each in export_each(files, lambda name, number: timed(one(name, precision=number)))]
    return Answer(made, "\n".join(map(told_file, made)))


def _tried(
    data: str,
    arch: str,
    *,
    task: str,
    weights: str | None,
    recipe: "Numbers",
    seed: int,
    device: str,
    workers: int | None,
) -> Answer:
    """The learning rate at which the loss falls fastest."""
    from mobilevision.build import starting
    from mobilevision.tasks.catalog import check_data
    from mobilevision.train.range_test import find_lr

    checked = check_data(task, data, seed=seed)
    network = starting(network_named(arch), len(checked.labels), task=task, weights=weights, seed=seed)
    found = find_lr(network, checked, task=task, recipe=recipe, seed=seed, device=device, workers=workers)
    return Answer(
        found.facts(), f"the loss falls fastest at a learning rate of {found.lr:.2g}: --set lr={found.lr:.2g}"
    )


def _recipe(
    name: str | None, weights: str | None, changes: list[str] | None, *, epochs: int | None, batch: str | None
) -> "Numbers":
    """The recipe that was named, or the one that fits, with the numbers that were given."""
    from mobilevision.train.recipes import find_recipe

    given: dict[str, str | float] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, for example --set lr=0.001, not {change!r}")
        given[key.strip()] = value.strip()
    sized = ("accumulate", 0) if batch == "auto" else ("batch", batch)
    given |= {key: value for key, value in (("epochs", epochs), sized) if value is not None}
    return find_recipe(name or ("finetune" if weights else "scratch_small")).changed(given)
