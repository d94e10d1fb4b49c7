"""One set of weights that serves every architecture of a space (TuNAS, arXiv:2008.06120, section 6)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mobilevision.architecture import Arch, Place
from mobilevision.blocks import Block
from mobilevision.errors import UsageError
from mobilevision.network import Network, finish_, run_stages
from mobilevision.search.corner import corner
from mobilevision.search.space import Space, neighbours

Others = Mapping[Place, Sequence[Block]]
"""Blocks that run beside the architecture's own at a place; the mean of all goes on."""

KEPT = 4096  # modules without memory, one for each block that was met at a place
PARTS = {"qk": 2}  # queries and keys lie behind one another in one weight


class Supernet(nn.Module):
    """The largest weight of every role at every place; a smaller block borrows a corner of each.

    A role is the place, the part of the block, and the side of its filter. So blocks that differ only in their
    depthwise filter, in their gate or in which of the two filters of a bottleneck they have share all 1x1 layers
    ("operation collapsing"), while filters of different sides are weights of their own; and borrowing the first
    channels is what masking the others would compute.

    Batch norms always take the statistics of the batch, in evaluation too: running values would be a mixture over
    architectures and fit none.

    Args:
        space: whose architectures it serves.
        outputs: what the task asks of the head, for a classifier the number of classes.
        channels: channels of the image.
    """

    def __init__(self, space: Space, outputs: int, *, channels: int = 3) -> None:
        super().__init__()
        self.outputs, self.channels = outputs, channels
        self.guests: dict[Any, Guest] = {}
        self.weights = nn.ParameterDict()
        shapes: dict[str, tuple[int, ...]] = {}
        makers: dict[str, tuple[Any, str]] = {}
        for _, (arch, *_) in neighbours(space):
            for key, guest in self._guests(arch):
                for loan in guest.loans:
                    known = shapes.get(loan.role, loan.shape)
                    shapes[loan.role] = tuple(max(pair) for pair in zip(known, loan.shape, strict=True))
                    makers.setdefault(loan.role, (key, loan.name))
        for role, shape in shapes.items():
            self.weights[role] = nn.Parameter(self._fresh(shape, *makers[role]))

    def forward(self, x: Tensor, arch: Arch, others: Others | None = None) -> Any:
        """What `arch` gives with the shared weights. Shape: (N, channels, H, W) -> (N, outputs).

        Args:
            x: the pictures.
            arch: an architecture of the space.
            others: blocks to run beside its own, for the warm-up; see `alternatives`.

        Raises:
            UsageError: if the architecture is not of the space, as far as the weights can tell.
        """
        whole = Whole(arch, [guest for _, guest in self._guests(arch)], self._companions(arch, others or {}))
        return functional_call(whole, dict(self._borrowed(whole.loans)), (x,))

    @torch.no_grad()
    def network(self, arch: Arch) -> Network:
        """A network of its own with copies of the shared weights; its batch norms have seen no picture."""
        network = Network(arch, self.outputs, channels=self.channels)
        own = dict(network.named_parameters())
        for (at, *_), guest in self._guests(arch):
            prefix = "head." if at is None else f"stages.{at[0]}.{at[1]}."
            for name, weight in self._borrowed((prefix, loan) for loan in guest.loans):
                own[name].copy_(weight)
        return network.to(next(iter(self.weights.values())).device)

    def _guests(self, arch: Arch) -> Iterator[tuple[Any, Guest]]:
        """The modules of an architecture, the head's last, each with the key it is kept under."""
        cin = self.channels
        for place, block in arch.places():
            yield self._guest((place, block, cin), arch)
            cin = block.out
        yield self._guest((None, arch.head, arch.head.taps(arch)), arch)

    def _companions(self, arch: Arch, others: Others) -> dict[Place, list[Guest]]:
        found: dict[Place, list[Guest]] = {}
        cin = self.channels
        for place, block in arch.places():
            if place in others:
                found[place] = [self._guest((place, other, cin), arch)[1] for other in others[place]]
            cin = block.out
        return found

    def _guest(self, key: Any, arch: Arch) -> tuple[Any, Guest]:
        if key not in self.guests:
            if len(self.guests) >= KEPT:
                self.guests.pop(next(iter(self.guests)))
            with torch.device("meta"):
                module = self._built(key)
            finish_(module, arch)
            for part in module.modules():
                if isinstance(part, nn.BatchNorm2d):
                    part.track_running_stats, part.num_batches_tracked = False, None
                    part.running_mean = part.running_var = None
            self.guests[key] = Guest(module, tuple(_loans(module, key[0])))
        return key, self.guests[key]

    def _built(self, key: Any) -> nn.Module:
        place, what, cin = key
        module: nn.Module = what.build(cin, self.outputs) if place is None else what.build(cin)
        return module

    def _borrowed(self, loans: Iterable[tuple[str, Loan]]) -> Iterator[tuple[str, Tensor]]:
        for prefix, (name, role, shape, parts) in loans:
            if role not in self.weights:
                raise UsageError(f"the shared weights have no {role}; take an architecture of their space")
            yield prefix + name, corner(self.weights[role], shape, parts=parts)

    def _fresh(self, shape: tuple[int, ...], key: Any, name: str) -> Tensor:
        """A weight as its layer would start it; what is one number in all channels is taken from the layer itself."""
        weight = torch.empty(shape)
        if len(shape) > 1:
            return nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
        if name.endswith("bias"):
            return weight.zero_()
        return weight.fill_(float(self._built(key).get_parameter(name).detach()[0]))


class Loan(NamedTuple):
    """A weight of a block, and where it is borrowed from.

    Attributes:
        name: of the weight in the block's module.
        role: of the shared weight.
        shape: what the block needs.
        parts: as `corner` takes it.
    """

    name: str
    role: str
    shape: tuple[int, ...]
    parts: int


@dataclass(frozen=True)
class Guest:
    """A module without memory, and the loans that let it run."""

    module: nn.Module
    loans: tuple[Loan, ...]


class Whole(nn.Module):
    """A network put together from guests: it runs as `Network` does.

    Attributes:
        loans: every loan, with the prefix of its name in this module.
    """

    def __init__(self, arch: Arch, guests: Sequence[Guest], companions: Mapping[Place, Sequence[Guest]]) -> None:
        super().__init__()
        self.taps = arch.head.taps(arch)
        self.loans: list[tuple[str, Loan]] = []
        self.stages, self.head = nn.ModuleList(), guests[-1].module
        for place, guest in zip((place for place, _ in arch.places()), guests, strict=False):
            if place[1] == 0:
                self.stages.append(nn.Sequential())
            self._add(place, [guest, *companions.get(place, ())])
        self.loans += [("head.", loan) for loan in guests[-1].loans]

    def forward(self, x: Tensor) -> Any:
        """Shape: (N, channels, H, W) -> what the head gives."""
        return self.head(run_stages(self.stages, x, self.taps))

    def _add(self, place: Place, guests: Sequence[Guest]) -> None:
        stage: Any = self.stages[place[0]]
        at = f"stages.{place[0]}.{place[1]}."
        if len(guests) == 1:
            stage.append(guests[0].module)
            self.loans += [(at, loan) for loan in guests[0].loans]
        else:
            stage.append(Mean(guest.module for guest in guests))
            self.loans += [(f"{at}{k}.", loan) for k, guest in enumerate(guests) for loan in guest.loans]


class Mean(nn.ModuleList):
    """The mean of what several blocks make of the same map."""

    def forward(self, x: Tensor) -> Tensor:
        """Shape: (N, cin, H, W) -> (N, out, H / stride, W / stride)."""
        return torch.stack([block(x) for block in self]).mean(0)


def alternatives(space: Space, choices: dict[str, int], *, fixed: Iterable[str]) -> dict[Place, list[Block]]:
    """At every place, the blocks that could stand there instead, with the same shapes: for the operations' warm-up.

    Args:
        space: where to look.
        choices: the point to look around.
        fixed: last words of decisions that are not varied: the widths.
    """
    around = neighbours(space, choices, fixed=tuple(fixed))
    own = dict(next(around)[1].arch.places())
    found: dict[Place, dict[Block, None]] = {}
    for _, (arch, *_) in around:
        for place, block in arch.places():
            base = own.get(place, block)
            if block != base and (block.out, block.stride) == (base.out, base.stride):
                found.setdefault(place, {})[block] = None
    return {place: list(blocks) for place, blocks in found.items()}


def _loans(module: nn.Module, place: Place | None) -> Iterator[Loan]:
    shapes = {name: tuple(weight.shape) for name, weight in module.named_parameters()}
    at = "head" if place is None else f"{place[0]}-{place[1]}"
    for name, shape in shapes.items():
        words = [word for word in name.split(".") if word != "body"]  # a residual adds this word and no weight
        conv = f"{'.'.join(name.split('.')[:-2])}.conv.weight"
        side = shapes.get(conv, shape)[-1] if len(shapes.get(conv, shape)) == 4 else 1
        role = "-".join([at, *words]) + (f"-{side}x{side}" if side > 1 else "")
        yield Loan(name, role, shape, PARTS.get(words[-2], 1) if len(words) > 1 else 1)
