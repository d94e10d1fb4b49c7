"""Pictures with boxes: three ways to write them down give the same data, and what is wrong is told."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mobilevision.data.boxes import check_boxes, read_boxes
from mobilevision.data.scenes import BoxSample, Scenes
from mobilevision.data.shapes import write_shapes
from mobilevision.errors import InputError, UsageError

BOXES = {"a": [("cat", (2, 3, 12, 23))], "b": [("dog", (0, 0, 30, 20)), ("cat", (10, 10, 20, 18))], "c": []}
LABELS = ("cat", "dog")
WIDTH, HEIGHT = 40, 30


def picture(file: Path, seed: int, *, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)


def coco(folder: Path) -> None:
    for place, split in enumerate(("train", "val")):
        facts: dict[str, Any] = {"images": [], "annotations": []}
        facts["categories"] = [{"id": 7, "name": "dog"}, {"id": 3, "name": "cat"}]
        for n, (stem, boxes) in enumerate(BOXES.items()):
            file = f"{split}_{stem}.png"
            picture(folder / "images" / file, 10 * place + n)
            facts["images"].append({"id": n, "file_name": file, "width": WIDTH, "height": HEIGHT})
            for label, (left, top, right, bottom) in boxes:
                box = [left, top, right - left, bottom - top]
                row = {"image_id": n, "category_id": {"cat": 3, "dog": 7}[label], "bbox": box}
                facts["annotations"].append(row)
        (folder / f"{split}.json").write_text(json.dumps(facts))


def voc(folder: Path) -> None:
    sets = folder / "ImageSets" / "Main"
    sets.mkdir(parents=True)
    (folder / "Annotations").mkdir()
    for place, split in enumerate(("train", "val")):
        (sets / f"{split}.txt").write_text("\n".join(f"{split}_{stem}" for stem in BOXES))
        for n, (stem, boxes) in enumerate(BOXES.items()):
            picture(folder / "JPEGImages" / f"{split}_{stem}.png", 10 * place + n)
            things = "".join(
                f"<object><name>{label}</name><bndbox><xmin>{left + 1}</xmin><ymin>{top + 1}</ymin>"
                f"<xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>"
                for label, (left, top, right, bottom) in boxes
            )
            size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
            text = f"<annotation><filename>{split}_{stem}.png</filename>{size}{things}</annotation>"
            (folder / "Annotations" / f"{split}_{stem}.xml").write_text(text)


def yolo(folder: Path) -> None:
    for place, split in enumerate(("train", "val")):
        for n, (stem, boxes) in enumerate(BOXES.items()):
            picture(folder / "images" / split / f"{split}_{stem}.png", 10 * place + n)
            lines = [
                f"{LABELS.index(label)} {(left + right) / 2 / WIDTH} {(top + bottom) / 2 / HEIGHT}"
                f" {(right - left) / WIDTH} {(bottom - top) / HEIGHT}"
                for label, (left, top, right, bottom) in boxes
            ]
            text = folder / "labels" / split / f"{split}_{stem}.txt"
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text("\n".join(lines))
    (folder / "data.yaml").write_text("names:\n  0: cat\n  1: dog\n")


def seen(data: Scenes) -> dict[str, list[tuple[str, list[float]]]]:
    found = {}
    for sample in (*data.train, *data.validation):
        assert isinstance(sample, BoxSample)
        rows = [
            (data.labels[n], [round(side, 3) for side in box])
            for n, box in zip(sample.labels, sample.boxes, strict=True)
        ]
        found[sample.file.name] = rows
    return found


@pytest.mark.parametrize("write", [coco, voc, yolo])
def test_every_format_gives_the_same_boxes(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path)

    data = check_boxes(tmp_path)

    expected = {
        f"{split}_{stem}.png": [(label, [float(side) for side in box]) for label, box in boxes]
        for split in ("train", "val")
        for stem, boxes in BOXES.items()
    }
    assert seen(data) == expected
    assert set(data.labels) == set(LABELS)
    assert [len(part) for part in data.splits.values()] == [3, 3, 0]
    assert data.set_aside == ()
    assert read_boxes(tmp_path).digest == data.digest
    assert any("no boxes and count as background" in told for told in data.warnings)


def one(folder: Path, boxes: list[Any], *, size: tuple[int, int] = (WIDTH, HEIGHT), **more: Any) -> Path:
    """A file for nine sound pictures, and one with these boxes."""
    images, rows = [], []
    for n in range(10):
        picture(folder / f"{n}.png", n)
        images.append({"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT})
        rows.append({"image_id": n, "category_id": 1, "bbox": [5, 5, 10, 10]})
    images[9] |= {"width": size[0], "height": size[1]}
    rows += [{"image_id": 9, "category_id": 1, "bbox": box} | more for box in boxes]
    facts = {"images": images, "annotations": rows, "categories": [{"id": 1, "name": "cat"}]}
    (folder / "all.json").write_text(json.dumps(facts))
    return folder


@pytest.mark.parametrize(
    ("box", "more", "reason"),
    [
        ([20, 10, -5, 5], {}, "inverted box: 20, 10, 15, 15"),
        ([100, 100, 10, 10], {}, "lies outside the 40 x 30 pixels"),
        ([35, 5, 40, 10], {}, "lies outside the 40 x 30 pixels"),
        ([1, 2, 3], {}, "no list of four numbers"),
        (["a", 2, 3, 4], {}, "no list of four numbers"),
        ([float("nan"), 2, 3, 4], {}, "no four numbers"),
        ([1, 2, 3, 4], {"category_id": 9}, "category 9, which has no name"),
    ],
)
def test_a_picture_with_a_wrong_box_is_set_aside_with_its_reason(
    tmp_path: Path, box: list[Any], more: dict[str, Any], reason: str
) -> None:
    data = check_boxes(one(tmp_path, [box], **more))

    assert [each.file.name for each in data.set_aside] == ["9.png"]
    assert reason in data.set_aside[0].reason


def test_boxes_that_reach_beyond_are_cut_and_empty_ones_left_out(tmp_path: Path) -> None:
    data = check_boxes(one(tmp_path, [[30, 20, 15, 12], [3, 3, 0, 5]]))

    sample = next(each for each in (*data.train, *data.validation) if each.file.name == "9.png")
    assert isinstance(sample, BoxSample)
    assert sample.boxes == ((5, 5, 15, 15), (30, 20, 40, 30))
    assert any("1 boxes reach beyond" in told for told in data.warnings)
    assert any("1 boxes have no width" in told for told in data.warnings)


def test_ten_thousand_boxes_are_read_and_told(tmp_path: Path) -> None:
    data = read_boxes(one(tmp_path, [[1, 1, 2, 2]] * 10_000))

    assert any("9.png has 10001 boxes" in told for told in data.warnings)


def test_a_picture_of_another_size_than_its_annotations_say_is_set_aside(tmp_path: Path) -> None:
    data = check_boxes(one(tmp_path, [], size=(80, 60)))

    assert data.set_aside[0].reason == "it has 40 x 30 pixels upright, its annotations say 80 x 60"


def test_pictures_that_are_missing_cut_off_or_in_two_splits_are_set_aside(tmp_path: Path) -> None:
    coco(tmp_path)
    images = tmp_path / "images"
    (images / "train_a.png").unlink()
    (images / "val_b.png").write_bytes((images / "train_b.png").read_bytes())
    whole = (images / "val_c.png").read_bytes()
    (images / "val_c.png").write_bytes(whole[: len(whole) // 2])

    data = check_boxes(tmp_path)

    told = {each.file.name: each.reason for each in data.set_aside}
    assert set(told) == {"train_a.png", "val_b.png", "val_c.png"}
    assert "it is not there" in told["train_a.png"]
    assert told["val_b.png"] == "it is a copy of images/train_b.png, which is kept"
    assert "cut off" in told["val_c.png"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"images": [], "annotations": ', "is not JSON"),
        ('{"images": [], "annotations": {}, "categories": []}', "needs lists called"),
        ('{"images": [], "annotations": [], "categories": []}', "has no categories"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "without an id or a name"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": " "}]}', "without an id or a name"),
        ('{"images": [{"id": 1}], "annotations": [], "categories": [{"id": 1, "name": "x"}]}', "or a file_name"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]}', "no picture left"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}, {"id": 2, "name": "x"}]}',
            "two categories of one name",
        ),
    ],
)
def test_an_annotation_file_that_is_not_right_is_told_in_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "all.json").write_text(text)

    with pytest.raises(InputError, match=sentence):
        read_boxes(tmp_path, validation=0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 .5 .5", "not a class and four fractions"),
        ("x 1 1 1 1", "not a class and four"),
        ("5 .5 .5 .1 .1", "class 5"),
    ],
)
def test_a_line_of_yolo_that_is_not_right_is_told(tmp_path: Path, line: str, reason: str) -> None:
    yolo(tmp_path)
    (tmp_path / "labels" / "train" / "train_a.txt").write_text(line)

    data = read_boxes(tmp_path)

    assert reason in data.set_aside[0].reason


def test_xml_that_is_not_right_is_told(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "Annotations" / "train_a.xml").write_text("<annotation>")
    (tmp_path / "Annotations" / "train_c.xml").write_text("<annotation><filename>gone.png</filename></annotation>")
    (tmp_path / "JPEGImages" / "train_c.png").unlink()

    data = read_boxes(tmp_path)

    told = [each.reason for each in data.set_aside]
    assert "it is not XML" in told[0]
    assert "there is no picture gone.png" in told[1]


def test_a_text_in_another_encoding_is_set_aside(tmp_path: Path) -> None:
    yolo(tmp_path / "yolo")
    (tmp_path / "yolo" / "labels" / "train" / "train_a.txt").write_bytes("0 .5 .5 .1 .1 # größer".encode("latin-1"))
    voc(tmp_path / "voc")
    (tmp_path / "voc" / "Annotations" / "train_a.xml").write_bytes(
        b"<annotation><name>gr\xf6\xdfer</name></annotation>"
    )
    (tmp_path / "voc" / "Annotations" / "train_c.xml").write_bytes(b'<?xml version="1.0" encoding="gbk"?><a/>')

    assert "is not text in UTF-8" in read_boxes(tmp_path / "yolo").set_aside[0].reason
    assert ["it is not XML" in each.reason for each in read_boxes(tmp_path / "voc").set_aside] == [True, True]


@pytest.mark.parametrize(
    ("write", "file"), [(yolo, "data.yaml"), (voc, "ImageSets/Main/train.txt")], ids=["classes", "splits"]
)
def test_a_list_in_another_encoding_is_told(tmp_path: Path, write: Callable[[Path], None], file: str) -> None:
    write(tmp_path)
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_bytes("names: [größer]".encode("latin-1"))

    with pytest.raises(InputError, match=f"{file} is not text in UTF-8"):
        read_boxes(tmp_path)


def test_a_source_without_boxes_tells_what_is_read(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0)

    with pytest.raises(InputError, match="COCO's JSON, Pascal VOC's XML, or YOLO's text"):
        read_boxes(tmp_path)
    with pytest.raises(UsageError, match="there is no data"):
        read_boxes(tmp_path / "nothing")


def test_a_split_is_drawn_by_the_seed_and_the_names(tmp_path: Path) -> None:
    one(tmp_path, [])

    data, again, other = (read_boxes(tmp_path, seed=seed) for seed in (0, 0, 1))

    assert data == again
    assert len(data.validation) == 2
    assert data.validation != other.validation


@pytest.mark.parametrize("seed", range(4))
def test_a_split_that_is_drawn_never_parts_copies(tmp_path: Path, seed: int) -> None:
    one(tmp_path, [])
    for n in range(0, 10, 2):
        (tmp_path / f"{n + 1}.png").write_bytes((tmp_path / f"{n}.png").read_bytes())

    data = check_boxes(tmp_path, seed=seed)

    assert len(data.validation) == 2
    first, second = sorted(int(sample.file.stem) for sample in data.validation)
    assert (first % 2, second) == (0, first + 1)
    assert "5 copies" in data.warnings[0]


def test_pictures_that_are_all_the_same_cannot_be_validated_with(tmp_path: Path) -> None:
    one(tmp_path, [])
    for n in range(1, 10):
        (tmp_path / f"{n}.png").write_bytes((tmp_path / "0.png").read_bytes())

    with pytest.raises(InputError, match="too few pictures"):
        check_boxes(tmp_path)


def test_moving_a_box_changes_the_digest(tmp_path: Path) -> None:
    before = read_boxes(one(tmp_path, [[1, 1, 2, 2]])).digest

    after = read_boxes(one(tmp_path, [[1, 1, 2, 3]])).digest

    assert before != after


def test_the_shapes_are_the_same_wherever_they_are_drawn(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_shapes(tmp_path / name, {"train": 4, "val": 2})

    data = [check_boxes(tmp_path / name) for name in ("a", "b")]

    assert data[0].digest == data[1].digest
    assert data[0].labels == ("circle", "square", "triangle")
    assert data[0].set_aside == ()
    first = [tmp_path / name / "images" / "train" / "0000.png" for name in ("a", "b")]
    assert first[0].read_bytes() == first[1].read_bytes()


def test_blood_cells_are_read_without_a_complaint(real_data: Path) -> None:
    data = read_boxes(real_data / "bccd")

    assert data.labels == ("RBC", "WBC", "Platelets")
    assert [len(part) for part in data.splits.values()] == [205, 87, 72]
    assert data.set_aside == ()
    assert data.warnings == ()
