"""From a recipe to an optimizer."""

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn, optim

from mobilevision.network import Network
from mobilevision.train.recipe import Recipe
from mobilevision.train.rmsprop import RMSpropTF

Groups = list[dict[str, Any]]

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def make_optimizer(network: nn.Module, recipe: Recipe) -> optim.Optimizer:
    """The recipe's optimizer over the weights of `network` that are to be trained."""
    return OPTIMIZERS[recipe.optimizer](groups(network, recipe), recipe)


def groups(network: nn.Module, recipe: Recipe) -> Groups:
    """The weights that are to be trained, together where weight decay and learning rate are the same.

    The weights that decay come first. `scale` is what the learning rate is multiplied by.
    """
    spared = {id(weight) for weight in UNDECAYED[recipe.undecayed](network)}
    found: dict[tuple[bool, float], list[Tensor]] = {}
    for part, scale in scaled_parts(network, recipe.layer_decay):
        for weight in part.parameters():
            if weight.requires_grad:
                found.setdefault((id(weight) in spared, scale), []).append(weight)
    return [
        {"params": weights, "weight_decay": 0.0 if free else recipe.weight_decay, "scale": scale, "decays": not free}
        for (free, scale), weights in sorted(found.items(), key=lambda item: item[0][0])
    ]


def scaled_parts(network: nn.Module, layer_decay: float) -> Iterator[tuple[nn.Module, float]]:
    """The parts of a network with what their learning rate is multiplied by: less for each stage below the head."""
    if not isinstance(network, Network) or layer_decay == 1:
        yield network, 1.0
        return
    for number, stage in enumerate(network.stages):
        yield stage, layer_decay ** (len(network.stages) - number)
    for part in network.children():
        if part is not network.stages:  # the head, and what a loss learns
            yield part, 1.0


def norms(network: nn.Module) -> list[Tensor]:
    """The weights of norms."""
    return [weight for part in network.modules() if isinstance(part, NORMS) for weight in part.parameters()]


def vectors(network: nn.Module) -> list[Tensor]:
    """Norms, biases and scales: what has one axis."""
    return [weight for weight in network.parameters() if weight.ndim <= 1]


def vectors_depthwise(network: nn.Module) -> list[Tensor]:
    """The same, and depthwise filters (arXiv:1704.04861, section 3.3)."""
    filters = [part.weight for part in network.modules() if isinstance(part, nn.Conv2d) and part.groups > 1]
    return [*vectors(network), *(weight for weight in filters if weight.shape[1] == 1)]


UNDECAYED: dict[str, Callable[[nn.Module], list[Tensor]]] = {
    "nothing": lambda _: [],
    "norms": norms,
    "vectors": vectors,
    "vectors_depthwise": vectors_depthwise,
}
"""What weight decay spares."""


def adamw(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """Adam with decoupled weight decay (arXiv:1711.05101)."""
    betas = (recipe.beta1, recipe.beta2)
    return optim.AdamW(groups, recipe.lr, betas=betas, eps=recipe.epsilon, fused=True)


def rmsprop(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """RMSprop with momentum, as torch has it: epsilon is added outside the root."""
    return optim.RMSprop(
        groups, recipe.lr, alpha=recipe.rho, eps=recipe.epsilon, momentum=recipe.momentum, foreach=True
    )


def rmsprop_tf(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """RMSprop with momentum, as TensorFlow has it: epsilon is added inside the root."""
    return RMSpropTF(groups, recipe.lr, rho=recipe.rho, epsilon=recipe.epsilon, momentum=recipe.momentum)


def sgd(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """Stochastic gradient descent with momentum."""
    return optim.SGD(groups, recipe.lr, momentum=recipe.momentum, foreach=True)


def nesterov(groups: Groups, recipe: Recipe) -> optim.Optimizer:
    """Stochastic gradient descent with Nesterov's momentum."""
    return optim.SGD(groups, recipe.lr, momentum=recipe.momentum, nesterov=True, foreach=True)


OPTIMIZERS: dict[str, Callable[[Groups, Recipe], optim.Optimizer]] = {
    "adamw": adamw,
    "rmsprop": rmsprop,
    "rmsprop_tf": rmsprop_tf,
    "sgd": sgd,
    "nesterov": nesterov,
}
