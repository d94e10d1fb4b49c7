"""A report in a real browser: no error in the console, nothing wider than the window, and everyone can use it."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from axe import broken
from mobilevision.pages.report import report
from mobilevision.pages.roofline import candidate, page, sweep
from mobilevision.zoo import arch
from page_runs import make_boxes, make_masks, make_run, make_vectors

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    long = ("<b>bold</b>", "an_extremely_long_name_of_a_class_without_any_space_in_it_at_all", "c")
    one, evil = make_run(folder / "one"), make_run(folder / "evil", labels=long)
    many = make_run(folder / "many", labels=tuple(f"class {i}" for i in range(1000)))
    boxes, masks, vectors = make_boxes(folder / "boxes"), make_masks(folder / "masks"), make_vectors(folder / "vectors")
    bare = make_run(folder / "bare")
    bare.best.unlink()
    shutil.rmtree(bare.artifacts)
    named = {"one": [one], "evil": [evil], "many": [many], "bare": [bare], "several": [one, evil, boxes, many]}
    named |= {"boxes": [boxes], "masks": [masks], "vectors": [vectors]}
    found = {name: report(runs, to=folder / f"{name}.html") for name, runs in named.items()}
    found["roofline"] = folder / "roofline.html"
    networks = [candidate(arch(name)) for name in ("mobilenetv1_100", "mobilenetv4_conv_small")]
    found["roofline"].write_text(page(sweep(networks)), encoding="utf-8")
    return found


NAMES = ("one", "evil", "many", "bare", "several", "boxes", "masks", "vectors", "roofline")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_page_opens_without_an_error_fits_the_window_and_breaks_no_rule_of_axe(
    browser: Any, pages: dict[str, Path], name: str, scheme: str, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if request.url.startswith("http") else None)
    page.goto(pages[name].as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert said == []
    for fold in page.locator("details").all():
        fold.evaluate("fold => fold.open = true")
    assert broken(page) == []
    page.close()
