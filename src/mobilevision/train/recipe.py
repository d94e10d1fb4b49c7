"""A recipe: every number of a training, as a value."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from mobilevision.errors import InputError, UsageError, nearest

WORDS = {
    "optimizer": ("adamw", "rmsprop", "sgd"),
    "policy": ("none", "trivial", "rand"),
    "balance": ("none", "sample", "weight"),
}
"""The words a field may hold."""

SHARES = (
    *("warmup", "final_lr", "momentum", "beta1", "beta2", "rho", "average", "smoothing", "dropout", "drop_path"),
    *("area", "flip", "color", "erase", "crop"),
)
"""Fields from 0 to 1; `warmup` is one as a share of the steps."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every number of a training; whole, so that one page says it all. `dataclasses.replace` makes a cousin.

    Attributes:
        name: what people call it.
        epochs: passes over the training pictures.
        least_steps: fewest steps; a folder so small that `epochs` give fewer is passed over more often.
        batch: pictures a step.
        size: side of the square picture, in pixels; 0 takes the network's own.
        crop: share of the resized short side that evaluation keeps; 0 takes the network's own.
        optimizer: "adamw", "rmsprop" or "sgd".
        lr: the highest learning rate, for steps of `batch` pictures.
        warmup: share of all steps over which the learning rate rises to `lr` in a line.
        final_lr: the last learning rate, as a share of `lr`; a cosine leads there.
        weight_decay: pull towards zero a step, as a multiple of the learning rate for AdamW, added to the gradient
            otherwise; norms and biases have none.
        momentum: share of the last step that the next keeps (SGD, RMSprop).
        beta1: share of the mean gradient that a step keeps (AdamW).
        beta2: share of the mean squared gradient that a step keeps (AdamW).
        rho: share of the mean squared gradient that a step keeps (RMSprop).
        epsilon: added to the root of the mean squared gradient (AdamW, RMSprop).
        clip: longest gradient of all weights together, as a Euclidean norm; 0 does not clip.
        average: share of the averaged weights that a step keeps; 0 does not average.
        smoothing: share of the target that is spread over all classes.
        dropout: chance that a number before the scores is dropped.
        drop_path: chance that a sample skips the last block; it grows in a line from 0 at the first.
        area: smallest share of the picture's area that a random crop keeps; 1 does not crop.
        aspect: widest random crop, as a multiple of its height; the tallest is its inverse.
        flip: chance of a mirrored picture.
        policy: further augmentation: "none", "trivial" (TrivialAugment) or "rand" (RandAugment, two operations).
        magnitude: strength of "rand", from 0 to 30.
        color: largest share by which brightness, contrast and saturation change.
        erase: chance that a rectangle is erased.
        balance: what to do about uneven classes: "none", "sample" draws them evenly, "weight" weighs the loss.
    """

    name: str
    epochs: int
    least_steps: int
    batch: int
    size: int
    crop: float
    optimizer: str
    lr: float
    warmup: float
    final_lr: float
    weight_decay: float
    momentum: float
    beta1: float
    beta2: float
    rho: float
    epsilon: float
    clip: float
    average: float
    smoothing: float
    dropout: float
    drop_path: float
    area: float
    aspect: float
    flip: float
    policy: str
    magnitude: int
    color: float
    erase: float
    balance: str

    def __post_init__(self) -> None:
        """Check that every number can be meant."""
        for name, words in WORDS.items():
            if getattr(self, name) not in words:
                raise UsageError(
                    f"{name} {getattr(self, name)!r} is not known; choose one of {', '.join(map(repr, words))}"
                )
        for name in SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        for name in ("epochs", "batch", "lr", "area", "aspect"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0, not {getattr(self, name)}")
        for name in ("least_steps", "size", "weight_decay", "epsilon", "clip", "magnitude"):
            if not getattr(self, name) >= 0:
                raise UsageError(f"{name} must not be less than 0, not {getattr(self, name)}")

    def changed(self, changes: Mapping[str, str | float]) -> Self:
        """The same recipe with other values, given as words or numbers, for example {"lr": "3e-4"}.

        Who asks for epochs gets them: without a word on `least_steps` it becomes 0.

        Raises:
            UsageError: if a name is no field, or a value is not of the field's kind.
        """
        kinds = {field.name: field.type for field in fields(self)}
        for name in changes:
            if name not in kinds:
                raise UsageError(f"a recipe has no {name!r}; {nearest(name, kinds)}")
        asked = {"least_steps": 0, **changes} if "epochs" in changes else changes
        return replace(self, **{name: _parsed(name, value, kinds[name]) for name, value in asked.items()})  # type: ignore[arg-type]

    def passes(self, steps: int) -> int:
        """The epochs it takes if one has `steps` steps."""
        return max(self.epochs, -(-self.least_steps // steps))

    def facts(self) -> dict[str, Any]:
        """The recipe as plain JSON."""
        return asdict(self)

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """The recipe that `facts` gave.

        Raises:
            InputError: if a field is missing or unknown.
        """
        known = {field.name for field in fields(cls)}
        if odd := sorted(known ^ facts.keys()):
            raise InputError(f"this recipe {'lacks' if odd[0] in known else 'has an unknown field'} {odd[0]!r}")
        return cls(**facts)


def _parsed(name: str, value: str | float, kind: Any) -> str | float:
    meant = {int: "a whole number", float: "a number", str: "a word"}[kind]
    try:
        parsed: str | float = kind(value)
    except ValueError:
        raise UsageError(f"{name} is {meant}, not {value!r}") from None
    if kind is int and isinstance(value, float) and parsed != value:
        raise UsageError(f"{name} is {meant}, not {value!r}")
    return parsed
