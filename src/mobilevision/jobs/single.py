"""Work in a process of its own, with a time limit and a log.

Exporters and runtimes bring their own thread pools, protocol buffers and signal handlers; in one process they deadlock
and clash, and one that crashes takes everything with it. So each call of one is a process: it is handed plain JSON and
hands plain JSON back; what it prints goes to a log, which is kept when it fails.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from mobilevision import errors
from mobilevision.errors import MobilevisionError


def call(target: str, payload: dict[str, Any], *, seconds: float, log: Path | None = None) -> Any:
    """Call a function in a process of its own and return what it returns.

    Args:
        target: "package.module:function", importable here.
        payload: keyword arguments of the function, plain JSON.
        seconds: how long it may take.
        log: where what it prints goes, default a temporary file; removed when it ends well.

    Returns:
        The function's result, which must be plain JSON.

    Raises:
        MobilevisionError: the function's own error, of its own class; or that it crashed or took too long, with the
            path of the log.
    """
    return call_timed(target, payload, seconds=seconds, log=log)[0]


def call_timed(target: str, payload: dict[str, Any], *, seconds: float, log: Path | None = None) -> tuple[Any, float]:
    """As `call`, and the processor seconds that the process and those it started have taken."""
    printed = _fresh(log)
    with tempfile.TemporaryDirectory() as folder:
        reply = Path(folder) / "reply.json"
        command = [sys.executable, "-P", "-m", "mobilevision.jobs", target, str(reply)]
        status = _run(command, json.dumps(payload), printed, seconds)
        if status is None:
            raise MobilevisionError(f"{target} took longer than {seconds:g} s and was stopped; its log is {printed}")
        if not reply.is_file():
            ended = f"was ended by signal {-status}" if status < 0 else f"failed with exit code {status}"
            raise MobilevisionError(f"{target} {ended}: {_last_words(printed)}; its log is {printed}")
        answer = json.loads(reply.read_text(encoding="utf-8"))
    printed.unlink()
    if "error" in answer:  # a sentence of ours says it all; a log would not add to it
        raise getattr(errors, answer["error"])(answer["message"])
    return answer["result"], answer["cpu_seconds"]


def _fresh(log: Path | None) -> Path:
    """Where to print: `log`, its folder made, or a new temporary file."""
    if log is None:
        handle, name = tempfile.mkstemp(prefix="mobilevision-", suffix=".log")
        os.close(handle)
        return Path(name)
    log.parent.mkdir(parents=True, exist_ok=True)
    return log


def _run(command: list[str], request: str, log: Path, seconds: float) -> int | None:
    """The exit code of `command`, negative for a signal; None if it took too long. It never outlives this call."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 (our own interpreter and module, no shell)
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # so that what it starts can be ended with it
        )
        try:
            process.communicate(request.encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            return None
        except KeyboardInterrupt:
            log.unlink()
            raise
        finally:
            end(process)
        return process.returncode


def end(process: "subprocess.Popen[bytes]") -> None:
    """End a process and what it started; one that has ended already is left alone."""
    if process.poll() is None:
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _last_words(log: Path) -> str:
    """The last line that says something, shortened: in a Python traceback that is the error."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it printed nothing"
