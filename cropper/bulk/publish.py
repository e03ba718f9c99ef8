"""What people look at after a run: the contact sheet and the HTML report, from the manifest."""

from __future__ import annotations

from cropper.bulk.manifest import Manifest
from cropper.bulk.options import BulkOptions
from cropper.bulk.plan import Layout

__all__ = ["check_publications", "publish"]


def check_publications(layout: Layout, options: BulkOptions) -> None:
    pass


def publish(layout: Layout, options: BulkOptions, manifest: Manifest) -> None:
    pass
