"""How much memory the way from a folder of pictures to batches takes, by picture.

Each size runs in a process of its own, and what counts is the process's anonymous memory (RssAnon; Linux) once the data
is checked, the loader made and an epoch's order drawn: the difference between many pictures and a tenth of them.
    python benchmarks/data_memory.py --pictures 100000 --json memory.json
"""

import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image

LIMIT = 300.0  # bytes a picture
CHILD = """
import gc, sys
from mobilevision.data import Preprocessing, loader, read_data
from mobilevision.data.check import check
import benchmark_memory
read = {"check": check, "list": read_data}[sys.argv[1]]
data = read(sys.argv[2])
batches = loader(data.train, transform=Preprocessing((8, 8)).tensor, outputs=2, batch=32, shuffle=True)
for draws in batches.batch_sampler:
    pass
gc.collect()
print(benchmark_memory.anonymous())
"""


def main(
    pictures: Annotated[
        int, typer.Option(min=1000, help="Pictures of the larger folder; the other has a tenth.")
    ] = 100000,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Measure listing alone and checking, print bytes a picture, and fail where it is 300 or more."""
    with tempfile.TemporaryDirectory() as name:
        found = {way: growth(Path(name), pictures, way) for way in ("list", "check")}
    facts = {"machine": platform.platform(), "pictures": [pictures // 10, pictures], "bytes_a_picture": found}
    print(json.dumps(facts | {"limit": LIMIT}, indent=2))
    if to:
        to.write_text(json.dumps(facts | {"limit": LIMIT}, indent=2) + "\n", encoding="utf-8")
    if max(found.values()) >= LIMIT:
        raise typer.Exit(1)


def growth(folder: Path, pictures: int, way: str) -> float:
    """Bytes that a picture adds."""
    few, many = (grown(folder, count, way) for count in (pictures // 10, pictures))
    return round((many - few) / (pictures - pictures // 10), 1)


def grown(folder: Path, count: int, way: str) -> int:
    """Anonymous memory of a process that has read so many pictures."""
    child = [sys.executable, "-W", "ignore", "-c", CHILD.replace("benchmark_memory", Path(__file__).stem), way]
    paths = [str(Path(__file__).parent), *(path for path in sys.path if path)]
    done = subprocess.run(
        [*child, str(pictures_in(folder / str(count), count))],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"},
    )
    return int(done.stdout)


def pictures_in(folder: Path, count: int) -> Path:
    """Two class folders of that many tiny pictures, no two alike."""
    for name in ("cat", "dog") if not folder.exists() else ():
        (folder / name).mkdir(parents=True)
        for number in range(count // 2):
            color = (number % 256, number // 256 % 256, (number // 65536) * 2 + (name == "dog"))
            file = io.BytesIO()
            Image.new("RGB", (2, 1), color).save(file, "PNG")
            (folder / name / f"picture_{number:08d}.png").write_bytes(file.getvalue())
    return folder


def anonymous() -> int:
    """Bytes of this process that no file holds."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024


if __name__ == "__main__":
    typer.run(main)
