"""What rides in a .tflite file behind its flatbuffer: a zip archive, as TensorFlow Lite's associated files do."""

import json
import zipfile
from pathlib import Path
from typing import Any

LABELS, CARD = "labels.txt", "metadata.json"
EPOCH = (1980, 1, 1, 0, 0, 0)  # the same network gives the same bytes, whenever it is exported


def attach(file: Path, card: dict[str, Any]) -> None:
    """Append the zip archive with labels and card."""
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS, EPOCH), "".join(f"{label}\n" for label in card["labels"]))
        archive.writestr(zipfile.ZipInfo(CARD, EPOCH), json.dumps(card, indent=2, ensure_ascii=False))


def read_card(file: Path) -> dict[str, Any]:
    """The card in a file; empty if there is none, which is also so in a file that was cut short."""
    try:
        with zipfile.ZipFile(file) as archive:
            card: dict[str, Any] = json.loads(archive.read(CARD))
            return card
    except (zipfile.BadZipFile, KeyError, json.JSONDecodeError):
        return {}
