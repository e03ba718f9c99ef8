"""Training of the tilt network: photos turned by known angles, and nobody's judgment.

Photos that people publish are mostly level, so a window of one that is turned is tilted by a known
angle, give or take the photo's own tilt. Windows are turned by any angle, none is a copy of the
photo's pixels, and all are encoded anew, so that neither interpolation nor JPEG's blocks tell. What
networks of one half of the photos read as the own tilt of the other is taken off again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
import torch.nn.functional as F
from joblib.externals.loky import get_reusable_executor
from numpy.typing import NDArray
from torch import Tensor, nn

from cropper.annotations import ANNOTATIONS, read_annotations
from cropper.errors import DataError, ImageWriteError
from cropper.image import SourceImage, View, load_image, make_folder
from cropper.listing import list_pictures
from cropper.render import render
from cropper.scorers.checkpoint import save_scorer
from cropper.tilt import ANGLES, BINS, CELLS, INNER, LONG_SIDE, PLACES, edge_directions
from cropper.train.fit import descend_in_batches
from cropper.train.own_tilts import own_tilts
from cropper.turn import Turn

__all__ = [
    "TiltConfig",
    "TiltNet",
    "load_windows",
    "mirrored",
    "photos_of",
    "train_tilt",
    "turned_window",
]

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TiltConfig:
    windows: int = 12  # a photo
    most: float = 15.0  # degrees of turn, either way
    smallest: float = 0.7  # side of a window, of the largest turned one
    quality: tuple[int, int] = (50, 95)  # of JPEG, in which windows are encoded
    epochs: int = 6
    batch_size: int = 64
    rate: float = 2e-3
    weight_decay: float = 1e-2
    spread: float = 0.6  # degrees: of the target around the angle, for the photo's own tilt
    shift: int = 8  # bins by which a batch is turned further, at most
    seed: int = 0


_CALIBRATION = 4000  # windows
_READ = 256  # windows at once
_TEMPERATURES = np.arange(0.5, 3.01, 0.05)


class TiltNet(nn.Module):
    """Edge directions -> log-odds of each angle of ``ANGLES``; ``tilt.TiltFinder`` in torch."""

    places: Tensor

    def __init__(self, channels: int = 16, heads: int = 8, width: int = 64) -> None:
        super().__init__()
        self.cell = nn.ModuleList(
            nn.Conv1d(given, channels, 7, padding=3) for given in (8, channels)
        )
        self.looks = nn.ModuleList(
            [nn.Linear(2 * channels + PLACES.shape[1], 32), nn.Linear(32, heads)]
        )
        self.angles = nn.ModuleList(
            nn.Conv1d(given, out, 9, padding=4)
            for given, out in ((heads * channels, width), (width, width), (width, width))
        )
        self.out = nn.Conv1d(width, 1, 5, padding=2)
        self.register_buffer("places", torch.from_numpy(PLACES), persistent=False)

    def forward(self, edges: Tensor) -> Tensor:
        """(N, scales, 2, CELLS, CELLS, BINS) -> (N, angles)."""
        count = len(edges)
        cells = edges.reshape(count, 4, CELLS**2, BINS).transpose(1, 2).flatten(0, 1)
        x = torch.cat([4 * cells, (cells + 1e-6).sqrt()], 1)
        for layer in self.cell:
            x = F.relu(layer(x))
        x = x.view(count, CELLS**2, -1, BINS)
        places = self.places.expand(count, -1, -1)
        seen = torch.cat([x.mean(3), x.amax(3), places], 2)
        first, second = self.looks
        weight = F.softplus(second(F.relu(first(seen))))  # (N, cells, heads)
        y = torch.einsum("ncw,ncx->nwx", weight, x.flatten(2))
        y = y / (y.mean(2, keepdim=True) + 0.05)
        y = y.view(count, -1, BINS)
        first, *others = self.angles
        y = F.relu(first(y))
        for layer in others:
            y = y + F.relu(layer(F.dropout(y, 0.2, self.training)))
        out: Tensor = self.out(y)[:, 0, INNER]
        return out


def turned_window(
    photo: SourceImage,
    angle: float,
    side: float,
    quality: int,
    rng: np.random.Generator,
    *,
    long_side: int = LONG_SIDE,
) -> View:
    """A window of a photo that looks tilted clockwise by ``angle`` degrees, encoded anew.

    ``side`` is that of the largest window of the photo's shape; its place is drawn. The view has
    ``long_side`` px or, of a smaller window, all of it.
    """
    turn = Turn(photo.size, -angle)
    width, height = (side * edge for edge in photo.size)
    x, y = rng.uniform(0, 1, 2) * (photo.size[0] - width, photo.size[1] - height)
    box = turn.fit(np.array([[x, y, x + width, y + height]]))[0]
    encoded = render(photo, turn.crop(box, 0.0), "JPEG", quality=quality)
    return load_image(encoded).view(long_side)


def load_windows(
    photos: Sequence[Path], config: TiltConfig, jobs: int = -1
) -> tuple[NDArray[np.float16], Floats]:
    """(N, scales, 2, CELLS, CELLS, BINS) edge directions of N windows, and (N,) their angles.

    Raises what ``load_image`` raises.
    """
    work = joblib.Parallel(jobs)(
        joblib.delayed(_windows_of)(path, config, index) for index, path in enumerate(photos)
    )
    get_reusable_executor().shutdown()  # of the workers, which hold half a GB each
    edges, angles = zip(*work, strict=True)
    return np.concatenate(edges), np.concatenate(angles)


def _windows_of(path: Path, config: TiltConfig, index: int) -> tuple[NDArray[np.float16], Floats]:
    rng = np.random.default_rng([config.seed, index])
    photo = load_image(path)
    angles = rng.uniform(-config.most, config.most, config.windows)
    edges = []
    for angle in angles:
        side = rng.uniform(config.smallest, 1.0)
        quality = int(rng.integers(*config.quality))
        edges.append(edge_directions(turned_window(photo, angle, side, quality, rng)))
    return np.array(edges, np.float16), angles.astype(np.float32)


def train_tilt(
    folders: Sequence[Path],
    out: Path,
    config: TiltConfig | None = None,
    *,
    limit: int | None = None,
    log: Callable[[str], None] = print,
) -> None:
    """Writes ``tilt.safetensors`` into ``out`` from all photos below ``folders``.

    Of a folder with ``annotations.json``, from its split ``train``. The windows are kept in ``out``
    for another training on the same photos. Three networks are trained: two that read the own tilts
    of the photos of each other, and the one that is written. Raises DataError where half of
    them make no batch, and what ``load_image`` raises.
    """
    config = config or TiltConfig()
    photos = [path for folder in folders for path in photos_of(folder, "train")][:limit]
    if len(photos) // 2 * config.windows < config.batch_size:
        raise DataError(f"{len(photos)} photos are too few to train on: name folders with more")
    make_folder(out)
    edges, angles = _kept_windows(photos, out, config, log)
    own = own_tilts(
        edges,
        angles,
        config.windows,
        lambda edges, angles, half: _trained(edges, angles, config, log, half),
        _read,
    )
    log(f"photos are tilted by {np.abs(own).mean():.2f} degrees themselves")
    added = torch.from_numpy(own).float().repeat_interleave(config.windows)
    net = _trained(edges, angles + added, config, log)
    _calibrate(net, edges, angles, config.spread)
    header = {
        "kind": "tilt",
        "licence": "Apache-2.0",
        "config": asdict(config),
        "photos": len(photos),
    }
    save_scorer(net, header, out / "tilt.safetensors")


def _trained(
    edges: Tensor, angles: Tensor, config: TiltConfig, log: Callable[[str], None], half: int = 0
) -> TiltNet:
    torch.manual_seed(config.seed + half)
    net = TiltNet()
    optimiser = torch.optim.AdamW(net.parameters(), config.rate, weight_decay=config.weight_decay)
    descend_in_batches(
        lambda rows: _loss(net, *_varied(edges[rows].float(), angles[rows], config), config.spread),
        optimiser,
        len(angles),
        batch_size=config.batch_size,
        epochs=config.epochs,
        rate=config.rate,
        log=log,
    )
    return net


@torch.no_grad()
def _calibrate(net: TiltNet, edges: Tensor, known: Tensor, spread: float) -> None:
    """Makes its log-odds as large as suits the known turns, to which own tilts add doubt."""
    rows = slice(None, None, max(len(known) // _CALIBRATION, 1))
    odds, target = _read(net, edges[rows]), _target(known[rows], spread)
    losses = [_cross_entropy(odds / each, target).item() for each in _TEMPERATURES]
    for each in net.out.parameters():
        each.div_(float(_TEMPERATURES[int(np.argmin(losses))]))


@torch.no_grad()
def _read(net: nn.Module, edges: Tensor) -> Tensor:
    """The mean log-odds of photos and their mirror images, as ``TiltFinder.find`` has it."""
    net.eval()
    odds = []
    for start in range(0, len(edges), _READ):
        part = edges[start : start + _READ].float()
        odds.append((net(part) + net(mirrored(part)).flip(-1)) / 2)
    return torch.cat(odds)


def photos_of(folder: Path, split: str) -> list[Path]:
    """Those of a split in a folder with annotations, else all pictures below the folder."""
    listed = folder / ANNOTATIONS
    if not listed.is_file():
        return list_pictures([folder])
    names = [
        str(each["image"])
        for each in read_annotations(listed, ("image",))
        if each.get("split", split) == split
    ]
    images = folder / "images" if (folder / "images").is_dir() else folder
    return [images / name for name in names]


def _kept_windows(
    photos: Sequence[Path], out: Path, config: TiltConfig, log: Callable[[str], None]
) -> tuple[Tensor, Tensor]:
    names = np.array([str(path) for path in photos])
    drawn = [config.windows, config.most, config.smallest, *config.quality, config.seed]
    kept = out / "windows.npz"
    if kept.exists():
        with np.load(kept) as stored:
            if np.array_equal(stored["names"], names) and np.array_equal(stored["drawn"], drawn):
                return torch.from_numpy(stored["edges"]), torch.from_numpy(stored["angles"])
    log(f"turning {len(photos)} photos, {config.windows} windows each")
    edges, angles = load_windows(photos, config)
    part = out / "windows.part.npz"
    try:
        np.savez(part, edges=edges, angles=angles, names=names, drawn=drawn)
        part.replace(kept)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ImageWriteError(f"{kept}: cannot be written: {error.strerror}") from error
    return torch.from_numpy(edges), torch.from_numpy(angles)


def _varied(edges: Tensor, angles: Tensor, config: TiltConfig) -> tuple[Tensor, Tensor]:
    """Mirrored or not, and turned further by whole bins: what turns out at one end is lost."""
    if torch.rand(()) < 0.5:
        edges, angles = mirrored(edges), -angles
    shift = int(torch.randint(-config.shift, config.shift + 1, ()))
    edges = F.pad(edges, (shift, -shift))  # pads one end and cuts the other
    angles = angles + shift / 2
    near = angles.abs() <= config.most
    return edges[near], angles[near]


def mirrored(edges: Tensor) -> Tensor:
    """The edge directions of the mirrored photo."""
    return edges.flip(-2).flip(-1)


def _loss(net: TiltNet, edges: Tensor, angles: Tensor, spread: float) -> Tensor:
    return _cross_entropy(net(edges), _target(angles, spread))


def _target(angles: Tensor, spread: float) -> Tensor:
    """(N,) degrees -> (N, angles): chances about each."""
    off = (torch.from_numpy(ANGLES) - angles[:, None]) / spread
    return F.softmax(-0.5 * off.square(), 1)


def _cross_entropy(odds: Tensor, target: Tensor) -> Tensor:
    return -(target * F.log_softmax(odds, 1)).sum(1).mean()
