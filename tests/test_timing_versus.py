"""Two files are timed in turns, and their ratio has an interval that holds it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilevision import jobs
from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import MissingError, UsageError
from mobilevision.files import sha256
from mobilevision.timing import compare, versus
from mobilevision.timing.laps import peak_mb


def times(ratio: float, blocks: int = 20) -> np.ndarray:
    """Laps of two files on a machine that is now slow, now fast. Shape: (blocks, 2, 10)."""
    random = np.random.default_rng(0)
    slow = random.uniform(1, 3, (blocks, 1, 1))
    return slow * np.array([ratio, 1.0])[None, :, None] * random.uniform(1, 1.1, (blocks, 2, 10))


@pytest.mark.parametrize("ratio", [0.5, 1.0, 1.3])
def test_the_interval_holds_the_ratio_whatever_the_machine_does(ratio: float) -> None:
    middle, low, high = versus.interval(times(ratio))
    assert low <= ratio <= high
    assert middle == pytest.approx(ratio, rel=0.05)
    assert versus.interval(times(ratio)) == (middle, low, high)


def artifact(folder: Path, name: str) -> Artifact:
    path = folder / name
    path.write_bytes(b"file")
    made = Artifact(path, {"bytes": 4, "sha256": sha256(path), "arch_digest": "", "weights_sha256": ""})
    made.write()
    return made


def test_files_of_one_format_alternate_by_laps_and_others_by_rounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def call(target: str, payload: dict[str, Any], *, seconds: float) -> Any:
        asked.append(Path(payload["file"]).suffix if "file" in payload else "both")
        count = payload["runs"]
        return [[1.0] * count, [2.0] * count] if "files" in payload else {"laps": [3.0] * count}

    monkeypatch.setattr("mobilevision.jobs.call", call)
    ours, theirs, other = (artifact(tmp_path, name) for name in ("a.onnx", "b.onnx", "c.tflite"))
    same = compare(ours, theirs.path, runs=50)
    assert (same.ratio, same.low, same.high, same.runs, same.alternating) == (0.5, 0.5, 0.5, 50, "laps")
    assert (same.median_ms, same.against_ms, asked) == (1.0, 2.0, ["both"])
    asked.clear()
    different = compare(ours, other, runs=80)
    assert (different.ratio, different.runs, different.alternating) == (1.0, 80, "rounds")
    assert asked[:4] == [".onnx", ".tflite", ".tflite", ".onnx"]
    assert different.facts()["against"] == "c.tflite"


def test_numbers_that_say_too_little_and_absent_runtimes_are_told(tmp_path: Path) -> None:
    ours = artifact(tmp_path, "a.onnx")
    with pytest.raises(UsageError, match="say too little"):
        compare(ours, ours, runs=10)
    if versus.format_of(Path("a.mlpackage")).away:
        with pytest.raises(MissingError, match="not timed here"):
            compare(artifact(tmp_path, "a.mlpackage"), ours)


def test_a_process_knows_its_own_peak_memory_and_not_that_of_who_started_it() -> None:
    held = np.ones(200_000_000, np.uint8)
    assert peak_mb() > held.nbytes / 1e6
    assert 1 < jobs.call("mobilevision.timing.laps:peak_mb", {}, seconds=60) < 200
