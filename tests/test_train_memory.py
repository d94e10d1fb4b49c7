"""Memory that a training keeps between its steps."""

import platform
import subprocess
import sys

import pytest

CHILD = """
import resource, sys
import torch
from torch import nn
from mobilevision.train.memory import keep_memory
if sys.argv[1] == "kept":
    keep_memory()
network = nn.Sequential(nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1))
pictures = torch.randn(8, 3, 96, 96)
for step in range(12):
    if step == 4:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    network(pictures).sum().backward()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Pages that a process asks the system for in eight steps, after four that warmed it up."""
    done = subprocess.run([sys.executable, "-c", CHILD, way], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the C library is not glibc")
def test_steps_of_a_training_reuse_the_memory_of_those_before() -> None:
    assert faults("kept") < faults("plain") / 4
