"""Shards hold the data set they were written from, and one that is damaged is found at the first touch."""

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data import open_picture, read_data
from mobilevision.data.check import check
from mobilevision.data.content import content
from mobilevision.data.dataset import Data
from mobilevision.data.sharding import as_jpeg, shard
from mobilevision.data.shards import members
from mobilevision.errors import InputError, UsageError


def draw(file: Path, number: int, size: tuple[int, int] = (24, 20)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(number).integers(0, 255, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(pixels).resize(size).save(file)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Two classes, with splits: small PNGs, and a large JPEG that lies on its side."""
    for number in range(12):
        split = "train" if number < 8 else "val"
        draw(tmp_path / "pictures" / split / "ab"[number % 2] / f"{number}.png", number)
    note = Image.Exif()
    note[0x0112] = 6
    Image.new("RGB", (300, 200), (200, 0, 0)).save(tmp_path / "pictures/train/a/turned.jpg", exif=note)
    return check(tmp_path / "pictures")


def test_shards_hold_the_data_set(data: Data, tmp_path: Path) -> None:
    index = shard(data, tmp_path / "shards", side=64)
    again = check(tmp_path / "shards")
    assert again.labels == data.labels == tuple(index["labels"])
    assert again.counts() == data.counts()
    assert not again.set_aside
    for before, after in zip(data.train, again.train, strict=True):
        assert before.labels == after.labels
        if before.file.suffix == ".png":
            assert content(after.file) == before.file.read_bytes()
    turned = open_picture(again.train[4].file)
    assert data.train[4].file.name == "turned.jpg"
    assert turned.size == (64, 96)


def test_the_same_pictures_give_the_same_bytes(data: Data, tmp_path: Path) -> None:
    for name in ("one", "two"):
        shard(data, tmp_path / name)
    for file in (tmp_path / "one").iterdir():
        assert file.read_bytes() == (tmp_path / "two" / file.name).read_bytes()


def test_a_shard_ends_where_it_is_full(data: Data, tmp_path: Path) -> None:
    index = shard(data, tmp_path / "shards", largest=4000)
    assert sum(each["split"] == "train" for each in index["shardlist"]) > 2
    assert sum(each["nsamples"] for each in index["shardlist"]) == 13
    assert check(tmp_path / "shards").counts() == data.counts()


def test_webdataset_reads_them(data: Data, tmp_path: Path) -> None:
    webdataset = pytest.importorskip("webdataset")
    shard(data, tmp_path / "shards", side=64)
    rows = webdataset.WebDataset(str(tmp_path / "shards" / "validation-00000.tar"), shardshuffle=False).decode("pil")
    found = [(row["png"].size, row["cls"]) for row in rows]
    assert found == [((24, 20), each.labels[0]) for each in data.validation]


def test_several_labels_survive(data: Data, tmp_path: Path) -> None:
    rows = "\n".join(f"train/{'ab'[n % 2]}/{n}.png,{'ab'[n % 2]};c" for n in range(8))
    (tmp_path / "pictures" / "table.csv").write_text(f"file,label\n{rows}\n")
    several = read_data(tmp_path / "pictures" / "table.csv")
    shard(several, tmp_path / "shards")
    again = read_data(tmp_path / "shards")
    assert again.multilabel
    assert [each.labels for each in again.train] == [each.labels for each in several.train]


def test_shards_of_others_are_read_with_numbers_for_classes(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for number in range(8):
            draw(tmp_path / "x.png", number)
            tar.add(tmp_path / "x.png", f"some/{number}.png")
            member = tarfile.TarInfo(f"some/{number}.cls")
            member.size = 1
            tar.addfile(member, io.BytesIO(str(number % 2).encode()))
    found = read_data(f"shards:{tmp_path}")
    assert found.labels == ("0", "1")
    assert open_picture(found.train[0].file).size == (24, 20)


def cut(shard: Path) -> None:
    shard.write_bytes(shard.read_bytes()[:-700])


def lost(shard: Path) -> None:
    shard.unlink()


def climbing(shard: Path) -> None:
    size = shard.stat().st_size
    text = shard.read_bytes()
    head = bytearray(text[:512])
    head[:15] = b"../../evil1.png"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    shard.write_bytes(bytes(head) + text[512:])
    assert shard.stat().st_size == size


def scrambled(shard: Path) -> None:
    shard.write_bytes(b"\1" * shard.stat().st_size)


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (cut, "train-00000.tar has .* it is cut short"),
        (lost, "train-00000.tar is not there"),
        (climbing, r"train-00000.tar holds '../../evil1.png"),
        (scrambled, "train-00000.tar is cut short or no tar file"),
    ],
)
def test_a_damaged_shard_is_found_at_the_first_touch(data: Data, tmp_path: Path, harm: object, reason: str) -> None:
    shard(data, tmp_path / "shards")
    harm(tmp_path / "shards" / "train-00000.tar")
    with pytest.raises(InputError, match=reason):
        check(tmp_path / "shards")


def test_a_shard_that_is_cut_short_later_is_named(data: Data, tmp_path: Path) -> None:
    shard(data, tmp_path / "shards")
    found = read_data(tmp_path / "shards")
    file = tmp_path / "shards" / "train-00000.tar"
    last = max(members(file), key=lambda member: member.start)
    file.write_bytes(file.read_bytes()[: last.start - 600])
    with pytest.raises(InputError, match=r"train-00000\.tar is cut short"):
        open_picture(found.train[-1].file)


@pytest.mark.parametrize("change", [{"labels": 3}, {"shardlist": [{}]}, {"shardlist": [{"url": "../x.tar"}]}])
def test_a_broken_index_is_refused(data: Data, tmp_path: Path, change: dict[str, object]) -> None:
    index = shard(data, tmp_path / "shards")
    for each in change.get("shardlist", []):
        each |= {"url": "../x.tar", "nsamples": 1, "filesize": 1, "split": ""} if each else {}
    (tmp_path / "shards" / "index.json").write_text(json.dumps(index | change))
    with pytest.raises(InputError, match=r"index\.json"):
        read_data(tmp_path / "shards")


def test_a_folder_with_other_files_is_not_written_over(data: Data, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="holds something else"):
        shard(data, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years"


def test_shards_are_written_over_but_not_what_lies_beside_them(data: Data, tmp_path: Path) -> None:
    first = shard(data, tmp_path / "shards")
    assert shard(data, tmp_path / "shards") == first
    (tmp_path / "shards" / "backup.tar").write_text("years")
    with pytest.raises(UsageError, match=r"holds something else \(backup.tar\)"):
        shard(data, tmp_path / "shards")
    assert (tmp_path / "shards" / "backup.tar").read_text() == "years"


def test_a_folder_without_shards_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no shards"):
        read_data(f"shards:{tmp_path}")


def test_a_class_that_the_index_does_not_name_is_refused(data: Data, tmp_path: Path) -> None:
    shard(data, tmp_path / "shards")
    index = json.loads((tmp_path / "shards" / "index.json").read_text())
    (tmp_path / "shards" / "index.json").write_text(json.dumps(index | {"labels": ["a"]}))
    with pytest.raises(InputError, match=r"train-00000\.tar has no classes in 0000000\d\.cls"):
        read_data(tmp_path / "shards")


def test_a_jpeg_keeps_what_can_be_seen() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((64, 64), Image.Resampling.BICUBIC)
    kept = np.asarray(Image.open(io.BytesIO(as_jpeg(picture))), dtype=float)
    assert np.abs(kept - np.asarray(picture, dtype=float)).mean() < 2
