"""Training, from top to bottom."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor

from mobilevision.data.dataset import Data
from mobilevision.data.loaders import Share
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.data.split import shown
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.base import Task
from mobilevision.tasks.catalog import check_data, read_task
from mobilevision.tasks.measure import measure
from mobilevision.train.chance import seed_step
from mobilevision.train.device import make_fabric
from mobilevision.train.feed import Feed, readers
from mobilevision.train.journal import Journal
from mobilevision.train.learner import Learner, make_learner
from mobilevision.train.memory import keep_memory
from mobilevision.train.parts import with_parts
from mobilevision.train.plan import Feeder, Plan, make_plan, prepared
from mobilevision.train.position import Clock, Habits, Position, Score, reduced
from mobilevision.train.progress import Display, Meter
from mobilevision.train.recipe import Recipe
from mobilevision.train.resume import Keeper, has_checkpoint, lengthened, told_if_unwritable
from mobilevision.train.schedule import learning_rate
from mobilevision.weights.save import save_weights

LARGEST = 256
"""Pictures measured at a time, at most: large steps are worked off in parts, evaluation is not."""


def fit(
    network: Network,
    data: Data | str | Path,
    *,
    task: str | Task = "classify",
    recipe: Recipe,
    to: str | Path,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    workers: int | None = None,
    habits: Habits | None = None,
) -> Run:
    """Train `network` in place, and leave a run behind; the best weights are in the run, the last in the network.

    A run that was stopped goes on from its last checkpoint, in the middle of an epoch, when `fit` is called again with
    the same facts; on a CPU, in one process, it ends with the weights it would have had, to the bit.

    Under torchrun every process calls this; they share each batch, and the first one writes.

    Args:
        network: fresh, or with weights to start from; its `preprocessing` is kept, but for what the recipe
            says of it.
        data: what `check` or `read_data` gives, or its source, which is checked.
        task: the task, or its name.
        recipe: how to train.
        to: the run's folder.
        seed: decides everything that is left to chance, but the weights the network comes with.
        device: "auto", "cpu", "cuda" or "mps".
        precision: "auto", "32", "bf16" or "16" (mixed); auto mixes on CUDA only, since it is slower on a CPU.
        workers: processes that read pictures; None has one for each core but one, at most 8.
        habits: how often to save, how long it may take, where else to log.

    Raises:
        UsageError: if the facts do not fit together, or the folder is in use or holds another training.
        InputError: if there is nothing to train on, or a picture can no longer be read.
        MissingError: if the device is not here, or cannot do what the recipe asks.
        MobilevisionError: if the loss is no longer a number, or the folder cannot be written.
    """
    fabric = make_fabric(device, precision)
    if fabric.device.type == "cpu":
        keep_memory()
    run = Run(Path(fabric.broadcast(str(to))))
    plan = make_plan(network, data, task=task, recipe=recipe, seed=seed)
    plan = with_parts(plan, network, fabric=fabric, run=run)
    with prepared(run, plan, on=fabric.is_global_zero):
        workers = readers() if workers is None else workers
        train(fabric, network, plan=plan, run=run, workers=workers, habits=habits or Habits())
    return run


def resume(
    folder: str | Path,
    data: str | Path | None = None,
    *,
    epochs: int | None = None,
    device: str = "auto",
    precision: str = "auto",
    workers: int | None = None,
    habits: Habits | None = None,
    feeding: Feeder | None = None,
) -> Run:
    """Go on with the training in `folder` as it was begun; one that has ended is left as it is.

    Args:
        folder: of the run.
        data: where the same pictures are now; None looks where they were.
        epochs: a longer schedule, or a shorter one that is not over yet; None keeps it.
        device: as for `fit`.
        precision: as for `fit`.
        workers: as for `fit`.
        habits: as for `fit`.
        feeding: what it was fed with beside its data: `Feeding.of(run)` of `mobilevision.compress.feeding`.

    Raises:
        UsageError: if the folder is not there or in use, the data is not what it was, or `epochs` are over already.
        InputError: if it holds no run, or no checkpoint in it is whole.
    """
    run = Run.open(folder)
    facts, seed = run.read("task"), run.read("environment")["seed"]
    task, preprocessing = read_task(facts), Preprocessing.read(facts["preprocessing"])
    network = Network(run.arch, task.outputs, channels=preprocessing.channels)
    network.preprocessing = preprocessing
    recipe = Recipe.read(run.read("recipe"))
    if not has_checkpoint(run.folder):
        raise InputError(f"{folder} was stopped before its first checkpoint; give the command that began it again")
    found = check_data(task.name, data or run.read("data")["source"], seed=seed)
    if feeding is not None:
        found, task = feeding.fed(found, task, network=network, recipe=recipe)
    return fit(
        network,
        found,
        task=task,
        recipe=recipe if epochs is None else lengthened(run, recipe, epochs),
        to=folder,
        seed=seed,
        device=device,
        precision=precision,
        workers=workers,
        habits=habits,
    )


def train(fabric: Fabric, network: Network, *, plan: Plan, run: Run, workers: int, habits: Habits) -> None:
    """Train to the end of the recipe, from the last checkpoint of `run` or from the start."""
    first, goal = fabric.is_global_zero, plan.recipe.best or plan.task.goal
    network.labels, network.preprocessing = plan.task.labels, plan.preprocessing
    plan.equip_(network)
    learner = make_learner(fabric, network, plan.recipe)
    feed = Feed(plan, workers=workers, share=Share(fabric.global_rank, fabric.world_size))
    keeper, clock = Keeper(run.folder, learner, habits=habits, on=first), Clock(fabric, habits.minutes)
    position, epochs = keeper.restored(), plan.recipe.passes(feed.steps)
    if plan.recipe.best and position == Position():
        score(validate(learner, plan, workers=workers), goal)  # so that an unknown metric is told now
    done = position.epoch * feed.steps + position.batch
    with (
        Journal(run, epochs=position.epoch, log=habits.log, on=first) as journal,
        Display(epochs * feed.steps, done=done, goal=goal, workers=workers, on=first) as display,
    ):
        while position.epoch < epochs and not tired(position, plan.recipe):
            began = perf_counter()
            position, facts = learn_epoch(learner, feed, position, keeper=keeper, clock=clock, display=display)
            if position.batch < feed.steps:
                display.say(f"the time is up in epoch {position.epoch + 1}; --resume {run.folder} goes on from there")
                break
            metrics = validate(learner, plan, workers=workers)
            position = position.scored(score(metrics, goal))
            if first and position.since == 0:
                keep_best(run, learner, metrics, epoch=position.epoch, goal=goal)
            facts |= numbers(metrics) | {"seconds": perf_counter() - began}
            journal.write(facts)
            display.epoch(facts)
            keeper.save(position)


def learn_epoch(
    learner: Learner, feed: Feed, position: Position, *, keeper: Keeper, clock: Clock, display: Display
) -> tuple[Position, dict[str, float]]:
    """Show the network every picture once, from `position` on; gives where it ends, and the facts of the epoch."""
    plan, fabric, meter = feed.plan, learner.fabric, Meter()
    weights = plan.task.weights(plan.data.train).to(fabric.device) if plan.recipe.balance == "weight" else None
    first, steps = position.epoch * feed.steps, plan.recipe.passes(feed.steps) * feed.steps
    for batch in meter.each(feed.epoch(position.epoch, start=position.batch)):
        step = first + position.batch
        rate = learning_rate(plan.recipe, step, steps)
        seed_step(plan.seed, step, process=fabric.global_rank)
        loss = slope(learner, feed, batch, weights=weights)
        if not math.isfinite(loss):
            raise no_number(loss, position, rate=rate, files=feed.files(position.epoch, position.batch))
        learner.step_(rate=rate, step=step)
        position = position.stepped(loss, feed.pictures)
        meter.add(feed.pictures)
        display.step(position.epoch + 1, meter)
        keeper.step(position)
        if clock.over():
            keeper.save(position)
            break
    done = first + position.batch
    facts = {"epoch": position.epoch + 1, "step": done, "train_loss": position.mean_loss}
    return position, facts | {"learning_rate": learning_rate(plan.recipe, done - 1, steps)} | meter.facts()


def slope(learner: Learner, feed: Feed, batch: Any, *, weights: Tensor | None) -> float:
    """Find the slope of the loss on a batch, part by part; gives the mean loss over all processes."""
    fabric, task, recipe = learner.fabric, feed.plan.task, feed.plan.recipe
    pictures, targets = fabric.to_device(batch)
    if feed.mixing:
        pictures, targets = feed.mixing.mixed(pictures, targets, outputs=task.outputs)
    total, parts = torch.zeros((), device=fabric.device), recipe.accumulate
    for part in range(parts):
        some, their = (pictures, targets) if parts == 1 else (pictures[part::parts], targets[part::parts])
        outputs = task.forward(learner.model, some.contiguous(memory_format=torch.channels_last))
        loss = task.loss(outputs, their, smoothing=recipe.smoothing, weights=weights) / parts
        learner.slope_(loss, last=part == parts - 1)
        total += loss.detach()
    return reduced(fabric, total, how="mean")


def validate(learner: Learner, plan: Plan, *, workers: int) -> dict[str, Any]:
    """The metrics of the averaged weights on the validation pictures; the first process measures for all."""
    metrics: dict[str, Any] = {}
    if learner.fabric.is_global_zero:
        metrics = measure(
            learner.scorer(),
            plan.data.validation,
            task=plan.task,
            preprocessing=plan.preprocessing,
            split="validation",
            batch=min(plan.recipe.batch, LARGEST),
            workers=workers,
        )
    told: dict[str, Any] = learner.fabric.broadcast(metrics)
    return told


def score(metrics: dict[str, Any], goal: str) -> Score:
    """What is compared between epochs: the metric `goal`, of a loss its negative, then the negative loss.

    Raises:
        UsageError: if there is no such metric.
    """
    known = numbers(metrics)
    if goal not in known:
        raise UsageError(f"there is no metric {goal!r} to choose the best weights by; there are {', '.join(known)}")
    return (-known[goal] if "loss" in goal else known[goal]), -known["loss"]


def keep_best(run: Run, learner: Learner, metrics: dict[str, Any], *, epoch: int, goal: str) -> None:
    """Keep the averaged weights and their metrics."""
    with told_if_unwritable(run.folder):
        save_weights(learner.average.network, run.best, {"epoch": epoch, goal: metrics[goal]})
        run.write("metrics", metrics)


def tired(position: Position, recipe: Recipe) -> bool:
    """Whether the recipe's patience is at its end."""
    return 0 < recipe.patience <= position.since


def no_number(loss: float, position: Position, *, rate: float, files: Sequence[str]) -> MobilevisionError:
    """The error for a loss that is none, with the pictures that gave it."""
    return MobilevisionError(
        f"the loss is {loss} in epoch {position.epoch + 1}, step {position.batch + 1}, at a learning rate of "
        f"{rate:.2g}; lower lr, set clip to 1, or use precision 32; look at these pictures: {shown(files)}"
    )


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics that are one number."""
    return {name: value for name, value in metrics.items() if isinstance(value, float)}
