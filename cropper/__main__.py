"""``python -m cropper`` is the ``cropper`` command."""

import sys

__all__: list[str] = []

if __name__ == "__main__":
    try:
        from cropper.cli import main

        main(prog_name="cropper")
    except KeyboardInterrupt:
        sys.exit(130)
