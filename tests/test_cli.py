"""``cropper best`` and ``cropper scorers``: options, files, messages and exit codes."""

from __future__ import annotations

import importlib.util
import io
import itertools
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from cropper.boxes import as_boxes, iou
from cropper.cli import main
from cropper.space import parse_aspect
from tests.conftest import (
    ENVIRONMENT,
    SHARE,
    Crop,
    SpotScorer,
    command,
    cut,
    names,
    one_record,
    pixels,
    process,
    records,
    spotted,
)
from tests.image.pictures import decoded, difference, encoded

FIELDS = ["input", "output", "source_size", "box", "box_norm", "score", "full_frame_score"]
FIELDS += ["centre_score", "preferred_to_full_frame", "preferred_to_centre"]
FIELDS += ["scorer", "candidates", "seconds"]


# --- where the crop goes


def test_the_crop_lies_beside_its_photo(crop: Crop, tmp_path: Path) -> None:
    (tmp_path / "trip").mkdir()
    spotted().save(tmp_path / "trip/photo.png")
    found = crop("trip/photo.png")
    assert found.exit_code == 0, found.stderr
    assert names(tmp_path / "trip") == {"photo.png", "photo-best.png"}
    assert "trip/photo.png -> trip/photo-best.png" in found.stderr
    assert not found.stdout


@pytest.mark.parametrize(
    ("where", "path"),
    [
        ("out.png", "out.png"),
        ("out.jpg", "out.jpg"),
        ("new/", "new/photo-best.png"),
        ("there", "there/photo-best.png"),
        ("{dir}/a/b/{stem}_{rank}_{aspect}{ext}", "a/b/photo_1_4x5.png"),
        ("{stem}.webp", "photo.webp"),
    ],
)
def test_output_names_a_file_a_folder_or_a_template(
    where: str, path: str, crop: Crop, photo_png: Path
) -> None:
    Path("there").mkdir()
    found = crop("photo.png", "-o", where, "--aspect", "4:5", "--json")
    assert Path(one_record(found)["output"]) == Path(path)
    with Image.open(path) as picture:
        picture.load()


def test_a_dash_sends_the_picture_to_standard_output(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "-o", "-")
    assert found.exit_code == 0, found.stderr
    crop("photo.png", "-o", "file.png")
    assert found.stdout_bytes == Path("file.png").read_bytes()


def test_what_comes_from_standard_input_goes_to_standard_output_in_its_format(crop: Crop) -> None:
    found = crop("-", input=encoded(spotted(), "WEBP"))
    assert found.exit_code == 0, found.stderr
    assert decoded(found.stdout_bytes).format == "WEBP"
    assert crop("-", "-o", "named.png", input=encoded(spotted(), "JPEG")).exit_code == 0
    assert decoded(Path("named.png").read_bytes()).format == "PNG"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-", "-"),
        ("-", "-o", "{stem}{ext}"),
        ("-", "photo.png"),
        ("photo.png", "photo.png", "-o", "-"),
        ("photo.png", "-o", "-", "--top-k", "2"),
        ("photo.png", "-o", "-", "--json"),
        ("photo.png", "-o", "{nothing}.png"),
        ("photo.png", "-o", "{stem.__class__}.png"),
        ("photo.png", "-o", "{stem:>9}.png"),
        ("photo.png", "-o", "{stem.png"),
        ("photo.png", "-o", "out.xyz"),
        ("photo.png", "-o", "out"),
        ("photo.png", "--size", "0x5"),
        ("photo.png", "--size", "12"),
        ("photo.png", "--size", "²x2"),
        ("photo.png", "--size", "100000x100000"),
        ("photo.png", "--aspect", "0:1"),
        ("photo.png", "--aspect", "square"),
        ("photo.png", "--min-scale", "0.9", "--max-scale", "0.8"),
        ("photo.png", "--min-scale", "nan"),
        ("photo.png", "--max-scale", "1.1"),
        ("photo.png", "--top-k", "0"),
        ("photo.png", "--budget", "0"),
        ("photo.png", "--strategy", "best"),
        ("photo.png", "--strategy", "random", "--seed", "-1"),
        ("photo.png", "--quality", "101"),
        ("photo.png", "--max-mpixels", "0"),
        ("photo.png", "--overlay", "photo-best.png"),
        ("photo.png", "--overlay", "-"),
        ("photo.png", "--overlay", "out.xyz"),
        ("photo.png", "-o", ""),
        ("photo.png", "--overlay", ""),
        ("photo.png", "--aspect", ""),
        ("photo.png", "photo.png", "--aspect", "16/9"),
        ("photo.png", "gone.png", "--aspect", "16/9"),
        ("photo.png", "gone.png", "--min-scale", "0"),
        ("photo.png", "gone.png", "--size", "100000x100000"),
        (),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_refused_with_code_2_and_nothing_written(
    arguments: tuple[str, ...], crop: Crop, photo_png: Path
) -> None:
    found = crop(*arguments, input=encoded(spotted(), "PNG"))
    assert found.exit_code == 2, found.output
    assert found.stderr.strip()
    assert not found.stdout
    assert names(photo_png.parent) == {"photo.png"}


# --- which crop, and which pixels


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


def test_the_box_does_not_depend_on_the_size(crop: Crop, photo_png: Path) -> None:
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


def test_enlarging_is_not_told_where_it_failed(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--size", "70000x1", "-o", "out.jpg")
    assert found.exit_code == 5
    assert "a side has at most 65500 px" in found.stderr
    assert "enlarged" not in found.stderr


# --- the search


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


# --- several crops of one photo


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
    monkeypatch.setattr("tests.conftest.SHARE", 1.0)
    spotted(spot=(0.5, 0.5)).save("photo.png")
    found = crop("photo.png", "--json", *more)
    assert one_record(found)["box"] == [0, 0, 120, 80]
    assert "the whole picture is its best crop" in found.stderr


def test_a_crop_below_the_full_frame_is_no_better(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.conftest.SHARE", 1.0)
    found = crop("photo.png", "--max-scale", 0.9, "--json")
    share = one_record(found)["preferred_to_full_frame"]
    assert f"no better than the full frame ({share:.0%} prefer it)" in found.stderr


def test_crops_of_a_tiny_picture_are_still_different(crop: Crop) -> None:
    spotted(6, 4).save("tiny.png")
    record = one_record(crop("tiny.png", "--top-k", 5, "--aspect", "free", "--json"))
    boxes = [tuple(each["box"]) for each in record.get("crops", [record])]
    assert len(boxes) == len(set(boxes))


# --- JSON, messages


def test_json_has_exactly_the_promised_fields(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--json")
    record = one_record(found)
    assert list(record) == FIELDS
    assert record["input"] == "photo.png"
    assert record["output"] == "photo-best.png"
    assert record["source_size"] == [120, 80]
    assert all(isinstance(edge, int) for edge in record["box"])
    assert record["box_norm"] == [
        round(edge / side, 6) for edge, side in zip(record["box"], (120, 80) * 2, strict=True)
    ]
    assert record["score"] > record["full_frame_score"]
    assert record["scorer"] == "spot"
    assert isinstance(record["candidates"], int)
    assert record["seconds"] > 0


def test_json_is_one_line_a_picture_with_input_and_error_for_a_failure(
    crop: Crop, photo_png: Path
) -> None:
    Path("broken.png").write_bytes(b"not a picture")
    found = crop("broken.png", "photo.png", "--json")
    broken, good = records(found)
    assert list(broken) == ["input", "error"]
    assert broken["input"] == "broken.png"
    assert list(good) == FIELDS


def test_json_names_standard_streams_by_a_dash(crop: Crop) -> None:
    record = one_record(crop("-", "--json", "--dry-run", input=encoded(spotted(), "PNG")))
    assert (record["input"], record["output"]) == ("-", "-")


def test_quiet_is_silent_on_success_and_tells_errors(crop: Crop, photo_png: Path) -> None:
    assert crop("photo.png", "-q", "--size", "900x600").output == ""
    Path("broken.png").write_bytes(b"not a picture")
    assert "broken.png" in crop("broken.png", "-q").stderr


def test_every_error_line_names_its_file(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotted().save("second.png")
    monkeypatch.setattr("tests.conftest.SHARE", float("nan"))  # a scorer that breaks its contract
    found = crop("photo.png", "second.png")
    assert found.exit_code == 1
    first, second = (line for line in found.stderr.splitlines() if "error [" in line)
    assert "photo.png" in first
    assert "second.png" in second


# --- what is never lost


def test_a_dry_run_finds_the_crop_and_writes_nothing(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--dry-run", "--json", "--overlay", "why.png", "-o", "new/out.png")
    assert names(photo_png.parent) == {"photo.png"}
    assert "would be" in found.stderr
    assert one_record(found)["box"] == one_record(crop("photo.png", "--json"))["box"]


def test_a_dry_run_tells_what_exists(crop: Crop, photo_png: Path) -> None:
    Path("photo-best.png").write_bytes(b"mine")
    found = crop("photo.png", "--dry-run")
    assert found.exit_code == 0
    assert "photo-best.png exists" in found.stderr
    assert "--overwrite" in found.stderr
    assert "exists" not in crop("photo.png", "--dry-run", "--overwrite").stderr
    assert Path("photo-best.png").read_bytes() == b"mine"


def test_messages_name_the_option_that_is_meant(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    assert "in --overlay" in crop("photo.png", "second.png", "--overlay", "why.png").stderr
    assert "elsewhere with --overlay" in crop("photo.png", "--overlay", "second.png").stderr
    assert "a folder ends with /" in crop("photo.png", "-o", "newdir").stderr


def test_an_output_that_exists_is_replaced_only_when_asked(crop: Crop, photo_png: Path) -> None:
    Path("photo-best.png").write_bytes(b"mine")
    found = crop("photo.png")
    assert found.exit_code == 2
    assert "photo-best.png" in found.stderr
    assert "--overwrite" in found.stderr
    assert Path("photo-best.png").read_bytes() == b"mine"
    assert crop("photo.png", "--overwrite").exit_code == 0
    assert pixels("photo-best.png").ndim == 3


def test_an_overlay_that_exists_is_replaced_only_when_asked(crop: Crop, photo_png: Path) -> None:
    Path("why.png").write_bytes(b"mine")
    assert crop("photo.png", "--overlay", "why.png").exit_code == 2
    assert names(photo_png.parent) == {"photo.png", "why.png"}
    assert Path("why.png").read_bytes() == b"mine"
    assert crop("photo.png", "--overlay", "why.png", "--overwrite").exit_code == 0
    assert pixels("why.png").ndim == 3


def test_a_source_is_replaced_only_by_name_and_with_overwrite(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    before = photo_png.read_bytes()
    assert crop("photo.png", "-o", "photo.png").exit_code == 2
    assert crop("photo.png", "second.png", "-o", "{stem}{ext}").exit_code == 2
    assert crop("photo.png", "second.png", "-o", "{stem}{ext}", "--overwrite").exit_code == 2
    assert crop("second.png", "photo.png", "--overlay", "photo.png", "--overwrite").exit_code == 2
    assert photo_png.read_bytes() == before
    assert names(photo_png.parent) == {"photo.png", "second.png"}
    assert crop("photo.png", "-o", "photo.png", "--overwrite").exit_code == 0
    assert pixels("photo.png").shape[1] < 120


def test_a_source_behind_a_link_is_safe_too(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    Path("link.png").symlink_to("photo.png")
    before = photo_png.read_bytes()
    found = crop("photo.png", "second.png", "-o", "{stem}.png", "--overwrite")
    assert found.exit_code == 2
    Path("photo-best.png").symlink_to("photo.png")
    assert crop("photo.png", "--overwrite").exit_code == 2
    assert photo_png.read_bytes() == before


def test_a_run_leaves_the_source_untouched(crop: Crop, photo_png: Path) -> None:
    before = (photo_png.read_bytes(), photo_png.stat().st_mtime_ns)
    crop("photo.png", "--overlay", "why.png", "--top-k", 3)
    assert (photo_png.read_bytes(), photo_png.stat().st_mtime_ns) == before


def test_a_second_run_skips_its_own_crops_and_is_refused_without_overwrite(
    crop: Crop, photo_png: Path
) -> None:
    spotted().save("second.png")
    glob = lambda: sorted(str(path) for path in Path().glob("*.png"))  # noqa: E731
    assert crop(*glob()).exit_code == 0
    after = {"photo.png", "second.png", "photo-best.png", "second-best.png"}
    assert names(photo_png.parent) == after
    contents = {name: Path(name).read_bytes() for name in after}
    assert crop(*glob()).exit_code == 2
    again = crop(*glob(), "--overwrite")
    assert again.exit_code == 0
    assert "photo-best.png: skipped" in again.stderr
    assert {name: Path(name).read_bytes() for name in names(photo_png.parent)} == contents


@pytest.mark.parametrize("where", ["out.png", "out/{stem}.png", "out/"])
def test_two_inputs_onto_one_output_are_refused_before_any_work(where: str, crop: Crop) -> None:
    for folder in ("a", "b"):
        Path(folder).mkdir()
        spotted().save(f"{folder}/photo.png")
    found = crop("a/photo.png", "b/photo.png", "-o", where)
    assert found.exit_code == 2
    assert "a/photo.png" in found.stderr
    assert "b/photo.png" in found.stderr
    assert names(Path()) == {"a", "b"}


def test_two_inputs_onto_one_overlay_are_refused_before_any_work(
    crop: Crop, photo_png: Path
) -> None:
    spotted().save("second.png")
    assert crop("photo.png", "second.png", "--overlay", "why.png").exit_code == 2
    assert names(photo_png.parent) == {"photo.png", "second.png"}
    assert crop("photo.png", "second.png", "--overlay", "{stem}-why.png").exit_code == 0
    assert {"photo-why.png", "second-why.png"} < names(photo_png.parent)


@pytest.mark.parametrize("twice", [("photo.png", "photo.png"), ("photo.png", "./photo.png")])
def test_an_input_named_twice_is_refused_before_any_work(
    twice: tuple[str, str], crop: Crop, photo_png: Path
) -> None:
    assert crop(*twice).exit_code == 2
    assert names(photo_png.parent) == {"photo.png"}


# --- the overlay


def test_the_overlay_shows_the_photo_with_the_crop_bright(crop: Crop) -> None:
    spotted(300, 200).save("photo.png")
    record = one_record(crop("photo.png", "--overlay", "why.jpg", "--json"))
    shown, photo = pixels("why.jpg").astype(float), pixels("photo.png").astype(float)
    assert shown.shape == photo.shape
    assert difference(shown, photo) > 10
    x0, y0, x1, y1 = record["box"]
    inside = np.zeros(photo.shape[:2], bool)
    inside[y0:y1, x0:x1] = True
    ratio = shown.mean(2) / (photo.mean(2) + 1)
    assert np.median(ratio[inside]) > 1.5 * np.median(ratio[~inside])


def test_the_overlay_changes_neither_the_crop_nor_how_many_are_written(
    crop: Crop, photo_png: Path
) -> None:
    plain = one_record(crop("photo.png", "--json", "-o", "plain.png"))
    drawn = one_record(crop("photo.png", "--json", "-o", "drawn.png", "--overlay", "why.png"))
    assert list(drawn) == FIELDS
    assert drawn["box"] == plain["box"]
    assert Path("plain.png").read_bytes() == Path("drawn.png").read_bytes()
    assert names(Path()) == {"photo.png", "plain.png", "drawn.png", "why.png"}


@pytest.mark.parametrize("extension", [".jpg", ".png", ".webp", ".gif", ".tif", ".bmp", ".avif"])
def test_an_overlay_can_have_any_format(extension: str, crop: Crop, photo_png: Path) -> None:
    assert crop("photo.png", "--overlay", "why" + extension).exit_code == 0
    with Image.open("why" + extension) as picture:
        assert picture.size == (120, 80)


@pytest.mark.skipif(importlib.util.find_spec("pillow_heif") is not None, reason="HEIC is installed")
@pytest.mark.parametrize("option", ["-o", "--overlay"])
def test_heic_without_its_extra_is_an_error_that_names_it(
    option: str, crop: Crop, photo_png: Path
) -> None:
    found = crop("photo.png", option, "out.heic")
    assert found.exit_code == 3
    assert "->" not in found.stderr
    assert "cropper[heic]" in found.stderr
    assert "out.heic" not in names(photo_png.parent)


@pytest.mark.parametrize("size", [(3000, 2), (2, 3000), (1, 1), (2, 1)])
def test_extreme_shapes_get_a_crop_and_an_overlay(size: tuple[int, int], crop: Crop) -> None:
    spotted(*size).save("photo.png")
    record = one_record(crop("photo.png", "--json", "--overlay", "why.png"))
    assert np.array_equal(pixels("photo-best.png"), cut("photo.png", record["box"]))
    assert names(Path()) == {"photo.png", "photo-best.png", "why.png"}


# --- what fails, and how


def test_one_bad_file_fails_alone(crop: Crop, photo_png: Path) -> None:
    spotted().save("second.png")
    Path("broken.png").write_bytes(photo_png.read_bytes()[:300])
    found = crop("photo.png", "broken.png", "missing.png", "second.png")
    assert found.exit_code == 1
    assert {"photo-best.png", "second-best.png"} < names(photo_png.parent)
    assert not {"broken-best.png", "missing-best.png"} & names(photo_png.parent)
    errors = [line for line in found.stderr.splitlines() if "error" in line]
    assert len(errors) == 2
    assert "broken.png" in errors[0]
    assert "missing.png" in errors[1]
    assert "2 of 4 failed" in found.stderr


@pytest.mark.parametrize("name", ["notes.txt", "README", "missing", "missing.txt"])
def test_a_file_that_is_no_picture_by_its_name_fails_alone(
    name: str, crop: Crop, photo_png: Path
) -> None:
    if "missing" not in name:
        Path(name).write_text("not a picture\n")
    found = crop("photo.png", name)
    assert found.exit_code == 1, found.stderr
    assert name in found.stderr
    assert "photo-best.png" in names(photo_png.parent)


def test_a_picture_without_an_extension_is_told_by_its_content(crop: Crop) -> None:
    Path("photo").write_bytes(encoded(spotted(), "JPEG"))
    assert crop("photo").exit_code == 0
    with Image.open("photo-best.jpg") as picture:
        assert picture.format == "JPEG"


def test_a_picture_whose_shape_the_budget_does_not_suit_fails_alone(
    crop: Crop, photo_png: Path
) -> None:
    spotted(3000, 20).save("banner.png")
    spotted().save("second.png")
    files, search = ("photo.png", "banner.png", "second.png"), ("--strategy", "grid")
    found = crop(*files, "--aspect", "1:1", "--budget", 50, *search)
    assert found.exit_code == 1
    assert "banner.png" in found.stderr
    assert {"photo-best.png", "second-best.png"} < names(photo_png.parent)


def test_no_input_at_all_is_code_4(crop: Crop) -> None:
    found = crop("missing.jpg", "gone.png")
    assert found.exit_code == 4
    assert "missing.jpg" in found.stderr


def test_a_folder_as_input_is_code_2_with_the_remedy(crop: Crop, photo_png: Path) -> None:
    Path("trip").mkdir()
    found = crop("photo.png", "trip")
    assert found.exit_code == 2
    assert "trip/*" in found.stderr
    assert names(photo_png.parent) == {"photo.png", "trip"}


def test_an_unknown_scorer_is_code_3_with_the_known_ones(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--scorer", "nobody")
    assert found.exit_code == 3
    assert "nobody" in found.stderr
    assert "cropnet" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


def test_a_device_that_is_not_there_is_code_2(crop: Crop, photo_png: Path) -> None:
    import torch  # noqa: PLC0415

    if torch.cuda.is_available():
        pytest.skip("CUDA is here")
    found = crop("photo.png", "--scorer", "cropnet", "--device", "cuda")
    assert found.exit_code == 2
    assert "--device cpu" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}


@pytest.mark.parametrize("metadata", [None, {"other": "1"}, {"cropper": "{}"}, {"cropper": "[]"}])
def test_a_file_that_is_no_checkpoint_is_code_3(
    metadata: dict[str, str] | None, crop: Crop, photo_png: Path
) -> None:
    from safetensors.numpy import save_file  # noqa: PLC0415

    save_file({"a": np.zeros(3, np.float32)}, "some.safetensors", metadata)
    Path("torn.safetensors").write_bytes(b"123")
    for name in ("some.safetensors", "torn.safetensors", "missing.safetensors"):
        found = crop("photo.png", "--scorer", name)
        assert found.exit_code == 3, name
        assert name in found.stderr


@pytest.mark.parametrize("option", ["-o", "--overlay"])
@pytest.mark.parametrize("where", ["photo.png/out.png", "/dev/null/out.png"])
def test_a_place_that_takes_no_file_is_code_5(
    where: str, option: str, crop: Crop, photo_png: Path
) -> None:
    before = photo_png.read_bytes()
    found = crop("photo.png", option, where)
    assert found.exit_code == 5
    assert str(Path(where).parent) in found.stderr
    assert photo_png.read_bytes() == before
    assert names(photo_png.parent) <= {"photo.png", "photo-best.png"}


def test_names_too_long_for_the_system_are_errors_too(crop: Crop, photo_png: Path) -> None:
    spotted().save("n" * 248 + ".png")
    assert crop("x" * 300 + ".png").exit_code == 4
    assert crop("photo.png", "-o", "x" * 300 + ".png").exit_code in (2, 5)
    assert crop("n" * 248 + ".png").exit_code in (2, 5)  # '-best' would make it too long
    assert len(names(photo_png.parent)) == 2


def test_more_megapixels_than_allowed_are_refused(crop: Crop, photo_png: Path) -> None:
    found = crop("photo.png", "--max-mpixels", "0.009")
    assert found.exit_code == 1
    assert "photo.png" in found.stderr
    assert "--max-mpixels" in found.stderr
    assert names(photo_png.parent) == {"photo.png"}
    assert "0.0096 megapixels" in found.stderr
    assert crop("photo.png", "--max-mpixels", "0.0096").exit_code == 0


def test_an_interrupt_ends_with_code_130_and_a_summary(
    crop: Crop, photo_png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("b.png", "c.png"):
        spotted().save(name)
    bind, calls = SpotScorer.bind, itertools.count()

    def interrupted(self: SpotScorer, view: object) -> object:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return bind(self, view)  # type: ignore[arg-type]

    monkeypatch.setattr(SpotScorer, "bind", interrupted)
    found = crop("photo.png", "b.png", "c.png")
    assert found.exit_code == 130
    assert found.stderr.splitlines()[-1] == "cropper: interrupted: 1 of 3 done, 0 failed"
    assert names(photo_png.parent) == {"photo.png", "b.png", "c.png", "photo-best.png"}


# --- the other commands


def test_scorers_are_listed_with_the_default() -> None:
    lines = CliRunner().invoke(main, ["scorers"]).stdout.splitlines()
    assert [line for line in lines if line.startswith("cropnet (default)")]
    listed = CliRunner().invoke(main, ["scorers", "--json"]).stdout.splitlines()
    scorers = {record["name"]: record for record in map(json.loads, listed)}
    assert [name for name, record in scorers.items() if record["default"]] == ["cropnet"]
    assert {"cropnet", "convnet"} <= scorers.keys()
    assert scorers["cropnet"]["summary"]
    assert scorers["cropnet"]["licence"]


@pytest.mark.parametrize(
    "line",
    [
        ["--help"],
        ["-h"],
        ["best", "--help"],
        ["best", "-h"],
        ["compare", "-h"],
        ["serve", "-h"],
        ["train", "crops", "--help"],
        ["train", "selfies", "-h"],
    ],
)
def test_help_tells_the_usage(line: list[str]) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code == 0
    assert found.stdout.startswith("Usage: ")


def test_the_help_of_best_names_every_exit_code() -> None:
    text = CliRunner().invoke(main, ["best", "--help"]).stdout
    for code in (0, 1, 2, 3, 4, 5, 130):
        assert f"{code} " in text.split("Exit codes:")[1]


@pytest.mark.parametrize("line", [["--help"], ["best", "--help"], ["scorers"], ["--version"]])
def test_help_and_the_list_do_not_wait_for_torch(line: list[str]) -> None:
    code = "import sys; from cropper.cli import main; main(sys.argv[1:], standalone_mode=False)"
    code += "\nassert not {'torch', 'torchvision'} & sys.modules.keys(), 'torch was imported'"
    done = subprocess.run(
        [sys.executable, "-c", code, *line], capture_output=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


# --- through a process of its own


def test_a_photo_goes_through_a_pipe(tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    line, options = process(tmp_path, "best", "-", "--budget", 100)
    source = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; sys.stdout.buffer.write(open('photo.png','rb').read())",
        ],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    )
    with source:
        done = subprocess.run(
            line, stdin=source.stdout, capture_output=True, check=False, timeout=120, **options
        )
    assert done.returncode == 0, done.stderr
    with Image.open(io.BytesIO(done.stdout)) as picture:
        picture.load()
        assert picture.format == "PNG"
    assert names(tmp_path) == {"photo.png"}


@pytest.mark.skipif(not Path("/dev/stdin").exists(), reason="no /dev/stdin here")
def test_standard_input_by_its_name_is_a_photo_too(tmp_path: Path) -> None:
    content = encoded(spotted(), "PNG")
    line = ["best", "--scorer", "spot", "/dev/stdin"]
    done = command(tmp_path, *line, "-o", "out.png", spot=True, input=content)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == {"out.png"}
    done = command(tmp_path, *line, spot=True, input=content)
    assert done.returncode == 2
    assert b"-o out.jpg" in done.stderr


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")
def test_a_pipe_with_a_name_is_a_photo_too(tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    os.mkfifo(tmp_path / "pipe")
    line = ["best", "--scorer", "spot", "pipe", "-o", "out.png"]
    running, options = process(tmp_path, *line, spot=True)
    with subprocess.Popen(running, stderr=subprocess.PIPE, **options) as done:
        (tmp_path / "pipe").write_bytes((tmp_path / "photo.png").read_bytes())
        assert b"-> out.png" in done.communicate(timeout=120)[1]
    assert done.returncode == 0


def test_a_picture_is_refused_to_a_terminal(tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    spotted().save(tmp_path / "photo.png")
    ours, theirs = pty.openpty()
    try:
        done = command(tmp_path, "best", "photo.png", "-o", "-", stdout=theirs)
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)
    with open(ours, "rb", buffering=0) as terminal:
        try:
            shown = terminal.read()
        except OSError:  # nothing was written, and nobody is there any more
            shown = b""
    assert not shown
    assert done.returncode == 2
    assert b"terminal" in done.stderr


INTERRUPTED = """
import sys
class Finder:
    def find_spec(self, name, path, target=None):
        if name == "cropper.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Finder())
from cropper.__main__ import run
run()
"""


def test_ctrl_c_while_the_command_is_loaded_is_quiet(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 130
    assert done.stderr == b""


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        (["compare", "photo.png", "--judge", "nobody"], 3, "no scorer 'nobody'"),
        (["train", "localizer", "--data", "."], 1, "annotations.json cannot be read (No such"),
        (["train", "crops", "--data", "."], 3, "no weights to start from"),
    ],
)
def test_the_other_commands_fail_alike(
    line: list[str], code: int, words: str, crop: Crop, photo_png: Path
) -> None:
    found = CliRunner().invoke(main, line)
    assert found.exit_code == code
    assert found.stderr.startswith("cropper: ")
    assert words in found.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_ends_a_run_with_a_summary_and_whole_files(tmp_path: Path) -> None:
    total = 60
    for index in range(total):
        spotted().save(tmp_path / f"{index}.png")
    # a shell's background jobs ignore the signal, and what they start inherits that
    listen = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    inputs = [f"{index}.png" for index in range(total)]
    line, options = process(tmp_path, "best", *inputs, "-o", "out/", prelude=listen)
    running = subprocess.Popen(line, stderr=subprocess.PIPE, **options)
    assert running.stderr
    for _ in range(2):
        assert b" -> " in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    rest = running.stderr.read().decode()
    assert running.wait(60) == 130
    running.stderr.close()
    assert "Traceback" not in rest
    summary = rest.splitlines()[-1]
    assert f" of {total} done, 0 failed" in summary
    done = int(summary.removeprefix("cropper: interrupted: ").split()[0])
    written = names(tmp_path / "out")
    assert 1 <= done < total
    assert done <= len(written) <= done + 1  # one may be written and not yet counted
    for name in written:
        assert name.endswith("-best.png")
        assert pixels(tmp_path / "out" / name).size


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("line", [["-o", "-"], ["--json"], ["--json", "--dry-run"]])
def test_standard_output_that_is_full_is_code_5(line: list[str], tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    with open("/dev/full", "wb") as full:
        done = command(
            tmp_path, "best", "photo.png", "--scorer", "spot", *line, spot=True, stdout=full
        )
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.returncode == 5


@pytest.mark.parametrize("line", [["photo.png", "-o", "-"], ["photo.png", "--json"]])
def test_a_reader_that_leaves_early_is_no_traceback(line: list[str], tmp_path: Path) -> None:
    spotted().save(tmp_path / "photo.png")
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = command(tmp_path, "best", "--scorer", "spot", *line, spot=True, stdout=theirs)
    finally:
        os.close(theirs)
    assert done.returncode in (1, 5)
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize(("stream", "line"), [(0, ["-", "-o", "x.png"]), (1, ["a.png", "-o", "-"])])
def test_a_closed_stream_is_no_traceback(stream: int, line: list[str], tmp_path: Path) -> None:
    spotted().save(tmp_path / "a.png")
    closed = f"import sys; sys.{'stdin' if stream == 0 else 'stdout'} = None"  # as after <&- or >&-
    done = command(tmp_path, "best", "--scorer", "spot", *line, prelude=closed, spot=True)
    assert b"Traceback" not in done.stderr
    assert done.returncode in (1, 2, 5)
