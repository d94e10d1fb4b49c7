"""Options that belong together: a frozen dataclass whose fields are options, taken by a verb as one argument."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter
from typing import Any, get_type_hints

from mobilevision.cli.answer import Answer
from mobilevision.cli.signed import signed


def spread(verb: Callable[..., Answer]) -> Callable[..., Answer]:
    """The verb with options in place of each argument that is a group of them.

    A group that is a default, such as `where: Where = Where(space="mnasnet")`, gives the options their defaults.
    """
    signature = inspect.signature(verb)
    groups: dict[str, Any] = {
        name: each.annotation for name, each in signature.parameters.items() if is_dataclass(each.annotation)
    }

    @wraps(verb)
    def command(*arguments: Any, **options: Any) -> Answer:
        made = {
            name: group(**{field.name: options.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        return verb(*arguments, **options, **made)

    options = (option for each in signature.parameters.values() for option in options_of(each))
    return signed(command, options, returns=Answer)


def options_of(parameter: Parameter) -> Iterator[Parameter]:
    """The options that an argument of a verb stands for: the fields of a group, or itself."""
    group = parameter.annotation
    if not is_dataclass(group):
        yield parameter
        return
    hints = get_type_hints(group, include_extras=True)
    given = None if parameter.default is Parameter.empty else parameter.default
    for field in fields(group):
        default = field.default if given is None else getattr(given, field.name)
        yield Parameter(field.name, Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name])


def without(option: str, verb: Callable[..., Answer]) -> Callable[..., Answer]:
    """The verb without one of its options, which keeps its default."""
    parameters = inspect.signature(verb).parameters
    return signed(verb, (each for name, each in parameters.items() if name != option), returns=Answer)
