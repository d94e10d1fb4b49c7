"""Many jobs: here and on a cluster, tried again when they fail, told when they fail again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mobilevision.errors import MissingError, UsageError
from mobilevision.jobs import Local, call_timed
from mobilevision.jobs.cluster import Cluster

HERE = Path(__file__).stem


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def double(number: int) -> int:
    return 2 * number


def labor(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def at_second(mark: str, number: int) -> int:
    """Dies the first time."""
    if not Path(mark).exists():
        Path(mark).write_text("was here")
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def never() -> None:
    raise RuntimeError("this one cannot be trained")


def linger(mark: str, seconds: float) -> str:
    """Notes its worker, then takes its time."""
    with Path(mark).open("a") as file:
        file.write(f"{os.getppid()}\n")
    time.sleep(seconds)
    return "done"


def outlive(mark: str) -> None:
    """Says that it lives, again and again."""
    for _ in range(300):
        Path(mark).write_text(str(time.time()))
        time.sleep(0.1)


def test_every_payload_is_answered_once() -> None:
    found = list(Local(2).run(f"{HERE}:double", [{"number": n} for n in range(4)], seconds=60))

    assert sorted((each.place, each.result, each.failure, each.attempts) for each in found) == [
        (n, 2 * n, "", 1) for n in range(4)
    ]


def test_a_job_whose_process_dies_is_tried_again(tmp_path: Path) -> None:
    (done,) = Local().run(f"{HERE}:at_second", [{"mark": str(tmp_path / "mark"), "number": 5}], seconds=60)

    assert (done.result, done.failure, done.attempts) == (5, "", 2)


def test_a_job_that_fails_twice_is_told_with_its_reason() -> None:
    found = {each.place: each for each in Local(2).run(f"{HERE}:never", [{}, {}], seconds=60)}

    assert [found[place].attempts for place in (0, 1)] == [2, 2]
    assert "RuntimeError: this one cannot be trained" in found[0].failure
    for each in found.values():
        Path(each.failure.rsplit(" ", 1)[1]).unlink()


def test_processor_seconds_are_counted_where_they_are_spent() -> None:
    _, seconds = call_timed(f"{HERE}:labor", {"seconds": 0.5}, seconds=60)

    assert 0.5 <= seconds < 5


def test_no_processes_do_no_work() -> None:
    with pytest.raises(UsageError, match="0 processes do no work"):
        Local(0)


def test_a_job_ends_with_the_process_that_asked_for_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    code = f"from mobilevision.jobs import call; call('{HERE}:outlive', {{'mark': {str(mark)!r}}}, seconds=60)"
    asking = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    )
    while not mark.exists():
        time.sleep(0.05)
    asking.kill()
    asking.wait()
    time.sleep(2.5)
    last = mark.read_text()
    time.sleep(0.5)
    assert mark.read_text() == last


def test_an_address_that_nobody_answers_is_told_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    began = time.monotonic()
    with pytest.raises(MissingError, match=f"no Ray cluster answers at 127.0.0.1:{port}.*ray start --head"):
        Cluster(f"127.0.0.1:{port}")
    assert time.monotonic() - began < 20


def test_an_address_that_is_none_is_told() -> None:
    with pytest.raises(MissingError, match="'here:there' is not the address"):
        Cluster("here:there")


class OneHand:
    """As much of Ray as a cluster with one core has, which does the first job only when it is waited for."""

    exceptions = SimpleNamespace(RayError=ConnectionError)

    def init(self, **how: Any) -> None:
        pass

    def remote(self, **how: Any) -> Callable[[Callable[..., Any]], Any]:
        return lambda job: SimpleNamespace(remote=partial(partial, job))

    def wait(self, pending: list[Any]) -> tuple[list[Any], list[Any]]:
        return pending[:1], pending[1:]

    def get(self, pending: Any) -> Any:
        return pending()


def test_waiting_for_a_core_is_no_time_of_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", OneHand())
    began = time.perf_counter()
    found = list(Cluster().run(f"{HERE}:double", [{"number": n} for n in range(3)], seconds=60))

    assert [each.result for each in found] == [0, 2, 4]
    assert 0 < sum(each.wall_seconds for each in found) <= time.perf_counter() - began


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers on this machine, at a port of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path("/tmp") / f"ray-test-{os.getpid()}"  # a socket's path may not be long
    ray = shutil.which("ray") or str(Path(sys.executable).with_name("ray"))
    start = [ray, "start", "--head", "--num-cpus=2", f"--port={port}", "--include-dashboard=false", "--block"]
    head = subprocess.Popen(
        [*start, f"--temp-dir={folder}", "--disable-usage-stats", "--object-store-memory=100000000"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        made = _joined(f"127.0.0.1:{port}")
        yield made
        made.close()
    finally:
        head.terminate()
        head.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _joined(address: str) -> Cluster:
    for _ in range(60):
        try:
            return Cluster(address)
        except MissingError:
            time.sleep(1)
    raise AssertionError("the cluster did not start")


@pytest.mark.slow
def test_a_cluster_gives_the_job_of_a_killed_worker_to_another(cluster: Cluster, tmp_path: Path) -> None:
    mark = tmp_path / "workers"
    payloads = [{"mark": str(mark), "seconds": 6.0} for _ in range(2)]
    answers = cluster.run(f"{HERE}:linger", payloads, seconds=60)
    import threading

    def kill_one() -> None:
        while not mark.exists() or len(mark.read_text().splitlines()) < 2:
            time.sleep(0.1)
        os.kill(int(mark.read_text().splitlines()[0]), signal.SIGKILL)

    killer = threading.Thread(target=kill_one)
    killer.start()
    found = list(answers)
    killer.join()

    assert sorted(each.attempts for each in found) == [1, 2]
    assert {each.result for each in found} == {"done"}
    assert len(mark.read_text().splitlines()) == 3


@pytest.mark.slow
def test_a_cluster_tells_what_fails_twice(cluster: Cluster) -> None:
    (done,) = cluster.run(f"{HERE}:never", [{}], seconds=60)

    assert done.attempts == 2
    assert "RuntimeError: this one cannot be trained" in done.failure
