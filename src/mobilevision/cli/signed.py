"""What typer is told of a verb whose parameters are not those in its source."""

from collections.abc import Callable, Iterable
from inspect import Parameter, Signature
from typing import Any, TypeVar

Verb = TypeVar("Verb", bound=Callable[..., Any])


def signed(verb: Verb, parameters: Iterable[Parameter], *, returns: Any) -> Verb:
    """The verb, which from now on shows these parameters."""
    shown = list(parameters)
    verb.__signature__ = Signature(shown, return_annotation=returns)  # type: ignore[attr-defined]  # read by inspect, not typed
    verb.__annotations__ = {each.name: each.annotation for each in shown} | {"return": returns}
    return verb
