"""What a network costs: counts by running it, times from a table, and the roofline by hand."""

import math

import pytest

from mobilevision import zoo
from mobilevision.architecture import Arch
from mobilevision.blocks import Conv, Gate, Inverted, MobileMQA, Separable
from mobilevision.cost import FLOAT_BYTES, Line, Table, cost, latency, macs, roofline, walk
from mobilevision.errors import InputError, UsageError

TINY = Arch("tiny", ((Conv(8, 2),), (Separable(16),)), size=16)


def test_a_convolution_costs_what_the_formula_says() -> None:
    facts = cost(Conv(16, 2, kernel=3), (8, 10, 12))

    assert facts.shape == (16, 5, 6)
    assert facts.macs == 16 * 5 * 6 * 8 * 9
    assert facts.params == 16 * 8 * 9 + 2 * 16
    assert facts.weight_bytes == FLOAT_BYTES * facts.params
    assert facts.activation_bytes == FLOAT_BYTES * (8 * 10 * 12 + 16 * 5 * 6)


def test_a_separable_convolution_costs_the_share_the_paper_derives() -> None:
    full, parts = cost(Conv(512), (512, 14, 14)), cost(Separable(512), (512, 14, 14))

    assert (full.macs, parts.macs) == (462_422_016, 52_283_392)  # 462 and 52.3 million: table 3 of MobileNetV1
    assert math.isclose(parts.macs / full.macs, 1 / 512 + 1 / 9)


def test_attention_products_are_counted_apart() -> None:
    facts = cost(MobileMQA(16, heads=4, dim=8, kv_stride=2), (16, 8, 8))

    assert facts.attention_macs == 4 * 64 * 16 * (8 + 8)
    assert facts.macs == 64 * 16 * 32 * 2 + 2 * (16 * 16 * 9 + 16 * 16 * 8)


def test_rows_follow_one_another_and_end_with_the_head() -> None:
    rows = walk(TINY, 16, outputs=10)

    assert [row.place for row in rows] == [(0, 0), (1, 0), (2, 0)]
    assert [row.shape for row in rows] == [(3, 16, 16), (8, 8, 8), (16, 8, 8)]
    assert rows[-1].cost.shape == (10,)
    assert rows[-1].cost.params == 16 * 10 + 10


def test_an_image_need_not_be_square() -> None:
    assert walk(TINY, (16, 32))[1].shape == (8, 8, 16)


@pytest.mark.parametrize("size", [(0, 4), (-1, 4)])
def test_an_empty_image_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="is empty"):
        walk(TINY, size)


def test_an_image_too_small_for_a_pool_is_refused_with_the_block_named() -> None:
    with pytest.raises(UsageError, match="give a larger image"):
        walk(zoo.arch("mobilenetv4_conv_aa_medium"), 8)


def test_macs_fall_with_width_and_with_resolution() -> None:
    by_width = [macs(zoo.arch("mobilenetv2", width=w)) for w in (0.35, 0.6, 1.0, 1.4)]
    by_size = [macs(zoo.arch("mobilenetv2_100"), size) for size in (96, 160, 224, 256)]

    assert by_width == sorted(by_width)
    assert by_size == sorted(by_size)


def test_latency_is_the_line_over_the_sum_of_the_rows() -> None:
    rows = walk(TINY)
    table = Table(
        {(row.block, row.shape): float(i + 1) for i, row in enumerate(rows)}, line=Line(intercept=0.5, slope=2.0)
    )

    assert latency(TINY, table) == 0.5 + 2.0 * (1 + 2 + 3)


def test_a_row_that_was_not_measured_is_named() -> None:
    with pytest.raises(InputError, match=r"Conv\(out=8.*measure it"):
        latency(TINY, Table({}))


def test_the_roofline_at_ridge_zero_counts_arithmetic_and_far_out_counts_bytes() -> None:
    rows = walk(TINY)
    operations = [op for row in rows for op in row.cost.operations]
    moved = sum(op.weights + op.activations for op in operations)

    assert roofline(rows, ridge=0) == sum(row.cost.macs for row in rows)
    assert roofline(rows, ridge=1e9) == pytest.approx(1e9 * moved)


def test_the_roofline_of_two_layers_by_hand() -> None:
    arch = Arch("two", ((Conv(4, kernel=1),),), size=2)
    conv = max(3 * 4 * 4, 10 * (12 + 3 * 4 + 4 * 4))  # 48 MACs; 12 weights, 12 numbers in, 16 out
    pool = 10 * (4 * 4 + 4)
    linear = max(4 * 5, 10 * (4 * 5 + 4 + 5))

    assert roofline(walk(arch, outputs=5), ridge=10) == conv + pool + linear


def test_a_sum_of_branches_and_a_gate_move_maps_and_multiply_nothing() -> None:
    plain, summed = (cost(Inverted(8, expand=2, stride=stride), (8, 4, 4)) for stride in (2, 1))
    gated = cost(Inverted(8, expand=2, se=Gate()), (8, 4, 4))
    moves = [[op for op in facts.operations if not op.macs] for facts in (plain, summed, gated)]

    assert [len(found) for found in moves] == [0, 1, 3]
    assert moves[1][0].activations == 3 * 8 * 4 * 4  # two maps read, one written
    assert [op.name for op in moves[2]] == ["mean", "mul", "add"]
    assert moves[2][1].activations == 2 * 16 * 4 * 4 + 16


def test_counting_needs_no_memory() -> None:
    facts = cost(Conv(4096, kernel=3), (4096, 2048, 2048))  # 2.8 TB if it were real

    assert facts.macs == 4096 * 2048 * 2048 * 4096 * 9
