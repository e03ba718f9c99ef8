"""The question: it checks itself, and the constraints that it carries bind the search."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cropper import BoundScorer, CropFinder, CropRequest, ScorerSpec, View, from_array
from cropper.boxes import Boxes, area, snap
from cropper.errors import ConfigError, CropTooSmallError
from cropper.image import SourceImage
from cropper.request import CropFields
from cropper.space import CropSpace


def test_the_fields_that_functions_take_are_the_request_s() -> None:
    taken = {name: ref.__forward_arg__ for name, ref in CropFields.__annotations__.items()}
    assert taken == CropRequest.__annotations__


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"method": "magic"}, "method is one of"),
        ({"method": "stn", "strategy": "grid"}, "`strategy`"),
        ({"shear": True}, "`shear`"),
        ({"localizer": Path("x")}, "`localizer`"),
        ({"method": "localizer", "top_k": 2}, "`top_k`"),
        ({"size": (100_000, 100_000)}, "at most"),
        ({"size": (30, 20), "aspect": "1:1"}, "not of aspect 1:1"),
        ({"aspect": "wide"}, "'wide'"),
        ({"aspect": (4, 5)}, "or a number"),
        ({"min_scale": 0.9, "max_scale": 0.5}, "min_scale <= max_scale"),
        ({"top_k": 0}, "top_k is at least 1"),
        ({"budget": 0}, "budget is at least 1"),
        ({"min_pixels": 0}, "`min_pixels` is at least 1"),
        ({"no_enlarge": True}, "`size`"),
        ({"strategy": "luck"}, "strategy is one of"),
        ({"method": "stn", "constraints": (object(),)}, "constraints are on boxes"),
        ({"min_pixels": -1}, "`min_pixels` is at least 1"),
        ({"min_pixels": (100,)}, "`min_pixels` is a whole number"),
        ({"top_k": 2.5}, "`top_k` is a whole number"),
        ({"seed": -1}, "seed is at least 0"),
        ({"size": "10x10"}, "`size` is"),
        ({"size": (10, 0)}, "`size` is"),
        ({"focus": (0.1, 0.5, 0.2)}, "`focus` is a point"),
        ({"angle": "3"}, "`angle` is a number"),
        ({"background": 3}, "`background` is a colour"),
        ({"keep": "faces"}, "`keep` is a tuple"),
        ({"avoid": (0.1, 0.1, 0.2, 0.2)}, "a box to keep or avoid"),
    ],
)
def test_fields_that_break_a_rule(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        CropRequest(**fields)


@pytest.mark.parametrize(
    ("fields", "aspect", "label"),
    [
        ({}, "original", "original"),
        ({"aspect": " Free "}, "free", "free"),
        ({"aspect": "4:5"}, "4:5", "4x5"),
        ({"size": (1080, 1350)}, "1080:1350", "1080x1350"),
        ({"size": (1080, 1350), "aspect": "4:5"}, "1080:1350", "1080x1350"),
        ({"aspect": 1.5}, 1.5, "1.5"),
    ],
)
def test_the_aspect_that_is_searched(fields: dict[str, Any], aspect: object, label: str) -> None:
    request = CropRequest(**fields)
    assert (request.searched_aspect, request.label) == (aspect, label)


# Constraints


class Corner:
    """Likes what lies at the top left."""

    spec = ScorerSpec("corner", 64, 100, False, "for tests", "CC0-1.0")

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: -boxes[:, 0] - boxes[:, 1], view.size, 100)


class Narrow:
    """Likes small crops."""

    spec = ScorerSpec("narrow", 64, 100, False, "for tests", "CC0-1.0")

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: boxes[:, 0] - boxes[:, 2], view.size, 100)


@dataclass(frozen=True)
class RightOf:
    """Excludes boxes that begin left of a share of the photo, and dislikes those far from it."""

    share: float
    weight: float = 0.0

    def bind(self, view: View, spaces: Sequence[CropSpace]) -> _BoundRightOf:
        return _BoundRightOf(self.share * view.size[0], self.weight)


@dataclass(frozen=True)
class _BoundRightOf:
    edge: float
    weight: float
    note: str = ""

    def mask(self, boxes: Boxes) -> NDArray[np.bool_]:
        return np.asarray(boxes[:, 0] >= self.edge)

    def penalty(self, boxes: Boxes) -> NDArray[np.float64]:
        return np.asarray(self.weight * np.abs(boxes[:, 1] - 30))


def nearly_black(height: int, width: int) -> SourceImage:
    """All crops of a photo of one colour are alike, whatever a scorer says: so one pixel is not."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[0, 0] = 255
    return from_array(pixels)


BLANK = nearly_black(100, 200)


@pytest.mark.parametrize("strategy", ["halving", "grid", "random"])
def test_a_mask_holds_and_the_best_that_it_allows_is_found(strategy: str) -> None:
    finder = CropFinder(Corner())
    request = CropRequest(aspect="1:1", strategy=strategy, budget=2000, top_k=3)
    free = finder.find(BLANK, request).best
    bound = finder.find(BLANK, request, constraints=(RightOf(0.4),))
    assert free.x0 < 12
    assert all(crop.x0 >= 80 for crop in bound.crops)
    assert bound.best.x0 < 92
    assert bound.best.score == -bound.best.x0 - bound.best.y0  # the scorer's own


def test_a_penalty_moves_the_choice_but_not_the_score() -> None:
    finder = CropFinder(Corner())
    request = CropRequest(aspect="1:1", strategy="grid", constraints=(RightOf(0.0, weight=2.0),))
    best = finder.find(BLANK, request).best
    assert abs(best.y0 - 30) <= 2
    assert best.score == -best.x0 - best.y0


def test_constraints_that_leave_nothing_are_told() -> None:
    found = CropFinder(Corner()).find(BLANK, aspect="1:1", constraints=(RightOf(0.9),))
    assert found.notes == ("no crop keeps and avoids all that it should: this one comes nearest",)


# The finder as a value


def test_a_finder_is_pickled_as_what_it_was_made_of() -> None:
    finder = pickle.loads(pickle.dumps(CropFinder(device="cpu")))
    request = CropRequest(aspect="4:5")
    assert finder(BLANK, request).search == CropFinder(device="cpu")(BLANK, request).search


def test_a_request_is_a_value() -> None:
    request = CropRequest(aspect="4:5", constraints=(RightOf(0.5),))
    assert pickle.loads(pickle.dumps(request)) == request
    assert len({request, replace(request)}) == 1


# Pixels


@given(
    st.tuples(st.integers(60, 3000), st.integers(60, 3000)),
    st.tuples(st.integers(10, 2000), st.integers(10, 2000)),
)
def test_crops_have_the_pixels_of_a_size_where_the_photo_has(
    photo: tuple[int, int], size: tuple[int, int]
) -> None:
    """Against the largest box: where that is large enough, so is the smallest of the space."""
    (space,) = CropRequest(size=size).spaces(photo)
    largest = space.largest * photo
    smallest = space.min_scale * largest
    if (largest >= np.array(size) - 1e-9).all():
        assert (smallest >= np.array(size) - 1e-6).all()
        assert space.min_scale >= CropRequest().min_scale
    else:
        assert space.min_scale == CropRequest().min_scale


@given(st.tuples(st.integers(60, 3000), st.integers(60, 3000)), st.integers(1, 9_000_000))
def test_crops_of_every_aspect_have_the_least_pixels(photo: tuple[int, int], pixels: int) -> None:
    """Counted in the whole pixels of every crop, against those of the largest."""
    every = CropRequest(aspect="free").spaces(photo)
    spaces = CropRequest(aspect="free", min_pixels=pixels).spaces(photo)
    if max(area(snap(space.centred, photo))[0] for space in every) < pixels:
        assert len(spaces) == len(every)  # none has them: the answer is then refused
    else:
        crops = [snap(space.boxes(space.grid(0.5)), photo) for space in spaces]
        assert area(np.concatenate(crops)).min() >= pixels


def test_a_size_is_cut_and_not_enlarged_where_it_can_be() -> None:
    """The smallest crop is liked best, and would be enlarged twofold."""
    photo, finder = nearly_black(500, 1000), CropFinder(Narrow())
    best = finder.find(photo, size=(880, 495)).best
    assert min(best.width / 880, best.height / 495) >= 1
    assert finder.find(photo, aspect="880:495").best.width < 500


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"min_pixels": 500_001}, "1000x500 px, fewer than 500001"),
        ({"size": (1001, 500), "no_enlarge": True}, "would be enlarged to 1001x500"),
        ({"size": (40, 501), "no_enlarge": True}, "would be enlarged to 40x501"),
    ],
)
def test_a_photo_with_too_few_pixels_is_refused(fields: dict[str, Any], words: str) -> None:
    photo = nearly_black(500, 1000)
    with pytest.raises(CropTooSmallError, match=words):
        CropFinder(Corner()).find(photo, **fields)
