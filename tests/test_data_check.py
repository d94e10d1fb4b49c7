"""Everything bad is set aside with its reason before anything trains."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data import Data, read_data
from mobilevision.data.check import check
from mobilevision.errors import InputError


def picture(path: Path, number: int) -> Path:
    """A picture that no other number makes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, label in enumerate(("cat", "dog")):
        for number in range(10):
            picture(tmp_path / label / f"{number}.jpg", 100 * place + number)
    return tmp_path


@pytest.fixture
def split_folder(tmp_path: Path) -> Path:
    for place, split in enumerate(("train", "val", "test")):
        for other, label in enumerate(("cat", "dog")):
            for number in range(4):
                picture(tmp_path / split / label / f"{number}.png", 100 * place + 10 * other + number)
    return tmp_path


def reasons(data: Data) -> dict[str, str]:
    return {data.name(each.file): each.reason for each in data.set_aside}


def test_good_data_is_as_it_was_read(folder: Path) -> None:
    assert check(folder) == read_data(folder)


def test_a_truncated_picture_is_set_aside_with_its_reason(folder: Path) -> None:
    whole = (folder / "cat" / "3.jpg").read_bytes()
    (folder / "cat" / "3.jpg").write_bytes(whole[: len(whole) // 2])
    data = check(folder)
    assert reasons(data).keys() == {"cat/3.jpg"}
    assert "cut off" in reasons(data)["cat/3.jpg"]
    assert len(data.train) + len(data.validation) == 19


def test_empty_text_and_foreign_files_are_set_aside(folder: Path) -> None:
    (folder / "cat" / "empty.jpg").touch()
    (folder / "cat" / "text.jpg").write_text("I am no picture")
    (folder / "dog" / "notes.txt").write_text("notes")
    Image.new("1", (20000, 10000)).save(folder / "dog" / "bomb.png")
    found = reasons(check(folder))
    assert found.keys() == {"cat/empty.jpg", "cat/text.jpg", "dog/notes.txt", "dog/bomb.png"}
    assert "empty" in found["cat/empty.jpg"]
    assert "not a picture" in found["cat/text.jpg"]
    assert "too many pixels" in found["dog/bomb.png"]


def test_a_picture_under_two_labels_is_set_aside_in_both(folder: Path) -> None:
    shutil.copy(folder / "cat" / "1.jpg", folder / "dog" / "same.jpg")
    found = reasons(check(folder))
    assert found.keys() == {"cat/1.jpg", "dog/same.jpg"}
    assert all("cat, dog" in reason and "dog/same.jpg" in reason for reason in found.values())


def test_a_copy_in_another_split_is_set_aside_and_train_keeps_its_own(split_folder: Path) -> None:
    shutil.copy(split_folder / "train/cat/0.png", split_folder / "val/cat/leak.png")
    shutil.copy(split_folder / "val/dog/1.png", split_folder / "test/dog/leak.png")
    data = check(split_folder)
    assert reasons(data) == {
        "val/cat/leak.png": "it is a copy of train/cat/0.png, which is kept",
        "test/dog/leak.png": "it is a copy of val/dog/1.png, which is kept",
    }
    assert [len(data.train), len(data.validation), len(data.test)] == [8, 8, 8]


def test_a_validation_that_is_all_copies_is_cut_from_train_instead(split_folder: Path) -> None:
    shutil.rmtree(split_folder / "val")
    shutil.copytree(split_folder / "train", split_folder / "val")
    data = check(split_folder)
    assert len(data.set_aside) == 8
    assert [len(data.train), len(data.validation), len(data.test)] == [6, 2, 8]


@pytest.mark.parametrize("seed", range(5))
def test_a_drawn_split_never_parts_copies(folder: Path, seed: int) -> None:
    for number in range(10):
        shutil.copy(folder / "cat" / f"{number}.jpg", folder / "cat" / f"copy-{number}.jpg")
    data = check(folder, seed=seed)
    split = {data.name(each.file): part for part, samples in data.splits.items() for each in samples}
    assert all(split[f"cat/{number}.jpg"] == split[f"cat/copy-{number}.jpg"] for number in range(10))
    assert any("10 copies" in warning for warning in data.warnings)
    assert not data.set_aside


def test_no_bytes_train_and_validate(split_folder: Path) -> None:
    shutil.copy(split_folder / "train/cat/0.png", split_folder / "test/cat/a.png")
    shutil.copy(split_folder / "train/cat/0.png", split_folder / "train/cat/a.png")
    shutil.rmtree(split_folder / "val")
    data = check(split_folder)
    contents = [{each.file.read_bytes() for each in samples} for samples in data.splits.values()]
    assert not contents[0] & contents[1]
    assert not contents[0] & contents[2]
    assert not contents[1] & contents[2]


def test_a_class_whose_pictures_are_all_bad_is_left_out_and_told(folder: Path) -> None:
    for number in range(3):
        (folder / "owl").mkdir(exist_ok=True)
        (folder / "owl" / f"{number}.jpg").write_text("bad")
    data = check(folder)
    assert data.labels == ("cat", "dog")
    assert any("owl" in warning for warning in data.warnings)


def test_imbalance_is_told_with_what_to_do(folder: Path) -> None:
    for number in range(50):
        picture(folder / "dog" / f"more-{number}.png", 1000 + number)
    (warning,) = check(folder).warnings
    assert "dog has 48" in warning
    assert "cat has 8" in warning
    assert "balanced sampling or class weights" in warning


def test_nothing_left_is_unfit_input_and_shows_a_reason(tmp_path: Path) -> None:
    for label in ("cat", "dog"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").write_text("bad")
    with pytest.raises(
        InputError, match=r"no picture left to train on; 2 files are set aside, first cat/a.jpg: it is not"
    ):
        check(tmp_path)


def test_only_one_class_left_is_unfit_input(folder: Path) -> None:
    for file in (folder / "dog").iterdir():
        file.write_bytes(b"")
    with pytest.raises(InputError, match="one class only, cat"):
        check(folder)


def test_bad_files_of_a_table_are_set_aside_too(tmp_path: Path) -> None:
    rows = []
    for number in range(8):
        picture(tmp_path / "all" / f"{number}.png", number)
        rows.append(f"all/{number}.png,{'a;b' if number % 2 else 'a'}")
    (tmp_path / "all" / "8.png").write_text("bad")
    (tmp_path / "list.csv").write_text("\n".join(["file,label", *rows, "all/8.png,b"]))
    data = check(tmp_path / "list.csv")
    assert data.multilabel
    assert reasons(data).keys() == {"all/8.png"}


def test_all_that_was_set_aside_is_in_the_facts(folder: Path) -> None:
    for number in range(8):
        (folder / "cat" / f"bad-{number}.jpg").touch()
    facts = json.loads(json.dumps(check(folder).facts()))
    assert len(facts["set_aside"]) == 8
    assert facts["set_aside"][0] == {"file": "cat/bad-0.jpg", "reason": "it is empty (0 bytes)"}


def test_real_photographs_pass(real_data: Path) -> None:
    data = check(real_data / "sign_digits")
    assert not data.set_aside
    assert not data.warnings
    assert len(data.test) == 418
