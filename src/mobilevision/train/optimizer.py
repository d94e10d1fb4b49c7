"""From a recipe to an optimizer."""

from collections.abc import Callable
from typing import Any

from torch import nn, optim

from mobilevision.train.recipe import Recipe

Groups = list[dict[str, Any]]


def make_optimizer(network: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimizer over the weights of `network` that are to be trained."""
    return OPTIMIZERS[recipe.optimizer](groups(network, recipe.weight_decay), recipe)


def groups(network: nn.Module, weight_decay: float) -> Groups:
    """Weights in two groups: matrices and filters decay; norms, biases and scales, which have one axis, do not."""
    weights = [weight for weight in network.parameters() if weight.requires_grad]
    return [
        {"params": [weight for weight in weights if weight.ndim > 1], "weight_decay": weight_decay},
        {"params": [weight for weight in weights if weight.ndim <= 1], "weight_decay": 0.0},
    ]


def adamw(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """Adam with decoupled weight decay (arXiv:1711.05101)."""
    betas = (recipe.beta1, recipe.beta2)
    return optim.AdamW(groups, recipe.lr, betas=betas, eps=recipe.epsilon, fused=True)


def rmsprop(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """RMSprop with momentum, as torch has it: epsilon is added outside the root."""
    return optim.RMSprop(
        groups, recipe.lr, alpha=recipe.rho, eps=recipe.epsilon, momentum=recipe.momentum, foreach=True
    )


def sgd(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """Stochastic gradient descent with Nesterov's momentum."""
    nesterov = recipe.momentum > 0
    return optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=nesterov, foreach=True)


OPTIMIZERS: dict[str, Callable[[Groups, Recipe], optim.Optimizer]] = {"adamw": adamw, "rmsprop": rmsprop, "sgd": sgd}
