"""What a delegate takes of a file is counted from its operators."""

import pytest

from mobilevision.deploy.base import Layer
from mobilevision.deploy.coverage import coverage

CUT = (  # a file whose hard swish stays outside
    Layer("0", "TRANSPOSE", macs=0, bytes=8, piece="0"),
    Layer("1", "CONV_2D", macs=300, bytes=8, piece="0"),
    Layer("2", "HARD_SWISH", macs=0, bytes=8, piece=""),
    Layer("3", "PAD", macs=0, bytes=8, piece="1"),
    Layer("4", "CONV_2D", macs=600, bytes=8, piece="1"),
    Layer("5", "BATCH_MATMUL", macs=100, bytes=8, piece=""),
)


def test_pieces_shares_and_what_stays_outside_are_counted() -> None:
    found = coverage(CUT, "XNNPACK")
    assert (found.pieces, found.layers, found.macs, found.inside) == (2, 6, 1000, 0.9)
    assert found.outside == {"BATCH_MATMUL": 1, "HARD_SWISH": 1}
    assert (found.transposes, found.pads) == (1, 1)


@pytest.mark.parametrize(("piece", "share"), [("0", 1.0), ("", 0.0)])
def test_a_file_without_arithmetic_is_inside_or_not(piece: str, share: float) -> None:
    assert coverage([Layer("0", "RESHAPE", macs=0, bytes=8, piece=piece)], "XNNPACK").inside == share
