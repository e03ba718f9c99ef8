"""Crops keep heads whole and named boxes in or out, where the shape can hold them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data

from cropper import BoundScorer, CropFinder, CropRequest, ScorerSpec, View, from_array
from cropper.boxes import Boxes, as_boxes
from cropper.cli import main
from cropper.errors import ConfigError
from cropper.faces import Face, find_faces
from cropper.heads import KeepHeads, Kept, _in_reach, _KeptOfGroup, _that_fit
from cropper.request import CropFields
from cropper.space import CropSpace
from cropper.turn import Turn
from tests.conftest import one_record

ASTRONAUT = data.astronaut()
BLANK = from_array(np.zeros((300, 400, 3), np.uint8))


class Low:
    """Likes small crops at the bottom right, away from any face."""

    spec = ScorerSpec("low", 512, 1000, False, "for tests", "CC0-1.0")

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: boxes[:, :2].sum(1) / 100, view.size, 1000)


def outside(box: Any, head: Any) -> float:
    """How far a head reaches out of a crop, px."""
    return max(box[0] - head[0], box[1] - head[1], head[2] - box[2], head[3] - box[3])


@pytest.mark.parametrize("aspect", ["16:9", "1:1", "4:5", "9:16", "original", "free"])
def test_no_head_is_cut_that_fits(aspect: str) -> None:
    head = find_faces(from_array(ASTRONAUT).view(640))[0].head((512, 512))
    finder = CropFinder(Low())
    without = finder.find(ASTRONAUT, aspect=aspect, keep=("none",))
    kept = finder.find(ASTRONAUT, aspect=aspect)
    assert outside(without.best.box, head) > 20
    assert outside(kept.best.box, head) <= 1
    assert kept.notes == ()
    assert without.faces is None
    assert kept.faces == tuple(face.box for face in find_faces(from_array(ASTRONAUT).view(640)))
    assert kept.best.score == pytest.approx(sum(kept.best.box[:2]) / 100)  # the scorer's own


def test_a_head_that_fills_the_shape_is_found() -> None:
    """Few places hold it: the search alone would miss them."""
    close = ASTRONAUT[20:230, 130:310]
    head = find_faces(from_array(close).view(640))[0].head((180, 210))
    ratio = 180 / (head[3] - head[1] + 3)  # the largest box is as high as the head
    best = CropFinder(Low()).find(close, aspect=ratio).best
    assert outside(best.box, head) <= 1


@pytest.mark.parametrize("with_another", [False, True])
@pytest.mark.parametrize("left", [0.3, 0.15, 0.07, 0.01])
def test_room_is_left_about_those_who_are_kept_as_far_as_the_shape_has_it(
    with_another: bool, left: float
) -> None:
    """Also where somebody else, far away, does not fit."""
    faces = [Face((100.0, 120.0, 160.0, 200.0), 1.0), Face((360.0, 150.0, 390.0, 190.0), 1.0)]
    keep = KeepHeads(single=tuple(faces[: 1 + with_another]))
    head = as_boxes(faces[0].head((400, 300)))[0]
    height = head[3] - head[1] + left * 1.5 * 80  # room above, half as much below
    space = CropSpace((400, 300), (head[2] - head[0] + left * 80) / height, 0.1, height / 300)
    (kept,) = keep.bind(View(np.zeros((300, 400, 3), np.uint8), (400, 300)), [space]).kept
    room = max(each for each in (0.2, 0.1, 0.05, 0.0) if each <= left)
    np.testing.assert_allclose(kept, faces[0].head((400, 300), room))


def test_a_face_that_the_shape_cannot_hold_is_told() -> None:
    close = ASTRONAUT[60:200, 160:290]
    found = CropFinder(Low()).find(close, aspect="9:1")
    assert found.notes == ("no crop of this shape holds the whole face, original would",)


@pytest.mark.parametrize("aspect", [5.0, 4.0, 3.0, 0.2, 0.15])
def test_the_shape_that_is_named_would_do(aspect: float) -> None:
    close = ASTRONAUT[20:260, 100:340]
    (note,) = CropFinder(Low()).find(close, aspect=aspect).notes
    named = note.partition(" would")[0].rpartition(", ")[2]
    assert CropFinder(Low()).find(close, aspect=named).notes == ()


@pytest.mark.parametrize("angle", [0.0, 0.02, 0.1, 0.5, -3.0])
def test_a_corner_stays_the_corner_in_a_photo_that_is_turned(angle: float) -> None:
    fields: CropFields = {"focus": (0.0, 0.0), "max_scale": 0.6, "angle": angle}
    found = CropFinder(Low()).find(data.rocket(), aspect="1:1", keep=("none",), **fields)
    assert max(found.best.box[:2]) <= 15
    assert found.notes == ()


def test_of_a_turned_photo_no_shape_is_named() -> None:
    (note,) = CropFinder(Low()).find(ASTRONAUT, aspect="1:20", angle=14.9).notes
    assert note == "no crop of this shape holds the whole face"


@pytest.mark.parametrize("aspect", ["original", "4:5", "16:9"])
@pytest.mark.parametrize("angle", [4.0, -4.0])
def test_a_head_at_the_edge_of_a_turned_photo_is_kept_as_far_as_a_crop_reaches(
    aspect: str, angle: float
) -> None:
    photo = ASTRONAUT[10:400]  # the hair touches the edge
    view = from_array(photo).view(640)
    turn = Turn(view.size, angle)
    (face, *_) = find_faces(turn.view(view))
    found = CropFinder(Low()).find(photo, aspect=aspect, angle=angle)
    assert found.notes == ()
    corners = turn.in_turned(np.array(found.best.corners))
    head = face.head(view.size)
    assert outside([*corners.min(0), *corners.max(0)], head) <= 0.25 * (head[3] - head[1])


@given(
    st.tuples(st.integers(80, 900), st.integers(80, 900)),
    st.floats(0.2, 5),
    st.floats(-20, 20).filter(lambda angle: abs(angle) > 0.1),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_some_crop_holds_what_is_in_reach_of_a_head(
    size: tuple[int, int], aspect: float, angle: float, place: list[float]
) -> None:
    space, turn = CropSpace(size, aspect, 0.3), Turn(size, angle)
    sides = space.largest * size * 0.3
    low = np.array(place[:2]) * (np.array(size) - sides)
    head = np.concatenate([low, low + sides * (0.2 + 0.7 * np.array(place[2:]))])[None]
    (kept,) = _in_reach(head, [space], turn)
    assert (kept[:2] >= head[0, :2]).all()
    assert (kept[2:] <= head[0, 2:]).all()
    half, middle = sides / 2, (head[0, :2] + head[0, 2:]) / 2
    tight = turn.fit(np.concatenate([middle - half, middle + half])[None])
    assert outside(tight[0], kept) <= 1 + 1e-6
    missed = outside(tight[0], head[0])
    less = missed + 0.1 * (head[0, 3] - head[0, 1]) + 1e-6
    assert outside(kept, head[0]) <= (less if missed > 1 else 0)


def test_of_two_that_do_not_fit_together_the_larger_is_kept_whole() -> None:
    canvas = np.full((320, 1200, 3), 127, np.uint8)
    canvas[10:160, 20:170] = ASTRONAUT[:300:2, 80:380:2]
    canvas[10:310, 880:1180] = ASTRONAUT[:300, 80:380]
    size = (1200, 320)
    large, small = (each.head(size) for each in find_faces(from_array(canvas).view(640)))
    found = CropFinder(Low()).find(canvas, aspect="1:1")
    assert outside(found.best.box, large) <= 1
    assert found.notes == ("no crop of this shape holds all heads, original would",)
    both = CropFinder(Low()).find(canvas, aspect="original")
    assert max(outside(both.best.box, head) for head in (large, small)) <= 1
    alone = CropFinder(Low()).find(canvas, aspect="original", keep=("largest",))
    assert outside(alone.best.box, large) <= 1
    assert alone.best.x0 > both.best.x0


def group_of(faces: list[tuple[float, float, float]], aspect: float) -> Kept:
    """The bound rule about faces (x, y, height) in a photo of 1200 x 300 px."""
    boxes = [Face((x, y, x + 0.75 * tall, y + tall), 1.0) for x, y, tall in faces]
    view = View(np.zeros((300, 1200, 3), np.uint8), (1200, 300))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cropper.heads.find_faces", lambda view: tuple(boxes))
        return KeepHeads().bind(view, [CropSpace((1200, 300), aspect)])


def test_the_scorer_chooses_among_those_of_a_group_that_do_not_fit_together() -> None:
    alike = group_of([(100, 80, 100), (500, 80, 100), (900, 80, 100)], 0.8)
    x = np.arange(0, 960, 5.0)
    crops = np.stack([x, x * 0, x + 240, x * 0 + 300], 1)
    allowed = crops[alike.mask(crops)]
    assert {0, 2, 4} == set((allowed[:, 0] + 120) // 200)  # around any of the three
    larger = group_of([(500, 80, 100), (100, 80, 45), (160, 80, 45), (900, 80, 45)], 0.8)
    assert (np.abs(crops[larger.mask(crops), 0] - 420) < 100).all()  # two small ones are not enough


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 1100), st.integers(60, 120), st.integers(40, 80)),
        min_size=3,
        max_size=5,
    ),
    st.integers(0, 960),
)
def test_enough_of_a_group_is_half_of_the_most_that_fits(
    faces: list[tuple[float, float, float]], x: float
) -> None:
    bound = group_of(sorted(faces, key=lambda face: -face[2]), 0.8)
    if not isinstance(bound, _KeptOfGroup):
        return
    crop = as_boxes((x, 0, x + 240, 300))
    out = [max(outside(crop[0], head), 0.0) for head in bound.group]
    weight = [(head[3] - head[1]) ** 2 for head in bound.group]
    enough = sum((head[3] - head[1]) ** 2 for head in bound.kept) / 2
    rows = range(len(out))
    subsets = (s for n in rows for s in itertools.combinations(rows, n + 1))
    able = [s for s in subsets if sum(weight[row] for row in s) >= enough]
    missed = min(max(out[row] for row in s) for s in able)
    assert bound.mask(crop)[0] == (missed <= 1)
    if missed > 1:
        cut = bound.penalty(crop)[0] - 1000 - missed
        assert -1e-6 <= cut <= 2 * len(out)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 9)] * 2, *[st.integers(1, 6)] * 2), min_size=1, max_size=5),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_what_fits_together_is_the_most_that_can(
    rows: list[tuple[int, int, int, int]], room: tuple[int, int]
) -> None:
    heads = as_boxes([(x, y, x + w, y + h) for x, y, w, h in rows]) * 10
    rooms = np.array([room], dtype=float) * 10

    def fits(part: Boxes) -> bool:
        sides = part[:, 2:].max(0) - part[:, :2].min(0)
        return bool((sides <= rooms[0] + 1).all())

    found = _that_fit(heads, rooms)
    weight = (heads[:, 3] - heads[:, 1]) ** 2
    subsets = itertools.product([False, True], repeat=len(heads))
    best = max(
        (weight[list(s)].sum() for s in subsets if any(s) and fits(heads[list(s)])), default=0
    )
    assert weight[found].sum() == best
    assert not found.any() or fits(heads[found])


# Boxes that the caller names


def test_boxes_are_kept_and_avoided_in_pixels_and_fractions() -> None:
    finder = CropFinder(Low())
    request = CropRequest(aspect="1:1", min_scale=0.3)
    kept = finder.find(BLANK, request, keep=((40.0, 20.0, 120.0, 90.0),)).best
    assert outside(kept.box, (40, 20, 120, 90)) <= 1
    same = finder.find(BLANK, request, keep=((0.1, 20 / 300, 0.3, 0.3),)).best
    assert same.box == kept.box
    away = finder.find(BLANK, request, avoid=((0.5, 0.5, 1.0, 1.0),)).best
    assert min(away.x1 - 200, away.y1 - 150) <= 1


def test_what_cannot_be_had_comes_nearest_and_is_told() -> None:
    request = CropRequest(keep=((0.0, 0.0, 0.2, 0.2),), avoid=((0.0, 0.0, 1.0, 1.0),))
    found = CropFinder(Low()).find(BLANK, request)
    assert "comes nearest" in found.notes[0]


@pytest.mark.parametrize(
    "fields", [{"keep": ("nose",)}, {"keep": ((3.0, 3.0, 1.0, 1.0),)}, {"avoid": ((-1, 0, 9, 9),)}]
)
def test_what_is_no_box_or_name_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        CropRequest(**fields)


def test_the_command_keeps_heads_unless_told(tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    from PIL import Image  # noqa: PLC0415 - this test alone writes a photo

    Image.fromarray(ASTRONAUT).save("a.png")
    head = find_faces(from_array(ASTRONAUT).view(640))[0].head((512, 512))
    line = ["best", "a.png", "--aspect", "16:9", "--dry-run", "--json"]
    run = CliRunner()
    assert outside(one_record(run.invoke(main, line))["box"], head) <= 1
    kept = one_record(run.invoke(main, [*line, "--keep", "0,200,100,60"]))
    assert kept["box"][0] <= 1
    assert kept["box"][3] >= 259
    assert outside(kept["box"], head) <= 1
    avoided = one_record(run.invoke(main, [*line, "--keep", "none", "--avoid", "0,0,1,.3"]))
    assert avoided["box"][1] >= 0.3 * 512 - 1
    refused = run.invoke(main, [*line, "--keep", "1,2,3"])
    assert refused.exit_code == 2
    assert "x,y,w,h" in refused.stderr


@given(
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.sampled_from(["1:1", "16:9", "9:16", "original", "free"]),
)
@settings(max_examples=30, deadline=None)
def test_a_focus_lies_in_the_middle_half_where_the_edges_allow(
    focus: tuple[float, float], aspect: str
) -> None:
    """Against the rule as it is said: along each axis within a quarter of the middle, or the crop
    has been moved to the edge."""
    best = CropFinder(Low()).find(BLANK, aspect=aspect, focus=focus).best
    for at, low, high, side in zip(focus, best.box[:2], best.box[2:], (400, 300), strict=True):
        off = (at * side - (low + high) / 2) / (high - low)
        slack = 1.5 / (high - low)
        assert off > -0.25 - slack or low <= 1
        assert off < 0.25 + slack or high >= side - 1


class Large(Low):
    """Likes large crops."""

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: boxes[:, 2] - boxes[:, 0], view.size, 1000)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"focus": (0.5, 0.5)}, ""),
        ({"focus": (0.02, 0.02), "max_scale": 0.5}, ""),  # as near as the edges allow
        ({"focus": (0.1, 0.5), "aspect": "original"}, "no effect: the crop is the whole photo"),
        ({"focus": (0.1, 0.5), "aspect": "free"}, "no effect"),
        ({"focus": (0.4, 0.1)}, "no effect up and down: the crop is as high as the photo"),
        (
            {"focus": (0.1, 0.5), "aspect": "3:1"},
            "no effect from side to side: the crop is as wide",
        ),
        ({"focus": (0.5, 0.5), "aspect": "3:1"}, ""),
        ({"focus": (401, 20)}, "lies outside of the photo of 400x300 px"),
        ({"focus": (0.2, 0.5), "keep": ((0.6, 0, 1, 1),)}, "kept or avoided comes first"),
    ],
)
def test_a_focus_without_effect_is_told(asked: dict[str, Any], told: str) -> None:
    notes = CropFinder(Large()).find(BLANK, **{"aspect": "1:1", "keep": ("none",), **asked}).notes
    about = [note for note in notes if "focus" in note]
    assert [told in note for note in about] == [True] * bool(told)


def test_a_focus_without_effect_is_told_in_the_shell(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    BLANK.cut((0, 0, 400, 300)).save("blank.png")
    line = ["best", "blank.png", "--aspect", "4:3", "--min-scale", "1", "--focus", ".1,.5"]
    found = CliRunner().invoke(main, [*line, "-o", "out.png"])
    assert found.exit_code == 0
    assert "note: --focus has no effect: the crop is the whole photo; a smaller --max-scale" in (
        found.stderr
    )


def test_a_focus_on_the_shell_is_in_pixels_or_fractions(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    BLANK.cut((0, 0, 400, 300)).save("blank.png")
    args = ["best", "blank.png", "--aspect", "1:1", "--dry-run", "--json", "--focus"]
    found = [one_record(CliRunner().invoke(main, [*args, at])) for at in ("40,200", ".1,.6667")]
    assert found[0]["box"] == found[1]["box"]
    assert found[0]["box"][0] <= 1
    wrong = CliRunner().invoke(main, [*args, "left"])
    assert (wrong.exit_code, "no point x,y" in wrong.stderr) == (2, True)
    with pytest.raises(ConfigError, match="`focus` is a point"):
        CropRequest(focus=(-1, 3))
