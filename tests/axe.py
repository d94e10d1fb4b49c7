"""axe-core, which judges whether everyone can use a page. `make web` has npm bring it; it is not in the repository."""

from pathlib import Path
from typing import Any

from mobilevision.errors import MobilevisionError
from mobilevision.pages.demo.npm import Package, Taken

FOLDER = Path(__file__).parent / "npm"
AXE = Package(
    "axe-core",
    "4.14.1",
    "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ==",
    (Taken("axe.min.js", "axe.min.js", 653_780),),
)


def broken(page: Any) -> list[str]:
    """The rules that an open page breaks, each with the first place where it does; skips where axe-core is absent."""
    import pytest  # which `make web` does without

    if AXE.unfit(FOLDER):
        pytest.skip(f"{AXE.name} {AXE.version} is not in {FOLDER}; run: make web")
    page.evaluate((FOLDER / "axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("axe.run().then((told) => told.violations.map((v) => [v.id, v.help, v.nodes[0].html]))")
    return [f"{rule}: {words}, at {place[:200]}" for rule, words, place in found]


if __name__ == "__main__":
    try:
        if AXE.unfit(FOLDER):
            AXE.fetch(FOLDER)
    except MobilevisionError as error:
        raise SystemExit(f"error: {error}") from error
    print(*(FOLDER / file.name for file in AXE.files), sep="\n")
