import copy
import functools
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from skimage import data
from torch import Tensor, nn

from cropper import BoundScorer, CropSpace, Scorer, ScorerSpec, View, from_array, load_scorer
from cropper.boxes import Boxes
from cropper.errors import BoxError, ConfigError, DataError, MissingModelError, ScorerOutputError
from cropper.sampling import pyramid, sample_boxes
from cropper.scorers import WEIGHTS, describe_scorers, read_header, register, registry, scorer_names
from cropper.scorers.checkpoint import load_trunk, save_scorer, scorer_from_file, trunk_digest
from cropper.scorers.convnet import (
    ConvNetScorer,
    Preprocessing,
    TrunkClassifier,
    build_backbone,
)
from cropper.scorers.cropnet import BoxHead, CropNet, CropNetConfig, CropNetScorer
from cropper.scorers.device import resolve_device
from cropper.scorers.trunk import Trunk, input_size, normalise_pixels
from tests.reference import sampling as reference

torch.set_num_threads(1)  # the work is small, and threads on shared cores wait for each other

TINY = CropNetConfig(pixels=9409, fused=16, channels=4, hidden=16)
SPEC = ScorerSpec("stub", 64, 32, False, "for tests", "CC0-1.0")
HEADER = {
    "kind": "cropnet",
    "name": "tiny",
    "summary": "for tests",
    "licence": "CC0-1.0",
    "long_side": 128,
    "batch_size": 64,
    "config": TINY.to_dict(),
}
PACKAGED = sorted(WEIGHTS.glob("*.safetensors"))
SCORERS = [path for path in PACKAGED if path.stem != "localizer"]


def alive(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random weights under which signals neither die nor explode, biases included."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, weights in module.named_parameters():
            if name.endswith("bias"):
                weights.normal_(0, 0.1)
            elif weights.ndim >= 2 and "rod" not in name:
                nn.init.kaiming_normal_(weights)
                weights.mul_(0.7)
    return module.eval()


def boxes_of(size: tuple[int, int], aspect: float = 1.0, stride: float = 0.25) -> Boxes:
    space = CropSpace(size, aspect)
    return space.boxes(space.grid(stride))


def normalised(size: tuple[int, int], **options: Any) -> Tensor:
    return torch.from_numpy(boxes_of(size, **options) / np.array([*size, *size])).float()


def mirrored_boxes(boxes: Any, width: float = 1.0) -> Any:
    stack = torch.stack if isinstance(boxes, Tensor) else np.stack
    return stack([width - boxes[:, 2], boxes[:, 1], width - boxes[:, 0], boxes[:, 3]], 1)


def mirrored(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(pixels[:, ::-1])


@functools.lru_cache(maxsize=1)
def cropnet() -> Scorer:
    return load_scorer("cropnet", "cpu")


@functools.lru_cache(maxsize=1)
def coffee() -> View:
    return from_array(data.coffee()).view(512)


@functools.lru_cache(maxsize=1)
def bound_coffee() -> BoundScorer:
    with torch.no_grad():
        return cropnet().bind(coffee())


# The registry


@pytest.fixture
def factories(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A copy of the registry that the test may change."""
    changed = dict(registry._factories)
    monkeypatch.setattr(registry, "_factories", changed)
    return changed


class Stub:
    """A judge that likes boxes near the left."""

    spec = SPEC

    def bind(self, view: View) -> BoundScorer:
        return BoundScorer(lambda boxes: -boxes[:, 0], view.size, 32)


def test_a_registered_scorer_is_loaded_with_the_device(factories: dict[str, Any]) -> None:
    seen = []

    @register("stub")
    def make(device: str) -> Scorer:
        seen.append(device)
        return Stub()

    assert "stub" in scorer_names()
    assert isinstance(load_scorer("stub", "cpu"), Stub)
    assert seen == ["cpu"]
    assert factories["stub"] is make


def test_a_name_is_registered_once(factories: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="'cropnet' is registered twice"):
        register("cropnet")(lambda device: Stub())
    assert "cropnet" in factories


def test_an_unknown_scorer_is_named_with_those_that_exist() -> None:
    with pytest.raises(MissingModelError, match=r"'critic'.*convnet, cropnet, selfie.*safetensors"):
        load_scorer("critic")


class Point:
    """An installed plug-in's entry point."""

    def __init__(self, name: str, factory: Callable[[str], Scorer]) -> None:
        self.name, self.factory, self.loads = name, factory, 0

    def load(self) -> Callable[[str], Scorer]:
        self.loads += 1
        return self.factory


def test_a_plug_in_is_listed_unloaded_and_loaded_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    point = Point("plugged", lambda device: Stub())
    asked = []

    def entry_points(group: str) -> list[Point]:
        asked.append(group)
        return [point]

    monkeypatch.setattr("importlib.metadata.entry_points", entry_points)
    assert "plugged" in scorer_names()
    assert point.loads == 0
    assert isinstance(load_scorer("plugged", "cpu"), Stub)
    assert point.loads == 1
    assert set(asked) == {"cropper.scorers"}
    assert any(line.startswith("plugged ") for line in describe_scorers())


def test_the_package_s_own_scorer_wins_over_a_plug_in_of_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    point = Point("cropnet", lambda device: Stub())
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
    assert load_scorer("cropnet", "cpu").spec.name == "cropnet"
    assert point.loads == 0


def test_scorers_are_described_with_default_and_licence() -> None:
    lines = [json.loads(line) for line in describe_scorers(as_json=True)]
    assert [line["name"] for line in lines if line["default"]] == ["cropnet"]
    assert all(line["summary"] for line in lines)
    assert next(line for line in lines if line["default"])["licence"] == "Apache-2.0"
    assert any("cropnet (default)" in line for line in describe_scorers())


def test_a_device_is_auto_cpu_or_cuda() -> None:
    assert resolve_device("cpu") == torch.device("cpu")
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(ConfigError, match="'tpu'"):
        resolve_device("tpu")
    with pytest.raises(ConfigError):
        load_scorer("cropnet", "gpu")


# What the package ships


def test_packaged_weights_load_without_torchvision_and_listing_without_torch() -> None:
    code = """
import sys
from pathlib import Path
from cropper.scorers import WEIGHTS, describe_scorers, load_scorer
describe_scorers()
assert "torch" not in sys.modules, "torch"
for name in ("cropnet", "convnet", "selfie"):
    print(load_scorer(str(WEIGHTS / f"{name}.safetensors"), "cpu").spec.name)
assert "torchvision" not in sys.modules, "torchvision"
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "cropnet" in done.stdout.split()


@pytest.mark.parametrize("name", ["cropnet", "convnet", "selfie"])
def test_every_scorer_of_the_package_has_its_weights(name: str) -> None:
    scorer = load_scorer(name, "cpu")
    assert scorer.spec.name == name
    assert scorer.spec.costly == (name != "cropnet")
    assert isinstance(scorer, Scorer)


def test_the_weights_are_small_enough_for_a_package() -> None:
    assert 0 < sum(path.stat().st_size for path in WEIGHTS.iterdir()) < 8_000_000


def test_a_localizer_is_no_scorer() -> None:
    with pytest.raises(MissingModelError, match="holds a 'localizer', no scorer"):
        load_scorer(str(WEIGHTS / "localizer.safetensors"), "cpu")


@pytest.mark.parametrize("path", SCORERS, ids=lambda path: path.stem)
def test_weights_carry_licence_and_preprocessing(path: Path) -> None:
    header = read_header(path)
    assert header["name"] == path.stem
    assert header["licence"] == "Apache-2.0"
    assert header["summary"]
    assert header["long_side"] >= 128
    assert scorer_from_file(path, "cpu").spec.licence == "Apache-2.0"


# The contract of a bound scorer


def judge(boxes: Boxes) -> NDArray[np.float64]:
    return np.asarray(np.sin(boxes).sum(1))


@pytest.mark.parametrize("batch_size", [1, 2, 7, 100, 10_000])
def test_chunks_bound_the_batch_and_never_change_a_score(batch_size: int) -> None:
    lengths = []

    def chunk(boxes: Boxes) -> NDArray[np.float64]:
        lengths.append(len(boxes))
        return judge(boxes)

    boxes = boxes_of((400, 300))
    assert np.array_equal(BoundScorer(chunk, (400, 300), batch_size)(boxes), judge(boxes))
    assert max(lengths) <= batch_size
    assert sum(lengths) == len(boxes)


@pytest.mark.parametrize(
    "answer",
    [
        lambda boxes: np.zeros((len(boxes), 1)),
        lambda boxes: np.zeros(len(boxes) + 1),
        lambda boxes: np.float32(0),
        lambda boxes: np.where(np.arange(len(boxes)) == 1, np.nan, 0),
        lambda boxes: np.where(np.arange(len(boxes)) == 1, -np.inf, 0),
    ],
)
def test_a_wrong_shape_or_a_score_that_is_not_finite_is_refused(answer: Any) -> None:
    with pytest.raises(ScorerOutputError):
        BoundScorer(answer, (400, 300), 4)(boxes_of((400, 300)))


def test_the_box_of_a_nan_is_named() -> None:
    def broken(boxes: Boxes) -> NDArray[np.float64]:
        return np.where(boxes[:, 0] == 7, np.nan, 0.0)

    boxes = np.array([[0.0, 0, 9, 9], [7, 0, 9, 8], [0, 1, 9, 9]])
    with pytest.raises(ScorerOutputError, match=r"\[7\. 0\. 9\. 8\.\]"):
        BoundScorer(broken, (9, 9), 2)(boxes)


def test_no_boxes_give_no_scores() -> None:
    assert BoundScorer(judge, (9, 9), 4)(np.empty((0, 4))).shape == (0,)
    assert bound_coffee()(np.empty((0, 4))).shape == (0,)


def test_bad_boxes_are_refused_before_they_are_scored() -> None:
    with pytest.raises(BoxError):
        BoundScorer(judge, (9, 9), 4)(np.array([[3.0, 0, 3, 9]]))
    with pytest.raises(BoxError):
        bound_coffee()(np.array([[0.0, 0, np.nan, 9]]))


# CropNet on a photo


def test_a_batch_of_a_real_photo_equals_its_boxes_one_by_one() -> None:
    boxes = boxes_of(coffee().size)[::9]
    scores = bound_coffee()(boxes)
    single = [bound_coffee()(box[None])[0] for box in boxes]
    assert scores.std() > 0.05
    assert np.allclose(scores, single, rtol=0, atol=1e-5 * max(1, np.abs(scores).max()))


@pytest.mark.parametrize("batch_size", [5, 64, 1000])
def test_the_batch_size_changes_no_score_of_cropnet(batch_size: int) -> None:
    boxes = boxes_of(coffee().size)
    bound = bound_coffee()
    chunked = BoundScorer(bound.score_chunk, bound.size, batch_size)
    assert np.allclose(chunked(boxes), bound(boxes), rtol=0, atol=2e-5)


def test_scores_are_the_same_twice_and_after_another_photo() -> None:
    boxes = boxes_of(coffee().size)
    first = bound_coffee()(boxes)
    cropnet().bind(from_array(data.chelsea()).view(512))
    assert np.array_equal(cropnet().bind(coffee())(boxes), first)


def test_scores_belong_to_the_picture_whatever_its_resolution() -> None:
    photo = from_array(data.coffee())
    small = cropnet().spec.view(photo)
    boxes = boxes_of(small.size)
    twice = View(small.pixels, (1200, 800))  # the same pixels of a larger source
    assert small.size == (600, 400)
    assert np.allclose(cropnet().bind(twice)(boxes * 2), cropnet().bind(small)(boxes), atol=1e-4)


@pytest.mark.parametrize("name", ["astronaut", "coffee"])
def test_a_mirrored_photo_gets_the_same_scores(name: str) -> None:
    pixels = getattr(data, name)()
    here, there = (from_array(p).view(512) for p in (pixels, mirrored(pixels)))
    boxes = boxes_of(here.size, 0.8)
    scores = cropnet().bind(here)(boxes)
    other = cropnet().bind(there)(mirrored_boxes(boxes, here.size[0]))
    assert np.abs(scores - other).max() < 2e-3 * np.ptp(scores)


# CropNet's parts


def test_a_mirrored_input_gets_the_same_scores_from_random_weights() -> None:
    net = alive(CropNet(TINY))
    image = np.random.default_rng(0).integers(0, 256, (1, 97, 129, 3), dtype=np.uint8)
    boxes = normalised((128, 96))
    with torch.no_grad():
        scores = net.score(net.look(image)[0], boxes)
        other = net.score(net.look(image[:, :, ::-1].copy())[0], mirrored_boxes(boxes))
    assert (scores - other).abs().max() < 1e-4 * float(scores.max() - scores.min())


def head_and_map(seed: int = 0) -> tuple[BoxHead, Tensor, Tensor]:
    torch.manual_seed(seed)
    head = BoxHead(CropNetConfig(channels=3, roi=5, rod=4, hidden=12))
    return head.double().eval(), torch.randn(3, 7, 9).double(), torch.randn(320).double()


def test_the_head_scores_mirrored_features_the_same() -> None:
    head, fused, pooled = head_and_map()
    boxes = normalised((128, 96)).double()
    scores = head(head.bind(fused, pooled), boxes)
    other = head(head.bind(fused.flip(2), pooled), mirrored_boxes(boxes))
    assert scores.std() > 1e-3
    assert torch.allclose(scores, other, rtol=0, atol=1e-6)


def outside_shares(box: Tensor, cells: int) -> Tensor:
    """(cells, cells): how much of each cell of the picture lies outside of a box, one by one."""
    x0, y0, x1, y1 = box.tolist()
    shares = torch.zeros(cells, cells, dtype=torch.float64)
    for row in range(cells):
        for column in range(cells):
            wide = min(x1, (column + 1) / cells) - max(x0, column / cells)
            high = min(y1, (row + 1) / cells) - max(y0, row / cells)
            shares[row, column] = 1 - max(0.0, wide) * max(0.0, high) * cells**2
    return shares


def place(box: Tensor, aspect: float) -> tuple[Tensor, Tensor]:
    x0, y0, x1, y1 = box.tolist()
    width, height, off = x1 - x0, y1 - y0, x0 + x1 - 1
    shape = math.log(width / height) + aspect
    kept = [y0, 1 - y1, width, height, width * height, abs(off), shape, abs(shape)]
    return torch.tensor(kept).double(), torch.tensor([off]).double()


def unit(head: BoxHead, roi: Tensor, rod: Tensor, where: tuple[Tensor, Tensor]) -> Tensor:
    """(hidden,): what one crop alone gives each hidden unit, without any folding."""
    sides = head.config.roi // 2
    left, middle, right = roi[..., :sides], roi[..., sides : sides + 1], roi[..., sides + 1 :]
    even = torch.cat([left + right.flip(2), middle], 2)
    total = head.roi_even(even.flatten()) + head.roi_odd((left - right.flip(2)).flatten())
    for channel, row, column in np.ndindex(*rod.shape):
        total = total + head.rod[channel, row, column] * rod[channel, row, column]
    return total + head.geometry_even(where[0]) + head.geometry_odd(where[1])


def test_the_folded_head_equals_the_direct_computation() -> None:
    head, fused, pooled = head_and_map(1)
    features = head.bind(fused, pooled)
    height, width = fused.shape[1:]
    aspect = math.log((width - 1) / (height - 1))
    rod, levels = head.config.rod, pyramid(fused)

    def on_map(box: Tensor) -> Tensor:
        """The map's pixel i lies on pixel 16 i of an input of 16 (n - 1) + 1 px."""
        sides = torch.tensor([width, height] * 2).double()
        return ((box * (16 * (sides - 1) + 1) + 7.5) / (16 * sides))[None]

    whole = sample_boxes(levels, on_map(torch.tensor([0.0, 0, 1, 1]).double()), (rod, rod))[0]
    boxes = torch.tensor([[0.1, 0.2, 0.63, 0.9], [0, 0, 1, 1], [0.4, 0.3, 0.7, 0.55]]).double()
    for box, score in zip(boxes, head(features, boxes), strict=True):
        roi = sample_boxes(levels, on_map(box), (head.config.roi,) * 2)[0]
        cut_away = whole * outside_shares(box, rod)
        where = place(box, aspect)
        crop = unit(head, roi, cut_away, where)
        mirror = unit(head, roi.flip(2), cut_away.flip(2), (where[0], -where[1]))
        context = head.context(pooled)
        hidden = torch.relu(crop + context) + torch.relu(mirror + context)
        assert torch.allclose(head.out(hidden)[0], score, rtol=0, atol=1e-6)


def test_what_lies_outside_of_the_box_counts() -> None:
    head, fused, pooled = head_and_map(2)
    box = torch.tensor([[0.0, 0.0, 0.45, 1.0]]).double()
    changed = fused.clone()
    changed[:, :, -1] += 1  # far from the box; level 0 alone is read within it
    before, after = (head(head.bind(f, pooled), box) for f in (fused, changed))
    assert (before - after).abs() > 1e-4


def test_pictures_of_one_batch_are_bound_as_if_alone() -> None:
    net, boxes = alive(CropNet(TINY)), normalised((128, 96), stride=0.5)
    images = torch.rand(2, 3, 65, 97) * 2 - 1
    with torch.no_grad():
        together = [net.score(features, boxes) for features in net.bind(images)]
        alone = [net.score(net.bind(image[None])[0], boxes) for image in images]
    spread = float(torch.stack(alone).std())
    for a, b in zip(together, alone, strict=True):
        assert (a - b).abs().max() < 1e-4 * spread + 1e-6


def test_scores_of_cropnet_carry_gradients_for_those_who_want_them() -> None:
    net = alive(CropNet(TINY)).requires_grad_(False)
    boxes = torch.tensor([[0.1, 0.2, 0.8, 0.9]], requires_grad=True)
    net.score(net.bind(torch.rand(1, 3, 65, 65))[0], boxes).sum().backward()
    assert boxes.grad is not None
    assert boxes.grad.abs().min() > 0


# The trunk


def test_the_trunk_has_the_strides_and_channels_that_it_says() -> None:
    taps = Trunk().eval()(torch.zeros(1, 3, 97, 129))
    assert [tap.shape[1] for tap in taps] == list(Trunk.channels)
    assert [tuple(tap.shape[2:]) for tap in taps] == [(13, 17), (7, 9), (4, 5)]


def test_mirrored_filters_see_mirrored_features_in_a_mirrored_image() -> None:
    trunk = alive(Trunk())
    turned = copy.deepcopy(trunk)
    with torch.no_grad():
        for weights in turned.parameters():
            if weights.ndim == 4:
                weights.copy_(weights.flip(3))
        image = torch.rand(1, 3, 97, 129) * 2 - 1
        for tap, other in zip(trunk(image), turned(image.flip(3)), strict=True):
            assert tap.std() > 1e-3
            assert (tap - other.flip(3)).abs().max() < 1e-4 * float(tap.std())


def test_below_and_above_are_the_trunk() -> None:
    trunk, image = alive(Trunk()), torch.rand(1, 3, 65, 65)
    for tap, other in zip(trunk(image), trunk.above(trunk.below(image)), strict=True):
        assert torch.equal(tap, other)
    trunk.freeze_below()
    frozen = [name for name, p in trunk.named_parameters() if not p.requires_grad]
    assert frozen
    assert {int(name.split(".")[1]) for name in frozen} == set(range(7))
    assert any(p.requires_grad for p in trunk.parameters())


@pytest.mark.parametrize("pixels", [9409, 102_400, 204_800])
def test_input_sides_are_32_k_plus_1_and_near_the_area(pixels: int) -> None:
    for aspect in np.geomspace(0.5, 2, 101):
        width, height = input_size((round(3000 * aspect), 3000), pixels)
        assert width % 32 == height % 32 == 1
        assert 0.6 < width * height / pixels < 1.5


def test_an_input_distorts_usual_aspects_by_less_than_a_tenth() -> None:
    for aspect in np.geomspace(0.5, 2, 201):
        width, height = input_size((round(3000 * aspect), 3000), 102_400)
        assert abs(math.log(width / height / aspect)) < 0.1
    for aspect in (3 / 4, 2 / 3, 1.0, 3 / 2, 4 / 3):
        width, height = input_size((round(3000 * aspect), 3000), 102_400)
        assert abs(math.log(width / height / aspect)) < 0.05


def test_the_input_of_a_turned_picture_is_turned() -> None:
    for width in range(200, 900, 37):
        assert input_size((width, 417), 102_400) == input_size((417, width), 102_400)[::-1]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (20_000, 3), (7, 5)])
def test_the_strangest_picture_has_an_input(size: tuple[int, int]) -> None:
    width, height = input_size(size, 102_400)
    assert 33 <= width <= 1057
    assert 33 <= height <= 1057


def test_pixels_are_scaled_to_minus_one_to_one() -> None:
    pixels = torch.tensor([[[0, 127, 255]]], dtype=torch.uint8)
    assert torch.allclose(
        normalise_pixels(pixels), torch.tensor([-1.0, -1 / 255, 1.0]).reshape(3, 1, 1)
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (33, 2)])
def test_cropnet_scores_pictures_of_a_few_pixels(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    scorer = CropNetScorer(alive(CropNet(TINY)), SPEC)
    scores = scorer.bind(from_array(pixels).view(64))(np.array([[0.0, 0, *size]]))
    assert np.isfinite(scores).all()


# Checkpoints


@pytest.fixture
def saved(tmp_path: Path) -> tuple[CropNet, Path]:
    net = alive(CropNet(TINY))
    save_scorer(net, HEADER, tmp_path / "tiny.safetensors")
    return net, tmp_path / "tiny.safetensors"


def test_a_checkpoint_comes_back_in_half_precision(saved: tuple[CropNet, Path]) -> None:
    net, path = saved
    scorer = load_scorer(str(path), "cpu")
    assert isinstance(scorer, CropNetScorer)
    assert scorer.net.config == TINY
    assert scorer.spec == ScorerSpec("tiny", 128, 64, False, "for tests", "CC0-1.0")
    stored = scorer.net.state_dict()
    for key, value in net.state_dict().items():
        assert torch.equal(stored[key], value.half().float())
    assert not any(p.requires_grad for p in scorer.net.parameters())
    boxes = boxes_of(coffee().size)
    exact = CropNetScorer(net, scorer.spec).bind(coffee())(boxes)
    assert np.abs(scorer.bind(coffee())(boxes) - exact).max() < 0.05 * np.ptp(exact)


def test_writing_a_checkpoint_leaves_nothing_else_behind(saved: tuple[CropNet, Path]) -> None:
    assert [path.name for path in saved[1].parent.iterdir()] == ["tiny.safetensors"]
    assert read_header(saved[1]) == HEADER


def test_a_file_that_is_no_checkpoint_is_named(saved: tuple[CropNet, Path]) -> None:
    net, good = saved
    folder = good.parent
    weights = {key: value.half() for key, value in net.state_dict().items()}
    files: dict[str, Callable[[Path], object]] = {
        "empty": lambda path: path.write_bytes(b""),
        "text": lambda path: path.write_text("these are no weights"),
        "noise": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5000)),
        "cut": lambda path: path.write_bytes(good.read_bytes()[:-1000]),
        "foreign": lambda path: save_file(weights, path),
        "other": lambda path: save_file(weights, path, {"format": "pt"}),
        "broken": lambda path: save_file(weights, path, {"cropper": "{"}),
    }
    for name, write in files.items():
        path = folder / f"{name}.safetensors"
        write(path)
        with pytest.raises(MissingModelError, match=f"{name}.safetensors"):
            load_scorer(str(path), "cpu")
    with pytest.raises(MissingModelError, match=r"nowhere.safetensors"):
        load_scorer(str(folder / "nowhere.safetensors"), "cpu")


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "oracle"},
        {"kind": None},
        {"name": None},
        {"config": None},
        {"config": {"pixels": 9409, "wings": 2}},
        {"config": TINY.to_dict() | {"hidden": 17}},
        {"config": TINY.to_dict() | {"rod": 3}},
    ],
    ids=lambda change: json.dumps(change)[:40],
)
def test_a_header_that_does_not_fit_is_a_missing_model(
    change: dict[str, Any], tmp_path: Path
) -> None:
    header = {key: value for key, value in (HEADER | change).items() if value is not None}
    path = tmp_path / "odd.safetensors"
    save_scorer(CropNet(TINY), header, path)
    with pytest.raises(MissingModelError, match=r"odd\.safetensors"):
        load_scorer(str(path), "cpu")


@pytest.mark.parametrize("header", [[], 3, "text", None])
def test_a_header_that_is_no_object_is_a_missing_model(header: Any, tmp_path: Path) -> None:
    path = tmp_path / "odd.safetensors"
    save_scorer(nn.Linear(1, 1), header, path)
    with pytest.raises(MissingModelError, match=r"odd\.safetensors"):
        load_scorer(str(path), "cpu")


def test_a_trunk_is_loaded_from_a_file_with_more_in_it(tmp_path: Path) -> None:
    trunk, path = alive(Trunk()), tmp_path / "trunk.safetensors"
    save_file(trunk.state_dict() | {"classifier.weight": torch.zeros(3)}, path)
    other = Trunk()
    load_trunk(other, path)
    for key, value in trunk.state_dict().items():
        assert torch.equal(other.state_dict()[key], value)


def test_a_file_without_a_trunk_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"classifier.weight": torch.zeros(3)}, path)
    with pytest.raises(DataError, match=r"other\.safetensors has no features"):
        load_trunk(Trunk(), path)


# ConvNet


def small_module(outputs: int = 1, flat: bool = False) -> nn.Module:
    torch.manual_seed(3)
    layers = [nn.Conv2d(3, 6, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    tail = [nn.Linear(24, outputs)] + ([nn.Flatten(0)] if flat else [])
    return nn.Sequential(*layers, *tail).requires_grad_(False)


PREPROCESSING = Preprocessing(side=9, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.mark.parametrize("flat", [False, True])
def test_convnet_equals_the_slow_loop_crop_by_crop(flat: bool) -> None:
    pixels = data.chelsea()[100:118, 150:174]
    view = from_array(pixels).view(24)
    module = small_module(flat=flat)
    boxes = boxes_of(view.size, 0.8, 0.45)
    scores = ConvNetScorer(module, PREPROCESSING, SPEC).bind(view)(boxes)
    image = (pixels / 255 - PREPROCESSING.mean) / PREPROCESSING.std
    levels = reference.levels_of(np.moveaxis(image, 2, 0))
    slow = []
    for box in boxes:
        crop = reference.sample_box(levels, box / [24, 18, 24, 18], (9, 9))
        slow.append(module(torch.from_numpy(crop).float()[None]).item())
    assert len(boxes) > 10
    assert np.std(slow) > 1e-3
    assert np.allclose(scores, slow, rtol=0, atol=1e-5)


def test_the_trunk_classifier_scores_crop_by_crop() -> None:
    module = alive(TrunkClassifier(hidden=8)).requires_grad_(False)
    preprocessing = Preprocessing(65, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    view = from_array(data.coffee()).view(160)
    boxes = boxes_of(view.size, 1.0, 0.6)[:12]
    scores = ConvNetScorer(module, preprocessing, SPEC).bind(view)(boxes)
    levels = pyramid(normalise_pixels(torch.from_numpy(view.pixels)))
    unit_boxes = torch.from_numpy(boxes / np.array([*view.size, *view.size])).float()
    slow = [module(sample_boxes(levels, box[None], (65, 65))).item() for box in unit_boxes]
    assert np.std(slow) > 1e-3
    assert np.allclose(scores, slow, rtol=0, atol=1e-4 * np.ptp(slow))


@pytest.mark.parametrize("batch_size", [1, 5, 1000])
def test_the_batch_size_changes_no_score_of_convnet(batch_size: int) -> None:
    view = from_array(data.chelsea()).view(96)
    bound = ConvNetScorer(small_module(), PREPROCESSING, SPEC).bind(view)
    boxes = boxes_of(view.size)
    assert len(boxes) > 64
    chunked = BoundScorer(bound.score_chunk, bound.size, batch_size)
    assert np.allclose(chunked(boxes), bound(boxes), rtol=0, atol=1e-5)


def test_a_module_with_two_answers_a_crop_is_refused() -> None:
    bound = ConvNetScorer(small_module(outputs=2), PREPROCESSING, SPEC).bind(coffee())
    with pytest.raises(ScorerOutputError):
        bound(boxes_of(coffee().size, stride=0.5))


def test_the_package_s_backbone_needs_no_torchvision() -> None:
    assert isinstance(build_backbone("trunk"), TrunkClassifier)


def save_pair(folder: Path) -> Path:
    """A head and the checkpoint whose trunk it shares."""
    net, classifier = alive(CropNet(TINY)), alive(TrunkClassifier(), seed=1)
    save_scorer(net, HEADER, folder / "tiny.safetensors")
    header = HEADER | {
        "kind": "convnet",
        "name": "pair",
        "backbone": "trunk",
        "preprocessing": Preprocessing(33, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)).to_dict(),
        "trunk": {
            "file": "tiny.safetensors",
            "sha256": trunk_digest(folder / "tiny.safetensors"),
        },
    }
    path = folder / "pair.safetensors"
    save_scorer(classifier, header, path, leave_out="trunk.")
    return path


def test_two_scorers_share_one_trunk_file(tmp_path: Path) -> None:
    path = save_pair(tmp_path)
    assert path.stat().st_size < 0.1 * (tmp_path / "tiny.safetensors").stat().st_size
    pair, tiny = load_scorer(str(path), "cpu"), load_scorer(str(tmp_path / "tiny.safetensors"))
    assert isinstance(pair, ConvNetScorer)
    assert isinstance(tiny, CropNetScorer)
    assert pair.spec.costly
    assert not tiny.spec.costly
    trunk = pair.module.get_submodule("trunk").state_dict()
    for key, value in tiny.net.trunk.state_dict().items():
        assert torch.equal(trunk[key].cpu(), value.cpu())
    assert np.isfinite(pair.bind(coffee())(boxes_of(coffee().size, stride=0.6))).all()


def test_a_head_beside_another_trunk_is_refused(tmp_path: Path) -> None:
    path = save_pair(tmp_path)
    save_scorer(alive(CropNet(TINY), seed=9), HEADER, tmp_path / "tiny.safetensors")
    with pytest.raises(MissingModelError, match=r"another trunk.*tiny\.safetensors"):
        load_scorer(str(path), "cpu")
    (tmp_path / "tiny.safetensors").unlink()
    with pytest.raises(MissingModelError, match=r"tiny\.safetensors"):
        load_scorer(str(path), "cpu")
