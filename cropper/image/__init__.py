"""Pictures: files to pixels, and crops back to files. The only room that decodes or encodes.

Read the files as the way of a picture: ``formats`` tells what a file is, ``structure`` what would
take too long to read, ``header`` what can be known before decoding, ``pixels`` what Pillow's modes
and colour profiles mean, ``source`` decodes and cuts, ``photo`` takes whatever holds a photo,
``exif`` keeps metadata true for a crop, ``output`` encodes, ``files`` writes.
"""

from cropper.image.formats import EXTENSION_OF, FORMATS, format_for, sniff
from cropper.image.header import Header
from cropper.image.output import (
    check_target,
    encode,
    make_folder,
    writable_format,
    write_atomic,
)
from cropper.image.photo import Photo, open_photo
from cropper.image.pixels import Span
from cropper.image.source import SourceImage, View, from_array, load_image

__all__ = [
    "EXTENSION_OF",
    "FORMATS",
    "Header",
    "Photo",
    "SourceImage",
    "Span",
    "View",
    "check_target",
    "encode",
    "format_for",
    "from_array",
    "load_image",
    "make_folder",
    "open_photo",
    "sniff",
    "writable_format",
    "write_atomic",
]
