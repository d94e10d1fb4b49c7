"""A call in another process: results and errors come back, and nothing outlives its time."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from mobilevision import jobs
from mobilevision.errors import MobilevisionError, ShortfallError

HERE = Path(__file__).stem


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls below are of this file's own functions; the process that runs them must find it."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def double(number: int) -> dict[str, int]:
    print("a word of chatter")
    return {"doubled": 2 * number, "process": os.getpid()}


def refuse(by: str) -> None:
    raise ShortfallError(f"refused by {by}")


def stumble() -> None:
    print("on my way")
    raise RuntimeError("the converter knows no such op")


def vanish() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def hang(mark: str) -> None:
    Path(mark).write_text(str(os.getpid()))
    time.sleep(60)


def ask(name: str, *, seconds: float = 30, log: Path | None = None, **payload: object) -> object:
    return jobs.call(f"{HERE}:{name}", payload, seconds=seconds, log=log)


def test_a_result_comes_back_from_a_process_of_its_own() -> None:
    answer = ask("double", number=21)
    assert isinstance(answer, dict)
    assert answer["doubled"] == 42
    assert answer["process"] != os.getpid()


def test_the_log_of_a_call_that_ends_well_is_removed(tmp_path: Path) -> None:
    ask("double", number=1, log=tmp_path / "job.log")
    assert not list(tmp_path.iterdir())


def test_an_error_of_ours_comes_back_with_its_class_and_sentence(tmp_path: Path) -> None:
    with pytest.raises(ShortfallError, match=r"^refused by the proof$"):
        ask("refuse", by="the proof", log=tmp_path / "job.log")
    assert not list(tmp_path.iterdir())


def test_a_foreign_error_is_one_sentence_that_names_the_log(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "job.log"
    with pytest.raises(MobilevisionError, match="RuntimeError: the converter knows no such op") as caught:
        ask("stumble", log=log)
    assert str(log) in str(caught.value)
    assert "on my way" in log.read_text()
    assert "Traceback" in log.read_text()


def test_a_crash_names_the_signal() -> None:
    with pytest.raises(MobilevisionError, match=f"ended by signal {signal.SIGSEGV.value}") as caught:
        ask("vanish")
    Path(str(caught.value).rsplit(" ", 1)[1]).unlink()


def test_a_call_that_hangs_is_stopped_with_its_process(tmp_path: Path) -> None:
    begun = time.monotonic()
    with pytest.raises(MobilevisionError, match="took longer than 2 s"):
        ask("hang", seconds=2, log=tmp_path / "job.log", mark=str(tmp_path / "mark"))
    assert time.monotonic() - begun < 10
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "mark").read_text()), 0)


def test_the_process_does_not_import_from_the_folder_it_is_called_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger was imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    answer = ask("double", number=2)
    assert isinstance(answer, dict)
    assert answer["doubled"] == 4
