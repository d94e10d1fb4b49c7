"""Who of several processes speaks, and where long work tells how far it is."""

import os
import sys
from collections.abc import Callable

Say = Callable[[str], None]
"""Where long work tells how far it is, a line at a time."""


def leads() -> bool:
    """Whether this process is the one that writes and tells: the first of those that torchrun started, or the only."""
    return os.environ.get("RANK", "0") == "0"


def tell(line: str) -> None:
    """Say a line on stderr; of several processes the first does."""
    if leads():
        print(line, file=sys.stderr, flush=True)
