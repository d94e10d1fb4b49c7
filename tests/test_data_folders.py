"""What a source lists becomes labels and splits that keep their promises."""

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from mobilevision.data import Data, read_data
from mobilevision.errors import InputError, UsageError

Make = Callable[[dict[str, int]], Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes folders, each with so many pictures, all different."""

    def folders(counts: dict[str, int]) -> Path:
        for place, (folder, count) in enumerate(counts.items()):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                picture = Image.new("RGB", (8, 8), (place, number % 256, number // 256))
                picture.save(tmp_path / folder / f"{number:03}.png")
        return tmp_path

    return folders


def names(data: Data, split: str) -> set[str]:
    return {data.name(sample.file) for sample in data.splits[split]}


def test_class_folders_are_split_by_class(make: Make) -> None:
    data = read_data(make({"dog": 10, "cat": 20, "ant": 5}))
    assert data.labels == ("ant", "cat", "dog")
    assert data.counts() == {
        "train": {"ant": 4, "cat": 16, "dog": 8},
        "validation": {"ant": 1, "cat": 4, "dog": 2},
        "test": {"ant": 0, "cat": 0, "dog": 0},
    }
    assert not data.multilabel
    assert not data.set_aside
    assert all(data.name(each.file).startswith(data.labels[each.labels[0]]) for each in data.train + data.validation)


def test_no_picture_trains_and_validates(make: Make) -> None:
    data = read_data(make({"a": 30, "b": 30}))
    assert not names(data, "train") & names(data, "validation")
    assert len(names(data, "train") | names(data, "validation")) == 60


def test_the_split_follows_from_the_seed_and_not_from_the_place(make: Make, tmp_path: Path) -> None:
    root = make({"a": 30, "b": 30})
    data = read_data(root, seed=1)
    assert read_data(root, seed=1) == data
    assert names(read_data(root, seed=2), "validation") != names(data, "validation")
    moved = root.rename(tmp_path.parent / f"{tmp_path.name}-moved")
    assert read_data(moved, seed=1).digest == data.digest
    assert read_data(moved, seed=2).digest != data.digest


def test_new_pictures_move_few_of_the_others(make: Make) -> None:
    before = names(read_data(make({"a": 100, "b": 100})), "validation")
    after = names(read_data(make({"a": 105, "b": 100})), "validation")
    assert len(before - after) <= 5


@pytest.mark.parametrize("word", ["val", "valid", "validation", "Val"])
def test_splits_that_are_there_are_kept(make: Make, word: str) -> None:
    data = read_data(make({"train/a": 6, "train/b": 6, f"{word}/a": 2, f"{word}/b": 2, "test/a": 1, "test/b": 3}))
    assert [len(data.train), len(data.validation), len(data.test)] == [12, 4, 4]
    assert names(data, "validation") == {f"{word}/{each}/{number:03}.png" for each in "ab" for number in range(2)}


def test_a_missing_validation_is_cut_from_train_and_test_is_left_alone(make: Make) -> None:
    data = read_data(make({"train/a": 10, "train/b": 10, "test/a": 5, "test/b": 5}))
    assert [len(data.train), len(data.validation), len(data.test)] == [16, 4, 10]
    assert all(name.startswith("train/") for name in names(data, "validation"))


def test_a_class_may_be_called_train(make: Make) -> None:
    data = read_data(make({"train": 5, "plane": 5, "test": 5}))
    assert data.labels == ("plane", "test", "train")


def test_other_folders_beside_train_are_left_out_and_told(make: Make) -> None:
    data = read_data(make({"train/a": 5, "train/b": 5, "raw/a": 3}))
    assert len(data.train) + len(data.validation) == 10
    assert any("raw" in warning for warning in data.warnings)


def test_a_class_only_in_validation_or_test_is_set_aside(make: Make) -> None:
    data = read_data(make({"train/a": 5, "train/b": 5, "val/a": 2, "val/b": 2, "val/c": 3, "test/c": 1}))
    assert data.labels == ("a", "b")
    assert {data.name(each.file) for each in data.set_aside} == {
        *(f"val/c/00{number}.png" for number in range(3)),
        "test/c/000.png",
    }
    assert all("no picture of c to train on" in each.reason for each in data.set_aside)
    assert any("no picture to train on for c" in warning for warning in data.warnings)


def test_empty_classes_and_classes_without_validation_are_told(make: Make) -> None:
    data = read_data(make({"a": 9, "b": 1, "empty": 0}))
    assert data.labels == ("a", "b")
    assert any("train on for empty" in warning for warning in data.warnings)
    assert any("validate with for b" in warning for warning in data.warnings)


def test_hidden_files_and_litter_are_ignored_and_other_files_are_set_aside(make: Make) -> None:
    root = make({"a": 5, "b": 5, ".git/c": 2, "__MACOSX/a": 2})
    for litter in (".DS_Store", "a/.DS_Store", "a/Thumbs.db", "a/._000.png", "README.md", "b/desktop.ini"):
        (root / litter).write_text("x")
    for other in ("a/notes.txt", "a/movie.mp4", "b/nosuffix", "loose.png"):
        (root / other).write_text("x")
    (root / "b" / "gone.png").symlink_to(root / "nowhere.png")
    data = read_data(root)
    assert data.labels == ("a", "b")
    reasons = {data.name(each.file): each.reason for each in data.set_aside}
    assert reasons.keys() == {"a/notes.txt", "a/movie.mp4", "b/nosuffix", "loose.png", "b/gone.png"}
    assert ".mp4" in reasons["a/movie.mp4"]
    assert "outside the class folders" in reasons["loose.png"]
    assert "leads nowhere" in reasons["b/gone.png"]


def test_links_are_followed_but_not_in_circles(make: Make) -> None:
    root = make({"data/a": 5, "other/b": 5})
    (root / "data" / "b").symlink_to(root / "other" / "b")
    (root / "data" / "a" / "loop").symlink_to(root / "data")
    (root / "data" / "a" / "deep").mkdir()
    (root / "data" / "a" / "deep" / "1.png").symlink_to(root / "data" / "a" / "000.png")
    data = read_data(root / "data")
    assert data.labels == ("a", "b")
    assert len(data.train) + len(data.validation) == 11


def test_names_of_any_script_and_any_bytes_are_read(make: Make) -> None:
    root = make({"кот": 5, "犬 ü": 5})
    (root / "кот" / "\udcff.png").write_bytes((root / "кот" / "000.png").read_bytes())
    data = read_data(root)
    assert data.labels == ("кот", "犬 ü")
    assert len(data.facts()["digest"]) == 64


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({}, "no class folders"),
        ({"only": 9}, "one class only, only"),
        ({"a": 0, "b": 0}, "no picture left to train on"),
        ({"train/a": 0, "train/b": 0, "val/a": 3, "val/b": 3}, "no picture left to train on"),
        ({"val/a": 3, "test/b": 3}, "no picture left to train on"),
        ({"a": 1, "b": 1}, "too few pictures to keep some for validation"),
    ],
)
def test_nothing_to_train_on_is_unfit_input(make: Make, counts: dict[str, int], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refused:
        read_data(make(counts))
    assert refused.value.exit_code == 3


def test_no_validation_may_be_asked_for(make: Make) -> None:
    data = read_data(make({"a": 1, "b": 1}), validation=0)
    assert len(data.train) == 2
    assert not data.validation
    with pytest.raises(UsageError, match="share"):
        read_data(data.root, validation=1.0)


def test_a_wrong_path_is_a_wrong_request(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no data"):
        read_data(tmp_path / "none")
    with pytest.raises(UsageError, match="digits"):
        read_data("sample:digit")


def test_the_source_can_be_read_again_from_elsewhere(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make({"a": 10, "b": 10})
    monkeypatch.chdir(root.parent)
    data = read_data(root.name, seed=4)
    monkeypatch.chdir(root)
    assert read_data(data.source, seed=data.seed) == data


def test_facts_are_plain_json_that_counts(make: Make) -> None:
    facts = read_data(make({"a": 10, "b": 10}), seed=3).facts()
    assert facts["pictures"] == {"train": 16, "validation": 4, "test": 0}
    assert facts["counts"]["validation"] == {"a": 2, "b": 2}
    assert facts["labels"] == ["a", "b"]
    assert facts["seed"] == 3


def test_the_labels_of_a_network_can_be_laid_on_the_data(make: Make) -> None:
    data = read_data(make({"a": 10, "b": 10, "c": 10}))
    other = data.relabeled(("c", "x", "a"))
    assert other.labels == ("c", "x", "a")
    assert other.counts()["train"] == {"c": 8, "x": 0, "a": 8}
    assert len(other.set_aside) == 10
    with pytest.raises(InputError, match="none of the labels"):
        data.relabeled(("x", "y"))


def test_the_splits_of_real_photographs_are_found(real_data: Path) -> None:
    data = read_data(real_data / "sign_digits")
    assert data.labels == tuple("0123456789")
    assert len(data.train) + len(data.validation) == 1644
    assert len(data.test) == 418
    assert 0.18 < len(data.validation) / 1644 < 0.22
