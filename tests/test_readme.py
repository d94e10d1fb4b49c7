"""The README is true: its Python runs, its commands run, its files are there."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import mobilevision as mv
from mobilevision.cli.app import run
from mobilevision.pages.picture import picture

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    return [shlex.split(line)[1:] for line in lines if line.startswith("mobilevision ")]


def test_the_first_screen_has_exactly_two_set_up_commands() -> None:
    assert blocks("bash")[0].splitlines() == ["make demo", "source .venv/bin/activate"]
    assert README.index(blocks("bash")[0]) < 1500


def test_every_link_leads_to_a_file() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 6
    assert not [link for link in links if not (ROOT / link).is_file()]


def test_every_python_block_compiles() -> None:
    assert len([compile(block, "README.md", "exec") for block in blocks("python")]) == 3


def test_the_picture_is_the_one_the_package_draws() -> None:
    drawn = picture(mv.arch("mobilenetv4_conv_small"))
    assert (ROOT / "docs" / "network.svg").read_text(encoding="utf-8").strip() == drawn.strip()


@pytest.mark.slow
def test_every_command_and_every_python_block_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(0)
    for name, channel in (("cat", 0), ("dog", 2)):
        for folder in (Path("pets") / name, Path("holiday")):
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(12):
                pixels = noise.integers(0, 100, (40, 40, 3))
                pixels[..., channel] += 150
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{name}{i}.png")
    Image.open("holiday/cat0.png").save("photo.jpg")
    assert run(["build", "pets/", "--recipe", "quick", "--epochs", "1", "--set", "size=32", "--out", "demo"]) == 0
    for command in commands():
        assert run(command) == 0, command
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert Path("compared.html").is_file()
    assert Path("runs/pets/predictions.csv").is_file()
