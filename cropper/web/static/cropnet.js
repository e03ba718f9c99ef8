// CropNet: the trunk once for a photo, the head for its boxes, as cropper/scorers/cropnet/cpu.py.

import { normalised } from "./boxes.js";
import { mipLevels, readBoxes } from "./pyramid.js";
import { resized } from "./pixels.js";
import { Tensor } from "./runtime.js";

const STRIDE = 16;
const BLOCK = 1024; // boxes through the head at once

export class CropNet {
  /** `config` is the model's, from site.json; the sessions are those of trunk and head. */
  constructor(trunk, head, config) {
    Object.assign(this, { trunk, head, config });
  }

  /** What scoring needs of a view {data, width, height} of a photo of `size`. */
  async bind(view, size) {
    const [width, height] = inputSize(size, this.config.pixels);
    const pixels = resized(view, width, height);
    const isMirrored = seenMirrored(pixels);
    const { maps, pooled } = await this.trunk.run({ pixels: toTensor(pixels, isMirrored) }, ["maps", "pooled"]);
    const [, depth, rows, columns] = maps.dims;
    const planes = isMirrored ? mirrored(maps.data, columns) : maps.data;
    const levels = mipLevels({ data: interleaved(planes, depth), width: columns, height: rows }, depth);
    const rod = readBoxes(levels, depth, [onMap([0, 0, 1, 1], [columns, rows])], this.config.rod);
    const given = {
      rod: new Tensor("float32", rod, [this.config.rod, this.config.rod, depth]),
      pooled: new Tensor("float32", pooled.data, [pooled.data.length]),
      aspect: new Tensor("float32", [Math.log((columns - 1) / Math.max(rows - 1, 1))], [1]),
    };
    if (this.config.gaze) given.maps = new Tensor("float32", planes, [depth, rows, columns]);
    return (boxes) => this.#score(boxes, size, levels, depth, given);
  }

  async #score(boxes, size, levels, depth, given) {
    const scores = [];
    for (let start = 0; start < boxes.length; start += BLOCK) {
      const some = boxes.slice(start, start + BLOCK).map((box) => normalised(box, size));
      const where = some.map((box) => onMap(box, [levels[0].width, levels[0].height]));
      const side = this.config.roi;
      const read = folded(readBoxes(levels, depth, where, side), side, depth);
      const feeds = {
        ...given,
        symmetric: new Tensor("float32", read.symmetric, [some.length, read.symmetric.length / some.length]),
        antisymmetric: new Tensor("float32", read.antisymmetric,
          [some.length, read.antisymmetric.length / some.length]),
        boxes: new Tensor("float32", Float32Array.from(some.flat()), [some.length, 4]),
      };
      if (this.config.gaze) {
        feeds.on_map = new Tensor("float32", Float32Array.from(where.flat()), [some.length, 4]);
      }
      scores.push(...(await this.head.run(feeds)).scores.data);
    }
    return scores;
  }
}

/** Sides of 32 k + 1 px near `pixels` in area that distort the photo's aspect least. */
export function inputSize(size, pixels) {
  const aspect = Math.log(size[0] / size[1]);
  const sides = Array.from({ length: 33 }, (_, step) => 33 + 32 * step).filter((side) => side < 1058);
  let best = null;
  for (const w of sides) {
    for (const h of sides) {
      const cost = Math.abs(Math.log(w / h) - aspect) + 0.5 * Math.abs(Math.log((w * h) / pixels));
      if (!best || cost < best.cost) best = { cost, w, h };
    }
  }
  return [best.w, best.h];
}

/** Whether the trunk is given the mirror image: where its right is bright. */
function seenMirrored({ data, width }) {
  let total = 0;
  for (let at = 0; at < data.length; at += 4) {
    total += (data[at] + data[at + 1] + data[at + 2]) * (2 * ((at >> 2) % width) - width + 1);
  }
  return total > 0;
}

/** (1, H, W, 3), floats from 0 to 255. */
function toTensor({ data, width, height }, isMirrored) {
  const values = new Float32Array(3 * width * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = 4 * (y * width + (isMirrored ? width - 1 - x : x));
      const to = 3 * (y * width + x);
      for (let channel = 0; channel < 3; channel += 1) values[to + channel] = data[from + channel];
    }
  }
  return new Tensor("float32", values, [1, height, width, 3]);
}

function mirrored(planes, columns) {
  const out = new Float32Array(planes.length);
  for (let row = 0; row < planes.length; row += columns) {
    out.set(planes.slice(row, row + columns).reverse(), row);
  }
  return out;
}

/** (depth, h, w) -> (h, w, depth). */
function interleaved(planes, depth) {
  const count = planes.length / depth;
  const out = new Float32Array(planes.length);
  for (let channel = 0; channel < depth; channel += 1) {
    for (let pixel = 0; pixel < count; pixel += 1) out[pixel * depth + channel] = planes[channel * count + pixel];
  }
  return out;
}

/** A box normalised to the picture -> normalised to the map, whose pixel i lies on 16 i. */
function onMap(box, size) {
  return box.map((edge, index) => {
    const cells = size[index % 2];
    return (edge * (STRIDE * (cells - 1) + 1) + (STRIDE - 1) / 2) / (STRIDE * cells);
  });
}

/** Rows of `side` samples -> sums and differences of those that a mirror swaps. */
function folded(read, side, depth) {
  const half = side >> 1;
  const rows = read.length / (side * depth);
  const symmetric = new Float32Array(rows * (side - half) * depth);
  const antisymmetric = new Float32Array(rows * half * depth);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < side - half; column += 1) {
      for (let channel = 0; channel < depth; channel += 1) {
        const left = read[(row * side + column) * depth + channel];
        const right = read[(row * side + side - 1 - column) * depth + channel];
        const isMiddle = 2 * column + 1 === side;
        symmetric[(row * (side - half) + column) * depth + channel] = isMiddle ? left : left + right;
        if (column < half) antisymmetric[(row * half + column) * depth + channel] = left - right;
      }
    }
  }
  return { symmetric, antisymmetric };
}
