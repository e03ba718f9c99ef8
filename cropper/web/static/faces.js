// Faces by YuNet, and heads around them, as cropper/faces.py has them.

import { area, clipped, nms } from "./boxes.js";
import { resized, roundEven } from "./pixels.js";
import { Tensor } from "./runtime.js";

const LONG_SIDE = 448;
const LEAST = 0.6;
const OVERLAP = 0.3;
const [HAIR, EARS, CHIN] = [0.45, 0.2, 0.1];

export const heightOf = (face) => face[3] - face[1];

/** The box of a head with its hair; `room` is left above it, in heights of the face. */
export function headOf([x0, y0, x1, y1], size, room = 0) {
  const [width, height] = [x1 - x0, y1 - y0];
  const beside = EARS * width + (room / 2) * height;
  const head = [x0 - beside, y0 - (HAIR + room) * height, x1 + beside, y1 + (CHIN + room / 2) * height];
  return clipped(head, size);
}

/** The boxes of the faces in a view of a photo of `size`, the largest first. */
export async function findFaces(session, view, size) {
  const scale = Math.min(LONG_SIDE / Math.max(view.width, view.height), 1);
  const [width, height] = [view.width, view.height].map((side) => Math.max(roundEven(side * scale), 1));
  const pixels = scale < 1 ? resized(view, width, height) : view;
  const [columns, rows] = [width, height].map((side) => 32 * Math.ceil(side / 32));
  const planes = new Float32Array(3 * columns * rows);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const from = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel += 1) { // blue first
        planes[(channel * rows + y) * columns + x] = pixels.data[from + 2 - channel];
      }
    }
  }
  const found = await session.run({ input: new Tensor("float32", planes, [1, 3, rows, columns]) });
  const seen = [8, 16, 32].flatMap((stride) => decoded(found, stride, columns));
  seen.sort((a, b) => b.score - a.score);
  const by = [size[0] / width, size[1] / height];
  const boxes = seen.map(({ box }) => box.map((edge, index) => edge * by[index % 2]));
  return nms(boxes, OVERLAP, boxes.length)
    .map((index) => clipped(boxes[index], size))
    .filter((box) => area(box) > 0)
    .sort((a, b) => heightOf(b) - heightOf(a));
}

function decoded(found, stride, width) {
  const [classes, objects, shapes] = ["cls", "obj", "bbox"].map((part) => found[`${part}_${stride}`].data);
  const columns = width / stride;
  const seen = [];
  for (let cell = 0; cell < classes.length; cell += 1) {
    const score = Math.sqrt(Math.min(Math.max(classes[cell] * objects[cell], 0), 1));
    if (score < LEAST) continue;
    const [dx, dy, logWidth, logHeight] = shapes.slice(4 * cell, 4 * cell + 4);
    const [x, y] = [(cell % columns) + dx, Math.floor(cell / columns) + dy];
    const [w, h] = [Math.exp(logWidth) / 2, Math.exp(logHeight) / 2];
    seen.push({ score, box: [x - w, y - h, x + w, y + h].map((edge) => edge * stride) });
  }
  return seen;
}
