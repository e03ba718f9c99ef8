// The selfie scorer on single crops: a head on the site's trunk, and the place of the largest face,
// as cropper/scorers/selfie.py has them.

import { area, normalised } from "./boxes.js";
import { mipLevels, readBoxes } from "./pyramid.js";
import { resized, roundEven } from "./pixels.js";
import { Tensor } from "./runtime.js";

const FLOOR = -1; // log ratio below which places are about equally bad
const WHOLE = [0, 0, 1, 1];

export class Selfie {
  /** `config` is the scorer's, from site.json; the sessions are those of trunk and head. */
  constructor(trunk, head, config) {
    Object.assign(this, { trunk, head, config });
  }

  /** What a picture of a film is judged by: its view. */
  view(pixels) {
    const scale = Math.min(this.config.long_side / Math.max(pixels.width, pixels.height), 1);
    const [width, height] = [pixels.width, pixels.height].map((side) => Math.max(roundEven(side * scale), 1));
    return resized(pixels, width, height);
  }

  /** For each box of a photo of `size`: the network's {taste}, and the {place}'s part of the score. */
  async score(view, size, face, boxes) {
    const where = boxes.map((box) => normalised(box, size));
    const { side } = this.config;
    const pixels = new Tensor("float32", crops(view, where, side), [2 * boxes.length, side, side, 3]);
    const taps = await this.trunk.run({ pixels }, ["tap.0", "tap.1", "tap.2"]);
    const { data } = (await this.head.run(taps)).scores;
    const seen = face && normalised(face, size);
    return where.map((box, index) => ({
      taste: (data[index] + data[boxes.length + index]) / 2,
      place: this.#gain(seen, box),
    }));
  }

  /** What a crop gains over the whole picture by where the face is in it, less what is cut away. */
  #gain(face, box) {
    const cut = Math.log(area(box));
    if (!face) return cut;
    const places = [box, WHOLE].map((each) => placeOf(face, each));
    const [fit, whole] = places.map((place) => Math.log(
      Math.exp(logDensity(this.config.liked, place) - logDensity(this.config.usual, place)) + Math.exp(FLOOR)));
    const weight = Math.min(Math.max((places[1][2] - this.config.least) / Math.LN2, 0), 1);
    return weight * (fit - whole) + cut;
  }
}

/** The crops, squashed to squares, then their mirror images: (2 N, side, side, 3). */
function crops({ data, width, height }, boxes, side) {
  const values = new Float32Array(3 * width * height);
  for (let at = 0; at < values.length; at += 1) values[at] = data[4 * Math.floor(at / 3) + (at % 3)];
  const levels = mipLevels({ data: values, width, height }, 3);
  const read = readBoxes(levels, 3, boxes, side);
  const both = new Float32Array(2 * read.length);
  both.set(read);
  for (let pixel = 0; pixel < read.length / 3; pixel += 1) {
    const from = 3 * (pixel - (pixel % side) + side - 1 - (pixel % side));
    both.set(read.subarray(from, from + 3), read.length + 3 * pixel);
  }
  return both;
}

/** A face's centre in shares of a box's sides, and half the log of its share of the area. */
function placeOf(face, box) {
  const centre = [0, 1].map((axis) =>
    ((face[axis] + face[axis + 2]) / 2 - box[axis]) / (box[axis + 2] - box[axis]));
  return [...centre, Math.log(area(face) / area(box)) / 2];
}

/** Of a normal distribution, up to a constant of all. */
function logDensity({ mean, precision, log_determinant: volume }, place) {
  const off = place.map((value, axis) => value - mean[axis]);
  const far = off.reduce((total, a, row) =>
    total + a * off.reduce((sum, b, column) => sum + precision[row][column] * b, 0), 0);
  return -(far + volume) / 2;
}
