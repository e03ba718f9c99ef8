"""Colour that is told by numbers: as a profile it looks as these numbers say."""

from __future__ import annotations

import functools
import io
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from cropper.image import encode, load_image
from cropper.image.icc import av1_depth, make_profile, told_profile
from tests.image.pictures import decoded, difference, encoded, photo, png_chunk

SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
D65 = (0.3127, 0.3290)
TO_XYZ = np.array(  # IEC 61966-2-1
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
P3_TO_XYZ = np.array(  # SMPTE EG 432-1, white D65
    [[0.4866, 0.2657, 0.1982], [0.2290, 0.6917, 0.0793], [0.0, 0.0451, 1.0439]]
)


def shown(light: Any) -> Any:
    """Linear sRGB in [0, 1] as 8 bits."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def light_of(pixels: Any) -> Any:
    """The inverse."""
    x = np.asarray(pixels, dtype=float) / 255
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def with_chunks(*chunks: tuple[bytes, bytes], mode: str = "RGB") -> bytes:
    """A PNG that tells its colours so."""
    content = encoded(photo().convert(mode), "PNG")
    return content[:33] + b"".join(png_chunk(*chunk) for chunk in chunks) + content[33:]


def gamma(value: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(value * 100_000))


def chromaticities(*values: float) -> tuple[bytes, bytes]:
    return b"cHRM", struct.pack(">8I", *(round(value * 100_000) for value in values))


def seen(content: bytes) -> Any:
    return load_image(content).view(96).pixels


@pytest.mark.parametrize("value", [1.0, 0.55, 0.3])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_gamma_of_a_png(value: float, mode: str) -> None:
    picture = photo().convert(mode)
    expected = shown((np.asarray(picture) / 255) ** (1 / value))
    if mode == "L":
        expected = np.stack([expected] * 3, -1)
    off = np.abs(seen(with_chunks(gamma(value), mode=mode)) - expected)
    assert off.mean() < 0.5
    assert off.max() <= (2 if mode == "RGB" else 12)  # grey goes by Lab, coarse in the dark


@pytest.mark.parametrize(
    "chunks",
    [
        (gamma(0.45455),),
        (gamma(0.45455), chromaticities(*D65, *SRGB)),
        (gamma(1.0), (b"sRGB", b"\0")),
        ((b"cICP", bytes([1, 13, 0, 1])),),
        ((b"cICP", bytes([2, 2, 0, 1])),),
    ],
)
def test_what_means_srgb_has_no_profile(chunks: Any) -> None:
    source = load_image(with_chunks(*chunks))
    assert source.header.icc is None
    assert source.notes == ()


def p3() -> Any:
    """The photo's numbers, read as Display P3."""
    return shown(light_of(photo()) @ (np.linalg.inv(TO_XYZ) @ P3_TO_XYZ).T)


def avif(primaries: int, transfer: int) -> bytes:
    content = encoded(photo(), "AVIF", quality=100, subsampling="4:4:4")
    at = content.index(b"colrnclx") + 8
    return content[:at] + struct.pack(">HH", primaries, transfer) + content[at + 4 :]


def test_primaries_of_png_and_avif() -> None:
    """However they are told."""
    values = (*D65, 0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
    assert difference(seen(with_chunks(chromaticities(*values))), p3()) < 1
    assert difference(seen(with_chunks((b"cICP", bytes([12, 13, 0, 1])))), p3()) < 1
    assert difference(seen(avif(12, 13)), p3()) < 4  # it is lossy


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
def test_colours_reach_every_format(kind: str) -> None:
    source = load_image(with_chunks((b"cICP", bytes([12, 13, 0, 1]))))
    result = encode(source.cut((0, 0, *source.size)), source, kind, 100)
    assert difference(seen(result), p3()) < (12 if kind == "GIF" else 4)
    assert ("icc_profile" in decoded(result).info) is (kind not in ("BMP", "GIF"))


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_range_that_is_lost_is_said(transfer: int, name: str) -> None:
    """Diffuse white, 58 % of PQ and 75 % of HLG, is as white as paper."""
    for content in (with_chunks((b"cICP", bytes([9, transfer, 0, 1]))), avif(9, transfer)):
        source = load_image(content)
        assert name in source.notes[-1]
        profile = ImageCms.ImageCmsProfile(io.BytesIO(source.header.icc or b""))
        transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
        grey = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2)
        out = np.asarray(transform.apply(Image.fromarray(grey)))[0, :, 1]
        first = int(np.argmax(out >= 254))
        assert first / 255 == pytest.approx(0.58 if name == "PQ" else 0.75, abs=0.01)
        assert (np.diff(out.astype(int)) >= 0).all()


def test_colours_that_cannot_be_are_ignored() -> None:
    for values in ((0.3, 0.0, *SRGB), (*D65, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3)):
        source = load_image(with_chunks(chromaticities(*values)))
        assert source.header.icc is None
        assert "cannot be" in source.notes[0]


AVIF = functools.cache(lambda: avif(12, 13))


@given(st.binary(max_size=200), st.integers(0, 400))
def test_broken_boxes_say_nothing(noise: bytes, at: int) -> None:
    """They neither hang nor raise."""
    content = AVIF()
    broken = content[:at] + noise + content[at + len(noise) :]
    assert av1_depth(broken) in (8, 10, 12)
    told_profile("AVIF", broken, {}, False)


def test_depth_of_an_avif_is_told() -> None:
    content = bytearray(AVIF())
    assert av1_depth(bytes(content)) == 8
    content[content.index(b"av1C") + 6] |= 0x40
    assert av1_depth(bytes(content)) == 10


def test_a_made_profile_is_one() -> None:
    """By the colour engine's own reading."""
    content = make_profile(np.linspace(0, 1, 1024) ** 2.2, SRGB, D65)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(content)).profile
    usual = ImageCms.createProfile("sRGB")
    for colour in ("red", "green", "blue"):
        made = getattr(profile, f"{colour}_colorant")[0]
        assert made == pytest.approx(getattr(usual, f"{colour}_colorant")[0], abs=2e-4)
