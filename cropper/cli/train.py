"""``cropper train ...`` on the shell."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from cropper.cli.group import main, threads_option
from cropper.cli.options import (
    ABOVE_0,
    COUNT,
    DEVICE,
    FILE,
    FOLDER,
    NEW_FOLDER,
    SEED,
    Command,
    bundle,
    scorer_option,
)
from cropper.errors import extra, tell

__all__ = ["out_option", "tell_lines", "train"]


def _fold(_: click.Context, __: click.Parameter, value: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,3})/(\d{1,3})", value)
    if not match or int(match[1]) >= int(match[2]):
        raise click.BadParameter(f"{value!r} is not K/N with K from 0 to N - 1, as in 0/2")
    return int(match[1]), int(match[2])


def tell_lines(text: str) -> None:
    """On standard error, which training outlives."""
    for line in text.splitlines():
        tell(line)


def out_option(name: str, told: str) -> Callable[[Command], Command]:
    """``--out``, the folder of that name in ``runs`` where none is given; ``told`` is its help."""
    return click.option("--out", type=NEW_FOLDER, default=Path("runs", name), help=told)


def _data_option(told: str) -> Callable[[Command], Command]:
    return click.option("--data", type=FOLDER, required=True, help=told)


_EPOCHS = click.option("--epochs", type=COUNT, help="Default: the recipe's.")
_LIMIT = click.option("--limit", type=COUNT, help="Only this many pictures of each split.")


@main.group()
@threads_option
def train() -> None:
    """Train scorers, and the learned transformer."""


@train.command("crops")
@_data_option("Folder with annotations.json ({image, split, box, pairs}) and images/.")
@click.option(
    "--trunk",
    type=FILE,
    help="Weights to start from. For cropnet: MobileNetV2, default DATA/../weights/"
    "mobilenet_v2_imagenet.safetensors. For convnet: a cropnet, default the package's.",
)
@out_option("crops", "Folder for the weights, the log, its curve and the state to continue from.")
@click.option(
    "--model", type=click.Choice(["cropnet", "convnet"]), default="cropnet", show_default=False
)
@_EPOCHS
@click.option(
    "--gaze",
    type=FOLDER,
    help="Folder with annotations.json ({image, split, fixations: [viewer, x, y]}) and the photos "
    "that it names: where people look is learned beside. For cropnet.",
)
@SEED
@click.option(
    "--fold",
    callback=_fold,
    default="0/1",
    metavar="K/N",
    help="Train on the K-th of N parts of the pictures, as for a judge that shares none.",
)
@click.option(
    "--trunk-rate",
    type=click.FloatRange(0),
    help="Learning rate of cropnet's trunk; 0 leaves it as it is. Default: the recipe's.",
)
@click.option(
    "--teacher",
    "teachers",
    multiple=True,
    type=FILE,
    help="A trained cropnet; repeatable. Goes on from the first and learns from all together.",
)
@click.option(
    "--photos",
    type=FOLDER,
    help="With --teacher: folder of pictures (*.jpg) that only the teachers judge.",
)
@click.option(
    "--augment/--no-augment", default=True, show_default=False, help="Vary the pictures each epoch."
)
@click.option(
    "--runs",
    type=COUNT,
    default=1,
    help="Train cropnet that many times from one start and average the weights (a soup).",
)
@_LIMIT
@DEVICE
def train_crops_command(
    data: Path, trunk: Path | None, model: str, epochs: int | None, seed: int, **options: Any
) -> None:
    """Train a scorer from human crop judgments: cropnet, or convnet on cropnet's trunk.

    Run the same command again after a cut: cropnet continues after its last whole epoch.
    """
    with extra("torch"):
        from cropper.train import train_from_crops  # noqa: PLC0415 - slow

    train_from_crops(model, data, trunk, epochs=epochs, seed=seed, log=tell_lines, **options)


@train.command("localizer")
@_data_option(
    "Folder with annotations.json ({image, split, box}) and images/; the boxes are not used."
)
@scorer_option()
@out_option("localizer", "Folder for the weights.")
@click.option("--epochs", type=click.IntRange(2), help="Default: the recipe's.")
@SEED
@_LIMIT
@DEVICE
def train_localizer_command(
    data: Path, scorer: str, out: Path, epochs: int | None, seed: int, **options: Any
) -> None:
    """Train the learned spatial transformer: one pass of a small head instead of a search.

    It copies the search's crops first and then climbs the score by backprop through the scorer.
    """
    with extra("torch"):
        from cropper.train.localizer import LocalizeConfig, train_localizer  # noqa: PLC0415

    config = LocalizeConfig(**_recipe(seed, epochs))
    train_localizer(data, out, scorer, config, log=tell_lines, **options)
    tell(f"wrote {out / 'localizer'}.safetensors")


def _recipe(seed: int, epochs: int | None) -> dict[str, Any]:
    """Fields of a training's config: its own number of epochs stays where none is given."""
    return {"seed": seed} if epochs is None else {"seed": seed, "epochs": epochs}


def _photos_alone(name: str, told: str) -> Callable[[Command], Command]:
    """The options of trainings that need photos and no labels."""
    return bundle(
        click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=FOLDER),
        out_option(name, told),
        _EPOCHS,
        SEED,
        click.option("--limit", type=COUNT, help="Only this many photos."),
    )


@train.command("tilt")
@_photos_alone("tilt", "Folder for the weights, and for the turned windows, 2 GB of 3,400 photos.")
def train_tilt_command(
    folders: tuple[Path, ...], out: Path, epochs: int | None, seed: int, limit: int | None
) -> None:
    """Train what --straighten asks, from photos alone: they are turned by known angles.

    Of a folder with annotations.json its split 'train' is used, of others all pictures.
    """
    with extra("torch"):
        from cropper.train.tilt import TiltConfig, train_tilt  # noqa: PLC0415

    config = TiltConfig(**_recipe(seed, epochs))
    train_tilt(folders, out, config, limit=limit, log=tell_lines)
    tell(f"wrote {out / 'tilt'}.safetensors")


@train.command("orientation")
@_photos_alone("orientation", "Folder for the weights.")
def train_orientation_command(
    folders: tuple[Path, ...], out: Path, epochs: int | None, seed: int, limit: int | None
) -> None:
    """Train what --orient asks, from photos alone: they are turned by quarters.

    Of a folder with annotations.json its split 'train' is used, of others all pictures. What is
    read of 3,400 photos takes 3 GB of memory.
    """
    with extra("torch"):
        from cropper.train.orientation import OrientationConfig  # noqa: PLC0415
        from cropper.train.orientation import train_orientation as fit  # noqa: PLC0415

    config = OrientationConfig(**_recipe(seed, epochs))
    fit(folders, out, config, limit=limit, log=tell_lines)
    tell(f"wrote {out / 'orientation'}.safetensors")


@train.command("faces")
@click.option(
    "--people",
    "folder",
    type=FOLDER,
    required=True,
    metavar="DIR",
    help="A folder that holds a folder a person, two photos or more in each.",
)
@out_option("faces", "Folder for the weights, their measures and the state to continue from.")
@click.option(
    "--start",
    type=click.Choice(["descriptor", "nothing"]),
    default="descriptor",
    help="From the package's weights, or from chance.",
)
@click.option("--margin", type=click.FloatRange(0), default=0.2)
@click.option(
    "--mining", type=click.Choice(["semi-hard", "hard"]), default="semi-hard", show_default=True
)
@click.option(
    "--head",
    type=click.Choice(["none", "binary"]),
    default="none",
    help="binary: also a logistic unit on |f(a) - f(b)|.",
)
@click.option("--epochs", type=COUNT, default=10)
@click.option("--rate", type=ABOVE_0, help="Default: the recipe's.")
@click.option(
    "--augment/--no-augment", default=True, show_default=False, help="Vary the faces each step."
)
@click.option(
    "--held-out",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.25,
    metavar="SHARE",
    help="Of the people, who are measured on and not learned from.",
)
@SEED
def train_faces_command(folder: Path, out: Path, **options: Any) -> None:
    """Train a face descriptor on triplets: two photos of a person, one of another.

    It measures verification, and recognition among K people (one_shot.png). Run the same command
    again after a cut: it continues after its last whole epoch.
    """
    with extra("torch"):
        from cropper.train.faces import FacesConfig, train_faces  # noqa: PLC0415

    train_faces(folder, out, FacesConfig(**options), log=tell_lines)
    tell(f"wrote {out / 'faces'}.safetensors")
