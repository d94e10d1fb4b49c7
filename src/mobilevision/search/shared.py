"""TuNAS as a session: shared weights on the user's pictures, kept on disk, priced by a table, checked by measuring."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader

from mobilevision.architecture import Arch
from mobilevision.compress.mixture import Replayed, open_replicas
from mobilevision.data.dataset import Data
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.files import write_json, writing_folder
from mobilevision.search.evaluate import Evaluator
from mobilevision.search.liked import liked_by_policy
from mobilevision.search.session import Session
from mobilevision.search.space import Drawn
from mobilevision.search.supernet import Supernet
from mobilevision.search.tunas import Batch, Progress, Recipe, Tunas, accuracy
from mobilevision.tasks.base import Task
from mobilevision.tasks.catalog import task_for
from mobilevision.train.feed import augmentation
from mobilevision.train.recipe import Recipe as Training

TOLD = 100
"""Steps between two lines that tell how far the search is."""
LIKELY = 256
"""Networks among which one is found: the most likely choices and others that the policy draws."""
TRAVEL = 15.0
"""How far a logit can go in a whole search; the authors' rate and 90 epochs of ImageNet give about as much."""


@dataclass(frozen=True)
class Pictures:
    """The pictures of a search, as batches.

    Attributes:
        train: for the shared weights.
        reward: for the policy, of other pictures.
        smoothing: share of the target that is spread over all classes.
        task: what is asked of the networks while their weights learn.
    """

    train: DataLoader[Any]
    reward: DataLoader[Any]
    smoothing: float
    task: Any


def make_pictures(data: Data, *, task: str, training: Training, size: int, seed: int, distilled: str = "") -> Pictures:
    """Batches for a search: weights learn on the training pictures, the policy on the validation pictures.

    Args:
        data: test pictures are not touched.
        task: what is asked.
        training: tells the batch and the augmentation.
        size: side of the pictures, in pixels.
        seed: of order and augmentation.
        distilled: folders of replicas with their ratios, as "D1:1,D2:2", whose teacher's labels the weights learn from
            in place of the training pictures; "" takes these. The policy is rewarded by the pictures' own labels.

    Raises:
        UsageError: if there is no such folder, or the task has no replicas.
        InputError: if a folder holds no replicas, or the teacher had other classes.
    """
    asked = task_for(task, data)
    if distilled and (task != "classify" or data.multilabel):
        raise UsageError("a teacher's replicas have one label a picture, for the task classify; leave --distilled out")
    taught: Task = Replayed(asked, open_replicas(distilled, data.labels)) if distilled else asked
    seen, augment = Preprocessing(size=(size, size), crop=1.0), augmentation(training)
    train = taught.batches(
        data.train,
        transform=taught.training(seen, augment),
        batch=training.batch,
        shuffle=True,
        seed=seed,
        least=augment.least(seen),
    )
    reward = asked.batches(
        data.validation, transform=asked.evaluation(seen), batch=4 * training.batch, shuffle=True, seed=seed
    )
    return Pictures(train, reward, training.smoothing, taught)


def make_recipe(steps: int, *, batch: int) -> Recipe:
    """TuNAS's numbers for a search of so many steps: learning rates as the batch and the length ask."""
    growth = Recipe(steps).policy_growth
    mean = (growth - 1) / torch.tensor(growth).log().item() * (1 - Recipe(steps).policy_quiet)
    return Recipe(steps, lr=0.165 * batch / 256, policy_lr=TRAVEL / (mean * steps), keep=max(1, min(500, steps // 10)))


def run_tunas(session: Session, pictures: Pictures, recipe: Recipe, evaluator: Evaluator) -> dict[str, Any]:
    """Search to the end of the recipe, from where the session is, and write the network found.

    Shared weights tell networks apart roughly (a short search's policy is not sure of one), so some likely networks,
    `numbers["finalists"]` of them, are trained by themselves at the end, and the one that earns most is found.

    Args:
        session: the search.
        pictures: for weights and policy.
        recipe: every number of the search.
        evaluator: judges the finalists, if there are several.

    Raises:
        InputError: if the kept state is of another space.
        MobilevisionError: if the loss is no longer a number.
    """
    torch.manual_seed(session.brief.seed)
    supernet = Supernet(session.space, session.brief.outputs)
    search = Tunas(session.space, supernet, recipe, seed=session.brief.seed)
    restore_(search, session.folder / "state")
    latency = session.latency
    steps = search.search(
        stream(pictures.train, search.step),
        stream(pictures.reward, search.step),
        prices=session.costs,
        reward=session.reward,
        loss=lambda scores, targets: pictures.task.loss(scores, targets, smoothing=pictures.smoothing),
        accuracy=accuracy,
        measure=latency.measured if latency else None,
    )
    for progress in charged(session, steps):
        if progress.kept:
            keep(progress.kept, session.folder / "state")
        if progress.step % TOLD == 0:
            session.say(_told(session, progress, recipe))
    return concluded(search, session, pictures, evaluator)


def concluded(search: Tunas, session: Session, pictures: Pictures, evaluator: Evaluator) -> dict[str, Any]:
    """Choose the network of a policy that has learned, and write it with all about it."""
    likely = search.likely(LIKELY)
    if session.latency:
        session.latency.know([drawn.arch for drawn in likely])
    most = session.brief.numbers.get("finalists", 1)
    finalists = search.landed(likely, session.costs, session.reward, count=most)
    points = judged(finalists, search, session, evaluator) if len(finalists) > 1 else []
    best = max(points, key=lambda point: float(point["reward"])) if points else {"digest": finalists[0].arch.digest}
    found = next(each for each in finalists if each.arch.digest == best["digest"])
    with session.bill.phase("judging"):
        shared = shared_accuracy(search.supernet, found.arch, pictures.reward)
    return session.finish(
        found.arch,
        predicted=dict(zip(session.brief.targets, search.costs(found.arch, session.costs), strict=True)),
        accuracy=best.get("accuracy", shared),
        shared_accuracy=shared,
        points=points,
        choices=found.choices,
        steps=search.recipe.steps,
        line=list(search.line),
        recipe=asdict(search.recipe),
        liked=liked_by_policy(search.policy, session.space, found.choices),
    )


def judged(finalists: Sequence[Drawn], search: Tunas, session: Session, evaluator: Evaluator) -> list[dict[str, Any]]:
    """What networks earn that were trained by themselves, but for those that failed, as plain JSON."""
    session.say(f"the {len(finalists)} likeliest networks near the target are trained by themselves")
    verdicts = evaluator.judge([drawn.arch for drawn in finalists], phase="finalists")
    return [
        {
            "digest": arch.digest,
            "accuracy": verdict.accuracy,
            "costs": dict(zip(session.brief.targets, session.costs(arch), strict=True)),
            "reward": session.reward(verdict.accuracy, search.costs(arch, session.costs)),
        }
        for (arch, *_), verdict in zip(finalists, verdicts, strict=True)
        if not verdict.failure
    ]


def stream(loader: DataLoader[Any], start: int) -> Iterator[Batch]:
    """Batches without end, from the one of step `start` on: order and augmentation follow from the step alone."""
    epoch, skipped = divmod(start, max(1, len(loader)))
    while len(loader):
        loader.dataset.set_epoch(epoch)  # type: ignore[attr-defined]  # our own Pictures, for torch any Dataset
        for number, batch in enumerate(loader):
            if number >= skipped:
                yield batch
        epoch, skipped = epoch + 1, 0


def charged(session: Session, steps: Iterator[Progress]) -> Iterator[Progress]:
    """The steps, with a line of the bill for each stretch between two kept states."""
    going = True
    while going:
        with session.bill.phase("shared weights"):
            for progress in steps:
                yield progress
                if progress.kept:
                    break
            else:
                going = False


def keep(state: dict[str, Any], folder: Path) -> None:
    """Write a state, whole or not at all."""
    with writing_folder(folder) as beside:
        save_file({name: value.contiguous() for name, value in state["tensors"].items()}, beside / "state.safetensors")
        write_json(beside / "state.json", state["facts"])


def restore_(search: Tunas, folder: Path) -> None:
    """Go on from the state in a folder, if there is one.

    Raises:
        InputError: if it is of another space, or cannot be read.
    """
    if not folder.is_dir():
        return
    try:
        facts = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"the state in {folder} cannot be read: {error}; begin again in a new folder") from error
    search.restore_({"tensors": load_file(folder / "state.safetensors"), "facts": facts})


@torch.no_grad()
def shared_accuracy(supernet: Supernet, arch: Arch, batches: DataLoader[Any]) -> float:
    """The share of pictures that a network with shared weights names right, by the statistics of each batch.

    Which pictures share a batch follows from the epoch, so that is the first, wherever a search was stopped.
    """
    batches.dataset.set_epoch(0)  # type: ignore[attr-defined]  # our own Pictures, for torch any Dataset
    right = [(accuracy(supernet(pictures, arch), targets), len(targets)) for pictures, targets in batches]
    return sum(share * count for share, count in right) / sum(count for _, count in right)


def _told(session: Session, progress: Progress, recipe: Recipe) -> str:
    costs = ", ".join(f"{value:.4g} {name}" for name, value in zip(session.brief.targets, progress.costs, strict=True))
    return (
        f"step {progress.step} of {recipe.steps}: loss {progress.loss:.3f}, accuracy {progress.accuracy:.1%}, {costs}"
    )
