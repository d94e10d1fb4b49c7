"""The verb that trains: from the start, on from a stop, with int8's rounding inside, or to find a learning rate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import (
    Arch,
    Batch,
    Cache,
    Changes,
    Device,
    Distilled,
    Epochs,
    Loss,
    Out,
    Recipe,
    Seed,
    Soft,
    Task,
    Teacher,
    TeacherWeights,
    Temperature,
    Weights,
    Workers,
    words,
)
from mobilevision.cli.recipes import asked_recipe, changed
from mobilevision.cli.resuming import refuse_unheeded
from mobilevision.cli.sources import network_named
from mobilevision.cli.words import told_run
from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.run import Run
    from mobilevision.train.position import Habits
    from mobilevision.train.recipe import Recipe as Numbers


GOING_ON = ("data", "resume", "epochs", "device", "precision", "workers", "minutes", "log", "json")
"""What may stand beside --resume; the rest is as the run was begun."""

ROUNDED_ON = ("resume", "epochs", "device", "workers", "minutes", "log", "json")
"""The same for a run with int8's rounding inside, whose data are those of the run it started from."""

ROUNDING = ("qat", "out", "recipe", "epochs", "batch", "changes", "device", "workers", "minutes", "log", "json")
"""What may stand beside --qat; the rest is as the run was trained."""


def train(
    context: typer.Context,
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
    loss: Loss = None,
    out: Out = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Go on with a run as it was begun, or for more --epochs.")
    ] = None,
    qat: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Train a run on with int8's rounding inside; default --out: RUN-int8."),
    ] = None,
    minutes: Annotated[float, typer.Option(min=0, help="Stop after so long; --resume goes on. 0 has no limit.")] = 0.0,
    log: Annotated[str, typer.Option(help="Where to write curves too, separated by commas: mlflow, wandb.")] = "",
    find_lr: Annotated[bool, typer.Option("--find-lr", help="Try learning rates, and train nothing.")] = False,
    cache: Cache = False,
    distilled: Distilled = "",
    teacher: Teacher = "",
    teacher_weights: TeacherWeights = None,
    temperature: Temperature = 1.0,
    soft: Soft = 1.0,
) -> Answer:
    """Train a network on checked data into a run folder.

    A training that was stopped goes on where it was: with --resume RUN, or with the same command and the same --out.
    Started by torchrun, several processes share each batch.
    """
    from mobilevision.build import summary
    from mobilevision.build import train as go
    from mobilevision.compress.feeding import Feeding
    from mobilevision.deploy.rounded import is_rounded
    from mobilevision.jobs.telling import leads
    from mobilevision.train.position import Habits

    habits = Habits(minutes=minutes, log=words(log))
    if resume is not None:
        refuse_unheeded(context, ROUNDED_ON if is_rounded(resume) else GOING_ON)
        run = _resumed(resume, data, epochs=epochs, device=device, precision=precision, workers=workers, habits=habits)
    elif qat is not None:
        refuse_unheeded(context, ROUNDING, why="--qat trains a run on with its network, task, data and seed")
        run = _rounded(
            qat,
            out,
            recipe,
            changes,
            epochs=epochs,
            batch=batch,
            device=device,
            workers=workers,
            habits=habits,
        )
    elif data is None:
        raise UsageError("there is no DATA to train on; give it, --resume RUN or --qat RUN")
    elif find_lr:
        numbers = asked_recipe(recipe, weights, changes, task=task, epochs=epochs, batch=batch)
        return _tried(
            data,
            arch,
            task=task,
            loss=loss,
            weights=weights,
            recipe=numbers,
            seed=seed,
            device=device,
            workers=workers,
        )
    else:
        run = go(
            data,
            arch=network_named(arch),
            task=task,
            loss=loss,
            weights=weights,
            recipe=asked_recipe(recipe, weights, changes, task=task, epochs=epochs, batch=batch),
            out=out,
            seed=seed,
            device=device,
            precision=precision,
            workers=workers,
            habits=habits,
            feeding=Feeding(cache, distilled, teacher, teacher_weights, temperature, soft),
        )
    if not leads():  # one of several processes tells
        raise typer.Exit
    facts = summary(run)
    return Answer(facts, told_run(facts))


def _resumed(
    folder: Path,
    data: str | None,
    *,
    epochs: int | None,
    device: str,
    precision: str,
    workers: int | None,
    habits: "Habits",
) -> "Run":
    """A training that was stopped, to its end."""
    from mobilevision.compress.feeding import Feeding
    from mobilevision.compress.qat import resume as resume_rounded
    from mobilevision.deploy.rounded import is_rounded
    from mobilevision.run import Run
    from mobilevision.train.loop import resume

    if is_rounded(folder):
        return resume_rounded(folder, epochs=epochs, device=device, workers=workers, habits=habits)
    return resume(
        folder,
        data,
        epochs=epochs,
        device=device,
        precision=precision,
        workers=workers,
        habits=habits,
        feeding=Feeding.of(Run.open(folder)),
    )


def _rounded(
    run: Path,
    out: Path | None,
    recipe: str | None,
    changes: list[str] | None,
    *,
    epochs: int | None,
    batch: str | None,
    device: str,
    workers: int | None,
    habits: "Habits",
) -> "Run":
    """A run trained on with its rounding inside."""
    from mobilevision.compress.qat import RECIPE, qat
    from mobilevision.train.recipes import find_recipe

    numbers = changed(find_recipe(recipe) if recipe else RECIPE, changes, epochs=epochs, batch=batch)
    to = out or run.with_name(f"{run.name}-int8")
    return qat(run, to=to, recipe=numbers, device=device, workers=workers, habits=habits)


def _tried(
    data: str,
    arch: str,
    *,
    task: str,
    loss: str | None,
    weights: str | None,
    recipe: "Numbers",
    seed: int,
    device: str,
    workers: int | None,
) -> Answer:
    """The learning rate at which the loss falls fastest."""
    from mobilevision.build import starting
    from mobilevision.tasks.catalog import check_data, make_task
    from mobilevision.train.range_test import find_lr

    checked = check_data(task, data, seed=seed)
    asked = make_task(task, checked.labels, multilabel=checked.multilabel, loss=loss)
    network = starting(network_named(arch), asked.outputs, task=task, weights=weights, seed=seed, init=recipe.init)
    found = find_lr(network, checked, task=asked, recipe=recipe, seed=seed, device=device, workers=workers)
    return Answer(
        found.facts(), f"the loss falls fastest at a learning rate of {found.lr:.2g}: --set lr={found.lr:.2g}"
    )
