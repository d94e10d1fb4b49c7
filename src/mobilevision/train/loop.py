"""Training, from top to bottom."""

from __future__ import annotations

import math
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader

from mobilevision.data.dataset import Data
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import MobilevisionError
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.tasks.base import Task
from mobilevision.tasks.catalog import read_task
from mobilevision.tasks.measure import measure
from mobilevision.train.chance import seed_step
from mobilevision.train.device import make_fabric
from mobilevision.train.feed import readers, training_batches
from mobilevision.train.journal import Journal
from mobilevision.train.learner import Learner, make_learner
from mobilevision.train.plan import Plan, make_plan
from mobilevision.train.progress import Display, Meter
from mobilevision.train.recipe import Recipe
from mobilevision.train.resume import load_checkpoint, save_checkpoint
from mobilevision.train.schedule import learning_rate
from mobilevision.weights.save import save_weights

Score = tuple[float, float]
"""The goal's metric and the negative loss: higher is better, and the loss decides where the metric is the same."""


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
) -> Run:
    """Train `network` in place, and leave a run behind; the best weights are in the run, the last in the network.

    A run that was stopped goes on from its last complete epoch when `fit` is called again with the same facts; on a
    CPU it ends with the weights it would have had, to the bit.

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

    Raises:
        UsageError: if the facts do not fit together, or the folder is in use or holds another training.
        InputError: if there is nothing to train on.
        MissingError: if the device is not here.
        MobilevisionError: if the loss is no longer a number.
    """
    fabric = make_fabric(device, precision)
    plan = make_plan(network, data, task=task, recipe=recipe, seed=seed)
    run = Run(Path(to))
    with run.locked():
        plan.begin(run)
        train(fabric, network, plan=plan, run=run, workers=readers() if workers is None else workers)
    return run


def resume(folder: str | Path, *, device: str = "auto", precision: str = "auto", workers: int | None = None) -> Run:
    """Go on with the training in `folder` as it was begun; one that has ended is left as it is.

    Raises:
        UsageError: if the folder is not there or in use, or the data is not what it was.
        InputError: if it holds no run, or no checkpoint in it is whole.
    """
    run = Run.open(folder)
    facts, source, seed = run.read("task"), run.read("data")["source"], run.read("environment")["seed"]
    task, preprocessing = read_task(facts), Preprocessing.read(facts["preprocessing"])
    network = Network(run.arch, task.outputs, channels=preprocessing.channels)
    network.preprocessing = preprocessing
    recipe = Recipe.read(run.read("recipe"))
    return fit(
        network,
        source,
        task=task,
        recipe=recipe,
        to=folder,
        seed=seed,
        device=device,
        precision=precision,
        workers=workers,
    )


def train(fabric: Fabric, network: Network, *, plan: Plan, run: Run, workers: int) -> None:
    """Train to the end of the recipe, from the last checkpoint of `run` or from the start."""
    goal = plan.task.goal
    network.labels, network.preprocessing = plan.task.labels, plan.preprocessing
    learner = make_learner(fabric, network, plan.recipe)
    batches = training_batches(plan, workers=workers)
    done, best = continued(learner, run)
    steps, epochs = len(batches), plan.recipe.passes(len(batches))
    with Journal(run, epochs=done) as journal, Display(epochs * steps, done=done * steps, goal=goal) as display:
        for epoch in range(done, epochs):
            began = perf_counter()
            facts = learn_epoch(learner, batches, plan=plan, epoch=epoch, display=display)
            metrics = validate(learner, plan, workers=workers)
            best = keep_best(run, learner, metrics, best=best, goal=goal, epoch=epoch + 1)
            facts |= numbers(metrics) | {"seconds": perf_counter() - began}
            journal.write(facts)
            display.epoch(facts)
            save_checkpoint(run.folder, learner.tensors(), {"epoch": epoch + 1, "best": best})


def learn_epoch(
    learner: Learner, batches: DataLoader[Any], *, plan: Plan, epoch: int, display: Display
) -> dict[str, float]:
    """Show the network every picture once; gives the facts of the epoch."""
    recipe, task, fabric = plan.recipe, plan.task, learner.fabric
    weights = task.weights(plan.data.train).to(fabric.device) if recipe.balance == "weight" else None
    steps, first, meter = recipe.passes(len(batches)) * len(batches), epoch * len(batches), Meter()
    batches.dataset.set_epoch(epoch)  # type: ignore[attr-defined]
    for step, (pictures, targets) in enumerate(meter.each(batches), start=first):
        seed_step(plan.seed, step)
        rate = learning_rate(recipe, step, steps)
        pictures, targets = fabric.to_device((pictures.contiguous(memory_format=torch.channels_last), targets))
        loss = task.loss(task.forward(learner.model, pictures), targets, smoothing=recipe.smoothing, weights=weights)
        meter.add(finite(loss, epoch=epoch + 1, step=step - first + 1, rate=rate), len(pictures))
        learner.learn_(loss, rate=rate, step=step)
        display.step(epoch + 1, meter)
    return {"epoch": epoch + 1, "step": first + len(batches), "learning_rate": rate} | meter.facts()


def validate(learner: Learner, plan: Plan, *, workers: int) -> dict[str, Any]:
    """The metrics of the averaged weights on the validation pictures."""
    return measure(
        learner.score,
        plan.data.validation,
        task=plan.task,
        preprocessing=plan.preprocessing,
        split="validation",
        batch=plan.recipe.batch,
        workers=workers,
    )


def continued(learner: Learner, run: Run) -> tuple[int, Score | None]:
    """Put `learner` where the run's last checkpoint was: the epochs done, and the best score so far."""
    checkpoint = load_checkpoint(run.folder)
    if checkpoint is None:
        return 0, None
    tensors, facts = checkpoint
    learner.restore_(tensors)
    return facts["epoch"], tuple(facts["best"])


def keep_best(
    run: Run, learner: Learner, metrics: dict[str, Any], *, best: Score | None, goal: str, epoch: int
) -> Score:
    """Keep the averaged weights and their metrics if none before did better; gives the best score."""
    score = (metrics[goal], -metrics["loss"])
    if best is not None and score <= best:
        return best
    save_weights(learner.average.network, run.best, {"epoch": epoch, goal: metrics[goal]})
    run.write("metrics", metrics)
    return score


def finite(loss: Tensor, *, epoch: int, step: int, rate: float) -> float:
    """The loss as a number.

    Raises:
        MobilevisionError: if it is none.
    """
    value = loss.item()
    if not math.isfinite(value):
        raise MobilevisionError(
            f"the loss is {value} in epoch {epoch}, step {step}, at a learning rate of {rate:.2g}; "
            "lower lr, set clip to 1, or use precision 32"
        )
    return value


def numbers(metrics: dict[str, Any]) -> dict[str, float]:
    """The metrics that are one number."""
    return {name: value for name, value in metrics.items() if isinstance(value, float)}
