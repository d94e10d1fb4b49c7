"""How long `mobilevision --help` and `mobilevision list` take to answer, beside a bare typer program.

Each is started in turn, again and again, so that the machine's mood hits all alike; the medians are compared.
    python benchmarks/startup.py --runs 15 --json startup.json
"""

import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

LIMIT = 0.15  # seconds above the bare program
BARE = "import typer\n\n\ndef main() -> None:\n    print('hello')\n\n\ntyper.run(main)\n"


def main(
    runs: Annotated[int, typer.Option(min=3, help="Starts of each program.")] = 15,
    to: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Start four programs in turn, print their medians, and fail if ours are more than 0.15 s above the bare ones."""
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE, encoding="utf-8")
        seconds = timed(
            {
                "bare --help": [sys.executable, str(bare), "--help"],
                "mobilevision --help": [sys.executable, "-m", "mobilevision", "--help"],
                "bare": [sys.executable, str(bare)],
                "mobilevision list": [sys.executable, "-m", "mobilevision", "list"],
            },
            runs,
        )
    extra = {name: seconds[f"mobilevision {name}"] - seconds[bare] for name, bare in PAIRS.items()}
    for name, value in seconds.items():
        print(f"{name:<22} {value:6.3f} s")
    for name, value in extra.items():
        print(f"{name + ' takes':<22} {value:+6.3f} s more than bare typer (limit {LIMIT})")
    if to:
        facts = {"machine": platform.platform(), "runs": runs, "median_s": seconds, "extra_s": extra, "limit_s": LIMIT}
        to.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    if max(extra.values()) > LIMIT:
        raise typer.Exit(1)


PAIRS = {"--help": "bare --help", "list": "bare"}


def timed(programs: dict[str, list[str]], runs: int) -> dict[str, float]:
    """The median seconds of each program, started in turn; a first round that fills the caches is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(runs + 1):
        for name, arguments in programs.items():
            start = time.perf_counter()
            subprocess.run(arguments, check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(times[1:]) for name, times in seconds.items()}


if __name__ == "__main__":
    typer.run(main)
