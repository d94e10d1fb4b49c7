"""The wheel holds all that the package needs, and works where nothing of the checkout is."""

import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email import message_from_bytes
from pathlib import Path

import pytest

import mobilevision as mv
from mobilevision.pages.demo.runtime import FOLDER, ONNX, RUNTIMES
from test_deploy_export import make_run

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="hatchling is not installed; run: pip install hatchling")
    return built("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def built(target: str, source: Path, to: Path) -> Path:
    """The file that hatchling makes of a folder of sources."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(to)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = to.iterdir()
    return file


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """What the wheel holds."""
    with zipfile.ZipFile(wheel) as packed:
        return set(packed.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel's files, as `pip install --target` lays them out."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


@pytest.fixture
def verb(installed: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Call the installed command, far from the checkout."""

    def call(*words: object) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {"PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "mobilevision", *map(str, words)]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return call


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(names: set[str]) -> None:
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "mobilevision"],
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    if kept.returncode:
        pytest.skip("this is no git checkout")
    runtimes = {file.relative_to(SOURCE).as_posix() for file in FOLDER.glob("*")}
    there = {name for name in kept.stdout.splitlines() if (SOURCE / name).is_file()}
    assert {name for name in names if ".dist-info/" not in name} == there | runtimes


def test_a_wheel_made_from_the_source_archive_holds_the_same(names: set[str], tmp_path: Path) -> None:
    archive = built("sdist", ROOT, tmp_path / "sdist")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    wheel = built("wheel", tmp_path / archive.name.removesuffix(".tar.gz"), tmp_path / "wheel")
    with zipfile.ZipFile(wheel) as packed_again:
        assert set(packed_again.namelist()) == names


def test_the_license_of_the_package_and_of_each_runtime_are_where_installers_look(names: set[str]) -> None:
    kept = {Path(name).name for name in names if ".dist-info/licenses/" in name}
    assert kept == {"LICENSE", *(runtime.license for runtime in RUNTIMES.values())}


def test_the_wheel_tells_its_version_its_command_and_its_extras(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as packed:
        (metadata,) = [packed.read(name) for name in packed.namelist() if name.endswith(".dist-info/METADATA")]
        (commands,) = [packed.read(name) for name in packed.namelist() if name.endswith("entry_points.txt")]
    told = message_from_bytes(metadata)
    assert told["Version"] == mv.__version__
    assert "mobilevision = mobilevision.cli:main" in commands.decode()
    assert {"litert", "onnx", "samples", "dev"} <= set(told.get_all("Provides-Extra") or [])


def test_the_installed_package_lists_networks_and_draws_pages(
    verb: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert "mobilenetv4_conv_small" in verb("list", "mobilenetv4*").stdout
    done = verb("roofline", "mobilenetv1_100", "mobilenetv2_100", "--to", tmp_path / "roofline.html", "--json")
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "roofline.html").read_text(encoding="utf-8")


def test_a_demo_from_the_wheel_carries_its_runtime_or_says_how_to_bring_it(
    installed: Path,
    verb: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path)
    mv.export(run, "onnx")
    carried = not any(package.unfit(FOLDER) for package in ONNX.packages)
    if carried:
        done = verb("demo", run.folder, "--no-serve", "--to", tmp_path / "demo")
        assert done.returncode == 0, done.stderr
        written = {file.name for file in (tmp_path / "demo").iterdir()}
        assert {"index.html", "demo.mjs", "demo.json", "ort-wasm-simd-threaded.wasm"} <= written
        assert ONNX.license in written

    web = installed / "mobilevision" / "pages" / "demo" / "web" / "npm"
    for file in web.glob("*") if carried else ():
        file.unlink()
    done = verb("demo", run.folder, "--no-serve", "--to", tmp_path / "another")
    assert done.returncode == 4
    assert "python -m mobilevision.pages.demo.runtime" in done.stderr
    assert not (tmp_path / "another").exists()
