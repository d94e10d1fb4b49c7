"""What was said of pictures and frames, written to files as it comes: tables, JSON, COCO, YOLO, pictures, a video."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from PIL import Image

from mobilevision.data.video import Video
from mobilevision.errors import UsageError, nearest
from mobilevision.files import write_json, write_text, writing
from mobilevision.pages.annotated import annotated, titled
from mobilevision.pages.film import Film
from mobilevision.tasks.base import Task, Told
from mobilevision.tasks.detect import Detections
from mobilevision.tasks.segment import Segmentation

SAVES = ("images", "json", "csv", "coco", "yolo", "masks")
ONLY = {"coco": "detect", "yolo": "detect", "masks": "segment"}
"""What is written for one task alone."""

FOLDER = "predictions"


def check_saves(kinds: Sequence[str], task: Task | None = None) -> None:
    """Refuse what cannot be saved.

    Args:
        kinds: what is asked for.
        task: what is predicted; None asks only whether there are such kinds.

    Raises:
        UsageError: with what can be.
    """
    for kind in kinds:
        if kind not in SAVES:
            raise UsageError(f"--save {kind!r} is not known; {nearest(kind, SAVES)}; choose from {', '.join(SAVES)}")
        if task is not None and ONLY.get(kind, task.name) != task.name:
            fits = ", ".join(each for each in SAVES if ONLY.get(each, task.name) == task.name)
            raise UsageError(
                f"--save {kind} is for {ONLY[kind]}, and this network does {task.name}; choose from {fits}"
            )


class Album:
    """Gathers predictions, and writes what is asked for; also what there is when something breaks off.

    Args:
        folder: where to write: `predictions.json` and its like, and a folder `predictions` of pictures and videos.
        kinds: of `SAVES`.
        task: what is predicted.
    """

    def __init__(self, folder: Path, kinds: Sequence[str], *, task: Task) -> None:
        self.folder, self.kinds, self.task = folder, kinds, task
        self.told: list[Told] = []
        self.saved: list[str] = []
        self._names: dict[str, str] = {}
        self._film: Film | None = None

    def __enter__(self) -> Self:
        return self

    def add(self, image: Image.Image, told: Told, *, speed: float | None = None) -> None:
        """Take a picture in, with what was said of it.

        Args:
            image: the picture.
            told: what was said.
            speed: of a frame: how many a second are predicted.
        """
        self.told.append(told)
        if "masks" in self.kinds and isinstance(told, Segmentation):
            self._picture(Image.fromarray(told.mask.numpy()), told, "_mask.png")
        if "images" not in self.kinds:
            return
        drawn = annotated(told, image)
        if self._film is None:
            self._picture(drawn, told, ".jpg")
        else:
            self._film.add(drawn if speed is None else titled(drawn, [f"{speed:.0f} FPS"]))

    def film(self, video: Video) -> Film:
        """Where the frames of a video go while it is open; use it in a `with`."""
        self._film = Film(self.folder / FOLDER / f"{self._name(video.name)}.mp4", rate=video.rate)
        return self._film

    def filmed(self) -> None:
        """Say that the video is over."""
        if self._film is not None and self._film.count:
            self.saved.append(str(self._film.path))
        self._film = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self.kinds:
            if name in WRITERS:
                self.saved.append(str(WRITERS[name](self.told, self.task.labels, self.folder)))

    def _picture(self, image: Image.Image, told: Told, suffix: str) -> None:
        path = self.folder / FOLDER / f"{self._name(told.file)}{suffix}"
        with writing(path) as beside:
            image.save(beside)
        self.saved.append(str(path))

    def _name(self, file: str) -> str:
        """A name for what is made of a file, its own alone."""
        if file not in self._names:
            plain, taken = stem(file), set(self._names.values())
            names = [plain, *(f"{plain}-{number}" for number in range(2, len(taken) + 3))]
            self._names[file] = next(each for each in names if each not in taken)
        return self._names[file]


def stem(file: str) -> str:
    """A file's name without folder and suffix, of plain letters; of a frame with its number."""
    source, _, frame = file.partition("#")
    name = re.sub(r"[^\w.-]+", "-", Path(source).stem) or "picture"
    return f"{name}-{frame}" if frame else name


def write_facts(told: Sequence[Told], labels: Sequence[str], folder: Path) -> Path:
    """All of it as predictions.json."""
    path = folder / "predictions.json"
    write_json(path, [one.facts() for one in told])
    return path


def write_table(told: Sequence[Told], labels: Sequence[str], folder: Path) -> Path:
    """Rows as predictions.csv, sorted by label, the surest first: of a folder of pictures, an album."""
    path, table = folder / "predictions.csv", io.StringIO()
    rows = [row for one in told for row in one.rows()]
    rows.sort(key=lambda row: (row["label"], -row["score"], row["file"]))
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(rows[0] if rows else ("label", "score", "file"))
    writer.writerows([_cell(value) for value in row.values()] for row in rows)
    write_text(path, table.getvalue())
    return path


def write_coco(told: Sequence[Told], labels: Sequence[str], folder: Path) -> Path:
    """Boxes as COCO's JSON with scores, in predictions_coco.json."""
    path = folder / "predictions_coco.json"
    boxes: list[dict[str, Any]] = []
    found = [one for one in told if isinstance(one, Detections)]
    for image, one in enumerate(found, start=1):
        for label, score, (left, top, right, bottom) in zip(one.labels, one.scores, one.pixels, strict=True):
            width, height = right - left, bottom - top
            facts = {"id": len(boxes) + 1, "image_id": image, "category_id": labels.index(label) + 1, "score": score}
            boxes.append(facts | {"bbox": [left, top, width, height], "area": width * height, "iscrowd": 0})
    images = [
        {"id": image, "file_name": one.file, "height": one.size[0], "width": one.size[1]}
        for image, one in enumerate(found, start=1)
    ]
    names = [{"id": number, "name": label} for number, label in enumerate(labels, start=1)]
    write_json(path, {"images": images, "annotations": boxes, "categories": names})
    return path


def write_yolo(told: Sequence[Told], labels: Sequence[str], folder: Path) -> Path:
    """Boxes as YOLO's text files in a folder `labels`, with the scores behind; classes.txt names the numbers."""
    home, taken = folder / "labels", dict[str, int]()
    for one in told:
        if isinstance(one, Detections):
            name = stem(one.file)
            taken[name] = taken.get(name, 0) + 1
            path = home / f"{name}{f'-{taken[name]}' if taken[name] > 1 else ''}.txt"
            write_text(
                path, "".join(_line(*row, labels) for row in zip(one.labels, one.scores, one.boxes, strict=True))
            )
    write_text(folder / "classes.txt", "".join(f"{label}\n" for label in labels))
    return home


WRITERS: dict[str, Callable[[Sequence[Told], Sequence[str], Path], Path]] = {
    "json": write_facts,
    "csv": write_table,
    "coco": write_coco,
    "yolo": write_yolo,
}


def _line(label: str, score: float, box: Sequence[float], labels: Sequence[str]) -> str:
    left, top, right, bottom = box
    middle = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
    return f"{labels.index(label)} {' '.join(f'{side:.6f}' for side in middle)} {score:.6f}\n"


def _cell(value: Any) -> Any:
    return f"{value:.6f}" if isinstance(value, float) else value
