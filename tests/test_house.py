"""The house keeps its shape: imports run down, in no circle, and files stay small and well named."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "mobilevision"
FLOORS = (
    ("errors", "files"),
    ("layers",),
    ("blocks",),
    ("architecture",),
    ("zoo", "network", "cost", "run", "jobs"),
    ("weights", "data"),
    ("tasks",),
    ("models",),
    ("deploy",),
    ("timing",),
    ("train",),
    ("compress",),
    ("search",),
    ("pages",),
    ("build",),
    ("cli",),
    ("", "__main__"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
CALL = re.compile(r"mobilevision(\.\w+)*:\w+")  # how jobs name a function of another process


def module_of(file: Path) -> str:
    parts = file.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_of(file): file for file in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> str:
    return module.partition(".")[2].partition(".")[0]


def package_of(module: str, level: int) -> str:
    """The package that a relative import of `level` dots starts from."""
    parts = module.split(".")
    keep = len(parts) - level + (FILES[module].name == "__init__.py")
    return ".".join(parts[:keep])


def running(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below that runs: what stands under `if TYPE_CHECKING` is read by the type checker alone."""
    yield node
    if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from running(child)


def imports(module: str) -> Iterator[str]:
    """Every module of ours that a file imports: at the top, inside functions, relative, or as a job."""
    for node in running(ast.parse(FILES[module].read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = [package_of(module, node.level)] if node.level else []
            base = ".".join(start + ([node.module] if node.module else []))
            names = [f"{base}.{alias.name}" if f"{base}.{alias.name}" in FILES else base for alias in node.names]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and CALL.fullmatch(node.value):
            names = [node.value.split(":")[0]]
        yield from (name for name in names if name.split(".")[0] == "mobilevision")


@pytest.mark.parametrize("module", FILES)
def test_imports_run_down_only(module: str) -> None:
    assert room_of(module) in FLOOR, f"{room_of(module)} stands on no floor"
    above = [name for name in imports(module) if FLOOR[room_of(name)] > FLOOR[room_of(module)]]
    assert not above, f"{module} imports {above}, which stand above it"


def test_imports_name_modules_that_exist() -> None:
    unknown = {(module, name) for module in FILES for name in imports(module) if name not in FILES}
    assert not unknown


def test_imports_run_in_no_circle() -> None:
    graph = {module: {name for name in imports(module) if name != module} for module in FILES}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_the_import_reader_sees_lazy_relative_and_named_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "mobilevision" / "data" / "x.py"
    file.parent.mkdir(parents=True)
    file.write_text('def f():\n    from ..train import loop\n    call("mobilevision.cli.app:main")\n')
    monkeypatch.setattr(sys.modules[__name__], "FILES", FILES | {"mobilevision.data.x": file})
    assert set(imports("mobilevision.data.x")) & {"mobilevision.train", "mobilevision.train.loop"}
    assert "mobilevision.cli.app" in imports("mobilevision.data.x")


def test_no_file_is_called_utils_or_core() -> None:
    vague = {"utils", "util", "core", "helpers", "common", "misc", "base_model"}
    assert not [module for module in FILES if module.split(".")[-1] in vague]


def test_no_file_is_over_400_lines() -> None:
    lines = {module: file.read_text(encoding="utf-8").count("\n") for module, file in FILES.items()}
    assert not {name: count for name, count in lines.items() if count > 400}


def test_no_relative_imports() -> None:
    relative = [
        module
        for module, file in FILES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.level
    ]
    assert not relative


def test_every_extra_that_an_error_names_is_an_extra() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    named = {
        call.args[1].value
        for file in FILES.values()
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "missing_extra"
        if isinstance(call.args[1], ast.Constant)
    }
    assert named <= extras.keys()


def test_nothing_is_swallowed_and_no_pickle_can_run_code() -> None:
    for module, file in FILES.items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler):
                caught = ast.unparse(node.type) if node.type else ""
                assert caught not in ("", "Exception", "BaseException"), f"{module} catches everything"
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                safe = [word for word in node.keywords if word.arg == "weights_only"]
                assert safe, f"{module} loads a pickle without weights_only"
                assert ast.unparse(safe[0].value) == "True", f"{module} loads a pickle that can run code"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{module} runs text as code"


def test_every_exception_to_types_and_lint_says_why() -> None:
    bare = re.compile(r"# (type: ignore\[[\w, -]+\]|noqa: [A-Z0-9, ]+)\s*$")
    found = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in sorted(SOURCE.rglob("*.py"))
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if bare.search(line)
    ]
    assert found == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no checkout of git's")
def test_git_tracks_nothing_that_it_is_told_to_ignore() -> None:
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == []
