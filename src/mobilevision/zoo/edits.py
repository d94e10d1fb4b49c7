"""What detectors and segmenters change in the network they stand on."""

from dataclasses import replace

from mobilevision.architecture import Arch
from mobilevision.blocks import IRMB, Block, GridThenFilter, MetaBlock
from mobilevision.errors import UsageError


def reduced_tail(arch: Arch) -> Arch:
    """The same network with half the channels behind its last stride (MobileNetV3 for detection).

    A thousand classes need them, ninety do not (arXiv:1905.02244, section 6.3). Blocks keep their expansion, so that
    the halved ones are narrower inside as well, but for the first: as torchvision has it.

    Raises:
        UsageError: if nothing is halved.
    """
    places = list(arch.places())
    halving = [place for place, block in places if block.stride > 1]
    if not halving:
        raise UsageError(f"{arch.name} never halves its map, so it has no tail to reduce")
    for place, block in places:
        if place >= halving[-1]:
            arch = arch.with_block(place, block.widened(0.5))
    return arch


def with_window(arch: Arch, side: int) -> Arch:
    """The same network whose grid attention mixes `side` x `side` pixels at a time.

    EMO's authors widen it from 7 to 10 for detection and to 16 for segmentation, where pictures are larger.

    Raises:
        UsageError: if the network has no grid attention.
    """
    wide = {place: found for place, block in arch.places() if (found := _widened(block, side)) is not None}
    if not wide:
        raise UsageError(f"{arch.name} has no grid attention, so it has no window to widen")
    for place, block in wide.items():
        arch = arch.with_block(place, block)
    return arch


def _widened(block: Block, side: int) -> Block | None:
    """The block with another window, if it has one."""
    if isinstance(block, IRMB) and block.head:
        return replace(block, window=side)
    if isinstance(block, MetaBlock) and isinstance(block.operator, GridThenFilter):
        return replace(block, operator=replace(block.operator, window=side))
    return None
