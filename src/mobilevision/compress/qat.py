"""Training with the rounding inside, for networks that lose too much in 8 bits (arXiv:1712.05877, section 3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mobilevision.deploy.equalize import equalize_
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.ranges import Rounding, find_estimator
from mobilevision.deploy.rounded import ROUNDING, is_rounded, need_torchao
from mobilevision.deploy.shown import calibration_pictures, run_data
from mobilevision.errors import UsageError
from mobilevision.files import sha256
from mobilevision.models import Model, open_model
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.catalog import read_task
from mobilevision.tasks.classify import Classify
from mobilevision.train.loop import fit
from mobilevision.train.position import Habits
from mobilevision.train.recipe import Recipe
from mobilevision.train.recipes import finetune
from mobilevision.train.resume import has_checkpoint, lengthened

RECIPE = replace(
    finetune,
    name="rounding",
    epochs=4,
    least_steps=150,
    size=0,
    crop=0.0,
    lr=2e-4,
    weight_decay=0.0,
    clip=1.0,
    average=0.98,
    dropout=0.0,
    area=0.7,
)
"""A few epochs at a low rate: the network is trained already and learns to live with its rounding."""


def qat(
    run: Run | str | Path,
    *,
    to: str | Path,
    recipe: Recipe = RECIPE,
    calibrate: int = 128,
    ranges: str = "mse",
    device: str = "auto",
    workers: int | None = None,
    habits: Habits | None = None,
) -> Run:
    """Train a run's network on with its rounding inside, into a run of its own that `export` writes in 8 bits.

    Norms are folded and channels made alike first, and the ranges of all maps are calibrated; then weights, biases and
    ranges learn in the same loop as ever, on the same pictures, with the same split. Asked for again with the same
    facts, one that was stopped goes on.

    Args:
        run: the trained run, or its folder.
        to: the new run's folder.
        recipe: how to train.
        calibrate: training pictures that tell the ranges to start from.
        ranges: how they tell them: "mse", "percentile" or "minmax".
        device: "auto", "cpu", "cuda" or "mps".
        workers: as for `fit`.
        habits: as for `fit`.

    Raises:
        UsageError: if the run is not there, tells no classes or has its rounding inside already, or `to` holds another
            training.
        InputError: if its weights or its data cannot be read.
        MissingError: if torchao is not installed, with the pip command.
    """
    need_torchao()
    start = run if isinstance(run, Run) else Run.open(run)
    if is_rounded(start.folder):
        raise UsageError(f"{start.folder} was trained with its rounding inside; give the run it started from")
    estimator, task = find_estimator(ranges), read_task(start.read("task"))
    if not isinstance(task, Classify):
        raise UsageError(
            f"{start.folder} was trained to {task.name}, and only what tells classes is trained with its rounding "
            "inside; export --precision int8 rounds it as it is"
        )
    model, data = open_model(start.folder), run_data(start)
    shown = calibration_pictures(data, model, count=calibrate)
    facts = {"start": str(start.folder.resolve()), "calibrate": calibrate, "ranges": ranges}
    _begin(Run(Path(to)), facts | {"start_sha256": sha256(start.best)})
    network = integer_form(deployable(model.network))
    equalize_(network, shown)
    return fit(
        _rounded(network, model, shown, Rounding(estimator)),
        data,
        task=task,
        recipe=recipe,
        to=to,
        seed=start.read("environment")["seed"],
        device=device,
        precision="32",
        workers=workers,
        habits=habits,
    )


def resume(
    folder: str | Path,
    *,
    epochs: int | None = None,
    device: str = "auto",
    workers: int | None = None,
    habits: Habits | None = None,
) -> Run:
    """Go on with such a training as it was begun; one that has ended is left as it is.

    Args:
        folder: of the run.
        epochs: a longer schedule, or a shorter one that is not over yet; None keeps it.
        device: as for `fit`.
        workers: as for `fit`.
        habits: as for `fit`.

    Raises:
        UsageError: if the run it started from is gone or is another by now, or `epochs` are over already.
        InputError: if it holds no run, or no checkpoint in it is whole.
    """
    run = Run.open(folder)
    facts, recipe = run.read(ROUNDING), Recipe.read(run.read("recipe"))
    return qat(
        facts["start"],
        to=folder,
        recipe=recipe if epochs is None else lengthened(run, recipe, epochs),
        calibrate=facts["calibrate"],
        ranges=facts["ranges"],
        device=device,
        workers=workers,
        habits=habits,
    )


def _begin(run: Run, facts: dict[str, Any]) -> None:
    """Write what a training starts from; one that stands there must have started from the same.

    Raises:
        UsageError: if another training stands there.
    """
    stands = run.read(ROUNDING) if run.has(ROUNDING) else None
    if has_checkpoint(run.folder) and stands != facts:
        odd = next((name for name in facts if stands is None or stands.get(name) != facts[name]), "start")
        raise UsageError(f"{run.folder} holds a training with another {odd}; choose another folder")
    run.write(ROUNDING, facts)


def _rounded(network: Network, model: Model, shown: Tensor, how: Rounding) -> Network:
    """The network with its rounding inside, over calibrated ranges."""
    from mobilevision.deploy.rounding import rounded_network, settle_

    rounded = rounded_network(network, model.preprocessing.size)
    settle_(rounded.program, shown, how)
    rounded.labels, rounded.preprocessing = model.labels, model.preprocessing
    return rounded
