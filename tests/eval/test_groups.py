"""Figures for groupings of photos: by orientation, and by whether a detector finds a face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import TensorProto, helper

from cropper import from_array
from cropper.errors import MissingModelError
from eval.__main__ import cli
from eval.crop_quality import run_benchmark
from eval.datasets import load_dataset
from eval.groups import FaceGrouping, orientation
from eval.methods import Centre, FullFrame
from eval.summary import by_group
from tests.eval import data


def detector(
    path: Path,
    outputs: tuple[str, ...] = ("cls", "obj", "bbox", "kps"),
    size: tuple[int | str, int | str] = ("h", "w"),
) -> Path:
    """YuNet's inputs and outputs; its only face is pure red, whose score is the brightest red."""
    nodes, listed = [], []
    channel = helper.make_tensor("channel", TensorProto.INT64, [1], [2])  # of BGR
    most = helper.make_tensor("most", TensorProto.FLOAT, [], [255.0])
    nodes.append(helper.make_node("Gather", ["input", "channel"], ["red"], axis=1))
    nodes.append(helper.make_node("GlobalMaxPool", ["red"], ["peak"]))
    nodes.append(helper.make_node("Div", ["peak", "most"], ["score"]))
    for stride in (8, 16, 32):
        for part in outputs:
            output = [f"{part}_{stride}"]
            if numbers := {"bbox": 4, "kps": 10}.get(part):
                nodes.append(helper.make_node("Concat", ["score"] * numbers, output, axis=1))
            else:
                nodes.append(helper.make_node("Squeeze", ["score"], output))
            listed.append(
                helper.make_tensor_value_info(f"{part}_{stride}", TensorProto.FLOAT, None)
            )
    picture = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, *size])
    graph = helper.make_graph(nodes, "yunet", [picture], listed, [channel, most])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), path)
    return path


def filled(width: int, height: int, colour: tuple[int, int, int]) -> np.ndarray:
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize(
    ("size", "name"), [((60, 40), "landscape"), ((40, 60), "portrait"), ((40, 40), "square")]
)
def test_orientation_is_that_of_the_upright_photo(size: tuple[int, int], name: str) -> None:
    assert orientation(from_array(filled(*size, (9, 9, 9)))) == name


@pytest.mark.parametrize("size", [("h", "w"), (64, 96), (640, 640)])
def test_faces_are_what_the_detector_is_sure_of(
    tmp_path: Path, size: tuple[int | str, int | str]
) -> None:
    grouping = FaceGrouping(detector(tmp_path / "yunet.onnx", size=size))
    assert grouping(from_array(filled(70, 50, (250, 0, 0)))) == "with a face"
    assert grouping(from_array(filled(70, 50, (100, 255, 255)))) == "without a face"


@pytest.mark.parametrize("outputs", [(), ("cls",), ("cls", "obj")])
def test_a_file_that_is_no_detector_is_named(tmp_path: Path, outputs: tuple[str, ...]) -> None:
    path = tmp_path / "other.onnx"
    if outputs:
        detector(path, outputs)
    else:
        path.write_bytes(b"no model")
    with pytest.raises(MissingModelError, match=r"other\.onnx is no YuNet"):
        FaceGrouping(path)


def mixed(root: Path) -> Path:
    """Three landscape photos and one upright."""
    data.folder(root)
    data.photo(root / "images" / "2.png", (80, 120))
    return root


def test_a_group_is_measured_as_if_it_were_alone(tmp_path: Path) -> None:
    dataset = load_dataset(mixed(tmp_path))
    methods = [FullFrame(), Centre()]
    whole = run_benchmark(dataset, methods, groupings=[orientation])
    assert whole.groupings == (("landscape",), ("landscape",), ("portrait",), ("landscape",))
    upright = whole.of("portrait")
    assert upright.photos == ("2.png",)
    assert upright.methods[1].photos == (whole.methods[1].photos[2],)
    groups = by_group(whole)
    assert [(group.name, group.photos) for group in groups] == [("landscape", 3), ("portrait", 1)]
    values = {s.method: s.value.mean for s in groups[1].statistics if s.metric == "iou"}
    cropping = whole.methods[0].photos[2].cropping
    assert cropping
    assert values["full frame"] == pytest.approx(cropping.iou)


def test_photos_of_one_kind_alone_have_no_groups(tmp_path: Path) -> None:
    dataset = load_dataset(data.folder(tmp_path))
    assert by_group(run_benchmark(dataset, [FullFrame(), Centre()], groupings=[orientation])) == ()
    found = CliRunner().invoke(cli, ["benchmark", "--root", str(tmp_path), "--scorer", "none"])
    assert "all 4 photos: landscape" in found.stdout


def test_one_call_tells_both_protocols_and_all_groups(tmp_path: Path) -> None:
    root, model = mixed(tmp_path / "photos"), detector(tmp_path / "yunet.onnx")
    line = ["benchmark", "--root", str(root), "--scorer", "none", "--faces", str(model)]
    found = CliRunner().invoke(cli, line)
    assert found.exit_code == 0, found.output
    given, free = found.stdout.split("aspect free")
    for part in (given, free):
        assert "3 landscape  full frame" in part
        assert "1 portrait   full frame" in part
        assert "1 portrait   centre" in part
    assert "all pairs" in given
    assert "all pairs" not in free


def test_a_broken_detector_is_exit_3(tmp_path: Path) -> None:
    model = tmp_path / "yunet.onnx"
    model.write_bytes(b"")
    line = ["benchmark", "--root", str(data.folder(tmp_path / "d")), "--scorer", "none"]
    found = CliRunner().invoke(cli, [*line, "--faces", str(model)])
    assert found.exit_code == 3
    assert "yunet.onnx" in found.stderr
