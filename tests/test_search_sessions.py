"""TuNAS and NetAdapt in folders of their own: stopped anywhere, they end as if they had not been."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, Sampler

from mobilevision.architecture import Arch
from mobilevision.blocks import Classifier, Conv, Inverted
from mobilevision.cost import macs
from mobilevision.errors import InputError, UsageError
from mobilevision.files import read_json_lines
from mobilevision.jobs import Done
from mobilevision.network import Network
from mobilevision.search.adapting import STEPS, Tuner, _at_random, _steps
from mobilevision.search.evaluate import Evaluator, Exam
from mobilevision.search.session import Brief, Session
from mobilevision.search.shared import Pictures, make_recipe, run_tunas, stream
from mobilevision.search.space import Pick, largest
from mobilevision.search.spaces import SPACES
from mobilevision.weights.save import save_weights


def small(pick: Pick) -> Arch:
    """One searched block."""
    block = Inverted(
        pick("1.out", (8, 16)), kernel=pick("1.0.kernel", (3, 5)), expand=pick("1.0.expand", (2, 4)), act="relu"
    )
    return Arch("small", ((Conv(8, 2),), (block,)), Classifier(), size=16)


class Dots(Dataset[tuple[Tensor, Tensor]]):
    """Pictures of two classes that differ in their mean; each epoch has noise of its own."""

    epoch, seed = 0, 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return 24

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(1000 * self.epoch + place)
        return torch.randn(3, 16, 16, generator=generator) + 0.5 * (place % 2), torch.tensor(place % 2)


class Shuffled(Sampler[int]):
    """An order for each epoch."""

    def __init__(self, dots: Dots) -> None:
        self.dots = dots

    def __len__(self) -> int:
        return len(self.dots)

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(24, generator=torch.Generator().manual_seed(self.dots.epoch)).tolist()


EXAM = Exam("tests:tune", {})


class Asked:
    """A task that is a cross entropy."""

    @staticmethod
    def loss(scores: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
        return F.cross_entropy(scores, targets, label_smoothing=smoothing)


def loader() -> DataLoader[Any]:
    dots = Dots()
    return DataLoader(dots, batch_size=8, sampler=Shuffled(dots))


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SPACES, "small", small)


def quiet(line: str) -> None:
    """Say nothing."""


class Desk:
    """Workers to whom small networks are the most accurate.

    Attributes:
        asked: digests of what they judged.
    """

    elsewhere, processes = False, 1

    def __init__(self) -> None:
        self.asked = list[str]()

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        for place, payload in enumerate(payloads):
            arch = Arch.from_json(payload["arch"])
            self.asked.append(arch.digest)
            yield Done(place, {"accuracy": 1 / (1 + macs(arch, outputs=2) / 1e5)}, "", 1, 0.1, 0.1)


def tunas(folder: Path, *, steps: int = 60, desk: Desk | None = None, **numbers: int) -> dict[str, Any]:
    """A search of seconds; with finalists every network is where it should be."""
    target, reward = float(macs(largest(small).arch, outputs=2)), "soft" if numbers else "absolute"
    asked = {"steps": steps, **numbers}
    brief = Brief(method="tunas", space="small", targets={"macs": target}, reward=reward, outputs=2, numbers=asked)
    session = Session(folder, brief, table=None, force=False, say=quiet)
    evaluator = Evaluator(folder, EXAM, workers=desk or Desk(), bill=session.bill, say=quiet)
    return run_tunas(session, Pictures(loader(), loader(), 0.1, Asked()), make_recipe(steps, batch=8), evaluator)


def plain(facts: dict[str, Any]) -> dict[str, Any]:
    """All but what the clock tells."""
    return {name: value for name, value in facts.items() if name != "bill"}


def test_batches_follow_from_the_step_alone() -> None:
    whole = stream(loader(), 0)
    first = [next(whole) for _ in range(8)]
    for start in (1, 3, 5):
        part = stream(loader(), start)
        for pictures, targets in first[start:]:
            again = next(part)
            assert torch.equal(again[0], pictures)
            assert torch.equal(again[1], targets)


class StoppedError(Exception):
    """A search that is interrupted."""


def test_shared_weights_and_policy_go_on_where_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilevision.search import shared

    whole = tunas(tmp_path / "whole")
    kept = 0

    def once(state: dict[str, Any], folder: Path) -> None:
        nonlocal kept
        keep(state, folder)
        kept += 1
        if kept == 4:
            raise StoppedError

    keep = shared.keep
    monkeypatch.setattr(shared, "keep", once)
    with pytest.raises(StoppedError):
        tunas(tmp_path / "parts")
    step = json.loads((tmp_path / "parts" / "state" / "state.json").read_text())["step"]
    parts = tunas(tmp_path / "parts")

    assert 0 < step < 60
    assert plain(parts) == plain(whole)


def test_the_report_tells_what_the_search_liked(tmp_path: Path) -> None:
    facts = tunas(tmp_path)

    decisions = facts["liked"]["decisions"]
    assert {each["name"] for each in decisions} == {"1.out", "1.0.kernel", "1.0.expand"}
    assert all(sum(each["shares"]) == pytest.approx(1) for each in decisions)
    assert all(each["shares"][each["chosen"]] == max(each["shares"]) for each in decisions)
    assert 0 <= facts["accuracy"] <= 1
    assert Arch.from_json((tmp_path / "arch.json").read_text()).digest == facts["digest"]


def test_of_several_finalists_the_one_that_earns_most_by_itself_is_found(tmp_path: Path) -> None:
    desk = Desk()
    facts = tunas(tmp_path, desk=desk, finalists=3)
    best = max(facts["points"], key=lambda point: point["reward"])

    assert [point["digest"] for point in facts["points"]] == desk.asked
    assert len(set(desk.asked)) == 3
    assert (facts["digest"], facts["accuracy"]) == (best["digest"], best["accuracy"])
    assert facts["costs"] == best["costs"]
    assert facts["accuracy"] != facts["shared_accuracy"]
    assert next(item for item in facts["bill"] if item["phase"] == "finalists")["trained"] == 3


def test_finalists_that_were_trained_are_not_trained_again(tmp_path: Path) -> None:
    first, desk = tunas(tmp_path, finalists=3), Desk()
    assert plain(tunas(tmp_path, desk=desk, finalists=3)) == plain(first)
    assert desk.asked == []


def test_one_finalist_is_the_likeliest_and_nothing_is_trained(tmp_path: Path) -> None:
    desk = Desk()
    facts = tunas(tmp_path, desk=desk, finalists=1)

    assert (desk.asked, facts["points"]) == ([], [])
    assert facts["accuracy"] == facts["shared_accuracy"]


def test_a_state_that_was_broken_is_refused(tmp_path: Path) -> None:
    tunas(tmp_path)
    (tmp_path / "state" / "state.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        tunas(tmp_path)


def test_a_search_of_another_length_is_another_search(tmp_path: Path) -> None:
    tunas(tmp_path)
    with pytest.raises(UsageError, match="another numbers"):
        tunas(tmp_path, steps=70)


ARCH = Arch(
    "two", ((Conv(8, 2),), (Inverted(16, 2, expand=4, act="relu"), Inverted(16, expand=4, act="relu"))), size=16
)


class Bench:
    """Workers that find a network as accurate as its channels tell, and leave its weights as they are.

    Attributes:
        asked: digests of the networks they tuned.
        most: after so many they stop.
    """

    elsewhere, processes = False, 1

    def __init__(self, most: int = 10_000) -> None:
        self.asked, self.most = list[str](), most

    def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
        for place, payload in enumerate(payloads):
            if len(self.asked) == self.most:
                raise StoppedError
            arch = Arch.from_json(payload["arch"])
            Path(payload["to"]).write_bytes(Path(payload["weights"]).read_bytes())
            self.asked.append(arch.digest)
            yield Done(place, {"accuracy": macs(arch, outputs=3) % 101 / 101}, "", 1, 0.1, 0.1)


def begun(folder: Path, *, budget: float = 0.6) -> tuple[Session, Network]:
    torch.manual_seed(0)
    network, start = Network(ARCH, 3), float(macs(ARCH, outputs=3))
    numbers = {"saving": 0.05, "decay": 1.0, "prefer": "ratio"}
    brief = Brief(method="netadapt", space="two", targets={"macs": budget * start}, outputs=3, numbers=numbers)
    return Session(folder, brief, space=lambda pick: ARCH, table=None, force=False, say=quiet), network


def adapted(folder: Path, bench: Bench, *, budget: float = 0.6) -> Network:
    session, network = begun(folder, budget=budget)
    return _steps(session, Tuner(session, EXAM, workers=bench), network).network


def test_cuts_at_random_get_as_long_as_the_adapting_and_start_from_the_same_weights(tmp_path: Path) -> None:
    session, network = begun(tmp_path)
    bench = Bench()
    last = _steps(session, Tuner(session, EXAM, workers=bench), network)
    with session.bill.phase("proposals") as item:
        item.wall_seconds += 0.25  # of which a cut takes 0.1
    facts = _at_random(session, network, last, EXAM, workers=bench)
    again = _at_random(session, network, last, EXAM, workers=Bench(0))

    assert facts["given_seconds"] <= facts["seconds"] < facts["given_seconds"] + 0.11
    assert facts["trials"] == len(facts["points"]) == round(facts["seconds"] / 0.1)
    assert all(point["costs"]["macs"] <= 0.6 * macs(ARCH, outputs=3) for point in facts["points"])
    assert facts["accuracy"] == max(point["accuracy"] for point in facts["points"])
    assert facts["found_accuracy"] == last.accuracy
    assert again["points"] == facts["points"]


@pytest.mark.parametrize("most", [1, 3, 6])
def test_a_run_that_is_being_cut_goes_on_where_it_was(tmp_path: Path, most: int) -> None:
    bench = Bench()
    whole = adapted(tmp_path / "whole", bench)
    first, second = Bench(most), Bench()
    with pytest.raises(StoppedError):
        adapted(tmp_path / "parts", first)
    parts = adapted(tmp_path / "parts", second)

    assert parts.arch == whole.arch
    for one, other in zip(parts.state_dict().values(), whole.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    assert first.asked + second.asked == bench.asked


def test_every_step_saves_what_it_has_to(tmp_path: Path) -> None:
    network = adapted(tmp_path, Bench())
    costs = [line["cost"] for line in read_json_lines(tmp_path / STEPS)]

    assert costs[-1] == macs(network.arch, outputs=3) <= 0.6 * costs[0]
    assert all(a - b >= min(0.05 * costs[0], a - 0.6 * costs[0]) - 1e-6 for a, b in itertools.pairwise(costs))
    assert not (tmp_path / "shelf").exists()


def test_a_budget_that_is_met_already_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="already; give a smaller budget"):
        adapted(tmp_path, Bench(), budget=1.5)


def test_a_network_that_could_not_be_tuned_does_not_win(tmp_path: Path) -> None:
    class Picky(Bench):
        def run(self, target: str, payloads: Sequence[dict[str, Any]], *, seconds: float) -> Iterator[Done]:
            for done in super().run(target, payloads, seconds=seconds):
                refused = len(payloads) > 1 and done.place == 0
                yield done._replace(result=None, failure="no memory") if refused else done

    adapted(tmp_path, Picky())
    failed = {line["digest"] for line in read_json_lines(tmp_path / "trials.jsonl") if line["failure"]}
    won = {Arch.from_json(json.dumps(line["arch"])).digest for line in read_json_lines(tmp_path / STEPS)}

    assert failed
    assert not failed & won


def test_weights_of_a_network_are_saved_alike(tmp_path: Path) -> None:
    network = Network(ARCH, 3)
    one, other = (save_weights(network, tmp_path / f"{name}.safetensors").read_bytes() for name in "ab")

    assert one == other
