"""A demo's folder, its server and the browser's runtime: what is written, given out, and refused."""

import base64
import hashlib
import http.client
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from mobilevision.cli.app import run as command
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.pages.demo import folder, runtime
from mobilevision.pages.demo.folder import check_place, page
from mobilevision.pages.demo.runtime import FILES, runtime_files, unpack
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


def whole() -> dict[str, bytes]:
    return {f"package/dist/{name}": name.encode() for name in FILES}


def test_the_two_files_are_taken_out_of_the_archive_and_nothing_else(tmp_path: Path) -> None:
    stray = {"../../stray.txt": b"stray", "package/dist/ort.js": b"more"}
    sha512 = archive(tmp_path / "web.tgz", whole() | stray)
    unpack(tmp_path / "web.tgz", tmp_path / "here" / "web", sha512=sha512)
    written = {path for path in tmp_path.rglob("*") if path.is_file()} - {tmp_path / "web.tgz"}
    assert {path.relative_to(tmp_path / "here" / "web").as_posix(): path.read_bytes() for path in written} == {
        name: name.encode() for name in FILES
    }


def test_an_archive_with_another_hash_is_refused(tmp_path: Path) -> None:
    archive(tmp_path / "web.tgz", whole())
    with pytest.raises(InputError, match="not the archive that was pinned"):
        unpack(tmp_path / "web.tgz", tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_an_archive_that_lacks_a_file_or_holds_a_link_is_refused(tmp_path: Path) -> None:
    lacking = archive(tmp_path / "lacking.tgz", {"package/dist/ort.js": b""})
    with pytest.raises(InputError, match=r"holds no dist/ort\.wasm\.bundle"):
        unpack(tmp_path / "lacking.tgz", tmp_path / "web", sha512=lacking)
    linked = archive(tmp_path / "linked.tgz", whole(), link="/etc/passwd")
    with pytest.raises(InputError, match="is not a plain file"):
        unpack(tmp_path / "linked.tgz", tmp_path / "web", sha512=linked)


def test_without_npm_the_files_are_not_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingError, match="npm is not installed"):
        runtime.fetch(tmp_path)


def test_files_of_another_version_are_not_taken(tmp_path: Path) -> None:
    for name in FILES:
        (tmp_path / name).write_bytes(b"of another version")
    with pytest.raises(MissingError, match="make web"):
        runtime_files(tmp_path)


def test_without_the_runtime_the_verb_exits_4_and_says_make_web(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    monkeypatch.setattr(folder, "runtime_files", partial(runtime_files, tmp_path))
    run = make_run(tmp_path / "pets")
    assert command(["demo", str(run.folder), "--no-serve", "--json"]) == 4
    assert "run: make web" in json.loads(capsys.readouterr().out)["error"]
    assert not (run.folder / "demo").exists()


def test_a_folder_that_holds_something_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years")
    with pytest.raises(UsageError, match="holds something that is no demo"):
        check_place(tmp_path / "precious")
    with pytest.raises(UsageError, match="is a file"):
        check_place(tmp_path / "precious" / "thesis.txt")
    (tmp_path / "precious" / "demo.json").write_text("{}")
    check_place(tmp_path / "precious")
    check_place(tmp_path / "new")


def test_a_run_whose_data_is_gone_has_no_samples_and_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    assert pictures(make_run(tmp_path / "pets"), 8, tell=lines.append) == []
    assert "the demo has no samples" in lines[0]


def written(run: Run, monkeypatch: pytest.MonkeyPatch, samples: list[dict[str, Any]]) -> str:
    monkeypatch.setattr(folder, "runtime_files", lambda: [])
    file = json.loads((run.artifacts / "mobilenetv2_100_fp32.onnx.json").read_text())
    return page(run, file | {"arch": EVIL}, samples)


def test_a_page_tells_the_report_and_the_proof_and_escapes_every_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = written(make_run(tmp_path / "pets"), monkeypatch, [{"file": "samples/0.png", "truth": EVIL}])
    assert "on 200 validation pictures" in text
    assert "100.0 % of 200 pictures, in onnx 2.3.0" in text
    assert "<img src=x" not in text
    assert text.count("&lt;img src=x") == 3
    assert 'alt="Sample 1"' in text


def test_a_page_may_ask_no_other_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(make_run(tmp_path / "pets"), monkeypatch, [])
    assert "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'" in text
    for each in (text, *(file.read_text() for file in folder.WEB.iterdir() if file.suffix in (".mjs", ".css"))):
        assert "//" not in each.replace("// ", "").replace("//\n", ""), "an address of another server"


def test_a_run_whose_figures_cannot_be_read_still_has_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "pets")
    (run.folder / "metrics.json").write_text("{cut off")
    text = written(run, monkeypatch, [])
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
