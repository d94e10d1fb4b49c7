"""An album reads like the samples it is made of."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data.album import Album, Sample

SAMPLES = (
    Sample(Path("/pictures/cat/1.jpg"), (0,)),
    Sample(Path("/pictures/cat/12.jpg"), (0, 2)),
    Sample(Path("/pictures/dog/\udcff é.jpg"), ()),
    Sample(Path("/pictures/cat/1.jpg"), (1,)),
)


@pytest.mark.parametrize("samples", [SAMPLES, SAMPLES[:1], ()])
def test_an_album_reads_like_its_samples(samples: tuple[Sample, ...]) -> None:
    album = Album.of(samples)
    assert tuple(album) == samples
    assert len(album) == len(samples)
    assert album == samples
    assert album[1:] == samples[1:]
    assert album + album == samples + samples
    assert Album.of(album) is album
    assert hash(album) == hash(pickle.loads(pickle.dumps(copy.deepcopy(album))))


def test_places_count_from_both_ends_and_stop_there() -> None:
    album = Album.of(SAMPLES)
    assert album[-1] == SAMPLES[-1]
    assert album[np.int64(2)] == SAMPLES[2]
    with pytest.raises(IndexError):
        album[4]


def test_albums_differ_where_a_name_or_a_label_does() -> None:
    assert Album.of(SAMPLES) != Album.of(SAMPLES[:3])
    assert Album.of(SAMPLES) != Album.of([*SAMPLES[:3], Sample(SAMPLES[3].file, (0,))])
    assert Album.of(SAMPLES) != 3


def test_names_from_here_and_from_elsewhere_go_together() -> None:
    samples = (Sample(Path("a/1.jpg"), (0,)), Sample(Path("/a/1.jpg"), (1,)), Sample(Path("a"), (1,)))
    assert tuple(Album.of(samples)) == samples


def test_an_album_opens_its_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), (1, 2, 3)).save(tmp_path / "a.png")
    picture = Album.of([Sample(tmp_path / "a.png", (0,))]).open(0)
    assert picture.size == (5, 4)
    assert picture.getpixel((0, 0)) == (1, 2, 3)
