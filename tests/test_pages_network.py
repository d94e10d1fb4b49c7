"""The table and the picture of a network say what its rows say."""

import io
import re
from dataclasses import dataclass
from xml.etree import ElementTree

import pytest
from rich.console import Console
from torch import nn

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import (
    IRMB,
    UIB,
    Block,
    Classifier,
    Conv,
    Filter,
    Gate,
    GridThenFilter,
    Inverted,
    MetaBlock,
    MobileMQA,
    Operator,
    SelfAttention,
)
from mobilevision.cost import macs, params, walk
from mobilevision.errors import UsageError
from mobilevision.pages.picture import WIDTH, picture
from mobilevision.pages.quantities import count, milliseconds, percent, seconds, size
from mobilevision.pages.terminal import show
from mobilevision.pages.words import OTHER, describe, kind
from mobilevision.tasks.catalog import headed
from mobilevision.tasks.figures import wilson

NAMES = ("mobilenetv1_025", "mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv4_hybrid_medium", "emo_1m")


def drawn(listing: object, *, width: int, color: bool = False) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=color, color_system="truecolor" if color else None).print(listing)
    return out.getvalue()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (UIB(96, start=3, middle=5, expand=4), "UIB ExtraDW 3x3 5x5 e4"),
        (UIB(96, start=0, middle=0, expand=2), "UIB FFN e2"),
        (Inverted(40, kernel=5, expand=88 / 24, se=Gate()), "inverted 5x5 e3.67 SE"),
        (MobileMQA(160, kv_stride=2), "Mobile MQA 4x64 kv/2"),
        (IRMB(80, expand=3, head=20), "iRMB 3x3 e3 attention"),
        (Conv(32, 2, dilation=2), "conv 3x3 dilated 2"),
        (MetaBlock(32, operator=Filter()), "meta e6 filter 3x3"),
        (MetaBlock(32, expand=1, operator=SelfAttention()), "meta e1 self-attention"),
        (MetaBlock(32, expand=4, operator=Operator()), "meta e4 feed-forward"),
        (MetaBlock(32, expand=4, operator=GridThenFilter()), "meta e4 attention, filter 5x5"),
        (Classifier(hidden=1280), "classifier hidden 1280"),
    ],
)
def test_a_block_is_told_in_the_words_of_its_paper(block: Block, words: str) -> None:
    assert describe(block) == words


def test_a_block_nobody_described_is_told_by_its_class() -> None:
    @dataclass(frozen=True)
    class GhostModule(Block):
        def build(self, cin: int) -> nn.Module:
            return nn.Identity()

    assert describe(GhostModule(8)) == "ghost module"
    assert kind(GhostModule(8)) == OTHER


def test_every_block_of_the_zoo_has_words_and_a_kind_of_its_own() -> None:
    blocks = {row for name in zoo.list_models() for stage in zoo.arch(name).stages for row in stage}
    assert all(describe(block) and kind(block) != OTHER for block in blocks)


@pytest.mark.parametrize("name", NAMES)
def test_a_table_has_a_line_for_every_row_and_the_exact_totals(name: str) -> None:
    arch = zoo.arch(name)
    text = str(show(arch))
    rows = walk(arch)
    assert len(text.splitlines()) == len(rows) + 4
    assert f"{params(arch):,} parameters, {macs(arch):,} MACs" in text
    assert all(describe(row.block) in text for row in rows)


@pytest.mark.parametrize("width", [20, 32, 40, 50, 60, 70, 80, 100, 160])
def test_a_table_leaves_columns_out_rather_than_cut_them(width: int) -> None:
    text = drawn(show(zoo.arch("mobilenetv4_conv_small")), width=width)
    assert "…" not in text
    assert all(len(line.rstrip()) <= width for line in text.splitlines())
    assert "MACs" in text


def test_a_table_of_eighty_characters_has_all_columns() -> None:
    assert "% of MACs" in drawn(show(zoo.arch("mobilenetv4_conv_small")), width=80)


def test_color_is_for_consoles_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    listing = show(zoo.arch("mobilenetv1_025"))
    assert "\x1b[38" in drawn(listing, width=80, color=True)
    assert "\x1b" not in str(listing)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38" not in drawn(listing, width=80, color=True)


def test_the_facts_of_a_table_are_json_and_add_up() -> None:
    facts = show(zoo.arch("emo_1m"), (64, 96), 7).facts()
    assert facts["size"] == [64, 96]
    assert facts["rows"][-1]["output"] == [7]
    assert sum(row["params"] for row in facts["rows"]) == facts["totals"]["params"]
    assert sum(row["share"] for row in facts["rows"]) == pytest.approx(1)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [None, (96, 160)])
def test_a_picture_has_a_box_for_every_row_and_stays_on_its_paper(name: str, side: tuple[int, int] | None) -> None:
    arch = zoo.arch(name)
    root = ElementTree.fromstring(picture(arch, side))
    space = "{http://www.w3.org/2000/svg}"
    boxes = [group for group in root.iter(f"{space}g") if group.get("class") == "block"]
    assert len(boxes) == len(walk(arch, side))
    corners = [p.get("points", "").split() for p in root.iter(f"{space}polygon")]
    across = [float(corner.split(",")[0]) for points in corners for corner in points]
    assert 0 <= min(across) <= max(across) <= WIDTH
    assert arch.name in (root.findtext(f"{space}desc") or "")
    assert all(box.findtext(f"{space}title") for box in boxes)


@pytest.mark.parametrize(
    ("task", "says", "side"),
    [
        ("detect", "840 boxes", "10"),  # maps of 10, 5, 3, 2, 1 and 1 pixels, six boxes at each
        ("segment", "3", "20"),
        ("embed", "3", "1"),
    ],
)
def test_a_head_is_drawn_as_large_as_the_map_it_gives_or_the_finest_it_reads(task: str, says: str, side: str) -> None:
    arch = headed(zoo.arch("mobilenetv2_035", size=160), task)
    texts = [text.text for text in ElementTree.fromstring(picture(arch, outputs=3)).iter() if text.tag.endswith("text")]
    *_, told, wide, narrow = [text for text in texts if text and text[0].isdigit() and "px" not in text]
    assert (told, wide, narrow) == (says, side, side)


def test_a_name_with_markup_in_it_is_text_in_the_picture() -> None:
    arch = Arch("<b>&", ((Conv(8, 2),),))
    assert "<b>" not in picture(arch)
    assert ElementTree.fromstring(picture(arch)).get("aria-label") == "The network <b>&"


def test_a_picture_follows_light_and_dark_and_asks_for_nothing() -> None:
    drawing = picture(zoo.arch("mobilenetv2_100"))
    assert "prefers-color-scheme: dark" in drawing
    assert re.findall(r"https?://[^\"]+", drawing) == ["http://www.w3.org/2000/svg"]


def test_an_image_that_is_empty_is_refused() -> None:
    with pytest.raises(UsageError):
        picture(zoo.arch("mobilenetv2_100"), (0, 32))


def test_numbers_are_written_as_people_read_them() -> None:
    assert [count(value) for value in (0, 864, 999, 3504, 3_504_872, 300_774_272, 7.37e9)] == [
        *("0", "864", "999", "3.50 k", "3.50 M", "301 M", "7.37 G")
    ]
    assert [count(value) for value in (999_499, 999_600)] == ["999 k", "1.00 M"]
    assert size(13_900_000) == "13.9 MB"
    assert size(12) == "12 B"
    assert percent(0.9415) == "94.2 %"
    assert [milliseconds(value) for value in (0.0123, 2.409, 99.96, 1234)] == [
        *("0.0123 ms", "2.41 ms", "100 ms", "1234 ms")
    ]
    assert [seconds(value) for value in (45, 725, 12_000)] == ["45 s", "12 min 5 s", "3 h 20 min"]


def test_an_interval_holds_the_share_shrinks_with_pictures_and_stays_within_0_and_1() -> None:
    for share in (0.0, 0.3, 1.0):
        few, many = wilson(share, 20), wilson(share, 2000)
        assert 0 <= few[0] <= many[0] <= share <= many[1] <= few[1] <= 1
    assert wilson(0.5, 0) == (0.0, 1.0)
    assert wilson(0.9, 100) == pytest.approx((0.8256, 0.9448), abs=1e-4)
