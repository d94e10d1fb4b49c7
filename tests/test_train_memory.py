"""Memory that a training keeps between its steps."""

import platform
import subprocess
import sys

import pytest

CHILD = """
import resource, sys
import torch
from mobilevision.train.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
def step():
    return torch.ones(64, 2**18).sum().item()  # 64 MiB
assert step() == step() == 2**24
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Pages that a process asks the system for in four steps, after two that warmed it up."""
    done = subprocess.run([sys.executable, "-c", CHILD, way], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_steps_of_a_training_reuse_the_memory_of_those_before() -> None:
    assert faults("kept") < faults("plain") / 4  # a page may have 4 kB or 2 MB
