"""What training loops share: steps, rates, the best epoch, and a state to continue from."""

from __future__ import annotations

import io
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor
from torch.nn import Parameter

from cropper.errors import ConfigError, DataError
from cropper.image import write_atomic

__all__ = ["Training", "descend", "descend_in_batches", "fit", "json_of", "keep_best"]
__all__ += ["load_state", "save_state", "set_rates", "told_of"]

T = TypeVar("T")
_CLIP = 5.0  # norm of a step's gradient, where it is clipped


class Training(Protocol):
    """A training that can be cut off at any time and continued."""

    @property
    def done(self) -> bool: ...

    def resume(self) -> None:
        """Loads the state of a run that was cut off, if there is one."""
        ...

    def train_epoch(self) -> None: ...

    def finish_epoch(self) -> None:
        """Validates, logs, saves the state."""
        ...


def fit(training: Training) -> None:
    """From where it was cut off to its end."""
    training.resume()
    while not training.done:
        training.train_epoch()
        training.finish_epoch()


def keep_best(
    epochs: int,
    optimiser: torch.optim.Optimizer,
    *,
    train_epoch: Callable[[int], float],
    validate: Callable[[], float],
    save: Callable[[], None],
    log: Callable[[str], None],
    told: Callable[[float], str],
) -> float:
    """A short training: the best score of ``validate``, whose weights are saved.

    ``train_epoch`` takes the epoch, from 1, and gives its loss; ``told`` is a score in words. The
    optimiser's rates fall as a cosine does, epoch by epoch.
    """
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    best = -math.inf
    for epoch in range(1, epochs + 1):
        loss = train_epoch(epoch)
        schedule.step()
        score = validate()
        log(f"epoch {epoch}/{epochs}: loss {loss:.4f}, {told(score)}")
        if score > best:
            best = score
            save()
    return best


def told_of(items: Sequence[T], told: str, log: Callable[[str], None]) -> Iterator[T]:
    """The items; after each hundred and the last ``told`` says how many, in place of its {}."""
    for count, item in enumerate(items, 1):
        yield item
        if count % 100 == 0 or count == len(items):
            log(told.format(f"{count}/{len(items)}"))


def descend(
    loss: Tensor, optimiser: torch.optim.Optimizer, clipped: Iterable[Parameter] = ()
) -> float:
    """One step down; the gradients of ``clipped`` are cut to a norm. Returns the loss."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    if clipped := list(clipped):
        torch.nn.utils.clip_grad_norm_(clipped, _CLIP)
    optimiser.step()
    return loss.item()


def descend_in_batches(
    loss: Callable[[Tensor], Tensor],
    optimiser: torch.optim.Optimizer,
    rows: int,
    *,
    batch_size: int,
    epochs: int,
    rate: float,
    log: Callable[[str], None],
) -> None:
    """Steps down the ``loss`` of shuffled rows (batch_size,).

    The last few of an epoch are left out, and ``rate`` warms up and falls as ``set_rates`` has it.
    """
    count = rows // batch_size
    for epoch in range(epochs):
        started, total = time.perf_counter(), 0.0
        order = torch.randperm(rows)
        for step in range(count):
            set_rates(optimiser, [rate], (epoch + step / count) / epochs)
            total += descend(loss(order[step * batch_size : (step + 1) * batch_size]), optimiser)
        seconds = time.perf_counter() - started
        log(f"epoch {epoch + 1}/{epochs}: loss {total / count:.4f}, {seconds:.0f} s")


def set_rates(
    optimiser: torch.optim.Optimizer, rates: Sequence[float], done: float, warm_up: float = 0.05
) -> None:
    """Linear warm-up over the first share of the training, then a cosine to zero."""
    factor = min(done / warm_up, 1.0) * 0.5 * (1 + math.cos(math.pi * done))
    for group, rate in zip(optimiser.param_groups, rates, strict=True):
        group["lr"] = rate * factor


def json_of(record: dict[str, Any], **form: Any) -> str:
    """As JSON, which has no NaN: null stands for it."""
    text = json.dumps(record)
    return json.dumps(json.loads(text, parse_constant=lambda _: None), **form)


def save_state(path: Path, recipe: dict[str, Any], state: dict[str, Any]) -> None:
    """Whole or not at all. Raises ImageWriteError."""
    content = io.BytesIO()
    torch.save({"recipe": recipe, **state}, content)
    write_atomic(content.getvalue(), path, overwrite=True)


def load_state(path: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """The state of a run to continue, None where there is none.

    Raises ConfigError for a run of another recipe, so that none is lost, and DataError for a file
    that is no state.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
        known = state["recipe"]
    except Exception as error:  # torch raises whatever its unpickler does
        raise DataError(f"{path} is no state of a training: remove it to start anew") from error
    if known != recipe:
        changed = sorted(k for k in recipe.keys() | known.keys() if recipe.get(k) != known.get(k))
        raise ConfigError(
            f"{path.parent} holds a training of another recipe ({', '.join(changed)}): "
            "give another `out`, or remove it"
        )
    return state
