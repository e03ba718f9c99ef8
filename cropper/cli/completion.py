"""How a shell's user may go on with a value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

__all__ = ["complete_filter", "complete_preset", "complete_scorer"]


def complete_preset(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """Names of presets."""
    from cropper.presets import PRESETS  # noqa: PLC0415 - as all commands

    return [each.name for each in PRESETS if each.name.startswith(text)]


def complete_filter(_: click.Context, __: click.Parameter, text: str) -> list[str]:
    """Names of filters."""
    from cropper.tone import BEST, FILTERS  # noqa: PLC0415

    return [name for name in (*FILTERS, BEST) if name.startswith(text)]


def complete_scorer(_: click.Context, __: click.Parameter, text: str) -> list[CompletionItem]:
    """Names of scorers, and files where no name goes on so."""
    from click.shell_completion import CompletionItem  # noqa: PLC0415 - asked for by shells alone

    from cropper.scorers import scorer_names  # noqa: PLC0415 - numpy

    names = [CompletionItem(name) for name in scorer_names() if name.startswith(text)]
    return names or [CompletionItem(text, type="file")]
