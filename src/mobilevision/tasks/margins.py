"""What vectors learn by: losses of pytorch-metric-learning, each with its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, cast

from torch import nn

from mobilevision.errors import InputError, UsageError, missing_extra, nearest


class Margin(Protocol):
    """A loss over vectors and classes.

    Attributes:
        name: what people call it.
        together: pictures of a class that it needs side by side in a batch; 1 if it compares with learned centers.
    """

    name: ClassVar[str]
    together: ClassVar[int]

    def module(self, classes: int, size: int) -> nn.Module:
        """The loss with what it learns itself, for vectors of `size` numbers: (vectors, classes) -> a scalar."""


@dataclass(frozen=True)
class ArcFace:
    """Cross entropy of the angles to learned centers, the right one widened (arXiv:1801.07698, equation 3).

    Attributes:
        margin: degrees that are added to the angle to the right center; the paper has 28.6 (0.5 radians), for hundreds
            of thousands of classes.
        scale: what cosines are multiplied by; the paper has 64.
    """

    margin: float = 20.0
    scale: float = 30.0

    name: ClassVar[str] = "arcface"
    together: ClassVar[int] = 1

    def module(self, classes: int, size: int) -> nn.Module:
        """See `Margin.module`."""
        return cast(nn.Module, _losses().ArcFaceLoss(classes, size, margin=self.margin, scale=self.scale))


@dataclass(frozen=True)
class CosFace:
    """Cross entropy of the cosines to learned centers, the right one lessened (arXiv:1801.09414, equation 4).

    Attributes:
        margin: what is taken from the cosine to the right center.
        scale: what cosines are multiplied by; the paper has 64, for very many classes.
    """

    margin: float = 0.35
    scale: float = 30.0

    name: ClassVar[str] = "cosface"
    together: ClassVar[int] = 1

    def module(self, classes: int, size: int) -> nn.Module:
        """See `Margin.module`."""
        return cast(nn.Module, _losses().CosFaceLoss(classes, size, margin=self.margin, scale=self.scale))


@dataclass(frozen=True)
class NormalizedSoftmax:
    """Cross entropy of the cosines to learned centers (arXiv:1811.12649, section 3.1).

    Attributes:
        scale: what cosines are multiplied by, the inverse of the temperature; the paper's 0.05 are 20.
    """

    scale: float = 20.0

    name: ClassVar[str] = "softmax"
    together: ClassVar[int] = 1

    def module(self, classes: int, size: int) -> nn.Module:
        """See `Margin.module`."""
        return cast(nn.Module, _losses().NormalizedSoftmaxLoss(classes, size, temperature=1 / self.scale))


@dataclass(frozen=True)
class Triplet:
    """A picture nearer to one of its class than to one of another, over all threes of a batch (arXiv:1503.03832).

    Threes that are told apart already do not count in the mean. Nothing is learned but the network.

    Attributes:
        margin: by how much nearer, as Euclidean distance; the paper has 0.2, of squared distances.
    """

    margin: float = 0.2

    name: ClassVar[str] = "triplet"
    together: ClassVar[int] = 4

    def module(self, classes: int, size: int) -> nn.Module:
        """See `Margin.module`."""
        return cast(nn.Module, _losses().TripletMarginLoss(margin=self.margin))


MARGINS: dict[str, type[Any]] = {kind.name: kind for kind in (ArcFace, CosFace, NormalizedSoftmax, Triplet)}


def margin_facts(margin: Margin) -> dict[str, Any]:
    """A loss as plain JSON, with its name."""
    return {"name": margin.name} | asdict(cast(Any, margin))


def read_margin(facts: Mapping[str, Any]) -> Margin:
    """The loss that `margin_facts` told; numbers that are left out have their usual value.

    Raises:
        UsageError: if there is no such loss.
        InputError: if it has no such number.
    """
    name = str(facts.get("name"))
    if name not in MARGINS:
        raise UsageError(f"there is no loss {name!r}; {nearest(name, MARGINS)}; known are {', '.join(MARGINS)}")
    try:
        return cast(Margin, MARGINS[name](**{key: float(value) for key, value in facts.items() if key != "name"}))
    except TypeError as error:
        raise InputError(f"the loss {name} has other numbers: {error}") from error


def _losses() -> Any:
    try:
        from pytorch_metric_learning import losses
    except ImportError as error:
        raise missing_extra("pytorch-metric-learning", "embed") from error
    return losses
