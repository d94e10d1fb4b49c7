"""The methods of `mobilevision search`."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.groups import spread, without
from mobilevision.cli.options import Distilled, RunFolder, Seed, Source, Task
from mobilevision.cli.resuming import resumable
from mobilevision.cli.search_options import (
    AgainstRandom,
    Aim,
    Budget,
    Epochs,
    Hands,
    Recipe,
    Times,
    Where,
    With,
)

if TYPE_CHECKING:
    from mobilevision.train.recipe import Recipe as Training

Trials = Annotated[int, typer.Option(min=1, help="Networks to try.")]
Minutes = Annotated[float | None, typer.Option(help="End after so long.")]
Steps = Annotated[int, typer.Option(min=10, help="Each trains the shared weights once and the policy once.")]
Finalists = Annotated[
    int, typer.Option(min=1, help="Likely networks that are trained to choose among; 1 takes the likeliest.")
]
Batch = Annotated[int, typer.Option(min=2, help="Pictures a step.")]


def trial_verb(method: str, says: str, *, aim: Aim = Aim()) -> Callable[..., Answer]:
    """The verb of a method that trains every candidate by itself; `says` is its help."""

    def verb(
        data: Source,
        *,
        using: With,
        where: Where,
        budget: Budget,
        aim: Aim = aim,
        times: Times,
        trials: Trials = 60,
        minutes: Minutes = None,
        recipe: Recipe = "quick",
        epochs: Epochs = 5,
        task: Task = "classify",
        hands: Hands,
        seed: Seed = 0,
        against_random: AgainstRandom = True,
    ) -> Answer:
        from mobilevision.search.session import Brief
        from mobilevision.search.start import run_trials

        brief = Brief(
            method=method,
            task=task,
            **asdict(where),
            targets=budget.targets(),
            **asdict(aim),
            **asdict(times),
            seed=seed,
            numbers={"trials": trials, "together": hands.processes},
        )
        facts = run_trials(
            data,
            brief,
            setting=using.setting(hands=hands, against_random=against_random),
            recipe=_candidates(recipe, epochs, where.size),
            minutes=minutes,
        )
        return Answer(facts, _told_search(facts, using.out))

    verb.__name__, verb.__doc__ = method, says
    return verb


def shared_verb(method: str, says: str) -> Callable[..., Answer]:
    """The verb of a method whose candidates share their weights; `says` is its help."""

    def verb(
        data: Source,
        *,
        using: With,
        where: Where,
        budget: Budget,
        aim: Aim,
        times: Times,
        steps: Steps = 2000,
        finalists: Finalists = 8,
        batch: Batch = 32,
        recipe: Recipe = "quick",
        epochs: Epochs = 5,
        distilled: Distilled = "",
        task: Task = "classify",
        hands: Hands,
        seed: Seed = 0,
        against_random: AgainstRandom = True,
    ) -> Answer:
        from mobilevision.search import chains, start
        from mobilevision.search.session import Brief
        from mobilevision.train.recipes import find_recipe

        brief = Brief(
            method=method,
            task=task,
            **asdict(where),
            targets=budget.targets(),
            **asdict(aim),
            **asdict(times),
            seed=seed,
            numbers={"steps": steps, "finalists": finalists} | ({"distilled": distilled} if distilled else {}),
        )
        facts = {"tunas": start.run_shared, "v4": chains.v4}[method](
            data,
            brief,
            setting=using.setting(hands=hands, against_random=against_random),
            training=find_recipe(recipe).changed({"batch": batch} | ({"size": where.size} if where.size else {})),
            candidates=_candidates(recipe, epochs, where.size),
        )
        return Answer(facts, _told_search(facts, using.out))

    verb.__name__, verb.__doc__ = method, says
    return verb


def netadapt(
    run: RunFolder,
    *,
    using: With,
    budget: Budget,
    times: Times,
    prefer: Annotated[str, typer.Option(help="ratio (MobileNetV3) or accuracy (NetAdapt's paper).")] = "ratio",
    saving: Annotated[float, typer.Option(help="Share of the cost that a step saves at least.")] = 0.01,
    decay: Annotated[float, typer.Option(help="By which that is multiplied at every step.")] = 1.0,
    recipe: Recipe = "quick",
    short: Annotated[int, typer.Option(min=1, help="Passes over the pictures for each proposal.")] = 1,
    long: Annotated[int, typer.Option(min=0, help="Passes for the last network; 0 leaves it as it was tuned.")] = 6,
    hands: Hands,
    against_random: AgainstRandom = True,
) -> Answer:
    """NetAdapt: cut a trained run step by step to any budget; its weights are inherited and tuned."""
    from mobilevision.search.adapting import Cutting, adapt
    from mobilevision.train.recipes import find_recipe

    numbers = find_recipe(recipe)
    facts = adapt(
        run,
        setting=using.setting(hands=hands, against_random=against_random),
        targets=budget.targets(),
        conditions=asdict(times),
        cutting=Cutting(
            short=numbers.changed({"epochs": short}),
            long=numbers.changed({"epochs": long}) if long else None,
            prefer=prefer,
            saving=saving,
            decay=decay,
        ),
    )
    return Answer(facts, _told_search(facts, using.out))


def v3(
    data: Source,
    *,
    using: With,
    where: Where = Where(space="mnasnet"),
    budget: Budget,
    times: Times,
    above: Annotated[float, typer.Option(help="Share by which the seed may cost more than the target.")] = 0.15,
    trials: Trials = 60,
    recipe: Recipe = "quick",
    epochs: Epochs = 5,
    task: Task = "classify",
    hands: Hands,
    seed: Seed = 0,
    against_random: AgainstRandom = True,
) -> Answer:
    """As MobileNetV3 was found: MnasNet's controller looks for a seed, NetAdapt cuts it to the target."""
    from mobilevision.search import chains
    from mobilevision.search.session import Brief
    from mobilevision.train.recipes import find_recipe

    brief = Brief(
        method="v3",
        task=task,
        **asdict(where),
        targets=budget.targets(),
        reward="soft",
        **asdict(times),
        seed=seed,
        numbers={"trials": trials, "together": hands.processes},
    )
    training = find_recipe(recipe).changed({"size": where.size} if where.size else {})
    facts = chains.v3(
        data,
        brief,
        setting=using.setting(hands=hands, against_random=against_random),
        candidates=training.changed({"epochs": epochs}),
        training=training,
        above=above,
    )
    return Answer(facts, _told_search(facts, using.out))


METHODS: dict[str, Callable[..., Answer]] = {
    "random": without(
        "against_random",
        trial_verb("random", "Try networks drawn at random near the target: what every search has to beat."),
    ),
    "evolution": trial_verb("evolution", "Regularized evolution: change the best of a few, let the oldest die."),
    "mnasnet": trial_verb(
        "mnasnet",
        "MnasNet: a recurrent controller learns from trained and measured candidates.",
        aim=Aim(reward="soft"),
    ),
    "tunas": shared_verb("tunas", "TuNAS: shared weights and a policy learn which network is best for a price."),
    "netadapt": netadapt,
    "v3": v3,
    "v4": shared_verb("v4", "As MobileNetV4 was found: TuNAS for widths, then for filters; and training."),
    "nsga2": trial_verb("nsga2", "NSGA-II: a whole front of accuracy against costs."),
}
SEARCHES = {name: resumable(spread(verb)) for name, verb in METHODS.items()}


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
