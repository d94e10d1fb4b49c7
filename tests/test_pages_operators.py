"""Where a file's time goes: operators and the rows of their network are told to be the same, or nothing is told."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mobilevision.cost import Row, walk
from mobilevision.pages.facts import Missing, read_facts
from mobilevision.pages.operators import BOUNDS, by_row, roofs, spent
from mobilevision.pages.report import report
from mobilevision.zoo import arch
from page_runs import make_run, operators

NAMES = ("mobilenetv2_100", "mobilenetv3_small_100", "mobilenetv4_hybrid_medium", "emo_1m")


def found(name: str) -> tuple[tuple[Row, ...], list[dict[str, Any]]]:
    """A network's rows, and operators that are cut finer than they; a norm that stands alone multiplies nothing."""
    rows = walk(arch(name), 64, 10)
    layers = []
    for row in rows:
        whole = row.cost.macs + row.cost.attention_macs
        parts = (whole // 3, 0, whole - whole // 3, 0) if whole else ()
        layers += [{"macs": macs, "ms": 0.25, "operator": "CONV_2D"} for macs in parts]
    return rows, layers


@pytest.mark.parametrize("name", NAMES)
def test_a_rows_time_is_that_of_its_operators(name: str) -> None:
    rows, layers = found(name)
    assert by_row(rows, layers) == [1.0 if row.cost.macs else 0.0 for row in rows]


def test_where_counts_do_not_meet_no_row_has_a_time() -> None:
    rows, layers = found("mobilenetv2_100")
    layers[0]["macs"] += 1
    assert by_row(rows, layers) is None
    assert by_row(rows, layers[:-6]) is None
    assert by_row(rows[:-1], found("mobilenetv2_100")[1]) is None


def test_every_operator_that_multiplies_is_a_point_under_the_roof_of_its_numbers() -> None:
    rows, _ = found("mobilenetv2_100")
    facts = {"file": "a.tflite"} | operators(rows)
    drawn = roofs(facts | {"precision": "fp32"})
    assert drawn.count("CONV_2D: ") == len(rows)
    assert "ADD" not in drawn
    assert drawn.count(f'fill="{BOUNDS["compute"]}"') == len(rows) + 1  # and one in the legend
    assert "the roof is at 90 billion" in drawn
    assert "the roof is at 400 billion" in roofs(facts | {"precision": "int8"})
    places = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert all(0 < y < 380 for y in places)


def test_a_file_whose_runtime_tells_no_bytes_is_listed_without_a_roof() -> None:
    facts = operators(found("mobilenetv2_100")[0])
    for layer in facts["layers"]:
        layer["bytes"] = 0
    assert roofs(facts | {"file": "a.onnx", "precision": "fp32"}) == ""


def test_a_page_tells_the_bytes_and_the_time_of_every_block_and_the_slowest_operators(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    text = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Where the time goes" in text
    assert "The machine's roofline for mobilenetv2_100_fp32.tflite" in text
    assert "0.0400 ms" in text  # the first block: twice 0.02
    assert '<th scope="col" class="number">Moved</th>' in text


@pytest.mark.parametrize("broken", ["no times", {"layers": [{"ms": 1}]}, None])
def test_times_that_are_not_whole_are_said_to_be_missing(broken: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    (file,) = run.artifacts.glob("*.tflite.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"layers": broken}))
    missing: list[Missing] = []
    assert spent(read_facts(run), (), missing) == []
    assert "mobilenetv2_100_fp32.tflite are not whole" in missing[0].what
    text = report([run], to=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "--layers" in text
    assert "Where the time goes" not in text
