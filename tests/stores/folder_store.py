"""``folder://`` for fsspec: a folder that is reached by a URL, from any process, and not at once.

Files are written in two halves, with a pause of ``STORE_PAUSE`` s between: what a server without a
rename of its own would show of them.
"""

from __future__ import annotations

import os
import time
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem


class FolderStore(LocalFileSystem):  # type: ignore[misc]
    protocol = "folder"

    @classmethod
    def _strip_protocol(cls, path: Any) -> str:
        return str(path).removeprefix("folder://").rstrip("/")

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        with open(path, "wb") as file:
            file.write(value[: len(value) // 2])
            file.flush()
            time.sleep(float(os.environ.get("STORE_PAUSE", "0")))
            file.write(value[len(value) // 2 :])


def setup() -> None:
    fsspec.register_implementation("folder", FolderStore, clobber=True)


setup()
