"""The commands of ``python -m eval``, a file each kind."""

from eval.commands import people, quality, speed, transformer
from eval.commands.group import cli

__all__ = ["cli", "people", "quality", "speed", "transformer"]
