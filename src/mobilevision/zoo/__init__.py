"""Every published network by name, and the families at any width."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from mobilevision.errors import UsageError, nearest

if TYPE_CHECKING:
    from mobilevision.architecture import Arch


@cache
def catalog() -> dict[str, dict[str, Any]]:
    """Facts of every named network: family, paper, image size in pixels, parameters and multiply-accumulates.

    Read from a generated file, so that asking needs no torch; a test compares the file with `walk`.
    """
    text = resources.files(__name__).joinpath("catalog.json").read_text(encoding="utf-8")
    facts: dict[str, dict[str, Any]] = json.loads(text)
    return facts


def list_models(pattern: str = "*") -> list[str]:
    """The names that fit a pattern such as "mobilenetv4*", in order."""
    return [name for name in sorted(catalog()) if fnmatchcase(name, pattern)]


def arch(name: str, *, width: float | None = None, size: int | None = None, padding: str | None = None) -> Arch:
    """A published architecture by its name, or a family at any width.

    Args:
        name: a name that `list_models` gives, or with `width` a family, for example "mobilenetv2".
        width: multiplier of the channels, rounded by the family's own rule (see its function in the zoo).
        size: side of the image it is made for, in pixels.
        padding: "torch" or "same" (TensorFlow's).

    Raises:
        UsageError: if there is no such network or family, or the width or size is not positive.
    """
    from mobilevision.zoo.dense import DENSE, HEADS, parted
    from mobilevision.zoo.families import FAMILIES, NAMED, family_of

    head, backbone = parted(name) if name not in DENSE else ("", name)
    if head:
        found = replace(HEADS[head](arch(backbone, width=width)), name=name)
    elif width is None:
        found = _known(name, NAMED | DENSE)()
    elif width <= 0:
        raise UsageError(f"a width of {width:g} leaves no channels; give a positive one")
    else:
        found = FAMILIES[family_of(name)](width)
    if size is not None and size <= 0:
        raise UsageError(f"an image of {size} pixels is empty; give a positive size")
    return replace(found, size=size or found.size, padding=padding or found.padding)


def _known(name: str, named: dict[str, Callable[[], Arch]]) -> Callable[[], Arch]:
    if name not in named:
        raise UsageError(f"there is no network called {name!r}; {nearest(name, named)}")
    return named[name]
