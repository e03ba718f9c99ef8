"""`cropper serve` as a process, for measurements on this machine."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator

from cropper.errors import DataError

__all__ = ["running_service"]


@contextlib.contextmanager
def running_service(*options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process and its address, on a free port; killed at the end, if it still runs.

    Raises DataError where it does not start.
    """
    line = [sys.executable, "-m", "cropper", "serve", "--port", "0", *options]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as service:
        try:
            assert service.stderr is not None
            said = service.stderr.readline()
            address = re.search(r"http://(\S+);| http://(\S+) ", said)
            if address is None:
                raise DataError(f"cropper serve did not start: {said}")
            yield service, (address[1] or address[2])
        finally:
            with contextlib.suppress(OSError):
                service.kill()
