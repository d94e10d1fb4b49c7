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
from mobilevision.network import Network
from mobilevision.search.adapting import Cutting, adapt, goal
from mobilevision.search.bill import Bill, Item
from mobilevision.search.candidate import make_exam
from mobilevision.search.rival import UNASKED, random_rival
from mobilevision.search.session import Brief
from mobilevision.search.setting import Setting
from mobilevision.search.space import Pick, Space
from mobilevision.search.spaces import PLANS, Plan, refined, v4_coarse, v4_fine
from mobilevision.search.start import run_shared, run_trials
from mobilevision.tasks.catalog import check_data, task_for
from mobilevision.train.loop import fit
from mobilevision.train.recipe import Recipe

COARSE = "v4_coarse_"
STAGES, SEARCHES = ("coarse", "fine"), ("seed", "adapted")


def v3(
    data: str,
    brief: Brief,
    *,
    setting: Setting,
    candidates: Recipe,
    training: Recipe,
    above: float,
) -> dict[str, Any]:
    """MnasNet's controller finds a seed, NetAdapt cuts it to the budget (arXiv:1905.02244, section 4).

    Args:
        data: where the pictures are.
        brief: what is asked; the first target is the budget.
        setting: of the chain; in its folder, `seed` is the first search, `trained` its network trained, `adapted` the
            second search, unless the seed meets the budget as it is.
        candidates: how candidates and proposals are trained.
        training: how the seed and the last network are trained.
        above: by which share the seed may cost more than the budget.
    """
    say, folder = setting.say, setting.folder
    name, budget = next(iter(brief.targets.items()))
    larger = replace(brief, method="mnasnet", targets={**brief.targets, name: (1 + above) * budget})
    say("first, MnasNet's controller looks for a seed")
    first = run_trials(data, larger, setting=setting.part("seed"), recipe=candidates)
    say(f"then {first['name']} is trained")
    found = _found(folder / "seed")
    seed, device = brief.seed, setting.device
    accuracy = trained(found, data, task=brief.task, recipe=training, to=folder / "trained", seed=seed, device=device)
    parts: tuple[str, ...] = SEARCHES
    if first["costs"][name] <= budget:
        say(f"it has {first['costs'][name]:.4g} {name}, no more than the budget: there is nothing to cut")
        last, parts = first | {"targets": dict(brief.targets), "accuracy": accuracy}, SEARCHES[:1]
    else:
        say("and NetAdapt cuts it to the budget")
        cutting = Cutting(short=candidates.changed({"epochs": 1}), long=training)
        last = _cut(brief, setting=setting, cutting=cutting)
    rival = _rival(data, brief, parts, setting=setting, recipe=candidates)
    return concluded(folder, last | {"method": brief.method, "random": rival}, parts)


def _cut(brief: Brief, *, setting: Setting, cutting: Cutting) -> dict[str, Any]:
    """What NetAdapt makes of the trained seed of `v3`."""
    name, budget = next(iter(brief.targets.items()))
    return adapt(
        setting.folder / "trained",
        setting=setting.part("adapted"),
        targets={name: budget},
        conditions={"runtime": brief.runtime, "precision": brief.precision, "threads": brief.threads},
        cutting=cutting,
    )


def v4(data: str, brief: Brief, *, setting: Setting, training: Recipe, candidates: Recipe) -> dict[str, Any]:
    """TuNAS in two stages, widths and then depthwise filters with attention, and retraining (arXiv:2404.10518, 6.1).

    Args:
        data: where the pictures are.
        brief: what is asked; its space is one of the coarse ones, whose plan tells where attention may stand.
        setting: of the chain; in its folder, `coarse` and `fine` are the searches, `trained` is the network found,
            trained.
        training: how the network found is trained; its batch and augmentation are the searches' too.
        candidates: how the finalists of each stage are trained, and the networks of random search.

    Raises:
        UsageError: if the space is not a coarse one.
    """
    last = two_stages(data, brief, setting=setting, training=training, candidates=candidates)
    folder, seed, device = setting.folder, brief.seed, setting.device
    setting.say(f"and {last['name']} is trained from nothing")
    to = folder / "trained"
    accuracy = trained(_found(folder), data, task=brief.task, recipe=training, to=to, seed=seed, device=device)
    return concluded(folder, last | {"accuracy": accuracy}, STAGES)


def two_stages(data: str, brief: Brief, *, setting: Setting, training: Recipe, candidates: Recipe) -> dict[str, Any]:
    """The two searches of `v4`, and random search; arguments and errors are those of `v4`."""
    plan = PLANS.get(brief.space.removeprefix(COARSE))
    if plan is None or not brief.space.startswith(COARSE):
        raise UsageError(f"{brief.space} has no second stage; choose from {', '.join(COARSE + name for name in PLANS)}")
    given: dict[str, Any] = {"training": training, "candidates": candidates}
    setting.say("first, the widths")
    first = run_shared(data, replace(brief, method="tunas"), setting=setting.part("coarse"), **given)
    coarse = _found(setting.folder / "coarse")
    second = replace(
        brief,
        method="tunas",
        space=brief.space.replace("coarse", "fine"),
        size=coarse.size,
        width=None,
        depth=None,
        numbers={**brief.numbers, "refines": first["digest"]},
    )
    setting.say(f"then, with the widths of {first['name']}, the filters")
    space = partial(v4_fine, plan=refined(coarse, plan), size=coarse.size)
    last = run_shared(data, second, setting=setting.part("fine"), space=space, **given)
    whole = partial(both_stages, plan=plan, size=brief.size, width=brief.width or 1.0, depth=brief.depth)
    rival = _rival(data, brief, STAGES, setting=setting, recipe=candidates, space=whole)
    return concluded(setting.folder, last | {"method": brief.method, "random": rival}, STAGES)


def both_stages(pick: Pick, *, plan: Plan, size: int | None, width: float, depth: int | None) -> Arch:
    """All that two stages can find: widths, then depthwise filters and attention with these widths."""
    coarse = v4_coarse(pick, plan=plan, size=size, width=width, depth=depth)
    return v4_fine(pick, plan=refined(coarse, plan), size=coarse.size)


def _found(folder: Path) -> Arch:
    """The network that a search has left in its folder."""
    return Arch.from_json((folder / "arch.json").read_text(encoding="utf-8"))


def _rival(
    data: str,
    brief: Brief,
    searches: tuple[str, ...],
    *,
    setting: Setting,
    recipe: Recipe,
    space: Space | None = None,
) -> dict[str, Any]:
    """What random search finds in the time of a chain's searches, if the setting asks for it."""
    if not setting.against_random:
        return UNASKED
    found, last = check_data(brief.task, data, seed=brief.seed), setting.folder / searches[-1]
    return random_rival(
        replace(brief, outputs=task_for(brief.task, found).outputs),
        make_exam(found, task=brief.task, recipe=recipe, seed=brief.seed, setting=setting),
        setting=replace(setting, table=setting.table or last / "table.jsonl"),
        seconds=sum(Bill(setting.folder / name / "bill.jsonl").searching() for name in searches),
        found=_found(last),
        space=space,
    )


def trained(arch: Arch, data: str, *, task: str, recipe: Recipe, to: Path, seed: int, device: str) -> float:
    """Train a network from nothing into a run, or take the one that stands there; its validation accuracy."""
    found = check_data(task, data, seed=seed)
    torch.manual_seed(seed)
    bill = Bill(to.with_name(f"{to.name}.bill.jsonl"))
    with bill.phase("training") as item:
        asked = task_for(task, found)
        run = fit(Network(arch, asked.outputs), found, task=asked, recipe=recipe, to=to, seed=seed, device=device)
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
