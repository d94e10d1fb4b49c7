"""The README is true: its Python runs, its commands run, its files are there."""

import re
from pathlib import Path

import pytest

import mobilevision as mv
from mobilevision.cli.app import run
from mobilevision.pages.picture import picture
from page_blocks import blocks, draw_pets, run_block

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = blocks(README)
SET_UP, *SHELL = [block for block in BLOCKS if block.language == "bash"]
PYTHON = [block for block in BLOCKS if block.language == "python"]


def test_the_first_screen_has_exactly_two_set_up_commands() -> None:
    assert SET_UP.code.splitlines() == ["make demo", "source .venv/bin/activate"]
    assert README.index(SET_UP.code) < 1500


def test_every_link_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 6
    assert not [link for link in links if not (ROOT / link).is_file()]


def test_every_python_block_compiles() -> None:
    assert len([compile(block.code, "README.md", "exec") for block in PYTHON]) == 3


def test_the_picture_is_the_one_the_package_draws() -> None:
    drawn = picture(mv.arch("mobilenetv4_conv_small"))
    assert (ROOT / "docs" / "network.svg").read_text(encoding="utf-8").strip() == drawn.strip()


@pytest.mark.slow
def test_every_command_and_every_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    draw_pets()
    assert run(["build", "pets/", "--recipe", "quick", "--epochs", "1", "--set", "size=32", "--out", "demo"]) == 0
    assert all(line.startswith("mobilevision ") for block in SHELL for line in block.code.splitlines())
    for block in (*SHELL, *PYTHON):
        run_block(block, "README.md")
    assert Path("compared.html").is_file()
    assert Path("runs/pets/predictions.csv").is_file()
