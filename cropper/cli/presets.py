"""``cropper presets`` on the shell."""

from __future__ import annotations

from cropper.cli.group import main
from cropper.cli.options import JSON_LINES

__all__ = ["presets"]


@main.command()
@JSON_LINES
def presets(as_json: bool) -> None:
    """List the sizes that --preset takes by name."""
    from cropper.console import print_json, print_line  # noqa: PLC0415
    from cropper.presets import PRESETS  # noqa: PLC0415 - as all commands

    for each in PRESETS:
        if as_json:
            print_json(each.to_dict())
            continue
        size = "{:>4} x {:<5}".format(*each.size)
        told = [each.title, f"keeps {each.keep}" if each.keep else "", each.rule]
        print_line(f"{each.name:<12} {size}{'; '.join(filter(None, told))}")
