"""What is done to a picture before the network trains on it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

from mobilevision.data.loaders import Transform, TwoSteps
from mobilevision.data.mixing import Mixing
from mobilevision.data.policies import OPERATIONS, POLICIES
from mobilevision.data.preprocessing import INTERPOLATIONS, Preprocessing
from mobilevision.errors import UsageError


@dataclass(frozen=True)
class Augment:
    """How training pictures are varied; chance is drawn from torch's generator.

    Attributes:
        area: smallest and largest share of the picture's area that a crop keeps (Inception crop, arXiv:1409.4842).
        ratio: smallest and largest width of a crop as a multiple of its height.
        flip: chance of a mirror image; 0 where left and right matter, as for digits.
        policy: "none", "auto" (AutoAugment), "rand" (RandAugment), "trivial" (TrivialAugment) or "affine" (`Affine`).
        magnitude: strength of "rand" as its paper counts, where 10 turns by 30 degrees, and of "affine".
        magnitude_spread: standard deviation of that strength.
        policy_layers: operations of "rand", one after another.
        policy_chance: chance of each of them.
        exclude: operations of "rand" that are left out, by name.
        color: largest share by which brightness, contrast and saturation change.
        erase: chance that a rectangle is replaced by the mean color (random erasing, arXiv:1708.04896).
        turns: how many quarter turns of a picture are drawn, each a class of its own; only vectors can learn from it.
        mixing: what is done to a whole batch afterwards, by who trains.

    Raises:
        UsageError: if a value makes no sense.
    """

    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    flip: float = 0.5
    policy: str = "none"
    magnitude: float = 9.0
    magnitude_spread: float = 0.0
    policy_layers: int = 2
    policy_chance: float = 1.0
    exclude: tuple[str, ...] = ()
    color: float = 0.0
    erase: float = 0.0
    turns: int = 1
    mixing: Mixing = field(default_factory=Mixing)

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise UsageError(f"area {self.area} must be two shares above 0 and at most 1, the smaller one first")
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise UsageError(f"ratio {self.ratio} must be two numbers above 0, the smaller one first")
        if self.policy not in POLICIES:
            raise UsageError(f"augmentation policy {self.policy!r} is unknown; use {', '.join(POLICIES)}")
        if not 0 <= self.magnitude <= 30:
            raise UsageError(f"magnitude {self.magnitude} is not between 0 and 30")
        if unknown := [name for name in self.exclude if name not in OPERATIONS]:
            raise UsageError(f"RandAugment has no operation {unknown[0]!r}; it has {', '.join(OPERATIONS)}")
        for name in ("flip", "color", "erase", "policy_chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} {getattr(self, name)} must be between 0 and 1")

    def transform(self, preprocessing: Preprocessing) -> Transform:
        """From a picture to a varied tensor of the size and normalization that evaluation has."""
        crop = v2.RandomResizedCrop(
            preprocessing.size,
            scale=self.area,
            ratio=self.ratio,
            interpolation=INTERPOLATIONS[preprocessing.interpolation],
            antialias=True,
        )
        vary: list[Any] = [crop]
        if self.flip:
            vary.append(v2.RandomHorizontalFlip(self.flip))
        vary += POLICIES[self.policy](self)
        if self.color:
            vary.append(v2.ColorJitter(brightness=self.color, contrast=self.color, saturation=self.color))
        vary.insert(0, preprocessing.channelled)
        if not self.erase:
            return TwoSteps(v2.Compose([*vary, F.pil_to_tensor]), preprocessing.scaled)
        # After normalization the mean color is 0.
        transform: Transform = v2.Compose([*vary, preprocessing.normalized, v2.RandomErasing(self.erase, value=0.0)])
        return transform

    def unturned(self) -> Augment:
        """Itself, for targets that do not turn with their picture.

        Raises:
            UsageError: if turns are asked for.
        """
        if self.turns > 1:
            raise UsageError(f"only vectors learn from quarter turns as classes; set turns to 1, not {self.turns}")
        return self

    def least(self, preprocessing: Preprocessing) -> int:
        """Pixels that the sides of a picture need so that even the smallest crop is not enlarged; see `loader`."""
        return math.ceil(max(preprocessing.size) / math.sqrt(self.area[0]))

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {name: list(getattr(self, name)) for name in ("area", "ratio", "exclude")}
