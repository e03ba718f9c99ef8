"""Files that have URLs: fetched from stores and put there, within limits.

``urls`` reads and shows URLs, ``client`` is fsspec's, ``store`` what is reached by it, ``faults``
says in words what went wrong. fsspec is not imported before a URL is given.
"""

from cropper.stores.store import Content, Listed, Store, StoreLimits, UnsureWriteError
from cropper.stores.urls import as_local, is_url, name_in, shown, trimmed

__all__ = [
    "Content",
    "Listed",
    "Store",
    "StoreLimits",
    "UnsureWriteError",
    "as_local",
    "is_url",
    "name_in",
    "shown",
    "trimmed",
]
