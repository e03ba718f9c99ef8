"""Makes an ICC profile of what a file says of its colours elsewhere.

PNG has gamma, primaries and code points (gAMA, cHRM, cICP), AVIF and HEIF have code points (nclx).
As a profile they reach a scorer and every output format like any other. Code points are those of
ITU-T H.273, the curve of PQ that of SMPTE ST 2084, of HLG that of ARIB STD-B67; the profile is a
matrix and curves as in ICC.1:2001-04.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cropper.image.formats import png_chunks

__all__ = ["av1_depth", "make_profile", "told_profile"]

Floats = NDArray[np.float64]

_SRGB = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)  # x, y of red, green, blue
_BT2020 = (0.708, 0.292, 0.17, 0.797, 0.131, 0.046)
_P3 = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06)
_PRIMARIES = {9: _BT2020, 12: _P3}  # by code point; the others are near to sRGB or rare
_D65 = (0.3127, 0.3290)
_D50 = np.array([0.9642, 1.0, 0.8249])
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
_STEPS = np.linspace(0, 1, 1024)
_WHITE = 203.0  # cd/m2 of diffuse white in PQ, and at 75 % of HLG (ITU-R BT.2408)
_PQ, _HLG = 16, 18
_USUAL = 1 / 2.2  # gamma of a PNG
_NEAR = 0.01  # of gamma and primaries; as they are rounded in files that mean sRGB


def told_profile(
    file_format: str, data: bytes, info: Mapping[Any, Any], grey: bool
) -> tuple[bytes | None, str]:
    """The profile where the colours are not sRGB, and a note of what it cannot say.

    ``info`` is Pillow's, for PNG. Raises ValueError for colours that cannot be.
    """
    curve, primaries, white, lost = None, _SRGB, _D65, ""
    if points := _points(file_format, data):
        primaries, curve = _PRIMARIES.get(points[0], _SRGB), _curve(points[1])
        if name := {_PQ: "PQ", _HLG: "HLG"}.get(points[1]):
            lost = f"its range ({name}) is cut: what is brighter than paper is shown as white"
    elif file_format == "PNG" and "srgb" not in info:
        gamma, seen = info.get("gamma", _USUAL), info.get("chromaticity", (*_D65, *_SRGB))
        if not np.allclose(seen, (*_D65, *_SRGB), atol=_NEAR):
            white, primaries = seen[:2], seen[2:]
        if gamma > 0 and abs(gamma - _USUAL) > _NEAR:
            curve = _STEPS ** (1 / gamma)
    if curve is None and (white, primaries) == (_D65, _SRGB):
        return None, ""
    return make_profile(_srgb() if curve is None else curve, primaries, white, grey), lost


def make_profile(
    curve: Floats, primaries: Sequence[float], white: Sequence[float], grey: bool = False
) -> bytes:
    """``curve`` (N,) is light in [0, 1] by value; chromaticities are x, y of red, green, blue.

    Raises ValueError for primaries that span no colours.
    """
    table = np.rint(curve * 65535).astype(">u2").tobytes()
    tone = b"curv" + struct.pack(">II", 0, len(curve)) + table
    name = b"told by the file\0"
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(name)) + name + bytes(78),
        b"cprt": b"text\0\0\0\0CC0\0",
        b"wtpt": _xyz(_D50),
    }
    if grey:
        tags[b"kTRC"] = tone
    else:
        columns = _colorants(primaries, white).T
        tags |= {
            name + b"XYZ": _xyz(column)
            for name, column in zip((b"r", b"g", b"b"), columns, strict=True)
        }
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), tone)
    at = 132 + 12 * len(tags)
    entries, body, places = b"", b"", dict[bytes, int]()
    for tag, content in tags.items():
        if content not in places:
            places[content] = at + len(body)
            body += content + bytes(-len(content) % 4)
        entries += struct.pack(">4sII", tag, places[content], len(content))
    head = struct.pack(
        ">I4sI4s4s4s12s4s", at + len(body), b"", 0x02400000, b"mntr", b"GRAY" if grey else b"RGB ",
        b"XYZ ", struct.pack(">6H", 2000, 1, 1, 0, 0, 0), b"acsp",
    )  # fmt: skip
    head = head.ljust(68, b"\0") + _xyz(_D50)[8:]
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + entries + body


def av1_depth(data: bytes) -> int:
    """Bits a channel of an AVIF file's picture; 8 where it does not say."""
    for kind, at, end in _properties(data):
        if kind == b"av1C" and end >= at + 3:
            return (12 if data[at + 2] & 0x20 else 10) if data[at + 2] & 0x40 else 8
    return 8


def _points(file_format: str, data: bytes) -> tuple[int, int] | None:
    """Code points of primaries and transfer."""
    if file_format == "PNG":
        found = next((at for chunk, at, n in png_chunks(data) if chunk == b"cICP" and n == 4), None)
        return None if found is None else (data[found], data[found + 1])
    if file_format in ("AVIF", "HEIF"):
        for box, at, end in _properties(data):
            if box == b"colr" and data[at : at + 4] == b"nclx" and end >= at + 8:
                return struct.unpack_from(">HH", data, at + 4)
    return None


def _properties(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Boxes of an ISO image file that say something of its pictures, the main one's first."""
    inside = [(0, len(data))]
    for name, skipped in ((b"meta", 4), (b"iprp", 0), (b"ipco", 0)):
        inside = [
            (at + skipped, end)
            for start, stop in inside
            for kind, at, end in _boxes(data, start, stop)
            if kind == name
        ]
    for start, stop in inside:
        yield from _boxes(data, start, stop)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind and span of the content of each."""
    while at + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1 and at + 16 <= end:
            (size,), head = struct.unpack_from(">Q", data, at + 8), 16
        size = size or end - at
        if size < head or at + size > end:
            return
        yield kind, at + head, at + size
        at += size


def _curve(transfer: int) -> Floats | None:
    """Light by value; None for those of the code points that screens show as sRGB."""
    x = _STEPS
    if transfer in (4, 5, 8):
        return np.asarray(x ** {4: 2.2, 5: 2.8, 8: 1.0}[transfer])
    if transfer == _PQ:
        root = x ** (32 / 2523)
        light = np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)
        return np.minimum(light ** (8192 / 1305) * 10_000 / _WHITE, 1)
    if transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        scene = np.where(x <= 0.5, x * x / 3, (np.exp((x - c) / a) + b) / 12)
        white = (np.exp((0.75 - c) / a) + b) / 12
        return np.asarray(np.minimum(scene / white, 1) ** 1.2)
    return None


def _srgb() -> Floats:
    return np.where(_STEPS <= 0.04045, _STEPS / 12.92, ((_STEPS + 0.055) / 1.055) ** 2.4)


def _colorants(primaries: Sequence[float], white: Sequence[float]) -> Floats:
    """(3, 3): XYZ of red, green, blue in columns, adapted to D50."""
    x, y = np.array(primaries, dtype=np.float64).reshape(3, 2).T
    if min(*y, white[1]) <= 0:
        raise ValueError(f"chromaticities have y above 0, got {[*primaries, *white]}")
    unscaled = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    seen = np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])
    try:
        colorants = unscaled * np.linalg.solve(unscaled, seen)
    except np.linalg.LinAlgError as error:
        raise ValueError(f"these primaries span no colours: {list(primaries)}") from error
    gain = (_BRADFORD @ _D50) / (_BRADFORD @ seen)
    adapted: Floats = np.linalg.solve(_BRADFORD, gain[:, None] * (_BRADFORD @ colorants))
    return adapted


def _xyz(values: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + np.rint(values * 65536).astype(">i4").tobytes()
