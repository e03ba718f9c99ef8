// Boxes [x0, y0, x1, y1] in pixels of the upright photo, as cropper/boxes.py has them.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
export const area = ([x0, y0, x1, y1]) => (x1 - x0) * (y1 - y0);
export const normalised = ([x0, y0, x1, y1], [width, height]) =>
  [x0 / width, y0 / height, x1 / width, y1 / height];

export function clipped([x0, y0, x1, y1], [width, height]) {
  return [clamp(x0, 0, width), clamp(y0, 0, height), clamp(x1, 0, width), clamp(y1, 0, height)];
}

/** The area that two boxes share. */
export function shared(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(width, 0) * Math.max(height, 0);
}

export function iou(a, b) {
  const both = shared(a, b);
  const union = area(a) + area(b) - both;
  return union > 0 ? both / union : 0;
}

/** Places of at most `limit` of the boxes, best first, none overlapping an earlier one too much. */
export function nms(ranked, threshold, limit) {
  const kept = [];
  for (let index = 0; index < ranked.length && kept.length < limit; index += 1) {
    if (kept.every((other) => iou(ranked[other], ranked[index]) <= threshold)) kept.push(index);
  }
  return kept;
}

/** How far a part reaches out of a box, px; 0 inside of it. */
export const overhang = (part, box) =>
  Math.max(box[0] - part[0], box[1] - part[1], part[2] - box[2], part[3] - box[3], 0);

const toSix = (value) => Math.round(value * 1e6) / 1e6;

/** The nearest box of whole pixels inside the photo; sides are rounded before places. */
export function snap(box, size) {
  const low = [];
  const high = [];
  for (const axis of [0, 1]) {
    const side = clamp(Math.floor(toSix(box[axis + 2] - box[axis]) + 0.5), 1, size[axis]);
    const centre = (box[axis] + box[axis + 2]) / 2;
    low.push(clamp(Math.floor(centre - side / 2 + 0.5), 0, size[axis] - side));
    high.push(low[axis] + side);
  }
  return [...low, ...high];
}

/** The boxes without those that come twice, sorted by their edges. */
export function distinct(boxes) {
  const known = new Map(boxes.map((box) => [box.join(), box]));
  return [...known.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]);
}
