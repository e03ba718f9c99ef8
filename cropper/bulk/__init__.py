"""Folders: every photo cropped once, whatever happens on the way.

Read the files as the way of a photo: ``walk`` finds it in one of the ``trees``, ``table`` says what
is its own, ``plan`` names its crops, ``prepare`` checks the names and what is done already (by
``signature`` and, for what was changed since, ``user_edits``), ``manifest`` remembers, ``pipeline``
hands it to a worker, ``work`` crops it by what ``find`` finds (``xmp``: its sidecar), ``outcome``
is what comes back, ``run`` holds all of it together, ``report`` counts, ``console`` and ``publish``
show. ``watch`` runs again for what ``arrivals`` sees come.
"""

from cropper.bulk.options import BACKENDS, BulkOptions, each_target
from cropper.bulk.outcome import Cropped, Failed, Outcome
from cropper.bulk.report import BulkReport, Watcher
from cropper.bulk.run import crop_folder
from cropper.bulk.watch import SETTLE, WatchReport, watch_folder

__all__ = [
    "BACKENDS",
    "SETTLE",
    "BulkOptions",
    "BulkReport",
    "Cropped",
    "Failed",
    "Outcome",
    "WatchReport",
    "Watcher",
    "crop_folder",
    "each_target",
    "watch_folder",
]
