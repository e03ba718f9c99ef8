"""Who may import whom, held by the syntax trees of all modules.

A room is a module or package right under ``cropper``. Imports count wherever they stand: in
functions, and for annotations alone too.
"""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cropper", "spatial_transformer", "eval")

# Imports go down, or stay on a layer without going round in circles
LAYERS = {
    "errors": 0,
    "statistics": 0,
    "boxes": 0,
    "canvas": 0,
    "tone": 0,
    "space": 1,
    "image": 1,
    "result": 1,
    "search": 1,
    "request": 1,
    "parsing": 1,
    "score_map": 1,
    "render": 1,
    "listing": 1,
    "naming": 1,
    "presets": 1,
    "onnx": 1,
    "turn": 1,
    "stores": 1,
    "threads": 0,
    "faces": 2,
    "onnx_graph": 2,
    "person": 0,
    "identity": 3,
    "tilt": 2,
    "orientation": 3,
    "sampling": 2,
    "scorers": 3,
    "transform": 4,
    "heads": 3,
    "subjects": 3,
    "filter_search": 4,
    "finder": 4,
    "search_task": 4,
    "train": 4,
    "style": 5,
    "see": 5,
    "people": 5,
    "annotations": 1,
    "decoders": 5,
    "scoring_thread": 5,
    "report": 5,
    "rank": 5,
    "console": 5,
    "progress": 5,
    "transforms": 5,
    "best": 5,
    "options": 5,
    "bot": 5,
    "bulk": 5,
    "serve": 5,
    "web": 5,
    "cli": 6,
    "__main__": 6,
}
# Of the packages beside cropper: all but what needs these. Keys and values are module prefixes
ONLY_IN = {
    "aiohttp": {"cropper.stores"},
    "click": {"cropper.cli", "eval.commands"},
    "onnxruntime": {"cropper.onnx"},
    "fsspec": {"cropper.stores"},
    "httpx": {"cropper.bot"},
    "joblib": {"cropper.bulk", "cropper.train"},
    "PIL": {
        "cropper.decoders",
        "cropper.image",
        "cropper.render",
        "cropper.report",
        "cropper.result",
        "cropper.transforms",
        "eval.bench",
        "eval.bench_bulk",
        "eval.planted",
        "eval.strangers",
        "cropper.web",
        "eval.web",
    },
    "mastodon": {"cropper.bot"},
    "pillow_heif": {"cropper.image"},
    "prometheus_client": {"cropper.serve"},
    "pydantic": {"cropper.serve"},
    "requests": {"cropper.bot"},
    "simplejpeg": {"cropper.image"},
    "starlette": {"cropper.serve"},
    "tifffile": {"cropper.image", "eval.peaks"},
    "telegram": {"cropper.bot"},
    "torchvision": {
        "cropper.style.backbone",
        "cropper.scorers.convnet",
        "cropper.train",
        "cropper.transforms",
    },
    "uvicorn": {"cropper.serve"},
}
NUMPY_LAYERS = 1  # up to here nothing but NumPy, beside what ONLY_IN allows
FETCHES = {
    "best",
    "bulk",
    "naming",
    "options",
    "render",
    "stores",
}  # the rooms that take URLs; no service
TRANSFORMER_MAY_USE = {"boxes", "space", "image", "sampling", "result", "scorers", "errors"}

Imports = Mapping[str, set[str]]  # module -> dotted names that it imports


def sources() -> dict[str, str]:
    """Dotted name -> source of every module; a package goes by its own name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = path.read_text("utf-8")
    return found


def imported(name: str, source: str, modules: Iterable[str]) -> set[str]:
    """The modules that a module imports; ``from a import b`` is a.b where that is a module."""
    modules = set(modules)
    is_package = any(other.startswith(name + ".") for other in modules)
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".")
                above = here[: len(here) - node.level + is_package]
                base = ".".join([*above, *filter(None, [base])])
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in modules else base)
        elif isinstance(node, ast.Call) and node.args:
            target, argument = node.func, node.args[0]
            called = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            if called in ("import_module", "__import__") and isinstance(argument, ast.Constant):
                found.add(str(argument.value))
    return found


def all_imports(modules: Mapping[str, str]) -> dict[str, set[str]]:
    return {name: imported(name, source, modules) for name, source in modules.items()}


def top(name: str) -> str:
    return name.partition(".")[0]


def room(name: str) -> str:
    """``image`` for ``cropper.image.header``; nothing for ``cropper`` itself."""
    return name.split(".")[1] if top(name) == "cropper" and "." in name else ""


def within(name: str, prefixes: Iterable[str]) -> bool:
    return any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)


def edges(imports: Imports) -> Iterator[tuple[str, str]]:
    for name, targets in sorted(imports.items()):
        for target in sorted(targets):
            yield name, target


def upward(imports: Imports) -> list[str]:
    """Imports from a higher layer, and of ``cropper`` itself, which stands above them all."""
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if top(target) == "cropper"
        and room(name)
        and (not room(target) or LAYERS[room(target)] > LAYERS[room(name)])
    ]


def circles(imports: Imports) -> list[str]:
    """One round through rooms (or through the packages beside cropper), if there is any."""
    graph: dict[str, set[str]] = {}
    for name, target in edges(imports):
        start, end = room(name) or top(name), room(target) or top(target)
        if top(target) in PACKAGES and start != end:
            graph.setdefault(start, set()).add(end)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def misplaced(imports: Imports) -> list[str]:
    """Packages that belong to a few modules, used by others."""
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if top(target) in ONLY_IN and not within(name, ONLY_IN[top(target)])
    ]


def heavy_below(imports: Imports) -> list[str]:
    """Anything but NumPy in the lowest layers."""
    light = {*PACKAGES, *sys.stdlib_module_names, "numpy", *ONLY_IN}
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if room(name) and LAYERS[room(name)] <= NUMPY_LAYERS and top(target) not in light
    ]


def transformer_strays(imports: Imports) -> list[str]:
    """What spatial_transformer takes from elsewhere than from the rooms it may use."""
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if top(name) == "spatial_transformer"
        and (top(target) == "eval" or top(target) == "cropper")
        and room(target) not in TRANSFORMER_MAY_USE
    ]


def eval_reached(imports: Imports) -> list[str]:
    """Imports of eval from outside of it, but for the command line's."""
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if top(target) == "eval" and top(name) != "eval" and room(name) != "cli"
    ]


def fetching(imports: Imports) -> list[str]:
    """Rooms that could fetch URLs and are not asked to, as the service and the bot."""
    return [
        f"{name} imports {target}"
        for name, target in edges(imports)
        if room(target) == "stores" and room(name) not in FETCHES and top(name) != "eval"
    ]


RULES = [upward, circles, misplaced, heavy_below, transformer_strays, eval_reached, fetching]


@pytest.fixture(scope="module")
def imports() -> Imports:
    return all_imports(sources())


def test_every_room_has_its_layer(imports: Imports) -> None:
    assert {room(name) for name in imports} - {""} <= LAYERS.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_no_module_breaks_the_rule(rule: object, imports: Imports) -> None:
    assert rule(imports) == []  # type: ignore[operator]


@pytest.mark.parametrize(
    ("rule", "name", "source"),
    [
        (upward, "cropper.boxes", "from cropper.space import CropSpace"),
        (upward, "cropper.search", "def f():\n    from cropper import finder"),
        (upward, "cropper.scorers.base", "if TYPE_CHECKING:\n    import cropper.finder as f"),
        (upward, "cropper.image.header", "from ..sampling import pyramid"),
        (upward, "cropper.image", "from .. import sampling"),
        (upward, "cropper.finder", "import importlib\nimportlib.import_module('cropper.best')"),
        (upward, "cropper.report", "from cropper import CropFinder"),
        (circles, "cropper.result", "from cropper.search import search"),
        (circles, "cropper.errors", "from cropper.boxes import Crop"),
        (misplaced, "cropper.best", "import click"),
        (misplaced, "eval.report", "from click import echo"),
        (misplaced, "cropper.finder", "import PIL.Image"),
        (misplaced, "cropper.scorers.trunk", "def f():\n    from PIL import Image"),
        (misplaced, "cropper.scorers.trunk", "import torchvision"),
        (misplaced, "spatial_transformer", "from torchvision import ops"),
        (misplaced, "cropper.finder", "import joblib"),
        (heavy_below, "cropper.space", "import torch.nn.functional as F"),
        (heavy_below, "cropper.image.pixels", "__import__('torch')"),
        (heavy_below, "cropper.search", "from scipy import optimize"),
        (transformer_strays, "spatial_transformer", "from cropper.search import search"),
        (transformer_strays, "spatial_transformer", "from cropper import CropFinder"),
        (transformer_strays, "spatial_transformer", "from eval.metrics import iou"),
        (eval_reached, "cropper.best", "def f():\n    from eval.metrics import iou"),
        (eval_reached, "cropper.finder", "import eval"),
        (fetching, "cropper.serve.uploads", "def f():\n    from cropper.stores import Store"),
        (fetching, "cropper.bot.answer", "from cropper.stores.store import Store"),
        (misplaced, "cropper.bulk.trees", "def f():\n    import fsspec"),
    ],
)
def test_a_breach_is_seen(rule: object, name: str, source: str, imports: Imports) -> None:
    added = imported(name, source, imports)
    broken = rule({**imports, name: imports[name] | added})  # type: ignore[operator]
    assert len(broken) == 1
    assert name in broken[0] or rule is circles


def plain_imports_of_eval(source: str) -> list[int]:
    """Lines that import ``eval`` or modules of it; only names of its modules may be imported."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if (isinstance(node, ast.Import) and any(top(each.name) == "eval" for each in node.names))
        or (isinstance(node, ast.ImportFrom) and node.module == "eval" and not node.level)
    ]


def test_the_builtin_eval_keeps_its_name() -> None:
    paths = [path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py")]
    lines = {str(path): plain_imports_of_eval(path.read_text("utf-8")) for path in paths}
    assert {path: found for path, found in lines.items() if found} == {}


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("import eval", [1]),
        ("import eval.metrics", [1]),
        ("x = 1\nimport os, eval.metrics as m", [2]),
        ("from eval import metrics", [1]),
        ("def f():\n    from eval import metrics", [2]),
        ("from eval.metrics import iou\nfrom tests.eval import data\nimport evaluate", []),
    ],
)
def test_a_plain_import_of_eval_is_seen(source: str, lines: list[int]) -> None:
    assert plain_imports_of_eval(source) == lines


@pytest.mark.parametrize("path", sorted((ROOT / "cropper/cli").glob("*.py")), ids=lambda p: p.name)
def test_the_command_line_imports_what_is_heavy_inside_its_commands_alone(path: Path) -> None:
    body = ast.parse(path.read_text("utf-8")).body
    outside = [node for node in body if not isinstance(node, (ast.FunctionDef, ast.ClassDef))]
    tree = ast.unparse(ast.Module(body=outside, type_ignores=[]))
    heavy = {"numpy", "PIL", "torch", "eval"}
    assert not {top(name) for name in imported(f"cropper.cli.{path.stem}", tree, sources())} & heavy
