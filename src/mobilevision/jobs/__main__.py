"""The other process's own side: read the payload, call the target, write the reply whole."""

import json
import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from mobilevision.errors import MobilevisionError


def main() -> None:
    """Answer one call."""
    target, reply = sys.argv[1:]
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    module, _, name = target.partition(":")
    payload = json.load(sys.stdin)
    try:
        answer: dict[str, Any] = {"result": getattr(import_module(module), name)(**payload)}
    except MobilevisionError as error:
        answer = {"error": type(error).__name__, "message": str(error)}
    taken = os.times()
    answer["cpu_seconds"] = taken.user + taken.system + taken.children_user + taken.children_system
    text = json.dumps(answer)
    beside = Path(reply).with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(reply)


def end_with(parent: int) -> None:
    """End this process when the one that asked is no more: nobody would take the answer."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
