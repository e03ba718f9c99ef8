"""The commands of ``python -m eval``, a file each kind."""

from eval.commands import quality, speed, transformer
from eval.commands.group import cli

__all__ = ["cli", "quality", "speed", "transformer"]
