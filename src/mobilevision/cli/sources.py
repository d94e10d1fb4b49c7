"""What a word on the command line names: an architecture by name, by file or by run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.architecture import Arch


def find_arch(source: str) -> Arch:
    """The architecture of a run, of an arch.json, or of a name.

    Raises:
        UsageError: if there is none.
        InputError: if the file or the folder holds none.
    """
    from mobilevision.architecture import Arch
    from mobilevision.run import Run
    from mobilevision.zoo import arch

    path = Path(source)
    if path.is_dir():
        return Run.open(path).arch
    if path.is_file():
        return Arch.from_json(path.read_text(encoding="utf-8", errors="replace"))
    if path.suffix == ".json" or len(path.parts) > 1:
        raise UsageError(f"there is no {source}; give the name of a network, an arch.json, or a run")
    return arch(source)


def network_named(source: str) -> Arch | str:
    """What a training starts from: an arch.json's architecture, or the name, which may hold a tag of weights."""
    return find_arch(source) if source.endswith(".json") else source
