"""What changes while a training runs: the weights, their average, the optimizer's moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn, optim

from mobilevision.network import Network
from mobilevision.train.average import Average
from mobilevision.train.chance import set_drops_
from mobilevision.train.optimizer import make_optimizer
from mobilevision.train.recipe import Recipe


@dataclass(frozen=True)
class Learner:
    """A network that learns.

    Attributes:
        fabric: the device and the precision.
        network: the network itself.
        model: the network as Fabric runs it, in the precision asked for.
        optimizer: over the network's weights.
        average: the running average of the weights, which is what is kept.
        clip: longest gradient, as a Euclidean norm; 0 does not clip.
    """

    fabric: Fabric
    network: Network
    model: nn.Module
    optimizer: optim.Optimizer
    average: Average[Network]
    clip: float

    def learn_(self, loss: Tensor, *, rate: float, step: int) -> None:
        """Take a step against the gradient of `loss`."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.fabric.backward(loss)
        if self.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_(self.network, step)

    def score(self, pictures: Tensor) -> Tensor:
        """What the averaged network says, in the training's precision. Shape: (N, channels, H, W) -> (N, outputs)."""
        with self.fabric.autocast():
            scores: Tensor = self.average.network(pictures.contiguous(memory_format=torch.channels_last))
        return scores

    def tensors(self) -> dict[str, Tensor]:
        """Everything it remembers, by name."""
        found = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in moments.items() if value is not None}
        return found

    @torch.no_grad()
    def restore_(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `tensors` gave; layouts in memory stay as they are, so that sums are done in the same order."""
        self.network.load_state_dict(_part(tensors, "network."))
        self.average.network.load_state_dict(_part(tensors, "average."))
        weights = [weight for group in self.optimizer.param_groups for weight in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _part(tensors, "optimizer.").items():
            number, _, moment = name.partition(".")
            like = weights[int(number)]
            laid = torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            moments.setdefault(int(number), {})[moment] = laid
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})


def make_learner(fabric: Fabric, network: Network, recipe: Recipe) -> Learner:
    """A learner for `network` as `recipe` wants it: channels last in memory, which is faster on every processor."""
    set_drops_(network, drop_path=recipe.drop_path, dropout=recipe.dropout)
    network.to(memory_format=torch.channels_last)
    network.train().to(fabric.device)
    model, optimizer = fabric.setup(network, make_optimizer(network, recipe))
    return Learner(fabric, network, model, optimizer, Average(network, recipe.average), recipe.clip)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
