"""A recipe: every number of a training, as a value."""

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from math import inf
from typing import Any, Self

from mobilevision.data.policies import OPERATIONS, POLICIES
from mobilevision.errors import InputError, UsageError, nearest

WORDS = {
    "optimizer": ("adamw", "rmsprop", "rmsprop_tf", "sgd", "nesterov"),
    "schedule": ("cosine", "linear", "exponential", "step", "constant"),
    "undecayed": ("nothing", "norms", "vectors", "vectors_depthwise"),
    "norms": ("batch", "frozen", "sync"),
    "init": ("torch", "fan_out"),
    "drop_path_shape": ("linear", "flat"),
    "policy": tuple(POLICIES),
    "balance": ("none", "sample", "weight"),
}
"""The words a field may hold."""

SHARES = (
    *("warmup", "first_lr", "final_lr", "decay", "momentum", "beta1", "beta2", "rho", "layer_decay", "norm_keep"),
    *("average", "smoothing", "dropout", "drop_path", "area", "flip", "policy_chance", "mix_chance", "color", "erase"),
    "crop",
)
"""Fields from 0 to 1; `warmup` is one as a share of the steps."""

POSITIVE = ("epochs", "batch", "lr", "decay", "decay_epochs", "layer_decay", "area", "aspect", "repeats")
"""Fields that must be more than 0."""

Value = str | float | tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Every number of a training; whole, so that one page says it all. `dataclasses.replace` makes a cousin.

    What has a default is off, or as torch has it: a recipe that does not name it does without.

    Attributes:
        name: what people call it.
        source: where its numbers are published, and which are not; "" if it is ours.
        epochs: passes over the training pictures.
        least_steps: fewest steps; a folder so small that `epochs` give fewer is passed over more often.
        batch: pictures a step, of all processes and parts together.
        accumulate: parts a step is worked off in, so that less memory is enough; 0 finds out how few will do.
        size: side of the square picture, in pixels; 0 takes the network's own.
        train_size: side in training, where it differs from evaluation (arXiv:1906.06423); 0 takes `size`.
        first_size: side in the first epoch, from where it grows in a line by multiples of 32; 0 does not grow.
        crop: share of the resized short side that evaluation keeps; 0 takes the network's own.
        optimizer: "adamw", "rmsprop", "rmsprop_tf" (TensorFlow's: epsilon inside the root), "sgd" or "nesterov".
        lr: the highest learning rate, for steps of `batch` pictures.
        schedule: how the learning rate falls: "cosine" and "linear" lead to `final_lr`, "exponential" multiplies
            by `decay` evenly over `decay_epochs`, "step" does so at once at their end, "constant" does not.
        warmup: share of all steps over which the learning rate rises to `lr` in a line.
        first_lr: where it rises from, as a share of `lr`.
        final_lr: the last learning rate of a cosine or a line, as a share of `lr`.
        decay: what an exponential or a step multiplies the learning rate by.
        decay_epochs: epochs that it takes, of `epochs`.
        weight_decay: pull towards zero a step, as a multiple of the learning rate for AdamW, added to the gradient
            otherwise.
        undecayed: what it spares: "nothing", "norms", "vectors" (norms, biases and scales), or "vectors_depthwise".
        l2: pull towards zero by a term of the loss, half the sum of squares of all that decays.
        momentum: share of the last step that the next keeps (SGD, RMSprop).
        beta1: share of the mean gradient that a step keeps (AdamW).
        beta2: share of the mean squared gradient that a step keeps (AdamW).
        rho: share of the mean squared gradient that a step keeps (RMSprop).
        epsilon: added to the root of the mean squared gradient, or before the root for "rmsprop_tf".
        clip: longest gradient of all weights together, as a Euclidean norm; 0 does not clip.
        layer_decay: what the learning rate is multiplied by from stage to stage, from the head towards the image.
        freeze: stages, from the image on, that are not trained.
        init: what `build` and `train` draw weights by where they start from nothing: "torch" leaves each layer as torch
            makes it, "fan_out" is that of torchvision's mobile networks (arXiv:1502.01852).
        norms: "batch" normalizes by the batch, "frozen" by the statistics that the weights came with and learns
            nothing, "sync" by the batches of all processes.
        norm_keep: share of the running statistics that a step keeps.
        average: share of the averaged weights that a step keeps; 0 does not average.
        smoothing: share of the target that is spread over all classes.
        dropout: chance that a number before the scores is dropped.
        drop_path: chance that a sample skips a block with a residual (stochastic depth).
        drop_path_shape: "linear" grows from 0 at the first block to `drop_path` at the last, "flat" is alike.
        area: smallest share of the picture's area that a random crop keeps; 1 does not crop.
        aspect: widest random crop, as a multiple of its height; the tallest is its inverse.
        flip: chance of a mirrored picture.
        policy: further augmentation: "none", "auto" (AutoAugment), "rand" (RandAugment), "trivial" (TrivialAugment) or
            "affine" (turned, moved, scaled and sheared a little).
        magnitude: strength of "rand", as the papers count, where 10 turns by 30 degrees, and of "affine", up to 20.
        magnitude_spread: standard deviation of the strength.
        policy_layers: operations of "rand", one after another.
        policy_chance: chance of each.
        exclude: operations of "rand" that are left out, by name.
        mixup: alpha of mixup: two pictures laid over each other; 0 does not.
        cutmix: alpha of cutmix: a rectangle of another picture; 0 does not. With both, each has half the batches.
        mix_chance: chance that a batch is mixed at all.
        color: largest share by which brightness, contrast and saturation change.
        erase: chance that a rectangle is erased.
        turns: quarter turns of each picture, from 1 to 4, each turn of a class a class of its own: only vectors can
            learn from more than 1.
        repeats: copies of a picture in an epoch, each varied anew, for so many fewer pictures (arXiv:1902.05509).
        balance: what to do about uneven classes: "none", "sample" draws them evenly, "weight" weighs the loss.
        best: the metric whose best epoch is kept; "" takes the task's own. Of a loss the lowest is best.
        patience: epochs without a better one after which the training ends; 0 goes on.
    """

    name: str
    source: str = ""
    epochs: int
    least_steps: int = 0
    batch: int
    accumulate: int = 1
    size: int = 0
    train_size: int = 0
    first_size: int = 0
    crop: float = 0.0
    optimizer: str
    lr: float
    schedule: str = "cosine"
    warmup: float = 0.0
    first_lr: float = 0.0
    final_lr: float = 0.0
    decay: float = 1.0
    decay_epochs: float = 1.0
    weight_decay: float = 0.0
    undecayed: str = "vectors"
    l2: float = 0.0
    momentum: float = 0.9
    beta1: float = 0.9
    beta2: float = 0.999
    rho: float = 0.9
    epsilon: float = 1e-8
    clip: float = 0.0
    layer_decay: float = 1.0
    freeze: int = 0
    norms: str = "batch"
    init: str = "torch"
    norm_keep: float = 0.9
    average: float = 0.0
    smoothing: float = 0.0
    dropout: float = 0.0
    drop_path: float = 0.0
    drop_path_shape: str = "linear"
    area: float = 1.0
    aspect: float = 4 / 3
    flip: float = 0.0
    policy: str = "none"
    magnitude: float = 9.0
    magnitude_spread: float = 0.0
    policy_layers: int = 2
    policy_chance: float = 1.0
    exclude: tuple[str, ...] = ()
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_chance: float = 1.0
    color: float = 0.0
    erase: float = 0.0
    turns: int = 1
    repeats: int = 1
    balance: str = "none"
    best: str = ""
    patience: int = 0

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
        if not 1 <= self.turns <= 4:
            raise UsageError(f"turns must be from 1 to 4, not {self.turns}")
        for name in POSITIVE:
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} must be more than 0, not {getattr(self, name)}")
        for field in fields(self):
            if field.type in (int, float) and not 0 <= getattr(self, field.name) < inf:
                raise UsageError(f"{field.name} must be a number of at least 0, not {getattr(self, field.name)}")
        for word in self.exclude:
            if word not in OPERATIONS:
                raise UsageError(f"RandAugment has no operation {word!r}; {nearest(word, OPERATIONS)}")

    def changed(self, changes: Mapping[str, str | float]) -> Self:
        """The same recipe with other values, given as words or numbers, for example {"lr": "3e-4"}.

        Several words are separated by commas. Who asks for epochs gets them: without a word on `least_steps` it
        becomes 0.

        Raises:
            UsageError: if a name is no field, or a value is not of the field's kind.
        """
        kinds = {field.name: field.type for field in fields(self)}
        for name in changes:
            if name not in kinds:
                raise UsageError(f"a recipe has no {name!r}; {nearest(name, kinds)}")
        asked = {"least_steps": 0, **changes} if "epochs" in changes else changes
        return replace(self, **{name: _parsed(name, value, kinds[name]) for name, value in asked.items()})  # type: ignore[arg-type]  # `_parsed` has looked at each field's own type

    def passes(self, steps: int) -> int:
        """The epochs it takes if one has `steps` steps."""
        return max(self.epochs, -(-self.least_steps // steps))

    def facts(self) -> dict[str, Any]:
        """The recipe as plain JSON."""
        return asdict(self) | {"exclude": list(self.exclude)}

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> Self:
        """The recipe that `facts` gave; what it does not say is off.

        Raises:
            InputError: if a field that has no default is missing, or one is unknown.
        """
        known = {field.name for field in fields(cls)}
        needed = {field.name for field in fields(cls) if field.default is MISSING}
        if odd := sorted((needed - facts.keys()) | (facts.keys() - known)):
            raise InputError(f"this recipe {'lacks' if odd[0] in known else 'has an unknown field'} {odd[0]!r}")
        words: dict[str, Any] = {"exclude": tuple(facts.get("exclude", ()))}
        return cls(**{**facts, **words})


def beyond_defaults(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What the facts of a recipe say beyond what has a default: all else is off, or as torch has it."""
    usual = {field.name: field.default for field in fields(Recipe)} | {"exclude": []}
    return {name: value for name, value in facts.items() if value != usual.get(name, MISSING)}


def _parsed(name: str, value: str | float, kind: Any) -> Value:
    if kind == tuple[str, ...]:
        return tuple(word.strip() for word in str(value).split(",") if word.strip())
    meant = {int: "a whole number", float: "a number", str: "a word"}[kind]
    try:
        parsed: str | float = kind(value)
    except ValueError:
        raise UsageError(f"{name} is {meant}, not {value!r}") from None
    if kind is int and isinstance(value, float) and parsed != value:
        raise UsageError(f"{name} is {meant}, not {value!r}")
    return parsed
