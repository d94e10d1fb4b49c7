"""A run is a folder of facts: whole, locked while in use, and telling where it was made."""

import multiprocessing
from pathlib import Path

import pytest

from mobilevision import zoo
from mobilevision.errors import InputError, UsageError
from mobilevision.files import write_text, writing
from mobilevision.run import Run, environment


def begun(folder: Path) -> Run:
    run = Run(folder)
    run.begin(zoo.arch("mobilenetv2_035"), task={"task": "classify"}, environment=environment(seed=3))
    return run


def test_a_run_gives_back_what_was_written(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    again = Run.open(tmp_path / "run")

    assert again == run
    assert again.arch == zoo.arch("mobilenetv2_035")
    assert again.read("task") == {"task": "classify"}
    assert again.has("environment")
    assert not again.has("metrics")


def test_the_environment_says_where_and_with_what() -> None:
    facts = environment(seed=3)

    assert facts["seed"] == 3
    assert facts["packages"]["torch"]
    assert facts["processor"]
    assert facts["threads"] == 1  # as the tests set it
    assert facts["cores"] >= 1
    assert facts["commit"] is None or len(facts["commit"]) == 40


def test_the_log_is_read_back_up_to_a_line_that_was_cut_off(tmp_path: Path) -> None:
    run = begun(tmp_path)
    run.log(epoch=1, loss=0.5)
    run.log(epoch=2, loss=0.25)
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"epoch": 3, "lo')

    assert run.history() == [{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}]
    run.log(epoch=3, loss=0.125)
    assert [line["epoch"] for line in run.history()] == [1, 2, 3]


def test_a_log_that_is_broken_in_the_middle_is_told(tmp_path: Path) -> None:
    run = begun(tmp_path)
    (tmp_path / "log.jsonl").write_text('{"epoch": 1}\n{"epo\n{"epoch": 3}\n')

    with pytest.raises(InputError, match=r"log\.jsonl has a line that is not JSON"):
        run.history()


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda folder: None, UsageError, "there is no folder"),
        (lambda folder: folder.mkdir(), InputError, "is not a run"),
    ],
)
def test_what_is_no_run_is_refused(tmp_path: Path, make, error, sentence) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "run")

    with pytest.raises(error, match=sentence):
        Run.open(tmp_path / "run")


def test_facts_that_are_missing_or_broken_are_told(tmp_path: Path) -> None:
    run = begun(tmp_path)
    write_text(tmp_path / "metrics.json", "{")

    with pytest.raises(InputError, match=r"has no recipe\.json"):
        run.read("recipe")
    with pytest.raises(InputError, match="is not JSON"):
        run.read("metrics")


def _hold(folder: Path, held: "multiprocessing.synchronize.Event", done: "multiprocessing.synchronize.Event") -> None:
    with Run(folder).locked():
        held.set()
        done.wait(30)


def test_a_run_in_use_is_refused_to_a_second_process(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, held, done))
    other.start()
    assert held.wait(60)

    with pytest.raises(UsageError, match="is in use"), Run(tmp_path).locked():
        pass
    done.set()
    other.join(30)
    with Run(tmp_path).locked():
        assert (tmp_path / ".lock").exists()


def test_a_file_that_could_not_be_finished_leaves_the_old_one(tmp_path: Path) -> None:
    file = tmp_path / "facts.txt"
    write_text(file, "old")

    def interrupted() -> None:
        with writing(file) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]
