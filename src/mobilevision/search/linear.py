"""A price that is linear in one-hot features, as TuNAS has it (arXiv:2008.06120, section on the cost model).

A feature is a block at its place on the shape that it meets there: the product of a layer's operation with the channels
that come in and go out. Each has a weight; a network's price is the sum of those of its blocks and a constant. The
weights are fitted to the prices of networks drawn at random: to sums of rows, as TuNAS does, or to measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mobilevision.architecture import Arch, Place
from mobilevision.blocks import Block, Head
from mobilevision.cost import walk
from mobilevision.errors import InputError, UsageError

Feature = tuple[Place, Block | Head, tuple[Any, ...]]
"""A block or head where it stands, on what it takes."""


def features(arch: Arch, *, outputs: int = 1000) -> list[Feature]:
    """The features that a network has; every other feature of its space it has not."""
    return [(row.place, row.block, row.shape) for row in walk(arch, outputs=outputs)]


@dataclass(frozen=True)
class OneHot:
    """A price by one-hot features.

    Attributes:
        base: what every network costs, in the unit of the prices it was fitted to.
        weights: what each feature adds to that.
        outputs: of the head.
    """

    base: float
    weights: dict[Feature, float]
    outputs: int = 1000

    def __call__(self, arch: Arch) -> float:
        """The price of a network.

        Raises:
            InputError: if it has a feature that was in no network of the fit.
        """
        try:
            return self.base + sum(self.weights[feature] for feature in features(arch, outputs=self.outputs))
        except KeyError as error:
            place, block, shape = error.args[0]
            raise InputError(f"no network of the fit has {block} on {shape} at {place}; fit more networks") from None


def fit_one_hot(archs: Sequence[Arch], prices: Sequence[float], *, outputs: int = 1000, pull: float = 1e-6) -> OneHot:
    """Weights by least squares of relative errors.

    Args:
        archs: networks drawn at random, so many that every feature is seen often.
        prices: of each, positive.
        outputs: of the head.
        pull: of weights towards zero, as a share of the mean price, which decides among weights that fit alike.

    Raises:
        UsageError: if there are no networks, or a price is not positive.
    """
    if not archs or len(archs) != len(prices) or min(prices) <= 0:
        raise UsageError(f"{len(prices)} prices of {len(archs)} networks cannot be fitted; give positive ones")
    seen = [features(arch, outputs=outputs) for arch in archs]
    column = {feature: i for i, feature in enumerate(dict.fromkeys(feature for each in seen for feature in each))}
    paid = np.asarray(prices, dtype=np.float64)
    hot = np.zeros((len(archs), len(column)))
    for row, each in zip(hot, seen, strict=True):
        row[[column[feature] for feature in each]] = 1.0
    base = float(1 / np.mean(1 / paid))
    scaled, wanted = hot / paid[:, None], 1 - base / paid
    size = np.eye(len(archs)) * pull / float(paid.mean()) ** 2
    weights = scaled.T @ np.linalg.solve(scaled @ scaled.T + size, wanted)
    return OneHot(base, dict(zip(column, weights.tolist(), strict=True)), outputs)
