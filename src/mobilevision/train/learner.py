"""What changes while a training runs: the weights, their average, the optimizer's moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn, optim

from mobilevision.deploy.prepare import folded
from mobilevision.network import Network
from mobilevision.tasks.base import Predict
from mobilevision.train.average import Average
from mobilevision.train.chance import hold_, set_drops_, set_norms_, share_norms_
from mobilevision.train.optimizer import make_optimizer
from mobilevision.train.recipe import Recipe


@dataclass(frozen=True)
class Learner:
    """A network that learns.

    Attributes:
        fabric: the devices and the precision.
        network: the network itself.
        model: the network as Fabric runs it, in the precision asked for, in step with the other processes.
        optimizer: over the network's weights.
        average: the running average of the weights, which is what is kept.
        recipe: how it learns.
    """

    fabric: Fabric
    network: Network
    model: nn.Module
    optimizer: optim.Optimizer
    average: Average[Network]
    recipe: Recipe

    def slope_(self, loss: Tensor, *, last: bool = True) -> None:
        """Add the slope of the loss of a part of a step; with the last part, the processes share theirs."""
        if self.recipe.l2 and last:
            loss = loss + self.recipe.l2 / 2 * self._squares()
        if self.recipe.accumulate == 1:
            self.fabric.backward(loss)
            return
        with self.fabric.no_backward_sync(self.model, enabled=not last):  # type: ignore[arg-type]  # Fabric wrapped it
            self.fabric.backward(loss)

    def step_(self, *, rate: float, step: int) -> None:
        """Take a step against the slopes."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["scale"]
        if self.recipe.clip:
            self.fabric.clip_gradients(self.model, self.optimizer, max_norm=self.recipe.clip, error_if_nonfinite=False)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.average.update_(self.network, step)

    def scorer(self) -> Predict:
        """What tells the averaged network's outputs as it is now: (N, channels, H, W) -> (N, outputs).

        In the training's precision, with batch norms folded, since a pass is sooner over without them.
        """
        network = folded(self.average.network)

        def score(pictures: Tensor) -> Tensor:
            with self.fabric.autocast():
                scores: Tensor = network(pictures.contiguous(memory_format=torch.channels_last))
            return scores

        return score

    def tensors(self) -> dict[str, Tensor]:
        """Everything it remembers, by name."""
        found = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        found |= {f"average.{name}": tensor for name, tensor in self.average.network.state_dict().items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            found |= {f"optimizer.{number}.{name}": value for name, value in moments.items() if value is not None}
        return found | {f"scaler.{name}": torch.tensor(value) for name, value in self._scaler().items()}

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
        scaler = {name: value.item() for name, value in _part(tensors, "scaler.").items()}
        if scaler and self._scaler():  # only 16 bits have one; a run may go on in another precision
            self.fabric.strategy.precision.load_state_dict(scaler)

    def _scaler(self) -> dict[str, float]:
        """The state of the loss scaling that 16 bits need; empty without."""
        return self.fabric.strategy.precision.state_dict()

    def _squares(self) -> Tensor:
        """The sum of squares of all weights that decay."""
        decaying = [weight for group in self.optimizer.param_groups if group["decays"] for weight in group["params"]]
        return torch.stack([weight.square().sum() for weight in decaying]).sum()


def make_learner(fabric: Fabric, network: Network, recipe: Recipe) -> Learner:
    """A learner for `network` as `recipe` wants it: channels last in memory, which is faster on every processor.

    Raises:
        UsageError: if the recipe holds more stages than the network has.
        MissingError: if the device cannot do what the recipe asks.
    """
    set_drops_(network, drop_path=recipe.drop_path, dropout=recipe.dropout, shape=recipe.drop_path_shape)
    set_norms_(network, recipe)
    if recipe.norms == "sync":
        share_norms_(network, fabric.device)
    network.to(memory_format=torch.channels_last)
    network.to(fabric.device)
    hold_(network, recipe)
    optimizer = make_optimizer(network, recipe)
    if fabric.strategy.precision.state_dict():  # 16 bits
        # Fused optimizers cannot unscale slopes before they are clipped; torch sets the mark on those alone.
        optimizer._step_supports_amp_scaling = False  # type: ignore[attr-defined]  # an attribute of fused ones
        for group in optimizer.param_groups:
            group |= {"fused": False, "foreach": True}
    model, optimizer = fabric.setup(network, optimizer)
    return Learner(fabric, network, model, optimizer, Average(network, recipe.average), recipe)


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
