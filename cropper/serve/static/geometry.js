// Frames in whole pixels of the upright photo: {x, y, w, h}, always inside of it.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

export const fromBox = ([x0, y0, x1, y1]) => ({ x: x0, y: y0, w: x1 - x0, h: y1 - y0 });
export const toBox = ({ x, y, w, h }) => [x, y, x + w, y + h];
export const same = (a, b) => a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h;

/** The nearest frame of whole pixels inside the photo; sides are kept before places. */
export function inside(frame, [width, height]) {
  const w = clamp(Math.round(frame.w), 1, width);
  const h = clamp(Math.round(frame.h), 1, height);
  return {
    x: clamp(Math.round(frame.x), 0, width - w),
    y: clamp(Math.round(frame.y), 0, height - h),
    w,
    h,
  };
}

/**
 * The frame with the edges that `edge` names ('n', 'se', ...) moved to a place. With a ratio the
 * opposite corner stays and the frame is the largest of that ratio which the place allows.
 */
export function resized(frame, edge, px, py, ratio, [width, height]) {
  const right = frame.x + frame.w;
  const bottom = frame.y + frame.h;
  let x0 = edge.includes("w") ? clamp(px, 0, right - 1) : frame.x;
  let x1 = edge.includes("e") ? clamp(px, frame.x + 1, width) : right;
  let y0 = edge.includes("n") ? clamp(py, 0, bottom - 1) : frame.y;
  let y1 = edge.includes("s") ? clamp(py, frame.y + 1, height) : bottom;
  if (ratio) {
    const roomX = edge.includes("w") ? right : width - frame.x;
    const roomY = edge.includes("n") ? bottom : height - frame.y;
    const w = Math.min(Math.max(x1 - x0, (y1 - y0) * ratio), roomX, roomY * ratio);
    const h = w / ratio;
    if (edge.includes("w")) x0 = x1 - w;
    else x1 = x0 + w;
    if (edge.includes("n")) y0 = y1 - h;
    else y1 = y0 + h;
  }
  return inside({ x: x0, y: y0, w: x1 - x0, h: y1 - y0 }, [width, height]);
}

/** Grown (factor above 1) or shrunk about its centre, as far as the photo allows. */
export function scaled(frame, factor, [width, height]) {
  const most = Math.min(width / frame.w, height / frame.h);
  const by = Math.min(factor, most);
  const w = Math.max(frame.w * by, 8);
  const h = Math.max(frame.h * by, 8);
  const centred = { x: frame.x + (frame.w - w) / 2, y: frame.y + (frame.h - h) / 2, w, h };
  return inside(centred, [width, height]);
}

const SLIP = 8; // px of the screen that a press may slip without drawing a frame

/**
 * What a finger that goes down at `start` does to a frame as it moves: (place) -> frame or null. On
 * an edge it resizes, elsewhere in the `whole` frame it moves, beside it it draws a new one. `pixel`
 * is one of the screen in pixels of the photo.
 */
export function drag(frame, start, { edge, whole, ratio, pixel }, size) {
  if (!whole) return (place) => drawn(start, place, ratio, SLIP * pixel, size);
  return ([px, py]) => {
    const [dx, dy] = [px - start[0], py - start[1]];
    if (!edge) return inside({ ...frame, x: frame.x + dx, y: frame.y + dy }, size);
    const x = (edge.includes("w") ? frame.x : frame.x + frame.w) + dx;
    const y = (edge.includes("n") ? frame.y : frame.y + frame.h) + dy;
    return resized(frame, edge, x, y, ratio, size);
  };
}

/** From one corner to another; null as long as they are closer than `slip`. */
function drawn([x, y], [px, py], ratio, slip, size) {
  if (Math.max(Math.abs(px - x), Math.abs(py - y)) < slip) return null;
  const corner = { x: clamp(x, 1, size[0] - 1), y: clamp(y, 1, size[1] - 1), w: 0, h: 0 };
  return resized(corner, (py < y ? "n" : "s") + (px < x ? "w" : "e"), px, py, ratio, size);
}

/** What two fingers do to a frame: they carry it and stretch it. (a, b) -> frame. */
export function pinch(frame, a, b, size) {
  const apart = Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
  return (c, d) => {
    if (!d) return null;
    const grown = scaled(frame, Math.hypot(c[0] - d[0], c[1] - d[1]) / apart, size);
    const [dx, dy] = [0, 1].map((i) => (c[i] + d[i] - a[i] - b[i]) / 2);
    return inside({ ...grown, x: grown.x + dx, y: grown.y + dy }, size);
  };
}
