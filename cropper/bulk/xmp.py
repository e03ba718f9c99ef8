"""XMP sidecars with the crop settings that Lightroom and Camera Raw write.

``CropLeft`` and ``CropTop`` are the crop's upper left corner, ``CropRight`` and ``CropBottom`` its
lower right one, as fractions of the picture as it is stored, before its EXIF orientation, which
these programs apply after the crop. ``CropAngle`` is the crop's turn about its centre, clockwise in
degrees. The sidecar describes the original: it belongs beside that, not beside the crop. They read
it for a raw file of the same stem alone: JPEG, TIFF and PNG have their XMP inside.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["sidecar"]

_SIDECAR = """\
<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
   tiff:Orientation="{orientation}"
   crs:HasSettings="True"
   crs:HasCrop="{cropped}"
   crs:CropTop="{top:.6f}"
   crs:CropLeft="{left:.6f}"
   crs:CropBottom="{bottom:.6f}"
   crs:CropRight="{right:.6f}"
   crs:CropAngle="{angle:g}"
   crs:CropConstrainToWarp="0"
   crs:AlreadyApplied="False"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def sidecar(quad: NDArray[np.float64], size: tuple[int, int], orientation: int) -> bytes:
    """Of a crop that is a rectangle, turned by less than 45 degrees.

    ``quad`` are its corners (4, 2) in their order around it, px of the stored picture of ``size`` =
    (width, height); ``orientation`` is EXIF's 1 to 8.
    """
    first = int(quad.sum(1).argmin())
    (left, top), *sides = (quad[(first + step) % 4] for step in (0, 1, 3))
    right, bottom = quad[(first + 2) % 4]
    across, down = max(sides, key=lambda point: point[0]) - (left, top)
    angle = round(math.degrees(math.atan2(down, across)), 6)
    return _SIDECAR.format(
        orientation=orientation,
        cropped=(left, top, right, bottom) != (0, 0, *size),
        top=top / size[1],
        left=left / size[0],
        bottom=bottom / size[1],
        right=right / size[0],
        angle=angle + 0.0,
    ).encode()
