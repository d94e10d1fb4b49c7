"""Checkpoints that are whole at every moment: beside, then renamed, and the one before is kept."""

import json
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.files import sha256, write_json, writing
from mobilevision.jobs.telling import leads
from mobilevision.run import Run
from mobilevision.train.learner import Learner
from mobilevision.train.position import Habits, Position
from mobilevision.train.recipe import Recipe
from mobilevision.train.schedule import learning_rate

LAST, BEFORE, WRITING = "last", ".last-before", ".last-writing"
TENSORS, STATE = "state.safetensors", "state.json"

Checkpoint = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and plain facts."""


class Keeper:
    """Writes a training's checkpoints, and finds the last one again.

    Args:
        folder: of the run.
        learner: what is kept.
        habits: how often.
        on: whether this process is the one that writes.
    """

    def __init__(self, folder: Path, learner: Learner, *, habits: Habits, on: bool = True) -> None:
        self.folder, self.learner, self.habits, self.on = folder, learner, habits, on
        self.saved, self.steps = monotonic(), 0

    def restored(self) -> Position:
        """Put the learner where the last whole checkpoint was; without one, write the first.

        The other processes take what the first one has read: they may be on machines that do not see the folder.
        """
        checkpoint = load_checkpoint(self.folder) if self.on else None
        checkpoint = self.learner.fabric.broadcast(checkpoint)
        if checkpoint is None:
            self.save(Position())
            return Position()
        tensors, facts = checkpoint
        self.learner.restore_(tensors)
        return Position.read(facts)

    def step(self, position: Position) -> None:
        """Save after a step, if it is time to."""
        self.steps += 1
        late = monotonic() - self.saved >= self.habits.save_seconds
        if late or (self.habits.save_steps and self.steps >= self.habits.save_steps):
            self.save(position)

    def save(self, position: Position) -> None:
        """Save.

        Raises:
            MobilevisionError: if the folder cannot be written; the checkpoint before is whole.
        """
        self.saved, self.steps = monotonic(), 0
        if self.on:
            with told_if_unwritable(self.folder):
                save_checkpoint(self.folder, self.learner.tensors(), position.facts())


@contextmanager
def told_if_unwritable(folder: Path) -> Iterator[None]:
    """Within the block, a folder that cannot be written is told in a sentence.

    Raises:
        MobilevisionError: if it cannot.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        shutil.rmtree(folder / WRITING, ignore_errors=True)
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        remedy = "make room there or choose another folder"
        if has_checkpoint(folder):
            remedy = f"its last checkpoint is whole: make room and go on with --resume {folder}"
        raise MobilevisionError(f"{folder} cannot be written ({reason}); {remedy}") from error


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Put a checkpoint into the run `folder` as `last/`; the one before is kept under a hidden name.

    Whenever this is killed, `last/` or the one before is whole.
    """
    new, last, before = (folder / name for name in (WRITING, LAST, BEFORE))
    shutil.rmtree(new, ignore_errors=True)
    with writing(new / TENSORS) as beside:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside)
    write_json(new / STATE, facts | {"sha256": sha256(new / TENSORS)})
    if last.exists():
        shutil.rmtree(before, ignore_errors=True)
        last.replace(before)
    new.replace(last)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of the run `folder`; None if it never had one.

    Raises:
        InputError: if there are checkpoints and none is whole.
    """
    reasons: list[str] = []
    for place in (folder / LAST, folder / BEFORE):
        if not place.exists():
            continue
        try:
            checkpoint = _read(place)
        except InputError as error:
            reasons.append(str(error))
        else:
            if reasons:
                warnings.warn(f"going on from the checkpoint before, since {reasons[0]}", stacklevel=2)
            return checkpoint
    if reasons:
        raise InputError(f"no checkpoint of {folder} is whole; train in another folder: {'; '.join(reasons)}")
    return None


def lengthened(run: Run, recipe: Recipe, epochs: int) -> Recipe:
    """The recipe of `run` with another number of epochs, written down; tells what happens to the learning rate.

    Raises:
        UsageError: if they are over already.
        InputError: if no checkpoint is whole.
    """
    longer = recipe.changed({"epochs": epochs})
    checkpoint = load_checkpoint(run.folder)
    position = Position.read(checkpoint[1]) if checkpoint else Position()
    steps = max(1, recipe.turns * run.read("data")["pictures"]["train"] // recipe.batch)
    if position.epoch >= longer.passes(steps):
        raise UsageError(f"{run.folder} has {position.epoch} epochs behind it; ask for more than that with --epochs")
    done = position.epoch * steps + position.batch
    if not leads():
        return longer
    before, after = (learning_rate(plan, done, plan.passes(steps) * steps) for plan in (recipe, longer))
    with run.locked():
        run.write("recipe", longer.facts())
    warnings.warn(
        f"the schedule has {longer.passes(steps)} epochs instead of {recipe.passes(steps)}: after epoch "
        f"{position.epoch} the learning rate goes on at {after:.3g}, not at {before:.3g}",
        stacklevel=3,
    )
    return longer


def has_checkpoint(folder: Path) -> bool:
    """Whether a training has left a checkpoint in the run `folder`."""
    return any((folder / name).exists() for name in (LAST, BEFORE))


def _read(place: Path) -> Checkpoint:
    try:
        facts = json.loads((place / STATE).read_text(encoding="utf-8"))
        if facts["sha256"] != sha256(place / TENSORS):
            raise InputError(f"{place / TENSORS} is not what was written")
        return load_file(place / TENSORS), facts
    except (OSError, KeyError, json.JSONDecodeError, SafetensorError) as error:
        raise InputError(f"{place} cannot be read: {error}") from error
