"""MnasNet's controller: a recurrent network that names one choice after another, trained by PPO (arXiv:1807.11626)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn, optim

from mobilevision.errors import UsageError
from mobilevision.search.baselines import Score, Trial, tried
from mobilevision.search.space import Drawn, Space, choose, neighbours


@dataclass(frozen=True)
class PPO:
    """How the controller learns (arXiv:1707.06347; MnasNet's paper gives no numbers, these are ours).

    Attributes:
        batch: networks tried between two updates.
        epochs: steps taken with each batch.
        clip: how far the probability of a choice may move in one update, as a fraction.
        rate: Adam's learning rate.
        entropy: reward for being undecided, in nats a decision, at the start; it falls in a line to zero.
        momentum: how much of the baseline stays at every update.
        longest: longest gradient, as a Euclidean norm.
    """

    batch: int = 20
    epochs: int = 5
    clip: float = 0.2
    rate: float = 2e-3
    entropy: float = 0.2
    momentum: float = 0.8
    longest: float = 1.0


class Controller(nn.Module):
    """An LSTM that reads the choice before and gives the logits of the next decision.

    Args:
        space: whose decisions it knows.
        hidden: numbers it remembers.
    """

    def __init__(self, space: Space, *, hidden: int = 64) -> None:
        super().__init__()
        asked = dict.fromkeys(decision for _, drawn in neighbours(space) for decision in drawn.sizes.items())
        self.numbers = {decision: i for i, decision in enumerate(asked)}
        self.first = nn.Parameter(torch.zeros(hidden))
        self.cell = nn.LSTMCell(hidden, hidden)
        self.tokens = nn.ModuleList(nn.Embedding(options, hidden) for _, options in asked)
        self.heads = nn.ModuleList(nn.Linear(hidden, options) for _, options in asked)
        for head in self.heads:
            assert isinstance(head, nn.Linear)
            nn.init.zeros_(head.weight)  # every option alike at first
            nn.init.zeros_(head.bias)

    def sample(self, space: Space, generator: torch.Generator) -> Drawn:
        """A point of `space`, drawn choice by choice."""
        return self._walk(space, lambda logits: torch.multinomial(logits.softmax(-1), 1, generator=generator))

    def best(self, space: Space) -> Drawn:
        """The point that takes the most likely choice at every step."""
        return self._walk(space, lambda logits: logits.argmax(-1))

    def score(self, sizes: dict[str, int], indexes: Tensor) -> tuple[Tensor, Tensor]:
        """Log-probabilities and entropies of choices that were made, in nats.

        Args:
            sizes: the decisions in the order they were asked, and their options.
            indexes: what was chosen. Shape: (N, decisions).

        Returns:
            (N, decisions) each.
        """
        x, memory = self.first.expand(len(indexes), -1), None
        logs, entropies = [], []
        for (name, options), index in zip(sizes.items(), indexes.unbind(1), strict=True):
            memory = self.cell(x, memory)
            log = self._logits(name, memory[0], options).log_softmax(-1)
            logs.append(log.gather(1, index[:, None])[:, 0])
            entropies.append(-(log.exp() * log).sum(-1))
            x = self.tokens[self.numbers[name, options]](index)
        return torch.stack(logs, 1), torch.stack(entropies, 1)

    @torch.no_grad()
    def _walk(self, space: Space, taken: Callable[[Tensor], Tensor]) -> Drawn:
        x, memory = self.first[None], None

        def chosen(name: str, options: int) -> int:
            nonlocal x, memory
            memory = self.cell(x, memory)
            index = taken(self._logits(name, memory[0], options)).view(1)
            x = self.tokens[self.numbers[name, options]](index)
            return int(index)

        return choose(space, chosen)

    def _logits(self, name: str, memory: Tensor, options: int) -> Tensor:
        if (name, options) not in self.numbers:
            raise UsageError(f"{name!r} with {options} options is not of this controller's space; make one for it")
        logits: Tensor = self.heads[self.numbers[name, options]](memory)
        return logits


class Learner:
    """A controller that learns from what its networks earned.

    Args:
        controller: what learns.
        ppo: how.
        trials: networks of the whole search; the entropy's weight falls with them.
    """

    def __init__(self, controller: Controller, ppo: PPO, *, trials: int) -> None:
        self.controller, self.ppo, self.trials = controller, ppo, trials
        self.adam = optim.Adam(controller.parameters(), lr=ppo.rate)
        self.tried, self.baseline = 0, 0.0

    def learn(self, drawn: Sequence[Drawn], rewards: Sequence[float]) -> None:
        """One update from a batch of networks: several steps, none far from what drew them."""
        earned = torch.tensor(rewards, dtype=torch.float32)
        if not self.tried:
            self.baseline = float(earned.mean())
        gain = earned - self.baseline
        gain = gain / (gain.square().mean().sqrt() + 1e-8)
        self.baseline += (1 - self.ppo.momentum) * (float(earned.mean()) - self.baseline)
        groups = list(_alike(drawn))
        with torch.no_grad():
            before = [self.controller.score(sizes, indexes)[0] for sizes, indexes, _ in groups]
        for _ in range(self.ppo.epochs):
            self.adam.zero_grad()
            for (sizes, indexes, rows), old in zip(groups, before, strict=True):
                loss = self._loss(sizes, indexes, old, gain[rows][:, None])
                torch.autograd.backward(loss * len(rows) / len(drawn))
            nn.utils.clip_grad_norm_(self.controller.parameters(), self.ppo.longest)
            self.adam.step()
        self.tried += len(drawn)

    def _loss(self, sizes: dict[str, int], indexes: Tensor, old: Tensor, gain: Tensor) -> Tensor:
        new, entropy = self.controller.score(sizes, indexes)
        ratio = (new - old).exp()
        clipped = ratio.clamp(1 - self.ppo.clip, 1 + self.ppo.clip)
        undecided = self.ppo.entropy * max(0.0, 1 - self.tried / self.trials)
        return -(torch.minimum(ratio * gain, clipped * gain) + undecided * entropy).sum(1).mean()


def mnasnet_search(space: Space, score: Score, *, trials: int, seed: int, ppo: PPO | None = None) -> Iterator[Trial]:
    """Draw networks, see what they earn, learn which choices earned it; every network as it is tried.

    Args:
        space: where to look.
        score: what networks earn: train them for a few epochs, measure them, and ask a reward.
        trials: networks to try.
        seed: decides what is left to chance.
        ppo: how the controller learns.
    """
    ppo = ppo or PPO()
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        learner = Learner(Controller(space), ppo, trials=trials)
    while learner.tried < trials:
        batch = min(ppo.batch, trials - learner.tried)
        drawn = [learner.controller.sample(space, generator) for _ in range(batch)]
        found = tried(drawn, score)
        yield from found
        learner.learn(drawn, [trial.reward for trial in found])


def _alike(drawn: Sequence[Drawn]) -> Iterator[tuple[dict[str, int], Tensor, list[int]]]:
    """Points that were asked the same decisions: those, what was chosen, and which of `drawn` they are."""
    groups: dict[tuple[tuple[str, int], ...], list[int]] = {}
    for row, point in enumerate(drawn):
        groups.setdefault(tuple(point.sizes.items()), []).append(row)
    for asked, rows in groups.items():
        yield dict(asked), torch.tensor([list(drawn[row].choices.values()) for row in rows]), rows
