"""The command `mobilevision`: which verbs there are, and what a failure returns to the shell."""

import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence

import typer
from typer.main import get_command

from mobilevision.cli.answer import Answer, answered, tell_failure, tell_unexpected, tell_warning
from mobilevision.cli.comparing import compare
from mobilevision.cli.demoing import demo
from mobilevision.cli.doctor import doctor
from mobilevision.cli.feeding import distill_prepare, shard
from mobilevision.cli.finding import find, index
from mobilevision.cli.judging import evaluate, predict, report
from mobilevision.cli.linting import lint
from mobilevision.cli.looking import check, list_networks, show
from mobilevision.cli.making import build, export
from mobilevision.cli.options import Version
from mobilevision.cli.pushing import push
from mobilevision.cli.roofing import roofline
from mobilevision.cli.searching import SEARCHES
from mobilevision.cli.tabling import suggest, table
from mobilevision.cli.timing import bench
from mobilevision.cli.training import train
from mobilevision.errors import MobilevisionError

INTERRUPTED = 130
TORCH = {"GOMP_SPINCOUNT": "10000", "THP_MEM_ALLOC_ENABLE": "1"}
"""What torch is told before it starts, unless the user said it: how long threads spin while they wait for the next
layer before they sleep (docs/threads.md: to sleep at once, and to spin as long as torch has it, are each far slower,
on a quiet machine and on a busy one), and to ask Linux for large maps in pages of 2 MB, of which there are 512 times
fewer to find and to fill.
"""
CommandError: type[Exception] = typer.BadParameter.__mro__[2]  # typer keeps its own copy of click, where it lives

VERBS: dict[str, Callable[..., Answer]] = {
    "build": build,
    "list": list_networks,
    "show": show,
    "check": check,
    "shard": shard,
    "distill prepare": distill_prepare,
    "train": train,
    "eval": evaluate,
    "predict": predict,
    "export": export,
    "bench": bench,
    "lint": lint,
    "index": index,
    "find": find,
    "report": report,
    "demo": demo,
    "compare": compare,
    "push": push,
    "roofline": roofline,
    "table": table,
    "suggest": suggest,
    **{f"search {method}": verb for method, verb in SEARCHES.items()},
    "doctor": doctor,
}

GROUPS = {
    "distill": "Learn from a teacher that was asked beforehand.",
    "search": "Search a network for your pictures and your runtime; every method tells its bill.",
}
"""What verbs of two words have in common, by the first."""


def command() -> typer.Typer:
    """The command with all its verbs."""
    app = typer.Typer(
        epilog="Exit codes: 2 usage, 3 unfit input, 4 something missing, 5 a check fell short, 130 interrupted.",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(mobilevision)
    groups: dict[str, typer.Typer] = {}
    for words, verb in VERBS.items():
        group, _, name = words.rpartition(" ")
        if group and group not in groups:
            groups[group] = typer.Typer(help=GROUPS[group])
            app.add_typer(groups[group], name=group)
        groups.get(group, app).command(name)(answered(verb))
    return app


def mobilevision(*, version: Version = False) -> None:
    """Vision networks that run on phones: from a folder of pictures to a proven file."""


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return the exit code of what happened."""
    as_json = "--json" in arguments
    try:
        outcome = get_command(command()).main(
            list(arguments) or ["--help"], prog_name="mobilevision", standalone_mode=False
        )
    except MobilevisionError as error:
        tell_failure(str(error), kind=type(error).__name__, exit_code=error.exit_code, as_json=as_json)
        return error.exit_code
    except CommandError as error:
        sentence = f"{error.format_message()} (see: mobilevision --help)"  # type: ignore[attr-defined]  # click is not typed
        tell_failure(sentence, kind="UsageError", exit_code=2, as_json=as_json)
        return 2
    except (KeyboardInterrupt, typer.Abort):
        outcome = INTERRUPTED
    if outcome == INTERRUPTED:
        tell_failure("interrupted", kind="Interrupted", exit_code=INTERRUPTED, as_json=as_json)
    return outcome if isinstance(outcome, int) else 0


def left_to_say(environment: Mapping[str, str]) -> dict[str, str]:
    """What torch is still to be told: not what the user said, nor how to wait if he said that in OpenMP's own word."""
    said = {*environment, *(["GOMP_SPINCOUNT"] if "OMP_WAIT_POLICY" in environment else [])}
    return {name: word for name, word in TORCH.items() if name not in said}


def main() -> None:
    """The entry point: run the verb on the command line and leave with its exit code."""
    sys.excepthook = tell_unexpected
    os.environ.update(left_to_say(os.environ))
    warnings.showwarning = tell_warning
    sys.exit(run(sys.argv[1:]))
