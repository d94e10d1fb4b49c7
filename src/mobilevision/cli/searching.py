"""The methods of `mobilevision search`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Device, Distilled, RunFolder, Seed, Source, Task, ThreadCount
from mobilevision.cli.search_options import (
    AgainstRandom,
    Batch,
    Depth,
    Epochs,
    Folder,
    Force,
    Macs,
    Milliseconds,
    Minutes,
    Params,
    Precision,
    Processes,
    Ray,
    Recipe,
    Reward,
    Runtime,
    Size,
    Space,
    Steps,
    Strength,
    TableFile,
    Trials,
    Width,
    targets,
    workers,
)

if TYPE_CHECKING:
    from mobilevision.train.recipe import Recipe as Training


def trial_verb(method: str, says: str) -> Callable[..., Answer]:
    """The verb of a method that trains every candidate by itself; `says` is its help."""

    def verb(
        data: Source,
        *,
        out: Folder,
        space: Space = "v4_coarse_small",
        size: Size = None,
        width: Width = None,
        depth: Depth = None,
        target_ms: Milliseconds = None,
        target_macs: Macs = None,
        target_params: Params = None,
        reward: Reward = "absolute" if method != "mnasnet" else "soft",
        strength: Strength = None,
        trials: Trials = 60,
        minutes: Minutes = None,
        recipe: Recipe = "quick",
        epochs: Epochs = 5,
        task: Task = "classify",
        table: TableFile = None,
        runtime: Runtime = "litert",
        precision: Precision = "fp32",
        threads: ThreadCount = 1,
        processes: Processes = 1,
        ray: Ray = None,
        force: Force = False,
        seed: Seed = 0,
        device: Device = "auto",
        against_random: AgainstRandom = True,
    ) -> Answer:
        from mobilevision.build import tell
        from mobilevision.search.session import Brief
        from mobilevision.search.start import run_trials

        brief = Brief(
            method=method,
            space=space,
            size=size,
            width=width,
            depth=depth,
            targets=targets(ms=target_ms, macs=target_macs, params=target_params),
            reward=reward,
            strength=strength,
            runtime=runtime,
            precision=precision,
            threads=threads,
            seed=seed,
            numbers={"trials": trials, "together": processes},
        )
        facts = run_trials(
            data,
            brief,
            folder=out,
            task=task,
            recipe=_candidates(recipe, epochs, size),
            workers=workers(processes, ray),
            table=table,
            force=force,
            minutes=minutes,
            device=device,
            against_random=against_random,
            say=tell,
        )
        return Answer(facts, _told_search(facts, out))

    verb.__name__, verb.__doc__ = method, says
    return verb


def shared_verb(method: str, says: str) -> Callable[..., Answer]:
    """The verb of a method whose candidates share their weights; `says` is its help."""

    def verb(
        data: Source,
        *,
        out: Folder,
        space: Space = "v4_coarse_small",
        size: Size = None,
        width: Width = None,
        depth: Depth = None,
        target_ms: Milliseconds = None,
        target_macs: Macs = None,
        target_params: Params = None,
        reward: Reward = "absolute",
        strength: Strength = None,
        steps: Steps = 2000,
        batch: Batch = 32,
        epochs: Epochs = 5,
        recipe: Recipe = "quick",
        distilled: Distilled = "",
        task: Task = "classify",
        table: TableFile = None,
        runtime: Runtime = "litert",
        precision: Precision = "fp32",
        threads: ThreadCount = 1,
        force: Force = False,
        seed: Seed = 0,
        device: Device = "auto",
        against_random: AgainstRandom = True,
    ) -> Answer:
        from mobilevision.build import tell
        from mobilevision.search import chains, start
        from mobilevision.search.session import Brief
        from mobilevision.train.recipes import find_recipe

        brief = Brief(
            method=method,
            space=space,
            size=size,
            width=width,
            depth=depth,
            targets=targets(ms=target_ms, macs=target_macs, params=target_params),
            reward=reward,
            strength=strength,
            runtime=runtime,
            precision=precision,
            threads=threads,
            seed=seed,
            numbers={"steps": steps} | ({"distilled": distilled} if distilled else {}),
        )
        facts = {"tunas": start.run_shared, "v4": chains.v4}[method](
            data,
            brief,
            folder=out,
            task=task,
            training=find_recipe(recipe).changed({"batch": batch} | ({"size": size} if size else {})),
            candidates=_candidates(recipe, epochs, size) if against_random else None,
            table=table,
            force=force,
            device=device,
            say=tell,
        )
        return Answer(facts, _told_search(facts, out))

    verb.__name__, verb.__doc__ = method, says
    return verb


def netadapt(
    run: RunFolder,
    *,
    out: Folder,
    target_ms: Milliseconds = None,
    target_macs: Macs = None,
    target_params: Params = None,
    prefer: Annotated[str, typer.Option(help="ratio (MobileNetV3) or accuracy (NetAdapt's paper).")] = "ratio",
    saving: Annotated[float, typer.Option(help="Share of the cost that a step saves at least.")] = 0.01,
    decay: Annotated[float, typer.Option(help="By which that is multiplied at every step.")] = 1.0,
    recipe: Recipe = "quick",
    short: Annotated[int, typer.Option(min=1, help="Passes over the pictures for each proposal.")] = 1,
    long: Annotated[int, typer.Option(min=0, help="Passes for the last network; 0 leaves it as it was tuned.")] = 6,
    table: TableFile = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: ThreadCount = 1,
    processes: Processes = 1,
    ray: Ray = None,
    force: Force = False,
    device: Device = "auto",
    against_random: AgainstRandom = True,
) -> Answer:
    """NetAdapt: cut a trained run step by step to any budget; its weights are inherited and tuned."""
    from mobilevision.build import tell
    from mobilevision.search.adapting import adapt
    from mobilevision.train.recipes import find_recipe

    facts = adapt(
        run,
        folder=out,
        targets=targets(ms=target_ms, macs=target_macs, params=target_params),
        conditions={"runtime": runtime, "precision": precision, "threads": threads},
        short=find_recipe(recipe).changed({"epochs": short}),
        long=find_recipe(recipe).changed({"epochs": long}) if long else None,
        workers=workers(processes, ray),
        prefer=prefer,
        saving=saving,
        decay=decay,
        table=table,
        force=force,
        device=device,
        against_random=against_random,
        say=tell,
    )
    return Answer(facts, _told_search(facts, out))


def v3(
    data: Source,
    *,
    out: Folder,
    space: Space = "mnasnet",
    size: Size = None,
    width: Width = None,
    depth: Depth = None,
    target_ms: Milliseconds = None,
    target_macs: Macs = None,
    above: Annotated[float, typer.Option(help="Share by which the seed may cost more than the target.")] = 0.15,
    trials: Trials = 60,
    epochs: Epochs = 5,
    recipe: Recipe = "quick",
    task: Task = "classify",
    table: TableFile = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: ThreadCount = 1,
    processes: Processes = 1,
    ray: Ray = None,
    force: Force = False,
    seed: Seed = 0,
    device: Device = "auto",
    against_random: AgainstRandom = True,
) -> Answer:
    """As MobileNetV3 was found: MnasNet's controller looks for a seed, NetAdapt cuts it to the target."""
    from mobilevision.build import tell
    from mobilevision.search import chains
    from mobilevision.search.session import Brief
    from mobilevision.train.recipes import find_recipe

    brief = Brief(
        method="v3",
        space=space,
        size=size,
        width=width,
        depth=depth,
        targets=targets(ms=target_ms, macs=target_macs),
        reward="soft",
        runtime=runtime,
        precision=precision,
        threads=threads,
        seed=seed,
        numbers={"trials": trials, "together": processes},
    )
    training = find_recipe(recipe).changed({"size": size} if size else {})
    facts = chains.v3(
        data,
        brief,
        folder=out,
        task=task,
        candidates=training.changed({"epochs": epochs}),
        training=training,
        workers=workers(processes, ray),
        above=above,
        table=table,
        force=force,
        device=device,
        against_random=against_random,
        say=tell,
    )
    return Answer(facts, _told_search(facts, out))


SEARCHES: dict[str, Callable[..., Answer]] = {
    "random": trial_verb("random", "Try networks drawn at random near the target: what every search has to beat."),
    "evolution": trial_verb("evolution", "Regularized evolution: change the best of a few, let the oldest die."),
    "mnasnet": trial_verb("mnasnet", "MnasNet: a recurrent controller learns from trained and measured candidates."),
    "tunas": shared_verb("tunas", "TuNAS: shared weights and a policy learn which network is best for a price."),
    "netadapt": netadapt,
    "v3": v3,
    "v4": shared_verb("v4", "As MobileNetV4 was found: TuNAS for widths, then for filters; and training."),
    "nsga2": trial_verb("nsga2", "NSGA-II: a whole front of accuracy against costs."),
}


def _candidates(recipe: str, epochs: int, size: int | None) -> "Training":
    """How candidates are trained."""
    from mobilevision.train.recipes import find_recipe

    return find_recipe(recipe).changed({"epochs": epochs} | ({"size": size} if size else {}))


def _told_search(facts: dict[str, Any], folder: Path) -> str:
    costs = ", ".join(f"{value:.4g} {name}" for name, value in facts["costs"].items())
    measured = "" if facts["measured_ms"] is None else f", {facts['measured_ms']:.4g} ms measured"
    lines = [
        f"found    {facts['name']}: accuracy {facts['accuracy']:.1%} on validation pictures; {costs}{measured}",
        f"network  {folder / 'arch.json'} (mobilevision train DATA --arch {folder / 'arch.json'})",
        *_told_rival(facts.get("random")),
        *(f"front    {each['digest']} {each['accuracy']:.1%} {each['costs']}" for each in facts.get("front", ())),
        *(f"         {line}" for line in facts["words"].splitlines()),
    ]
    return "\n".join(lines)


def _told_rival(random: dict[str, Any] | None) -> list[str]:
    """What random search found in the same time; nothing where the search is random search itself."""
    if random is None:
        return []
    if "accuracy" not in random:
        return [f"random   search tells nothing: {random['why']}"]
    return [
        f"random   search in the same {random['given_seconds']:.0f} s: the best of {random['trials']} has accuracy "
        f"{random['accuracy']:.1%}, and the network found, trained likewise, {random['found_accuracy']:.1%}"
    ]
