"""NetAdapt as a session: a trained run is cut step by step to a budget, proposals are tuned by workers."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from mobilevision.architecture import Arch, fact, plain
from mobilevision.errors import UsageError
from mobilevision.files import append_json, locked, read_json_lines, sha256
from mobilevision.jobs import Workers
from mobilevision.models import open_model
from mobilevision.network import Network
from mobilevision.run import Run
from mobilevision.search.bill import Bill
from mobilevision.search.candidate import make_exam
from mobilevision.search.evaluate import Evaluator, Exam, Verdict
from mobilevision.search.inherit import inherit
from mobilevision.search.netadapt import Step, by_accuracy, by_ratio, known, netadapt, random_cuts
from mobilevision.search.rival import FOLDER, UNASKED
from mobilevision.search.session import Brief, Session
from mobilevision.search.setting import Setting
from mobilevision.tasks.catalog import known_data, read_task
from mobilevision.train.loop import fit
from mobilevision.train.recipe import Recipe
from mobilevision.weights.save import save_weights

PREFERENCES = {"ratio": by_ratio, "accuracy": by_accuracy}
"""How the winner of a step is chosen: as MobileNetV3, or as NetAdapt's paper."""
STEPS = "steps.jsonl"


@dataclass(frozen=True, kw_only=True)
class Tuning(Exam):
    """An exam of networks that have weights already.

    Attributes:
        shelf: folder where each finds its weights, and leaves the tuned ones; workers must see it at the same path.
    """

    shelf: Path

    def payload(self, arch: Arch) -> dict[str, Any]:
        """The arguments of the function."""
        return super().payload(arch) | {"weights": str(self.untuned(arch)), "to": str(self.tuned(arch))}

    def untuned(self, arch: Arch) -> Path:
        """Where the weights to start from are."""
        return self.shelf / f"{arch.digest}.safetensors"

    def tuned(self, arch: Arch) -> Path:
        """Where the tuned weights are."""
        return self.shelf / f"{arch.digest}.tuned.safetensors"


@dataclass(frozen=True, kw_only=True)
class Cutting:
    """How NetAdapt cuts.

    Attributes:
        short: how every proposal is tuned.
        long: how the last network is trained; None leaves it as it was tuned.
        prefer: "ratio" takes what loses least accuracy for the cost it saves, "accuracy" what is most accurate.
        saving: share of the run's cost that the first step saves at least.
        decay: by how much that is multiplied at every step.
    """

    short: Recipe
    long: Recipe | None
    prefer: str = "ratio"
    saving: float = 0.01
    decay: float = 1.0

    def facts(self) -> dict[str, Any]:
        """As plain JSON."""
        told = {"saving": self.saving, "decay": self.decay, "prefer": self.prefer}
        return told | {"short": self.short.facts(), "long": self.long.facts() if self.long else None}


class Tuner:
    """Tunes networks on workers for a short while.

    Args:
        session: the search.
        exam: how networks are tuned, but for the weights they start from.
        workers: what tunes.
        bill: is charged; None takes the session's.
    """

    def __init__(self, session: Session, exam: Exam, *, workers: Workers, bill: Bill | None = None) -> None:
        self.session, self.exam, self.workers = session, exam, workers
        self.bill, self.shelf = bill or session.bill, (session.folder / "shelf").resolve()

    def __call__(self, networks: Sequence[Network]) -> list[float]:
        """Tune networks in place; the accuracy of each on the validation pictures."""
        exam = self._laid_out(networks)
        verdicts = self._judged(networks, exam)
        for network, verdict in zip(networks, verdicts, strict=True):
            if not verdict.failure:
                network.load_state_dict(load_file(exam.tuned(network.arch)))
        return [verdict.accuracy for verdict in verdicts]

    def judge(self, networks: Sequence[Network]) -> list[Verdict]:
        """What each network is found to be when it is tuned; the networks stay as they are."""
        return self._judged(networks, self._laid_out(networks))

    def _laid_out(self, networks: Sequence[Network]) -> Tuning:
        """The exam of some networks, whose weights are on the shelf."""
        for network in networks:
            save_weights(network, self.shelf / f"{network.arch.digest}.safetensors")
        parts = {network.arch.digest: sha256(self.shelf / f"{network.arch.digest}.safetensors") for network in networks}
        return Tuning(
            target=self.exam.target,
            facts=self.exam.facts,
            aside=self.exam.aside,
            about={"weights": parts},
            shelf=self.shelf,
        )

    def _judged(self, networks: Sequence[Network], exam: Tuning) -> list[Verdict]:
        judge = Evaluator(self.session.folder, exam, workers=self.workers, bill=self.bill, say=self.session.say)
        return judge.judge([network.arch for network in networks], phase="proposals")


def adapt(
    run: str | Path, *, setting: Setting, targets: dict[str, float], conditions: dict[str, Any], cutting: Cutting
) -> dict[str, Any]:
    """Cut a trained run to a budget, in a folder; the same folder goes on with a search that was stopped.

    Args:
        run: what is cut.
        setting: what the search is done with; a last training goes into the run `run` in its folder.
        targets: the budget: one cost by its name.
        conditions: "runtime", "precision" and "threads" of the times.
        cutting: how it is cut.

    Raises:
        UsageError: if the budget cannot be met, or is met already.
        InputError: if the run's data is not what it was.
    """
    if len(targets) != 1 or cutting.prefer not in PREFERENCES:
        raise UsageError(
            f"NetAdapt takes one budget and prefers ratio or accuracy, not {list(targets)} and {cutting.prefer!r}"
        )
    start = Run.open(run)
    network = at_its_size(start)
    seed, facts, task = start.read("environment")["seed"], start.read("data"), start.read("task")["task"]
    data = known_data(task, facts["source"], digest=facts["digest"], seed=seed)
    exam = make_exam(data, task=task, recipe=cutting.short, seed=seed, setting=setting)
    brief = Brief(
        method="netadapt",
        task=task,
        space=start.arch.name,
        targets=targets,
        outputs=network.outputs,
        seed=seed,
        numbers={"weights": sha256(start.best)} | cutting.facts(),
        **conditions,
    )
    folder = setting.folder
    with locked(folder):
        session = Session(
            folder, brief, space=lambda pick: network.arch, table=setting.table, force=setting.force, say=setting.say
        )
        last = _steps(session, Tuner(session, exam, workers=setting.workers), network)
        save_weights(last.network, folder / "weights.safetensors", {"accuracy": last.accuracy})
        accuracy = last.accuracy
        if cutting.long:
            with session.bill.phase("long training"):
                made = fit(last.network, data, recipe=cutting.long, to=folder / "run", seed=seed, device=setting.device)
                accuracy = made.read("metrics")[goal(made)]
        lines = read_json_lines(folder / STEPS)
        told = [{name: line[name] for name in ("step", "accuracy", "cost", "tried", "part")} for line in lines]
        result = session.finish(last.network.arch, accuracy=accuracy, steps=told)
        asked = setting.against_random
        rival = _at_random(session, network, last, exam, workers=setting.workers) if asked else UNASKED
        return session.tell(result, random=rival) | {"words": session.bill.words()}


def _at_random(session: Session, network: Network, last: Step, exam: Exam, *, workers: Workers) -> dict[str, Any]:
    """What cuts at random come to in the time that the search took, as plain JSON; all are tuned as proposals are."""
    (target,), given = session.targets, session.bill.searching()
    session.say(f"and cuts at random get the same {given:.0f} s (--no-random turns it off)")
    tuner = Tuner(session, exam, workers=workers, bill=Bill(session.folder / FOLDER / "bill.jsonl"))
    rng, seconds = random.Random(session.brief.seed), 0.0  # noqa: S311 - nothing secret
    know = session.latency.know if session.latency else known
    points: list[dict[str, Any]] = []
    while not points or seconds < given:
        try:
            arch = random_cuts(network.arch, target.price, target.value, rng=rng, know=know)
        except UsageError as error:
            return {"given_seconds": given, "why": str(error)}
        (verdict,) = tuner.judge([inherit(network, arch)])
        seconds += verdict.seconds
        costs = {target.name: target.price(arch)}
        points.append({"digest": arch.digest, "accuracy": verdict.accuracy, "costs": costs})
        shutil.rmtree(tuner.shelf, ignore_errors=True)
    best = max(points, key=lambda point: float(point["accuracy"]))
    told = {"trials": len(points), "points": points, "seconds": seconds, "bill": tuner.bill.facts()}
    return best | told | {"given_seconds": given, "found_accuracy": last.accuracy, "found_failure": ""}


def at_its_size(run: Run) -> Network:
    """A run's network with its best weights, its architecture at the size of the pictures it was trained on."""
    model = open_model(run.folder)
    side = model.preprocessing.size[0]
    network = Network(replace(run.arch, size=side), model.network.outputs, channels=model.network.channels)
    network.load_state_dict(model.network.state_dict())
    network.labels, network.preprocessing = model.labels, model.preprocessing
    return network


def goal(run: Run) -> str:
    """The metric that decides, of a run."""
    return read_task(run.read("task")).goal


def _steps(session: Session, tuner: Tuner, network: Network) -> Step:
    """All steps that are left; the last one."""
    numbers = session.brief.numbers
    (target,) = session.targets
    done = read_json_lines(session.folder / STEPS)
    saving = numbers["saving"] * target.price(network.arch)
    if target.price(network.arch) <= target.value:
        raise UsageError(
            f"{network.arch.name} has {target.price(network.arch):.4g} {target.name} already; give a smaller budget"
        )
    begun = _read(session, done[-1], network) if done else None
    now = begun
    for step in netadapt(
        network,
        price=target.price,
        budget=target.value,
        saving=saving * numbers["decay"] ** max(0, len(done) - 1),
        tune=tuner,
        prefer=PREFERENCES[numbers["prefer"]],
        decay=numbers["decay"],
        know=session.latency.know if session.latency else known,
        begun=begun,
    ):
        _keep(session, step, number=len(done))
        shutil.rmtree(tuner.shelf, ignore_errors=True)
        done.append({})
        now = step
    assert now is not None
    return now


def _keep(session: Session, step: Step, *, number: int) -> None:
    save_weights(step.network, session.folder / "steps" / f"{number}.safetensors")
    part = "" if step.proposal is None else f"{step.proposal.part} to {step.proposal.channels} channels"
    line = {"step": number, "accuracy": step.accuracy, "cost": step.cost, "tried": step.tried, "part": part}
    append_json(session.folder / STEPS, line | {"arch": plain(step.network.arch)})
    (session.folder / "steps" / f"{number - 1}.safetensors").unlink(missing_ok=True)
    (name,) = session.brief.targets
    session.say(f"step {number}: {step.cost:.4g} {name}, accuracy {step.accuracy:.1%} ({step.tried} tried) {part}")


def _read(session: Session, line: dict[str, Any], like: Network) -> Step:
    network = Network(fact(line["arch"]), like.outputs, channels=like.channels)
    network.load_state_dict(load_file(session.folder / "steps" / f"{line['step']}.safetensors"))
    network.labels, network.preprocessing = like.labels, like.preprocessing
    return Step(network, line["accuracy"], line["cost"], None, line["tried"])
