"""The shell: click commands over the library, a file each. Heavy imports stay inside commands."""

from cropper.cli.best import best
from cropper.cli.bot import bot
from cropper.cli.bulk import bulk
from cropper.cli.compare import compare
from cropper.cli.config import config_command
from cropper.cli.export import export_command
from cropper.cli.faces import faces
from cropper.cli.group import main
from cropper.cli.presets import presets
from cropper.cli.rank import map_command, rank_command, score_command, selfie_command
from cropper.cli.scorers import scorers
from cropper.cli.see import see_command
from cropper.cli.serve import serve
from cropper.cli.settings import name_variables
from cropper.cli.style import style_command
from cropper.cli.train import train
from cropper.cli.train_selfies import train_selfies_command
from cropper.cli.watch import watch

__all__ = [
    "best",
    "bot",
    "bulk",
    "compare",
    "config_command",
    "export_command",
    "faces",
    "main",
    "map_command",
    "presets",
    "rank_command",
    "score_command",
    "scorers",
    "see_command",
    "selfie_command",
    "serve",
    "style_command",
    "train",
    "train_selfies_command",
    "watch",
]

name_variables(main)
