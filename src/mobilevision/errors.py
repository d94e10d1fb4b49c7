"""The few ways a request can fail, each with the exit code that the command line returns.

MobilevisionError (ValueError)    1  anything else
├── UsageError                    2  an unknown name or option, a locked run, a target no network can meet
├── InputError                    3  unfit input: data, weights, an artifact, a table
├── MissingError                  4  something is not here: an extra, a device, a cluster
└── ShortfallError                5  a check fell short: parity, an accuracy floor, a size
"""

from collections.abc import Iterable
from difflib import get_close_matches


class MobilevisionError(ValueError):
    """A request that cannot be met, told in one sentence with the value and the remedy."""

    exit_code = 1


class UsageError(MobilevisionError):
    """What was asked for does not exist or does not fit: a name, an option, a locked run."""

    exit_code = 2


class InputError(MobilevisionError):
    """What was given cannot be used: data, weights, an artifact, a table."""

    exit_code = 3


class MissingError(MobilevisionError):
    """Something this machine lacks: an optional package, a device, a cluster."""

    exit_code = 4


class ShortfallError(MobilevisionError):
    """A check ran and fell short: parity, an accuracy floor, a size."""

    exit_code = 5


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that names the known words nearest to `name`, for the end of an error message."""
    close = get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f"did you mean {' or '.join(close)}?" if close else "nothing known is near it"


def missing_extra(package: str, extra: str) -> MissingError:
    """The error for an optional `package` that is not installed, with the command that installs it."""
    return MissingError(f"{package} is not installed; run: {pip_command(extra)}")


def pip_command(extra: str) -> str:
    """The pip command that brings an extra, or mobilevision's own dependencies ("")."""
    return f"pip install 'mobilevision[{extra}]'" if extra else "pip install mobilevision"
