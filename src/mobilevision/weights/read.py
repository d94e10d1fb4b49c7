"""Files of tensors, read so that nothing in them can run."""

import json
import pickle
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mobilevision.errors import InputError, UsageError

State = dict[str, Tensor]
FACTS = "mobilevision"  # key of our facts in the header of a .safetensors file
WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model", "net")  # averaged weights are the better ones
# What torch's reader raises on bytes that are not what they seem: it has no error class of its own for this. Too little
# memory is no damage, and is told as what it is.
DAMAGE = (
    *(pickle.UnpicklingError, zipfile.BadZipFile, struct.error, EOFError, OSError, RuntimeError, ValueError),
    *(LookupError, AssertionError, OverflowError),  # places that are not there
    *(TypeError, AttributeError),  # a tensor is put together of values that are none: torch asks a bool for its dtype
)
PREFIXES = ("module.", "_orig_mod.")  # what torch's parallel and compiled modules put before each name


def read_state(path: Path) -> State:
    """The tensors of a `.safetensors`, `.pth` or `.pt` file by name, out of whatever wraps them.

    Raises:
        UsageError: if there is no such file.
        InputError: if it cannot be read as tensors alone, whatever else it holds.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}; give a .safetensors, .pth or .pt file of weights")
    return unwrapped(_safetensors(path) if path.suffix == ".safetensors" else _pickled(path), str(path))


def read_facts(path: Path) -> dict[str, Any]:
    """The facts that `save_weights` wrote into the header of a file; none, if it is another's."""
    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get(FACTS, "{}")
        facts = json.loads(text)
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path} is not a whole .safetensors file: {error}") from error
    return facts if isinstance(facts, dict) else {}


def unwrapped(value: Any, source: str = "this checkpoint") -> State:
    """The tensors by name, out of a checkpoint's wrapper and without the prefixes of parallel and compiled modules.

    Of several sets of weights in one checkpoint, averaged ones go first.

    Raises:
        InputError: if there are no named tensors.
    """
    while isinstance(value, Mapping) and (inner := _wrapped(value)) is not None:
        value = inner
    if not isinstance(value, Mapping) or not value or not all(isinstance(x, Tensor) for x in value.values()):
        raise InputError(f"{source} holds no weights: it needs tensors by name, or a 'state_dict' of them")
    state = {str(key): tensor for key, tensor in value.items()}
    while prefix := next((p for p in PREFIXES if all(key.startswith(p) for key in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _wrapped(value: Mapping[Any, Any]) -> Mapping[Any, Any] | None:
    return next((value[name] for name in WRAPPERS if isinstance(value.get(name), Mapping)), None)


def _safetensors(path: Path) -> State:
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118  # not a mapping
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} is not a whole .safetensors file: {error}") from error


def _pickled(path: Path) -> Any:
    """What torch.load gives when it may build tensors and plain values only."""
    try:
        mapped = zipfile.is_zipfile(path)  # files of before torch 1.6 are no archives and cannot be mapped
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except DAMAGE as error:
        if wants := re.search(r"GLOBAL (\w\S*)", str(error)):
            raise InputError(
                f"{path} wants to run {wants[1]} while it is read and was not; "
                "ask its author for .safetensors or for the bare state dict"
            ) from error
        raise InputError(
            f"{path} is not a whole .pth or .pt file of tensors alone: it may be cut off, or of another kind"
        ) from error
