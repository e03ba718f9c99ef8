"""The console script: while cropper is being imported, Ctrl-C ends it without a traceback too."""

import sys

__all__ = ["run"]


def run() -> None:
    try:
        from cropper.cli import main  # noqa: PLC0415 - the quarter of a second to be caught in

        main(prog_name="cropper")
    except KeyboardInterrupt:
        sys.exit(130)
