"""``cropper train ...`` on the shell."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from cropper.cli.group import main
from cropper.errors import extra

__all__ = ["train"]


@main.group()
def train() -> None:
    """Train scorers."""


@train.command("crops")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    required=True,
    help="Folder with annotations.json ({image, split, box, pairs}) and images/.",
)
@click.option(
    "--trunk",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Weights to start from. For cropnet: MobileNetV2, default DATA/../weights/"
    "mobilenet_v2_imagenet.safetensors. For convnet: a cropnet, default the package's.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs/crops"),
    show_default=True,
    help="Folder for the weights, the log and the state to continue from.",
)
@click.option("--model", type=click.Choice(["cropnet", "convnet"]), default="cropnet")
@click.option("--epochs", type=click.IntRange(1), help="Default: the recipe's.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--limit", type=click.IntRange(1), help="Only this many pictures of each split.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto")
def train_crops_command(
    data: Path, trunk: Path | None, model: str, epochs: int | None, seed: int, **options: Any
) -> None:
    """Train a scorer from human crop judgments: cropnet, or convnet on cropnet's trunk.

    Run the same command again after a cut: cropnet continues after its last whole epoch.
    """
    with extra("torch"):
        from cropper.train import train_from_crops  # noqa: PLC0415 - slow

    train_from_crops(
        model, data, trunk, epochs=epochs, seed=seed, log=partial(click.echo, err=True), **options
    )
