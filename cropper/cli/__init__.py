"""The shell: click commands over the library, a file each. Heavy imports stay inside commands."""

from cropper.cli.best import best
from cropper.cli.bulk import bulk
from cropper.cli.compare import compare
from cropper.cli.group import main
from cropper.cli.scorers import scorers
from cropper.cli.train import train

__all__ = ["best", "bulk", "compare", "main", "scorers", "train"]
