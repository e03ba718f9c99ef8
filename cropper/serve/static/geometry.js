// Frames in pixels of the upright photo: {x, y, w, h, angle}, always inside of it. With an angle, in
// degrees clockwise, they are of the photo turned back by that (turn.js); whole pixels without.

import { Turn } from "./turn.js";

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const hundredths = (value) => Math.round(value * 100) / 100;

export const fromBox = ([x0, y0, x1, y1], angle = 0) => ({ x: x0, y: y0, w: x1 - x0, h: y1 - y0, angle });
export const toBox = ({ x, y, w, h }) => [x, y, x + w, y + h];
export const turnOf = ({ angle = 0 }, size) => new Turn(size, angle);
export const same = (a, b) =>
  a.x === b.x && a.y === b.y && a.w === b.w && a.h === b.h && (a.angle ?? 0) === (b.angle ?? 0);

/** The frame of a crop as the engine answers it, in a photo of `size` that is turned by `angle`. */
export function fromCrop({ box, corners }, angle, size) {
  if (!corners) return fromBox(box);
  const turn = new Turn(size, angle);
  return rounded([corners[0], corners[2]].flatMap((corner) => turn.inTurned(corner)), turn);
}

/** Where a frame is cut, for the engine: {box}, or {corners} of a turned one. */
export function placeOf(frame, size) {
  if (!frame.angle) return { box: toBox(frame) };
  const corners = turnOf(frame, size).cornersInside(toBox(frame));
  return { corners: corners.map((point) => point.map(hundredths)) };
}

const rounded = (box, { angle }) => fromBox(box.map(hundredths), angle);

/** The nearest frame inside the photo; sides are kept before places. */
export function inside(frame, turn) {
  const [width, height] = turn.size;
  const whole = turn.angle ? (value) => value : Math.round;
  const w = clamp(whole(frame.w), 1, width);
  const h = clamp(whole(frame.h), 1, height);
  const [x, y] = [clamp(whole(frame.x), 0, width - w), clamp(whole(frame.y), 0, height - h)];
  const box = [x, y, x + w, y + h];
  return turn.angle ? rounded(turn.fit(box), turn) : fromBox(box);
}

/** As far from one frame to another as all corners stay in the photo. */
function toward(from, to, turn) {
  if (!turn.angle) return inside(to, turn);
  const [start, end] = [from, to].map((frame) => turn.corners(toBox(frame)).flat());
  const share = Math.min(1, ...end.map((at, index) => {
    const limit = clamp(at, 0, turn.size[index % 2]);
    return at === limit ? 1 : Math.max((limit - start[index]) / (at - start[index]), 0);
  }));
  return rounded(toBox(from).map((edge, index) => edge + share * (toBox(to)[index] - edge)), turn);
}

/** A frame whose centre stays where it is in the photo, at another angle. */
export function turned(frame, angle, size) {
  const turn = new Turn(size, angle);
  const centre = turnOf(frame, size).inPhoto([frame.x + frame.w / 2, frame.y + frame.h / 2]);
  const [x, y] = turn.inTurned(centre);
  return inside({ ...frame, x: x - frame.w / 2, y: y - frame.h / 2 }, turn);
}

/**
 * The frame with the edges that `edge` names ('n', 'se', ...) moved to a place. With a ratio the
 * opposite corner stays and the frame is the largest of that ratio which the place allows.
 */
export function resized(frame, edge, px, py, ratio, turn) {
  const [width, height] = turn.size;
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
  return toward(frame, { x: x0, y: y0, w: x1 - x0, h: y1 - y0 }, turn);
}

/** Grown (factor above 1) or shrunk about its centre, as far as the photo allows. */
export function scaled(frame, factor, turn) {
  const most = Math.min(turn.size[0] / frame.w, turn.size[1] / frame.h);
  const by = Math.min(factor, most);
  const w = Math.max(frame.w * by, 8);
  const h = Math.max(frame.h * by, 8);
  return inside({ x: frame.x + (frame.w - w) / 2, y: frame.y + (frame.h - h) / 2, w, h }, turn);
}

const SLIP = 8; // px of the screen that a press may slip without drawing a frame

/**
 * What a finger that goes down at `start` does to a frame as it moves: (place) -> frame or null. On
 * an edge it resizes, elsewhere in the `whole` frame it moves, beside it it draws a new one. `pixel`
 * is one of the screen in pixels of the photo.
 */
export function drag(frame, start, { edge, whole, ratio, pixel }, turn) {
  if (!whole) return (place) => drawn(start, place, ratio, SLIP * pixel, turn);
  return ([px, py]) => {
    const [dx, dy] = [px - start[0], py - start[1]];
    if (!edge) return inside({ ...frame, x: frame.x + dx, y: frame.y + dy }, turn);
    const x = (edge.includes("w") ? frame.x : frame.x + frame.w) + dx;
    const y = (edge.includes("n") ? frame.y : frame.y + frame.h) + dy;
    return resized(frame, edge, x, y, ratio, turn);
  };
}

/** From one corner to another; null as long as they are closer than `slip`. */
function drawn(start, [px, py], ratio, slip, turn) {
  const there = turn.inPhoto(start).map((at, axis) => clamp(at, 1, turn.size[axis] - 1));
  const [x, y] = turn.inTurned(there);
  if (Math.max(Math.abs(px - x), Math.abs(py - y)) < slip) return null;
  const way = (py < y ? "n" : "s") + (px < x ? "w" : "e");
  const frame = resized({ x, y, w: 0, h: 0 }, way, px, py, ratio, turn);
  return Math.min(frame.w, frame.h) < 1 ? null : frame;
}

/** What two fingers do to a frame: they carry it and stretch it. (a, b) -> frame. */
export function pinch(frame, a, b, turn) {
  const apart = Math.max(Math.hypot(a[0] - b[0], a[1] - b[1]), 1);
  return (c, d) => {
    if (!d) return null;
    const grown = scaled(frame, Math.hypot(c[0] - d[0], c[1] - d[1]) / apart, turn);
    const [dx, dy] = [0, 1].map((i) => (c[i] + d[i] - a[i] - b[i]) / 2);
    return inside({ ...grown, x: grown.x + dx, y: grown.y + dy }, turn);
  };
}
