// The crop space of three parameters [scale, centre x, centre y], as cropper/space.py has it.

import { area, clamp, snap } from "./boxes.js";

export const MIN_SCALE = 0.5;
const FREE = Array.from({ length: 9 }, (_, step) => 2 ** ((step - 4) / 4));
const EPSILON = 1e-9;

export class CropSpace {
  constructor(size, aspect, minScale = MIN_SCALE, maxScale = 1) {
    Object.assign(this, { size, aspect, minScale, maxScale });
    const ratio = (aspect * size[1]) / size[0];
    this.largest = [Math.min(ratio, 1), Math.min(1 / ratio, 1)];
  }

  get centred() {
    return this.box([this.maxScale, 0.5, 0.5]);
  }

  box([asked, ...centre]) {
    const scale = clamp(asked, this.minScale, this.maxScale);
    const low = [];
    const high = [];
    for (const axis of [0, 1]) {
      const half = (scale * this.largest[axis]) / 2;
      const middle = clamp(centre[axis], half, 1 - half);
      low.push(Math.max(middle - half, 0) * this.size[axis]);
      high.push(Math.min(middle + half, 1) * this.size[axis]);
    }
    return [...low, ...high];
  }

  /** The lattice whose neighbours differ by at most `stride` of the crop's side. */
  grid(stride) {
    const found = [];
    for (const scale of this.#ladder(stride)) {
      const [xs, ys] = [0, 1].map((axis) => spread((scale * this.largest[axis]) / 2,
        this.#places(scale, axis, stride)));
      for (const y of ys) for (const x of xs) found.push([scale, x, y]);
    }
    return found;
  }

  gridSize(stride) {
    return this.#ladder(stride).reduce((total, scale) =>
      total + this.#places(scale, 0, stride) * this.#places(scale, 1, stride), 0);
  }

  /** The 27 crops around one, a step along each axis. */
  neighbourhood([scale, ...centre], stride) {
    const found = [];
    for (const a of [-1, 0, 1]) {
      const near = clamp(scale * (1 - stride) ** a, this.minScale, this.maxScale);
      const half = this.largest.map((side) => (near * side) / 2);
      const at = (axis, step) =>
        Math.max(Math.min(centre[axis] + step * 2 * stride * half[axis], 1 - half[axis]), half[axis]);
      for (const b of [-1, 0, 1]) for (const c of [-1, 0, 1]) found.push([near, at(0, b), at(1, c)]);
    }
    return found;
  }

  #ladder(stride) {
    const rungs = Math.log(this.minScale / this.maxScale) / Math.log(1 - stride);
    const count = Math.max(Math.ceil(rungs - EPSILON), 0);
    return Array.from({ length: count + 1 }, (_, rung) =>
      rung === 0 ? this.maxScale
        : rung === count ? this.minScale
          : this.maxScale * (this.minScale / this.maxScale) ** (rung / count));
  }

  #places(scale, axis, stride) {
    const side = scale * this.largest[axis];
    return 1 + Math.ceil((1 - side) / (stride * side) - EPSILON);
  }
}

function spread(half, count) {
  if (count === 1) return [0.5];
  return Array.from({ length: count }, (_, step) =>
    0.5 + ((0.5 - half) * (2 * step - (count - 1))) / (count - 1));
}

/** Width over height of 'W:H'; throws for what is none. */
export function parseAspect(text) {
  const [width, height] = text.split(":").map(Number);
  if (!(width > 0 && height > 0)) throw new Error(`aspect is original, free or W:H, got ${text}`);
  return width / height;
}

/** The spaces of a request; their crops have the pixels that it wants where the photo has them. */
export function spacesOf(request, size) {
  const { aspect = "original", exact, minScale = MIN_SCALE, maxScale = 1 } = request;
  const aspects = exact ? [exact[0] / exact[1]]
    : aspect === "free" ? FREE
      : aspect === "original" ? [size[0] / size[1]]
        : [parseAspect(aspect)];
  const spaces = aspects.map((ratio) => new CropSpace(size, ratio, minScale, maxScale));
  const able = spaces.filter((space) => leastScale(space, request) <= maxScale);
  for (const space of able) space.minScale = Math.max(minScale, leastScale(space, request));
  return able.length ? able : spaces;
}

/** Of crops that need no enlargement and have `minPixels`; above 1 where none has. */
function leastScale(space, { exact = [0, 0], minPixels }) {
  const [width, height] = space.largest.map((side, axis) => side * space.size[axis]);
  let scale = Math.max(exact[0] / width, exact[1] / height);
  if (minPixels) {
    if (area(snap(space.centred, space.size)) < minPixels) return Infinity;
    const half = (width + height) / 4; // both sides may be rounded down by half a pixel
    const root = Math.sqrt(half ** 2 + width * height * (minPixels - 0.25));
    scale = Math.max(scale, Math.min((half + root) / (width * height), space.maxScale));
  }
  return scale > space.maxScale + EPSILON ? scale : Math.min(scale, space.maxScale);
}

/** Boxes by score, best first; ties to the larger, then the more central, then the earlier. */
export function ranking(boxes, scores, size) {
  const sizes = boxes.map((box) => Math.round(area(box) * 1e3));
  const off = boxes.map((box) => Math.round(1e9 * [0, 1].reduce((sum, axis) =>
    sum + Math.abs((box[axis] + box[axis + 2]) / 2 / size[axis] - 0.5), 0)));
  return [...boxes.keys()].sort((a, b) =>
    scores[b] - scores[a] || sizes[b] - sizes[a] || off[a] - off[b] || a - b);
}

/** A box of the same sides in the middle of the photo. */
export const centred = (box, size) => {
  const low = [0, 1].map((axis) => (size[axis] - (box[axis + 2] - box[axis])) / 2);
  return [...low, low[0] + box[2] - box[0], low[1] + box[3] - box[1]];
};
