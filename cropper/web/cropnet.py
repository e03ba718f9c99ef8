"""CropNet as ONNX graphs, trunk and head, for a runtime that has no NumPy beside it.

The head is the same function as ``scorers.cropnet.cpu``, whose names it uses: what that reads of
the maps is given to the graph, which does the rest.
"""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from cropper.onnx_graph import Graph
from cropper.scorers.cropnet.config import TAPS, CropNetConfig
from cropper.scorers.cropnet.export import build_graph

__all__ = ["build_head", "build_trunk"]

_EDGES = ("x0", "y0", "x1", "y1")
_ALL = 2**31 - 1  # the end of a slice to the last


def build_trunk(config: CropNetConfig) -> ModelProto:
    """``build_graph``, whose ``pixels`` are float32 from 0 to 255, with its first tap too.

    A crop that is read from a picture has no whole numbers. ``tap.0`` is (N, 32, 2 h - 1, 2 w - 1).
    """
    model = build_graph(config)
    body = model.graph
    body.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    block, channels = next(iter(TAPS.items()))
    body.node.append(helper.make_node("Identity", [f"trunk.features.{block}"], ["tap.0"]))
    shape = ("n", channels, "fine_rows", "fine_columns")
    body.output.append(helper.make_tensor_value_info("tap.0", TensorProto.FLOAT, shape))
    return model


def build_head(config: CropNetConfig) -> ModelProto:
    """Of N boxes, normalised xyxy, what is read of the maps -> ``scores`` (N,).

    Inputs, float32: ``symmetric`` and ``antisymmetric`` (N, K), the folded samples of each box, row
    by row; ``rod`` (rod, rod, channels), those of the whole picture; ``pooled`` (320,); ``boxes``
    (N, 4); ``aspect`` (1,), the log of the input's width over its height. With gaze also ``maps``
    (channels, h, w) and ``on_map`` (N, 4), the boxes normalised to them.
    """
    graph = _Head(config)
    graph.constants()
    outside = graph.outside()
    kept, turned = graph.geometry()
    cells = graph.cells()
    bias = graph.add("Add", [graph.weight("head.roi_even.bias", (config.hidden,)), graph.context()],
                     "bias")  # fmt: skip
    s = graph.total(
        "s", graph.read("even"), (outside, cells[0]), (kept, graph.turned_weight("even", 8))
    )
    s = graph.add("Add", [s, bias], "s.biased")
    a = graph.total(
        "a", graph.read("odd"), (outside, cells[1]), (turned, graph.turned_weight("odd", 1))
    )
    scores = graph.judged(s, a)
    if config.gaze:
        scores = graph.add("Add", [scores, graph.gaze_kept()], "scores.gaze")
    graph.add("Identity", [scores], "scores")
    half = config.roi // 2
    given: dict[str, list[int | str]] = {
        "symmetric": ["n", config.roi * (config.roi - half) * config.channels],
        "antisymmetric": ["n", config.roi * half * config.channels],
        "rod": [config.rod, config.rod, config.channels],
        "pooled": [TAPS[17]],
        "boxes": ["n", 4],
        "aspect": [1],
    }
    if config.gaze:
        given |= {"maps": [config.channels, "h", "w"], "on_map": ["n", 4]}
    return graph.model("cropnet-head", given, {"scores": ["n"]}, TensorProto.FLOAT)


class _Head(Graph):
    def __init__(self, config: CropNetConfig) -> None:
        super().__init__()
        self.config = config

    def constants(self) -> None:
        for name, number in (("zero", 0), ("one", 1), ("half", 0.5)):
            self.constant(name, np.array(number, np.float32))
        for name, numbers in (("i0", [0]), ("i1", [1]), ("i2", [2]), ("all", [_ALL]), ("-1", [-1])):
            self.constant(name, np.array(numbers, np.int64))
        self.add("Split", ["boxes"], "x0", axis=1)
        self.nodes[-1].output[:] = _EDGES

    def total(self, name: str, *products: tuple[str, str]) -> str:
        """The sum of matrix products."""
        terms = [
            self.add("MatMul", [*pair], f"{name}.{index}") for index, pair in enumerate(products)
        ]
        return self.add("Sum", terms, name)

    def covered(self, low: str, high: str, edges: str, cells: str, name: str) -> str:
        """(N, 1) twice -> (N, cells): the share of each column or row that a box covers."""
        end = self.add(
            "Add", [edges, self.add("Div", ["one", cells], f"{name}.side")], f"{name}.end"
        )
        start = self.add("Max", [low, edges], f"{name}.from")
        stop = self.add("Min", [high, end], f"{name}.to")
        length = self.add(
            "Relu", [self.add("Sub", [stop, start], f"{name}.length")], f"{name}.inside"
        )
        return self.add("Mul", [length, cells], name)

    def outside(self) -> str:
        """(N, rod * rod): the share of each cell that a box cuts away."""
        rod = self.config.rod
        edges = self.constant("edges", (np.arange(rod) / rod).astype(np.float32)[None])
        cells = self.constant("cells.count", np.array(rod, np.float32))
        across = self.covered("x0", "x1", edges, cells, "across")
        down = self.covered("y0", "y1", edges, cells, "down")
        columns = self.add("Unsqueeze", [across, "i1"], "across.row")
        rows = self.add("Unsqueeze", [down, "i2"], "down.column")
        kept = self.add("Sub", ["one", self.add("Mul", [rows, columns], "cell.kept")], "cell.cut")
        shape = self.constant("cells.shape", np.array([-1, rod * rod], np.int64))
        return self.add("Reshape", [kept, shape], "outside")

    def geometry(self) -> tuple[str, str]:
        """Place and shape: (N, 8) that a mirror keeps, and (N, 1) whose sign it turns."""
        width = self.add("Sub", ["x1", "x0"], "width")
        height = self.add("Sub", ["y1", "y0"], "height")
        area = self.add("Mul", [width, height], "area")
        off = self.add("Sub", [self.add("Add", ["x0", "x1"], "x.sum"), "one"], "off")
        ratio = self.add("Log", [self.add("Div", [width, height], "ratio")], "ratio.log")
        shape = self.add("Add", [ratio, "aspect"], "shape")
        below = self.add("Sub", ["one", "y1"], "below")
        sizes = [self.add("Abs", [each], f"{each}.abs") for each in (off, shape)]
        kept = ["y0", below, width, height, area, sizes[0], shape, sizes[1]]
        return self.add("Concat", kept, "geometry", axis=1), off

    def turned_weight(self, part: str, inputs: int) -> str:
        """Of the geometry, transposed: (inputs, hidden)."""
        name = f"head.geometry_{part}.weight"
        weight = self.weight(name, (self.config.hidden, inputs))
        return self.add("Transpose", [weight], f"{name}.t", perm=[1, 0])

    def read(self, part: str) -> tuple[str, str]:
        """Folded samples with their weight, whose rows are in the samples' order."""
        config = self.config
        half, side = config.roi // 2, config.roi
        columns = side - half if part == "even" else half
        size = config.channels * side * columns
        name = f"head.roi_{part}.weight"
        shape = self.constant(f"{name}.grid", np.array([-1, config.channels, side, columns]))
        grid = self.add("Reshape", [self.weight(name, (config.hidden, size)), shape], f"{name}.4d")
        rows = self.add("Transpose", [grid], f"{name}.rows", perm=[2, 3, 1, 0])
        flat = self.constant(f"{name}.flat", np.array([size, config.hidden]))
        given = "symmetric" if part == "even" else "antisymmetric"
        return given, self.add("Reshape", [rows, flat], f"{name}.2d")

    def cells(self) -> tuple[str, str]:
        """(rod * rod, hidden) twice: what each cell of the picture counts where it is cut away."""
        config = self.config
        weight = self.weight("head.rod", (config.channels, config.rod, config.rod, config.hidden))
        rows = self.add("Transpose", [weight], "rod.rows", perm=[1, 2, 0, 3])
        begin = self.constant("begin", np.array([-_ALL]))
        mirrored = self.add("Slice", [rows, "-1", begin, "i1", "-1"], "rod.mirrored")
        shape = self.constant("rod.shape", np.array([config.rod, config.rod, 1, config.channels]))
        given = self.add("Reshape", ["rod", shape], "rod.4d")
        flat = self.constant("rod.flat", np.array([config.rod**2, config.hidden]))
        found = []
        for kind in ("Add", "Sub"):
            both = self.add(kind, [rows, mirrored], f"rod.{kind}")
            part = self.add("Mul", [both, "half"], f"rod.{kind}.half")
            product = self.add("MatMul", [given, part], f"rod.{kind}.cells")
            found.append(self.add("Reshape", [product, flat], f"rod.{kind}.2d"))
        return found[0], found[1]

    def context(self) -> str:
        weight = self.weight("head.context.weight", (self.config.hidden, TAPS[17]))
        return self.add("MatMul", [weight, "pooled"], "context")

    def judged(self, s: str, a: str) -> str:
        """(N, hidden) twice -> (N,), the same for a mirrored picture, where ``a`` is negative."""
        hidden, inner = self.config.hidden, self.config.hidden // 2
        sides = [
            self.add("Relu", [self.add(kind, [s, a], f"side.{kind}")], f"side.{kind}.relu")
            for kind in ("Add", "Sub")
        ]
        x = self.add("Add", sides, "hidden")
        weight = self.weight("head.out.0.weight", (inner, hidden))
        x = self.add(
            "Gemm", [x, weight, self.weight("head.out.0.bias", (inner,))], "inner", transB=1
        )
        last = [self.weight("head.out.2.weight", (1, inner)), self.weight("head.out.2.bias", (1,))]
        x = self.add("Gemm", [self.add("Relu", [x], "inner.relu"), *last], "scores.2d", transB=1)
        return self.add("Squeeze", [x, "i1"], "scores.head")

    def gaze_kept(self) -> str:
        """(N,): the share of fixations that a box keeps, and its area, each by its weight."""
        density = self._density()
        self.add("Split", ["on_map"], "mx0", axis=1)
        self.nodes[-1].output[:] = [f"m{edge}" for edge in _EDGES]
        sizes = self.add("Shape", ["maps"], "maps.shape")
        shares = []
        for axis, low, high in ((2, "mx0", "mx1"), (1, "my0", "my1")):
            index = self.constant(f"axis.{axis}", np.array(axis, np.int64))
            count = self.add("Gather", [sizes, index], f"count.{axis}")
            cells = self.add("Cast", [count], f"cells.{axis}", to=TensorProto.FLOAT)
            steps = self.add("Range", ["zero", cells, "one"], f"steps.{axis}")
            edges = self.add("Div", [steps, cells], f"edges.{axis}")
            shares.append(self.covered(low, high, edges, cells, f"covered.{axis}"))
        seen = self.add(
            "Mul", [self.add("MatMul", [shares[1], density], "seen"), shares[0]], "seen.box"
        )
        share = self.add("ReduceSum", [seen, "i1"], "share", keepdims=1)
        both = self.add("Concat", [share, "area"], "share.area", axis=1)
        return self.add("MatMul", [both, self.weight("head.gaze_weights", (2,))], "gaze")

    def _density(self) -> str:
        """(h, w): of fixations over the cells of the map, sum 1."""
        weight = self.weight("head.gaze.weight", (1, self.config.channels, 1, 1))
        maps = self.add("Unsqueeze", ["maps", "i0"], "maps.4d")
        logits = self.add("Conv", [maps, weight], "gaze.logits", kernel_shape=[1, 1])
        flat = self.constant("gaze.flat", np.array([1, -1], np.int64))
        soft = self.add(
            "Softmax", [self.add("Reshape", [logits, flat], "gaze.row")], "gaze.soft", axis=1
        )
        planes = self.add("Shape", ["maps"], "gaze.shape")
        shape = self.add("Slice", [planes, "i1", "all"], "gaze.sides")
        return self.add("Reshape", [soft, shape], "gaze.density")
