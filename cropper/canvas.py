"""Where a crop lies in a larger picture, if it has to have a shape that it cannot be cut to."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FILLS", "Canvas", "Place", "Size"]

Size = tuple[int, int]  # (width, height), px
Place = tuple[int, int, int, int]  # xyxy, px

FILLS = ("pad", "blur", "extend")


@dataclass(frozen=True)
class Canvas:
    """A picture with a crop in its middle, as large as fits, and something around it."""

    aspect: float  # width / height
    fill: str  # pad: one colour; blur: the crop, enlarged and blurred; extend: its edges go on
    background: str = "white"  # colour of pad

    def layout(self, crop: Size, size: Size | None = None) -> tuple[Size, Place]:
        """The size of the picture and the place of the crop in it, xyxy.

        Without ``size`` the crop keeps its own, and the picture is the smallest around it.
        """
        width, height = crop
        if size is None:
            size = (
                max(width, round(height * self.aspect)),
                max(height, round(width / self.aspect)),
            )
        else:
            scale = min(size[0] / width, size[1] / height)
            width, height = (
                min(max(round(side * scale), 1), most)
                for side, most in zip(crop, size, strict=True)
            )
        x, y = (size[0] - width) // 2, (size[1] - height) // 2
        return size, (x, y, x + width, y + height)
