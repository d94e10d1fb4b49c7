"""Data sets that `datasets` has saved are read like folders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilevision.data import open_picture, read_data
from mobilevision.data.check import check
from mobilevision.errors import InputError

datasets = pytest.importorskip("datasets")


def saved(folder: Path, *, label: Any, values: list[Any], split: bool = False) -> Path:
    pictures = [
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (9, 8, 3), dtype=np.uint8))
        for number in range(len(values))
    ]
    features = datasets.Features({"img": datasets.Image(), "fine": label})
    rows = datasets.Dataset.from_dict({"img": pictures, "fine": values}, features=features)
    if split:
        rows = datasets.DatasetDict(train=rows, test=rows.select(range(4)).shuffle(seed=0), extra=rows)
    rows.save_to_disk(str(folder))
    return folder


def test_rows_are_pictures_with_the_names_of_their_classes(tmp_path: Path) -> None:
    kind = datasets.ClassLabel(names=["dog", "cat"])
    data = check(saved(tmp_path / "set", label=kind, values=[0, 1] * 6))
    assert data.labels == ("cat", "dog")
    assert data.counts()["train"] == {"cat": 5, "dog": 5}
    sample = next(each for each in data.train if each.file.name == "3")
    expected = np.random.default_rng(3).integers(0, 255, (9, 8, 3), dtype=np.uint8)
    assert (np.asarray(open_picture(sample.file)) == expected).all()
    assert data.labels[sample.labels[0]] == "cat"


def test_splits_are_kept_and_others_are_told(tmp_path: Path) -> None:
    kind = datasets.ClassLabel(names=["dog", "cat"])
    data = read_data(saved(tmp_path / "set", label=kind, values=[0, 1] * 6, split=True))
    assert len(data.test) == 4
    assert {each.file.parent.name for each in data.test} == {"test"}
    assert any("extra is left out" in warning for warning in data.warnings)


def test_several_classes_a_row(tmp_path: Path) -> None:
    kind = datasets.Sequence(datasets.ClassLabel(names=["x", "y"]))
    data = read_data(saved(tmp_path / "set", label=kind, values=[[0], [0, 1], [1], [0, 1]] * 3))
    assert data.multilabel
    assert data.labels == ("x", "y")


def test_a_data_set_without_pictures_is_refused(tmp_path: Path) -> None:
    rows = datasets.Dataset.from_dict({"text": ["a"], "label": [0]})
    rows.save_to_disk(str(tmp_path / "set"))
    with pytest.raises(InputError, match="has the columns text, label; a column of pictures"):
        read_data(tmp_path / "set")


def test_a_data_set_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "set", label=datasets.ClassLabel(names=["x", "y"]), values=[0, 1] * 3)
    (file,) = folder.glob("*.arrow")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(InputError, match="set cannot be read"):
        read_data(folder)
