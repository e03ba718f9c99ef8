"""``python -m cropper`` is the ``cropper`` command."""

from cropper.cli import main

if __name__ == "__main__":
    main(prog_name="cropper")
