"""The ``cropper`` command itself: its group, its exit codes and how errors end it.

Exit codes are a stable interface: 0 all done, 1 some files failed and the rest is done, 2 usage or
configuration, 3 missing model or extra, 4 no input pictures, 5 cannot write, 130 interrupted.
"""

from __future__ import annotations

from typing import Any

import click

from cropper.errors import exit_on_error

__all__ = ["EXIT_CODES", "main"]

EXIT_CODES = """
\b
Exit codes: 0 all done; 1 some files failed, the rest is done; 2 usage;
3 missing model or extra; 4 no input pictures; 5 cannot write; 130 interrupted.
"""


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        with exit_on_error("cropper"):
            return super().invoke(ctx)


_SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}


@click.group(cls=_Group, epilog=EXIT_CODES, context_settings=_SETTINGS)
@click.version_option(package_name="cropper", prog_name="cropper")
def main() -> None:
    """Find the crop of a photo that people like best."""
