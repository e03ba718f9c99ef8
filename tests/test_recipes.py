"""The recipes of docs/recipes.md, run as they are written, where their libraries are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from cropper import CropFinder
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def recipe(heading: str) -> dict[str, Any]:
    """The names that the code under a heading defines."""
    part = (ROOT / "docs/recipes.md").read_text("utf-8").split(f"## {heading}\n", 1)[1]
    code = part.split("```python\n", 1)[1].split("```", 1)[0]
    names: dict[str, Any] = {"__name__": "recipe"}
    exec(compile(code, heading, "exec"), names)
    return names


def best_box(image: Any) -> list[int]:
    return [int(edge) for edge in CropFinder().find(image, aspect="1:1").best.box]


def test_albumentations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_ALBUMENTATIONS_UPDATE", "1")
    library = pytest.importorskip("albumentations")
    names = recipe("albumentations")
    image = data.coffee()
    mask = image[..., 0].copy()
    x0, y0, x1, y1 = best_box(image)
    whole = library.Compose(
        [names["BestCrop"](CropFinder(), aspect="1:1")],
        bbox_params=library.BboxParams("pascal_voc", label_fields=["labels"], clip=True),
    )
    inside = [x0 + 10, y0 + 20, x0 + 60, y0 + 90]
    outside = [x1 + 1, 0, x1 + 9, 9] if x1 + 9 < image.shape[1] else [0, 0, x0 - 1, 9]
    made = whole(image=image, mask=mask, bboxes=[inside, outside], labels=["in", "out"])
    assert np.array_equal(made["image"], image[y0:y1, x0:x1])
    assert np.array_equal(made["mask"], mask[y0:y1, x0:x1])
    assert made["labels"] == ["in"]
    assert np.allclose(made["bboxes"], [[10, 20, 60, 90]], atol=0.01)
    made = names["steps"](image=image, bboxes=[inside], labels=["in"])
    assert made["image"].shape == (224, 224, 3)


def test_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    library = pytest.importorskip("datasets")
    from PIL import Image  # noqa: PLC0415

    names = recipe("datasets")
    photos = [data.coffee(), data.chelsea()]
    rows = {"image": [Image.fromarray(each) for each in photos], "label": [3, 4]}
    made = names["with_best_crops"](library.Dataset.from_dict(rows), aspect="1:1")
    assert made["label"] == [3, 4]
    for photo, row in zip(photos, made, strict=True):
        x0, y0, x1, y1 = best_box(photo)
        assert np.array_equal(np.asarray(row["image"]), photo[y0:y1, x0:x1])
