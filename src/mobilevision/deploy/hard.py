"""Hard activations six times as large, which are a clipped sum and a product."""

from torch import Tensor, nn
from torch.nn import functional as F


class SixHardSwish(nn.Module):
    """Six times hard swish: x * relu6(x + 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return x * F.relu6(x + 3)


class SixHardSigmoid(nn.Module):
    """Six times hard sigmoid: relu6(x + 3)."""

    def forward(self, x: Tensor) -> Tensor:
        """Keeps the shape."""
        return F.relu6(x + 3)


SIX_TIMES: dict[type[nn.Module], type[nn.Module]] = {nn.Hardswish: SixHardSwish, nn.Hardsigmoid: SixHardSigmoid}
