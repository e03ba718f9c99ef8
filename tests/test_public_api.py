"""What users import: the names, that importing is cheap, that everything says what it does."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
import types
from pathlib import Path

import pytest
from click.testing import CliRunner

import cropper
from cropper.cli import main
from cropper.scorers import registry
from tests.conftest import ENVIRONMENT, ROOT, pixels
from tests.image.pictures import photo

# To take a name away breaks users: say so in the changelog
NAMES = {"BoundScorer", "Crop", "CropFinder", "CropResult", "CropSpace", "CropperError", "Scorer"}
NAMES |= {"ScorerSpec", "SearchConfig", "SearchResult", "SourceImage", "StopReason", "View"}
NAMES |= {
    "crop_spaces",
    "find_best_crop",
    "from_array",
    "load_image",
    "load_scorer",
    "register_scorer",
}
NAMES |= {"save_crop", "search", "crop_folder", "BulkOptions", "BulkReport", "CropRequest"}
NAMES |= {"TransformFinder", "__version__", "register_scorer"}
# The second door: what the benchmark and the transformer use of the picture room
IMAGE_NAMES = {"SourceImage", "View", "encode", "format_for", "from_array", "load_image"}
IMAGE_NAMES |= {
    "Photo",
    "open_photo",
    "parse_format",
    "check_target",
    "make_folder",
    "writable_format",
    "write_atomic",
    "write_below",
    "read_below",
    "FileId",
    "Header",
    "is_cut_off",
    "Span",
    "sniff",
    "FORMATS",
    "EXTENSION_OF",
    "MOST_BYTES",
    "Output",
    "needed",
}
SLOW = {"torch", "torchvision", "click", "joblib", "rich", "matplotlib", "onnxruntime"}
IMAGE_NAMES |= {"file_id", "has_picture_extension", "lost_note"}


def public(module: types.ModuleType) -> set[str]:
    """Every name that it has without an underscore, its own modules left out."""
    return {
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and not inspect.ismodule(value) and name != "annotations"
    }


def test_all_is_exactly_the_public_names() -> None:
    # ``cropper.search`` is the function, not the module of the same name; most come when asked for
    assert set(cropper.__all__) == NAMES
    assert public(cropper) - {"TYPE_CHECKING", "Any", "import_module"} <= NAMES
    assert len(cropper.__all__) == len(NAMES)


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_public_name_is_something_to_use(name: str) -> None:
    assert inspect.isfunction(getattr(cropper, name)) or inspect.isclass(getattr(cropper, name))


def test_the_picture_room_offers_its_names() -> None:
    image = importlib.import_module("cropper.image")
    assert set(image.__all__) == IMAGE_NAMES
    assert all(hasattr(image, name) for name in IMAGE_NAMES)


def test_importing_cropper_imports_nothing_slow() -> None:
    code = f"import sys, cropper; print(*({SLOW!r} & sys.modules.keys()))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", sorted(NAMES - {"__version__"}))
def test_every_public_name_has_a_docstring_of_its_own(name: str) -> None:
    value = getattr(cropper, name)
    # not inspect.getdoc: dataclasses write one themselves, subclasses inherit one
    tree = ast.parse(inspect.getsource(value))
    (definition,) = (node for node in tree.body if getattr(node, "name", None) == value.__name__)
    assert isinstance(definition, (ast.ClassDef, ast.FunctionDef))
    assert ast.get_docstring(definition)


@pytest.mark.parametrize(
    "path",
    sorted(
        str(path.relative_to(ROOT))
        for package in ("cropper", "spatial_transformer", "eval")
        for path in (ROOT / package).rglob("*.py")
    ),
)
def test_every_module_says_what_it_is(path: str) -> None:
    source = (ROOT / path).read_text("utf-8")
    assert not source.strip() or ast.get_docstring(ast.parse(source))


def test_all_of_every_module_names_what_it_has() -> None:
    for path in (ROOT / "cropper").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name.endswith("__main__"):
            continue
        module = importlib.import_module(name)
        assert sorted(set(module.__all__)) == sorted(module.__all__), name
        assert not [each for each in module.__all__ if not hasattr(module, each)], name


def test_the_scorer_of_the_readme_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    (recipe,) = (
        part for part in text.split("```python\n") if "register_scorer(" in part.split("```")[0]
    )
    monkeypatch.setattr(registry, "_factories", dict(registry._factories))
    exec(recipe.split("```")[0], {})
    photo(60, 40).save(tmp_path / "photo.png")
    line = ["best", str(tmp_path / "photo.png"), "--scorer", "large", "--aspect", "1:1"]
    done = CliRunner().invoke(main, line, catch_exceptions=False)
    assert done.exit_code == 0
    assert pixels(tmp_path / "photo-best.png").shape == (40, 40, 3)
