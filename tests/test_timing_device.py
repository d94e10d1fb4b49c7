"""A file is timed on a phone behind adb or a board behind ssh, or it is said what is missing."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobilevision.cli.app import run
from mobilevision.deploy.artifact import Artifact
from mobilevision.errors import InputError, MissingError, MobilevisionError, UsageError
from mobilevision.files import sha256
from mobilevision.timing import adb, device

HERE = Path(__file__).parent


def program(folder: Path, name: str, text: str) -> None:
    """A program of that name, first on PATH."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)


def artifact(folder: Path, name: str, content: bytes = b"file") -> Artifact:
    path = folder / name
    path.write_bytes(content)
    facts = {"bytes": len(content), "sha256": sha256(path), "arch_digest": "", "weights_sha256": ""}
    made = Artifact(path, facts)
    made.write()
    return made


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A connected phone; its files."""
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "adb", f'#!/bin/sh\nexec {sys.executable} {HERE / "phone.py"} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PHONE", str(tmp_path / "phone"))
    (tmp_path / "phone" / "data" / "local" / "tmp").mkdir(parents=True)
    return tmp_path / "phone"


@pytest.fixture
def tool(tmp_path: Path) -> Path:
    file = tmp_path / "benchmark_model"
    file.write_bytes(b"for the phone")
    return file


def test_a_phone_gives_times_memory_and_operators_and_keeps_nothing(phone: Path, tool: Path, tmp_path: Path) -> None:
    file = artifact(tmp_path, "a network's.tflite")
    (told,) = device.bench(file.path, "adb:PIXEL8", threads=2, runs=60, tool=tool)
    away = told.taken
    assert (away.median_ms, away.low_ms, away.high_ms) == (4.075, 4.0, 4.5)
    assert (away.runs, away.threads, away.machine) == (60, 2, "Pixel 8, Android 16, arm64-v8a")
    assert away.peak_mb == pytest.approx(12.25 * 1.048576)
    assert [(each["operator"], each["ms"]) for each in away.layers] == [
        ("HARD_SWISH", 0.55),
        ("Convolution (NHWC, F32) IGEMM", 2.4),
        ("Convolution (NHWC, F32) DWConv", 1.05),
    ]
    assert list((phone / "data" / "local" / "tmp").iterdir()) == []
    assert Artifact.open(file.path).facts["devices"]["adb:PIXEL8"] == json.loads(json.dumps(told.facts()))
    assert "4.07 ms" in told.words() or "4.08 ms" in told.words()


def test_a_tool_that_lies_on_the_phone_is_taken_with_all_its_cores(phone: Path, tool: Path, tmp_path: Path) -> None:
    there = phone / "data" / "local" / "tmp" / "benchmark_model"
    shutil.copy(tool, there)
    there.chmod(0o755)
    (told,) = device.bench(artifact(tmp_path, "a.tflite").path, "adb:PIXEL8", threads=None)
    assert told.taken.threads == 8
    assert there.is_file()


def test_a_phone_without_the_tool_says_where_it_is_to_be_had(phone: Path, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"android_aarch64_benchmark_model, and give it with --tool"):
        device.bench(artifact(tmp_path, "a.tflite").path, "adb:PIXEL8", threads=1)


@pytest.mark.parametrize(
    ("serial", "state", "words"),
    [("OTHER", "device", "adb sees PIXEL8"), ("PIXEL8", "unauthorized", "is unauthorized; unlock it")],
)
def test_a_phone_that_is_not_ready_is_missing(
    phone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, serial: str, state: str, words: str
) -> None:
    monkeypatch.setenv("PHONE_STATE", state)
    with pytest.raises(MissingError, match=words):
        device.bench(artifact(tmp_path, "a.tflite").path, f"adb:{serial}", threads=1)


def test_without_adb_the_verb_exits_with_4_and_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    file = artifact(tmp_path, "a.tflite").path
    assert run(["bench", str(file), "--device", "adb:PIXEL8", "--json"]) == 4
    assert "adb is not on PATH" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("a.tflite", "usb:1", "unknown; give adb:SERIAL"),
        ("a.tflite", "adb:", "unknown; give adb:SERIAL"),
        ("a.onnx", "adb:PIXEL8", "export to litert"),
        ("a.pte", "ssh:board", "not executorch"),
        ("a.onnx", "ssh:-oProxyCommand=evil", "no name of a host"),
    ],
)
def test_what_makes_no_sense_is_told(phone: Path, tmp_path: Path, name: str, where: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        device.bench(artifact(tmp_path, name).path, where, threads=1)


def test_a_file_that_was_changed_is_not_sent(phone: Path, tmp_path: Path) -> None:
    file = artifact(tmp_path, "a.tflite").path
    file.write_bytes(b"else")
    with pytest.raises(InputError, match="sha256"):
        device.bench(file, "adb:PIXEL8", threads=1)


def test_a_phone_that_tells_no_times_is_an_error_with_its_last_words() -> None:
    with pytest.raises(MobilevisionError, match="last words: ERROR: out of memory"):
        adb.read("INFO: STARTING!\nERROR: out of memory\n", threads=1, machine="")


def test_an_older_tool_tells_a_mean_and_columns_of_other_names() -> None:
    said = (
        "count=3 curr=3512391\ncount=50 first=2990 curr=2913 min=2727 max=3189 avg=2.95034e+03 std=109\n"
        "Inference timings in us: Init: 17187, First inference: 3512, Warmup (avg): 3512, Inference (avg): 2950.34\n"
        "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        "============================== Run Order ==============================\n"
        "\t [node type]\t [start]\t [first]\t [avg ms]\t [%]\t [cdf%]\t [mem KB]\t[times called]\t[Name]\n"
        "\t CONV_2D\t 0.066\t 87.754\t 60.957\t 2.066%\t 2.066%\t 0.000\t 1\t[conv]:0\n\n"
    )
    away = adb.read(said, threads=1, machine="a board")
    assert (away.median_ms, away.low_ms, away.high_ms, away.peak_mb) == (2.95034, 2.727, 3.189, None)
    assert away.layers == ({"name": "[conv]:0", "operator": "CONV_2D", "ms": 60.957},)


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for `ssh` that runs the line here, as a board's shell would; where it notes what it was asked."""
    place, noted = tmp_path / "bin", tmp_path / "asked"
    place.mkdir()
    body = f'printf "%s\\n" "$@" > {noted}\nfor line; do :; done\nexec sh -c "$line"\n'
    program(place, "ssh", f"#!/bin/sh\n{body}")
    program(place, "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return noted


def identity(folder: Path) -> Artifact:
    """An .onnx file that gives back what it takes."""
    from onnx import TensorProto, helper

    ports = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3, 8, 8]) for name in ("image", "scores")]
    graph = helper.make_graph([helper.make_node("Relu", ["image"], ["scores"])], "graph", ports[:1], ports[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return artifact(folder, "it's.onnx", model.SerializeToString())


def test_a_board_gives_times_with_nothing_of_ours_on_it(board: Path, tmp_path: Path) -> None:
    (told,) = device.bench(identity(tmp_path).path, "ssh:pi@board", threads=1, runs=50)
    away = told.taken
    assert 0 < away.low_ms <= away.median_ms <= away.high_ms
    assert (away.runs, away.threads) == (50, 1)
    assert away.runtime.startswith("onnxruntime ")
    assert away.peak_mb is not None
    assert away.peak_mb > 10
    assert board.read_text().splitlines()[:6] == ["-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "--", "pi@board"]


@pytest.mark.parametrize(
    ("said", "error", "words"),
    [
        ("echo 'ssh: connect to host board port 22: No route' >&2; exit 255", MissingError, "not reached: .*No route"),
        ("echo 'sh: python3: not found' >&2; exit 127", MissingError, "has no python3"),
        ('echo \'{"missing": "onnxruntime"}\'', MissingError, "python3 -m pip install onnxruntime"),
        ("echo Killed >&2; exit 137", MobilevisionError, "failed on board: Killed"),
        ("echo Welcome", MobilevisionError, "told no times; its last words: Welcome"),
        ("sleep 20", MobilevisionError, "took longer than 1 s"),
    ],
)
def test_a_board_that_fails_is_told_with_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, error: type[Exception], words: str
) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "ssh", f"#!/bin/sh\n{said}\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(error, match=words):
        device.bench(identity(tmp_path).path, "ssh:board", threads=1, seconds=1)


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """This machine's own ssh server on a port of its own, with a key of its own; the host's name for ssh."""
    server = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin")
    keygen, client = shutil.which("ssh-keygen"), shutil.which("ssh")
    if not (server and keygen and client):
        pytest.skip("openssh-server is not installed, so there is no sshd to time behind")
    for name in ("host", "user"):
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    port = 20000 + os.getpid() % 20000
    settings = [f"Port={port}", "ListenAddress=127.0.0.1", f"HostKey={tmp_path / 'host'}", "PidFile=none"]
    settings += [f"AuthorizedKeysFile={tmp_path / 'user.pub'}", "StrictModes=no", "UsePAM=no"]
    settings += [f"SetEnv=PATH={tmp_path / 'board'}:/usr/bin:/bin"]
    (tmp_path / "board").mkdir()
    program(tmp_path / "board", "python3", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / "bin").mkdir()
    known = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null"
    program(tmp_path / "bin", "ssh", f'#!/bin/sh\nexec {client} -F none {known} -i {tmp_path / "user"} "$@"\n')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    options = [word for each in settings for word in ("-o", each)]
    with subprocess.Popen([server, "-D", "-e", "-f", "/dev/null", *options], stderr=subprocess.PIPE) as process:
        time.sleep(1)
        yield f"ssh://127.0.0.1:{port}"
        process.terminate()


def test_a_real_ssh_server_is_a_board(sshd: str, tmp_path: Path) -> None:
    (told,) = device.bench(identity(tmp_path).path, f"ssh:{sshd}", threads=1, runs=50, seconds=120)
    assert told.taken.runs == 50
