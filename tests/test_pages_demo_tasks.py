"""Boxes, masks, vectors and 8 bits in the browser: each file says there what it says in Python."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from mobilevision.data.shapes import write_shapes
from mobilevision.errors import MissingError
from mobilevision.network import Network
from mobilevision.pages.demo.folder import write_demo
from mobilevision.pages.demo.runtime import RUNTIMES, WEB
from mobilevision.tasks.classify import Classify
from mobilevision.tasks.embed import Embed
from mobilevision.tasks.filed import FiledDetect, FiledSegment
from mobilevision.tasks.margins import NormalizedSoftmax
from mobilevision.train.loop import fit
from page_served import served
from test_train_embed import TASK as VECTORS
from test_train_embed import hues as hues
from test_verbs_dense import taught
from tiny_vectors import RECIPE, TINY

pytestmark = pytest.mark.slow

LABELS = ("<b>emu", "cat", "dog", "größer")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, hues: Path) -> dict[str, Path]:
    """A run of each task but classification that has learned a little."""
    try:
        for runtime in RUNTIMES.values():
            runtime.files()
    except MissingError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("tasks")
    write_shapes(folder, {"train": 24, "val": 8})
    made = taught(folder, folder / "runs", epochs=30)
    torch.manual_seed(0)
    network = Network(TINY, VECTORS.outputs)
    made["embed"] = fit(network, hues, task=VECTORS, recipe=RECIPE, to=folder / "embed", workers=0).folder
    return made


FILES = [
    # task, runtime, precision
    ("detect", "litert", "fp32"),
    ("detect", "litert", "int8"),
    ("detect", "onnx", "int8"),
    ("segment", "litert", "fp32"),
    ("segment", "litert", "int8"),
    ("segment", "onnx", "int8"),
    ("embed", "litert", "int8"),
    ("embed", "onnx", "int8"),
]


@pytest.mark.parametrize(("task", "runtime", "precision"), FILES, ids=["-".join(file) for file in FILES])
def test_a_file_of_any_task_says_in_the_browser_what_it_says_in_python(
    browser: Any, runs: dict[str, Path], task: str, runtime: str, precision: str, tmp_path: Path
) -> None:
    lower_the_bar(runs["detect"])
    folder = write_demo(runs[task], to=tmp_path / "demo", runtime=runtime, precision=precision, samples=4)
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    with served(folder) as address:
        page.goto(address)
        page.wait_for_selector("html[data-ready]")
        answers = []
        for number in range(4):
            page.click(f"#samples button >> nth={number}")
            page.wait_for_selector("#agreement.good")
            assert float(page.get_attribute("#agreement", "data-difference")) < 1e-3
            answers.append(tuple(page.eval_on_selector_all("#rows li", "all => all.map(li => li.innerText)")))
            page.evaluate("document.getElementById('agreement').className = ''")
    page.close()
    assert said == []
    assert len(set(answers)) > 1
    assert all(answers)


def lower_the_bar(run: Path) -> None:
    """Have a detector that has learned little tell of boxes that it is not sure of."""
    facts = (run / "task.json").read_text()
    (run / "task.json").write_text(facts.replace('"sure": 0.3', '"sure": 0.1'))


@pytest.fixture(scope="module")
def scripts(browser: Any) -> Iterator[Any]:
    """A page from whose address the demo's scripts can be had."""
    with served(WEB) as address:
        page = browser.new_page()
        page.goto(f"{address}tasks.mjs")
        yield page
        page.close()


def read(page: Any, task: Any, output: torch.Tensor, **facts: Any) -> dict[str, Any]:
    """What the page makes of a file's output for one picture."""
    found: dict[str, Any] = page.evaluate(
        """async ([numbers, dims, facts]) => {
          const { TASKS } = await import("./tasks.mjs");
          const found = TASKS[facts.task.task].read({ data: Float32Array.from(numbers), dims }, facts);
          return { ...found, mask: Array.from(found.mask ?? []) };
        }""",
        [output.flatten().tolist(), list(output.shape), {"task": task.facts(), "shown": 5} | facts],
    )
    return found


def scores(found: dict[str, Any]) -> list[float]:
    return [row["score"] for row in found["rows"]]


def names(found: dict[str, Any]) -> tuple[str, ...]:
    return tuple(row["label"] for row in found["rows"])


def test_several_labels_of_a_picture_are_read_as_in_python(scripts: Any) -> None:
    task, output = Classify(LABELS, multilabel=True), torch.randn(1, 4)
    found, (told,) = read(scripts, task, output), task.decode(output)
    assert names(found) == told.labels
    assert scores(found) == pytest.approx(told.scores, abs=1e-6)


def test_boxes_are_read_as_in_python(scripts: Any) -> None:
    task = FiledDetect(LABELS, sure=0.5)
    output = torch.cat([torch.rand(1, 40, 5), torch.randint(0, 4, (1, 40, 1))], -1)
    found, (told,) = read(scripts, task, output), task.decode(output)
    assert 10 < len(found["rows"]) < 30
    assert names(found) == told.labels
    assert scores(found) == pytest.approx(told.scores, abs=1e-6)
    corners = [[box[side] for side in ("left", "top", "right", "bottom")] for box in found["boxes"]]
    torch.testing.assert_close(torch.tensor(corners), torch.tensor(told.boxes))


@pytest.mark.parametrize("classes", [True, False], ids=["classes", "scores"])
def test_masks_are_read_as_in_python(scripts: Any, classes: bool) -> None:
    task, output = FiledSegment(LABELS), torch.randn(1, 4, 9, 7)
    output = output.argmax(1).float() if classes else output
    found, (told,) = read(scripts, task, output), task.decode(output)
    assert dict(zip(names(found), scores(found), strict=True)) == pytest.approx(told.shares)
    assert found["mask"] == told.mask.flatten().tolist()
    assert (found["height"], found["width"]) == (9, 7)


def test_vectors_find_the_samples_most_like_them(scripts: Any) -> None:
    known = torch.nn.functional.normalize(torch.randn(6, 8), dim=1)
    samples = [{"file": f"{i}.png", "truth": f"no. {i}", "said": {"vector": known[i].tolist()}} for i in range(6)]
    output = torch.nn.functional.normalize(torch.randn(1, 8), dim=1)
    found = read(scripts, Embed(outputs=8, margin=NormalizedSoftmax()), output, samples=samples)
    likeness, order = (output @ known.T)[0].sort(descending=True)
    assert names(found) == tuple(f"no. {i}" for i in order[:5].tolist())
    assert scores(found) == pytest.approx(likeness[:5].tolist(), abs=1e-6)


def test_boxes_that_stand_elsewhere_do_not_agree(scripts: Any) -> None:
    told = {"labels": ["cat"], "scores": [0.9], "boxes": [[0.1, 0.1, 0.5, 0.5]]}
    found = {"boxes": [{"label": "cat", "score": 0.9, "left": 0.1, "top": 0.1, "right": 0.5, "bottom": 0.7}]}
    apart = scripts.evaluate(
        """async ([found, told]) => (await import("./tasks.mjs")).TASKS.detect.apart(found, told)""", [found, told]
    )
    assert apart["same"]
    assert apart["most"] == pytest.approx(0.2)
