"""A run: a folder of facts that every verb reads and writes.

arch.json task.json recipe.json data.json environment.json   what was asked for, of what, where
log.jsonl                                                     one line an epoch
best.safetensors last/                                        weights, and what resuming needs
metrics.json artifacts/ report.html README.md                 what came out
explain.json robust.json                                      the same of where it looked, how sure, what it bears
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from mobilevision.architecture import Arch
from mobilevision.errors import InputError, UsageError
from mobilevision.files import append_json, locked, read_json_lines, write_json, write_text

PACKAGES = (
    "mobilevision",
    "torch",
    "torchvision",
    "numpy",
    "pillow",
    "lightning-fabric",
    "torchmetrics",
    "litert-torch",
    "ai-edge-litert",
    "onnx",
    "onnxruntime",
)


@dataclass(frozen=True)
class Run:
    """A run folder; knows its files' names, not what the rooms above write into them.

    Attributes:
        folder: where the run's files are.
    """

    folder: Path

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """A run that is there.

        Raises:
            UsageError: if `folder` is not a folder.
            InputError: if it holds no run.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}; give the folder of a run")
        if not (folder / "arch.json").is_file():
            raise InputError(f"{folder} is not a run: it has no arch.json; train or build one first")
        return cls(folder)

    @property
    def best(self) -> Path:
        """The weights that did best on the validation pictures."""
        return self.folder / "best.safetensors"

    @property
    def artifacts(self) -> Path:
        """The folder of exported files."""
        return self.folder / "artifacts"

    @property
    def arch(self) -> Arch:
        """The run's architecture."""
        return Arch.from_json((self.folder / "arch.json").read_text(encoding="utf-8"))

    def begin(self, arch: Arch, **facts: Any) -> None:
        """Write the architecture, the environment, and each of `facts` (task, recipe, data) under its name."""
        write_text(self.folder / "arch.json", arch.to_json())
        for name, value in facts.items():
            self.write(name, value)

    def read(self, name: str) -> Any:
        """The facts in `name`.json.

        Raises:
            InputError: if the file is not there or is not JSON.
        """
        path = self.folder / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(f"{self.folder} has no {path.name}; the step that writes it has not run") from None
        except json.JSONDecodeError as error:
            raise InputError(f"{path} is not JSON: {error}") from error

    def has(self, name: str) -> bool:
        """Whether the facts `name`.json are there."""
        return (self.folder / f"{name}.json").is_file()

    def write(self, name: str, facts: Any) -> None:
        """Write `facts` as `name`.json, whole or not at all."""
        write_json(self.folder / f"{name}.json", facts)

    def log(self, **facts: Any) -> None:
        """Append one line to log.jsonl."""
        append_json(self.folder / "log.jsonl", facts)

    def history(self) -> list[dict[str, Any]]:
        """The lines of log.jsonl; a last line that was cut off is left out.

        Raises:
            InputError: if another line is not JSON.
        """
        return read_json_lines(self.folder / "log.jsonl")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the run for this process; a second one is refused with `UsageError`."""
        with locked(self.folder):
            yield


def environment(seed: int) -> dict[str, Any]:
    """Where a run happens: versions, commit, processor, threads, seed, and when."""
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": sys.version.split()[0],
        "commit": commit(),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "seed": seed,
    }


def processor() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = (
        [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        if (info.is_file())
        else []
    )
    return names[0] if names else platform.processor() or platform.machine()


def commit() -> str | None:
    """The commit of the checkout that mobilevision runs from; None if it was installed from a wheel."""
    checkout, git = Path(__file__).parents[2], shutil.which("git")
    if git is None or not (checkout / ".git").exists():
        return None
    command = [git, "-C", str(checkout), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (no shell, no user words)
    return done.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
