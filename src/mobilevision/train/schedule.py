"""The learning rate as a function of the step: it has no state, so that resuming needs none."""

from math import cos, pi

from mobilevision.train.recipe import Recipe


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """The learning rate of a step: up in a line, then down a cosine (arXiv:1608.03983, without restarts).

    Args:
        recipe: gives the highest learning rate, the warm-up and the last learning rate.
        step: from 0.
        steps: of the whole training.
    """
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return recipe.lr * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return recipe.lr * (recipe.final_lr + (1 - recipe.final_lr) * (1 + cos(pi * done)) / 2)
