"""The command line: what light verbs print, and how every failure is told, with its exit code."""

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import mobilevision
from mobilevision.cli.app import TORCH, VERBS, left_to_say, run

SOURCE = Path(mobilevision.__file__).parents[1]
Said = pytest.CaptureFixture[str]


def failure(said: Said, arguments: list[str]) -> tuple[int, dict[str, Any]]:
    """The exit code, and what --json says of the failure; words must say the same."""
    code = run([*arguments, "--json"])
    told = said.readouterr()
    facts = json.loads(told.out)
    assert facts["exit_code"] == code
    assert f"error: {facts['error']}" in told.err
    assert "\n" not in facts["error"]
    assert "Traceback" not in told.err
    return code, facts


def test_list_gives_the_catalog_as_data(capsys: Said) -> None:
    assert run(["list", "mobilenetv2_100", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["name"], row["params"], row["macs"]) == ("mobilenetv2_100", 3_504_872, 300_774_272)


def test_list_prints_a_line_for_every_network(capsys: Said) -> None:
    assert run(["list", "emo_*"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:-1]] == [
        "emo_1m",
        "emo_2m",
        "emo_5m",
        "emo_6m",
    ]


def test_show_counts_every_row_at_any_size(capsys: Said) -> None:
    assert run(["show", "mobilenetv2_100", "--size", "192", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert sum(row["params"] for row in facts["rows"]) == facts["totals"]["params"] == 3_504_872
    assert facts["rows"][0]["input"] == [3, 192, 192]
    assert facts["rows"][-1]["output"] == [1000]


def test_show_reads_an_architecture_from_its_file(tmp_path: Path, capsys: Said) -> None:
    from mobilevision.zoo import arch

    file = tmp_path / "arch.json"
    file.write_text(arch("mnasnet_small").to_json(), encoding="utf-8")
    assert run(["show", str(file), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["digest"] == arch("mnasnet_small").digest


def test_doctor_tells_what_is_missing_and_how_to_get_it(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mobilevision.cli.doctor.version", lambda package: None if package == "onnx" else "1.0")
    assert run(["doctor", "--quick"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.split()[0] == "onnx")
    assert "missing" in line
    assert "pip install 'mobilevision[onnx]'" in line


def test_doctor_tells_of_each_format_whether_it_works(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilevision.deploy.doctor import Health

    well = Health("onnx", "exporter", {"onnx": "1.0"}, True, 2.0, "", "")
    ill = Health("onnx", "runtime", {"onnxruntime": ""}, False, 0.1, "it crashed", "pip install 'mobilevision[onnx]'")
    monkeypatch.setattr("mobilevision.deploy.doctor.examine", lambda: iter([(well, ill)]))
    assert run(["doctor"]) == 0
    told = capsys.readouterr()
    assert "onnx writes        works, 2.0 s" in told.out
    assert "onnx runs          no: it crashed; pip install 'mobilevision[onnx]'" in told.out
    assert "onnx was tried" in told.err
    assert run(["doctor", "--json"]) == 0
    assert [each["works"] for each in json.loads(capsys.readouterr().out)["formats"]] == [True, False]


def test_help_names_every_verb(capsys: Said) -> None:
    assert run(["--help"]) == 0
    printed = capsys.readouterr().out
    assert all(verb.split()[0] in printed for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_and_takes_json(verb: str, capsys: Said) -> None:
    assert run([*verb.split(), "--help"]) == 0
    assert "--json" in capsys.readouterr().out


def test_an_unknown_verb_names_the_nearest(capsys: Said) -> None:
    code, facts = failure(capsys, ["biuld", "pets"])
    assert code == 2
    assert "'build'" in facts["error"]


def test_an_unknown_option_names_the_nearest(capsys: Said) -> None:
    code, facts = failure(capsys, ["build", "pets", "--arhc", "mobilenetv2_100"])
    assert code == 2
    assert "--arch" in facts["error"]


def test_a_missing_argument_is_told(capsys: Said) -> None:
    code, facts = failure(capsys, ["check"])
    assert code == 2
    assert "DATA" in facts["error"]


@pytest.mark.parametrize("arguments", [["show", "mobilenetv2_10"], ["list", "mobilenetv2_10"]])
def test_an_unknown_network_names_the_nearest(arguments: list[str], capsys: Said) -> None:
    code, facts = failure(capsys, arguments)
    assert code == 2
    assert "mobilenetv2_100" in facts["error"]
    assert facts["kind"] == "UsageError"


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "nowhere"],
        ["build", "nowhere"],
        ["eval", "nowhere"],
        ["export", "nowhere"],
        ["bench", "nowhere"],
        ["report", "nowhere"],
        ["show", "no/where"],
        ["train", "--resume", "nowhere"],
        ["predict", "mobilenetv2_100", "nowhere.jpg"],
    ],
)
def test_a_wrong_path_is_a_usage_error_that_names_it(arguments: list[str], capsys: Said) -> None:
    code, facts = failure(capsys, arguments)
    assert code == 2
    assert "where" in facts["error"]


@pytest.mark.parametrize(
    ("option", "value"), [("--set", "lr=1"), ("--seed", "5"), ("--arch", "emo_1m"), ("--teacher-weights", "x")]
)
def test_what_a_run_that_goes_on_would_not_heed_is_refused(option: str, value: str, capsys: Said) -> None:
    code, facts = failure(capsys, ["train", "--resume", "nowhere", option, value])
    assert code == 2
    assert option in facts["error"]


def test_training_without_data_is_a_usage_error(capsys: Said) -> None:
    assert failure(capsys, ["train"])[0] == 2


def test_an_unknown_format_is_told_before_any_training(tmp_path: Path, capsys: Said) -> None:
    code, facts = failure(capsys, ["build", str(classes(tmp_path)), "--to", "litret", "--out", str(tmp_path / "run")])
    assert code == 2
    assert "litert" in facts["error"]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--recipe", "finetun"), ("--set", "lr"), ("--set", "rate=1"), ("--device", "gpu"), ("--arch", "mobilenet")],
)
def test_an_unknown_value_is_a_usage_error(option: str, value: str, tmp_path: Path, capsys: Said) -> None:
    arguments = ["train", str(classes(tmp_path)), option, value, "--out", str(tmp_path / "run")]
    assert failure(capsys, arguments)[0] == 2


def test_nothing_to_train_on_is_unfit_input(tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "pets"
    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        (folder / name / "a.jpg").write_text("not a picture", encoding="utf-8")
    assert failure(capsys, ["build", str(folder), "--out", str(tmp_path / "run")])[0] == 3
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"", b"garbage, not weights", b"PK\x03\x04 cut short"])
def test_unreadable_weights_are_unfit_input(content: bytes, tmp_path: Path, capsys: Said) -> None:
    weights = tmp_path / "weights.pth"
    weights.write_bytes(content)
    code, facts = failure(capsys, ["predict", "mobilenetv2_035", str(picture(tmp_path)), "--weights", str(weights)])
    assert code == 3
    assert "weights.pth" in facts["error"]


class Wicked:
    """Unpickles into the creation of a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.file),)


def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path: Path, capsys: Said) -> None:
    weights, trace = tmp_path / "weights.pth", tmp_path / "ran"
    weights.write_bytes(pickle.dumps({"weight": Wicked(trace)}, protocol=2))
    code, _ = failure(capsys, ["predict", "mobilenetv2_035", str(picture(tmp_path)), "--weights", str(weights)])
    assert code == 3
    assert not trace.exists()


def test_a_picture_that_is_a_text_is_unfit_input(tmp_path: Path, capsys: Said, weights: Path) -> None:
    text = tmp_path / "photo.jpg"
    text.write_text("hello", encoding="utf-8")
    code, facts = failure(capsys, ["predict", "mobilenetv2_035", str(text), "--weights", str(weights)])
    assert code == 3
    assert "photo.jpg" in facts["error"]


def test_a_picture_that_is_not_there_is_a_usage_error(tmp_path: Path, capsys: Said, weights: Path) -> None:
    arguments = ["predict", "mobilenetv2_035", str(tmp_path / "photo.jpg"), "--weights", str(weights)]
    code, facts = failure(capsys, arguments)
    assert code == 2
    assert "photo.jpg" in facts["error"]


@pytest.mark.parametrize("size", ["0", "-32", "wide"])
def test_a_size_that_is_none_is_a_usage_error(size: str, capsys: Said) -> None:
    assert failure(capsys, ["show", "mobilenetv2_100", "--size", size])[0] == 2


def test_a_size_that_the_network_cannot_take_is_a_usage_error(capsys: Said) -> None:
    code, facts = failure(capsys, ["show", "mobilenetv4_conv_aa_medium", "--size", "8"])
    assert code == 2
    assert "larger image" in facts["error"]


def test_a_missing_extra_is_told_before_any_training(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mobilevision.deploy.base.find_spec", lambda name: None)
    code, facts = failure(capsys, ["build", str(classes(tmp_path)), "--to", "litert", "--out", str(tmp_path / "run")])
    assert code == 4
    assert "pip install 'mobilevision[litert]'" in facts["error"]
    assert not (tmp_path / "run").exists()


def test_an_architecture_that_is_no_json_is_unfit_input(tmp_path: Path, capsys: Said) -> None:
    file = tmp_path / "arch.json"
    file.write_bytes(b"\x89PNG")
    assert failure(capsys, ["show", str(file)])[0] == 3


def test_an_unknown_way_to_save_is_a_usage_error(tmp_path: Path, capsys: Said) -> None:
    code, facts = failure(capsys, ["predict", "mobilenetv2_035", str(picture(tmp_path)), "--save", "cvs"])
    assert code == 2
    assert "csv" in facts["error"]


def test_an_interrupt_exits_with_130(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(package: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mobilevision.cli.doctor.version", interrupted)
    assert failure(capsys, ["doctor"])[0] == 130


@pytest.mark.parametrize(("debug", "trace"), [("0", False), ("1", True)])
def test_an_unexpected_error_is_one_line_unless_the_traceback_is_asked_for(debug: str, trace: bool) -> None:
    code = (
        "import sys\nimport mobilevision.cli.doctor as d\n"
        "def broken(package): raise OSError('disk full')\n"
        "d.version = broken\nsys.argv = ['mobilevision', 'doctor', '--json']\n"
        "from mobilevision.cli import main\nmain()"
    )
    environment = os.environ | {"MOBILEVISION_DEBUG": debug, "PYTHONPATH": str(SOURCE)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["kind"] == "OSError"
    assert "MOBILEVISION_DEBUG=1" in done.stderr
    assert ("Traceback" in done.stderr) is trace


def test_torch_is_told_to_wait_awhile_and_what_the_user_said_stays() -> None:
    assert left_to_say({}) == TORCH
    assert "GOMP_SPINCOUNT" in TORCH
    assert "GOMP_SPINCOUNT" not in left_to_say({"GOMP_SPINCOUNT": "7"})
    assert "GOMP_SPINCOUNT" not in left_to_say({"OMP_WAIT_POLICY": "ACTIVE"})
    assert left_to_say({"OMP_WAIT_POLICY": "ACTIVE"}).keys() < TORCH.keys()


def test_the_package_runs_as_a_module() -> None:
    arguments = [sys.executable, "-m", "mobilevision", "list", "xx"]
    done = subprocess.run(arguments, capture_output=True, env=os.environ | {"PYTHONPATH": str(SOURCE)}, check=False)
    assert done.returncode == 2


def picture(folder: Path) -> Path:
    file = folder / "picture.png"
    Image.new("RGB", (40, 40), "teal").save(file)
    return file


def classes(folder: Path) -> Path:
    """A tiny data set of two colors."""
    for name, start in (("red", (200, 0, 0)), ("blue", (0, 0, 200))):
        place = folder / "colors" / name
        place.mkdir(parents=True)
        for i in range(6):
            Image.new("RGB", (16, 16), tuple(part + 5 * i for part in start)).save(place / f"{i}.png")
    return folder / "colors"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of a small network, in a file."""
    from safetensors.torch import save_file

    from mobilevision.network import Network
    from mobilevision.zoo import arch

    file = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    save_file(Network(arch("mobilenetv2_035"), 10).state_dict(), file)
    return file
