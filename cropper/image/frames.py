"""Which of the pictures in a file is shown: no preview, and no still before an animation."""

from __future__ import annotations

from typing import Any

from PIL import ImageFile

__all__ = ["DNG", "count_frames", "has_still", "is_preview", "part_of_canvas", "pass_previews"]
__all__ += ["to_animation"]

_SUBFILE, _SUB_DIRECTORIES, DNG = 254, 330, 50706  # tags of TIFF


def pass_previews(image: Any) -> None:
    """To the first page that is no small version of another; to the first where all are."""
    try:
        while is_preview(image.tag_v2) and not {_SUB_DIRECTORIES, DNG} & {*image.tag_v2}:
            image.seek(image.tell() + 1)
    except EOFError:
        image.seek(0)


def is_preview(tags: Any) -> bool:
    return bool(tags.get(_SUBFILE, 0) & 1)


def to_animation(image: Any) -> None:
    """To the first frame that viewers show, where a PNG holds another picture for all others.

    That is decoded on the way.
    """
    if has_still(image):
        image.seek(1)


def has_still(image: Any) -> bool:
    return image.format == "PNG" and image.n_frames > 1 and bool(image.default_image)


def part_of_canvas(image: ImageFile.ImageFile) -> tuple[int, int, int, int] | None:
    """The box that a GIF's first frame fills, before it is loaded, where it leaves some clear."""
    if image.format != "GIF" or "transparency" in image.info or not image.tile:
        return None
    x0, y0, x1, y1 = image.tile[0].extents or (0, 0, *image.size)
    return None if (x0, y0, x1, y1) == (0, 0, *image.size) else (x0, y0, x1, y1)


def count_frames(image: ImageFile.ImageFile) -> int:
    """1 for the multi-picture JPEG of phones too: its others are previews, depth and gain maps."""
    if image.format == "MPO":
        return 1
    try:
        return int(getattr(image, "n_frames", 1))
    except Exception:  # the first frame may be sound where the chain to the others is broken
        return 1
