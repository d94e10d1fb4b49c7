"""A search as a folder: what was asked, what was tried, what it cost, and what was found.

search.json trials.jsonl bill.jsonl table.jsonl     what was asked; every candidate; every cost; times of rows
state/                                              what a controller and shared weights know
arch.json result.json                               the network found, and how
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.cost import Line
from mobilevision.errors import UsageError, nearest
from mobilevision.files import write_json, write_text
from mobilevision.jobs.telling import Say
from mobilevision.search.bill import Bill
from mobilevision.search.pricing import Latency, Target, check_targets, countable
from mobilevision.search.reward import Absolute, Hard, Reward, Soft
from mobilevision.search.space import Pick, Space, sample
from mobilevision.search.space_rows import rows
from mobilevision.search.spaces import find_space
from mobilevision.tasks.catalog import headed
from mobilevision.timing.table import Conditions, TimedTable

ASKED, TOGETHER = "search.json", "together"
WHOLE = 300
"""Rows below which the table of a space is filled before the search; else as rows are met."""
CALIBRATION = 10
"""Whole networks that are timed for a table that has none."""

REWARDS: dict[str, Any] = {"absolute": Absolute, "soft": Soft, "hard": Hard}


@dataclass(frozen=True, kw_only=True)
class Brief:
    """What a search is asked for.

    Attributes:
        method: how to search.
        space: name of the space.
        task: what the networks are asked to do; if the space gives them another head, they stand under the task's
            usual one.
        size: side of the image, in pixels; None takes the space's own.
        width: multiplies all channels of the space; None takes them as they are.
        depth: the most blocks of a stage; None takes the space's own.
        targets: the most of each cost, by its name: "ms", "macs", "params", "peak_bytes", "roofline".
        reward: "absolute", "soft" or "hard".
        strength: of the reward; None takes the paper's.
        runtime: whose milliseconds count.
        precision: of the files that are timed.
        threads: of that runtime.
        outputs: of the networks; for classifiers the number of classes.
        seed: decides what is left to chance.
        numbers: what the method itself asks for, plain JSON.
    """

    method: str
    space: str
    task: str = "classify"
    size: int | None = None
    width: float | None = None
    depth: int | None = None
    targets: Mapping[str, float] = field(default_factory=dict)
    reward: str = "absolute"
    strength: float | None = None
    runtime: str = "litert"
    precision: str = "fp32"
    threads: int = 1
    outputs: int = 1000
    seed: int = 0
    numbers: Mapping[str, Any] = field(default_factory=dict)

    def make_space(self) -> Space:
        """The space."""
        return find_space(self.space, size=self.size, width=self.width, depth=self.depth)

    def make_reward(self) -> Reward:
        """The reward over the targets, in their order.

        Raises:
            UsageError: if there is no such reward or no target.
        """
        if self.reward not in REWARDS:
            raise UsageError(f"there is no reward {self.reward!r}; {nearest(self.reward, REWARDS)}")
        if not self.targets:
            raise UsageError("a search needs a target; give --target-ms, or another cost")
        given = () if self.strength is None else (self.strength,)
        made: Reward = REWARDS[self.reward](tuple(self.targets.values()), *given)
        return made

    def conditions(self) -> Conditions:
        """What times depend on, here."""
        return Conditions.here(self.runtime, self.precision, threads=self.threads, outputs=self.outputs)


class Session:
    """A search that is going on in a folder.

    Args:
        folder: of the search.
        brief: what is asked.
        space: where to look; None takes the one that the brief names.
        table: file with times of rows; None takes one in the folder, which fills itself.
        force: take the table although it is from elsewhere.
        say: told what is going on.

    Raises:
        UsageError: if the folder holds another search.
        InputError: if the table is from another machine or runtime.
    """

    def __init__(
        self, folder: Path, brief: Brief, *, space: Space | None = None, table: Path | None, force: bool, say: Say
    ) -> None:
        self.folder, self.brief, self.say = folder, brief, say
        self.space: Space = partial(_headed, space=space or brief.make_space(), task=brief.task)
        self.reward = brief.make_reward()
        self._agree()
        self.bill = Bill(folder / "bill.jsonl")
        self.latency = self._latency(table, force=force) if "ms" in brief.targets else None
        self.targets = [self._target(name, value) for name, value in brief.targets.items()]
        if self.fresh:  # last, so that what was refused leaves the folder to a better command
            write_json(folder / ASKED, asdict(brief))

    def check(self) -> None:
        """Refuse targets that no network of the space can meet; the folder of a search that has just begun stays free.

        Raises:
            UsageError: with the least that a network of the space costs.
        """
        with self.bill.phase("target"):
            try:
                check_targets(self.space, self.targets)
            except UsageError:
                if self.fresh:
                    (self.folder / ASKED).unlink()
                raise

    def costs(self, arch: Arch) -> tuple[float, ...]:
        """The costs of an architecture, in the order of the targets."""
        return tuple(target.price(arch) for target in self.targets)

    def finish(self, arch: Arch, **facts: Any) -> dict[str, Any]:
        """Write the network that was found, and all about it; its latency is measured beside the predicted one."""
        found = replace(arch, name=f"{self.brief.space}_{arch.digest}")
        costs = dict(zip(self.brief.targets, self.costs(arch), strict=True))
        measured = self.latency.measured([arch])[0] if self.latency else None
        result = {
            "method": self.brief.method,
            "space": self.brief.space,
            "name": found.name,
            "digest": found.digest,
            "outputs": self.brief.outputs,
            "targets": dict(self.brief.targets),
            "costs": costs,
            "measured_ms": measured,
            "compared": self.latency.compared() if self.latency else [],
            **facts,
            "bill": self.bill.facts(),
        }
        write_text(self.folder / "arch.json", found.to_json())
        write_json(self.folder / "result.json", result)
        return result

    def tell(self, result: dict[str, Any], **facts: Any) -> dict[str, Any]:
        """Add facts to the result that `finish` wrote."""
        write_json(self.folder / "result.json", told := result | facts)
        return told

    def _agree(self) -> None:
        """Refuse another search than the one that the folder holds, if it holds one."""
        path = self.folder / ASKED
        self.fresh = not path.is_file()
        if self.fresh:
            return
        stands = json.loads(path.read_text(encoding="utf-8"))
        if TOGETHER in stands["numbers"]:  # other workers go on with it, and come to the same networks
            numbers = {**self.brief.numbers, TOGETHER: stands["numbers"][TOGETHER]}
            self.brief = replace(self.brief, numbers=numbers)
        asked = json.loads(json.dumps(asdict(self.brief)))
        for name in asked | stands:
            if asked.get(name) != stands.get(name):
                raise UsageError(
                    f"{self.folder} holds a search with another {name} ({stands.get(name)} there, {asked.get(name)} "
                    "asked); choose another folder, or ask for the same"
                )

    def _latency(self, table: Path | None, *, force: bool) -> Latency:
        """The predictor; its line is that of the search's beginning, so that a search that goes on sees the same."""
        timed = TimedTable.begin(table or self.folder / "table.jsonl", self.brief.conditions(), force=force)
        kept = self.folder / "line.json"
        line = Line(*json.loads(kept.read_text(encoding="utf-8"))) if kept.is_file() else None
        latency = Latency(timed, bill=self.bill, say=self.say, line=line)
        if line is None:
            self._prepare(latency)
            write_json(kept, list(latency.line))
        return latency

    def _prepare(self, latency: Latency) -> None:
        """Time the whole space if it is small, and some whole networks, unless the table has networks already."""
        if latency.timed.networks:
            return  # what is lacking is timed when it is met
        found = rows(self.space, outputs=self.brief.outputs, most=WHOLE)
        if len(found) < WHOLE:
            latency.fill(found)
        rng = random.Random(0)  # noqa: S311 - nothing secret
        latency.calibrate([sample(self.space, rng).arch for _ in range(CALIBRATION)])

    def _target(self, name: str, value: float) -> Target:
        if name == "ms":
            assert self.latency is not None
            return Target(name, value, self.latency)
        return Target(name, value, countable(name, outputs=self.brief.outputs))


def _headed(pick: Pick, *, space: Space, task: str) -> Arch:
    """A network of a space under the task's head."""
    arch = space(pick)
    return arch if task == "classify" else headed(arch, task)
