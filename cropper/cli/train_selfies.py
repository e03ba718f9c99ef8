"""``cropper train selfies`` on the shell."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cropper.cli.group import EXIT_CODES
from cropper.cli.options import ABOVE_0, COUNT, DEVICE, FILE, FOLDER, SEED
from cropper.cli.train import out_option, tell_lines, train
from cropper.errors import extra, tell

if TYPE_CHECKING:
    from cropper.train.selfies.data import Selfies
    from cropper.train.selfies.likes import LabelRules

__all__ = ["train_selfies_command"]


@train.command(
    "selfies",
    epilog="""
\b
Examples:
  cropper train selfies --posts posts.csv --images pictures/ --drop-middle 0.3
  cropper train selfies --ucf Selfie-dataset/ --backbone resnet50 --weights resnet50.pth
  cropper train selfies --folders mine/ --backbone trunk --side 161
  cropper train selfies --tiles selfies/ --out runs/selfie

A TABLE of posts has the columns image, likes, followers, tags, posted_at and optionally user.
"""
    + EXIT_CODES,
)
@click.option("--posts", type=FILE, metavar="TABLE", help="Posts with likes, as CSV.")
@click.option("--images", type=FOLDER, metavar="DIR", help="Where the table's images are.")
@click.option("--ucf", type=FOLDER, metavar="DIR", help="UCF Selfie, as published.")
@click.option("--folders", type=FOLDER, metavar="DIR", help="A folder with good/ and bad/.")
@click.option(
    "--tiles",
    type=FOLDER,
    metavar="DIR",
    help="Ranked tiles {image, set, rank} in annotations.json: trains the package's 'selfie', a "
    "head on the trunk of its cropnet, and cross-validates it. Only --trunk, --seed and --out "
    "apply.",
)
@click.option("--trunk", type=FILE, help="For --tiles: a cropnet.  [default: the package's]")
@out_option("selfies", "Folder for weights, report, log, curve and the state to continue from.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), metavar="YYYY-MM-DD",
    help="The day that ages count from.  [default: of the latest post]")  # fmt: skip
@click.option("--min-age", type=click.IntRange(0), default=30,
    help="Days that a post has been online.")  # fmt: skip
@click.option("--min-followers", type=click.IntRange(0), default=100)
@click.option("--max-followers", type=click.IntRange(0), default=100_000)
@click.option("--max-tags", type=click.IntRange(0), default=15)
@click.option("--tag-bonus", type=click.FloatRange(0), default=10.0,
    help="Followers that each tag after the first counts as.")  # fmt: skip
@click.option("--group", type=click.IntRange(2), default=100,
    help="Posts of about one audience, ranked by likes.")  # fmt: skip
@click.option(
    "--drop-middle",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    help="Share of each group left out around its middle.",
)
@click.option("--require-face", is_flag=True, help="Only pictures with a face.")
@click.option(
    "--labels-only", is_flag=True, help="Print the summary of the labels, write it, and stop."
)
@click.option("--backbone", default="vgg16", metavar="NAME",
    help="A classifier of torchvision, or 'trunk', the package's own.")  # fmt: skip
@click.option("--weights", default="own", metavar="own|none|FILE",
    help="To start from: torchvision's own (fetched once), none, or a file.")  # fmt: skip
@click.option("--side", type=click.IntRange(16), default=224,
    help="Pixels of the network's input; 32 k + 1 for the trunk.")  # fmt: skip
@click.option("--geometry/--no-geometry", default=True,
    help="The place of the largest face as its own part of the score.")  # fmt: skip
@click.option("--epochs", type=COUNT, default=4)
@click.option("--batch", type=click.IntRange(2), default=32)
@click.option("--rate", type=ABOVE_0, default=5e-5, help="Of what was loaded.")
@click.option("--fresh-rate", type=ABOVE_0, default=5e-4, help="Of what starts at random.")
@click.option("--dropout", is_flag=True, help="Keep the network's own dropout.")
@click.option("--val-share", type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.1, help="Of the users, held out.")  # fmt: skip
@click.option("--name", default="selfies", help="Of the scorer.")
@click.option(
    "--licence", default="that of the pictures that it was trained on", help="Of the weights."
)
@click.option("--workers", type=click.IntRange(0),
    help="Processes that read pictures.  [default: the cores with a GPU, else none]")  # fmt: skip
@DEVICE
@SEED
def train_selfies_command(
    out: Path, tiles: Path | None, trunk: Path | None, seed: int, device: str, **options: Any
) -> None:
    """Train a scorer of whole pictures from what got likes.

    Run the same command again after a cut: it continues after its last whole epoch.
    """
    from dataclasses import fields  # noqa: PLC0415

    from cropper.console import print_line  # noqa: PLC0415

    with extra("torch"):
        from cropper.train.selfies.classifier import (  # noqa: PLC0415
            SelfiesConfig,
            train_selfies,
            write_labels,
        )
        from cropper.train.selfies.data import with_pictures  # noqa: PLC0415
        from cropper.train.selfies.tiles import train_tiles  # noqa: PLC0415

    sources = [name for name in ("posts", "ucf", "folders") if options[name]]
    if len(sources) + bool(tiles) != 1:
        raise click.UsageError("give one of --posts, --ucf, --folders and --tiles")
    if tiles:
        train_tiles(tiles, trunk, out, seed=seed, device=device, log=tell_lines)
        return
    selfies = with_pictures(_read(sources[0], options, seed))
    known = {field.name for field in fields(SelfiesConfig)}
    config = SelfiesConfig(seed=seed, **{k: v for k, v in options.items() if k in known})
    if options["require_face"]:
        from cropper.train.selfies.faces import look_for_faces, with_faces  # noqa: PLC0415

        selfies = with_faces(look_for_faces(selfies, tell_lines, config.long_side))
    if options["labels_only"]:
        write_labels(selfies, out)
        for line in selfies.summary.splitlines():
            print_line(line)
        return
    train_selfies(selfies, out, config, device=device, workers=options["workers"], log=tell_lines)
    tell(f"wrote {out / config.name}.safetensors")


def _read(source: str, options: dict[str, Any], seed: int) -> Selfies:
    from cropper.train.selfies.data import read_folders, read_posts, read_ucf  # noqa: PLC0415

    if source == "ucf":
        return read_ucf(options["ucf"], options["drop_middle"])
    if source == "folders":
        return read_folders(options["folders"])
    if options["images"] is None:
        raise click.UsageError("--posts needs --images, the folder that the table's images are in")
    return read_posts(options["posts"], options["images"], _rules(options, seed))


def _rules(options: dict[str, Any], seed: int) -> LabelRules:
    import numpy as np  # noqa: PLC0415

    from cropper.train.selfies.likes import LabelRules  # noqa: PLC0415

    day: datetime | None = options["as_of"]
    names = ("min_age", "min_followers", "max_followers", "max_tags", "tag_bonus", "group")
    return LabelRules(
        as_of=None if day is None else np.datetime64(day.date()),
        drop_middle=options["drop_middle"],
        seed=seed,
        **{name: options[name] for name in names},
    )
