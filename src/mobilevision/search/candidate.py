"""Training one candidate for a few epochs: the job of a worker."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mobilevision.architecture import Arch
from mobilevision.data.dataset import Data
from mobilevision.files import writing
from mobilevision.network import Network
from mobilevision.search.evaluate import Exam
from mobilevision.search.setting import Setting
from mobilevision.tasks.catalog import known_data, task_for
from mobilevision.train.loop import fit
from mobilevision.train.recipe import Recipe


def train(
    arch: str,
    data: str,
    digest: str,
    task: str,
    recipe: dict[str, Any],
    seed: int,
    *,
    device: str,
    threads: int,
    weights: str = "",
    to: str = "",
) -> dict[str, Any]:
    """Train a network and judge it on the validation pictures; the test pictures are not touched.

    Args:
        arch: the architecture as JSON.
        data: where the pictures are.
        digest: of the data, as the search found it.
        task: what the network is asked to do.
        recipe: how it is trained.
        seed: of the split, the weights and everything random.
        device: where it is trained.
        threads: that torch may use.
        weights: file to start from; "" starts from nothing.
        to: file for the best epoch's weights; "" keeps none.

    Returns:
        "accuracy": the task's goal on the validation pictures, by the best epoch's weights.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    found = known_data(task, data, digest=digest, seed=seed)
    asked = task_for(task, found)
    network = Network(Arch.from_json(arch), asked.outputs)
    if weights:
        network.load_state_dict(load_file(weights))
    with tempfile.TemporaryDirectory() as folder:
        run = fit(
            network,
            found,
            task=asked,
            recipe=Recipe.read(recipe),
            to=Path(folder) / "run",
            seed=seed,
            device=device,
            workers=0,
        )
        metrics = run.read("metrics")
        if to:
            with writing(Path(to)) as beside:
                shutil.copyfile(run.best, beside)
    return {"accuracy": metrics[asked.goal], "loss": metrics["loss"]}


def make_exam(data: Data, *, task: str, recipe: Recipe, seed: int, setting: Setting) -> Exam:
    """Candidates are trained by `recipe` on `data` and judged by its validation pictures.

    Args:
        data: the pictures.
        task: what the networks are asked to do.
        recipe: how each is trained.
        seed: of the split, the weights and everything random.
        setting: tells where they are trained, and how many share this machine's processors.
    """
    facts = {"data": data.source, "digest": data.digest, "task": task, "recipe": recipe.facts(), "seed": seed}
    aside = {"device": setting.device, "threads": max(1, torch.get_num_threads() // setting.workers.processes)}
    return Exam("mobilevision.search.candidate:train", facts, aside)
