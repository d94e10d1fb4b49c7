"""How MobileNetV3 and MobileNetV4 were found: searches one after another, each in a folder of its own."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from mobilevision.architecture import Arch
from mobilevision.errors import UsageError
from mobilevision.files import write_json, write_text
from mobilevision.jobs import Local, Workers
from mobilevision.network import Network
from mobilevision.search.adapting import adapt, goal
from mobilevision.search.bill import Bill, Item
from mobilevision.search.candidate import make_exam
from mobilevision.search.evaluate import Say
from mobilevision.search.rival import UNASKED, random_rival
from mobilevision.search.session import Brief
from mobilevision.search.space import Pick, Space
from mobilevision.search.spaces import PLANS, Plan, refined, v4_coarse, v4_fine
from mobilevision.search.start import run_shared, run_trials
from mobilevision.tasks.catalog import check_data
from mobilevision.train.loop import fit
from mobilevision.train.recipe import Recipe

COARSE = "v4_coarse_"
STAGES = ("coarse", "fine")


def v3(
    data: str,
    brief: Brief,
    *,
    folder: Path,
    task: str,
    candidates: Recipe,
    training: Recipe,
    workers: Workers,
    above: float,
    table: Path | None,
    force: bool,
    device: str,
    against_random: bool = True,
    say: Say,
) -> dict[str, Any]:
    """MnasNet's controller finds a seed, NetAdapt cuts it to the budget (arXiv:1905.02244, section 4).

    Args:
        data: where the pictures are.
        brief: what is asked; the first target is the budget.
        folder: of the chain: `seed` is the first search, `trained` its network trained, `adapted` the second search.
        task: what the networks are asked to do.
        candidates: how candidates and proposals are trained.
        training: how the seed and the last network are trained.
        workers: what trains candidates and proposals.
        above: by which share the seed may cost more than the budget.
        table: times of rows.
        force: take a table from elsewhere.
        device: where networks are trained.
        against_random: whether random search gets the same time afterwards.
        say: told how far it is.
    """
    name, budget = next(iter(brief.targets.items()))
    larger = replace(brief, method="mnasnet", targets={**brief.targets, name: (1 + above) * budget})
    given: dict[str, Any] = {"table": table, "force": force, "device": device, "say": say}
    say("first, MnasNet's controller looks for a seed")
    first = run_trials(
        data,
        larger,
        folder=folder / "seed",
        task=task,
        recipe=candidates,
        workers=workers,
        minutes=None,
        against_random=False,
        **given,
    )
    say(f"then {first['name']} is trained")
    found = Arch.from_json((folder / "seed" / "arch.json").read_text(encoding="utf-8"))
    trained(found, data, task=task, recipe=training, to=folder / "trained", seed=brief.seed, device=device)
    if first["costs"][name] <= budget:
        raise UsageError(
            f"the seed has {first['costs'][name]:.4g} {name}, no more than the budget; raise --above, or take it as "
            f"it is: {folder / 'trained'}"
        )
    say("and NetAdapt cuts it to the budget")
    last = adapt(
        folder / "trained",
        folder=folder / "adapted",
        targets={name: budget},
        conditions={"runtime": brief.runtime, "precision": brief.precision, "threads": brief.threads},
        short=candidates.changed({"epochs": 1}),
        long=training,
        workers=workers,
        against_random=False,
        **given,
    )
    parts = ("seed", "adapted")
    rival = _rival(
        folder,
        brief,
        data,
        parts,
        task=task,
        recipe=candidates if against_random else None,
        workers=workers,
        table=table,
        device=device,
        say=say,
    )
    return concluded(folder, last | {"method": brief.method, "random": rival}, parts)


def v4(
    data: str,
    brief: Brief,
    *,
    folder: Path,
    task: str,
    training: Recipe,
    candidates: Recipe | None,
    table: Path | None,
    force: bool,
    device: str,
    say: Say,
) -> dict[str, Any]:
    """TuNAS in two stages, widths and then depthwise filters with attention, and retraining (arXiv:2404.10518, 6.1).

    Args:
        data: where the pictures are.
        brief: what is asked; its space is one of the coarse ones, whose plan tells where attention may stand.
        folder: of the chain: `coarse` and `fine` are the searches, `trained` is the network found, trained.
        task: what the networks are asked to do.
        training: how the network found is trained; its batch and augmentation are the searches' too.
        candidates: how the network found and those of random search, which gets the same time afterwards, are trained
            to be compared; None leaves random search out.
        table: times of rows.
        force: take a table from elsewhere.
        device: where networks are trained.
        say: told how far it is.

    Raises:
        UsageError: if the space is not a coarse one.
    """
    last = two_stages(
        data,
        brief,
        folder=folder,
        task=task,
        training=training,
        candidates=candidates,
        table=table,
        force=force,
        device=device,
        say=say,
    )
    found = Arch.from_json((folder / "arch.json").read_text(encoding="utf-8"))
    say(f"and {last['name']} is trained from nothing")
    accuracy = trained(found, data, task=task, recipe=training, to=folder / "trained", seed=brief.seed, device=device)
    return concluded(folder, last | {"shared_accuracy": last["accuracy"], "accuracy": accuracy}, STAGES)


def two_stages(
    data: str,
    brief: Brief,
    *,
    folder: Path,
    task: str,
    training: Recipe,
    candidates: Recipe | None,
    table: Path | None,
    force: bool,
    device: str,
    say: Say,
) -> dict[str, Any]:
    """The two searches of `v4`, and random search; arguments and errors are those of `v4`."""
    plan = PLANS.get(brief.space.removeprefix(COARSE))
    if plan is None or not brief.space.startswith(COARSE):
        raise UsageError(f"{brief.space} has no second stage; choose from {', '.join(COARSE + name for name in PLANS)}")
    given: dict[str, Any] = {"task": task, "training": training, "table": table, "force": force, "say": say}
    say("first, the widths")
    first = run_shared(data, replace(brief, method="tunas"), folder=folder / "coarse", **given)
    coarse = Arch.from_json((folder / "coarse" / "arch.json").read_text(encoding="utf-8"))
    second = replace(
        brief,
        method="tunas",
        space=brief.space.replace("coarse", "fine"),
        size=coarse.size,
        width=None,
        depth=None,
        numbers={**brief.numbers, "refines": first["digest"]},
    )
    say(f"then, with the widths of {first['name']}, the filters")
    space = partial(v4_fine, plan=refined(coarse, plan), size=coarse.size)
    last = run_shared(data, second, folder=folder / "fine", space=space, **given)
    rival = _rival(
        folder,
        brief,
        data,
        STAGES,
        task=task,
        recipe=candidates,
        workers=Local(1),
        space=partial(both_stages, plan=plan, size=brief.size, width=brief.width or 1.0, depth=brief.depth),
        table=table,
        device=device,
        say=say,
    )
    return concluded(folder, last | {"method": brief.method, "random": rival}, STAGES)


def both_stages(pick: Pick, *, plan: Plan, size: int | None, width: float, depth: int | None) -> Arch:
    """All that two stages can find: widths, then depthwise filters and attention with these widths."""
    coarse = v4_coarse(pick, plan=plan, size=size, width=width, depth=depth)
    return v4_fine(pick, plan=refined(coarse, plan), size=coarse.size)


def _rival(
    folder: Path,
    brief: Brief,
    data: str,
    searches: tuple[str, ...],
    *,
    task: str,
    recipe: Recipe | None,
    workers: Workers,
    table: Path | None,
    device: str,
    say: Say,
    space: Space | None = None,
) -> dict[str, Any]:
    """What random search finds in the time of a chain's searches; it is not asked without a recipe for candidates."""
    if recipe is None:
        return UNASKED
    found = check_data(task, data, seed=brief.seed)
    return random_rival(
        folder,
        replace(brief, outputs=len(found.labels)),
        make_exam(found, task=task, recipe=recipe, seed=brief.seed, device=device),
        seconds=sum(Bill(folder / name / "bill.jsonl").searching() for name in searches),
        found=Arch.from_json((folder / searches[-1] / "arch.json").read_text(encoding="utf-8")),
        workers=workers,
        say=say,
        space=space,
        table=table or folder / searches[-1] / "table.jsonl",
    )


def trained(arch: Arch, data: str, *, task: str, recipe: Recipe, to: Path, seed: int, device: str) -> float:
    """Train a network from nothing into a run, or take the one that stands there; its validation accuracy."""
    found = check_data(task, data, seed=seed)
    torch.manual_seed(seed)
    bill = Bill(to.with_name(f"{to.name}.bill.jsonl"))
    with bill.phase("training") as item:
        run = fit(Network(arch, len(found.labels)), found, task=task, recipe=recipe, to=to, seed=seed, device=device)
        item.trained += 1
    return float(run.read("metrics")[goal(run)])


def concluded(folder: Path, last: dict[str, Any], searches: tuple[str, ...]) -> dict[str, Any]:
    """Write what the chain has found, with the bill of all its parts."""
    parts = {name: Bill(folder / name / "bill.jsonl") for name in searches}
    parts["trained"] = Bill(folder / "trained.bill.jsonl")
    whole = Bill(folder / "bill.jsonl")
    whole.items = [
        Item(f"{name}: {item.phase}", item.wall_seconds, item.cpu_seconds, item.trained, item.measured)
        for name, bill in parts.items()
        for item in bill.items
    ]
    result = last | {"bill": whole.facts(), "words": whole.words()}
    end = folder / searches[-1]
    write_text(folder / "arch.json", (end / "arch.json").read_text(encoding="utf-8"))
    write_json(folder / "result.json", result)
    return result
