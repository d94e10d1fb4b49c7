"""Judging candidates: on workers, each once, whatever is killed in between."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from mobilevision.architecture import Arch, plain
from mobilevision.errors import MobilevisionError
from mobilevision.files import append_json, read_json_lines
from mobilevision.jobs import Done, Workers
from mobilevision.jobs.telling import Say
from mobilevision.search.bill import Bill

TRIALS = "trials.jsonl"


@dataclass(frozen=True)
class Exam:
    """How every candidate of a search is judged.

    Attributes:
        target: the function that judges, "package.module:function"; it takes `arch` (JSON) and the facts, and returns
            plain JSON with "accuracy".
        facts: what the result depends on beside the architecture: recipe, data, seed.
        aside: further arguments, on which the result does not depend.
        seconds: how long one candidate may take.
        about: what the result depends on and the function is not told.
    """

    target: str
    facts: Mapping[str, Any]
    aside: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 3600.0
    about: Mapping[str, Any] = field(default_factory=dict)

    def key(self, arch: Arch) -> str:
        """Names the judgement of an architecture: 16 hex digits."""
        text = json.dumps([self.target, arch.digest, self.facts, self.about], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def payload(self, arch: Arch) -> dict[str, Any]:
        """The arguments of the function."""
        return {"arch": arch.to_json(), **self.facts, **self.aside}


class Verdict(NamedTuple):
    """What a candidate was found to be.

    Attributes:
        accuracy: a fraction; 0 of one that failed.
        failure: why it could not be judged; "" if it could.
        seconds: of wall time that judging took on its worker.
    """

    accuracy: float
    failure: str
    seconds: float = 0.0


class Evaluator:
    """Judges architectures on workers and keeps every verdict; what was judged before is not judged again.

    Args:
        folder: of the search; verdicts are appended to its `trials.jsonl`.
        exam: how they are judged.
        workers: what does the work.
        bill: is charged.
        say: told how far it is.
    """

    def __init__(self, folder: Path, exam: Exam, *, workers: Workers, bill: Bill, say: Say) -> None:
        self.path, self.exam, self.workers, self.bill, self.say = folder / TRIALS, exam, workers, bill, say
        self.known = {
            line["key"]: Verdict(line["accuracy"], line["failure"], line["wall_seconds"])
            for line in read_json_lines(self.path)
        }

    def judge(self, archs: Sequence[Arch], *, phase: str = "candidates") -> list[Verdict]:
        """The verdict of each architecture.

        Args:
            archs: may hold one several times.
            phase: of the bill.

        Raises:
            MobilevisionError: if every one of several that were tried has failed, for then the exam itself is wrong.
        """
        new = list({self.exam.key(arch): arch for arch in archs if self.exam.key(arch) not in self.known}.values())
        if new:
            with self.bill.phase(phase) as item:
                for done in self.workers.run(
                    self.exam.target, [self.exam.payload(arch) for arch in new], seconds=self.exam.seconds
                ):
                    self._keep(new[done.place], done)
                    item.trained += 1
                    item.cpu_seconds += done.cpu_seconds if self.workers.elsewhere else 0
            self._check(new)
        return [self.known[self.exam.key(arch)] for arch in archs]

    def _keep(self, arch: Arch, done: Done) -> None:
        accuracy = 0.0 if done.failure else float(done.result["accuracy"])
        verdict = Verdict(accuracy, done.failure, done.wall_seconds)
        key = self.exam.key(arch)
        line = {"key": key, "digest": arch.digest, "accuracy": accuracy, "failure": done.failure}
        spent = {"attempts": done.attempts, "wall_seconds": done.wall_seconds, "cpu_seconds": done.cpu_seconds}
        append_json(self.path, line | spent | {"result": done.result, "arch": plain(arch)})
        self.known[key] = verdict
        what = f"failed: {done.failure}" if done.failure else f"accuracy {verdict.accuracy:.1%}"
        self.say(f"candidate {len(self.known)} ({arch.digest}, {done.wall_seconds:.0f} s): {what}")

    def _check(self, judged: Iterable[Arch]) -> None:
        failures = [self.known[self.exam.key(arch)].failure for arch in judged]
        if len(failures) > 1 and all(failures):
            raise MobilevisionError(f"all {len(failures)} candidates failed; the last because {failures[-1]}")
