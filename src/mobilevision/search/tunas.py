"""TuNAS: shared weights and a policy learn at the same time which network is best for a price (arXiv:2008.06120)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import cos, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor, optim

from mobilevision.architecture import Arch
from mobilevision.cost import Line
from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.search.policy import Policy, Rate
from mobilevision.search.reward import Reward
from mobilevision.search.space import WIDTHS, Choices, Drawn, Space, nearby
from mobilevision.search.supernet import Others, Supernet, alternatives
from mobilevision.timing.table_line import fitted

OFF = 0.02
"""By which share of its target a cost may be off in the network that is found."""

Batch = tuple[Tensor, Any]
"""Pictures (N, channels, H, W) and what the task wants of them."""

Prices = Callable[[Arch], Sequence[float]]
"""The costs of an architecture, in the order of the reward's targets."""

Loss = Callable[[Any, Any], Tensor]
"""(what the network gives, what is wanted) -> a scalar to minimize."""

Accuracy = Callable[[Any, Any], float]
"""(what the network gives, what is wanted) -> a fraction."""


@dataclass(frozen=True)
class Recipe:
    """Every number of a search by TuNAS (section 7 and the authors' code).

    Attributes:
        steps: of the whole search; each trains the shared weights once and the policy once.
        lr: highest learning rate of the shared weights; the authors have 0.165 for every 256 pictures of a batch.
        warmup: share of the steps in which that learning rate rises in a line; then it falls on a cosine.
        decay: how much of RMSProp's mean of squares stays at every step.
        momentum: of RMSProp.
        eps: what is added to RMSProp's root.
        weight_decay: pull of the shared weights towards zero.
        open_ops: share of the steps over which the chance of running all operations falls from 1 to 0.
        open_widths: the same for running every layer at its widest.
        policy_lr: learning rate of the policy when it starts to learn.
        policy_growth: how many times higher it ends.
        policy_quiet: share of the steps before it starts.
        recalibrate: share of the steps after which the first cost is measured on whole networks; 1 never does.
        measured: how many networks are measured then.
        keep: steps between two states that are handed out for keeping.
    """

    steps: int
    lr: float = 0.165
    warmup: float = 0.025
    decay: float = 0.9
    momentum: float = 0.9
    eps: float = 1.0
    weight_decay: float = 4e-5
    open_ops: float = 0.25
    open_widths: float = 0.25
    policy_lr: float = 3e-4
    policy_growth: float = 10.0
    policy_quiet: float = 0.25
    recalibrate: float = 0.8
    measured: int = 8
    keep: int = 500


class Progress(NamedTuple):
    """What one step did.

    Attributes:
        step: from 1.
        loss: of the shared weights on the training batch.
        accuracy: of the network that the policy drew, on the validation batch.
        costs: of that network.
        reward: what it earned.
        kept: the state to keep, on the steps that hand one out, else None; see `Tunas.restore_`.
    """

    step: int
    loss: float
    accuracy: float
    costs: tuple[float, ...]
    reward: float
    kept: dict[str, Any] | None


class Tunas:
    """A search that can be stopped and gone on with.

    Args:
        space: where to look.
        supernet: shared weights for that space, on the device to use.
        recipe: every number.
        seed: decides what is left to chance.
    """

    def __init__(self, space: Space, supernet: Supernet, recipe: Recipe, *, seed: int = 0) -> None:
        self.space, self.supernet, self.recipe = space, supernet, recipe
        rate = Rate(recipe.steps, start=recipe.policy_lr, growth=recipe.policy_growth, quiet=recipe.policy_quiet)
        self.policy, self.rng = Policy(rate), random.Random(seed)  # noqa: S311 - nothing secret
        self.line, self.step = Line(), 0
        self.optimizer = optim.RMSprop(
            supernet.parameters(),
            lr=recipe.lr,
            alpha=recipe.decay,
            momentum=recipe.momentum,
            eps=recipe.eps,
            weight_decay=recipe.weight_decay,
        )

    def search(
        self,
        train: Iterable[Batch],
        validation: Iterable[Batch],
        *,
        prices: Prices,
        reward: Reward,
        loss: Loss,
        accuracy: Accuracy,
        measure: Callable[[Sequence[Arch]], Sequence[float]] | None = None,
    ) -> Iterator[Progress]:
        """Learn to the end of the recipe, from where the search is; every step as it is done.

        Args:
            train: batches for the shared weights; they are gone through again and again.
            validation: batches for the policy, of other pictures.
            prices: what an architecture costs, predicted.
            reward: what the policy maximizes.
            loss: what the shared weights minimize.
            accuracy: what the reward sees.
            measure: the first cost of whole networks, measured; late in the search, the predictions are put on the
                line through some measurements, so that the target is met in measured units.

        Raises:
            UsageError: if there are no batches.
            MobilevisionError: if the loss is no longer a number.
        """
        learned, judged = _endless(train, "training"), _endless(validation, "validation")
        while self.step < self.recipe.steps:
            if measure and self.line == Line() and self.step >= self.recipe.recalibrate * self.recipe.steps:
                self.line = self._measured(prices, measure)
            value = self._train(*next(learned), loss)
            drawn = self.policy.sample(self.space, self.rng)
            right = self._judge(*next(judged), drawn.arch, accuracy)
            costs = self.costs(drawn.arch, prices)
            earned = reward(right, costs)
            self.policy.learn([(drawn, earned)])
            self.step += 1
            kept = self.state() if self.step % self.recipe.keep == 0 or self.step == self.recipe.steps else None
            yield Progress(self.step, value, right, costs, earned, kept)

    def best(self) -> Drawn:
        """The network of the most likely choices."""
        return self.policy.best(self.space)

    def likely(self, count: int) -> list[Drawn]:
        """The network of the most likely choices, and others that the policy draws."""
        return [self.best(), *(self.policy.sample(self.space, self.rng) for _ in range(count - 1))]

    def landed(self, found: Sequence[Drawn], prices: Prices, reward: Reward, *, count: int = 1) -> list[Drawn]:
        """Those of some networks whose costs are where they should be: the first, if it is one, then the likeliest.

        The authors take the most likely choices whatever they cost, which is near the target where the policy has
        grown sure of them; a short search has not. Where no network is near enough, the nearest is taken.

        Args:
            found: networks, the first the most likely choices.
            prices: what an architecture costs, predicted.
            reward: whose targets count.
            count: the most networks that are told, no two of them alike.
        """
        off = [reward.off(self.costs(drawn.arch, prices)) for drawn in found]
        enough = max(OFF, min(off))
        near = [drawn for drawn, share in zip(found, off, strict=True) if share <= enough]
        near.sort(key=lambda drawn: (drawn is found[0], self.policy.likelihood(drawn)), reverse=True)
        return list({drawn.arch.digest: drawn for drawn in near}.values())[:count]

    def costs(self, arch: Arch, prices: Prices) -> tuple[float, ...]:
        """The costs of an architecture, the first one corrected by what was measured."""
        first, *others = prices(arch)
        return (self.line(first), *others)

    def state(self) -> dict[str, Any]:
        """All that the search knows: tensors, and facts that are plain JSON."""
        moments = self.optimizer.state_dict()["state"]
        tensors = {f"weights.{name}": weight.detach().clone() for name, weight in self.supernet.weights.items()}
        for number, found in moments.items():
            tensors |= {f"optimizer.{number}.{name}": value.detach().clone() for name, value in found.items()}
        version, internal, extra = self.rng.getstate()
        facts = {"step": self.step, "policy": self.policy.state(), "line": list(self.line)}
        return {"tensors": tensors, "facts": facts | {"rng": [version, list(internal), extra]}}

    def restore_(self, state: dict[str, Any]) -> None:
        """Go on from what `state` gave.

        Raises:
            InputError: if it is of another space, or something is missing in it.
        """
        tensors, facts = state["tensors"], state["facts"]
        names = {name.removeprefix("weights.") for name in tensors if name.startswith("weights.")}
        if names != set(self.supernet.weights):
            raise InputError("the kept weights are of another space; search with the space that they were made for")
        with torch.no_grad():
            for name, weight in self.supernet.weights.items():
                weight.copy_(tensors[f"weights.{name}"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("optimizer."):
                _, number, moment = name.split(".")
                moments.setdefault(int(number), {})[moment] = value.clone()  # the optimizer writes into it
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.step, self.line = facts["step"], Line(*facts["line"])
        self.policy.restore_(facts["policy"])
        version, internal, extra = facts["rng"]
        self.rng.setstate((version, tuple(internal), extra))

    def _train(self, pictures: Tensor, targets: Any, loss: Loss) -> float:
        """One step of the shared weights, through a network that the policy draws."""
        arch, others = self._opened(self.policy.sample(self.space, self.rng))
        self.optimizer.zero_grad(set_to_none=True)
        value = loss(self.supernet(pictures, arch, others), targets)
        if not torch.isfinite(value):
            raise MobilevisionError(f"the loss is {value.item()} at step {self.step}; lower lr ({self.recipe.lr:g})")
        torch.autograd.backward(value)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.step()
        return float(value.item())

    @torch.no_grad()
    def _judge(self, pictures: Tensor, targets: Any, arch: Arch, accuracy: Accuracy) -> float:
        return accuracy(self.supernet(pictures, arch), targets)

    def _opened(self, drawn: Drawn) -> tuple[Arch, Others | None]:
        """The network to train, in the warm-ups with every layer at its widest, or with all operations beside it."""
        done = self.step / self.recipe.steps
        if self.rng.random() < _left(done, self.recipe.open_widths):
            drawn = nearby(self.space, _widest(drawn))
        if self.rng.random() < _left(done, self.recipe.open_ops):
            return drawn.arch, alternatives(self.space, drawn.choices, fixed=WIDTHS)
        return drawn.arch, None

    def _rate(self) -> float:
        """The learning rate of the shared weights: up in a line, then down a cosine."""
        rising = self.recipe.warmup * self.recipe.steps
        if self.step < rising:
            return self.recipe.lr * (self.step + 1) / (rising + 1)
        return self.recipe.lr * (1 + cos(pi * (self.step - rising) / max(1.0, self.recipe.steps - rising))) / 2

    def _measured(self, prices: Prices, measure: Callable[[Sequence[Arch]], Sequence[float]]) -> Line:
        """The line from predicted to measured costs: the likeliest network, and others that the policy draws."""
        found = [drawn.arch for drawn in self.likely(self.recipe.measured)]
        return fitted([prices(arch)[0] for arch in found], measure(found))


def accuracy(scores: Tensor, targets: Tensor) -> float:
    """The share of pictures whose highest score is the right one. Shapes: (N, classes) and (N,)."""
    return float((scores.argmax(1) == targets).float().mean())


def _widest(drawn: Drawn) -> Choices:
    """The same choices with every width at its last option."""
    return {
        name: drawn.sizes[name] - 1 if name.rsplit(".", 1)[-1] in WIDTHS else index
        for name, index in drawn.choices.items()
    }


def _left(done: float, share: float) -> float:
    """A chance that falls in a line from 1 to 0 over the first `share` of the search."""
    return max(0.0, 1 - done / share) if share else 0.0


def _endless(batches: Iterable[Batch], which: str) -> Iterator[Batch]:
    while True:
        empty = True
        for batch in batches:
            empty = False
            yield batch
        if empty:
            raise UsageError(f"there are no {which} pictures to search with; give some")
