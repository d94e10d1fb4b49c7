"""A folder that is written is whole or not there, and its hash is that of its files and their names."""

from pathlib import Path

import pytest

from mobilevision.files import TAIL, append_json, files_in, sha256, size, writing_folder

LARGE = 1 << 40
"""Bytes that no machine here has."""


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
