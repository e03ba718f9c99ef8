"""Pictures: files to pixels, and crops back to files. The only room that decodes or encodes.

Read the files as the way of a picture: ``formats`` tells what a file is, ``header`` what can be
known before decoding, ``pixels`` what Pillow's modes and colour profiles mean, ``source`` decodes
and cuts, ``exif`` keeps metadata true for a crop, ``output`` encodes and writes.
"""

from cropper.image.formats import EXTENSION_OF, FORMATS, format_for, sniff
from cropper.image.output import encode, save_crop, writable_format, write_atomic
from cropper.image.source import SourceImage, View, from_array, load_image

__all__ = [
    "EXTENSION_OF",
    "FORMATS",
    "SourceImage",
    "View",
    "encode",
    "format_for",
    "from_array",
    "load_image",
    "save_crop",
    "sniff",
    "writable_format",
    "write_atomic",
]
