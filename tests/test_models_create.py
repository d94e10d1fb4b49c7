"""Networks by name, and what predicts."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from mobilevision import zoo
from mobilevision.data.preprocessing import Preprocessing
from mobilevision.errors import InputError, UsageError
from mobilevision.models import Model, create_model, open_model
from mobilevision.network import Features, Network
from mobilevision.run import Run
from mobilevision.weights.keys import TORCHVISION_V3, renamed
from mobilevision.weights.save import save_model, save_weights

SMALL = "mobilenetv3_small_050"
V2_FILE = "mobilenet_v2-b0353104.pth"


def test_a_name_and_an_arch_give_the_same_network() -> None:
    one, two = create_model(SMALL, num_classes=3), create_model(zoo.arch(SMALL), num_classes=3)
    assert isinstance(one, Network)
    assert one.arch == two.arch
    assert one(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    assert one.labels == ("0", "1", "2")
    assert one.preprocessing == Preprocessing()


def test_no_classes_give_the_embedding() -> None:
    network = create_model(SMALL, num_classes=0).eval()
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, network.num_features)
    assert network.labels == ()


def test_grey_networks_expect_grey_pictures_and_others_none() -> None:
    assert create_model(SMALL, in_chans=1).preprocessing.channels == 1
    assert create_model(SMALL, in_chans=5).preprocessing is None


def test_maps_are_given_fine_to_coarse_and_chosen_by_index() -> None:
    network = create_model(SMALL, features_only=True).eval()
    assert isinstance(network, Features)
    assert network.feature_info.reduction() == [2, 4, 8, 16, 32]
    some = create_model(SMALL, features_only=True, out_indices=(-1, 1)).eval()
    assert some.feature_info.reduction() == [4, 32]
    assert [tuple(x.shape[2:]) for x in some(torch.zeros(1, 3, 64, 64))] == [(16, 16), (2, 2)]


def test_maps_have_the_weights_of_the_whole_network(tmp_path: Path) -> None:
    source = create_model(SMALL).eval()
    path = save_weights(source, tmp_path / "weights.safetensors")
    maps = create_model(SMALL, pretrained=path, features_only=True, out_indices=(0, 3)).eval()
    x = torch.randn(1, 3, 64, 64)
    whole = source.features(x)
    for one, other in zip(maps(x), (whole[0], whole[3]), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("mobilenetv2_101", {}, "did you mean mobilenetv2_1"),
        (SMALL, {"pretrained": "lamb"}, "did you mean lamb_in1k"),
        (SMALL, {"pretrained": "nowhere/x.pth"}, "there is no file or folder nowhere/x.pth"),
        (f"{SMALL}.nothing", {}, "has no weights 'nothing'"),
        ("mobilenetv2_035", {"pretrained": True}, "no weights are published"),
        (SMALL, {"out_indices": (1,)}, "features_only"),
        (SMALL, {"features_only": True, "out_indices": (7,)}, "not among the 5 maps"),
    ],
)
def test_what_does_not_exist_is_said_with_what_is_near(name: str, options: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        create_model(name, **options)  # type: ignore[call-overload]


def test_a_file_of_torchvisions_names_brings_torchvisions_preprocessing_and_epsilon(tmp_path: Path) -> None:
    state = renamed(Network(zoo.arch("mobilenetv3_small_100")), TORCHVISION_V3)
    torch.save(state, tmp_path / "some.pth")
    network = create_model("mobilenetv3_small_100", pretrained=tmp_path / "some.pth")
    assert network.arch.eps == 1e-3
    assert network.preprocessing == Preprocessing()
    assert network.labels[-1] == "toilet tissue"


def test_the_name_of_a_file_tells_which_of_a_publishers_weights_it_is(tmp_path: Path) -> None:
    state = renamed(Network(zoo.arch("mobilenetv3_large_100")), TORCHVISION_V3)
    torch.save(state, tmp_path / "mobilenet_v3_large-5c1a4163.pth")
    network = create_model("mobilenetv3_large_100", pretrained=tmp_path / "mobilenet_v3_large-5c1a4163.pth")
    assert network.preprocessing.crop == 224 / 232


def test_our_own_file_brings_its_labels_preprocessing_padding_and_class_count(tmp_path: Path) -> None:
    source = create_model(zoo.arch(SMALL, padding="same"), num_classes=2)
    source.labels, source.preprocessing = ("left", "right"), Preprocessing((48, 64), crop=1.0)
    path = save_weights(source, tmp_path / "own.safetensors")
    network = create_model(SMALL, pretrained=str(path))
    assert (network.labels, network.preprocessing) == (source.labels, source.preprocessing)
    assert (network.outputs, network.arch.padding) == (2, "same")
    with pytest.warns(UserWarning, match="start afresh"):
        other = create_model(SMALL, pretrained=path, num_classes=4)
    assert other.labels == ("0", "1", "2", "3")


@pytest.fixture
def model(tmp_path: Path) -> Model:
    source = create_model(SMALL, num_classes=3)
    source.labels, source.preprocessing = ("red", "green", "blue"), Preprocessing((32, 32))
    return open_model(save_model(source, tmp_path / "model"))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for i, color in enumerate(("red", "green", "blue")):
        Image.new("RGB", (40, 50), color).save(folder / f"{i}.png")
    return folder


def test_one_picture_gives_one_prediction_and_several_give_a_list(model: Model, pictures: Path) -> None:
    one = model.predict(pictures / "0.png", topk=2)
    assert one.file == str(pictures / "0.png")
    assert set(one.labels) < {"red", "green", "blue"}
    assert len(one.scores) == 2
    assert 0 < one.scores[1] <= one.scores[0] < 1
    image = model.predict(Image.open(pictures / "0.png"))
    assert (image.file, image.scores[:2]) == ("", one.scores)
    several = model.predict(pictures)
    assert [Path(told.file).name for told in several] == ["0.png", "1.png", "2.png"]
    assert model.predict([pictures / "1.png", pictures / "0.png"])[1].scores[:2] == pytest.approx(one.scores)


def test_pictures_of_a_folder_that_cannot_be_read_are_left_out_with_the_reason(model: Model, pictures: Path) -> None:
    (pictures / "1.png").write_text("no picture")
    with pytest.warns(UserWarning, match=r"left out: .*1.png"):
        told = model.predict(pictures)
    assert [Path(one.file).name for one in told] == ["0.png", "2.png"]
    with pytest.raises(InputError, match=r"1.png"):
        model.predict(pictures / "1.png")
    with pytest.raises(UsageError, match="there is no picture"):
        model.predict(pictures / "9.png")


def test_a_run_is_opened_with_its_task_and_best_weights(tmp_path: Path, pictures: Path) -> None:
    source = create_model(SMALL, num_classes=2)
    source.labels, source.preprocessing = ("day", "night"), Preprocessing((32, 32))
    run, facts = Run(tmp_path / "run"), source.preprocessing.facts()
    run.begin(
        source.arch, task={"task": "classify", "labels": ["day", "night"], "multilabel": True, "preprocessing": facts}
    )
    save_weights(source, run.best)
    model = open_model(tmp_path / "run")
    assert model.task.multilabel
    assert (model.labels, model.preprocessing) == (("day", "night"), source.preprocessing)
    told = model.predict(pictures / "0.png")
    with torch.no_grad():
        x = source.preprocessing.tensor(Image.open(pictures / "0.png"))[None]
        assert told.scores == pytest.approx(sorted(source.eval()(x).sigmoid()[0].tolist(), reverse=True), rel=1e-5)
    again = create_model(SMALL, pretrained=tmp_path / "run")
    assert again.labels == ("day", "night")


def test_a_folder_that_is_neither_run_nor_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run"):
        open_model(tmp_path)


def test_torchvisions_imagenet_weights_name_the_six_photos(real_data: Path) -> None:
    model = open_model("mobilenetv2_100", weights=real_data / "weights" / V2_FILE)
    told = {Path(one.file).stem.partition("_")[2]: one for one in model.predict(real_data / "photos")}
    expected = {  # published beside the photos; decoders and resizing differ a little
        "chelsea": ("Egyptian cat", 0.71),
        "coffee": ("espresso", 0.99),
        "parrot": ("macaw", 1.00),
        "hot_dog": ("hotdog", 0.74),
        "dragonfly": ("dragonfly", 0.83),
        "bird": ("chickadee", 1.00),
    }
    assert {name: one.label for name, one in told.items()} == {name: label for name, (label, _) in expected.items()}
    for name, (_, score) in expected.items():
        assert told[name].score == pytest.approx(score, abs=0.03)


def test_torchvisions_imagenet_weights_score_as_torchvisions_own_network(real_data: Path) -> None:
    from torchvision.models import MobileNet_V2_Weights, mobilenet_v2

    state = torch.load(real_data / "weights" / V2_FILE, weights_only=True)
    theirs = mobilenet_v2().eval()
    theirs.load_state_dict(state)
    ours = create_model("mobilenetv2_100", pretrained=real_data / "weights" / V2_FILE).eval()
    with Image.open(real_data / "photos" / "skimage_chelsea.jpg") as image, torch.no_grad():
        one = ours(ours.preprocessing.tensor(image)[None])
        other = theirs(MobileNet_V2_Weights.IMAGENET1K_V1.transforms()(image)[None])
    assert (one - other).abs().max() <= 1e-5 * other.abs().max()
