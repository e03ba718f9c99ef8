"""Filters of crops, through the finder, the shell and folders."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cropper import BulkOptions, CropFinder, CropRequest, from_array
from cropper.boxes import Boxes, Crop
from cropper.bulk.outcome import Written, outcome_from_json
from cropper.bulk.signature import Signature
from cropper.canvas import Canvas
from cropper.errors import ConfigError
from cropper.filter_search import BOUNDS, WORTH_IT, FilterFinder, compass_search
from cropper.image import View
from cropper.image.toning import toned_pixels
from cropper.render import cut, render, save_crop
from cropper.scorers import BoundScorer, ScorerSpec
from cropper.tone import BEST, FILTERS, Filter, Tone, parse_filter
from tests.bulk.conftest import Bulk, bulk, photos, stamps, tree
from tests.conftest import Crop as Run
from tests.conftest import command, one_record, pixels, records, spotted

__all__ = ["bulk", "photos"]  # fixtures

WHOLE = Crop(0, 0, 512, 512, 0.0)


class Taste:
    """A judge of whole pictures by a function of their mean colour in [0, 1]."""

    spec = ScorerSpec("taste", 64, 16, True, "for tests", "none")

    def __init__(self, score: object) -> None:
        self.score, self.asked = score, 0

    def bind(self, view: View) -> BoundScorer:
        self.asked += 1
        mean = view.pixels.mean((0, 1)) / 255
        value = float(self.score(mean))  # type: ignore[operator]

        def score(boxes: Boxes) -> NDArray[np.floating]:
            return np.full(len(boxes), value)

        return BoundScorer(score, view.size, 16)


def within_bounds(tone: Tone) -> bool:
    return tone.border == 0 and all(
        low <= getattr(tone, name) <= high for name, (low, high) in BOUNDS.items()
    )


# --- the search


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_the_search_finds_the_top_of_a_hill_to_half_a_step(top: list[float]) -> None:
    def hill(point: tuple[float, ...]) -> float:
        return -sum((a - b) ** 2 for a, b in zip(point, top, strict=True))

    low, high = (0.0,) * 3, (1.0,) * 3
    found, value, before = compass_search(hill, [low, (0.3, 0.9, 2.0)], low, high)
    assert value == hill(found) >= before == hill(low)
    assert np.abs(np.array(found) - top).max() <= 0.125 + 1e-6


def test_of_a_coarse_lattice_nothing_is_better_than_what_is_found() -> None:
    def objective(point: tuple[float, ...]) -> float:
        return float(np.cos(3 * point[0] - 1) + 0.5 * point[0] * point[1])

    found = compass_search(objective, [(0.0, 0.0)], (0.0, 0.0), (1.0, 1.0))
    lattice = product(np.linspace(0, 1, 5), repeat=2)
    assert found[1] >= max(objective(point) for point in lattice) - 1e-9


@given(st.integers(1, 30), st.integers(0, 99))
def test_no_more_is_asked_than_allowed_never_twice_and_never_outside(most: int, seed: int) -> None:
    asked: list[tuple[float, ...]] = []

    def objective(point: tuple[float, ...]) -> float:
        asked.append(point)
        return float(np.random.default_rng([seed, len(asked)]).normal())

    low, high = (-1.0, 0.0), (0.5, 2.0)
    found, value, _ = compass_search(objective, [(9.0, 9.0)], low, high, evaluations=most)
    assert len(asked) == len(set(asked)) <= most
    assert found in asked
    for point in asked:
        assert all(a <= x <= b for a, x, b in zip(low, point, high, strict=True))
    assert np.isfinite(value)


# --- best


@pytest.mark.parametrize(
    ("taste", "name", "end"),
    [
        (lambda mean: -np.ptp(mean), "saturation", 0),
        (lambda mean: mean.mean(), "brightness", 1),
        (lambda mean: mean[0] - mean[2], "warmth", 1),
    ],
)
def test_best_is_what_the_judge_likes_up_to_the_bounds(taste: object, name: str, end: int) -> None:
    image, judge = from_array(data.astronaut()), Taste(taste)
    found = FilterFinder(judge=judge).find(image, WHOLE)
    assert getattr(found.tone, name) == BOUNDS[name][end]
    assert within_bounds(found.tone)
    assert judge.asked <= 60
    seen = [cut(image, replace(WHOLE, filter=each), (64, 64)) for each in (None, found)]
    before, after = (
        float(judge.bind(from_array(each).view(64))(np.ones((1, 4)).cumsum(1))[0]) for each in seen
    )
    assert found.gain is not None
    assert found.gain >= WORTH_IT
    assert found.gain == pytest.approx(after - before, abs=0.01)


def test_nothing_is_better_for_a_judge_that_sees_no_difference() -> None:
    image = from_array(data.astronaut())
    for taste in (lambda mean: 1.0, lambda mean: 0.1 * WORTH_IT * mean.mean()):
        assert FilterFinder(judge=Taste(taste)).find(image, WHOLE) == Filter(BEST, Tone(), 0.0)


def test_of_grey_photos_colours_are_not_searched() -> None:
    judge = Taste(lambda mean: mean.mean())
    found = FilterFinder(judge=judge).find(from_array(data.camera()), WHOLE)
    assert found.tone.changes.keys() <= {"brightness", "contrast", "fade"}
    assert found.tone.brightness == BOUNDS["brightness"][1]


def test_where_nothing_is_better_the_crop_stays_and_that_is_said() -> None:
    finder, photo = CropFinder(), from_array(data.astronaut())
    finder._filters = FilterFinder(judge=Taste(lambda mean: 1.0))
    plain = finder.find(photo, aspect="1:1")
    best = finder.find(photo, aspect="1:1", filter=BEST)
    assert best.notes == ("no filter makes the crop better by taste: it stays as it is",)
    assert best.to_dict()["filter"] == {"name": "best", "tone": {}, "gain": 0.0}
    assert render(photo, best.best, "PNG") == render(photo, plain.best, "PNG")


@pytest.mark.slow
def test_the_selfie_scorer_prefers_what_best_gives() -> None:
    photo, finder = from_array(data.astronaut()), CropFinder()
    plain, best = (finder.find(photo, aspect="1:1", filter=name) for name in (None, BEST))
    assert replace(best.best, filter=None) == plain.best
    found = best.best.filter
    assert found is not None
    assert found.gain is not None
    assert within_bounds(found.tone)
    judge = CropFinder("selfie")
    scores = []
    for result in (plain, best):
        view = from_array(result.crop()).view(judge.scorer.spec.long_side)
        whole = np.array([[0.0, 0.0, *view.size]])
        scores.append(judge.bind_view(view)(whole)[0])
    assert scores[1] - scores[0] == pytest.approx(found.gain, abs=0.1)
    assert scores[1] - scores[0] > WORTH_IT


# --- in Python


@pytest.mark.parametrize("name", [*FILTERS, "fade:0.4"])
def test_a_crop_is_the_same_crop_with_other_tones(name: str, tmp_path: Path) -> None:
    finder, photo = CropFinder(), from_array(data.astronaut())
    plain, found = (finder.find(photo, size=(160, 200), filter=each) for each in (None, name))
    assert found.best.filter == parse_filter(name)
    assert replace(found.best, filter=None) == plain.best
    other = found.to_dict()
    assert other.pop("filter") == parse_filter(name).to_dict()
    assert {**other, "seconds": 0} == {**plain.to_dict(), "seconds": 0}
    picture = np.asarray(found.crop())
    assert picture.shape == (200, 160, 3)
    if name != "border":
        assert np.array_equal(
            picture, toned_pixels(np.asarray(plain.crop()), parse_filter(name).tone)
        )
    save_crop(photo, found.best, tmp_path / "a.png", size=(160, 200))
    assert np.array_equal(pixels(tmp_path / "a.png"), picture)
    assert "filter" not in plain.to_dict()


def test_a_background_keeps_its_colour_and_the_border_is_around_it() -> None:
    tone = Tone(border=0.1, brightness=0.5, saturation=0)
    crop = Crop(0, 0, 500, 250, 0.0, canvas=Canvas(1.0, "pad", "#c02040"), filter=Filter("x", tone))
    picture = cut(from_array(data.astronaut()), crop, (240, 240))
    seen = np.asarray(picture)
    assert picture.size == (240, 240)
    assert (seen[:20] == 255).all()
    assert (seen[:, -20:] == 255).all()
    assert (seen[21, 21:-21] == (0xC0, 0x20, 0x40)).all()
    (_, (x0, y0, x1, y1)) = crop.layout((240, 240))
    assert (x0, x1, y1 - y0) == (20, 220, 100)
    assert np.ptp(seen[y0:y1, x0:x1], axis=-1).max() == 0
    assert (seen[y0 - 1, 30] == (0xC0, 0x20, 0x40)).all()


@pytest.mark.parametrize("name", ["warm", "black-and-white"])
def test_that_a_filter_leaves_a_grey_photo_as_it_is_is_said(name: str) -> None:
    photo, finder = from_array(data.camera()), CropFinder()
    found = finder.find(photo, aspect="1:1", filter=name)
    assert found.notes == (f"the photo is grey: `filter={name}` leaves it as it is",)
    assert finder.find(photo, aspect="1:1", filter="fade").notes == ()


def test_a_filter_goes_with_crops_that_are_turned() -> None:
    photo = from_array(data.astronaut())
    corners = ((60.0, 50.0), (350.0, 80.0), (330.0, 330.0), (40.0, 300.0))
    crop = Crop.within(corners, 0.0, (512, 512))
    plain = np.asarray(cut(photo, crop))
    faded = np.asarray(cut(photo, replace(crop, filter=parse_filter("fade"))))
    assert np.array_equal(faded, toned_pixels(plain, FILTERS["fade"]))


def test_what_cannot_filter_says_so() -> None:
    with pytest.raises(ConfigError, match=r"`filter` is best or one of fade"):
        CropRequest(filter="sepia")
    with pytest.raises(ConfigError, match="a sidecar holds no filter"):
        BulkOptions((CropRequest(filter="fade"),), xmp="instead")


# --- the shell


def test_best_without_torch_says_what_to_install(photo_png: Path) -> None:
    missing = "import sys; sys.modules['torch'] = None"
    for name, code in (("best", 3), ("fade", 0)):
        done = command(photo_png.parent, "best", "photo.png", "--filter", name, prelude=missing)
        assert done.returncode == code
        assert (b"pip install 'cropper[torch]'" in done.stderr) == (code == 3)


def test_the_shell_filters_and_tells_it(crop: Run, photo_png: Path) -> None:
    plain = one_record(crop("photo.png", "-o", "plain.png", "--json"))
    found = crop("photo.png", "-o", "warm.png", "--filter", "warm", "--json")
    record = one_record(found)
    assert record["filter"] == {"name": "warm", "tone": {"warmth": 0.3}, "gain": None}
    assert record["box"] == plain["box"]
    assert ", filter warm; " in found.stderr
    assert "filter" not in plain
    assert np.array_equal(pixels("warm.png"), toned_pixels(pixels("plain.png"), FILTERS["warm"]))


def test_every_runner_up_has_the_filter(crop: Run, photo_png: Path) -> None:
    record = one_record(
        crop("photo.png", "-o", "top/", "--top-k", 2, "--filter", "border:.5", "--json")
    )
    assert [each["filter"]["tone"] for each in record["crops"]] == [{"border": 0.04}] * 2


def test_a_filter_that_there_is_not_is_code_2(crop: Run, photo_png: Path) -> None:
    found = crop("photo.png", "--filter", "sepia")
    assert found.exit_code == 2
    assert "--filter is best or one of fade, black-and-white, warm, low-contrast" in found.stderr
    assert not Path("photo-best.png").exists()


@pytest.mark.parametrize("name", ["fade", "border"])
def test_alpha_and_deep_grey_come_through_files(name: str, crop: Run) -> None:
    clear = spotted()
    alpha = Image.fromarray(np.tile(np.arange(120, dtype=np.uint8), (80, 1)))
    clear.putalpha(alpha)
    clear.save("clear.png")
    deep = np.asarray(spotted().convert("L")).astype(np.uint16) * 257
    Image.fromarray(deep).save("deep.png")
    for photo in ("clear", "deep"):
        box = ("--filter", name, "--overwrite")
        assert crop(f"{photo}.png", "-o", f"{photo}-1.png", *box).exit_code == 0
        assert crop(f"{photo}.png", "-o", f"{photo}-0.png", "--overwrite").exit_code == 0
    assert pixels("deep-1.png").dtype == np.uint16
    before, after = pixels("clear-0.png"), pixels("clear-1.png")
    if name == "fade":
        assert np.array_equal(after[..., 3], before[..., 3])
        assert not np.array_equal(after[..., :3], before[..., :3])
    else:
        assert (after[0] == 255).all()


# --- folders


def test_a_folder_is_filtered_as_the_shell_does_and_done_again_for_another(
    bulk: Bulk, photos: Path, crop: Run
) -> None:
    assert bulk("--json").exit_code == 0
    plain, before = tree(Path("out")), stamps(Path("out"))
    found = bulk("--filter", "fade", "--json")
    assert found.exit_code == 0
    assert [each["filter"]["name"] for each in records(found)] == ["fade"] * 4
    faded = tree(Path("out"))
    assert all(faded[name] != plain[name] for name in plain)
    assert "4 were done already" in bulk("--filter", "fade").stderr
    assert crop("in/b.png", "-o", "b.png", "--filter", "fade", "--budget", 300).exit_code == 0
    assert np.array_equal(pixels("b.png"), pixels("out/b.png"))
    assert bulk().exit_code == 0
    assert tree(Path("out")) == plain
    assert stamps(Path("out")) != before


def test_the_key_of_a_folder_s_settings_tells_filters_apart() -> None:
    names = (None, "fade", "fade:0.5", "warm", BEST)
    keys = {BulkOptions((CropRequest(filter=name),)).key("{stem}") for name in names}
    assert len(keys) == len(names)


def test_the_manifest_remembers_the_filter() -> None:
    crop = Crop(0, 0, 9, 9, 1.0, filter=Filter(BEST, Tone(fade=0.1, border=0.05), 0.2))
    written = Written("a.jpg", Signature(1, 2, 3, "d"), 0, 1, crop)
    assert Written.from_record(json.loads(json.dumps(written.to_record()))) == written
    assert "filter" not in replace(written, crop=replace(crop, filter=None)).to_record()


def test_sidecars_alone_hold_no_filter(bulk: Bulk, photos: Path) -> None:
    found = bulk("--xmp-only", "--filter", "warm")
    assert found.exit_code == 2
    assert "a sidecar holds no filter: write crops, or leave --filter out" in found.stderr


@pytest.mark.slow
def test_best_in_a_folder_is_told_by_json_and_manifest(bulk: Bulk, tmp_path: Path) -> None:
    Path("in").mkdir()
    Image.fromarray(data.astronaut()).save("in/me.jpg", quality=95)
    (record,) = records(bulk("--filter", "best", "--json", "--sheet", "sheet.jpg"))
    assert record["filter"]["gain"] > WORTH_IT
    assert Path("sheet.jpg").stat().st_size
    import sqlite3  # noqa: PLC0415

    rows = sqlite3.connect("out/.cropper/manifest.sqlite").execute("select outcome from photos")
    kept = outcome_from_json(rows.fetchone()[0])
    assert kept.to_dict("in", "out", [CropRequest(filter=BEST)])["filter"] == record["filter"]
