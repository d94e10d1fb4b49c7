"""The Python and shell blocks of a page of Markdown, and the folder that they run in."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from mobilevision.cli.app import run

BLOCK = re.compile(r"(?:<!-- not run: ([^\n]+?) -->\n)?^```(python|bash)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
OURS = "mobilevision "


class Block(NamedTuple):
    """A block of code on a page.

    Attributes:
        language: "python" or "bash".
        code: its lines.
        excuse: why it is not run; "" if it is.
    """

    language: str
    code: str
    excuse: str


def blocks(text: str) -> list[Block]:
    """Every Python and shell block of a page, in order; a comment above it may say why it is not run."""
    return [Block(language, code, excuse) for excuse, language, code in BLOCK.findall(text)]


def draw_pets() -> None:
    """What the pages take for granted where they run: `pets/` with two classes, `holiday/`, and `photo.jpg`."""
    noise = np.random.default_rng(0)
    for name, channel in (("cat", 0), ("dog", 2)):
        for folder in (Path("pets") / name, Path("holiday")):
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(12):
                pixels = noise.integers(0, 100, (40, 40, 3))
                pixels[..., channel] += 150
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}{i}.png")
    Image.open("holiday/cat0.png").save("photo.jpg")


def draw_marks() -> None:
    """`marks/` with six classes of pictures, whole classes of which can be kept from training."""
    noise = np.random.default_rng(1)
    for place, name in enumerate(("amber", "blue", "cyan", "green", "lilac", "red")):
        folder = Path("marks") / name
        folder.mkdir(parents=True)
        color = [90 * (place >> bit & 1) for bit in range(3)]
        for i in range(8):
            Image.fromarray((noise.integers(0, 128, (36, 36, 3)) + color).astype(np.uint8)).save(folder / f"{i}.png")


def run_block(block: Block, page: str) -> None:
    """Run a block here and fail if it fails; our own command runs in this process, which saves its start.

    Any other command finds the `python` of this environment first, as for a reader who activated it.
    """
    if block.language == "python":
        exec(compile(block.code, page, "exec"), {"__name__": "__main__"})
        return
    active = {**os.environ, "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))}
    for line in filter(None, block.code.replace("\\\n", " ").splitlines()):
        if line.startswith(OURS):
            assert run(shlex.split(line, comments=True)[1:]) == 0, f"{page}: {line}"
        else:
            done = subprocess.run(["bash", "-euc", line], env=active, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{page}: {line}\n{done.stderr}"
