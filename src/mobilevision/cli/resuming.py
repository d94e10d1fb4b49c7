"""Going on with what was begun: what may be asked beside --resume, and what a search's folder keeps of its command."""

import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.signed import signed
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.files import write_json

ASKED = "asked.json"
HEEDED = ("resume", "processes", "ray", "device", "minutes", "table", "force", "json")
"""What may stand beside a search's --resume: how it is done, and for how long, not what is asked."""
Resume = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Go on with the search in this folder as it was begun.")
]


def given(context: typer.Context) -> list[str]:
    """The parameters that stand on the command line."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]


def refuse_unheeded(
    context: typer.Context, heeded: Sequence[str], *, why: str = "--resume goes on as it was begun"
) -> None:
    """Refuse what a verb would not heed beside an option that decides the rest, such as --resume.

    Args:
        context: what was asked.
        heeded: the parameters that may stand there, by their names in Python.
        why: what decides the rest, as the start of a sentence.

    Raises:
        UsageError: with the first that may not.
    """
    asked = given(context)
    for each in context.command.params:
        if each.name in asked and each.name not in heeded:
            word = each.opts[0] if each.opts[0].startswith("-") else each.opts[0].upper()  # an option, or DATA
            raise UsageError(f"{why}, so {word} would not be heeded; leave it out")


def resumable(verb: Callable[..., Answer]) -> Callable[..., Answer]:
    """The verb of a search with an option --resume, that takes the rest from the folder where it was asked."""
    known = inspect.signature(verb).parameters
    source = next(iter(known))

    @wraps(verb)
    def command(context: typer.Context, *, resume: Path | None = None, **options: Any) -> Answer:
        if resume is not None:
            refuse_unheeded(context, HEEDED)
            asked = asked_before(resume, verb)
            return verb(**asked | {name: options[name] for name in given(context) if name in options})
        for name, word in ((source, source.upper()), ("out", "--out FOLDER")):
            if options[name] is None:
                raise UsageError(f"a search needs {word}, or --resume FOLDER to go on with one; give it")
        with remembered(options["out"], {"method": verb.__name__, **options}):
            return verb(**options)

    parameters = [
        Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context),
        *(each.replace(default=None) if each.name in (source, "out") else each for each in known.values()),
        Parameter("resume", Parameter.KEYWORD_ONLY, default=None, annotation=Resume),
    ]
    return signed(command, parameters, returns=Answer)


@contextmanager
def remembered(folder: Path, asked: dict[str, Any]) -> Iterator[None]:
    """Keep what was asked in the folder of a search that begins; not if it is refused."""
    file = folder / ASKED
    begins = not file.exists()
    if begins:
        write_json(file, {name: str(value) if isinstance(value, Path) else value for name, value in asked.items()})
    try:
        yield
    except (UsageError, InputError, MissingError):
        if begins:
            file.unlink()
        raise


def asked_before(folder: Path, verb: Callable[..., Answer]) -> dict[str, Any]:
    """What a search in a folder was asked; it goes on in that folder, wherever that was when it began.

    Raises:
        UsageError: if there is no search, or one by another method or of another version.
        InputError: if what was asked cannot be read.
    """
    file = folder / ASKED
    if not file.is_file():
        raise UsageError(f"{folder} does not tell what was asked there; give the whole command with --out {folder}")
    try:
        asked: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        method = asked.pop("method")
    except (json.JSONDecodeError, AttributeError, KeyError) as error:
        raise InputError(f"{file} does not tell what was asked: {error!r}; give the whole command again") from error
    if method != verb.__name__:
        raise UsageError(
            f"{folder} holds a search by {method}; go on with: mobilevision search {method} --resume {folder}"
        )
    if asked.keys() != inspect.signature(verb).parameters.keys():
        raise UsageError(f"{folder} was asked by another version of mobilevision; give the whole command again")
    paths = [name for name, kind in get_type_hints(verb).items() if kind in (Path, Path | None)]
    return asked | {name: Path(asked[name]) for name in paths if asked.get(name)} | {"out": folder}
