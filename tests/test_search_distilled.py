"""Shared weights may learn from a teacher's replicas; the policy is rewarded by the pictures' own labels."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from mobilevision.compress.replicas import FORMS, prepare
from mobilevision.compress.teacher import Teacher
from mobilevision.data import Preprocessing, read_data
from mobilevision.data.dataset import Data
from mobilevision.errors import UsageError
from mobilevision.search.shared import make_pictures, stream
from mobilevision.train.recipes import quick

CLASSES = ("dark", "light")
TRAINING = quick.changed({"batch": 8, "size": 24})


class Mistaken(nn.Module):
    """A teacher that takes dark for light."""

    def forward(self, pictures: Tensor) -> Tensor:
        light = 9 * pictures.mean((1, 2, 3))
        return torch.stack([light, -light], 1)


@pytest.fixture
def data(tmp_path: Path) -> Data:
    for number in range(24):
        folder = tmp_path / "pictures" / CLASSES[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = np.full((24, 24, 3), 30 + 190 * (number % 2) + number, np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return read_data(tmp_path / "pictures")


def test_weights_learn_what_the_teacher_says_and_the_reward_is_by_labels(data: Data, tmp_path: Path) -> None:
    teacher = Teacher("mistaken", Mistaken(), CLASSES, Preprocessing((24, 24)))
    prepare(data, teacher, to=tmp_path / "D1", form=FORMS["D1"], views=2, size=24, labels=CLASSES)
    made = make_pictures(data, task="classify", training=TRAINING, size=24, seed=0, distilled=str(tmp_path / "D1"))
    pictures, said = next(stream(made.train, 0))
    judged, labels = next(stream(made.reward, 0))

    light = pictures.mean((1, 2, 3)) > 0
    assert said.shape == (len(pictures), 2)
    assert torch.equal(said.argmax(1), 1 - light.long())
    assert torch.equal(labels, (judged.mean((1, 2, 3)) > 0).long())
    wrong = torch.eye(2)[1 - light.long()] * 20
    assert made.task.loss(wrong, said, smoothing=0.1) < made.task.loss(-wrong, said, smoothing=0.1)


def test_batches_of_replicas_follow_from_the_step_alone(data: Data, tmp_path: Path) -> None:
    teacher = Teacher("mistaken", Mistaken(), CLASSES, Preprocessing((24, 24)))
    prepare(data, teacher, to=tmp_path / "D1", form=FORMS["D1"], views=2, size=24, labels=CLASSES)
    made = make_pictures(data, task="classify", training=TRAINING, size=24, seed=0, distilled=str(tmp_path / "D1"))
    whole = stream(made.train, 0)
    first = [next(whole) for _ in range(6)]
    part = stream(made.train, 3)

    for pictures, said in first[3:]:
        again = next(part)
        assert torch.equal(again[0], pictures)
        assert torch.equal(again[1], said)


def test_replicas_are_for_one_label_a_picture(data: Data, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="leave --distilled out"):
        make_pictures(data, task="embed", training=TRAINING, size=24, seed=0, distilled="D1")
    with pytest.raises(UsageError):
        make_pictures(data, task="classify", training=TRAINING, size=24, seed=0, distilled=str(tmp_path / "none"))
