"""The table of published weights, where they come from, and how they are found in caches."""

import json
from pathlib import Path

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import save_file

from mobilevision import zoo
from mobilevision.cost import params
from mobilevision.errors import InputError, MissingError, UsageError
from mobilevision.models import create_model
from mobilevision.network import Network
from mobilevision.weights.keys import EMO, TIMM, renamed
from mobilevision.weights.published import Published, find, published, published_for
from mobilevision.weights.save import save_model
from mobilevision.weights.sources import Download, Hub

SMALL = "mobilenetv3_small_050"
TIMMS = [one for one in published() if isinstance(one.source, Hub)]


def test_every_row_is_of_a_network_that_exists_and_has_a_name_of_its_own() -> None:
    names = [one.name for one in published()]
    assert len(set(names)) == len(names)
    assert all(zoo.arch(one.arch).name == one.arch for one in published())


@pytest.mark.parametrize("one", TIMMS, ids=lambda one: one.name)
def test_a_tag_expects_what_timm_says_it_expects(one: Published) -> None:
    timm = pytest.importorskip("timm")
    assert isinstance(one.source, Hub)
    cfg = timm.models.get_pretrained_cfg(one.source.name.removeprefix("timm/"))
    told = one.preprocessing
    assert cfg.hf_hub_id == one.source.name
    assert ((3, *told.size), told.mean, told.std) == (cfg.input_size, cfg.mean, cfg.std)
    assert (told.crop, told.interpolation, one.classes) == (cfg.crop_pct, cfg.interpolation, cfg.num_classes)
    assert one.licence is not None
    assert one.licence.lower() == cfg.license
    if cfg.test_input_size:
        assert one.better is not None
        assert ((3, *one.better.size), one.better.crop) == (cfg.test_input_size, cfg.test_crop_pct)
    else:
        assert one.better is None


def test_every_tag_that_timm_has_for_our_networks_is_there() -> None:
    timm = pytest.importorskip("timm")
    ours = {one.source.name for one in TIMMS if isinstance(one.source, Hub)}
    known = set(zoo.list_models())
    theirs = {f"timm/{name}" for name in timm.list_pretrained() if name.split(".")[0].removeprefix("tf_") in known}
    assert ours == theirs


@pytest.mark.parametrize("arch", sorted({one.arch for one in TIMMS}))
def test_the_usual_weights_are_timms_usual_ones(arch: str) -> None:
    timm = pytest.importorskip("timm")
    cfg = timm.models.get_pretrained_cfg(arch) if timm.is_model(arch) else None
    if cfg is not None and cfg.hf_hub_id:
        assert find(arch).tag == cfg.tag


def test_torchvisions_rows_are_those_of_torchvision() -> None:
    from torchvision import models
    from torchvision.models import get_model_weights

    rows = {one.source.url: one for one in published() if isinstance(one.source, Download) and one.naming is not EMO}
    rows = {url: one for url, one in rows.items() if one.top1 is not None}
    names = [*models.list_models(module=models, include=["mobilenet*", "mnasnet*"])]
    weights = [weight for name in names for weight in get_model_weights(name)]
    assert {weight.url for weight in weights} == set(rows)
    for weight in weights:
        one, expects = rows[weight.url], weight.transforms()
        metrics = weight.meta["_metrics"]["ImageNet-1K"]
        assert (one.tag, one.top1, one.top5) == (weight.name, metrics["acc@1"], metrics["acc@5"])
        assert list(one.preprocessing.size) == expects.crop_size * 2
        assert [round(one.preprocessing.size[0] / one.preprocessing.crop)] == expects.resize_size
        assert (list(one.preprocessing.mean), list(one.preprocessing.std)) == (expects.mean, expects.std)
        assert one.preprocessing.interpolation == expects.interpolation.value


def test_torchvisions_detector_and_segmenters_are_there() -> None:
    from torchvision.models import get_model_weights

    for name in ("ssdlite320_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "deeplabv3_mobilenet_v3_large"):
        (weight,) = get_model_weights(name)
        one = find(name)
        assert isinstance(one.source, Download)
        assert (one.source.url, one.tag) == (weight.url, weight.name)
        assert one.classes == len(weight.meta["categories"]) - ("ssd" in name)  # the detector's first is its background
        assert params(zoo.arch(name), one.classes) == weight.meta["num_params"]


def test_emos_weights_score_what_their_authors_found() -> None:
    # top-1 of arXiv:2301.01146, table 4, and top-5 of the authors' logs, in percent
    scores = {"1m": (71.498, 90.368), "2m": (75.134, 92.184), "5m": (78.422, 93.970), "6m": (78.988, 94.162)}

    emos = [one for one in published() if one.naming is EMO]

    assert {one.arch: (one.top1, one.top5) for one in emos} == {f"emo_{size}": told for size, told in scores.items()}


def test_tensorflows_weights_set_their_padding_and_epsilon() -> None:
    arch = find("mobilenetv3_large_100", "in1k").fitted(zoo.arch("mobilenetv3_large_100"))
    assert (arch.padding, arch.eps) == ("same", 1e-3)
    arch = find("mobilenetv3_large_100", "IMAGENET1K_V2").fitted(zoo.arch("mobilenetv3_large_100"))
    assert (arch.padding, arch.eps) == ("torch", 1e-3)
    assert zoo.arch("mobilenetv3_rw").eps == 1e-3


def test_an_unknown_tag_names_the_known_ones() -> None:
    with pytest.raises(UsageError, match="did you mean ra_in1k"):
        find("mobilenetv2_100", "ra_in1")
    with pytest.raises(UsageError, match="no weights are published for mobilenetv2_035"):
        find("mobilenetv2_035")
    assert published_for("mobilenetv2_035") == ()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "torch"))
    return tmp_path / "hub"


def cached(hub: Path, name: str) -> Path:
    """The folder of a repository in the hub's cache, laid out as the hub's client lays it out."""
    top = hub / f"models--{name.replace('/', '--')}"
    (top / "refs").mkdir(parents=True)
    (top / "refs" / "main").write_text("0123abcd")
    folder = top / "snapshots" / "0123abcd"
    folder.mkdir(parents=True)
    return folder


def test_published_weights_come_from_the_hubs_cache_when_offline(hub: Path) -> None:
    source = Network(zoo.arch(SMALL))
    save_file(renamed(source, TIMM), cached(hub, f"timm/{SMALL}.lamb_in1k") / "model.safetensors")
    for pretrained in (True, "lamb_in1k"):
        network = create_model(SMALL, pretrained=pretrained)
        assert torch.equal(network.head.scores.weight, source.head.scores.weight)
        assert network.preprocessing == find(SMALL).preprocessing
        assert network.labels[:2] == ("tench", "goldfish")
    named = create_model(f"{SMALL}.lamb_in1k", pretrained=True)
    assert torch.equal(named.head.scores.weight, source.head.scores.weight)


def test_cached_weights_are_not_asked_for_again(hub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = cached(hub, f"timm/{SMALL}.lamb_in1k") / "model.safetensors"
    path.write_bytes(b"")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr("mobilevision.weights.sources.hf_hub_download", None)
    source = find(SMALL).source
    assert source.file() == path


def test_what_is_neither_cached_nor_within_reach_is_one_sentence(hub: Path) -> None:
    with pytest.raises(MissingError, match=r"model.safetensors of timm/mobilenetv3_small_050.lamb_in1k .*pretrained="):
        create_model(SMALL, pretrained=True)
    with pytest.raises(MissingError, match=r"mobilenet_v2-7ebf99e0.pth is not at .*put it there"):
        create_model("mobilenetv2_100", pretrained="IMAGENET1K_V2")
    with pytest.raises(MissingError, match=r"config.json of someone/something"):
        create_model(SMALL, pretrained="hf-hub:someone/something")
    with pytest.raises(UsageError, match="owner/name"):
        create_model(SMALL, pretrained="hf-hub:a/b/c/d")


def test_torchvisions_weights_come_from_torchs_cache(hub: Path) -> None:
    path = find("mobilenetv3_small_100", "IMAGENET1K_V1").source
    assert isinstance(path, Download)
    path.path.parent.mkdir(parents=True)
    from torchvision.models import mobilenet_v3_small

    source = mobilenet_v3_small()
    torch.save(source.state_dict(), path.path)
    network = create_model("mobilenetv3_small_100", pretrained="IMAGENET1K_V1").eval()
    assert network.arch.eps == 1e-3
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(network(x), source.eval()(x))


def test_the_hub_gives_our_own_format(hub: Path) -> None:
    source = Network(zoo.arch(SMALL, padding="same"), 3)
    source.labels = ("cat", "dog", "owl")
    save_model(source, cached(hub, "someone/pets"))
    for name in (SMALL, "hf-hub:someone/pets"):
        network = create_model(name, pretrained="hf-hub:someone/pets")
        assert network.labels == ("cat", "dog", "owl")
        assert network.arch.padding == "same"
        assert torch.equal(network.head.scores.weight, source.head.scores.weight)


def test_the_hub_gives_timms_format(hub: Path) -> None:
    source = Network(zoo.arch("mobilenetv3_small_minimal_100"), 2)
    folder = cached(hub, "someone/tf")
    save_file(renamed(source, TIMM), folder / "model.safetensors")
    cfg = {
        "input_size": [3, 96, 128],
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "crop_pct": 0.9,
        "interpolation": "bicubic",
        "label_names": ["yes", "no"],
    }
    config = {"architecture": "tf_mobilenetv3_small_minimal_100", "num_classes": 2, "pretrained_cfg": cfg}
    (folder / "config.json").write_text(json.dumps(config))
    network = create_model("hf-hub:someone/tf", pretrained=True)
    assert (network.arch.padding, network.arch.eps, network.labels) == ("same", 1e-3, ("yes", "no"))
    told = network.preprocessing
    assert (told.size, told.mean, told.crop, told.interpolation) == ((96, 128), (0.5, 0.5, 0.5), 0.9, "bicubic")


@pytest.mark.parametrize("text", ["{", "[]", '{"architecture": "mobilenetv3_small_050"}', '{"arch": {}}'])
def test_a_broken_config_gets_a_sentence(hub: Path, text: str) -> None:
    folder = cached(hub, "someone/broken")
    (folder / "config.json").write_text(text)
    save_file(renamed(Network(zoo.arch(SMALL), 2), TIMM), folder / "model.safetensors")
    with pytest.raises(InputError):
        create_model(SMALL, pretrained="hf-hub:someone/broken")
