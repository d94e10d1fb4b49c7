"""From pictures and a wish to a search that runs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mobilevision.data.dataset import Data
from mobilevision.errors import UsageError
from mobilevision.files import locked
from mobilevision.search.candidate import make_exam
from mobilevision.search.evaluate import Evaluator
from mobilevision.search.rival import with_rival
from mobilevision.search.session import Brief, Session
from mobilevision.search.setting import Setting
from mobilevision.search.shared import make_pictures, make_recipe, run_tunas
from mobilevision.search.space import Space, largest
from mobilevision.search.trials import search, search_front
from mobilevision.tasks.catalog import check_data, task_for
from mobilevision.train.recipe import Recipe as Training


def run_trials(
    data: str, brief: Brief, *, setting: Setting, recipe: Training, minutes: float | None = None
) -> dict[str, Any]:
    """Search by trained candidates, in a folder; the same folder goes on with a search that was stopped.

    Args:
        data: where the pictures are; candidates are judged by validation pictures, never by test pictures.
        brief: what is asked; its outputs follow from the data.
        setting: what the search is done with.
        recipe: how candidates are trained.
        minutes: end after so long.

    Raises:
        UsageError: if the folder is in use or holds another search, or no network can meet a target.
        InputError: if there is nothing to train on, or the table is from elsewhere.
    """
    found = check_data(brief.task, data, seed=brief.seed)
    exam = make_exam(found, task=brief.task, recipe=recipe, seed=brief.seed, setting=setting)
    with locked(setting.folder):
        session = begun(found, brief, setting=setting, training=recipe)
        evaluator = Evaluator(setting.folder, exam, workers=setting.workers, bill=session.bill, say=setting.say)
        if brief.method == "nsga2":
            facts = search_front(session, evaluator, minutes=minutes)
        else:
            facts = search(session, evaluator, minutes=minutes)
        if brief.method != "random":
            facts = with_rival(session, facts, exam, setting=setting)
        return facts | {"words": session.bill.words()}


def run_shared(
    data: str,
    brief: Brief,
    *,
    setting: Setting,
    training: Training,
    candidates: Training,
    space: Space | None = None,
) -> dict[str, Any]:
    """Search with shared weights, in a folder; the same folder goes on with a search that was stopped.

    Args:
        data: where the pictures are; weights learn on the training pictures, the policy on the validation pictures.
        brief: what is asked; `numbers["steps"]` is the length, `numbers["finalists"]` tells among how many networks,
            trained by themselves, one is chosen at the end (without it: one, and none is trained),
            `numbers["distilled"]`, if it is there, names replicas that the weights learn from; its outputs follow from
            the data.
        setting: what the search is done with.
        training: tells the batch and how pictures are varied.
        candidates: how the finalists are trained, and the networks of random search.
        space: where to look; None takes the one that the brief names.

    Raises:
        UsageError: if the task is another than to classify, the folder is in use or holds another search, or no network
            can meet a target.
        InputError: if there is nothing to train on, or the table is from elsewhere.
    """
    if brief.task != "classify":
        raise UsageError(
            f"shared weights learn classes, not {brief.task}; take mnasnet, evolution or random in place of it"
        )
    found = check_data(brief.task, data, seed=brief.seed)
    exam = make_exam(found, task=brief.task, recipe=candidates, seed=brief.seed, setting=setting)
    with locked(setting.folder):
        session = begun(found, brief, setting=setting, training=training, space=space)
        evaluator = Evaluator(setting.folder, exam, workers=setting.workers, bill=session.bill, say=setting.say)
        size = largest(session.space).arch.size
        taught = str(brief.numbers.get("distilled", ""))
        pictures = make_pictures(
            found, task=brief.task, training=training, size=size, seed=brief.seed, distilled=taught
        )
        facts = run_tunas(session, pictures, make_recipe(brief.numbers["steps"], batch=training.batch), evaluator)
        facts = with_rival(session, facts, exam, setting=setting)
        return facts | {"words": session.bill.words()}


def begun(data: Data, brief: Brief, *, setting: Setting, training: Training, space: Space | None = None) -> Session:
    """A session whose folder also tells of the pictures and of the training, and whose targets can be met."""
    numbers = {**brief.numbers, "training": training.facts(), "data": data.source, "digest": data.digest}
    asked = replace(brief, outputs=task_for(brief.task, data).outputs, numbers=numbers)
    session = Session(setting.folder, asked, space=space, table=setting.table, force=setting.force, say=setting.say)
    session.check()
    return session
