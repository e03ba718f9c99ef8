"""The commands of ``python -m eval``, a file each kind."""

from eval.commands import people, pictures, quality, speed, transformer, turns
from eval.commands.group import cli

__all__ = ["cli", "people", "pictures", "quality", "speed", "transformer", "turns"]
