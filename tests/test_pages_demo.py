"""A demo's folder, its server and the browser's runtime: what is written, given out, and refused."""

import base64
import hashlib
import http.client
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mobilevision.cli.app import run as command
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.files import sha256
from mobilevision.pages.demo import folder
from mobilevision.pages.demo.folder import check_place, own_files, page
from mobilevision.pages.demo.npm import Package, Taken
from mobilevision.pages.demo.runtime import LITERT, ONNX, RUNTIMES, WebRuntime
from mobilevision.pages.demo.samples import pictures
from mobilevision.pages.demo.serving import server
from mobilevision.run import Run
from page_runs import make_run

EVIL = '<img src=x onerror="alert(1)">'
Said = pytest.CaptureFixture[str]


def archive(path: Path, members: dict[str, bytes], *, link: str = "") -> str:
    """A package's archive; also its hash."""
    with tarfile.open(path, "w:gz") as packed:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if link:
                member.type, member.linkname = tarfile.SYMTYPE, link
            member.size = 0 if link else len(content)
            packed.addfile(member, io.BytesIO(content))
    return base64.b64encode(hashlib.sha512(path.read_bytes()).digest()).decode()


CONTENT = {"package/dist/a.mjs": b"the face", "package/dist/a.wasm": b"the runtime"}


def package(sha512: str = "") -> Package:
    """A small package with two files, of which one gets another name here."""
    return Package("web", "1.0.0", sha512, (Taken("dist/a.mjs", "a.mjs", 8), Taken("dist/a.wasm", "b.wasm", 11)))


def test_the_files_are_taken_out_of_the_archive_under_our_names_and_nothing_else(tmp_path: Path) -> None:
    stray = {"../../stray.txt": b"stray", "package/dist/ort.js": b"more"}
    sha512 = archive(tmp_path / "web.tgz", CONTENT | stray)
    package(sha512).unpack(tmp_path / "web.tgz", tmp_path / "here" / "web")
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {tmp_path / "web.tgz"}
    assert {path.relative_to(tmp_path / "here" / "web").as_posix(): path.read_bytes() for path in written} == {
        "a.mjs": b"the face",
        "b.wasm": b"the runtime",
    }
    assert package().unfit(tmp_path / "here" / "web") == []


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "web.tgz", CONTENT)
    with pytest.raises(InputError, match="not the archive that was pinned"):
        package("another").unpack(tmp_path / "web.tgz", tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_an_archive_that_lacks_a_file_or_holds_a_link_is_refused(tmp_path: Path) -> None:
    lacking = archive(tmp_path / "lacking.tgz", {"package/dist/ort.js": b""})
    with pytest.raises(InputError, match=r"holds no dist/a\.mjs"):
        package(lacking).unpack(tmp_path / "lacking.tgz", tmp_path / "web")
    linked = archive(tmp_path / "linked.tgz", CONTENT, link="/etc/passwd")
    with pytest.raises(InputError, match="is not a plain file"):
        package(linked).unpack(tmp_path / "linked.tgz", tmp_path / "web")


def test_without_npm_the_files_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="npm is not installed"):
        package().fetch(tmp_path)


@pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=list(RUNTIMES))
def test_files_of_another_version_are_not_taken(runtime: WebRuntime, tmp_path: Path) -> None:
    for each in runtime.packages:
        for file in each.files:
            (tmp_path / file.name).write_bytes(b"of another version")
    with pytest.raises(MissingError, match="make web"):
        runtime.files(tmp_path)


@pytest.mark.parametrize(("runtime", "words"), [(ONNX, "Microsoft Corporation"), (LITERT, "Apache License")])
def test_a_runtime_goes_with_its_license_and_its_own_face(
    runtime: WebRuntime, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Package, "unfit", lambda *_: [])
    *_, license_ = runtime.files()
    assert words in license_.read_text(encoding="utf-8")
    faces = {file.name for file in own_files(runtime)} & {each.face for each in RUNTIMES.values()}
    assert faces == {runtime.face}


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_without_the_runtime_the_verb_exits_4_and_says_what_brings_it(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(Package, "unfit", lambda *_: ["a.wasm"])
    run = make_run(tmp_path / "pets")
    assert command(["demo", str(run.folder), "--runtime", runtime, "--no-serve", "--json"]) == 4
    assert "run: python -m mobilevision.pages.demo.runtime" in json.loads(capsys.readouterr().out)["error"]
    assert not (run.folder / "demo").exists()


def test_a_run_without_weights_has_no_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.setattr(Package, "unfit", lambda *_: [])
    run = make_run(tmp_path / "pets")
    for facts in run.artifacts.glob("*.onnx.json"):
        file = facts.with_suffix("")
        file.write_bytes(b"a file")
        known = {"bytes": 6, "sha256": sha256(file), "arch_digest": run.arch.digest, "weights_sha256": "0"}
        facts.write_text(json.dumps(json.loads(facts.read_text()) | known))
    run.best.unlink()
    assert command(["demo", str(run.folder), "--no-serve", "--json"]) == 3
    assert "holds no weights" in json.loads(capsys.readouterr().out)["error"]


def test_a_runtime_that_no_browser_has_is_refused(tmp_path: Path, capsys: Said) -> None:
    run = make_run(tmp_path / "pets")
    assert command(["demo", str(run.folder), "--runtime", "litertt", "--no-serve", "--json"]) == 2
    assert "did you mean litert" in json.loads(capsys.readouterr().out)["error"]


def test_a_folder_that_holds_something_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match=r"holds something else \(thesis.txt\)"):
        check_place(tmp_path / "precious")
    with pytest.raises(UsageError, match="is a file"):
        check_place(tmp_path / "precious" / "thesis.txt")
    facts = {"file": "a.onnx", "samples": [{"file": "samples/0.png"}]}
    (tmp_path / "precious" / "demo.json").write_text(json.dumps(facts))
    with pytest.raises(UsageError, match=r"holds something else \(thesis.txt\)"):
        check_place(tmp_path / "precious")


def test_an_older_demo_is_written_over(tmp_path: Path) -> None:
    (tmp_path / "demo" / "samples").mkdir(parents=True)
    for name in ("a.onnx", "samples/0.png", "index.html", "demo.mjs", "ort.wasm.bundle.min.mjs"):
        (tmp_path / "demo" / name).write_text("")
    facts = {"file": "a.onnx", "samples": [{"file": "samples/0.png"}]}
    (tmp_path / "demo" / "demo.json").write_text(json.dumps(facts))
    check_place(tmp_path / "demo")
    check_place(tmp_path / "new")


def test_a_run_whose_data_is_gone_has_no_samples_and_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    assert pictures(make_run(tmp_path / "pets"), 8, tell=lines.append) == []
    assert "the demo has no samples" in lines[0]


def written(run: Run, samples: list[dict[str, Any]], browser: WebRuntime = ONNX) -> str:
    file = json.loads((run.artifacts / "mobilenetv2_100_fp32.onnx.json").read_text())
    return page(run, file | {"arch": EVIL}, samples, browser)


def test_a_page_tells_the_report_and_the_proof_and_escapes_every_text(tmp_path: Path) -> None:
    text = written(make_run(tmp_path / "pets"), [{"file": "samples/0.png", "truth": EVIL}])
    assert "on 200 validation pictures" in text
    assert "100.0 % of 200 pictures, in onnx 2.3.0" in text
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x") == 3
    assert 'alt="Sample 1"' in text


@pytest.mark.parametrize("runtime", RUNTIMES.values(), ids=list(RUNTIMES))
def test_a_page_may_ask_no_other_address(runtime: WebRuntime, tmp_path: Path) -> None:
    text = written(make_run(tmp_path / "pets"), [], runtime)
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'" in text
    assert "; connect-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'" in text
    assert "'unsafe-inline'" not in text
    for each in (text, *(file.read_text() for file in folder.WEB.iterdir() if file.suffix in (".mjs", ".css"))):
        assert "//" not in each.replace("// ", "").replace("//\n", ""), "an address of another server"


def test_a_run_whose_figures_cannot_be_read_still_has_a_page(tmp_path: Path) -> None:
    run = make_run(tmp_path / "pets")
    (run.folder / "metrics.json").write_text("{cut off")
    text = written(run, [])
    assert "not measured yet" in text
    assert "There are none" in text


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    (tmp_path / "web" / "samples").mkdir(parents=True)
    (tmp_path / "web" / "index.html").write_text("here")
    (tmp_path / "web" / "a.mjs").write_text("export {}")
    (tmp_path / "web" / "a.wasm").write_bytes(b"\0asm")
    (tmp_path / "secret.txt").write_text("secret")
    with server(tmp_path / "web") as opened:
        thread = threading.Thread(target=opened.serve_forever)
        thread.start()
        yield opened.server_address[1]
        opened.shutdown()
        thread.join()


def asked(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, str, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    answer = connection.getresponse()
    return answer.status, answer.headers.get_content_type(), answer.read()


def test_the_server_gives_scripts_and_webassembly_their_own_types(port: int) -> None:
    assert asked(port, "/") == (200, "text/html", b"here")
    assert asked(port, "/a.mjs", "localhost")[:2] == (200, "text/javascript")
    assert asked(port, "/a.wasm")[:2] == (200, "application/wasm")


def test_the_server_lists_no_folder_leaves_its_own_for_nobody_and_answers_to_no_other_name(port: int) -> None:
    assert asked(port, "/samples/")[0] == 404
    assert asked(port, "/../secret.txt")[0] == 404
    assert asked(port, "/%2e%2e/secret.txt")[0] == 404
    assert asked(port, "/", "elsewhere.example")[0] == 421


def test_a_port_that_is_taken_is_named(port: int, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"port {port} cannot be had: .*--port"):
        server(tmp_path, port=port)
