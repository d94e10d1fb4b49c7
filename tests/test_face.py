"""The face: every name is there, is what it says, and costs nothing until it is used."""

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest

import mobilevision as mv

SOURCE = Path(mv.__file__).parent


def fresh(code: str) -> str:
    """What a fresh interpreter prints."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_name_of_the_face_equals_a_room_or_a_file_beside_it() -> None:
    beside = {path.stem for path in SOURCE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert not beside & set(mv.__all__)


def test_importing_every_submodule_leaves_every_name_of_the_face_as_it_was() -> None:
    before = {name: getattr(mv, name) for name in mv.__all__}
    for module in walk_packages([str(SOURCE)], "mobilevision."):
        import_module(module.name)
    assert {name: getattr(mv, name) for name in mv.__all__} == before
    assert {name for name in mv.__all__ if not callable(getattr(mv, name))} == {"recipes", "spaces"}


def test_the_face_holds_together_when_submodules_are_imported_first() -> None:
    code = (
        "import mobilevision as mv, pkgutil, importlib, json\n"
        "for m in pkgutil.walk_packages(mv.__path__, 'mobilevision.'): importlib.import_module(m.name)\n"
        "print(json.dumps([name for name in mv.__all__ if not callable(getattr(mv, name))]))"
    )
    assert json.loads(fresh(code)) == ["recipes", "spaces"]


def test_the_cheap_names_of_the_face_can_be_called() -> None:
    arch = mv.arch("mobilenetv2_100")
    assert "mobilenetv2_100" in mv.list_models("mobilenetv2*")
    assert isinstance(arch, mv.Arch)
    assert sum(row.cost.params for row in mv.walk(arch)) == 3_504_872
    assert "3,504,872" in str(mv.show(arch, size=224)).replace("_", ",")
    assert isinstance(mv.create_model("mobilenetv2_035", num_classes=2), mv.Network)


def test_dir_lists_the_face() -> None:
    assert set(mv.__all__) <= set(dir(mv))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'creat_model'"):
        _ = mv.creat_model


def test_importing_the_package_does_not_import_torch() -> None:
    assert fresh("import sys, mobilevision; print('torch' in sys.modules)").strip() == "False"


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["build", "--help"], ["doctor", "--quick"]])
def test_light_verbs_do_not_import_torch(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom mobilevision.cli.app import run\n"
        f"status = run({arguments!r})\n"
        "heavy = {'torch', 'torchvision', 'numpy', 'PIL', 'onnx', 'ai_edge_litert'} & set(sys.modules)\n"
        "print(status, sorted(heavy))"
    )
    assert fresh(code).splitlines()[-1] == "0 []"
