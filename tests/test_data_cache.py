"""A cache gives the pictures that are in the files, as long as they are in the files."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mobilevision.data import Augment, Preprocessing, loader
from mobilevision.data.album import Album, Sample
from mobilevision.data.cache import Cached, cached
from mobilevision.errors import InputError, UsageError


@pytest.fixture
def album(tmp_path: Path) -> Album:
    """Six pictures of different sizes."""
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 255, (20 + number, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    return Album.of(Sample(tmp_path / f"{number}.png", (number % 2,)) for number in range(6))


def test_small_pictures_come_back_as_they_are(album: Album, tmp_path: Path) -> None:
    kept = cached(album, tmp_path / "cache", side=32)
    assert kept == album
    for place in range(6):
        assert kept.open(place).tobytes() == album.open(place).tobytes()


def test_large_pictures_are_kept_smaller(album: Album, tmp_path: Path) -> None:
    kept = cached(album, tmp_path / "cache", side=10)
    assert kept.open(0).size == (15, 10)
    assert kept.open(5).size == (12, 10)


def test_batches_from_a_cache_are_those_from_files(album: Album, tmp_path: Path) -> None:
    kept = cached(album, tmp_path / "cache", side=32)
    transform = Augment(color=0.2).transform(Preprocessing((16, 16)))
    passes = [
        list(loader(samples, transform=transform, outputs=2, batch=3, shuffle=True, workers=workers))
        for samples, workers in ((album, 0), (kept, 0), (kept, 2))
    ]
    for batches in passes[1:]:
        for (pictures, targets), (others, same) in zip(passes[0], batches, strict=True):
            assert torch.equal(pictures, others)
            assert torch.equal(targets, same)


def test_a_cache_is_made_once_and_again_when_a_file_changes(album: Album, tmp_path: Path) -> None:
    first = cached(album, tmp_path / "cache", side=32)
    made = first.pixels_file.stat().st_mtime_ns
    assert cached(album, tmp_path / "cache", side=32).pixels_file.stat().st_mtime_ns == made
    Image.new("RGB", (30, 20), "red").save(album.file(0))
    os.utime(album.file(0), ns=(1, made + 10**9))
    second = cached(album, tmp_path / "cache", side=32)
    assert second.open(0).getpixel((0, 0)) == (255, 0, 0)
    assert not first.pixels_file.exists()


@pytest.mark.parametrize("suffix", [".pixels", ".npy"])
def test_a_cache_that_was_cut_short_is_made_again(album: Album, tmp_path: Path, suffix: str) -> None:
    file = cached(album, tmp_path / "cache", side=32).pixels_file.with_suffix(suffix)
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert cached(album, tmp_path / "cache", side=32).open(5).tobytes() == album.open(5).tobytes()
    assert file.read_bytes() == whole


def test_a_picture_that_cannot_be_read_is_named_and_nothing_is_left(album: Album, tmp_path: Path) -> None:
    Path(album.file(3)).write_bytes(b"x")
    with pytest.raises(InputError, match=r"3\.png"):
        cached(album, tmp_path / "cache", side=32)
    assert not list((tmp_path / "cache").iterdir())


def test_a_folder_that_cannot_be_written_is_told(album: Album, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        cached(album, tmp_path / "cache", side=32)


def test_pixels_do_not_travel_to_workers(album: Album, tmp_path: Path) -> None:
    kept = cached(album, tmp_path / "cache", side=32)
    kept.open(0)
    sent = pickle.dumps(kept)
    assert len(sent) < 1500
    again = pickle.loads(sent)
    assert isinstance(again, Cached)
    assert again.open(2).tobytes() == album.open(2).tobytes()
