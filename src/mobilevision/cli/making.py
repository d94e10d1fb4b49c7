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
    words,
)
from mobilevision.cli.sources import network_named
from mobilevision.cli.words import told_file, told_run
from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.run import Run
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
    out: Out = None,
    resume: Annotated[Path | None, typer.Option(metavar="RUN", help="Go on with a run as it was begun.")] = None,
    qat: Annotated[
        Path | None,
        typer.Option(metavar="RUN", help="Train a run on with int8's rounding inside; default --out: RUN-int8."),
    ] = None,
) -> Answer:
    """Train a network on checked data into a run folder.

    A training that was stopped goes on where it was: with --resume RUN, or with the same command and the same --out.
    """
    from mobilevision.build import summary
    from mobilevision.build import train as go

    if resume is not None:
        run = _resumed(resume, device=device, precision=precision)
    elif qat is not None:
        run = _rounded(qat, out, recipe, changes, epochs=epochs, batch=batch, device=device)
    elif data is None:
        raise UsageError("there is no DATA to train on; give it, --resume RUN or --qat RUN")
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
        )
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


def _resumed(folder: Path, *, device: str, precision: str) -> "Run":
    """A training that was stopped, to its end."""
    from mobilevision.compress.qat import resume as resume_rounded
    from mobilevision.deploy.rounded import is_rounded
    from mobilevision.train.loop import resume

    if is_rounded(folder):
        return resume_rounded(folder, device=device)
    return resume(folder, device=device, precision=precision)


def _rounded(
    run: Path,
    out: Path | None,
    recipe: str | None,
    changes: list[str] | None,
    *,
    epochs: int | None,
    batch: int | None,
    device: str,
) -> "Run":
    """A run trained on with its rounding inside."""
    from mobilevision.compress.qat import RECIPE, qat
    from mobilevision.train.recipes import find_recipe

    numbers = _changed(find_recipe(recipe) if recipe else RECIPE, changes, epochs=epochs, batch=batch)
    return qat(run, to=out or run.with_name(f"{run.name}-int8"), recipe=numbers, device=device)


def _recipe(
    name: str | None, weights: str | None, changes: list[str] | None, *, epochs: int | None, batch: int | None
) -> "Numbers":
    """The recipe that was named, or the one that fits, with the numbers that were given."""
    from mobilevision.train.recipes import find_recipe

    base = find_recipe(name or ("finetune" if weights else "scratch_small"))
    return _changed(base, changes, epochs=epochs, batch=batch)


def _changed(base: "Numbers", changes: list[str] | None, *, epochs: int | None, batch: int | None) -> "Numbers":
    """A recipe with the numbers that were given."""
    given: dict[str, str | float] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, for example --set lr=0.001, not {change!r}")
        given[key.strip()] = value.strip()
    given |= {key: value for key, value in (("epochs", epochs), ("batch", batch)) if value is not None}
    return base.changed(given)
