"""A CSV file lists pictures with one label, several or none."""

from pathlib import Path

import pytest
from PIL import Image

from mobilevision.data import Data, read_data
from mobilevision.errors import InputError


def table(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    """A CSV file beside twelve pictures, 0.png to 11.png."""
    for number in range(12):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.png")
    path = folder / "labels.csv"
    path.write_text(text, encoding=encoding)
    return path


def labels(data: Data) -> dict[str, set[str]]:
    samples = data.train + data.validation + data.test
    return {data.name(each.file): {data.labels[label] for label in each.labels} for each in samples}


def test_one_label_a_picture(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{'cat' if number % 2 else 'dog'}\n" for number in range(12))
    data = read_data(table(tmp_path, "file,label\n" + rows))
    assert data.labels == ("cat", "dog")
    assert not data.multilabel
    assert [len(data.train), len(data.validation)] == [10, 2]
    assert labels(data)["3.png"] == {"cat"}


def test_several_labels_in_a_cell_in_rows_and_in_columns_mean_the_same(tmp_path: Path) -> None:
    rest = "".join(f"{number}.png,{'cat' if number % 2 else 'dog'}\n" for number in range(2, 12))
    cell = read_data(table(tmp_path, "file,label\n0.png,cat; dog\n1.png,\n" + rest))
    rows = read_data(table(tmp_path, "file,label\n0.png,dog\n0.png,cat\n1.png,\n" + rest))
    columns = read_data(table(tmp_path, "file,label_1,label_2\n0.png,dog,cat\n1.png\n" + rest))
    marks = "".join(f"{number}.png,{number % 2},{1 - number % 2}\n" for number in range(2, 12))
    marked = read_data(table(tmp_path, "file,cat,dog\n0.png,1,1\n1.png,0,\n" + marks))
    assert labels(cell)["0.png"] == {"cat", "dog"}
    assert labels(cell)["1.png"] == set()
    assert cell.multilabel
    assert cell == rows == columns == marked


def test_without_a_header_the_columns_are_file_and_labels(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{number % 2}\n" for number in range(12))
    assert read_data(table(tmp_path, rows)) == read_data(table(tmp_path, "file,label\n" + rows))


def test_a_split_column_is_kept(tmp_path: Path) -> None:
    splits = ["train"] * 8 + ["val"] * 2 + ["test"] * 2
    rows = "".join(f"{number}.png,{number % 2},{split}\n" for number, split in enumerate(splits))
    data = read_data(table(tmp_path, "file,label,split\n" + rows))
    assert [len(data.train), len(data.validation), len(data.test)] == [8, 2, 2]
    assert {data.name(each.file) for each in data.validation} == {"8.png", "9.png"}


def test_files_that_are_not_there_or_have_no_label_are_set_aside(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{number % 2}\n" for number in range(11))
    data = read_data(table(tmp_path, "file,label\n" + rows + "11.png,\nnone.png,1\n"))
    assert {data.name(each.file): each.reason for each in data.set_aside} == {
        "none.png": "labels.csv lists it, but there is no such file",
        "11.png": "it has no label",
    }


def test_a_picture_in_two_splits_is_set_aside(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{number % 2},train\n" for number in range(12))
    data = read_data(table(tmp_path, "file,label,split\n" + rows + "0.png,0,val\n"))
    assert [data.name(each.file) for each in data.set_aside] == ["0.png"]


def test_every_label_of_several_keeps_a_picture_in_train(tmp_path: Path) -> None:
    words = ["a;b", "a;c", "b;c", "a", "b", "c", "a;b;c", "d;a", "d;b", "", "e;a", "c"]
    data = read_data(table(tmp_path, "file,label\n" + "".join(f"{n}.png,{w}\n" for n, w in enumerate(words))))
    assert data.labels == ("a", "b", "c", "d", "e")
    for seed in range(20):
        drawn = read_data(tmp_path / "labels.csv", seed=seed, validation=0.5)
        assert min(drawn.counts()["train"].values()) >= 1
        assert drawn.validation


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path: Path) -> None:
    rows = "".join(f"{number}.png,{number % 2}\n\n" for number in range(12))
    assert len(read_data(table(tmp_path, "file,label\n" + rows, encoding="utf-8-sig")).train) == 10


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("file\n0.png\n", "no column of labels"),
        ("file,split\n0.png,train\n", "no column of labels"),
        ("file,cat,dog\n0.png,yes,0\n", "'yes' in the column cat"),
        ("file,label\n0.png,a,b\n", "one name for each column"),
        ("file,label,split\n0.png,a,dev\n", "the split 'dev'"),
        ('file,label\n0.png,"a\n', "not a CSV file"),
    ],
)
def test_what_is_no_such_table_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_data(table(tmp_path, text))


def test_a_picture_is_no_table(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="not a CSV file"):
        read_data(tmp_path / "a.jpg")
