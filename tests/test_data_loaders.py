"""Batches follow from the seed, the epoch and the sample, and from nothing else."""

import pickle
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from mobilevision.data import Augment, Preprocessing, Sample, class_weights, loader
from mobilevision.data.loaders import WHOLE, Pictures, Share, TwoSteps, drawing, sample_weights
from mobilevision.errors import InputError, UsageError

PREPROCESSING = Preprocessing((16, 16))
VARIED = Augment(policy="trivial", color=0.2, erase=0.5).transform(PREPROCESSING)


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    """Ten pictures, eight of class 0 and two of class 1."""
    found = []
    for number in range(10):
        pixels = np.random.default_rng(number).integers(0, 255, (20, 24, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
        found.append(Sample(tmp_path / f"{number}.png", (int(number >= 8),)))
    return found


def passed(samples: list[Sample], *, workers: int = 0, seed: int = 0, epoch: int = 0) -> tuple[Tensor, Tensor]:
    """A training pass as one batch of everything."""
    batches = loader(samples, transform=VARIED, outputs=2, batch=5, shuffle=True, seed=seed, workers=workers)
    batches.dataset.set_epoch(epoch)
    pictures, targets = zip(*batches, strict=True)
    return torch.cat(pictures), torch.cat(targets)


def test_batches_hold_pictures_and_targets_in_order(samples: list[Sample]) -> None:
    batches = list(loader(samples, transform=PREPROCESSING.tensor, outputs=2, batch=4))
    assert [tuple(pictures.shape) for pictures, _ in batches] == [(4, 3, 16, 16), (4, 3, 16, 16), (2, 3, 16, 16)]
    assert torch.cat([targets for _, targets in batches]).tolist() == [0] * 8 + [1] * 2
    with Image.open(samples[5].file) as image:
        assert torch.equal(batches[1][0][1], PREPROCESSING.tensor(image))


def test_a_pass_is_the_same_with_any_number_of_workers(samples: list[Sample]) -> None:
    alone, together = passed(samples), passed(samples, workers=2)
    assert torch.equal(alone[0], together[0])
    assert torch.equal(alone[1], together[1])


@pytest.mark.parametrize("workers", [0, 1])
def test_workers_hand_over_bytes_and_batches_have_the_bits_of_pictures_prepared_one_by_one(
    samples: list[Sample], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    transform = Augment(policy="trivial", color=0.2).transform(PREPROCESSING)
    assert isinstance(transform, TwoSteps)
    batches = loader(samples, transform=transform, outputs=2, batch=10, shuffle=True, workers=workers)
    ((pictures, targets),) = batches

    assert batches.dataset[0][0].dtype == torch.uint8
    assert pictures.dtype == torch.float32
    batches.dataset.set_epoch(0)
    for draw, picture, target in zip(next(iter(batches.batch_sampler)), pictures, targets, strict=True):
        with Image.open(samples[draw.place].file) as image, drawing(0, *draw):
            assert torch.equal(picture, transform(image))
        assert target == samples[draw.place].labels[0]


def test_workers_that_stay_hear_of_the_next_epoch(samples: list[Sample]) -> None:
    batches = loader(samples, transform=VARIED, outputs=2, batch=10, shuffle=True, workers=1)
    for epoch in range(3):
        batches.dataset.set_epoch(epoch)
        ((pictures, _),) = batches
        assert torch.equal(pictures, passed(samples, epoch=epoch)[0])


def test_another_epoch_and_another_seed_give_other_draws(samples: list[Sample]) -> None:
    first = passed(samples)[0]
    assert not torch.equal(first, passed(samples, epoch=1)[0])
    assert not torch.equal(first, passed(samples, seed=1)[0])


def test_what_was_drawn_elsewhere_does_not_matter_and_is_not_disturbed(samples: list[Sample]) -> None:
    torch.manual_seed(1)
    random.seed(1)
    expected = torch.rand(1), random.random()
    first = passed(samples)[0]
    torch.manual_seed(1)
    random.seed(1)
    assert torch.equal(passed(samples)[0], first)
    assert (torch.rand(1), random.random()) == expected


def test_drawing_gives_back_the_generators_even_after_an_error() -> None:
    before = torch.get_rng_state(), random.getstate()

    @drawing(0, 1, 2)
    def broken() -> None:
        torch.rand(3)
        random.random()
        raise KeyError

    with pytest.raises(KeyError):
        broken()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert random.getstate() == before[1]


def test_every_picture_comes_once_an_epoch(samples: list[Sample]) -> None:
    batches = loader(samples, transform=PREPROCESSING.tensor, outputs=2, batch=1, shuffle=True)
    assert sorted(draw.place for draws in batches.batch_sampler for draw in draws) == list(range(10))


def test_a_pass_goes_on_in_the_middle_of_an_epoch(samples: list[Sample]) -> None:
    batches = loader(samples, transform=VARIED, outputs=2, batch=2, shuffle=True, workers=1)
    batches.dataset.set_epoch(3)
    whole = list(batches)
    batches.dataset.set_epoch(3, start=3)
    assert len(batches) == len(whole) == 5
    rest = list(batches)
    assert len(rest) == 2
    for (pictures, targets), (again, same) in zip(whole[3:], rest, strict=True):
        assert torch.equal(pictures, again)
        assert torch.equal(targets, same)
    batches.dataset.set_epoch(4)
    assert len(list(batches)) == 5


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("balanced", [False, True])
def test_processes_share_each_batch_of_one_process(samples: list[Sample], processes: int, balanced: bool) -> None:
    def passed(share: Share) -> list[Tensor]:
        batches = loader(samples, transform=VARIED, outputs=2, batch=4, shuffle=True, balanced=balanced)
        batches.dataset.set_epoch(2, share=share)
        return [pictures for pictures, _ in batches]

    whole = passed(WHOLE)
    shares = [passed(Share(number, processes)) for number in range(processes)]
    for number, batch in enumerate(whole):
        together = torch.stack([share[number] for share in shares], 1).flatten(0, 1)
        assert torch.equal(together, batch)
    assert {len(share) for share in shares} == {len(whole)}


@pytest.mark.parametrize("batch", [5, 12])
def test_batches_that_processes_cannot_share_evenly_are_refused(samples: list[Sample], batch: int) -> None:
    batches = loader(samples, transform=VARIED, outputs=2, batch=batch, shuffle=True)
    batches.dataset.set_epoch(0, share=Share(0, 2))
    with pytest.raises(UsageError, match=f"2 processes cannot share batches of {batch} of 10 pictures"):
        list(batches)
    with pytest.raises(UsageError, match="process 2 of 2"):
        Share(2, 2)


def test_a_last_batch_of_one_never_trains_but_is_evaluated(samples: list[Sample]) -> None:
    def sizes(*, batch: int, shuffle: bool) -> list[int]:
        return [len(y) for _, y in loader(samples, transform=VARIED, outputs=2, batch=batch, shuffle=shuffle)]

    assert sizes(batch=3, shuffle=True) == [3, 3, 3]
    assert sizes(batch=3, shuffle=False) == [3, 3, 3, 1]
    assert sizes(batch=64, shuffle=True) == [10]


def test_balanced_sampling_draws_classes_equally_often(samples: list[Sample]) -> None:
    batches = loader(samples, transform=VARIED, outputs=2, batch=10, shuffle=True, balanced=True)
    drawn: Counter[int] = Counter()
    for epoch in range(100):
        batches.dataset.set_epoch(epoch)
        (draws,) = batches.batch_sampler
        assert len(set(draws)) == 10  # the same sample comes again as another draw
        drawn.update(samples[draw.place].labels[0] for draw in draws)
    assert 0.45 < drawn[1] / drawn.total() < 0.55


def test_class_weights_make_up_for_imbalance(samples: list[Sample]) -> None:
    weights = class_weights(samples, 3)
    assert torch.equal(weights, torch.tensor([5 / 8, 5 / 2, 1.0]))
    assert torch.equal(class_weights(samples[6:], 2), torch.ones(2))


def test_of_several_labels_the_rarest_decides(samples: list[Sample]) -> None:
    several = [Sample(samples[0].file, labels) for labels in ((0,), (0, 1), (0,), (), ())]
    assert sample_weights(several, 2).tolist() == pytest.approx([1 / 3, 1, 1 / 3, 1 / 2, 1 / 2])


def test_several_labels_are_rows_of_0_and_1(samples: list[Sample]) -> None:
    several = [Sample(each.file, labels) for each, labels in zip(samples, [(0, 2), (), (1,)], strict=False)]
    ((_, targets),) = loader(several, transform=PREPROCESSING.tensor, outputs=3, batch=3, multilabel=True)
    assert targets.dtype == torch.float32
    assert targets.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


def test_labels_that_do_not_fit_are_refused(samples: list[Sample]) -> None:
    with pytest.raises(InputError, match="one below 1"):
        loader(samples, transform=VARIED, outputs=1, batch=2)
    with pytest.raises(InputError, match="one below 2"):
        loader([Sample(samples[0].file, (0, 1))], transform=VARIED, outputs=2, batch=2)
    with pytest.raises(InputError, match="all must be below 2"):
        loader([Sample(samples[0].file, (0, 2))], transform=VARIED, outputs=2, batch=2, multilabel=True)
    with pytest.raises(InputError, match="no pictures to load"):
        loader([], transform=VARIED, outputs=2, batch=2)


def test_a_picture_that_breaks_later_is_named(samples: list[Sample]) -> None:
    samples[3].file.write_bytes(b"")
    with pytest.raises(InputError, match=r"3\.png cannot be used: it is empty"):
        list(loader(samples, transform=VARIED, outputs=2, batch=2))


def test_samples_travel_to_workers_as_arrays(samples: list[Sample]) -> None:
    pictures = Pictures(samples, PREPROCESSING.tensor, outputs=2)
    assert len(pickle.dumps(pictures.album)) < 1000
    assert torch.equal(pickle.loads(pickle.dumps(pictures))[4][0], pictures[4][0])


@pytest.mark.parametrize("balanced", [False, True])
def test_repeated_pictures_come_together_as_other_draws(samples: list[Sample], balanced: bool) -> None:
    batches = loader(samples, transform=VARIED, outputs=2, batch=4, shuffle=True, balanced=balanced)
    batches.batch_sampler.order.repeats = 2
    draws = [draw for batch in batches.batch_sampler for draw in batch]
    assert len(draws) == 8
    assert len(set(draws)) == 8
    assert all(one.place == other.place for one, other in zip(draws[::2], draws[1::2], strict=True))
    assert len(batches) == 2
