"""The exact scorer on large networks and small memories."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data
from torch import Tensor, nn

from cropper import CropSpace, ScorerSpec, from_array, load_scorer
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers.auto_batch import AutoBatch
from cropper.scorers.checkpoint import save_scorer
from cropper.scorers.convnet import ConvNetScorer, Preprocessing, TrunkClassifier, build_backbone
from cropper.scorers.loading import scorer_at
from cropper.train.selfies.classifier import SelfiesConfig, train_selfies
from cropper.train.selfies.data import read_folders

pytestmark = pytest.mark.slow

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

CPU = torch.device("cpu")
SPEC = ScorerSpec("test", 64, 256, True, "for tests", "CC0-1.0")


def test_vgg16_fine_tunes_from_a_random_start_and_scores_crops_exactly(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        path = tmp_path / "data" / ("good", "bad")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)).save(path)
    config = SelfiesConfig("vgg16", "none", side=32, epochs=1, batch=4, val_share=0.3)
    lines: list[str] = []
    train_selfies(read_folders(tmp_path / "data"), tmp_path, config, device="cpu", log=lines.append)
    assert any(line.startswith("epoch 1/1") for line in lines)

    scorer = load_scorer(str(tmp_path / "selfies.safetensors"), "cpu")
    assert isinstance(scorer, ConvNetScorer)
    view = from_array(data.chelsea()).view(64)
    space = CropSpace(view.size, 1.0)
    boxes = space.boxes(space.grid(0.6))
    scores = scorer.bind(view)(boxes)

    pixels = torch.from_numpy(view.pixels).movedim(2, 0).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    levels = pyramid((pixels - mean[:, None, None]) / std[:, None, None])
    slow = []
    for box in torch.from_numpy(boxes / np.tile(view.size, 2)).float():
        slow.append(scorer.module(sample_boxes(levels, box[None], (32, 32))).item())
    assert len(boxes) > 16  # more than one batch
    assert np.ptp(slow) > 0
    assert np.allclose(scores, slow, rtol=0, atol=1e-3 * np.ptp(slow) + 1e-6)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small"])
def test_a_stored_network_scores_as_it_did(name: str, tmp_path: Path) -> None:
    """Batch norm's counts are whole numbers and stay so in the file."""
    torch.manual_seed(0)
    module = build_backbone(name).eval()
    with torch.no_grad():
        for value in module.state_dict().values():
            if value.is_floating_point():
                value.copy_(value.half())
            else:
                value.fill_(100_001)
    preprocessing = Preprocessing(32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    header = {"kind": "convnet", "name": "x", "summary": "x", "licence": "x", "long_side": 64,
        "batch_size": 8, "backbone": name, "preprocessing": preprocessing.to_dict()}  # fmt: skip
    save_scorer(module, header, tmp_path / "x.safetensors")
    view = from_array(data.coffee()).view(64)
    boxes = np.array([[0, 0, 300, 300], [100, 50, 400, 350]], dtype=float)
    loaded = scorer_at(tmp_path / "x.safetensors", "cpu", torch=True)
    direct = ConvNetScorer(module.requires_grad_(False), preprocessing, SPEC)
    assert np.array_equal(loaded.bind(view)(boxes), direct.bind(view)(boxes))
    assert isinstance(loaded, ConvNetScorer)
    counts = [v for k, v in loaded.module.state_dict().items() if k.endswith("batches_tracked")]
    assert all(int(count) == 100_001 for count in counts)


def test_a_crop_may_be_read_at_less_detail_than_the_network_takes() -> None:
    coarse = Preprocessing(33, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), detail=9)
    view = from_array(data.coffee()).view(120)
    whole = torch.tensor([[0.1, 0.0, 0.8, 0.9]])
    levels = coarse.levels(torch.from_numpy(view.pixels))
    crop = coarse.read(levels, whole)
    assert crop.shape == (1, 3, 33, 33)
    small = sample_boxes(levels, whole, (9, 9))
    again = nn.functional.interpolate(small, (33, 33), mode="bilinear", align_corners=False)
    assert torch.equal(crop, again)


def test_bands_tell_the_upper_from_the_lower_part() -> None:
    torch.manual_seed(0)
    net = TrunkClassifier(hidden=0, bands=3).eval()
    crop = torch.zeros(1, 3, 97, 97)
    crop[:, :, :33] = 1
    with torch.no_grad():
        upper, lower = net.features(crop), net.features(crop.flip(2))
    assert upper.shape == (1, 3 * 448)
    bands = upper[:, : 3 * 32].reshape(32, 3), lower[:, : 3 * 32].reshape(32, 3)
    assert (bands[0] - bands[1]).abs().max() > 1e-4


# The batch size


class Memory:
    """A function of rows that has room for so many at once."""

    def __init__(self, room: int, error: type[RuntimeError] = torch.OutOfMemoryError) -> None:
        self.room, self.error = room, error
        self.sizes: list[int] = []

    def __call__(self, rows: Tensor) -> Tensor:
        self.sizes.append(len(rows))
        if len(rows) > self.room:
            raise self.error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9")
        return rows.sum(1)


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
@pytest.mark.parametrize(("room", "size"), [(100, 16), (16, 16), (15, 8), (5, 4), (1, 1)])
def test_a_batch_that_does_not_fit_is_halved_for_good(
    room: int, size: int, error: type[RuntimeError]
) -> None:
    rows = torch.arange(90.0).reshape(45, 2)
    memory, batch = Memory(room, error), AutoBatch(CPU, 16)
    assert torch.equal(batch.run(memory, rows), rows.sum(1))
    assert batch.size == size
    failures = [tried for tried in memory.sizes if tried > room]
    memory.sizes.clear()
    assert torch.equal(batch.run(memory, rows), rows.sum(1))
    assert max(memory.sizes) <= room
    assert len(failures) <= 5


def test_one_crop_too_much_is_a_memory_error() -> None:
    with pytest.raises(MemoryError, match="one crop does not fit"):
        AutoBatch(CPU).run(Memory(0), torch.zeros(3, 2))


def test_another_error_is_not_taken_for_a_lack_of_memory() -> None:
    def wrong(rows: Tensor) -> Tensor:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        AutoBatch(CPU).run(wrong, torch.zeros(3, 2))


def test_no_rows_give_no_answers() -> None:
    assert AutoBatch(CPU).run(Memory(9), torch.zeros(0, 2)).shape == (0,)


def test_a_sum_too_large_for_half_precision_is_done_again_in_full() -> None:
    """As on a GPU, whose scorers start in half precision."""
    module = nn.Sequential(nn.Flatten(), nn.Linear(27, 1)).requires_grad_(False)
    module[1].weight.fill_(6e4)
    preprocessing = Preprocessing(3, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    view = from_array(data.coffee()).view(32)
    boxes = np.array([[0.0, 0, 300, 300]])
    exact = ConvNetScorer(module, preprocessing, SPEC).bind(view)(boxes)
    scorer = ConvNetScorer(module, preprocessing, SPEC)
    scorer.dtype = torch.float16
    scorer.module.half()
    assert scorer.bind(view)(boxes) == pytest.approx(exact, rel=1e-3)
    assert scorer.dtype is torch.float32
