"""What a file says beside its pixels, as far as a crop may keep it.

EXIF, IPTC, colour profile and resolution. What is broken is left out with a note.
"""

from __future__ import annotations

import io
import math
from typing import Any

from PIL import ExifTags, Image, ImageCms, TiffTags

from cropper.image import exif
from cropper.image.formats import png_chunks
from cropper.image.icc import told_profile
from cropper.image.pixels import family

__all__ = ["IPTC_IN_PHOTOSHOP", "IPTC_IN_TIFF", "dpi_of", "exif_block", "iptc_of", "note_gain_map"]
__all__ += ["profile_of", "tiff_tags"]

# TIFF tags that say something about the picture and nothing about the layout of its file
_DESCRIPTION = {269, 270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 318, 319, 33432}
_DESCRIPTION |= {0x4746, 0x4749, *range(0x9C9B, 0x9CA0)}  # ratings; title to subject
_INTEROP = 0xA005
IPTC_IN_TIFF = 33723  # a tag
IPTC_IN_PHOTOSHOP = 0x0404
_IPTC_PREVIEW = b"\x1c\x02\xca"  # starts a picture of the whole photo
_CREDITS = (b"<dc:creator", b"<dc:rights", b"photoshop:Credit")
# By which a gain map is told
_GAIN_MAPS = {
    "JPEG": (b"hdrgm:Version", b"HDRGainMapVersion", b"urn:iso:std:iso:ts:21496:-1"),
    "AVIF": (b"tmap",),
    "HEIF": (b"tmap", b"aux:hdrgainmap"),
}
_XMP_WITHIN = 1 << 17  # bytes from either end of a file, where XMP is


def exif_block(file_format: str, image: Image.Image, data: bytes, notes: list[str]) -> bytes | None:
    """The bare block if there is one that can be used; Pillow would decode a PNG to find it."""
    try:
        if file_format == "TIFF":
            tags = tiff_tags(_with_iptc(image))
            return exif.bare(tags.tobytes()) if len(tags) else None
        block = image.info.get("exif") or b""
        if file_format == "PNG" and not block:  # behind the pixels, or as ImageMagick's text
            block = next((data[at : at + n] for c, at, n in png_chunks(data) if c == b"eXIf"), b"")
            text = image.info.get("Raw profile type exif", "")
            block = block or bytes.fromhex("".join(text.split("\n")[3:]))
        block = exif.bare(block)
        if block:
            exif.orientation(block)  # raises if the block can't be used
    except Exception:  # of a TIFF, Pillow raises anything
        notes.append("its EXIF is broken and was ignored")
        return None
    return block or None


def tiff_tags(tags: Image.Exif) -> Image.Exif:
    """Those tags that describe the picture, with its settings and position, for Pillow to write.

    IPTC goes with them, unless it holds a picture of the whole photo.
    """
    kept = Image.Exif()
    for tag in sorted((_DESCRIPTION | {IPTC_IN_TIFF}).intersection(tags)):
        value = tags[tag]
        if tag != IPTC_IN_TIFF or (isinstance(value, bytes) and _IPTC_PREVIEW not in value):
            kept[tag] = _as_read(value)
    for directory in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        entries = tags.get_ifd(directory)
        inside = {tag: _as_read(entries[tag]) for tag in entries if tag != _INTEROP}
        if inside:
            kept.get_ifd(directory).update(inside)
            kept[directory] = inside
    return kept


def _with_iptc(image: Any) -> Image.Exif:
    """A TIFF's tags, with IPTC as bytes: Adobe calls it LONG, of which Pillow reads one."""
    tags: Image.Exif = image.getexif()
    if IPTC_IN_TIFF in image.tag_v2:
        image.tag_v2.tagtype[IPTC_IN_TIFF] = TiffTags.UNDEFINED  # before anybody has looked
        tags[IPTC_IN_TIFF] = image.tag_v2[IPTC_IN_TIFF]
    return tags


class _Text(str):
    """What Pillow read as Latin-1, and would write with "?" for all but ASCII."""

    def encode(self, encoding: str = "latin-1", errors: str = "replace") -> bytes:
        return super().encode("latin-1", "replace")


def _as_read(value: Any) -> Any:
    return _Text(value) if isinstance(value, str) else value


def iptc_of(file_format: str, image: Image.Image, data: bytes, notes: list[str]) -> bytes | None:
    """Caption, credits and keywords as agencies write them; a note where only XMP has them."""
    sections = image.info.get("photoshop")
    found = sections.get(IPTC_IN_PHOTOSHOP) if isinstance(sections, dict) else None
    if found and _IPTC_PREVIEW not in found:
        return bytes(found)
    tag = getattr(image, "tag_v2", {}).get(IPTC_IN_TIFF) if file_format == "TIFF" else None
    if isinstance(tag, bytes) and _IPTC_PREVIEW not in tag:
        return tag
    edges = data[:_XMP_WITHIN] + data[-_XMP_WITHIN:]
    if any(each in edges for each in _CREDITS):
        notes.append("its credits are in XMP, which a crop does not keep")
    return None


def profile_of(file_format: str, image: Image.Image, data: bytes, notes: list[str]) -> bytes | None:
    profile = image.info.get("icc_profile")
    if not profile:
        try:
            profile, lost = told_profile(
                file_format, data, image.info, family(image.mode) == "GRAY"
            )
        except ValueError:
            notes.append("its colours are told by numbers that cannot be, which were ignored")
            return None
        notes += [lost] if lost else []
        return profile
    try:
        ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, TypeError, ValueError):
        notes.append("its colour profile is broken and was ignored")
        return None
    space = profile[16:20].decode("latin-1")
    if space != family(image.mode):
        notes.append(f"its colour profile, for {space.strip()}, is not one for {image.mode}")
    return bytes(profile)


def note_gain_map(file_format: str, data: bytes, notes: list[str]) -> None:
    """What makes a photo brighter on screens that can, as Adobe, Apple, Google and ISO tell it."""
    if file_format not in _GAIN_MAPS:
        return
    head = data[:_XMP_WITHIN]
    place = data if b"MPF\0" in head else head  # of a JPEG, it may be told in the map itself
    if any(each in place for each in _GAIN_MAPS[file_format]):
        notes.append("its gain map, for screens that are brighter than paper, is left out")


def dpi_of(image: Image.Image) -> tuple[float, float] | None:
    """What the header says; Pillow's own stand-ins, 72 in JPEG and 1 in TIFF, don't count."""
    try:
        x, y = (float(value) for value in image.info["dpi"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    given = image.info.get("jfif_unit", 1) != 0 and math.isfinite(x + y)
    return (x, y) if given and min(x, y) > 1 and max(x, y) < 1 << 16 else None
