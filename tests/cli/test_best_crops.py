"""``cropper best``: which crop, which pixels, and how it is searched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cropper.boxes import as_boxes, iou
from cropper.space import parse_aspect
from tests.cli.support import FIELDS
from tests.conftest import (
    Crop,
    cut,
    names,
    one_record,
    pixels,
    spotted,
)
from tests.image.pictures import difference
from tests.spot import SHARE


def test_the_crop_is_the_one_that_the_scorer_likes_best(crop: Crop, photo_png: Path) -> None:
    x0, y0, x1, y1 = one_record(crop("photo.png", "--json"))["box"]
    assert abs((x0 + x1) / 2 - 0.65 * 120) <= 2
    assert abs((y0 + y1) / 2 - 0.4 * 80) <= 2
    assert (x1 - x0) * (y1 - y0) / (120 * 80) == pytest.approx(SHARE, abs=0.03)


def test_the_picture_is_exactly_the_box_of_the_photo(crop: Crop, photo_png: Path) -> None:
    record = one_record(crop("photo.png", "--json"))
    assert np.array_equal(pixels("photo-best.png"), cut("photo.png", record["box"]))


@pytest.mark.parametrize("size", [(1920, 1080), (333, 777), (64, 64), (1, 1), (1081, 1)])
def test_size_is_exact_to_the_pixel(size: tuple[int, int], crop: Crop, photo_png: Path) -> None:
    asked = "{}x{}".format(*size)
    for out in ("out.png", "out.jpg"):
        assert crop("photo.png", "--size", asked, "-o", out, "--min-scale", 0.8).exit_code == 0
        with Image.open(out) as picture:
            assert picture.size == size


def test_a_resized_crop_shows_its_box(crop: Crop, photo_png: Path) -> None:
    box = one_record(crop("photo.png", "--json", "--size", "30x20"))["box"]
    with Image.open("photo.png") as picture:
        expected = picture.resize((30, 20), Image.Resampling.BICUBIC, box)
    assert difference(pixels("photo-best.png"), expected) < 1


def test_the_box_does_not_depend_on_a_size_that_is_no_bound(crop: Crop, photo_png: Path) -> None:
    shapes = [["--size", size] for size in ("16x9", "160x90", "1920x1080")]
    shapes += [["--aspect", "16:9"], ["--aspect", "16:9", "--size", "320x180"]]
    found = [one_record(crop("photo.png", "--dry-run", "--json", *shape)) for shape in shapes]
    assert len({tuple(record["box"]) for record in found}) == 1
    assert len({record["score"] for record in found}) == 1


@pytest.mark.parametrize("size", [(120, 80), (81, 122), (97, 53)])
def test_a_square_is_square(size: tuple[int, int], crop: Crop) -> None:
    spotted(*size).save("photo.png")
    assert crop("photo.png", "--aspect", "1:1").exit_code == 0
    height, width = pixels("photo-best.png").shape[:2]
    assert width == height


@pytest.mark.parametrize("aspect", ["16:9", "4:5", "1.91:1", "3:2"])
def test_the_aspect_is_as_near_as_whole_pixels_allow(
    aspect: str, crop: Crop, photo_png: Path
) -> None:
    x0, y0, x1, y1 = one_record(crop("photo.png", "--json", "--aspect", aspect))["box"]
    asked = parse_aspect(aspect)
    assert abs((x1 - x0) - asked * (y1 - y0)) <= (1 + asked) / 2


@pytest.mark.parametrize(("word", "meant"), [("FREE", "free"), ("Original", "original")])
def test_the_case_of_an_aspect_does_not_count(
    word: str, meant: str, crop: Crop, photo_png: Path
) -> None:
    found = [
        one_record(crop("photo.png", "--dry-run", "--json", "--aspect", a)) for a in (word, meant)
    ]
    assert found[0]["box"] == found[1]["box"]


def test_the_aspect_is_that_of_the_photo_unless_asked(crop: Crop, photo_png: Path) -> None:
    x0, y0, x1, y1 = one_record(crop("photo.png", "--json"))["box"]
    assert abs((x1 - x0) - 1.5 * (y1 - y0)) <= 1.25


def test_free_aspects_are_searched_together(crop: Crop, photo_png: Path) -> None:
    many = ("photo.png", "--json", "--aspect")
    free = one_record(crop(*many, "free", "-o", "free.png"))
    one = [one_record(crop(*many, aspect, "--dry-run")) for aspect in ("1:2", "1:1", "2:1")]
    # half a pixel of rounding in each direction
    assert free["score"] >= max(record["score"] for record in one) - 1 / 80 - 1 / 120


@pytest.mark.parametrize(
    ("aspect", "size"), [("1:1", "300x200"), ("free", "300x200"), ("3:2", "200x300")]
)
def test_size_and_aspect_that_disagree_are_refused(
    aspect: str, size: str, crop: Crop, photo_png: Path
) -> None:
    found = crop("photo.png", "--aspect", aspect, "--size", size)
    assert found.exit_code == 2
    assert aspect in found.stderr
    assert size in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


@pytest.mark.parametrize(("low", "high"), [(0.8, 1.0), (0.3, 0.4), (0.7, 0.7)])
def test_scales_bound_the_crop(low: float, high: float, crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--json", "--min-scale", low, "--max-scale", high)
    x0, y0, x1, y1 = one_record(found)["box"]
    assert low * 120 - 0.5 <= x1 - x0 <= high * 120 + 0.5
    assert low * 80 - 0.5 <= y1 - y0 <= high * 80 + 0.5


def test_enlarging_is_told(crop: Crop, photo_png: Path) -> None:
    assert "enlarged to 300x200" in crop("photo.png", "--size", "300x200").stderr
    assert "enlarged" not in crop("photo.png", "--size", "30x20", "-o", "small.png").stderr


def test_a_photo_with_too_few_pixels_fails_with_the_rule(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--size", "300x200", "--no-enlarge")
    assert found.exit_code == 1
    assert "photo.png: the crop has" in found.stderr
    assert "leave --no-enlarge out" in found.stderr
    assert not Path("photo-best.png").exists()
    assert "fewer than 12000000" in crop("photo.png", "--min-pixels", "4000x3000").stderr
    assert crop("photo.png", "--min-pixels", "100").exit_code == 0


def test_enlarging_is_not_told_where_it_failed(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--size", "70000x1", "-o", "out.jpg")
    assert found.exit_code == 5
    assert "a side has at most 65500 px" in found.stderr
    assert "enlarged" not in found.stderr


@pytest.mark.parametrize("strategy", ["grid", "random", "halving"])
@pytest.mark.parametrize("budget", [50, 1000])
def test_every_strategy_keeps_to_its_budget(
    strategy: str, budget: int, crop: Crop, photo_png: Path
) -> None:
    line = ["photo.png", "--json", "-v", "--strategy", strategy, "--budget", budget]
    found = crop(*line)
    record = one_record(found)
    assert 0 < record["candidates"] <= budget
    assert record["score"] > record["full_frame_score"]
    assert f"spot, {strategy}: {record['candidates']} crops" in found.stderr


def test_a_larger_budget_finds_a_better_crop(crop: Crop, photo_png: Path) -> None:
    spotted(1200, 800).save("photo.png")
    low, high = (
        one_record(crop("photo.png", "--json", "--dry-run", "--budget", budget))["score"]
        for budget in (30, 10_000)
    )
    assert high > low


def test_a_seed_repeats_its_crop_and_another_gives_another(crop: Crop, photo_png: Path) -> None:
    line = ["photo.png", "--json", "--dry-run", "--strategy", "random", "--budget", 40, "--seed"]
    boxes = [one_record(crop(*line, seed))["box"] for seed in (1, 1, 2, 3)]
    assert boxes[0] == boxes[1]
    assert len({tuple(box) for box in boxes}) > 1


def test_a_budget_below_the_coarsest_grid_is_refused_with_the_remedy(
    crop: Crop, photo_png: Path
) -> None:
    found = crop("photo.png", "--budget", "1", "--strategy", "grid")
    assert found.exit_code in (1, 2)  # it depends on the picture as well as on the options
    assert "halving" in found.stderr
    assert crop("photo.png", "--budget", "1").exit_code == 0


def test_top_k_writes_that_many_diverse_crops_best_first(crop: Crop, photo_png: Path) -> None:
    record = one_record(crop("photo.png", "--top-k", 3, "-o", "crop-{rank}.png", "--json"))
    assert list(record) == [*FIELDS, "crops"]
    assert [each["output"] for each in record["crops"]] == [
        f"crop-{rank}.png" for rank in (1, 2, 3)
    ]
    assert {key: record["crops"][0][key] for key in ("box", "score")} == {
        key: record[key] for key in ("box", "score")
    }
    scores = [each["score"] for each in record["crops"]]
    assert scores == sorted(scores, reverse=True)
    for each in record["crops"]:
        assert np.array_equal(pixels(each["output"]), cut("photo.png", each["box"]))
    boxes = as_boxes([each["box"] for each in record["crops"]])
    assert (iou(boxes, boxes) - np.eye(3)).max() <= 0.75  # 0.7 before the edges were rounded


def test_top_k_numbers_its_files_where_the_template_does_not(crop: Crop, photo_png: Path) -> None:
    assert crop("photo.png", "--top-k", 2).exit_code == 0
    assert names(photo_png.parent) == {"photo.png", "photo-best.png", "photo-best-2.png"}


def test_fewer_crops_than_asked_for_are_told(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--top-k", 100, "--json")
    many = len(one_record(found)["crops"])
    assert many < 100
    assert f"note: only {many} crops differ enough" in found.stderr
    lines = found.stderr.splitlines()
    assert all(line.startswith("cropper: ") for line in lines)
    assert len([line for line in lines if " -> " in line]) == many


@pytest.mark.parametrize("more", [(), ("--top-k", 2), ("--overlay", "why.png")])
def test_the_whole_picture_is_called_so_by_its_box(
    more: tuple[object, ...], crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.spot.SHARE", 1.0)
    spotted(spot=(0.5, 0.5)).save("photo.png")
    found = crop("photo.png", "--json", *more)
    assert one_record(found)["box"] == [0, 0, 120, 80]
    assert "the whole picture is its best crop" in found.stderr


def test_a_crop_below_the_full_frame_is_no_better(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.spot.SHARE", 1.0)
    found = crop("photo.png", "--max-scale", 0.9, "--json")
    share = one_record(found)["preferred_to_full_frame"]
    assert f"no better than the full frame ({share:.0%} prefer it)" in found.stderr


def test_a_shape_is_told_against_a_centred_crop(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--aspect", "1:1", "--json")
    share = one_record(found)["preferred_to_centre"]
    assert f"{share:.0%} prefer it" in found.stderr
    assert "a centred crop" in found.stderr
    assert "full frame," not in found.stderr


def test_crops_of_a_tiny_picture_are_still_different(crop: Crop) -> None:
    spotted(6, 4).save("tiny.png")
    record = one_record(crop("tiny.png", "--top-k", 5, "--aspect", "free", "--json"))
    boxes = [tuple(each["box"]) for each in record.get("crops", [record])]
    assert len(boxes) == len(set(boxes))
