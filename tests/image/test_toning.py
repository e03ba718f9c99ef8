"""Tones in every mode of a picture: what changes, and what stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cropper import from_array
from cropper.boxes import Crop
from cropper.image import load_image
from cropper.image.colour import to_srgb
from cropper.image.pixels import over_white
from cropper.image.toning import looked_at, painted, toned, toned_pixels
from cropper.render import cut, render
from cropper.tone import FILTERS, RANGES, Filter, Tone
from tests.image.pictures import decoded, encoded, photo, swapped_profile, with_palette_and_alpha

DARK = Tone(brightness=0.8, contrast=0.9, fade=0.1)
TONES = st.builds(Tone, **{name: st.floats(low, high) for name, (low, high) in RANGES.items()})


def _ramp(width: int, height: int) -> Image.Image:
    row = np.linspace(0, 255, width).round().astype(np.uint8)
    return Image.fromarray(np.repeat(row[None], height, 0))


def _with_alpha(mode: str) -> Image.Image:
    image = photo(40, 30).convert(mode)
    image.putalpha(_ramp(40, 30))
    return image


def _keyed() -> Image.Image:
    image = photo(40, 30).quantize(32)
    image.info["transparency"] = 3
    return image


def _pictures() -> dict[str, Image.Image]:
    found = {mode: photo(40, 30).convert(mode) for mode in ("RGB", "L", "1", "CMYK", "P", "LAB")}
    found |= {"RGBA": _with_alpha("RGB"), "LA": _with_alpha("L"), "P with a key": _keyed()}
    found["PA"] = with_palette_and_alpha(_with_alpha("RGB"))
    deep = np.asarray(photo(40, 30).convert("L")).astype(np.uint16) * 257
    found["I;16"] = Image.fromarray(deep)
    found["I"] = Image.fromarray(deep.astype(np.int32))
    found["F"] = Image.fromarray(deep.astype(np.float32) / 65535)
    return found


def _alpha(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGBA").getchannel("A"))


@pytest.mark.parametrize("mode", _pictures())
@pytest.mark.parametrize("name", FILTERS)
def test_what_is_seen_has_the_tone_and_alpha_stays(mode: str, name: str) -> None:
    """The oracle goes through 8 bits of sRGB, which for some modes is another rounding."""
    picture, tone = _pictures()[mode], FILTERS[name]
    changed = toned(picture.copy(), tone, None)
    assert changed.size == picture.size
    if not mode.startswith(("I", "F", "LAB")):  # which have none
        assert np.array_equal(_alpha(changed), _alpha(picture))
    grey = mode in ("L", "LA", "1", "I;16", "I", "F")
    plain = looked_at(picture, _span(mode), None).pixels
    seen = looked_at(changed, _span(mode), None).pixels
    if mode in ("RGBA", "LA", "PA", "P with a key"):  # laid on white before and after differs
        opaque = _alpha(picture) == 255
        plain, seen = plain[opaque], seen[opaque]
    if grey:
        tone = Tone(brightness=tone.brightness, contrast=tone.contrast, fade=tone.fade)
    wanted = 255 * tone.of_colours(plain / 255)
    assert np.abs(seen - wanted).max() <= 1.5


def _span(mode: str) -> tuple[float, float] | None:
    picture = _pictures()[mode]
    return from_array(picture).span


@pytest.mark.parametrize("mode", _pictures())
def test_a_tone_without_changes_gives_the_picture_itself(mode: str) -> None:
    picture = _pictures()[mode]
    assert toned(picture, Tone()) is picture
    assert toned(picture, Tone(border=0.1)) is picture  # which is laid around later


@pytest.mark.parametrize("mode", ["L", "LA", "I;16", "I", "F", "1"])
def test_grey_has_no_colours_to_change(mode: str) -> None:
    picture = _pictures()[mode]
    assert toned(picture, Tone(saturation=0, warmth=0.3)) is picture


def test_palettes_keep_their_indices() -> None:
    for mode in ("P", "P with a key"):
        picture = _pictures()[mode]
        changed = toned(picture, FILTERS["warm"])
        assert changed.mode == "P"
        assert np.array_equal(np.asarray(changed), np.asarray(picture))
        assert changed.info.get("transparency") == picture.info.get("transparency")


def test_deep_grey_keeps_more_than_256_levels() -> None:
    deep = np.linspace(0, 65535, 4096).round().astype(np.uint16).reshape(64, 64)
    changed = np.asarray(toned(Image.fromarray(deep), DARK))
    assert changed.dtype == np.uint16
    wanted = [DARK.of_grey(np.array(level / 65535)) * 65535 for level in deep.ravel()]
    assert np.abs(changed.ravel() - np.array(wanted)).max() <= 0.5 + 1e-6
    assert len(np.unique(changed)) > 3000


def test_nan_stays_and_bounds_hold_in_floats() -> None:
    values = np.array([[np.nan, -3.0, 0.5, 9.0]], np.float32)
    changed = np.asarray(toned(Image.fromarray(values), DARK, (0.0, 1.0)))
    assert np.isnan(changed[0, 0])
    assert 0 <= np.nanmin(changed) <= np.nanmax(changed) <= 1


@given(st.integers(1, 5), st.integers(1, 5), TONES)
def test_a_narrow_grey_picture_is_no_row_of_colours(width: int, height: int, tone: Tone) -> None:
    changed = toned(_ramp(width, height), tone)
    assert (changed.mode, changed.size) == ("L", (width, height))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_profile_stays_and_the_tone_is_of_its_own_numbers(kind: str) -> None:
    lossless = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(photo(), kind, icc_profile=swapped_profile(), **lossless)
    source = load_image(content)
    crop = Crop(10, 10, 60, 50, 0.0, filter=Filter("x", DARK))
    written = decoded(render(source, crop, "PNG"))
    assert written.info["icc_profile"] == swapped_profile()
    plain = decoded(render(source, Crop(10, 10, 60, 50, 0.0), "PNG"))
    assert np.array_equal(np.asarray(written), toned_pixels(np.asarray(plain), DARK))


def test_cmyk_becomes_srgb_without_its_profile() -> None:
    source = load_image(encoded(photo().convert("CMYK"), "JPEG", quality=95))
    crop = Crop(10, 10, 60, 50, 0.0, filter=Filter("x", DARK))
    written = decoded(render(source, crop, "JPEG", quality=95))
    assert written.mode == "RGB"
    assert "icc_profile" not in written.info
    plain = to_srgb(cut(source, Crop(10, 10, 60, 50, 0.0)), None)
    off = np.asarray(written).astype(int) - toned_pixels(np.asarray(plain), DARK)
    assert np.abs(off).mean() < 4


_MODES: dict[str, Callable[[], Image.Image]] = {
    mode: (lambda mode=mode: _pictures()[mode])  # type: ignore[misc]
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1", "I;16", "CMYK")
}


@pytest.mark.parametrize("mode", _MODES)
def test_a_border_is_white_and_opaque_in_every_mode(mode: str) -> None:
    source = from_array(_MODES[mode]())
    crop = Crop(5, 5, 35, 25, 0.0, filter=Filter("border", Tone(border=0.1)))
    picture = cut(source, crop)
    assert picture.size == (36, 24)
    seen = looked_at(picture, source.span, None).pixels
    inside = np.zeros(seen.shape[:2], bool)
    inside[2:-2, 3:-3] = True
    assert (seen[~inside] == 255).all()
    own = cut(source, Crop(5, 5, 35, 25, 0.0))
    expected = looked_at(own, source.span, None).pixels
    assert np.abs(seen[2:-2, 3:-3].astype(int) - expected).max() <= 1
    assert over_white(picture).size == cut(source, crop, (36, 24)).size


@pytest.mark.parametrize("mode", _pictures())
def test_what_is_seen_is_painted_and_alpha_stays(mode: str) -> None:
    """Grey becomes RGB too."""
    picture = _pictures()[mode]
    seen = looked_at(picture, None, None).pixels
    changed = painted(picture, lambda pixels: 255 - pixels)
    assert changed.mode.startswith("RGB")
    assert np.array_equal(np.asarray(changed)[..., :3], 255 - seen)
    if changed.mode == "RGBA":
        assert np.array_equal(np.asarray(changed)[..., 3], _alpha(picture))
    assert (changed.mode == "RGBA") == (mode in ("RGBA", "LA", "P with a key", "PA"))


def test_what_is_painted_keeps_the_colours_of_its_profile() -> None:
    """Seen as sRGB, and written so that it is seen as it was painted."""
    picture, profile = photo(40, 30), swapped_profile()
    mirrored = painted(picture, lambda pixels: pixels[:, ::-1].copy(), None, profile)
    assert np.abs(np.asarray(mirrored).astype(int) - np.asarray(picture)[:, ::-1]).max() <= 3
