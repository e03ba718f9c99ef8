import functools
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cropper import (
    BoundScorer,
    CropFinder,
    CropRequest,
    CropResult,
    Scorer,
    ScorerSpec,
    SourceImage,
    View,
    find_best_crop,
    from_array,
    load_scorer,
)
from cropper.boxes import Boxes, iou
from cropper.errors import (
    ConfigError,
    ImageReadError,
    MissingModelError,
    ScorerOutputError,
    SpaceError,
)
from cropper.search import SearchConfig
from cropper.search_task import search_config

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

SPEC = ScorerSpec("stub", 64, 100, False, "for tests", "CC0-1.0")
SMALL = CropRequest(strategy="grid", budget=600)


class Stub:
    """Likes crops around one place of the picture, and tells what it was asked."""

    def __init__(self, x: float = 0.3, y: float = 0.6, spec: ScorerSpec = SPEC) -> None:
        self.x, self.y, self.spec = x, y, spec
        self.views: list[View] = []
        self.gradients: list[bool] = []

    def bind(self, view: View) -> BoundScorer:
        self.views.append(view)
        self.gradients.append(torch.is_grad_enabled())

        def score(boxes: Boxes) -> NDArray[np.float64]:
            self.gradients.append(torch.is_grad_enabled())
            width, height = view.size
            off_x = (boxes[:, 0] + boxes[:, 2]) / 2 / width - self.x
            off_y = (boxes[:, 1] + boxes[:, 3]) / 2 / height - self.y
            share = (boxes[:, 2] - boxes[:, 0]) / width
            return np.asarray(-(off_x**2) - off_y**2 - (share - 0.6) ** 2)

        return BoundScorer(score, view.size, self.spec.batch_size)


@functools.lru_cache(maxsize=1)
def cropnet() -> Scorer:
    return load_scorer("cropnet", "cpu")


@functools.lru_cache(maxsize=4)
def photo(name: str) -> SourceImage:
    return from_array(getattr(data, name)())


def blank(width: int, height: int) -> SourceImage:
    pixels = np.zeros((height, width), np.uint8)
    pixels[-1, -1] = 255  # of one colour, its crops would be alike
    return from_array(pixels)


def boxes_of(result: CropResult) -> Boxes:
    return np.array([crop.box for crop in result.search.crops])


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(1, 60)] * 2) | st.tuples(*[st.integers(60, 700)] * 2),
    st.sampled_from(["original", "1:1", "4:5", "16:9", "free", 0.4]),
    st.integers(1, 4),
)
def test_crops_are_whole_pixels_inside_and_of_the_aspect(
    size: tuple[int, int], aspect: str | float, top_k: int
) -> None:
    request = CropRequest(strategy="grid", budget=5000, top_k=top_k)
    result = CropFinder(Stub()).find(blank(*size), request, aspect=aspect)
    boxes = boxes_of(result)
    sides = boxes[:, 2:] - boxes[:, :2]
    assert np.array_equal(boxes, boxes.round())
    assert boxes.min() >= 0
    assert (boxes[:, 2:] <= size).all()
    assert sides.min() >= 1
    assert result.source_size == size
    if aspect != "free":
        wanted = {"original": size[0] / size[1], "1:1": 1.0, "4:5": 0.8, "16:9": 16 / 9, 0.4: 0.4}
        ratio = wanted[aspect]
        for width, height in sides:  # each side is at most half a pixel off
            assert abs(width - ratio * height) <= 0.5 * (1 + ratio) + 1e-6 or 1 in (width, height)


@pytest.mark.parametrize("aspect", ["original", "1:1", "4:5", "free"])
def test_the_best_of_a_real_photo_is_inside_and_scored_as_it_is_cut(aspect: str) -> None:
    finder = CropFinder(cropnet())
    result = finder.find(photo("coffee"), SMALL, aspect=aspect, top_k=3)
    boxes = boxes_of(result)
    assert np.array_equal(boxes, boxes.round())
    assert (boxes[:, 2:] <= (600, 400)).all()
    again = finder.bind(photo("coffee"))(boxes)
    assert np.allclose([crop.score for crop in result.search.crops], again, rtol=0, atol=1e-5)
    if aspect == "1:1":
        assert result.best.width == result.best.height


def test_the_search_s_optimum_is_found() -> None:
    result = CropFinder(Stub(0.4, 0.55)).find(blank(1000, 1000), aspect="1:1")
    assert np.allclose(result.best.box, (100, 250, 700, 850), atol=15)
    assert result.best.score > -1e-3


def test_the_same_picture_gives_the_same_answer_twice() -> None:
    finder = CropFinder(cropnet())
    results = [finder.find(photo("astronaut"), SMALL, aspect="4:5") for _ in range(2)]
    assert results[0].search == results[1].search
    assert results[0].full_frame_score == results[1].full_frame_score


def test_the_full_frame_is_scored_as_one_more_crop() -> None:
    finder = CropFinder(cropnet())
    square, whole = (finder.find(photo("chelsea"), SMALL, aspect=a) for a in ("1:1", 451 / 300))
    (score,) = finder.bind(photo("chelsea"))(np.array([[0.0, 0, 451, 300]]))
    for result in (square, whole):
        assert result.full_frame_score == pytest.approx(score, abs=1e-5)
    assert square.best.score != pytest.approx(score, abs=1e-3)
    assert whole.best.score >= score - 1e-5  # it is one of the candidates


def test_crops_are_sorted_by_the_score_of_the_box_that_is_cut() -> None:
    for size in ((23, 17), (400, 300)):
        result = CropFinder(Stub()).find(blank(*size), SMALL, aspect="free", top_k=6)
        scores = [crop.score for crop in result.crops]
        assert len(scores) > 1
        assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (5, 4), (9, 9), (400, 300)])
def test_no_crop_is_returned_twice(size: tuple[int, int]) -> None:
    boxes = boxes_of(CropFinder(Stub()).find(blank(*size), SMALL, aspect="1:1", top_k=8))
    assert len(np.unique(boxes, axis=0)) == len(boxes)


def test_crops_of_a_photo_differ() -> None:
    request = CropRequest(aspect="1:1", strategy="grid", budget=2000, top_k=5)
    boxes = boxes_of(CropFinder(cropnet()).find(photo("rocket"), request))
    assert len(boxes) > 1
    overlaps = iou(boxes, boxes)[np.triu_indices(len(boxes), 1)]
    assert overlaps.max() <= SearchConfig().nms_iou + 0.01  # whole pixels


@pytest.mark.parametrize("aspect", ["original", "1:1", "free"])
def test_how_many_crops_are_asked_for_changes_no_best_one(aspect: str) -> None:
    finder = CropFinder(cropnet())
    one, three = (finder.find(photo("coffee"), aspect=aspect, top_k=k) for k in (1, 3))
    assert three.best.box == one.best.box
    assert three.best.score == pytest.approx(one.best.score, abs=1e-5)  # in a batch of more boxes
    assert three.search.strategy == one.search.strategy == "halving"


def test_the_asked_scales_bound_the_crop() -> None:
    finder = CropFinder(Stub(0.5, 0.5))
    small = finder.find(blank(400, 400), SMALL, min_scale=0.2, max_scale=0.3)
    large = finder.find(blank(400, 400), SMALL, min_scale=0.9)
    assert small.best.width == 120
    assert large.best.width == 360


def test_whatever_a_photo_is_in_it_is_found_alike(tmp_path: Path) -> None:
    pixels = data.coffee()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    path = tmp_path / "coffee.png"
    path.write_bytes(buffer.getvalue())
    scorer = Stub()
    found = [
        find_best_crop(source, SMALL, scorer=scorer, aspect="1:1")
        for source in (
            *(path, str(path), buffer.getvalue(), io.BytesIO(buffer.getvalue())),
            *(pixels, Image.fromarray(pixels), from_array(pixels)),
            *(torch.from_numpy(pixels), torch.from_numpy(pixels).permute(2, 0, 1) / 255),
        )
    ]
    assert all(result.search == found[0].search for result in found)
    assert all(np.array_equal(view.pixels, scorer.views[0].pixels) for view in scorer.views)


def test_one_call_is_the_finder_s_answer() -> None:
    one = find_best_crop(photo("coffee"), SMALL, aspect="4:5", device="cpu")
    other = CropFinder(cropnet()).find(photo("coffee"), SMALL, aspect="4:5")
    assert one.search == other.search
    assert one.scorer == "cropnet"


@pytest.mark.parametrize(("asked", "seen"), [(500, 500), (64, 448)])
def test_the_scorer_sees_the_view_that_it_asked_for_or_one_that_shows_faces(
    asked: int, seen: int
) -> None:
    scorer = Stub(spec=replace(SPEC, long_side=asked))
    CropFinder(scorer).find(photo("coffee"), SMALL)
    (view,) = scorer.views
    assert max(view.pixels.shape[:2]) == seen
    assert view.size == (600, 400)


def test_no_gradients_are_recorded() -> None:
    scorer = Stub()
    finder = CropFinder(scorer)
    finder.find(blank(40, 30), SMALL)
    finder.score_map(blank(40, 30), 1.0, columns=6)
    finder.bind(blank(40, 30))(np.array([[0.0, 0, 9, 9]]))
    assert len(scorer.gradients) > 6
    assert not any(scorer.gradients)
    assert torch.is_grad_enabled()


def test_a_gradient_is_the_caller_s_to_take_from_the_scorer_itself() -> None:
    scorer = Stub()
    scorer.bind(blank(40, 30).view(64))
    assert scorer.gradients == [True]


COSTLY = ScorerSpec("stub", 64, 100, True, "for tests", "CC0-1.0")


@pytest.mark.parametrize(
    ("spec", "aspect", "most"),
    [(SPEC, "1:1", 300), (SPEC, "free", 1000), (COSTLY, "1:1", 500), (COSTLY, "free", 500)],
)
def test_the_usual_search_is_halving_on_a_small_budget(
    spec: ScorerSpec, aspect: str, most: int
) -> None:
    result = CropFinder(Stub(spec=spec)).find(blank(400, 300), aspect=aspect)
    assert result.search.strategy == "halving"
    assert result.search.evaluations <= most


@pytest.mark.parametrize(
    ("strategy", "budget", "expected", "costly"),
    [
        (None, None, ("halving", 300), ("halving", 500)),
        (None, 70, ("halving", 70), ("halving", 70)),
        ("halving", None, ("halving", 300), ("halving", 500)),
        ("grid", None, ("grid", 10_000), ("grid", 500)),
        ("random", 70, ("random", 70), ("random", 70)),
    ],
)
def test_what_is_not_asked_for_suits_the_strategy(
    strategy: str | None, budget: int | None, expected: tuple[str, int], costly: tuple[str, int]
) -> None:
    for spec, (name, number) in ((SPEC, expected), (COSTLY, costly)):
        config = search_config(spec, CropRequest(strategy=strategy, budget=budget))
        assert (config.strategy, config.budget) == (name, number)


@pytest.mark.parametrize("aspect", ["original", "1:1", "9:16", "free"])
@pytest.mark.parametrize("spec", [SPEC, COSTLY])
def test_a_panorama_is_searched_on_the_default_budget(aspect: str, spec: ScorerSpec) -> None:
    for size in ((1200, 240), (240, 1200)):
        result = CropFinder(Stub(spec=spec)).find(blank(*size), aspect=aspect)
        assert result.search.evaluations <= search_config(spec, CropRequest(aspect=aspect)).budget


def test_the_result_says_what_was_done() -> None:
    seen: list[tuple[int, int]] = []
    result = CropFinder(Stub()).find(
        blank(400, 300), SMALL, progress=lambda done, budget: seen.append((done, budget))
    )
    fields = result.to_dict()
    assert fields["source_size"] == [400, 300]
    assert fields["box"] == list(result.best.box)
    assert np.allclose(fields["box_norm"], result.best.normalised((400, 300)), atol=1e-6)
    assert fields["candidates"] == result.search.evaluations == seen[-1][0] <= 600
    assert fields["scorer"] == "stub"
    assert fields["score"] == result.best.score
    assert fields["full_frame_score"] == result.full_frame_score
    assert result.seconds > 0


# The score map


def test_a_score_map_covers_the_picture_with_square_places() -> None:
    grid = CropFinder(Stub()).score_map(blank(300, 200), 1.0, columns=12)
    assert grid.scores.shape == (8, 12)
    assert grid.aspect == 1.0
    assert CropFinder(Stub()).score_map(blank(900, 1), 1.0, columns=12).scores.shape == (1, 12)


def test_a_score_map_is_nan_where_no_crop_fits() -> None:
    scores = CropFinder(Stub()).score_map(blank(400, 200), 1.0, (0.5,), columns=16).scores
    fits = np.isfinite(scores)
    ys, xs = np.nonzero(fits)  # centres from 50 to 350 px by 50 to 150 px, in cells of 25 px
    assert (xs.min(), xs.max(), ys.min(), ys.max()) == (1, 14, 1, 6)
    assert fits[1:7, 1:15].all()


@settings(max_examples=60, deadline=None)
@given(
    st.tuples(st.integers(1, 900), st.integers(1, 900)),
    st.sampled_from([0.5, 1.0, 1.5, 16 / 9]),
    st.integers(1, 60),
)
def test_the_largest_crop_fits_in_the_middle_of_the_map_and_symmetrically(
    size: tuple[int, int], aspect: float, columns: int
) -> None:
    scores = CropFinder(Stub()).score_map(blank(*size), aspect, (1.0,), columns).scores
    fits = np.isfinite(scores)
    assert fits.any()
    assert np.array_equal(fits, fits[::-1])
    assert np.array_equal(fits, fits[:, ::-1])


def test_a_score_map_holds_the_best_over_its_scales() -> None:
    finder, scales = CropFinder(Stub()), (0.5, 0.75, 1.0)
    together = finder.score_map(blank(300, 200), 1.0, scales, 12).scores
    alone = [finder.score_map(blank(300, 200), 1.0, (scale,), 12).scores for scale in scales]
    assert np.array_equal(together, np.fmax.reduce(alone), equal_nan=True)
    row, column = np.unravel_index(np.nanargmax(together), together.shape)
    assert abs((column + 0.5) / 12 - 0.3) < 0.1
    assert abs((row + 0.5) / 8 - 0.6) < 0.1


def test_places_of_the_map_hold_the_score_of_the_crop_there() -> None:
    finder = CropFinder(Stub())
    scores = finder.score_map(blank(400, 200), 1.0, (0.5,), columns=16).scores
    x, y = (5 + 0.5) * 25, (3 + 0.5) * 25
    box = np.array([[x - 50, y - 50, x + 50, y + 50]])
    assert scores[3, 5] == pytest.approx(finder.bind(blank(400, 200))(box)[0])


# A mirrored photo


@pytest.mark.parametrize("name", ["astronaut", "coffee", "rocket"])
@pytest.mark.parametrize("aspect", ["original", "4:5"])
def test_a_mirrored_photo_gets_the_mirrored_crop(name: str, aspect: str) -> None:
    source = photo(name)
    pixels = np.ascontiguousarray(getattr(data, name)()[:, ::-1])
    finder, request = CropFinder(cropnet()), CropRequest(aspect=aspect, strategy="grid")
    here = finder.find(source, request).best
    there = finder.find(from_array(pixels), request).best
    width = source.size[0]
    back = np.array([width - there.x1, there.y0, width - there.x0, there.y1])
    assert np.abs(back - here.box).max() <= 0.06 * max(here.width, here.height) + 1


# What goes wrong


def test_an_unreadable_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="nowhere"):
        find_best_crop(tmp_path / "nowhere.jpg", scorer=Stub())
    with pytest.raises(ImageReadError):
        find_best_crop(b"no picture", scorer=Stub())
    with pytest.raises(ImageReadError, match="got list"):
        find_best_crop([[0, 0, 0]], scorer=Stub())
    for pixels in (np.zeros((9, 9, 3)), np.zeros((9, 9, 2), np.uint8)):
        with pytest.raises(ConfigError, match=r"uint8 in shape \(H, W, 3\)"):
            find_best_crop(pixels, scorer=Stub())
    with pytest.raises(ConfigError, match=r"in \[0, 1\]"):
        find_best_crop(torch.full((3, 9, 9), 255.0), scorer=Stub())


def test_errors_of_aspect_and_scorer_pass_through() -> None:
    with pytest.raises(SpaceError, match="'wide'"):
        CropFinder(Stub()).find(blank(40, 30), aspect="wide")
    with pytest.raises(SpaceError, match="or a number, got"):
        CropFinder(Stub()).find(blank(40, 30), aspect=(4, 5))  # type: ignore[arg-type]
    with pytest.raises(MissingModelError, match="'nobody'"):
        CropFinder("nobody")


def test_a_scorer_that_breaks_its_contract_is_named() -> None:
    class Broken(Stub):
        def bind(self, view: View) -> BoundScorer:
            return BoundScorer(lambda boxes: np.full(len(boxes), np.nan), view.size, 100)

    with pytest.raises(ScorerOutputError):
        CropFinder(Broken()).find(blank(40, 30), SMALL)


def test_a_plain_function_serves_as_the_objective_of_a_scorer() -> None:
    """The contract is structural: nothing is inherited."""

    class Minimal:
        spec: Any = SPEC

        def bind(self, view: View) -> Any:
            return lambda boxes: boxes[:, 0] - boxes[:, 2]

    result = CropFinder(Minimal()).find(blank(40, 40), SMALL)
    assert isinstance(Minimal(), Scorer)
    assert result.best.width == 20


# The whole photo


class Larger(Stub):
    """The larger, the better; of crops of the same area, those of the photo's own aspect."""

    def bind(self, view: View) -> BoundScorer:
        whole = view.size[0] * view.size[1]

        def score(boxes: Boxes) -> NDArray[np.float64]:
            return np.asarray((boxes[:, 2:] - boxes[:, :2]).prod(1) / whole)

        return BoundScorer(score, view.size, 100)


@pytest.mark.parametrize("size", [(430, 300), (300, 431), (900, 200)])
@pytest.mark.parametrize("aspect", ["original", "free"])
def test_no_crop_is_chosen_that_the_whole_photo_beats(size: tuple[int, int], aspect: str) -> None:
    finder = CropFinder(Larger())
    found = finder.find(blank(*size), aspect=aspect, top_k=3)
    assert found.best.box == (0, 0, *size)
    assert found.best.score == found.full_frame_score == found.centre_score
    others = boxes_of(found)[1:]
    assert len(others) < 3
    assert (iou(np.array([found.best.box]), others) <= 0.7).all()
    assert finder.find(blank(*size), aspect=aspect, max_scale=0.9).best.width < size[0]


@pytest.mark.parametrize("max_scale", [1.0, 0.8])
def test_a_shape_is_held_against_its_own_centred_crop(max_scale: float) -> None:
    """The whole photo is no answer then, and a smaller centred crop would flatter."""
    finder = CropFinder(Larger())
    found = finder.find(blank(400, 300), aspect="1:1", max_scale=max_scale, min_scale=0.5)
    side = 300 * max_scale
    assert found.has_shape
    assert found.centre_score == pytest.approx(side**2 / (400 * 300))
    smaller = finder.find(blank(400, 300), max_scale=0.9)
    assert not smaller.has_shape
    assert smaller.centre_score == pytest.approx(smaller.best.score)  # of its own size


def test_a_shape_that_was_asked_for_is_kept() -> None:
    assert CropFinder(Larger()).find(blank(430, 300), aspect="1:1").best.box[2:] != (430, 300)


@pytest.mark.parametrize("scorer", ["cropnet", "convnet"])
@pytest.mark.parametrize(
    ("aspect", "box"), [("1:1", (100, 0, 700, 600)), ("4:1", (0, 200, 800, 400))]
)
def test_a_photo_of_one_colour_is_cropped_in_its_middle(
    scorer: str, aspect: str, box: tuple[int, ...]
) -> None:
    plain = Image.new("RGB", (800, 600), (200, 190, 180))
    found = CropFinder(scorer).find(plain, aspect=aspect)
    assert found.best.box == pytest.approx(box, abs=1)
    assert found.best.score == found.full_frame_score == found.centre_score
