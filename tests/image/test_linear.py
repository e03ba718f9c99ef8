"""Resizing in linear light, against the slow definition."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cropper.image import from_array, load_image
from cropper.image.icc import make_profile
from tests.image.pictures import (
    cmyk_profile,
    encoded,
    grey_profile,
    noise,
    photo,
    srgb_profile,
    swapped_profile,
)
from tests.reference import light

BOX, SIZE = (3.25, 2.5, 60.75, 40.0), (23, 15)


def tagged(image: Image.Image, profile: bytes | None) -> Image.Image:
    if profile:
        image.info["icc_profile"] = profile
    return image


def with_curve(content: bytes) -> bytes:
    """A grey profile with that curve."""
    profile = grey_profile(1.0)
    at = profile.index(b"curv")
    return profile[:at] + content


def para(kind: int, *numbers: float) -> bytes:
    fixed = [round(number * 65536) for number in numbers]
    return with_curve(b"para" + struct.pack(f">IHH{len(fixed)}i", 0, kind, 0, *fixed))


def table(points: list[int]) -> bytes:
    return with_curve(b"curv" + struct.pack(f">II{len(points)}H", 0, len(points), *points))


def of_curve(curve: Any) -> bytes:
    """A profile for RGB, near to sRGB's colours."""
    return make_profile(curve, (0.64, 0.33, 0.3, 0.6, 0.15, 0.06), (0.3127, 0.329))


def bent(x: float) -> float:
    return (0.8 * x + 0.1) ** 2 + 0.1 if x >= 0.25 else 0.2 * x + 0.04


def power(gamma: float) -> Callable[[float], float]:
    return lambda value: float(value**gamma)


@pytest.mark.parametrize(
    ("mode", "profile", "curve"),
    [
        ("L", None, light.srgb),
        ("RGB", None, light.srgb),
        ("RGB", srgb_profile(), light.srgb),
        ("RGB", swapped_profile(), light.srgb),
        ("RGB", of_curve(np.linspace(0, 1, 1024) ** 1.8), power(1.8)),
        ("RGB", grey_profile(3.0), light.srgb),  # not one for these pixels
        ("L", grey_profile(2.5), power(2.5)),
        ("L", para(0, 1.5), power(1.5)),
        ("L", para(1, 2.0, 1.25, -0.25), lambda x: max(1.25 * x - 0.25, 0.0) ** 2),
        ("L", para(2, 2.0, 0.9, 0.0, 0.19), lambda x: (0.9 * x) ** 2 + 0.19),
        ("L", para(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045), light.srgb),
        ("L", para(4, 2.0, 0.8, 0.1, 0.2, 0.25, 0.1, 0.04), bent),
        ("L", table([0, 6554, 65535]), lambda x: float(np.interp(x, [0, 0.5, 1], [0, 0.1, 1]))),
        ("L", with_curve(b"curv" + bytes(8)), power(1.0)),
        ("L", with_curve(b"curv" + struct.pack(">II", 0, 9)), light.srgb),  # ends too early
        ("L", table([65535, 0]), light.srgb),  # a negative's
    ],
)  # fmt: skip
def test_it_is_the_slow_definition(
    mode: str, profile: bytes | None, curve: Callable[[float], float]
) -> None:
    picture = tagged(photo(64, 48).convert(mode), profile)
    result = np.asarray(from_array(picture).cut(BOX, SIZE, linear=True))
    for index, band in enumerate(picture.split()):
        expected = light.resized(np.asarray(band), BOX, SIZE, curve)
        found = result if mode == "L" else result[..., index]
        assert np.abs(found.astype(int) - expected).max() <= 1
        assert (found != expected).mean() < 0.02


def test_grey_of_16_bits_keeps_them() -> None:
    values = noise((48, 64), 65536)
    result = from_array(Image.fromarray(values)).cut(BOX, SIZE, linear=True)
    assert result.mode == "I;16"
    expected = light.resized(values, BOX, SIZE, light.srgb, top=65535)
    assert np.abs(np.asarray(result).astype(int) - expected).max() <= 4


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_clear_has_no_weight(mode: str) -> None:
    picture = photo(64, 48).convert(mode)
    alpha = np.where(noise((48, 64)) > 90, 255, 0).astype(np.uint8)
    picture.putalpha(Image.fromarray(alpha))
    result = from_array(picture).cut(BOX, SIZE, linear=True)
    assert result.mode == mode
    expected = light.resized(
        np.asarray(picture.getchannel(0)), BOX, SIZE, light.srgb, alpha=alpha / 255
    )
    assert np.abs(np.asarray(result.getchannel(0)).astype(int) - expected).max() <= 1


@pytest.mark.parametrize(("profile", "value"), [(None, 188), (of_curve(np.linspace(0, 1, 2)), 128)])
def test_fine_black_and_white_becomes_the_grey_that_is_as_bright(
    profile: bytes | None, value: int
) -> None:
    """188 in sRGB; where numbers are averaged it is 128."""
    board = np.indices((256, 256)).sum(0) % 2 * np.uint8(255)
    picture = tagged(Image.fromarray(board.astype(np.uint8)).convert("RGB"), profile)
    for kind in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        source = load_image(encoded(picture, kind, icc_profile=profile, **options))
        assert np.abs(np.asarray(source.cut((0, 0, 256, 256), (8, 8))).astype(int) - 128).max() <= 1
        shown = np.asarray(source.cut((0, 0, 256, 256), (8, 8), linear=True)).astype(int)
        assert np.abs(shown - value).max() <= 1


def test_a_jpeg_is_not_scaled_by_its_decoder() -> None:
    """Which averages numbers: fine black and white came out as 128."""
    board = np.indices((512, 512)).sum(0) % 2 * 255
    source = load_image(encoded(Image.fromarray(board.astype(np.uint8)), "JPEG", quality=100))
    source.expect([(8, 8)])
    assert np.asarray(source.cut((0, 0, 512, 512), (8, 8))).max() < 140
    assert np.asarray(source.cut((0, 0, 512, 512), (8, 8), linear=True)).min() > 180


def test_a_turned_crop_is_averaged_as_light_too() -> None:
    board = (np.indices((256, 256)).sum(0) % 2 * 255).astype(np.uint8)
    source = from_array(board)
    corners = [(0, 0), (256, 0), (256, 256), (0, 256)]
    shown = np.asarray(source.warp(corners, (8, 8), linear=True)).astype(int)
    assert np.abs(shown - 188).max() <= 1


@pytest.mark.parametrize(
    "picture",
    [
        tagged(photo().convert("CMYK"), cmyk_profile()),
        photo().convert("LAB"),
        Image.fromarray(np.linspace(-1, 3, 96 * 64, dtype=np.float32).reshape(64, 96)),
        Image.fromarray(np.arange(96 * 64, dtype=np.int32).reshape(64, 96)),
    ],
    ids=lambda picture: picture.mode,
)
def test_inks_lab_and_measures_are_averaged_as_they_are(picture: Image.Image) -> None:
    source = from_array(picture)
    for_light = np.asarray(source.cut((8, 8, 88, 56), (20, 12), linear=True))
    assert np.array_equal(for_light, np.asarray(source.cut((8, 8, 88, 56), (20, 12))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_it_is_turned_upright(orientation: int) -> None:
    picture = photo(96, 64)
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = load_image(encoded(picture, "PNG", exif=exif))
    width, height = source.size
    size = (width // 2, height // 2)
    plain: Any = np.asarray(source.cut((0, 0, width, height), size)).astype(float)
    shown = np.asarray(source.cut((0, 0, width, height), size, linear=True)).astype(float)
    assert np.abs(plain - shown).mean() < 5  # mirrored, it would be tens
