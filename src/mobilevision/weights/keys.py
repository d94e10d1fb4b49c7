"""From other people's names to ours and back, for whole networks.

renamed(network, TIMM)                           our tensors under timm's names
load_weights_(network, other.state_dict())       theirs into our network (see `load`)
"""

from collections.abc import Iterable

from torch import Tensor, nn

from mobilevision.architecture import Arch
from mobilevision.errors import InputError, UsageError
from mobilevision.weights.names import HEAD, SCORES, Layers, Naming, scores
from mobilevision.weights.names_emo import EMO
from mobilevision.weights.names_timm import TIMM
from mobilevision.weights.names_torchvision import TORCHVISION_MNASNET, TORCHVISION_V2, TORCHVISION_V3
from mobilevision.weights.names_torchvision_dense import TORCHVISION_DENSE

__all__ = [
    "EMO",
    "NAMINGS",
    "OURS",
    "TIMM",
    "TORCHVISION_DENSE",
    "TORCHVISION_MNASNET",
    "TORCHVISION_V2",
    "TORCHVISION_V3",
    "Naming",
    "arch_of",
    "head_layers",
    "key_map",
    "recognized",
    "renamed",
    "scores",
    "scores_of",
    "split",
    "stem_of",
]

OURS = Naming("mobilevision", lambda arch: {})
NAMINGS = (OURS, TIMM, TORCHVISION_V2, TORCHVISION_V3, TORCHVISION_MNASNET, EMO, *TORCHVISION_DENSE)


def key_map(network: nn.Module, naming: Naming) -> dict[str, str]:
    """The name of every tensor of `network` in `naming`: ours -> theirs; a tensor that has none there is left out."""
    keys = network.state_dict().keys()
    if naming is OURS:
        return {key: key for key in keys}
    layers = naming.layers(arch_of(network))
    parts = {key: split(key) for key in keys}
    return {key: f"{layers[layer]}.{tensor}" for key, (layer, tensor) in parts.items() if layer in layers}


def renamed(network: nn.Module, naming: Naming) -> dict[str, Tensor]:
    """The tensors of `network` under the names, and in the shapes, that `naming` gives them.

    Raises:
        UsageError: if it has no name for one of them.
    """
    names = key_map(network, naming)
    tensors: dict[str, Tensor] = {}
    for ours, tensor in network.state_dict().items():
        if ours not in names:
            name = arch_of(network).name
            raise UsageError(f"{naming.name} has no name for {ours} of {name}; save it under our own names")
        flat = split(ours)[0] in naming.flat and tensor.dim() == 4
        tensors[names[ours]] = tensor.flatten(1) if flat else tensor
    return tensors


def recognized(network: nn.Module, keys: Iterable[str]) -> Naming:
    """The naming in which most of `keys` are names of tensors of `network`.

    Raises:
        InputError: if none of them is.
    """
    given = set(keys)
    known = [len(given.intersection(key_map(network, naming).values())) for naming in NAMINGS]
    if not max(known):
        few = ", ".join(sorted(given)[:3]) or "no tensors"
        names = ", ".join(dict.fromkeys(naming.name for naming in NAMINGS))
        raise InputError(
            f"these are not weights of {arch_of(network).name}: under none of the names of {names} does it have {few}"
        )
    return NAMINGS[known.index(max(known))]


def split(key: str) -> tuple[str, str]:
    """A tensor's key as the name of its layer, without the residuals' `body`, and the tensor's own name there."""
    *path, tensor = key.split(".")
    return ".".join(part for part in path if part != "body"), tensor


def head_layers(network: nn.Module, naming: Naming) -> Layers:
    """What `naming` calls the layers of the head, the network's own and those of a classifier it may have had."""
    own = {layer: layer for layer, _ in map(split, network.state_dict()) if layer.startswith(HEAD)}
    found = naming.layers(arch_of(network)) if naming is not OURS else own | {SCORES: SCORES}
    return {ours: theirs for ours, theirs in found.items() if ours.startswith(HEAD)}


def scores_of(network: nn.Module, naming: Naming) -> list[str]:
    """What `naming` calls the layers that make the scores."""
    return [theirs for ours, theirs in head_layers(network, naming).items() if scores(ours)]


def stem_of(network: nn.Module) -> str:
    """Our key of the first convolution's weight."""
    return next(iter(network.state_dict()))


def arch_of(network: nn.Module) -> Arch:
    """The architecture that `network` was built from.

    Raises:
        UsageError: if it is not one of our networks.
    """
    arch = getattr(network, "arch", None)
    if not isinstance(arch, Arch):
        raise UsageError(f"{type(network).__name__} is not a network of ours: it has no architecture")
    return arch
