"""The documentation is true: it builds without a warning, its blocks run, its tables and drawings come from facts."""

import json
import re
import shutil
import subprocess
import sys
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

import mobilevision as mv
from mobilevision.cost import cost
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.deploy.interface import Interface
from mobilevision.deploy.load import load
from mobilevision.run import Run
from mobilevision.tasks.catalog import TASKS
from mobilevision.tasks.detect import Detect
from mobilevision.zoo import catalog
from page_blocks import blocks, draw_marks, draw_pets, run_block
from test_deploy_export import make_run

ROOT = Path(__file__).resolve().parents[1]
DOCS, EXAMPLES = ROOT / "docs", ROOT / "examples"
PAGES = {
    page.relative_to(DOCS).as_posix(): page.read_text(encoding="utf-8")
    for page in sorted(DOCS.rglob("*.md"))
    if not {"_build", "_api"} & set(page.relative_to(DOCS).parts)
}
RUNNING = [name for name, text in PAGES.items() if any(not block.excuse for block in blocks(text))]
sys.path.append(str(DOCS / "_ext"))


def need_compiler() -> None:
    """Skip where the C++ program cannot be built, saying what is missing."""
    if missing := [program for program in ("g++", "make") if shutil.which(program) is None]:
        pytest.skip(f"{' and '.join(missing)} not found")
    spec = find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("ai-edge-litert is not installed")
    if not (Path(spec.submodule_search_locations[0]) / "libLiteRt.so").is_file():
        pytest.skip("ai-edge-litert has no libLiteRt.so here")


def test_every_block_of_code_says_what_it_is() -> None:
    for name, text in PAGES.items():
        fences = re.findall(r"^( *)```([^\n]*)$", text, flags=re.MULTILINE)[::2]
        assert not [kind for _, kind in fences if kind in {"", "sh", "shell", "console", "py"}], name
        assert not [kind for indent, kind in fences if indent], f"{name}: a block in a list is not seen by the tests"


def test_only_blocks_with_a_reason_are_not_run() -> None:
    excuses = [block.excuse for text in PAGES.values() for block in blocks(text) if block.excuse]
    assert excuses
    assert all(len(excuse) > 15 for excuse in excuses)
    assert sum(text.count("<!-- not run") for text in PAGES.values()) == len(excuses)


@pytest.mark.parametrize("name", RUNNING)
def test_every_python_block_compiles(name: str) -> None:
    for block in blocks(PAGES[name]):
        if block.language == "python":
            compile(block.code, name, "exec")


def test_every_link_leads_to_a_page() -> None:
    for name, text in PAGES.items():
        links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
        assert not [link for link in links if link and not (DOCS / name).parent.joinpath(link).is_file()], name


def test_every_path_that_a_page_names_is_there() -> None:
    for name, text in PAGES.items():
        code = re.findall(r"`((?:mobilevision|tests|benchmarks|examples|docs)/[\w./]+)`", text)
        found = [ROOT / path if not path.startswith("mobilevision/") else ROOT / "src" / path for path in code]
        gone = [path for path in found if not path.exists() and "NAME" not in path.name and path.suffix != ".json"]
        assert not gone, name


def test_every_table_that_a_page_names_is_in_its_file() -> None:
    named = [found for text in PAGES.values() for found in re.findall(r"`([A-Z]+)` (?:of|in) `([a-z_/]+\.py)`", text)]
    assert named
    for table, file in named:
        path = ROOT / file if file.startswith("tests/") else ROOT / "src" / "mobilevision" / file
        assert re.search(rf"^{table}\b.* = ", path.read_text(encoding="utf-8"), flags=re.MULTILINE), (
            f"{table} of {file}"
        )


def test_every_page_is_on_the_list() -> None:
    listed = [f"{line}.md" for line in PAGES["index.md"].splitlines() if line]
    assert [page for page in PAGES if not any(fnmatchcase(page, entry) for entry in listed)] == ["index.md"]


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNNING)
def test_every_block_of_a_page_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "examples/cpp" in PAGES[name]:
        need_compiler()
    monkeypatch.chdir(tmp_path)
    draw_pets()
    draw_marks()
    Path("examples").symlink_to(EXAMPLES)
    for block in blocks(PAGES[name]):
        if not block.excuse:
            run_block(block, name)


def test_the_catalog_is_written_by_the_command_that_the_page_names() -> None:
    (command,) = [block.code.strip() for block in blocks(PAGES["extend/paper.md"]) if block.language == "bash"]
    module = find_spec(command.removeprefix("python -m "))
    assert module is not None
    assert 'if __name__ == "__main__":' in Path(str(module.origin)).read_text(encoding="utf-8")


def test_a_separable_convolution_is_8_to_9_times_cheaper() -> None:
    (block, *_) = [block for block in blocks(PAGES["networks/v1.md"]) if block.language == "python"]
    facts: dict[str, object] = {}
    exec(compile(block.code.rpartition("print")[0], "v1.md", "exec"), facts)
    assert 8 < facts["plain"].macs / facts["separable"].macs < 9
    assert cost is facts["cost"]


def test_a_result_that_is_there_is_told_and_all_else_is_only_expected(tmp_path: Path) -> None:
    import works_where

    parity = {
        "emo_1m onnx": {"largest_difference": 1.4e-6, "passed": True},
        "emo_1m litert": {"largest_difference": 2e-3, "passed": False},
        "emo_2m onnx": {"error": "it crashed"},
    }
    (tmp_path / "zoo_parity.json").write_text(json.dumps({"files": parity}))
    near = {"arch": "emo_1m", "accuracy_file": 0.965, "accuracy_float32": 0.97, "pictures": 418}
    (tmp_path / "int8_accuracy.json").write_text(json.dumps({"run/onnx": near, "photographs/x/onnx": {"pictures": 3}}))
    results = works_where.read_results(tmp_path)

    def state(network: str, task: str, to: str, precision: str) -> str:
        return str(works_where.told(network, task, to, precision, results).state)

    assert works_where.read_results(tmp_path / "nothing") == {}
    assert state("emo_1m", "classify", "onnx", "fp32") == "verified"
    assert state("emo_1m", "classify", "onnx", "int8") == "verified"
    assert state("emo_1m", "classify", "litert", "fp32") == "failed"
    assert state("emo_2m", "classify", "onnx", "fp32") == "failed"
    assert state("emo_5m", "classify", "onnx", "fp32") == "expected"
    assert state("emo_1m", "detect", "onnx", "fp32") == "expected"  # another head: another network
    assert state("emo_1m", "classify", "executorch", "fp16") == "blocked"
    assert "it crashed" in works_where.table("classify", results)


def test_in_8_bits_a_cell_tells_of_the_file_that_an_export_writes_by_itself(tmp_path: Path) -> None:
    import works_where

    plain = {"arch": "emo_1m", "accuracy_file": 0.965, "accuracy_float32": 0.97, "pictures": 418}
    others = {
        "run/onnx/mse": plain | {"accuracy_file": 0.9},
        "run trained with its rounding/onnx": plain | {"accuracy_file": 0.8, "accuracy_rounded_torch": 0.8},
        "run trained with its rounding/litert": plain | {"accuracy_rounded_torch": 0.97},
    }
    (tmp_path / "int8_accuracy.json").write_text(json.dumps({"run/onnx": plain} | others))

    results = works_where.read_results(tmp_path)

    assert {key: told.figure for key, told in results.items()} == {("emo_1m", "onnx", "int8"): "96.5%"}


def test_what_tests_have_proven_of_small_networks_stands_for_their_family_and_below_a_benchmark(tmp_path: Path) -> None:
    import works_where

    whole = {"mobilenetv4_conv_small onnx": {"largest_difference": 1e-6, "passed": True}}
    (tmp_path / "zoo_parity.json").write_text(json.dumps({"files": whole}))
    small = {"network": "small", "family": "mobilenetv4", "attention": False, "format": "onnx", "precision": "fp32"}
    tests = [small | {"task": task, "test": "tests/test_x.py::test_y"} for task in ("classify", "detect")]
    refused = small | {"attention": True, "task": "detect", "refused": "no room", "test": "tests/test_x.py::test_z"}
    (tmp_path / "works_tests.json").write_text(json.dumps([*tests, refused]))
    results = works_where.read_results(tmp_path)

    def state(network: str, task: str, to: str = "onnx") -> str:
        return str(works_where.told(network, task, to, "fp32", results).state)

    assert state("mobilenetv4_conv_small", "classify") == "verified"
    assert state("mobilenetv4_conv_medium", "classify") == state("mobilenetv4_conv_small", "detect") == "tested"
    assert state("mobilenetv4_conv_small", "embed") == state("mobilenetv4_conv_small", "detect", "litert") == "expected"
    assert state("mobilenetv4_hybrid_medium", "classify") == "expected"  # attention is another thing
    assert state("mobilenetv4_hybrid_medium", "detect") == "blocked"
    assert "tests/test_x.py::test_y" in works_where.table("detect", results)
    assert "no room" in works_where.table("detect", results)


def test_a_test_that_failed_or_was_skipped_leaves_no_entry(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.fixture
        def breaks():
            yield
            raise ValueError

        @pytest.fixture(autouse=True)
        def told(record_property):
            record_property("exported and proven", {"format": "onnx"})

        def test_passed(): pass
        def test_failed(): raise ValueError
        def test_skipped(): pytest.skip("no runtime")
        def test_broke_behind(breaks): pass

        @pytest.mark.xfail(strict=False)
        def test_passed_against_all_hope(): pass
        """
    )
    before = [{"test": "test_it.py::test_failed"}, {"test": "test_other.py::test_of_another_day"}]
    pytester.path.joinpath("works.json").write_text(json.dumps(before))

    pytester.runpytest_inprocess("-p", "works", "--works", "works.json")

    kept = json.loads(pytester.path.joinpath("works.json").read_text())
    assert kept == [{"format": "onnx", "test": "test_it.py::test_passed"}, before[1]]


def test_what_is_kept_of_tests_is_of_tests_that_are_there() -> None:
    for each in json.loads((DOCS / "works_tests.json").read_text(encoding="utf-8")):
        file, _, test = each["test"].partition("::")
        assert f"def {test.partition('[')[0]}(" in (ROOT / file).read_text(encoding="utf-8"), each["test"]


def test_networks_that_nothing_tells_apart_share_a_line() -> None:
    import works_where

    assert [name.partition(":")[0] for name, _ in works_where.rows("classify", {})] == [
        *("emo", "mnasnet", "mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenetv4", "semnasnet"),
    ]


def test_every_benchmark_says_what_it_asks_and_which_page_tells_what_it_found() -> None:
    import benchmarks_told

    found = {each.name: each for each in benchmarks_told.benchmarks()}
    assert {"claims.py", "vit.py"} & found.keys() == {"claims.py"}
    assert all(len(each.words) > 0 and len(each.words[0]) > 60 for each in found.values())
    assert found["claims.py"].pages == ["claims"]
    assert found["startup.py"].pages == ["benchmarks"]


def test_docstrings_keep_their_code_and_lose_no_sign() -> None:
    import plain_docstrings

    assert plain_docstrings.marked("`a_` is |b| * c") == r"``a_`` is \|b\| \* c"


def test_every_family_has_a_page_with_its_drawing() -> None:
    drawn = {
        name for text in PAGES.values() for name in re.findall(r"^```\{network\} (\w+)$", text, flags=re.MULTILINE)
    }
    families = {str(facts["family"]) for name, facts in catalog().items() if name in drawn}
    assert families == {"mobilenetv1", "mobilenetv2", "mobilenetv3", "mobilenetv4", "mnasnet", "semnasnet", "emo"}


def test_what_was_not_compiled_says_so() -> None:
    for folder in ("android", "swift"):
        assert "**Not compiled here**" in (EXAMPLES / folder / "README.md").read_text(encoding="utf-8")


def test_the_examples_know_every_task_and_what_every_card_tells() -> None:
    kotlin, swift = (
        "".join(file.read_text(encoding="utf-8") for file in sorted((EXAMPLES / folder).rglob(f"*.{kind}")))
        for folder, kind in (("android", "kt"), ("swift", "swift"))
    )
    assert re.findall(r'"(\w+)" to Task\(', kotlin) == list(TASKS)
    assert re.findall(r"case (\w+(?:, \w+)+)\n", swift)[0].split(", ") == list(TASKS)
    doors = Interface(pixels=True, softmax=True).card()
    card = Detect(("a",)).facts() | doors | {"preprocessing": Preprocessing(size=(32, 32)).facts()}
    assert set(re.findall(r'try read\("(\w+)"\)', swift)) <= card.keys()
    assert set(re.findall(r'facts\.\w+\("(\w+)"', kotlin)) <= card.keys() | card["preprocessing"].keys()


@pytest.mark.slow
def test_the_written_pages_build_without_a_warning(tmp_path: Path) -> None:
    for package in ("sphinx", "myst_parser", "furo"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-t", "written", str(DOCS), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "networks" / "v4.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 2
    assert "mobilenetv4_conv_small, drawn from its rows" in page
    assert "✓ verified" in (tmp_path / "works.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with LiteRT files whose preprocessing crops."""
    run = make_run(tmp_path_factory.mktemp("cpp"))
    mv.export(run, "litert")
    mv.export(run, "litert", interface=Interface(pixels=True, softmax=True))
    return run


@pytest.mark.slow
def test_the_cpp_program_tells_what_python_tells(exported: Run, tmp_path: Path) -> None:
    need_compiler()
    program = tmp_path / "classify"
    build = ["make", "--silent", "-C", str(EXAMPLES / "cpp"), f"OUT={program}", f"PYTHON={sys.executable}"]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    usual, bare = sorted(exported.artifacts.glob("*.tflite"))
    model = load(usual)
    assert isinstance(model.preprocessing, Preprocessing)
    for size in ((90, 70), (61, 200), (33, 41)):
        picture = Image.effect_noise(size, 90).convert("RGB").resize(size)
        picture.putpixel((3, 4), (255, 0, 9))
        picture.save(tmp_path / "picture.png")
        picture.save(tmp_path / "picture.ppm")
        (ours,) = [model.predict(str(tmp_path / "picture.png"), topk=len(model.labels))]
        for file in (usual, bare):
            said = subprocess.run([program, file, tmp_path / "picture.ppm"], capture_output=True, text=True, check=True)
            told = {line.split(" ", 1)[1]: float(line.split()[0]) for line in said.stdout.splitlines()}
            assert list(told) == list(ours.labels)
            assert list(told.values()) == pytest.approx(ours.scores, abs=1e-3)


@pytest.mark.slow
def test_the_cpp_program_refuses_what_it_cannot_use(exported: Run, tmp_path: Path) -> None:
    need_compiler()
    program = tmp_path / "classify"
    build = ["make", "--silent", "-C", str(EXAMPLES / "cpp"), f"OUT={program}", f"PYTHON={sys.executable}"]
    subprocess.run(build, capture_output=True, check=True)
    file, _ = sorted(exported.artifacts.glob("*.tflite"))
    (tmp_path / "no.ppm").write_bytes(b"P6 4 4 255\nab")
    (tmp_path / "no.tflite").write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    for network, words in ((file, "is cut short"), (tmp_path / "no.tflite", "no card in it")):
        done = subprocess.run([program, network, tmp_path / "no.ppm"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert words in done.stderr
