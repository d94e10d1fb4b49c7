"""The verbs of `search`: their options, a search from the command line and from Python, and going on by --resume."""

import inspect
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

import mobilevision as mv
from mobilevision.blocks import LRASPP, Head, SSDLite
from mobilevision.cli.answer import Answer
from mobilevision.cli.app import VERBS, run
from mobilevision.cli.groups import spread
from mobilevision.cost import macs
from mobilevision.errors import UsageError

Said = pytest.CaptureFixture[str]
TINY = ["--space", "v4_fine_small", "--size", "32", "--width", "0.25", "--depth", "1"]
SMALL = partial(mv.spaces.v4_fine, plan=mv.spaces.SMALL, size=32, width=0.25, depth=1)


def asked(capsys: Said, *arguments: str) -> tuple[int, Any]:
    """The exit code, and what --json tells."""
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def tunas(folder: Path, *more: str) -> list[str]:
    """The words of a search of seconds."""
    words = ["search", "tunas", "sample:digits", "--out", str(folder), "--target-macs", "3e6", "--steps", "10"]
    return [*words, "--finalists", "1", "--no-random", *TINY, *more]


@dataclass(frozen=True)
class Pair:
    """Two options."""

    wide: Annotated[int, typer.Option(help="Wide.")] = 1
    high: Annotated[int, typer.Option(help="High.")] = 2


def test_a_group_stands_for_its_options_and_is_made_of_them() -> None:
    def verb(data: str, *, size: Pair = Pair(high=5), last: bool = False) -> Answer:
        return Answer([data, size, last], "")

    verb_of_options = spread(verb)
    found = {name: each.default for name, each in inspect.signature(verb_of_options).parameters.items()}

    assert found == {"data": inspect.Parameter.empty, "wide": 1, "high": 5, "last": False}
    assert verb_of_options("x", wide=3, high=4, last=True).facts == ["x", Pair(3, 4), True]


@pytest.mark.parametrize("name", [words for words in VERBS if words.startswith("search ")])
def test_every_search_has_the_options_that_others_rely_on(name: str) -> None:
    options = inspect.signature(VERBS[name]).parameters.keys()
    assert {"runtime", "precision", "threads", "target_ms", "table", "force", "out", "resume"} <= options
    assert ("space" in options) == (name != "search netadapt")
    assert {"ray", "processes"} <= options
    assert ("against_random" in options) == (name != "search random")


def test_a_search_goes_on_by_its_folder_alone_and_ends_the_same(tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "found"
    first = asked(capsys, *tunas(folder))
    again = asked(capsys, "search", "tunas", "--resume", str(folder))

    assert first[0] == again[0] == 0
    assert {name: value for name, value in first[1].items() if name not in ("bill", "words")} == {
        name: value for name, value in again[1].items() if name not in ("bill", "words")
    }


def test_a_search_goes_on_in_the_folder_it_was_moved_to(tmp_path: Path, capsys: Said) -> None:
    assert run(tunas(tmp_path / "there")) == 0
    (tmp_path / "there").rename(tmp_path / "here")
    assert run(["search", "tunas", "--resume", str(tmp_path / "here")]) == 0
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(("words", "code"), [('{"method": "tunas"', 3), ("{}", 3), ('{"method": "tunas"}', 2)])
def test_a_command_that_cannot_be_read_is_told(words: str, code: int, tmp_path: Path, capsys: Said) -> None:
    (tmp_path / "asked.json").write_text(words)
    found, facts = asked(capsys, "search", "tunas", "--resume", str(tmp_path))
    assert (found, "whole command again" in facts["error"]) == (code, True)


def test_what_a_search_that_goes_on_would_not_heed_is_refused(tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "found"
    assert run(tunas(folder)) == 0
    capsys.readouterr()
    code, facts = asked(capsys, "search", "tunas", "--resume", str(folder), "--steps", "20")
    assert (code, "--steps" in facts["error"]) == (2, True)
    code, facts = asked(capsys, "search", "evolution", "--resume", str(folder))
    assert (code, "search tunas --resume" in facts["error"]) == (2, True)
    code, facts = asked(capsys, "search", "tunas", "--resume", str(tmp_path))
    assert (code, "--out" in facts["error"]) == (2, True)


@pytest.mark.parametrize("words", [["search", "v3", "--target-ms", "1"], ["search", "v3", "x", "--target-ms", "1"]])
def test_a_search_of_nothing_or_into_nowhere_is_a_usage_error(words: list[str], capsys: Said) -> None:
    assert asked(capsys, *words)[0] == 2


def test_a_search_that_is_refused_leaves_nothing(tmp_path: Path, capsys: Said) -> None:
    code, facts = asked(capsys, *tunas(tmp_path / "found", "--target-macs", "10"))
    assert (code, "the cheapest" in facts["error"]) == (2, True)
    assert {file.name for file in (tmp_path / "found").iterdir()} <= {".lock", "bill.jsonl"}


def test_a_search_that_lacks_something_leaves_no_command_to_go_on_with(tmp_path: Path, capsys: Said) -> None:
    words = ["search", "random", "sample:digits", "--out", str(tmp_path), "--target-macs", "3e6", *TINY]
    code, _ = asked(capsys, *words, "--ray", "nobody:none")
    assert (code, list(tmp_path.iterdir())) == (4, [])


def test_a_search_from_python_leaves_a_network_and_a_page(tmp_path: Path) -> None:
    short = {"steps": 10, "finalists": 1, "against_random": False}
    search = partial(mv.search_tunas, SMALL, "sample:digits", to=tmp_path / "found", **short)
    found = search(targets={"macs": 3e6})
    page = mv.report([found.run], to=tmp_path / "page.html")

    assert found.arch.digest == found.facts["digest"]
    assert mv.spaces.v4_fine.__name__ in page.read_text(encoding="utf-8")
    assert SMALL(lambda name, options: options[found.choices[name]]).digest == found.arch.digest
    with pytest.raises(UsageError, match="another"):
        search(targets={"macs": 2e6})


@pytest.mark.slow
@pytest.mark.parametrize(("task", "head"), [("detect", SSDLite), ("segment", LRASPP)])
def test_a_search_finds_a_network_for_boxes_and_masks(
    task: str, head: type[Head], tmp_path: Path, capsys: Said
) -> None:
    space = ["--space", "v4_fine_small", "--size", "64", "--width", "0.25", "--depth", "1", "--target-macs", "6e6"]
    how = ["--task", task, "--recipe", f"{task}_small", "--trials", "2", "--epochs", "1", "--no-random"]
    code, facts = asked(capsys, "search", "evolution", "sample:shapes", "--out", str(tmp_path), *space, *how)
    found = mv.Arch.from_json((tmp_path / "arch.json").read_text())

    assert (code, facts["failed"]) == (0, 0)
    assert isinstance(found.head, head)
    assert facts["costs"]["macs"] == macs(found, outputs=facts["outputs"])


def test_shared_weights_learn_classes_alone(tmp_path: Path, capsys: Said) -> None:
    code, facts = asked(capsys, *tunas(tmp_path / "found", "--task", "detect"))
    assert (code, "learn classes" in facts["error"]) == (2, True)
