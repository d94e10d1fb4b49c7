"""What a run folder holds, read so that a missing or broken part is told and the rest still shows."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mobilevision.architecture import Arch
from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import InputError
from mobilevision.run import Run


class Missing(NamedTuple):
    """Something a page cannot show.

    Attributes:
        what: the sentence.
        command: what makes it; "" if nothing does.
    """

    what: str
    command: str = ""


@dataclass(frozen=True)
class RunFacts:
    """All facts of a run that can be read.

    Attributes:
        folder: the run's.
        arch: its architecture, if that can be read.
        parts: task, recipe, data, environment and metrics, those that are there, by name.
        history: the lines of the log.
        artifacts: the facts of the exported files.
        missing: what is not there or cannot be read.
        later: what was not asked for yet.
    """

    folder: Path
    arch: Arch | None
    parts: dict[str, dict[str, Any]]
    history: tuple[dict[str, Any], ...]
    artifacts: tuple[dict[str, Any], ...]
    missing: tuple[Missing, ...]
    later: tuple[Missing, ...] = ()

    @property
    def name(self) -> str:
        """What the run is called: its folder's name."""
        return self.folder.resolve().name

    @property
    def quoted(self) -> str:
        """The run's folder as a shell takes it."""
        return shlex.quote(str(self.folder))

    def part(self, name: str) -> dict[str, Any]:
        """One of the parts; empty if it is not there."""
        return self.parts.get(name, {})

    @property
    def labels(self) -> list[str]:
        """The names of the classes."""
        return [str(label) for label in self.part("task").get("labels") or self.part("data").get("labels") or []]


def read_facts(source: Run | str | Path) -> RunFacts:
    """Read a run folder.

    Raises:
        UsageError: if there is no such folder.
        InputError: if it holds no run.
    """
    run = source if isinstance(source, Run) else Run.open(source)
    missing: list[Missing] = []
    arch = _arch(run, missing)
    parts = {name: part for name in COMMANDS if (part := _part(run, name, missing))}
    history = _history(run, missing)
    artifacts = tuple(_artifacts(run, missing))
    if not run.best.is_file():
        missing.append(Missing("There are no weights (best.safetensors).", _command(run, "train DATA --out {run}")))
    return RunFacts(run.folder, arch, parts, history, artifacts, tuple(missing), tuple(_later(run, artifacts)))


COMMANDS = {  # part of a run -> the verb that writes it
    "task": "train DATA --out {run}",
    "recipe": "train DATA --out {run}",
    "data": "train DATA --out {run}",
    "environment": "train DATA --out {run}",
    "metrics": "eval {run}",
}


def _arch(run: Run, missing: list[Missing]) -> Arch | None:
    try:
        return run.arch
    except InputError as error:
        missing.append(Missing(f"The architecture cannot be read: {error}."))
        return None


def _part(run: Run, name: str, missing: list[Missing]) -> dict[str, Any]:
    command = _command(run, COMMANDS[name])
    if not run.has(name):
        missing.append(Missing(f"There is no {name}.json.", command))
        return {}
    return facts_by_name(run, name, command, missing)


def facts_by_name(run: Run, name: str, command: str, missing: list[Missing]) -> dict[str, Any]:
    """What a file of a run says; empty if it cannot be read.

    Args:
        run: the run.
        name: of the file, without ".json".
        command: what would write it anew.
        missing: told why there is nothing.
    """
    try:
        facts = run.read(name)
    except InputError as error:
        missing.append(Missing(f"{name}.json cannot be read: {error}.", command))
        return {}
    if not isinstance(facts, dict):
        missing.append(Missing(f"{name}.json holds no facts by name.", command))
        return {}
    return facts


def _history(run: Run, missing: list[Missing]) -> tuple[dict[str, Any], ...]:
    try:
        history = tuple(line for line in run.history() if isinstance(line, dict))
    except InputError as error:
        missing.append(Missing(f"The log of the training cannot be read: {error}."))
        return ()
    if not history:
        missing.append(Missing("There is no log of a training.", _command(run, "train DATA --out {run}")))
    return history


def _artifacts(run: Run, missing: list[Missing]) -> list[dict[str, Any]]:
    """The facts of exported files; not of one that lies beside them and is not what they tell of."""
    found, again = [], _command(run, "export {run} --to litert")
    for path in sorted(run.artifacts.glob("*.json")) if run.artifacts.is_dir() else []:
        try:
            facts = json.loads(path.read_text(encoding="utf-8"))
            if (file := path.with_suffix("")).exists():
                Artifact.open(file, run=run if run.best.is_file() else None)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            missing.append(Missing(f"{path.name} cannot be read: {error}.", again))
            continue
        except InputError as error:
            missing.append(Missing(f"Left out: {error}.", again))
            continue
        if isinstance(facts, dict) and "format" in facts:
            found.append({"file": path.name.removesuffix(".json")} | facts)
    return found


def _later(run: Run, artifacts: Sequence[dict[str, Any]]) -> list[Missing]:
    """The next step with the run's files, if one is left."""
    if not artifacts:
        return [Missing("No file for a phone has been exported.", _command(run, "export {run} --to litert"))]
    untimed = [facts["file"] for facts in artifacts if not facts.get("timing")]
    return [Missing(f"Not timed yet: {', '.join(untimed)}.", _command(run, "bench {run}"))] if untimed else []


def _command(run: Run, words: str) -> str:
    return "mobilevision " + words.format(run=shlex.quote(str(run.folder)))
