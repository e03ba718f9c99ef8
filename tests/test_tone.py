"""Tones against a loop over pixels, and what holds for every one of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from cropper.boxes import Crop
from cropper.canvas import Canvas
from cropper.errors import ConfigError
from cropper.image.toning import toned_pixels
from cropper.tone import FILTERS, RANGES, Filter, Tone, framed, parse_filter
from tests.reference.tones import tone_of_pixel

TONES = st.builds(Tone, **{name: st.floats(low, high) for name, (low, high) in RANGES.items()})
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.just(3)))
SIDES = st.integers(1, 3000)
SHARES = st.floats(0, 0.25)


def looped(pixels: NDArray[np.uint8], tone: Tone) -> NDArray[np.float64]:
    rows = [[tone_of_pixel(tuple(map(int, pixel)), tone) for pixel in row] for row in pixels]
    return np.array(rows)


@given(PIXELS, TONES)
def test_a_tone_is_what_a_loop_over_pixels_makes(pixels: NDArray[np.uint8], tone: Tone) -> None:
    off = np.abs(255 * tone.of_colours(pixels / 255) - looped(pixels, tone))
    assert off.max() <= 1e-6
    # two roundings, the first of which is spread by the steepest curve
    steepest = tone.brightness * tone.contrast * (1 + abs(tone.warmth))
    off = np.abs(toned_pixels(pixels, tone) - looped(pixels, tone))
    assert off.max() <= 0.5 + 0.5 * steepest + 1e-3


@pytest.mark.parametrize("name", FILTERS)
def test_named_filters_on_a_photo(name: str) -> None:
    photo = data.astronaut()[100:130, 200:240]
    off = np.abs(toned_pixels(photo, FILTERS[name]) - looped(photo, FILTERS[name]))
    assert off.max() <= 1 + 1e-3
    assert off.mean() <= 0.4


@given(PIXELS, TONES)
def test_grey_pixels_are_as_colours_without_colour(pixels: NDArray[np.uint8], tone: Tone) -> None:
    plain = Tone(**(asdict(tone) | {"saturation": 1.0, "warmth": 0.0}))
    for band in range(3):
        grey = np.asarray(Image.fromarray(pixels[..., band]).point(tone.table(grey=True)))
        assert np.array_equal(grey, toned_pixels(pixels, plain)[..., band])


@given(TONES)
def test_curves_stay_within_bounds_and_never_fall(tone: Tone) -> None:
    levels = np.linspace(0, 1, 257)
    for values in (tone.of_grey(levels), *tone.of_colours(np.stack([levels] * 3, -1)).T):
        assert values.min() >= 0
        assert values.max() <= 1
        assert np.diff(values).min() >= -1e-12


@given(PIXELS, TONES)
def test_grey_stays_grey_unless_it_is_warmed(pixels: NDArray[np.uint8], tone: Tone) -> None:
    grey = np.repeat(pixels[..., :1], 3, -1)
    cold = Tone(**(asdict(tone) | {"warmth": 0.0}))
    assert np.ptp(toned_pixels(grey, cold), axis=-1).max() == 0
    colourless = Tone(**(asdict(cold) | {"saturation": 0.0}))
    assert np.ptp(toned_pixels(pixels, colourless), axis=-1).max() == 0


@given(st.floats(0, 1), st.floats(0, 0.5))
def test_warmth_makes_red_more_and_blue_less(level: float, warmth: float) -> None:
    red, green, blue = Tone(warmth=warmth).of_colours(np.full(3, level))
    assert red >= green == level >= blue


@given(PIXELS, st.sampled_from(sorted(FILTERS)))
def test_strength_0_changes_nothing_and_1_is_the_filter(
    pixels: NDArray[np.uint8], name: str
) -> None:
    assert parse_filter(f"{name}:0").tone == Tone()
    assert parse_filter(f"{name}:0").tone.changes == {}
    assert np.array_equal(toned_pixels(pixels, Tone()), pixels)
    assert parse_filter(f"{name}:1").tone == parse_filter(name).tone == FILTERS[name]


@given(st.sampled_from(sorted(FILTERS.keys() - {"fade"})), st.floats(0, 1), st.floats(0, 1))
def test_more_strength_is_further_from_the_photo(name: str, one: float, other: float) -> None:
    photo = data.astronaut()[100:110, 200:210]
    low, high = (
        np.abs(FILTERS[name].at_strength(share).of_colours(photo / 255) - photo / 255)
        for share in sorted((one, other))
    )
    assert (low <= high + 1e-6).all()


@pytest.mark.parametrize("text", ["", "sepia", "fade:", "fade:1.1", "fade:nan", "best:0.5", ":1"])
def test_what_is_no_filter(text: str) -> None:
    with pytest.raises(ConfigError, match=r"`filter` is best or one of fade, black-and-white"):
        parse_filter(text)


@pytest.mark.parametrize("name", RANGES)
def test_numbers_beyond_their_range_are_refused(name: str) -> None:
    for value in (RANGES[name][0] - 0.01, RANGES[name][1] + 0.01, float("nan")):
        with pytest.raises(ConfigError, match=f"{name} of a tone is from"):
            Tone(**{name: value})


@given(TONES, st.none() | st.floats(0, 2))
def test_json_tells_all_of_a_filter(tone: Tone, gain: float | None) -> None:
    told: Any = json.loads(json.dumps(Filter("best", tone, gain).to_dict()))
    assert Filter.from_dict(told) == Filter("best", tone, gain)


@given(SIDES, SIDES, SHARES, st.none() | st.tuples(SIDES, SIDES))
def test_a_border_is_even_and_keeps_the_shape(
    width: int, height: int, border: float, size: tuple[int, int] | None
) -> None:
    (wide, high), (x0, y0, x1, y1) = framed(border, (width, height), size)
    assert 0 <= x0 < x1 <= wide
    assert 0 <= y0 < y1 <= high
    assert (wide - x1, high - y1) == (x0, y0)
    if size:
        assert (wide, high) == size
        for inner, outer in ((x1 - x0, wide), (y1 - y0, high)):
            assert abs(inner - outer / (1 + 2 * border)) <= 2
    else:
        assert (x1 - x0, y1 - y0) == (width, height)
        assert abs(x0 - border * width) <= 0.5
        assert abs(y0 - border * height) <= 0.5


@given(SIDES, SIDES, SHARES, st.sampled_from([None, 0.5, 1.7]), st.booleans())
def test_a_crop_s_place_counts_its_border(
    width: int, height: int, border: float, aspect: float | None, sized: bool
) -> None:
    canvas = Canvas(aspect, "pad") if aspect else None
    bordered = Filter("border", Tone(border=border))
    crop = Crop(0, 0, width, height, 0.0, canvas=canvas, filter=bordered)
    size = (300, round(300 / (aspect or width / height)) or 1) if sized else None
    whole, (x0, y0, x1, y1) = crop.layout(size)
    assert whole == size or not size
    assert 0 <= x0 < x1 <= whole[0]
    assert 0 <= y0 < y1 <= whole[1]
    left, top, right, bottom = crop.framed(size)[1]
    assert left <= x0 < x1 <= right
    assert top <= y0 < y1 <= bottom
    if not sized:
        assert (x1 - x0, y1 - y0) == (width, height)
