"""Verbs that search: table, suggest, and search with its methods."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilevision.cli.answer import Answer
from mobilevision.cli.options import Device, Seed, Source, Task, Threads, words
from mobilevision.errors import UsageError

if TYPE_CHECKING:
    from mobilevision.jobs import Workers

Space = Annotated[str, typer.Option(metavar="SPACE", help="Where to look, for example v4_coarse_small, meta, mnasnet.")]
Size = Annotated[int | None, typer.Option(help="Side of the image in pixels; default: the space's.")]
Width = Annotated[float | None, typer.Option(help="Multiplies all channels of the space.")]
Depth = Annotated[int | None, typer.Option(help="The most blocks of a stage.")]
Runtime = Annotated[str, typer.Option(help="Whose milliseconds count: litert, onnx, openvino, executorch.")]
Precision = Annotated[str, typer.Option(help="What the timed files compute with: fp32, fp16 or int8.")]
TableFile = Annotated[
    Path | None, typer.Option("--table", metavar="FILE", help="Times of rows; default: one that fills itself.")
]
Force = Annotated[bool, typer.Option("--force", help="Take a table from another machine or runtime.")]
Outputs = Annotated[int, typer.Option(min=1, help="Classes of the heads.")]
Milliseconds = Annotated[float | None, typer.Option("--target-ms", help="Milliseconds in the runtime.")]
Macs = Annotated[float | None, typer.Option("--target-macs", help="Multiply-accumulates.")]
Params = Annotated[float | None, typer.Option("--target-params", help="Parameters.")]
Reward = Annotated[str, typer.Option(help="absolute (TuNAS), soft or hard (MnasNet).")]
Strength = Annotated[float | None, typer.Option(help="The reward's beta or power; default: the paper's.")]
Trials = Annotated[int, typer.Option(min=1, help="Networks to try.")]
Minutes = Annotated[float | None, typer.Option(help="End after so long.")]
Epochs = Annotated[int, typer.Option(min=1, help="Passes over the pictures for each candidate.")]
Recipe = Annotated[str, typer.Option(help="How candidates are trained.")]
Processes = Annotated[int, typer.Option(min=1, help="Candidates at a time on this machine.")]
Ray = Annotated[str | None, typer.Option(metavar="auto|HOST:PORT", help="A Ray cluster that works instead.")]
Folder = Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Of the search; the same one goes on with it.")]


def table(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="For example v4_fine_medium.")],
    *,
    size: Size = None,
    width: Width = None,
    depth: Depth = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: Threads = 1,
    outputs: Outputs = 1000,
    most: Annotated[int, typer.Option(min=1, help="Rows to time at most; searches time others as they meet them.")] = (
        2000
    ),
    networks: Annotated[int, typer.Option(min=0, help="Whole networks that correct the sums of rows.")] = 12,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Default: tables/, named after all this.")] = None,
    force: Force = False,
) -> Answer:
    """Time every block of a space on every shape once in the real runtime; stopped, it goes on where it was."""
    from mobilevision.build import tell
    from mobilevision.search.spaces import find_space
    from mobilevision.search.tabulate import tabulate
    from mobilevision.timing.table import Conditions

    found = find_space(space, size=size, width=width, depth=depth)
    here = Conditions.here(runtime, precision, threads=threads, outputs=outputs)
    named = [space, *(f"{each:g}" for each in (size, width, depth) if each is not None), runtime, precision]
    file = out or Path("tables") / f"{'-'.join([*named, f't{threads}'])}.jsonl"
    facts = tabulate(found, file, here, most=most, networks=networks, force=force, say=tell)
    return Answer(facts, _told_table(facts))


def suggest(
    pattern: Annotated[str, typer.Argument(metavar="[PATTERN]", help="Networks to choose from, with * and ?.")] = "*",
    *,
    target_ms: Annotated[float, typer.Option(min=0.001, help="Milliseconds in the runtime.")],
    task: Task = "classify",
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: Threads = 1,
    sizes: Annotated[str, typer.Option(help="Sides of the image, separated by commas; default: each one's own.")] = "",
    widths: Annotated[str, typer.Option(help="Widths beside the published ones, separated by commas.")] = "",
    most: Annotated[int, typer.Option(min=1, help="Networks to time: the most accurate that may fit.")] = 12,
    measure: Annotated[int, typer.Option(min=0, help="Of the first, how many to measure as a whole.")] = 3,
    table: TableFile = None,
    force: Force = False,
) -> Answer:
    """Rank the published networks for a budget by times measured here, without a search."""
    from mobilevision.build import tell
    from mobilevision.search.bill import Bill
    from mobilevision.search.pricing import Latency
    from mobilevision.search.suggest import candidates
    from mobilevision.search.suggest import suggest as rank
    from mobilevision.timing.table import Conditions, TimedTable

    if task != "classify":
        raise UsageError(f"tables know classifiers alone, not {task!r}; ask for --task classify")
    here = Conditions.here(runtime, precision, threads=threads)
    file = table or Path("tables") / f"zoo-{runtime}-{precision}-t{threads}.jsonl"
    timed = TimedTable.begin(file, here, force=force)
    bill = Bill(file.with_suffix(".bill.jsonl"))
    found = candidates(pattern, sizes=numbers(sizes, int), widths=numbers(widths, float))
    ranked = rank(found, target_ms, Latency(timed, bill=bill, say=tell), most=most, measured=measure)
    facts = {"table": str(file), "machine": here.machine, "suggestions": [one.facts() for one in ranked]}
    head = f"{'network':<34} {'size':>5} {'predicted':>10} {'measured':>10} {'top-1':>6}  weights"
    return Answer(facts, "\n".join([head, *(_told_suggestion(one.facts()) for one in ranked)]))


def numbers(text: str, kind: Callable[[str], Any]) -> tuple[Any, ...]:
    """The numbers of an option that takes several, separated by commas.

    Raises:
        UsageError: if one is no positive number.
    """
    found = []
    for word in words(text):
        try:
            found.append(kind(word))
        except ValueError:
            raise UsageError(f"{word!r} is not a number; give some separated by commas") from None
        if found[-1] <= 0:
            raise UsageError(f"{word} leaves nothing of a network; give positive numbers")
    return tuple(found)


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
        threads: Threads = 1,
        processes: Processes = 1,
        ray: Ray = None,
        force: Force = False,
        seed: Seed = 0,
        device: Device = "auto",
    ) -> Answer:
        from mobilevision.build import tell
        from mobilevision.search.session import Brief
        from mobilevision.search.start import run_trials
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
            numbers={"trials": trials, "together": processes},
        )
        training = find_recipe(recipe).changed({"epochs": epochs} | ({"size": size} if size else {}))
        facts = run_trials(
            data,
            brief,
            folder=out,
            task=task,
            recipe=training,
            workers=workers(processes, ray),
            table=table,
            force=force,
            minutes=minutes,
            device=device,
            say=tell,
        )
        return Answer(facts, _told_search(facts, out))

    verb.__name__, verb.__doc__ = method, says
    return verb


def tunas(
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
    steps: Annotated[int, typer.Option(min=10, help="Each trains the shared weights once and the policy once.")] = 2000,
    batch: Annotated[int, typer.Option(min=2, help="Pictures a step.")] = 32,
    recipe: Recipe = "quick",
    task: Task = "classify",
    table: TableFile = None,
    runtime: Runtime = "litert",
    precision: Precision = "fp32",
    threads: Threads = 1,
    force: Force = False,
    seed: Seed = 0,
) -> Answer:
    """TuNAS: shared weights and a policy learn at the same time which network is best for a price."""
    from mobilevision.build import tell
    from mobilevision.search.session import Brief
    from mobilevision.search.start import run_shared
    from mobilevision.train.recipes import find_recipe

    brief = Brief(
        method="tunas",
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
        numbers={"steps": steps},
    )
    training = find_recipe(recipe).changed({"batch": batch})
    facts = run_shared(data, brief, folder=out, task=task, training=training, table=table, force=force, say=tell)
    return Answer(facts, _told_search(facts, out))


def targets(**given: float | None) -> dict[str, float]:
    """The costs that were aimed at, by name.

    Raises:
        UsageError: if there is none, or one is not positive.
    """
    found = {name: value for name, value in given.items() if value is not None}
    if not found:
        raise UsageError("a search needs a target; give --target-ms, --target-macs or --target-params")
    for name, value in found.items():
        if value <= 0:
            raise UsageError(f"--target-{name} {value:g} cannot be met; give a positive number")
    return found


def workers(processes: int, ray: str | None) -> "Workers":
    """What evaluates candidates: processes of this machine, or a Ray cluster."""
    from mobilevision.jobs import Local

    if ray is None:
        return Local(processes)
    from mobilevision.jobs.cluster import Cluster

    return Cluster(ray)


SEARCHES: dict[str, Callable[..., Answer]] = {
    "random": trial_verb("random", "Try networks drawn at random near the target: what every search has to beat."),
    "evolution": trial_verb("evolution", "Regularized evolution: change the best of a few, let the oldest die."),
    "mnasnet": trial_verb("mnasnet", "MnasNet: a recurrent controller learns from trained and measured candidates."),
    "tunas": tunas,
    "nsga2": trial_verb("nsga2", "NSGA-II: a whole front of accuracy against costs."),
}


def _told_table(facts: dict[str, Any]) -> str:
    error = "" if facts["error"] is None else f"; left out one by one, they are {facts['error']:.1%} off on average"
    lines = [
        f"table    {facts['table']}: {facts['rows']} rows ({facts['new_rows']} new), {facts['networks']} networks",
        f"line     {facts['intercept_ms']:.4f} ms + {facts['slope']:.3f} x sum of rows{error}",
        *(
            f"         {each['predicted_ms']:8.3f} ms predicted {each['measured_ms']:8.3f} ms measured"
            for each in facts["compared"]
        ),
        f"spent    {facts['seconds']:.0f} s, on {facts['machine']}, {facts['version']}, threads {facts['threads']}",
    ]
    return "\n".join(lines)


def _told_suggestion(row: dict[str, Any]) -> str:
    measured = "" if row["measured_ms"] is None else f"{row['measured_ms']:.3f} ms"
    top1 = "-" if row["top1"] is None else f"{row['top1']:.1f}"
    fits = "" if row["fits"] else "  over the budget"
    return (
        f"{row['name']:<34} {row['size']:>5} {row['predicted_ms']:>7.3f} ms {measured:>10} {top1:>6}  "
        f"{row['weights']}{fits}"
    )


def _told_search(facts: dict[str, Any], folder: Path) -> str:
    costs = ", ".join(f"{value:.4g} {name}" for name, value in facts["costs"].items())
    measured = "" if facts["measured_ms"] is None else f", {facts['measured_ms']:.4g} ms measured"
    lines = [
        f"found    {facts['name']}: accuracy {facts['accuracy']:.1%} on validation pictures; {costs}{measured}",
        f"network  {folder / 'arch.json'} (mobilevision train DATA --arch {folder / 'arch.json'})",
        *(f"front    {each['digest']} {each['accuracy']:.1%} {each['costs']}" for each in facts.get("front", ())),
        *(f"         {line}" for line in facts["words"].splitlines()),
    ]
    return "\n".join(lines)
