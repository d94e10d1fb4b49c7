"""An architecture is a value: it compares, hashes, prints as JSON, and changes only by making another."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import UIB, Classifier, Conv, Inverted
from mobilevision.cost import macs, params, walk
from mobilevision.errors import InputError, UsageError

SMALL = Arch("small", ((Conv(8, 2),), (Inverted(8), Inverted(16, 2)), (UIB(16, 2), UIB(16))), size=32)


@given(
    st.lists(
        st.builds(Inverted, st.sampled_from([8, 16, 24]), st.sampled_from([1, 2]), kernel=st.sampled_from([3, 5])),
        min_size=1,
        max_size=4,
    )
)
def test_json_gives_back_the_same_architecture(blocks: list[Inverted]) -> None:
    arch = Arch("any", ((Conv(8, 2),), tuple(blocks)), Classifier(hidden=32), padding="same", eps=1e-3)

    again = Arch.from_json(arch.to_json())

    assert again == arch
    assert hash(again) == hash(arch)
    assert again.digest == arch.digest


def test_the_digest_ignores_the_name_and_nothing_else() -> None:
    assert SMALL.digest == Arch("other", SMALL.stages, size=32).digest
    assert SMALL.digest != Arch("small", SMALL.stages, size=64).digest
    assert SMALL.digest != SMALL.with_block((1, 0), Inverted(8, kernel=5)).digest
    assert SMALL.digest != SMALL.with_head(Classifier(hidden=8)).digest


def test_with_block_changes_one_place_only() -> None:
    changed = SMALL.with_block((1, 1), Inverted(24, 2))

    assert changed.block((1, 1)) == Inverted(24, 2)
    assert [b for p, b in changed.places() if p != (1, 1)] == [b for p, b in SMALL.places() if p != (1, 1)]


def test_a_place_that_is_not_there_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no block at \(9, 0\)"):
        SMALL.with_block((9, 0), Conv(8))


def test_widening_scales_every_block_and_costs_more() -> None:
    wide = SMALL.widened(2)

    assert [b.out for _, b in wide.places()] == [2 * b.out for _, b in SMALL.places()]
    assert macs(wide) > macs(SMALL)
    assert params(wide) > params(SMALL)


@pytest.mark.parametrize("name", ["mobilenetv2_100", "mobilenetv3_large_100", "mobilenetv4_hybrid_medium", "emo_1m"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_dilating_keeps_the_weights_and_makes_the_last_map_finer(name: str, stride: int) -> None:
    arch = zoo.arch(name)
    dilated = arch.dilated(stride)

    assert params(dilated) == params(arch)
    assert dilated.taps()[-1].stride == stride
    assert walk(dilated, 64)[-2].cost.shape[1:] == (64 // stride, 64 // stride)


def test_dilation_starts_with_the_block_that_lost_its_stride() -> None:
    dilated = zoo.arch("mobilenetv3_large_100").dilated(16)

    assert [b.dilation for b in dilated.stages[5]] == [1, 1]
    assert [(b.stride, b.dilation) for b in dilated.stages[6]] == [(1, 2), (1, 2), (1, 2)]


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("mobilenetv1_100", [64, 128, 256, 512, 1024]),
        ("mobilenetv2_100", [16, 24, 32, 96, 320]),
        ("mobilenetv3_large_100", [16, 24, 40, 112, 960]),
        ("mobilenetv3_small_100", [16, 16, 24, 48, 576]),
        ("mobilenetv4_conv_small", [32, 32, 64, 96, 960]),
        ("mobilenetv4_hybrid_medium", [32, 48, 80, 160, 960]),
        ("mobilenetv4_conv_large", [24, 48, 96, 192, 960]),
    ],
)
def test_taps_are_the_published_feature_maps(name: str, channels: list[int]) -> None:
    taps = zoo.arch(name).taps()

    assert [tap.stride for tap in taps] == [2, 4, 8, 16, 32]
    assert [tap.channels for tap in taps] == channels


def test_a_tap_may_lie_inside_a_block_before_its_stride() -> None:
    c4 = zoo.arch("mobilenetv3_large_100").tap((6, 0), "expand")  # SSDLite's first map (section 6.3)

    assert (c4.channels, c4.stride) == (672, 16)


def test_a_tap_at_a_part_that_is_not_there_names_the_parts() -> None:
    with pytest.raises(UsageError, match="its parts are expand, depthwise"):
        zoo.arch("mobilenetv2_100").tap((2, 0), "middle")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "is not JSON"),
        ('{"kind": "Nothing"}', "'Nothing' is not a kind"),
        ('{"kind": "Conv", "out": 8}', "is not an architecture"),
        ('{"kind": "Arch", "name": "x", "stages": [[{"kind": "Conv", "out": 8, "kernal": 3}]]}', "kernel"),
        ('{"kind": "Arch", "stages": []}', "lacks a field"),
        ("[1, 2]", "is not an architecture"),
    ],
)
def test_json_that_is_no_architecture_is_refused_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Arch.from_json(text)


def test_every_kind_of_block_carries_its_name_in_json() -> None:
    facts = json.loads(SMALL.to_json())

    assert [row["kind"] for row in facts["stages"][1]] == ["Inverted", "Inverted"]


@pytest.mark.parametrize("padding", ["valid", ""])
def test_an_unknown_padding_is_refused(padding: str) -> None:
    with pytest.raises(UsageError, match="choose 'torch' or 'same'"):
        Arch("x", SMALL.stages, padding=padding)
