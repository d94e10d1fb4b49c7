"""The recipe that a command line asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.train.recipe import Recipe


def asked_recipe(
    name: str | None,
    weights: str | None,
    changes: list[str] | None,
    *,
    task: str,
    epochs: int | None,
    batch: str | None,
) -> Recipe:
    """The recipe that was named, or the task's usual one, with the numbers that were given."""
    from mobilevision.train.recipes import find_recipe, usual

    base = find_recipe(name) if name else usual(task, weights=weights is not None)
    return changed(base, changes, epochs=epochs, batch=batch)


def changed(base: Recipe, changes: list[str] | None, *, epochs: int | None, batch: str | None) -> Recipe:
    """A recipe with the numbers that were given.

    Raises:
        UsageError: if one is not KEY=VALUE, or the recipe has no such number.
    """
    given: dict[str, str | float] = {}
    for change in changes or []:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, for example --set lr=0.001, not {change!r}")
        given[key.strip()] = value.strip()
    sized = ("accumulate", 0) if batch == "auto" else ("batch", batch)
    given |= {key: value for key, value in (("epochs", epochs), sized) if value is not None}
    return base.changed(given)
