"""What a search is done with, whatever is asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from mobilevision.jobs import Local, Workers
from mobilevision.jobs.telling import Say, tell


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a search lives, what works for it, which times it goes by, and who hears of it.

    Attributes:
        folder: of the search; the same one goes on with a search that was stopped.
        workers: what trains candidates.
        device: where networks are trained.
        table: times of rows; None takes one in the folder, which fills itself.
        force: take a table from another machine or runtime.
        against_random: whether random search gets the same time afterwards.
        say: told how far the search is.
    """

    folder: Path
    workers: Workers = field(default_factory=Local)
    device: str = "auto"
    table: Path | None = None
    force: bool = False
    against_random: bool = True
    say: Say = tell

    def part(self, name: str) -> Setting:
        """The setting of one of several searches, in a folder of its own; random search comes after all of them."""
        return replace(self, folder=self.folder / name, against_random=False)
