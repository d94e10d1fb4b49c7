"""Runtimes for browsers: files of npm packages that a demo carries with it.

They are not in the repository. `make web` runs this file, which asks npm for one version of each package and takes the
files out; wheels built after it hold them. Their licenses are in `web/`, and go where they go.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from mobilevision.errors import MissingError, MobilevisionError, UsageError, nearest
from mobilevision.pages.demo.npm import Package, Taken

WEB = Path(__file__).parent / "web"
FOLDER = WEB / "npm"
COMMAND = "python -m mobilevision.pages.demo.runtime"


@dataclass(frozen=True)
class WebRuntime:
    """What runs an exported file in a browser.

    Attributes:
        name: what people ask for, and the format of the files that it runs.
        face: our module that opens a file with it.
        license: the file in `web/` that its packages are licensed by.
        packages: that it is made of.
        imports: names that its modules import, and the files that these are.
    """

    name: str
    face: str
    license: str
    packages: tuple[Package, ...]
    imports: dict[str, str] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Its name and version for people."""
        return f"{self.packages[0].name} {self.packages[0].version}"

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return sum(file.bytes for package in self.packages for file in package.files)

    def files(self, folder: Path = FOLDER) -> list[Path]:
        """All that a page needs of it, with its license.

        Raises:
            MissingError: if files are not here or of another version, with the command that brings them.
        """
        for package in self.packages:
            if unfit := package.unfit(folder):
                raise MissingError(
                    f"{' and '.join(unfit)} of {package.name} {package.version} {'is' if len(unfit) == 1 else 'are'} "
                    f"not in {folder}; run: {COMMAND} (it asks npm; in a checkout: make web)"
                )
        names = [file.name for package in self.packages for file in package.files]
        return [*(folder / name for name in names), WEB / self.license]


ONNX = WebRuntime(
    name="onnx",
    face="onnx.mjs",
    license="onnxruntime-web.LICENSE.txt",
    packages=(
        Package(
            "onnxruntime-web",
            "1.30.0",
            "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
            (
                Taken("dist/ort.wasm.bundle.min.mjs", "ort.wasm.bundle.min.mjs", 73_054),
                Taken("dist/ort-wasm-simd-threaded.wasm", "ort-wasm-simd-threaded.wasm", 14_239_897),
            ),
        ),
    ),
)
LITERT = WebRuntime(
    name="litert",
    face="litert.mjs",
    license="litertjs.LICENSE.txt",
    packages=(
        Package(
            "@litertjs/core",
            "2.5.3",
            "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
            (
                Taken("dist/index.js", "litert-core.js", 53_482),
                Taken("wasm/litert_wasm_compat_internal.js", "litert_wasm_compat_internal.js", 273_246),
                Taken("wasm/litert_wasm_compat_internal.wasm", "litert_wasm_compat_internal.wasm", 9_334_181),
            ),
        ),
        Package(
            "@litertjs/wasm-utils",
            "2.5.3",
            "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
            (Taken("dist/index.js", "litert-wasm-utils.js", 1_494),),
        ),
    ),
    imports={"@litertjs/core": "./litert-core.js", "@litertjs/wasm-utils": "./litert-wasm-utils.js"},
)
RUNTIMES = {runtime.name: runtime for runtime in (ONNX, LITERT)}


def find_runtime(name: str) -> WebRuntime:
    """The runtime of that name.

    Raises:
        UsageError: if there is none.
    """
    if name not in RUNTIMES:
        raise UsageError(f"no runtime {name!r} runs in a browser; {nearest(name, RUNTIMES)}")
    return RUNTIMES[name]


if __name__ == "__main__":
    try:
        for each in RUNTIMES.values():
            for package in each.packages:
                if package.unfit(FOLDER):
                    package.fetch(FOLDER)
    except (MobilevisionError, OSError) as error:  # an installed package may be read-only
        raise SystemExit(f"error: {error}") from error
    print(*(os.path.relpath(file) for each in RUNTIMES.values() for file in each.files()), sep="\n")
