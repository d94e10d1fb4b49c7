"""What is done before a file is in 8 bits: ranges that err least, channels made alike, shifts taken back."""

from collections.abc import Callable, Iterator
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import fx, nn

from mobilevision.deploy.equalize import MOST, correct_, equalize_
from mobilevision.deploy.integers import integer_form
from mobilevision.deploy.prepare import deployable
from mobilevision.deploy.ranges import BINS, ESTIMATORS, Histogram, estimate
from mobilevision.deploy.simulate import Ranges, Watched, convolution, rounded, rounded_weight, rounds, sensitivity
from mobilevision.deploy.streams import read_streams, traced
from mobilevision.network import Network
from test_deploy_prepare import trained


def integer_network(name: str) -> Network:
    return integer_form(deployable(trained(name))).eval()


def rounded_scores(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    """What a file in 8 bits would give, with ranges from the same pictures."""
    graph = traced(network)
    ranges = Ranges(graph).see(pictures)
    exact = {conv: conv.weight.clone() for conv in network.modules() if isinstance(conv, nn.Conv2d)}
    with torch.no_grad():
        for conv in exact:
            conv.weight.copy_(rounded_weight(conv.weight))
        found = Watched(graph, lambda n, v: ranges.rounded(n, v) if rounds(graph, n) else v).run(pictures)
        for conv, weight in exact.items():
            conv.weight.copy_(weight)
    return found


DRAWS = {
    "normal": lambda chance: chance.normal(size=100_000),
    "one far value": lambda chance: np.append(chance.normal(size=100_000), 40.0),
    "heavy tails": lambda chance: chance.standard_t(3, size=100_000),
    "behind a ReLU": lambda chance: np.maximum(chance.normal(size=100_000), 0),
    "behind a ReLU6": lambda chance: np.clip(chance.normal(3, 4, size=100_000), 0, 6),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_no_estimator_errs_less_in_the_mean_square_than_mse(draw: Callable[[np.random.Generator], np.ndarray]) -> None:
    values = draw(np.random.default_rng(0)).astype(np.float32)

    def tensors() -> Iterator[dict[str, np.ndarray]]:
        yield {"map": values}

    def error(name: str) -> float:
        low, high = estimate(tensors, ESTIMATORS[name])["map"]
        return float((rounded(torch.from_numpy(values), low, high) - torch.from_numpy(values)).square().mean())

    assert estimate(tensors, ESTIMATORS["minmax"])["map"] == (values.min(), values.max())
    assert error("mse") <= min(error("minmax"), error("percentile")) * 1.02  # a histogram's parts are not its values


def test_mse_finds_the_best_end_of_a_range_that_begins_at_0() -> None:
    counts = np.exp(-np.arange(BINS) / 150)
    counts[-1] = 1e-3
    seen = Histogram(0.0, 1.0, counts)
    ends = np.linspace(1, 0.2, 64)
    errors = [float((counts * (_held(seen.values, end) - seen.values) ** 2).sum()) for end in ends]
    assert 0 < int(np.argmin(errors)) < 63
    assert ESTIMATORS["mse"](seen) == (0.0, pytest.approx(ends[int(np.argmin(errors))]))


def _held(values: np.ndarray, end: float) -> np.ndarray:
    return np.clip(np.round(values / end * 255), 0, 255) * end / 255


@pytest.mark.parametrize("estimator", ESTIMATORS.values())
def test_a_tensor_that_is_constant_has_a_range(estimator: object) -> None:
    low, high = estimator(Histogram(2.0, 2.000001, np.eye(1, BINS)[0]))
    assert low <= high


def test_rounding_keeps_zero_and_errs_by_half_a_step() -> None:
    x = torch.linspace(-1, 3, 1000)
    assert rounded(torch.zeros(1), -1, 3).item() == 0
    assert (rounded(x, -1, 3) - x).abs().max() <= 0.5 * 4 / 255 * 1.01 + 4 / 255 * 0.5


@pytest.mark.parametrize("name", ["mobilenetv2_035", "mobilenetv3_small_050", "mobilenetv4_conv_small_035"])
def test_equalizing_changes_no_score_on_the_pictures_seen(name: str) -> None:
    network, pictures = integer_network(name), torch.randn(8, 3, 64, 64)
    with torch.no_grad():
        before = network(pictures)
        assert equalize_(network, pictures) > 10
        after = network(pictures)
    assert (after - before).abs().max() <= 1e-4 * before.abs().max()


def stretch_(network: nn.Module, factor: Callable[[int], torch.Tensor]) -> None:
    """Give the channels of every stream without a ReLU6 other factors, without a change in the scores."""
    for stream in read_streams(traced(network)):
        if stream.free and stream.writers and not stream.sources and not stream.clipped:
            stream.rescale_(factor(stream.writers[0].out_channels))


def test_equalizing_takes_back_what_unlike_channels_cost() -> None:
    """A factor enters the range of a channel once up and the weights that read it once down; their mean forgets it."""
    network, pictures = integer_network("mobilenetv4_conv_small_035"), torch.randn(8, 3, 64, 64)
    other = deepcopy(network)
    stretch_(other, lambda channels: torch.logspace(-0.6, 0.6, channels)[torch.randperm(channels)])
    with torch.no_grad():
        right = network(pictures)
    unlike = (rounded_scores(other, pictures) - right).norm()
    for each in (network, other):
        equalize_(each, pictures)
    alike, again = ((rounded_scores(each, pictures) - right).norm() for each in (network, other))
    assert unlike > 2 * alike
    assert again - alike < (unlike - alike) / 4  # the same, but for what falls between two steps here and not there


def test_a_convolution_without_a_bias_is_corrected_too() -> None:
    network, pictures = integer_network("emo_1m"), torch.randn(2, 3, 32, 32)
    bare = [part for part in network.modules() if isinstance(part, nn.Conv2d) and part.bias is None]
    correct_(network, pictures)
    assert bare
    assert all(part.bias is not None and part.bias.any() for part in bare)


def test_correcting_gives_each_channel_of_the_rounded_network_its_mean_back() -> None:
    network, pictures = integer_network("mobilenetv2_035"), torch.randn(8, 3, 64, 64)
    graph = traced(network)
    ranges, right = Ranges(graph).see(pictures), means(network, pictures)
    before = means(network, pictures, ranges)
    correct_(network, pictures)
    after = means(network, pictures, ranges)
    shifts, left = (max((found[name] - right[name]).abs().max() for name in right) for found in (before, after))
    assert left <= shifts / 50  # a value between two steps may fall to the other


@torch.no_grad()
def means(network: nn.Module, pictures: torch.Tensor, ranges: Ranges | None = None) -> dict[str, torch.Tensor]:
    """The mean of each channel of each convolution; with ranges, in the rounded network."""
    graph, found = traced(network), {}
    exact = {conv: conv.weight.clone() for conv in network.modules() if isinstance(conv, nn.Conv2d)}

    def note(node: fx.Node, value: torch.Tensor) -> torch.Tensor:
        if convolution(graph, node):
            found[node.name] = value.mean((0, 2, 3))
        return ranges.rounded(node, value) if ranges and rounds(graph, node) else value

    for conv in exact if ranges else ():
        conv.weight.copy_(rounded_weight(conv.weight))
    Watched(graph, note).run(pictures)
    for conv, weight in exact.items():
        conv.weight.copy_(weight)
    return found


def test_a_layer_with_one_far_channel_is_the_most_sensitive_until_it_is_equalized() -> None:
    network, pictures = integer_network("mobilenetv4_conv_small_035"), torch.randn(4, 3, 64, 64)
    other = deepcopy(network)
    (stream, *_) = [each for each in read_streams(traced(other)) if each.free and len(each.writers) == 1]
    names = {module: name for name, module in other.named_modules()}
    (conv,) = stream.writers
    stream.rescale_(torch.tensor([MOST / 2] + [1.0] * (conv.out_channels - 1)))  # no further than a factor reaches
    found = sensitivity(other, pictures)
    assert found[0]["layer"] == names[conv]
    assert sorted(each["place"] for each in found) == list(range(len(found)))
    losses = []
    for each in (network, other):
        equalize_(each, pictures)
        losses += [lost["divergence"] for lost in sensitivity(each, pictures) if lost["layer"] == names[conv]]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)  # as if the channel had never been far
    assert losses[1] < found[0]["divergence"] / 10
