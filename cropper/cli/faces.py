"""``cropper faces`` on the shell: a group whose first command goes without its name."""

# ruff: noqa: PLC0415 - a command imports what it needs, so that help and usage errors are quick

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import COUNT, JSON, NEW_FILE, QUALITY, overwrite_option
from cropper.progress import progress

__all__ = ["faces"]

_PATH = click.Path(path_type=Path)
_INPUTS = click.argument("inputs", metavar="IN...", nargs=-1, required=True)
_RATE = click.option(
    "--false-accepts",
    type=click.FloatRange(1e-6, 0.1),
    default=0.001,
    metavar="SHARE",
    help="Of pairs of strangers that may be taken for one person.",
)
_PEOPLE = click.option(
    "--people",
    type=click.Path(exists=True, path_type=Path),
    required=True,
    metavar="DIR|FILE",
    help="A folder that holds a folder a person, or a file of `cropper faces learn`.",
)


class _Group(click.Group):
    command_class = main.command_class

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is no command is a picture, or an option of ``list``."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@main.group(
    cls=_Group,
    options_metavar="[IN... | COMMAND]",
    subcommand_metavar="[OPTIONS]",
    epilog="""
\b
Examples:
  cropper faces photos/ --sheet faces.jpg
  cropper faces party.jpg --aspect 16:9
  cropper faces verify a.jpg b.jpg
  cropper faces who party.jpg --people people/
  cropper faces learn people/ -o people.safetensors
  cropper best party.jpg --people people.safetensors --keep anna

With IN alone it lists. Whose a face is gets asked where a command says so and nowhere else. What is
known of people stays in the one file that `learn` writes. docs/faces.md says whom it fails for.
"""
    + EXIT_CODES,
)
def faces() -> None:
    """Faces: list, compare, name, group, learn and forget them."""


@faces.command("list", epilog=EXIT_CODES)
@_INPUTS
@click.option("--aspect", help="Also tell what the best crop of this shape does to each head.")
@click.option("--sheet", type=_PATH, metavar="FILE", help="A contact sheet of all faces.")
@QUALITY
@JSON
@overwrite_option("files that exist")
@threads_option
def list_command(inputs: tuple[str, ...], **options: Any) -> int:
    """Every face in IN, files or folders: box, size and sharpness; the default command."""
    from cropper.people import FacesOptions, list_faces

    with progress("pictures") as show:
        return list_faces(inputs, FacesOptions(**options), show)


@faces.command("verify")
@click.argument("first", type=_PATH)
@click.argument("second", type=_PATH)
@_RATE
@JSON
@threads_option
def verify_command(first: Path, second: Path, **options: Any) -> int:
    """Whether two photos are of one person, and how sure that is.

    Exit codes: 0 one person; 1 not told to be one; 2 for what cannot be compared.
    """
    from cropper.people import verify

    return verify(first, second, **options)


@faces.command("who", epilog=EXIT_CODES)
@_INPUTS
@_PEOPLE
@_RATE
@JSON
@threads_option
def who_command(inputs: tuple[str, ...], **options: Any) -> int:
    """A name for each face in IN, or 'nobody known'. Nobody is in a photo twice."""
    from cropper.people import WhoOptions, who

    with progress("pictures") as show:
        return who(inputs, WhoOptions(**options), show)


@faces.command("group", epilog=EXIT_CODES)
@_INPUTS
@click.option("--sheets", type=_PATH, metavar="DIR", help="For a contact sheet a person.")
@click.option("--least", type=COUNT, default=2, help="Faces of a person.")
@_RATE
@QUALITY
@JSON
@overwrite_option("files that exist")
@threads_option
def group_command(inputs: tuple[str, ...], **options: Any) -> int:
    """People without names: the faces in IN that seem to be one person's."""
    from cropper.people import GroupOptions, group_faces

    with progress("pictures", shares_terminal=False) as show:
        return group_faces(inputs, GroupOptions(**options), show)


@faces.command("learn", epilog=EXIT_CODES)
@click.argument("folder", metavar="DIR", type=_PATH)
@click.option("-o", "--output", type=NEW_FILE, required=True, metavar="FILE")
@threads_option
def learn_command(folder: Path, output: Path) -> int:
    """Keep what tells the people of DIR, a folder a person, in FILE, beside those it knows.

    People of the same name come in their place.
    """
    from cropper.people import learn

    with progress("people", shares_terminal=False) as show:
        return learn(folder, output, show)


@faces.command("forget", epilog=EXIT_CODES)
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--people", type=_PATH, required=True, metavar="FILE", help="Of `learn`.")
@click.option("--everyone", is_flag=True, help="Delete the file.")
def forget_command(names: tuple[str, ...], people: Path, *, everyone: bool) -> int:
    """Take people out of FILE; with the last of them goes the file."""
    from cropper.people import forget

    return forget(names, people, everyone=everyone)
