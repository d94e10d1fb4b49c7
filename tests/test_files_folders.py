"""A folder that is written is whole or not there, and its hash is that of its files and their names."""

import errno
from pathlib import Path

import pytest
from PIL import Image

from mobilevision.data.shapes import shapes_folder
from mobilevision.errors import UsageError
from mobilevision.files import TAIL, append_json, files_in, kept_folder, need_place, sha256, size, writing_folder

LARGE = 1 << 40
"""Bytes that no machine here has."""


@pytest.fixture(autouse=True)
def _cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEVISION_CACHE", str(tmp_path))


def test_a_folder_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    for text in ("old", "new and longer"):
        with writing_folder(tmp_path / "x.mlpackage") as beside:
            assert beside.suffix == ".mlpackage"
            (beside / "part").mkdir()
            (beside / "part" / "a").write_text(text)
    assert (tmp_path / "x.mlpackage" / "part" / "a").read_text() == "new and longer"
    assert [path.name for path in tmp_path.iterdir()] == ["x.mlpackage"]


def test_a_folder_whose_writing_failed_is_as_it_was(tmp_path: Path) -> None:
    with writing_folder(tmp_path / "x") as beside:
        (beside / "a").write_text("old")
    with pytest.raises(FileNotFoundError), writing_folder(tmp_path / "x") as beside:
        (beside / "a" / "b").write_text("new")
    assert (tmp_path / "x" / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_called_old_is_written_like_any_other(tmp_path: Path) -> None:
    for text in ("first", "second"):
        with writing_folder(tmp_path / "old") as beside:
            (beside / "a").write_text(text)
    assert (tmp_path / "old" / "a").read_text() == "second"


def test_a_folder_of_the_cache_is_written_once(tmp_path: Path) -> None:
    assert kept_folder("a/b", lambda folder: (folder / "file").touch()) == tmp_path / "a" / "b"
    assert kept_folder("a/b", lambda _: pytest.fail("written a second time")) == tmp_path / "a" / "b"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_the_second_of_two_writers_takes_what_the_first_wrote(tmp_path: Path) -> None:
    def first(_: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "first").touch()

    assert [file.name for file in files_in(kept_folder("a", first))] == ["first"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_full_disk_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(UsageError, match=r"cannot be written: No space left on device; make room, or set"):
        shapes_folder()
    assert list((tmp_path / "samples").iterdir()) == []


def test_a_folder_with_files_of_others_is_no_place(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "page.html").touch()
    need_place(tmp_path / "new", remedy="")
    need_place(tmp_path / "mine", ours={"page.html"}, remedy="")
    with pytest.raises(UsageError, match=r"mine holds something else \(page.html\), which would be lost; go away"):
        need_place(tmp_path / "mine", ours={"index.html"}, remedy="go away")
    with pytest.raises(UsageError, match="is a file"):
        need_place(tmp_path / "mine" / "page.html", remedy="")


def test_the_hash_of_a_folder_sees_every_name_and_byte(tmp_path: Path) -> None:
    seen = set()
    for name, text in (("a", "1"), ("b", "1"), ("a", "2"), ("part/a", "1")):
        folder = tmp_path / f"{len(seen)}"
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
        seen.add(sha256(folder))
        assert size(folder) == 1
        assert files_in(folder) == [folder / name]
    assert len(seen) == 4


def test_a_line_that_was_cut_off_is_taken_away_however_long_it_is(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    for start in (b"", b"1\n", b"1\n" * TAIL):
        lines.write_bytes(start + b"2" * (2 * TAIL + 3))
        append_json(lines, 4)
        assert lines.read_bytes() == start + b"4\n"


def test_a_line_is_appended_to_a_file_that_no_memory_holds(tmp_path: Path) -> None:
    lines = tmp_path / "lines.jsonl"
    with lines.open("wb") as file:
        file.seek(LARGE)  # a hole: it takes no room on the disk
        file.write(b"\n")
    append_json(lines, 4)

    assert lines.stat().st_size == LARGE + len("\n4\n")
