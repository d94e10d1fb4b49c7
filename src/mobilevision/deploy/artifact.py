"""An exported file with the facts that stand beside it."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mobilevision.errors import InputError, MobilevisionError, UsageError
from mobilevision.files import sha256, size, write_json
from mobilevision.run import Run


@dataclass(frozen=True)
class Artifact:
    """A proven file; its facts are the JSON beside it.

    Attributes:
        path: the file; a folder, where the format is one.
        facts: format, precision, bytes, sha256, origin (arch, arch_digest, weights_sha256), inputs, outputs, labels,
            preprocessing, task, remains (what is left to do before its device runs it), operators, coverage, proof,
            versions, and timing once it was timed.
    """

    path: Path
    facts: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path, *, run: Run | None = None) -> Artifact:
        """A file that is what was proven, byte by byte.

        Args:
            path: the file.
            run: also check that it was exported from this run's architecture and weights.

        Raises:
            UsageError: if there is no such file.
            InputError: if its facts are not beside it, or the file is not the one they tell of, or not of `run`.
        """
        path = Path(path)
        if not path.exists():
            raise UsageError(f"there is no file {path}; export one first")
        found = cls(path, _facts(path))
        found._check_bytes()
        if run is not None:
            found._check_origin(run)
        return found

    @classmethod
    def of(cls, run: Run) -> list[Artifact]:
        """All files of a run that are whole and of its weights, by name; what is not is left out with a warning."""
        found = []
        for path in sorted(run.artifacts.glob("*.json")) if run.artifacts.is_dir() else []:
            try:
                found.append(cls.open(path.with_suffix(""), run=run))
            except MobilevisionError as error:
                warnings.warn(f"left out: {error}", stacklevel=2)
        return found

    def with_facts(self, **facts: Any) -> Artifact:
        """The same file with more facts, written beside it."""
        changed = replace(self, facts=self.facts | facts)
        changed.write()
        return changed

    def write(self) -> None:
        """Write the facts beside the file."""
        write_json(facts_path(self.path), self.facts)

    def _check_bytes(self) -> None:
        found = size(self.path)
        if found != self.facts["bytes"]:
            short = " (cut short?)" if found < self.facts["bytes"] else ""
            raise InputError(
                f"{self.path} has {found} bytes where {self.facts['bytes']} were proven{short}; export it again"
            )
        if sha256(self.path) != self.facts["sha256"]:
            raise InputError(f"{self.path} is not the file that was proven: its sha256 differs; export it again")

    def _check_origin(self, run: Run) -> None:
        if not run.best.is_file():
            raise InputError(
                f"{run.folder} holds no weights ({run.best.name}) that {self.path} could be of; train first"
            )
        if self.facts["arch_digest"] != run.arch.digest:
            raise InputError(f"{self.path} holds another architecture than the run {run.folder}; export it again")
        if self.facts["weights_sha256"] != sha256(run.best):
            raise InputError(f"{self.path} holds other weights than the run {run.folder}; export it again")


def facts_path(file: Path) -> Path:
    """Where the facts of `file` stand: beside it, with .json after its whole name."""
    return file.with_name(file.name + ".json")


def _facts(file: Path) -> dict[str, Any]:
    path = facts_path(file)
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{file} has no facts beside it ({path.name}); export it again") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path} is not JSON: {error}; export the file again") from error
    missing = {"bytes", "sha256", "arch_digest", "weights_sha256"} - set(facts if isinstance(facts, dict) else ())
    if missing:
        raise InputError(f"{path} does not tell {', '.join(sorted(missing))}; export the file again")
    return dict(facts)
