"""The descriptor's network, trained on triplets, measured on people whom it never saw."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors.torch import load_file, save
from torch import Tensor, nn

from cropper.errors import ConfigError, DataError
from cropper.identity.config import NUMBERS, WEIGHTS
from cropper.identity.network import FaceNetwork
from cropper.identity.verification import FacePairs, all_pairs, one_shot
from cropper.image import make_folder, write_atomic
from cropper.train.curve import plot_one_shot
from cropper.train.faces.data import Identities, read_identities, split, varied
from cropper.train.faces.triplet import MINING, check_spread, spread, triplet_loss
from cropper.train.fit import descend, fit, load_state, save_state, set_rates

__all__ = ["FacesConfig", "FacesTraining", "train_faces"]

_STEPS = 20  # an epoch
_BATCH = 64  # faces that are encoded at once
_PIXELS = 32  # side of the faces of the baseline


@dataclass(frozen=True)
class FacesConfig:
    start: str = "descriptor"  # or nothing
    margin: float = 0.2
    mining: str = "semi-hard"
    people: int = 16  # of a batch
    photos: int = 4  # of each of them, some more than once where there are fewer
    epochs: int = 10
    rate: float | None = None  # None: 1e-5 from the descriptor, 1e-3 from nothing
    head: str = "none"  # or binary: a logistic unit on |f(a) - f(b)|
    held_out: float = 0.25  # share of the people
    augment: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("start", self.start, ("descriptor", "nothing")),
            ("mining", self.mining, MINING),
            ("head", self.head, ("none", "binary")),
        ):
            if value not in known:
                raise ConfigError(f"`{name}` is one of {', '.join(known)}, got {value!r}")
        if not (0 <= self.margin < math.inf and 0 < (self.rate or 1) < math.inf):
            raise ConfigError(f"`margin` and `rate` are finite, got {self.margin} and {self.rate}")
        if not 0 < self.held_out < 1 or min(self.people, self.photos) < 2:
            raise ConfigError("`held_out` is a share, and a batch is 2 by 2 or more")

    @property
    def first_rate(self) -> float:
        return self.rate or (1e-5 if self.start == "descriptor" else 1e-3)


def train_faces(
    folder: Path,
    out: Path,
    config: FacesConfig | None = None,
    *,
    log: Callable[[str], None] = print,
) -> None:
    """Writes ``faces.safetensors``, for ``Descriptor``, and its measures into ``out``.

    Raises what ``read_identities`` raises, and ConfigError for a training that collapses.
    """
    config = config or FacesConfig()
    identities = read_identities(folder, log)
    seen, held = split(identities, config.held_out, config.seed)
    log(f"{len(seen.names)} people to learn from, {len(held.names)} held out")
    if len(seen.names) < 2:
        raise DataError("nobody is left to be told from another: use a smaller `held_out`")
    make_folder(out)
    training = FacesTraining(seen, held, out, config=config, log=log)
    fit(training)
    training.finish()


class FacesTraining:
    """As ``fit`` wants it: epochs that can be continued."""

    def __init__(
        self,
        seen: Identities,
        held: Identities,
        out: Path,
        *,
        config: FacesConfig,
        log: Callable[[str], None],
        network: nn.Module | None = None,
    ) -> None:
        """``network`` is another one than the descriptor's: faces (N, 150, 150, 3) -> (N, D)."""
        torch.manual_seed(config.seed)
        self.seen, self.held, self.out, self.config, self.log = seen, held, out, config, log
        self.network = network or _started(config.start)
        self.optimiser = torch.optim.Adam(self.network.parameters(), config.first_rate)
        self.epoch, self.loss, self.first_spread = 0, 0.0, 0.0
        self.measures: dict[str, Any] = {"an L2 on pixels": _measured(_as_pixels(held), held)}
        self.measures["before"] = self._measure()

    @property
    def done(self) -> bool:
        return self.epoch >= self.config.epochs

    def resume(self) -> None:
        state = load_state(self.out / "state.pt", self._recipe)
        if state:
            self.network.load_state_dict(state["network"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.epoch, self.first_spread = state["epoch"], state["first_spread"]
            self.log(f"going on after epoch {self.epoch}")

    def train_epoch(self) -> None:
        rng = np.random.default_rng([self.config.seed, self.epoch])
        self.network.train()
        total = 0.0
        for step in range(_STEPS):
            done = (self.epoch + step / _STEPS) / self.config.epochs
            set_rates(self.optimiser, [self.config.first_rate], done)
            faces, people = self._batch(rng)
            encodings = self.network(faces)
            self._check(encodings, people)
            loss = triplet_loss(encodings, people, self.config.margin, self.config.mining)
            total += descend(loss, self.optimiser, self.network.parameters())
        self.loss = total / _STEPS

    def finish_epoch(self) -> None:
        self.epoch += 1
        found = self._measure()
        self.measures["after"] = found
        self.log(
            f"epoch {self.epoch}/{self.config.epochs}: loss {self.loss:.4f}, held out: "
            f"AUC {found['auc']:.4f}, {found['tar_at_far_0.01']:.1%} accepted at 1 % false"
        )
        state = {"network": self.network.state_dict(), "optimiser": self.optimiser.state_dict()}
        progress = {"epoch": self.epoch, "first_spread": self.first_spread}
        save_state(self.out / "state.pt", self._recipe, state | progress)

    def finish(self) -> None:
        """The weights and what they are worth."""
        self.measures["after"] = self._measure()
        tensors = {name: value.half() for name, value in self.network.state_dict().items()}
        if self.config.head == "binary":
            head, own = self._binary_head()
            tensors |= {f"head.{name}": value for name, value in head.state_dict().items()}
            self.measures["binary head"] = own
        facts = {"kind": "faces", "config": asdict(self.config), "people": len(self.seen.names)}
        data = save(tensors, metadata={"cropper": json.dumps(facts)})
        write_atomic(data, self.out / "faces.safetensors", overwrite=True)
        text = json.dumps(self.measures, indent=1).encode()
        write_atomic(text, self.out / "measures.json", overwrite=True)
        self.log(_table(self.measures))
        plot_one_shot(self.out / "measures.json", self.out / "one_shot.png", self.log)

    @property
    def _recipe(self) -> dict[str, Any]:
        return asdict(self.config) | {"people": [*self.seen.names], "faces": len(self.seen.faces)}

    def _batch(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """(N, 150, 150, 3) of some people, a few photos of each, and whose they are."""
        count = min(self.config.people, len(self.seen.names))
        rows = []
        for person in rng.choice(len(self.seen.names), count, replace=False):
            own = np.flatnonzero(self.seen.people == person)
            size = self.config.photos
            more = rng.integers(len(own), size=max(size - len(own), 0))
            rows.append(np.concatenate([rng.permutation(own)[:size], own[more]]))
        chosen = np.concatenate(rows)
        faces = torch.from_numpy(self.seen.faces[chosen])
        if self.config.augment:
            faces = varied(faces, rng)
        return faces, torch.from_numpy(self.seen.people[chosen])

    def _check(self, encodings: Tensor, people: Tensor) -> None:
        now = spread(encodings, people)
        self.first_spread = self.first_spread or now
        check_spread(now, self.first_spread, self.config.margin)

    def _encode(self, identities: Identities) -> NDArray[np.float32]:
        self.network.eval()
        faces = torch.from_numpy(identities.faces)
        with torch.no_grad():
            return torch.cat([self.network(part) for part in torch.split(faces, _BATCH)]).numpy()

    def _measure(self) -> dict[str, Any]:
        return _measured(self._encode(self.held), self.held)

    def _binary_head(self) -> tuple[nn.Linear, dict[str, Any]]:
        """Fitted to all pairs of the people to learn from, both kinds weighing the same."""
        gaps, same = _differences(self._encode(self.seen), self.seen.people)
        head = nn.Linear(NUMBERS, 1)
        optimiser = torch.optim.LBFGS(head.parameters(), max_iter=200)
        weight = torch.where(same, 0.5 / same.float().mean(), 0.5 / (~same).float().mean())

        def closure() -> Tensor:
            optimiser.zero_grad()
            logits = head(gaps)[:, 0]
            loss = F.binary_cross_entropy_with_logits(logits, same.float(), weight)
            loss = loss + 1e-3 * head.weight.square().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        optimiser.step(closure)  # type: ignore[no-untyped-call]
        gaps, _ = _differences(self._encode(self.held), self.held.people)
        first, second = np.triu_indices(len(self.held.people), 1)
        with torch.no_grad():
            unlike = -head(gaps)[:, 0].numpy().astype(np.float64)
        pairs = FacePairs(unlike, self.held.people[first], self.held.people[second])
        return head, _verified(pairs) | {"accuracy": pairs.accuracy(0.0)}


def _started(start: str) -> FaceNetwork:
    """From the package's weights or, from nothing, by He et al. 2015.

    Then the last convolution of a block starts near zero, as batch norm is absent.
    """
    network = FaceNetwork()
    if start == "descriptor":
        return network.load(load_file(WEIGHTS))
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
            if name.endswith("conv2"):
                module.weight.data *= 0.1
    return network


def _differences(encodings: NDArray[np.float32], people: NDArray[np.intp]) -> tuple[Tensor, Tensor]:
    """|f(a) - f(b)| of all pairs (M, 128), and which are of one person (M,)."""
    first, second = np.triu_indices(len(encodings), 1)
    gaps = np.abs(encodings[first] - encodings[second])
    return torch.from_numpy(gaps), torch.from_numpy(people[first] == people[second])


def _as_pixels(identities: Identities) -> NDArray[np.float32]:
    """The aligned faces themselves, small: (N, 3072)."""
    planes = torch.from_numpy(identities.faces).float().permute(0, 3, 1, 2)
    return np.asarray(F.interpolate(planes, size=_PIXELS, mode="area").flatten(1).numpy())


def _measured(encodings: NDArray[np.float32], held: Identities) -> dict[str, Any]:
    pairs = all_pairs(encodings, held.people)
    of_people = {str(k): share for k, share in one_shot(encodings, held.people).items()}
    return _verified(pairs) | {"one_shot": of_people}


def _verified(pairs: FacePairs) -> dict[str, Any]:
    return {
        "auc": pairs.auc(),
        "auc_interval": pairs.interval("auc").tolist(),
        "tar_at_far_0.01": pairs.tar_at(1e-2),
        "tar_at_far_0.001": pairs.tar_at(1e-3),
    }


def _table(measures: dict[str, Any]) -> str:
    """Plain text."""
    lines = [
        f"{'people held out':18}{'AUC':>8}{'TAR at 1e-2':>13}{'at 1e-3':>9}  right of K people"
    ]
    for name, found in measures.items():
        shots = ", ".join(f"{k}: {share:.1%}" for k, share in found.get("one_shot", {}).items())
        lines.append(
            f"{name:18}{found['auc']:8.4f}{found['tar_at_far_0.01']:13.1%}"
            f"{found['tar_at_far_0.001']:9.1%}  {shots}"
        )
    return "\n".join(lines)
