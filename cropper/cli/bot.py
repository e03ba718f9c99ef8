"""``cropper bot`` on the shell."""

from __future__ import annotations

from typing import Any

import click

from cropper.cli.group import EXIT_CODES, main, threads_option
from cropper.cli.options import (
    COUNT,
    DEVICE,
    FILE,
    NEW_FILE,
    megabytes_option,
    mpixels_option,
    queue_option,
    scorer_option,
    time_limit_option,
    treatment_options,
)

__all__ = ["bot"]


@main.command(
    epilog="""
\b
Examples:
  cropper bot telegram --token-file telegram.token
  cropper bot telegram --token-file telegram.token --aspect 4:5 --filter best
  cropper bot mastodon --token-file mastodon.token --server https://mastodon.example
"""
    + EXIT_CODES
)
@click.argument("network", type=click.Choice(["telegram", "mastodon"]))
@click.option(
    "--token-file",
    type=FILE,
    required=True,
    metavar="FILE",
    help="Holds the bot's token, in a line that nobody else may read (chmod 600).",
)
@click.option(
    "--server",
    metavar="URL",
    help="That of the account on Mastodon; for Telegram a Bot API server of your own, if any.",
)
@click.option(
    "--state",
    type=NEW_FILE,
    metavar="FILE",
    help="What is answered, for the next start. Default: the token's file with .state added.",
)
@click.option(
    "--aspect",
    metavar="original|W:H|free",
    help="Width to height of the crop. Default: original.",
)
@click.option(
    "--keep",
    multiple=True,
    type=click.Choice(["faces", "largest", "none"]),
    help="What no crop may cut: heads with their hair (default: those of a group), or the largest "
    "alone.",
)
@treatment_options
@scorer_option()
@DEVICE
@megabytes_option(
    "--max-mb", 20, "Refuse larger files; Telegram's own server gives bots none above 20."
)
@mpixels_option(60)
@queue_option(16, "Messages that wait at once; more are told to come back.")
@click.option("--per-minute", type=COUNT, default=6, metavar="N", help="Messages of one person.")
@time_limit_option(10, "That a photo may take to be fetched, and again to be decoded and encoded.")
@threads_option
def bot(keep: tuple[str, ...], **options: Any) -> None:
    """Answer people's photos with their best crop, its score and what the judge thinks.

    A photo that is sent to the bot, or that a message to it replies to, is answered in one message;
    on Mastodon a mention is one. Nothing of it is kept. docs/bot.md says how to set one up.
    """
    from cropper.bot import BotOptions, run  # noqa: PLC0415 - numpy and pillow
    from cropper.console import say  # noqa: PLC0415
    from cropper.request import CropRequest  # noqa: PLC0415

    names = CropRequest.__dataclass_fields__.keys() & options.keys()
    asked = {name: options.pop(name) for name in names}
    run(BotOptions(request=CropRequest(keep=keep or ("faces",), **asked), **options), say)
