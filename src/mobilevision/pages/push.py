"""A run as a repository of the Hugging Face hub: weights, config, card, exported files; in a folder or sent there."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from huggingface_hub import HfApi
from huggingface_hub import errors as hub
from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]  # public, but not named as such

from mobilevision.deploy.artifact import Artifact
from mobilevision.deploy.rounded import is_rounded
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.files import files_in, need_place, write_json, write_text, writing_folder
from mobilevision.models import open_model
from mobilevision.pages.card import README, UNKNOWN, card_of
from mobilevision.pages.facts import read_facts
from mobilevision.run import Run
from mobilevision.weights.pretrained import HUB

ARTIFACTS, LABELS = "artifacts", "labels.txt"


class Hub(Protocol):
    """The two calls of `huggingface_hub.HfApi` that sending takes."""

    def create_repo(self, repo_id: str, *, private: bool | None, exist_ok: bool) -> Any:
        """Make the repository if it is not there."""

    def upload_folder(self, *, repo_id: str, folder_path: str, commit_message: str) -> Any:
        """Send a folder as one commit."""


class Pushed(NamedTuple):
    """What was sent.

    Attributes:
        to: the folder, or "hf-hub:owner/name".
        files: their names there.
    """

    to: str
    files: list[str]


def push(
    run: Run | str | Path, to: str, *, license: str = UNKNOWN, private: bool = False, hub_api: Hub | None = None
) -> Pushed:
    """Write a run as the hub holds models, and send it there; the run gets the same README.md.

    A README.md that a person has worked on goes as it is.

    Args:
        run: its folder.
        to: "hf-hub:owner/name", or a folder that does not exist yet or is empty.
        license: of the weights, as an SPDX name.
        private: whether a repository that is made anew is seen by its owner alone.
        hub_api: who sends; None is the hub's own client, with the token it keeps.

    Raises:
        UsageError: if there is no such run, the folder is not empty, the name is none, or the network is trained with
            its rounding inside, which no other program could read.
        InputError: if the run has no weights, or a file of it is not of them.
        MissingError: if the hub cannot be reached or does not let one in.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    _check(opened, to)
    if not to.startswith(HUB):
        return Pushed(to, staged(opened, Path(to), license=license, address=Path(to).name))
    with tempfile.TemporaryDirectory() as shelter:
        folder = Path(shelter) / "model"
        files = staged(opened, folder, license=license, address=to)
        _send(folder, to, private=private, hub_api=hub_api or HfApi())
    return Pushed(to, files)


def staged(run: Run, folder: Path, *, license: str = UNKNOWN, address: str = "") -> list[str]:
    """Write what the hub would hold of a run into a folder, whole or not at all; gives the files' names."""
    text = card_of(read_facts(run), license=license, address=address)
    with writing_folder(folder) as beside:
        open_model(run.folder).save_pretrained(beside)
        write_text(beside / README, text)
        for artifact in Artifact.of(run):
            _copy(artifact, beside / ARTIFACTS, run)
        if (beside / ARTIFACTS).is_dir() and (run.artifacts / LABELS).is_file():
            shutil.copyfile(run.artifacts / LABELS, beside / ARTIFACTS / LABELS)
    write_text(run.folder / README, text)
    return [path.relative_to(folder).as_posix() for path in files_in(folder)]


def _check(run: Run, to: str) -> None:
    """What must hold before anything is written."""
    if is_rounded(run.folder):
        raise UsageError(f"{run.folder} was trained with its rounding inside; push the run that it was made from")
    if not run.best.is_file():
        raise InputError(f"{run.folder} has no weights (best.safetensors); train it first")
    if not to.startswith(HUB):
        need_place(Path(to), remedy=f"give a folder that is new or empty, or {HUB}owner/name")
        return
    try:
        validate_repo_id(_name(to))
    except hub.HFValidationError as error:
        raise UsageError(f"{to!r} does not name a repository of the hub; it needs {HUB}owner/name") from error
    if "/" not in _name(to):
        raise UsageError(f"{to!r} does not say whose the repository is; it needs {HUB}owner/name")


def _name(to: str) -> str:
    return to.removeprefix(HUB)


def _copy(artifact: Artifact, folder: Path, run: Run) -> None:
    """An exported file with its facts, in which the data's folder is told by its name alone."""
    folder.mkdir(exist_ok=True)
    source, beside = artifact.path, folder / artifact.path.name
    (shutil.copytree if source.is_dir() else shutil.copyfile)(source, beside)
    data = str(run.read("data")["source"]) if run.has("data") else ""
    text = json.dumps(artifact.facts, ensure_ascii=False)
    told = text.replace(json.dumps(data, ensure_ascii=False)[1:-1], Path(data).name) if data else text
    write_json(folder / f"{source.name}.json", json.loads(told))


def _send(folder: Path, to: str, *, private: bool, hub_api: Hub) -> None:
    try:
        hub_api.create_repo(_name(to), private=private or None, exist_ok=True)
        hub_api.upload_folder(
            repo_id=_name(to), folder_path=str(folder), commit_message="A network trained with mobilevision"
        )
    except (hub.HTTPError, OSError) as error:  # type: ignore[attr-defined]  # that of the hub's HTTP library
        first = str(error).strip().partition("\n")[0][:120] or type(error).__name__
        raise MissingError(
            f"the hub does not take {_name(to)} ({first}); go online and log in with: hf auth login, or give a folder"
        ) from error
