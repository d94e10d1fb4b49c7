"""Weights into networks: every tensor accounted for, nothing that can run, and what does not fit is said."""

import os
import pickle
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from mobilevision import zoo
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.network import Network
from mobilevision.weights.keys import TIMM, TORCHVISION_V3, recognized, renamed
from mobilevision.weights.load import load_weights_, to_channels
from mobilevision.weights.read import read_facts, read_state
from mobilevision.weights.save import facts_of, save_model, save_weights

NAME = "mobilenetv3_small_050"


def network(outputs: int = 5, *, channels: int = 3, seed: int = 0) -> Network:
    torch.manual_seed(seed)
    return Network(zoo.arch(NAME), outputs, channels=channels).eval()


def same(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(x, y) for x, y in pairs)


@pytest.fixture(scope="module")
def source() -> Network:
    return network(seed=7)


def test_weights_of_the_same_network_are_copied_without_a_word(source: Network) -> None:
    target = network()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = load_weights_(target, renamed(source, TIMM))
    assert (report.naming, report.fresh, report.notes) == ("timm", (), ())
    assert report.tensors == len(target.state_dict())
    assert same(source, target)


def test_another_class_count_starts_the_scores_afresh_alone_and_says_so(source: Network) -> None:
    target = network(9)
    before = target.head.scores.weight.clone()
    with pytest.warns(UserWarning, match="score 5 classes, the network 9"):
        report = load_weights_(target, renamed(source, TIMM))
    assert report.fresh == ("head.scores.weight", "head.scores.bias")
    assert target.head.scores.weight.shape == (9, 1024)
    assert not torch.equal(before, target.head.scores.weight)
    ours, theirs = target.state_dict(), source.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in ours if key not in report.fresh)


def test_weights_without_scores_start_them_afresh(source: Network) -> None:
    state = {key: tensor for key, tensor in source.state_dict().items() if not key.startswith("head.scores")}
    with pytest.warns(UserWarning, match="score no classes, the network 5"):
        report = load_weights_(network(), state)
    assert len(report.fresh) == 2


def test_an_embedding_network_takes_all_but_the_scores(source: Network) -> None:
    report = load_weights_(network(0), renamed(source, TORCHVISION_V3))
    assert (report.naming, report.notes) == ("torchvision", ())


@pytest.mark.parametrize("channels", [1, 4, 6])
def test_a_picture_of_equal_channels_gives_what_the_grey_picture_gave(source: Network, channels: int) -> None:
    target = network(channels=channels)
    with pytest.warns(UserWarning, match=f"made for 3 channels and adapted to {channels}"):
        load_weights_(target, source.state_dict())
    grey = torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        first = source.stages[0](grey.expand(1, 3, 32, 32))
        # four channels of three repeat one filter more than the others, so only the sum over whole repeats is equal
        ours = target.stages[0](grey.expand(1, channels, 32, 32))
    if channels != 4:
        torch.testing.assert_close(ours, first)
    assert ours.shape == first.shape


def test_the_first_convolution_is_adapted_as_timm_does() -> None:
    adapt = pytest.importorskip("timm.models").adapt_input_conv
    weight = torch.randn(8, 3, 3, 3)
    for channels in (1, 2, 4, 5, 6):
        torch.testing.assert_close(to_channels(weight, channels), adapt(channels, weight.clone()))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": state},
        lambda state: {"model": {"weight": torch.zeros(1)}, "state_dict_ema": state, "optimizer": {"lr": 0.1}},
        lambda state: {f"module.{key}": tensor for key, tensor in state.items()},
        lambda state: {"state_dict": {f"module._orig_mod.{key}": tensor for key, tensor in state.items()}},
    ],
)
def test_what_wraps_the_weights_is_taken_off(source: Network, wrap: Any, tmp_path: Path) -> None:
    torch.save(wrap(renamed(source, TIMM)), tmp_path / "checkpoint.pth")
    target = network()
    load_weights_(target, tmp_path / "checkpoint.pth")
    assert same(source, target)


def test_old_files_without_counters_and_old_torch_formats_are_read(source: Network, tmp_path: Path) -> None:
    state = {key: x for key, x in renamed(source, TIMM).items() if not key.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    target = network()
    load_weights_(target, tmp_path / "old.pt")
    assert same(source, target)


def test_half_precision_weights_are_widened(source: Network) -> None:
    target = network()
    load_weights_(target, {key: x.half() if x.is_floating_point() else x for key, x in source.state_dict().items()})
    assert target.head.scores.weight.dtype == torch.float32
    torch.testing.assert_close(target.head.scores.weight, source.head.scores.weight, atol=1e-4, rtol=1e-3)


def test_what_is_missing_and_what_is_left_over_is_listed_and_nothing_is_copied(source: Network) -> None:
    state = renamed(source, TIMM)
    del state["blocks.1.0.conv_pw.weight"]
    state |= {f"extra.{i}": torch.zeros(1) for i in range(5)}
    target, untouched = network(), network()
    told = r"1 of its tensors are missing \(blocks.1.0.conv_pw.weight\) and 5 are left over \(extra.0, .*\.\.\.\)"
    with pytest.raises(InputError, match=told):
        load_weights_(target, state)
    assert same(target, untouched)


def test_weights_of_another_width_are_refused_with_the_shapes() -> None:
    other = Network(zoo.arch("mobilenetv3_small_075"), 5)
    with pytest.raises(InputError, match=r"another shape \(stages.+ is \(\d+,.* for \("):
        load_weights_(network(), renamed(other, TIMM))


@pytest.mark.parametrize("key", ["conv_stem.weight", "bn1.bias"])
def test_a_tensor_without_axes_is_refused(source: Network, key: str) -> None:
    with pytest.raises(InputError, match="1 of them have another shape"):
        load_weights_(network(), renamed(source, TIMM) | {key: torch.tensor(1.0)})


def test_weights_under_unknown_names_are_refused() -> None:
    with pytest.raises(InputError, match=r"timm, torchvision, emo does it have encoder.weight"):
        load_weights_(network(), {"encoder.weight": torch.zeros(1)})


class Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("archive", [True, False])
def test_a_pickle_that_wants_to_run_code_is_refused_and_does_not_run(tmp_path: Path, archive: bool) -> None:
    path, mark = tmp_path / "weights.pth", tmp_path / "ran"
    torch.save({"state_dict": Malicious(mark)}, path, _use_new_zipfile_serialization=archive)
    with pytest.raises(InputError, match=r"wants to run posix.mkdir .* ask its author for .safetensors"):
        load_weights_(network(), path)
    assert not mark.exists()


def test_a_bare_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps(Malicious(tmp_path / "ran")))
    with pytest.raises(InputError):
        read_state(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"just some text", b"PK\x03\x04 cut off"])
def test_a_file_that_holds_no_tensors_gets_a_sentence(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=name):
        read_state(tmp_path / name)


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_truncated_file_gets_a_sentence(source: Network, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    (save_file if path.suffix == ".safetensors" else torch.save)(dict(source.state_dict()), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=name):
        read_state(path)


def test_too_little_memory_for_weights_is_not_called_damage(
    source: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise MemoryError

    torch.save(dict(source.state_dict()), tmp_path / "weights.pth")
    monkeypatch.setattr(torch, "load", full)
    with pytest.raises(MemoryError):
        read_state(tmp_path / "weights.pth")


def test_a_file_that_is_not_there_and_a_checkpoint_without_tensors_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_state(tmp_path / "nowhere.pth")
    torch.save({"epoch": 3}, tmp_path / "empty.pth")
    with pytest.raises(InputError, match="holds no weights"):
        read_state(tmp_path / "empty.pth")


def test_our_own_file_tells_what_it_holds_and_has_the_same_bytes_each_time(source: Network, tmp_path: Path) -> None:
    source.labels, source.preprocessing = tuple("abcde"), Preprocessing((64, 64))
    one = save_weights(source, tmp_path / "one.safetensors", {"epoch": 3})
    two = save_weights(source, tmp_path / "two.safetensors", {"epoch": 3})
    assert one.read_bytes() == two.read_bytes()
    facts = read_facts(one)
    assert facts == facts_of(source) | {"epoch": 3}
    assert facts["labels"] == list("abcde")
    target = network()
    assert load_weights_(target, one).naming == "mobilevision"
    assert same(source, target)


def test_a_saved_folder_holds_safetensors_and_json(source: Network, tmp_path: Path) -> None:
    save_model(source, tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"config.json", "model.safetensors"}


def test_names_are_recognized_by_the_most_of_them(source: Network) -> None:
    state = renamed(source, TORCHVISION_V3)
    assert recognized(source, list(state)[:40]) is TORCHVISION_V3
