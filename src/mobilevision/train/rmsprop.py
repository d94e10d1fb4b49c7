"""RMSprop as TensorFlow has it, which is what MobileNets and MnasNet were trained with."""

from collections.abc import Callable
from typing import Any

import torch
from torch import optim


class RMSpropTF(optim.Optimizer):
    """RMSprop with epsilon inside the root, the mean square starting at 1, and the learning rate inside the momentum.

    mean square <- rho * mean square + (1 - rho) * gradient ** 2
    momentum    <- momentum share * momentum + learning rate * gradient / sqrt(mean square + epsilon)
    weight      <- weight - momentum

    torch's own adds epsilon outside the root, starts at 0 and multiplies by the learning rate last. With an epsilon as
    large as 0.002 or 1 that is another algorithm.

    Args:
        groups: weights, or groups of them as torch has it.
        lr: learning rate.
        rho: share of the mean square that a step keeps.
        epsilon: added to the mean square.
        momentum: share of the momentum that a step keeps.
    """

    def __init__(
        self, groups: Any, lr: float, *, rho: float = 0.9, epsilon: float = 1e-3, momentum: float = 0.9
    ) -> None:
        numbers = {"lr": lr, "rho": rho, "epsilon": epsilon, "momentum": momentum, "weight_decay": 0.0}
        super().__init__(groups, numbers)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]  # torch's overloads tell the closure's two uses apart
        """Take a step."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight] |= {"square": torch.ones_like(weight), "momentum": torch.zeros_like(weight)}
            slopes = [weight.grad for weight in weights]
            squares = [self.state[weight]["square"] for weight in weights]
            momenta = [self.state[weight]["momentum"] for weight in weights]
            if group["weight_decay"]:
                slopes = list(torch._foreach_add(slopes, weights, alpha=group["weight_decay"]))
            torch._foreach_mul_(squares, group["rho"])
            torch._foreach_addcmul_(squares, slopes, slopes, 1 - group["rho"])
            roots = torch._foreach_add(squares, group["epsilon"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(momenta, group["momentum"])
            torch._foreach_addcdiv_(momenta, slopes, roots, group["lr"])
            torch._foreach_sub_(weights, momenta)
        return loss
