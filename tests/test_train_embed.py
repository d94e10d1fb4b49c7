"""Training vectors: what its loss learns, and the quarter turns, in every part of the training."""

from dataclasses import replace
from pathlib import Path

import pytest

from mobilevision.data.augment import Augment
from mobilevision.data.dataset import Sample
from mobilevision.data.mixing import Mixing
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import UsageError
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.margins import NormalizedSoftmax
from mobilevision.train.feed import Feed
from mobilevision.train.optimizer import groups
from mobilevision.train.plan import make_plan
from mobilevision.train.range_test import find_lr
from tiny_training import draw_hues
from tiny_vectors import RECIPE, fresh

TASK = Embed(outputs=8, margin=NormalizedSoftmax())


@pytest.fixture(scope="session")
def hues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten classes of six noisy pictures that differ in color."""
    return draw_hues(tmp_path_factory.mktemp("hues"), "abcdefghij", side=20)


def test_a_learning_rate_is_found_for_vectors_too(hues: Path) -> None:
    network = fresh()
    found = find_lr(network, hues, task=TASK, recipe=replace(RECIPE, lr=0.01), workers=0, steps=60)
    assert 1e-5 < found.lr < 1
    assert not hasattr(network, "criterion"), "it is left as it was"


def test_what_the_loss_learns_is_trained_at_the_heads_rate_whatever_the_stages_have() -> None:
    network = fresh()
    TASK.equip_(network, [Sample(Path("x"), (2,))], turns=1, seed=0)
    scales = {id(w): g["scale"] for g in groups(network, replace(RECIPE, layer_decay=0.5)) for w in g["params"]}
    assert scales[id(network.criterion.W)] == 1
    assert len(scales) == len(list(network.parameters()))


def test_mixed_pictures_give_no_vectors() -> None:
    with pytest.raises(UsageError, match="mixup and cutmix to 0"):
        TASK.training(Preprocessing((8, 8)), Augment(mixing=Mixing(mixup=0.2)))


def test_turned_pictures_know_their_files_and_count_in_a_step(hues: Path) -> None:
    recipe = replace(RECIPE, turns=4, batch=50)
    plan = make_plan(fresh(), hues, task=TASK, recipe=recipe, seed=0)
    feed = Feed(plan, workers=0)
    assert feed.pictures == 50 > len(plan.data.train)
    assert set(feed.files(0, 0)) <= {str(sample.file) for sample in plan.data.train}
