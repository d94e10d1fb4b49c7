"""The learning rate as a function of the step: it has no state, so that resuming needs none."""

from collections.abc import Callable
from math import cos, floor, pi

from mobilevision.train.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step: up in a line, then down as the recipe's schedule says.

    An epoch is the recipe's: if a small folder is passed over more often, it is so many passes together.

    Args:
        recipe: gives the highest learning rate, the warm-up and the schedule.
        step: from 0.
        steps: of the whole training.
    """
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return recipe.lr * (recipe.first_lr + (1 - recipe.first_lr) * (step + 1) / (warmup + 1))
    done = (step - warmup) / max(1, steps - warmup)
    return recipe.lr * SCHEDULES[recipe.schedule](recipe, done, (step - warmup) / steps * recipe.epochs)


def cosine(recipe: Recipe, done: float, epoch: float) -> float:
    """Down a cosine (arXiv:1608.03983, without restarts) to the last learning rate, as a share of the highest."""
    return recipe.final_lr + (1 - recipe.final_lr) * (1 + cos(pi * done)) / 2


def linear(recipe: Recipe, done: float, epoch: float) -> float:
    """Down a line to the last learning rate."""
    return recipe.final_lr + (1 - recipe.final_lr) * (1 - done)


def exponential(recipe: Recipe, done: float, epoch: float) -> float:
    """Times `decay` in every `decay_epochs`, a little each step."""
    return float(recipe.decay ** (epoch / recipe.decay_epochs))


def step(recipe: Recipe, done: float, epoch: float) -> float:
    """Times `decay` at the end of every `decay_epochs`."""
    return float(recipe.decay ** floor(epoch / recipe.decay_epochs + 1e-9))


def constant(recipe: Recipe, done: float, epoch: float) -> float:
    """As it is."""
    return 1.0


SCHEDULES: dict[str, Callable[[Recipe, float, float], float]] = {
    "cosine": cosine,
    "linear": linear,
    "exponential": exponential,
    "step": step,
    "constant": constant,
}
"""From the recipe, the share done and the epochs since, both after the warm-up, to a share of the highest rate."""
