"""From pictures and a wish to a search that runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from mobilevision.files import locked
from mobilevision.jobs import Local, Workers
from mobilevision.search.candidate import make_exam
from mobilevision.search.evaluate import Evaluator, Say
from mobilevision.search.rival import with_rival
from mobilevision.search.session import Brief, Session
from mobilevision.search.shared import make_pictures, make_recipe, run_tunas
from mobilevision.search.space import Space, largest
from mobilevision.search.trials import search, search_front
from mobilevision.tasks.catalog import check_data
from mobilevision.train.recipe import Recipe as Training


def run_trials(
    data: str,
    brief: Brief,
    *,
    folder: Path,
    task: str,
    recipe: Training,
    workers: Workers,
    table: Path | None,
    force: bool,
    minutes: float | None,
    device: str,
    against_random: bool = True,
    say: Say,
) -> dict[str, Any]:
    """Search by trained candidates, in a folder; the same folder goes on with a search that was stopped.

    Args:
        data: where the pictures are; candidates are judged by validation pictures, never by test pictures.
        brief: what is asked; its outputs follow from the data.
        folder: of the search.
        task: what the networks are asked to do.
        recipe: how candidates are trained.
        workers: what trains them.
        table: times of rows; None takes one in the folder, which fills itself.
        force: take a table from elsewhere.
        minutes: end after so long.
        device: where candidates are trained.
        against_random: whether random search gets the same time afterwards.
        say: told how far it is.

    Raises:
        UsageError: if the folder is in use or holds another search, or no network can meet a target.
        InputError: if there is nothing to train on, or the table is from elsewhere.
    """
    found = check_data(task, data, seed=brief.seed)
    numbers = {**brief.numbers, "training": recipe.facts(), "data": found.source, "digest": found.digest}
    asked = replace(brief, outputs=len(found.labels), numbers=numbers)
    processes = workers.processes if isinstance(workers, Local) else 1
    exam = make_exam(found, task=task, recipe=recipe, seed=brief.seed, device=device, processes=processes)
    with locked(folder):
        session = Session(folder, asked, table=table, force=force, say=say)
        session.check()
        evaluator = Evaluator(folder, exam, workers=workers, bill=session.bill, say=say)
        if brief.method == "nsga2":
            facts = search_front(session, evaluator)
        else:
            facts = search(session, evaluator, minutes=minutes)
        if brief.method != "random":
            facts = with_rival(session, facts, exam if against_random else None, workers=workers)
        return facts | {"words": session.bill.words()}


def run_shared(
    data: str,
    brief: Brief,
    *,
    folder: Path,
    task: str,
    training: Training,
    table: Path | None,
    force: bool,
    say: Say,
    space: Space | None = None,
    candidates: Training | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Search with shared weights, in a folder; the same folder goes on with a search that was stopped.

    Args:
        data: where the pictures are; weights learn on the training pictures, the policy on the validation pictures.
        brief: what is asked; `numbers["steps"]` is the length, `numbers["distilled"]`, if it is there, names replicas
            that the weights learn from; its outputs follow from the data.
        folder: of the search.
        task: what the networks are asked to do.
        training: tells the batch and how pictures are varied.
        table: times of rows; None takes one in the folder, which fills itself.
        force: take a table from elsewhere.
        say: told how far it is.
        space: where to look; None takes the one that the brief names.
        candidates: how the network found and those of random search, which gets the same time afterwards, are trained;
            None leaves random search out.
        device: where these are trained.

    Raises:
        UsageError: if the folder is in use or holds another search, or no network can meet a target.
        InputError: if there is nothing to train on, or the table is from elsewhere.
    """
    found = check_data(task, data, seed=brief.seed)
    numbers = {**brief.numbers, "training": training.facts(), "data": found.source, "digest": found.digest}
    asked = replace(brief, outputs=len(found.labels), numbers=numbers)
    with locked(folder):
        session = Session(folder, asked, space=space, table=table, force=force, say=say)
        session.check()
        size = largest(session.space).arch.size
        taught = str(brief.numbers.get("distilled", ""))
        pictures = make_pictures(found, task=task, training=training, size=size, seed=brief.seed, distilled=taught)
        facts = run_tunas(session, pictures, make_recipe(brief.numbers["steps"], batch=training.batch))
        exam = make_exam(found, task=task, recipe=candidates, seed=brief.seed, device=device) if candidates else None
        facts = with_rival(session, facts, exam, workers=Local(1))
        return facts | {"words": session.bill.words()}
