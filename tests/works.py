"""What tests have exported and proven, kept as facts: `pytest --works FILE`, for the page of what works where.

A test that exports in earnest tells so through the fixture `proven`. Nothing is gathered behind its back: a page's test
that makes up the facts of a file has nothing to tell. It counts if the test passed, with its setup and its teardown.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilevision.architecture import Arch
from mobilevision.cost import walk
from mobilevision.deploy.artifact import Artifact
from mobilevision.run import Run
from mobilevision.zoo import catalog

NAME = "exported and proven"
Proven = Callable[[Artifact], None]
Refused = Callable[[Run, str, str, Exception], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    told = "write what the tests that pass have exported and proven into FILE; what it tells of other tests stays"
    parser.addoption("--works", metavar="FILE", type=Path, help=told)


def pytest_configure(config: pytest.Config) -> None:
    if file := config.getoption("--works"):
        config.pluginmanager.register(Kept(file))


@pytest.fixture
def proven(request: pytest.FixtureRequest) -> Proven:
    """Takes a file that this test has exported, run in its own runtime and held against torch."""
    return lambda artifact: request.node.user_properties.append((NAME, facts(artifact)))


@pytest.fixture
def refused(request: pytest.FixtureRequest) -> Refused:
    """Takes a run, a format, a precision, and the sentence with which this test saw them refused."""

    def tell(run: Run, to: str, precision: str, error: Exception) -> None:
        told = {"task": run.read("task")["task"], "format": to, "precision": precision, "refused": str(error)}
        request.node.user_properties.append((NAME, network_of(run.arch) | told))

    return tell


def facts(artifact: Artifact) -> dict[str, Any]:
    """What was proven: of which network, for which task, in which format and precision.

    The file must be the one that its facts tell of, byte by byte, of the weights of its run, and its proof must have
    passed in its runtime.
    """
    run = Run.open(artifact.path.parents[1])
    told = Artifact.open(artifact.path, run=run).facts
    assert told["proof"]["passed"] is True
    assert told["proof"]["ran"] is True, told["proof"]["runtime"]
    return network_of(run.arch) | {name: told[name] for name in ("task", "format", "precision")}


def network_of(arch: Arch) -> dict[str, Any]:
    """The network, its family, and whether it has attention: a hybrid is not proven by a network of convolutions."""
    attends = any(row.cost.attention_macs for row in walk(arch, outputs=3))
    return {"network": arch.name, "family": family(arch), "attention": attends}


def family(arch: Arch) -> str:
    """The family in the catalog that the network's name begins with; its own name if there is none."""
    families = sorted({each["family"] for each in catalog().values()})
    return next((each for each in families if arch.name.startswith(each)), arch.name)


class Kept:
    """Listens to the reports of a session, and writes the file in the end."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.passed: dict[str, bool] = {}
        self.told: dict[str, list[dict[str, Any]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test counts if each of its phases passed, and not because it was expected to fail."""
        right = report.passed and not hasattr(report, "wasxfail")
        self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and right
        self.told[report.nodeid] = [value for name, value in report.user_properties if name == NAME]

    def pytest_sessionfinish(self) -> None:
        """What tests told that did not run now stays; what ran now tells anew, or no longer."""
        before = json.loads(self.file.read_text(encoding="utf-8")) if self.file.is_file() else []
        stay = [each for each in before if each["test"] not in self.passed]
        now = [each | {"test": test} for test, right in self.passed.items() if right for each in self.told[test]]
        lines = sorted({json.dumps(each, ensure_ascii=False) for each in stay + now})
        self.file.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
