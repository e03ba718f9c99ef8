"""The shell: click commands over the library, a file each. Heavy imports stay inside commands."""

from importlib import import_module

from cropper.cli.group import main
from cropper.cli.settings import name_variables

__all__ = ["main"]

_COMMANDS = "best bot bulk compare config export faces presets rank scorers see serve style train"
for _name in (*_COMMANDS.split(), "train_selfies", "watch"):
    import_module(f"cropper.cli.{_name}")  # adds its commands to main

name_variables(main)
