"""Checkpoints that are whole at every moment: beside, then renamed, and the one before is kept."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from mobilevision.errors import InputError
from mobilevision.files import sha256, write_json, writing

LAST, BEFORE, WRITING = "last", ".last-before", ".last-writing"
TENSORS, STATE = "state.safetensors", "state.json"

Checkpoint = tuple[dict[str, Tensor], dict[str, Any]]
"""Tensors by name, and plain facts."""


def save_checkpoint(folder: Path, tensors: dict[str, Tensor], facts: dict[str, Any]) -> None:
    """Put a checkpoint into the run `folder` as `last/`; the one before is kept under a hidden name.

    Whenever this is killed, `last/` or the one before is whole.
    """
    new, last, before = (folder / name for name in (WRITING, LAST, BEFORE))
    shutil.rmtree(new, ignore_errors=True)
    with writing(new / TENSORS) as beside:
        save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, beside)
    write_json(new / STATE, facts | {"sha256": sha256(new / TENSORS)})
    if last.exists():
        shutil.rmtree(before, ignore_errors=True)
        last.replace(before)
    new.replace(last)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest whole checkpoint of the run `folder`; None if it never had one.

    Raises:
        InputError: if there are checkpoints and none is whole.
    """
    reasons: list[str] = []
    for place in (folder / LAST, folder / BEFORE):
        if not place.exists():
            continue
        try:
            checkpoint = _read(place)
        except InputError as error:
            reasons.append(str(error))
        else:
            if reasons:
                warnings.warn(f"going on from the checkpoint before, since {reasons[0]}", stacklevel=2)
            return checkpoint
    if reasons:
        raise InputError(f"no checkpoint of {folder} is whole; train in another folder: {'; '.join(reasons)}")
    return None


def has_checkpoint(folder: Path) -> bool:
    """Whether a training has left a checkpoint in the run `folder`."""
    return any((folder / name).exists() for name in (LAST, BEFORE))


def _read(place: Path) -> Checkpoint:
    try:
        facts = json.loads((place / STATE).read_text(encoding="utf-8"))
        if facts["sha256"] != sha256(place / TENSORS):
            raise InputError(f"{place / TENSORS} is not what was written")
        return load_file(place / TENSORS), facts
    except (OSError, KeyError, json.JSONDecodeError, SafetensorError) as error:
        raise InputError(f"{place} cannot be read: {error}") from error
