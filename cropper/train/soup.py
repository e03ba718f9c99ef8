"""A soup: the mean of the weights of several runs, at the size and cost of one network.

Runs that share their first weights and differ in what they saw when end near enough to each other
for their mean to be a good network, better than they are (Wortsman et al. 2022, "Model soups").
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from cropper.errors import ConfigError
from cropper.scorers.checkpoint import load_trainable, save_scorer
from cropper.scorers.cropnet.network import CropNet, CropNetConfig
from cropper.scorers.header import read_header
from cropper.train.calibrate import calibrate
from cropper.train.crops import CropsConfig, header_of, train_crops
from cropper.train.data import load_judged
from cropper.train.gaze import weigh_gaze
from cropper.train.validation import Validation, validate

__all__ = ["train_soup"]


def train_soup(
    data: Path,
    trunk: Path,
    out: Path,
    config: CropsConfig,
    runs: int,
    *,
    net_config: CropNetConfig | None = None,
    device: str = "auto",
    limit: int | None = None,
    log: Callable[[str], None] = print,
) -> Validation:
    """``train_crops`` into ``out / run-0`` and so on, and their mean into ``out``.

    Returns the validation of the mean. Runs that are done already are not repeated.
    """
    paths = []
    for order in range(runs):
        folder = out / f"run-{order}"
        log(f"run {order + 1}/{runs} in {folder}")
        own = replace(config, order=order)
        train_crops(
            data, trunk, folder, own, net_config=net_config, device=device, limit=limit, log=log
        )
        paths.append(folder / "cropnet.safetensors")
    net = mean_of(paths).eval()
    weigh_gaze(net)
    val = load_judged(data, "val", net.config.pixels, limit)
    found = validate(net, val)
    header = header_of(net.config, config) | {"calibration": calibrate(net, val), "runs": runs}
    save_scorer(net, header, out / "cropnet.safetensors")
    log(f"mean of {runs} runs: val IoU given {found.given:.4f}, free {found.free:.4f}")
    return found


@torch.no_grad()
def mean_of(paths: Sequence[Path]) -> CropNet:
    """The mean of checkpoints of one shape, before their calibration."""
    nets = [_uncalibrated(path) for path in paths]
    if len({net.config for net in nets}) != 1:
        raise ConfigError("only networks of one config have a mean: train them with one recipe")
    mean = nets[0]
    parts = [dict(net.named_parameters()) for net in nets]
    for name, value in mean.named_parameters():
        value.copy_(torch.stack([part[name] for part in parts]).mean(0))
    return mean


def _uncalibrated(path: Path) -> CropNet:
    header = read_header(path)
    net = CropNet(CropNetConfig(**header["config"]))
    load_trainable(net, path)
    last = net.head.out[-1]
    assert isinstance(last, nn.Linear)
    for value in (last.weight, last.bias):
        value.div_(float(header.get("calibration", 1.0)))
    return net
