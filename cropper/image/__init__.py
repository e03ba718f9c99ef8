"""Pictures: files to pixels, and crops back to files. The only room that decodes or encodes.

Read the files as the way of a picture: ``formats`` tells what a file is, ``structure`` what would
take too long to read, ``icc`` and ``metadata`` what it says beside its pixels, ``header`` all that
can be known before decoding, ``frames`` which picture of a file is shown, ``memory`` how much that
will take, ``jpeg`` and ``deep_tiff`` read what Pillow does not tell or take, ``pixels`` says what
Pillow's modes mean and ``colour`` what profiles do, ``linear`` averages light, ``upright`` knows
orientations, ``source`` decodes and cuts, ``view`` is what a scorer sees of it,
``per_view`` keeps what is found in a view, ``photo`` takes whatever holds a photo, ``padding`` and
``toning`` change a crop, ``exif`` keeps metadata true for it, ``output`` encodes, ``files`` writes.
"""

from cropper.image.files import (
    FileId,
    check_target,
    file_id,
    make_folder,
    read_below,
    write_atomic,
    write_below,
)
from cropper.image.formats import (
    EXTENSION_OF,
    FORMATS,
    format_for,
    has_picture_extension,
    parse_format,
    sniff,
)
from cropper.image.header import Header
from cropper.image.memory import MOST_BYTES, Output, needed
from cropper.image.output import encode, lost_note, writable_format
from cropper.image.photo import Photo, from_array, load_image, open_photo
from cropper.image.pixels import Span
from cropper.image.source import SourceImage
from cropper.image.structure import is_cut_off
from cropper.image.view import View

__all__ = [
    "EXTENSION_OF",
    "FORMATS",
    "MOST_BYTES",
    "FileId",
    "Header",
    "Output",
    "Photo",
    "SourceImage",
    "Span",
    "View",
    "check_target",
    "encode",
    "file_id",
    "format_for",
    "from_array",
    "has_picture_extension",
    "is_cut_off",
    "load_image",
    "lost_note",
    "make_folder",
    "needed",
    "open_photo",
    "parse_format",
    "read_below",
    "sniff",
    "writable_format",
    "write_atomic",
    "write_below",
]
