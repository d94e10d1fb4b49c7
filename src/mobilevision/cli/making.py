"""Verbs that make: build, export."""

from functools import partial
from typing import Annotated

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import (
    Arch,
    Batch,
    Changes,
    Device,
    Epochs,
    Formats,
    Loss,
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
from mobilevision.cli.recipes import asked_recipe
from mobilevision.cli.sources import network_named
from mobilevision.cli.words import told_file, told_run


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
    loss: Loss = None,
    out: Out = None,
) -> Answer:
    """Go the whole way: check, train, eval, export, prove, time, report.

    A build that was stopped goes on where it was when the same command is given again with the same --out.
    """
    from mobilevision.build import build as go
    from mobilevision.build import summary

    run = go(
        data,
        arch=network_named(arch),
        task=task,
        loss=loss,
        to=words(to),
        precision=words(precision),
        weights=weights,
        recipe=asked_recipe(recipe, weights, changes, task=task, epochs=epochs, batch=batch),
        out=out,
        seed=seed,
        device=device,
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
    ranges: Annotated[
        str, typer.Option(help="How they tell them: all that was seen (minmax), percentile, or least squares (mse).")
    ] = "minmax",
    mask_size: Annotated[
        str, typer.Option(metavar="input|8", help="Masks of input size, or scores for each 8 x 8 pixels (4, 16, 32).")
    ] = "input",
    pixels: Annotated[
        bool, typer.Option("--pixels", help="Files take a picture's bytes, 0 to 255: the preprocessing is inside.")
    ] = False,
    softmax: Annotated[bool, typer.Option("--softmax", help="Files give probabilities instead of scores.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Every anchor's box, none chosen: the report shows a decoder of a few lines.")
    ] = False,
    max_mb: Annotated[float | None, typer.Option(min=0, help="Megabytes that a file may have at most.")] = None,
) -> Answer:
    """Write a run's best weights as files for a phone, each proven against torch in its own runtime, and timed."""
    from mobilevision.build import timed
    from mobilevision.deploy import export as write
    from mobilevision.deploy.exporting import export_each
    from mobilevision.deploy.formats import wanted
    from mobilevision.deploy.interface import Interface
    from mobilevision.jobs.telling import tell
    from mobilevision.run import Run

    opened = Run.open(run)
    files, left_out = wanted(words(to), words(precision))
    for line in left_out:
        tell(line)
    one = partial(
        write,
        opened,
        floor=floor,
        calibrate=calibrate,
        ranges=ranges,
        max_mb=max_mb,
        mask_size=mask_size,
        interface=Interface(pixels=pixels, softmax=softmax, raw=raw),
    )
    made = [each.facts for each in export_each(files, lambda name, number: timed(one(name, precision=number)))]
    return Answer(made, "\n".join(map(told_file, made)))
