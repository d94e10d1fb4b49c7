"""What a verb gives back, and how it is told: words for people, JSON for programs, one sentence for a failure."""

import inspect
import json as text
import os
import sys
import traceback
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Annotated, Any, TextIO

import typer

from mobilevision.cli.signed import signed

DEBUG = "MOBILEVISION_DEBUG"

Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout; words go to stderr.")]


@dataclass(frozen=True)
class Answer:
    """What a verb found out.

    Attributes:
        facts: plain JSON.
        words: the same for people: text, or something that rich can draw.
    """

    facts: Any
    words: Any


def answered(verb: Callable[..., Answer]) -> Callable[..., None]:
    """The verb as a command: with an option --json, its answer printed.

    With --json, stdout carries the result alone; whatever the verb or a library prints on the way goes to stderr.
    """

    @wraps(verb)
    def command(*arguments: Any, json: bool = False, **options: Any) -> None:
        with redirect_stdout(sys.stderr) if json else nullcontext():
            answer = verb(*arguments, **options)
        if json:
            print(text.dumps(answer.facts, indent=2, ensure_ascii=False))
        elif isinstance(answer.words, str):
            print(answer.words)
        else:
            from rich import print as draw

            draw(answer.words)

    option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    return signed(command, [*inspect.signature(verb).parameters.values(), option], returns=None)


def tell_failure(sentence: str, *, kind: str, exit_code: int, as_json: bool) -> None:
    """Say why a verb failed: a sentence on stderr, and with `as_json` the same as data on stdout."""
    print(f"error: {sentence}", file=sys.stderr)
    if as_json:
        print(text.dumps({"error": sentence, "kind": kind, "exit_code": exit_code}, ensure_ascii=False))


def tell_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """What `warnings.showwarning` is replaced by: the sentence alone, without the line of code it came from."""
    print(f"warning: {message}", file=sys.stderr)


def tell_unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What `sys.excepthook` calls for an error nobody foresaw: one line, or the traceback if it was asked for."""
    if os.environ.get(DEBUG, "0") not in ("", "0"):
        traceback.print_exception(kind, error, trace)
    first = (str(error).strip().splitlines() or ["no message"])[0]
    sentence = f"unexpected {kind.__name__}: {first} (set {DEBUG}=1 to see the traceback)"
    tell_failure(sentence, kind=kind.__name__, exit_code=1, as_json="--json" in sys.argv)
