"""XMP sidecars with the crop settings that Lightroom and Camera Raw write.

The edges are fractions of the picture as it is stored, before its EXIF orientation, which these
programs apply after the crop. The sidecar describes the original: it belongs beside that, not
beside the crop. They read it for a raw file of the same stem alone: JPEG, TIFF and PNG have their
XMP inside.
"""

from __future__ import annotations

__all__ = ["sidecar"]

Box = tuple[float, float, float, float]

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
   crs:CropAngle="0"
   crs:CropConstrainToWarp="0"
   crs:AlreadyApplied="False"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def sidecar(box: Box, orientation: int) -> bytes:
    """``box`` is xyxy in [0, 1] of the stored picture, ``orientation`` EXIF's 1 to 8."""
    left, top, right, bottom = box
    whole = box == (0.0, 0.0, 1.0, 1.0)
    return _SIDECAR.format(
        orientation=orientation,
        cropped=not whole,
        top=top,
        left=left,
        bottom=bottom,
        right=right,
    ).encode()
