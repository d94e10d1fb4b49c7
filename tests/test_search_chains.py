"""Searches one after another: MobileNetV3's way."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mobilevision.architecture import Arch
from mobilevision.cost import macs
from mobilevision.jobs import Done
from mobilevision.run import Run
from mobilevision.search.chains import v3
from mobilevision.search.session import Brief
from mobilevision.search.setting import Setting
from mobilevision.search.space import largest
from mobilevision.search.spaces import find_space
from mobilevision.train.recipes import find_recipe

QUICK = find_recipe("quick").changed({"epochs": 1, "size": 32, "batch": 8})


class Cheap:
    """Workers to whom small networks are the most accurate; weights that they should tune stay as they are."""

    elsewhere, processes = False, 1

    def run(self, target: str, payloads: Sequence[Mapping[str, Any]], *, seconds: float) -> Iterator[Done]:
        for place, payload in enumerate(payloads):
            if "weights" in payload:
                Path(payload["to"]).write_bytes(Path(payload["weights"]).read_bytes())
            cost = macs(Arch.from_json(payload["arch"]), outputs=3)
            yield Done(place, {"accuracy": 1 / (1 + cost / 1e6)}, "", 1, 1.0, 1.0)


def asked(budget: float) -> Brief:
    return Brief(
        method="v3",
        space="mnasnet",
        size=32,
        width=0.25,
        depth=1,
        targets={"macs": budget},
        reward="soft",
        numbers={"trials": 2, "together": 1},
    )


def quiet(line: str) -> None:
    """Say nothing."""


def test_a_seed_that_meets_the_budget_is_what_is_found_and_trained(tmp_path: Path, colors: Path) -> None:
    budget = 2.0 * macs(largest(find_space("mnasnet", size=32, width=0.25, depth=1)).arch, outputs=3)
    setting = Setting(folder=tmp_path, workers=Cheap(), device="cpu", against_random=False, say=quiet)
    facts = v3(str(colors), asked(budget), setting=setting, candidates=QUICK, training=QUICK, above=0.15)
    found = Arch.from_json((tmp_path / "arch.json").read_text())

    assert facts["costs"]["macs"] == macs(found, outputs=3) <= budget
    assert facts["targets"] == {"macs": budget}
    assert facts["accuracy"] == Run.open(tmp_path / "trained").read("metrics")["top1"]
    assert Run.open(tmp_path / "trained").arch.digest == found.digest == facts["digest"]
    assert not (tmp_path / "adapted").exists()
    assert {item["phase"] for item in facts["bill"]} >= {"seed: candidates", "trained: training", "total"}
    assert json.loads((tmp_path / "result.json").read_text()) == json.loads(json.dumps(facts))


def test_a_seed_above_the_budget_is_cut_until_it_meets_it(tmp_path: Path, colors: Path) -> None:
    least = macs(find_space("mnasnet", size=32, width=0.25, depth=1)(lambda _, options: options[0]), outputs=3)
    setting = Setting(folder=tmp_path, workers=Cheap(), device="cpu", against_random=False, say=quiet)
    facts = v3(str(colors), asked(0.8 * least), setting=setting, candidates=QUICK, training=QUICK, above=4.0)
    found = Arch.from_json((tmp_path / "arch.json").read_text())

    assert Run.open(tmp_path / "trained").arch.digest != found.digest == facts["digest"]
    assert facts["costs"]["macs"] == macs(found, outputs=3) <= 0.8 * least
    assert facts["steps"][-1]["cost"] == facts["costs"]["macs"]
    assert {item["phase"] for item in facts["bill"]} >= {"seed: candidates", "trained: training", "total"}
