"""ONNX Runtime for browsers: two files of its npm package that a demo carries with it.

They are not in the repository. `make web` runs this file, which asks npm for one version of the package, checks the
archive's hash and takes the two out; built wheels hold them.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from mobilevision.errors import InputError, MissingError, MobilevisionError
from mobilevision.files import writing

PACKAGE = "onnxruntime-web"
VERSION = "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Of the archive, as the registry tells it."""

FILES = {"ort.wasm.bundle.min.mjs": 73_054, "ort-wasm-simd-threaded.wasm": 14_239_897}
"""What a page needs, with its bytes: the JavaScript face, and the runtime itself as WebAssembly."""

FOLDER = Path(__file__).parent / "web" / "onnxruntime"
SECONDS = 600  # the archive has some 30 MB


def runtime_files(folder: Path = FOLDER) -> list[Path]:
    """The runtime's files.

    Raises:
        MissingError: if they are not here or of another version, with the command that brings them.
    """
    files = [folder / name for name in FILES]
    unfit = [file.name for file in files if not file.is_file() or file.stat().st_size != FILES[file.name]]
    if unfit:
        raise MissingError(
            f"{' and '.join(unfit)} of {PACKAGE} {VERSION} {'is' if len(unfit) == 1 else 'are'} not in {folder}; "
            "run: make web (in a checkout; wheels built after it hold them)"
        )
    return files


def fetch(to: Path = FOLDER) -> None:
    """Have npm bring the package, and take the files out of it.

    Raises:
        MissingError: if there is no npm, or it cannot bring the package.
        InputError: if the archive is not the one that was pinned.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise MissingError("npm is not installed; it brings the browser's runtime: install Node.js and run: make web")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        try:
            done = subprocess.run(  # noqa: S603  # no shell, no user words
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=SECONDS
            )
        except subprocess.TimeoutExpired:
            raise MissingError(f"npm did not bring {PACKAGE} in {SECONDS} s; run make web again") from None
        archives = list(Path(folder).glob("*.tgz"))
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["it gave no reason"])[-1]
            raise MissingError(f"npm could not bring {PACKAGE} {VERSION}: {reason}")
        unpack(archives[0], to)


def unpack(archive: Path, to: Path, *, sha512: str = SHA512) -> None:
    """Take the files out of the package's archive.

    Nothing is unpacked by the paths in the archive: two members are read by their names, and written under our own.

    Args:
        archive: a .tgz as npm packs it.
        to: the folder to write.
        sha512: what its hash must be, in base64.

    Raises:
        InputError: if it is another archive, or lacks a file.
    """
    found = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if found != sha512:
        raise InputError(f"{archive.name} is not the archive that was pinned: its sha512 is {found}, not {sha512}")
    with tarfile.open(archive, "r:gz") as packed:
        for name in FILES:
            try:
                member = packed.getmember(f"package/dist/{name}")
            except KeyError:
                raise InputError(f"{archive.name} holds no dist/{name}; pin another version") from None
            content = packed.extractfile(member) if member.isfile() else None
            if content is None:
                raise InputError(f"dist/{name} in {archive.name} is not a plain file; pin another version")
            with writing(to / name) as beside, beside.open("wb") as file:
                shutil.copyfileobj(content, file)


if __name__ == "__main__":
    try:
        fetch()
    except MobilevisionError as error:
        raise SystemExit(f"error: {error}") from error
    print(*(os.path.relpath(file) for file in runtime_files()), sep="\n")
