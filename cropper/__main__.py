"""``python -m cropper`` is the ``cropper`` command."""

import sys

__all__ = ["run"]


def run() -> None:
    """The console script. Ctrl-C ends it quietly also while the command is being imported."""
    try:
        from cropper.cli import main  # noqa: PLC0415 - the part of the start to be caught in

        main(prog_name="cropper")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run()
