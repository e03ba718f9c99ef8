"""``cropper compare`` on the shell: ``python -m eval compare`` under the product's name."""

from __future__ import annotations

import click

from cropper.cli.group import main, refuse_repeats

__all__ = ["compare"]


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True},
    short_help="Hold search against the spatial transformer.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def compare(arguments: tuple[str, ...]) -> None:
    """Search against the spatial transformer, by a held-out judge; --help says more."""
    from eval.commands import cli  # noqa: PLC0415 - and its options are defined there

    # not through eval's own group: errors end as those of the other commands
    command = cli.commands["compare"]
    above = click.get_current_context().parent
    refuse_repeats(command, click.Context(command, above, "compare"), arguments)
    with command.make_context("compare", [*arguments], parent=above) as context:
        command.invoke(context)
