// What a crop keeps whole, as cropper/subjects.py has it: a penalty and a mask on boxes.

import { area, clamp, overhang, shared, snap } from "./boxes.js";
import { headOf, heightOf } from "./faces.js";
import { parseAspect } from "./space.js";

const HEADROOMS = [0.2, 0.1, 0.05];
const SLACK = 1;
const IN_GROUP = 0.35;
const GROUP = 3;
const ENOUGH = 0.5;
const AT_EDGE = 0.1;
const MISSED = 1e3;
const FORBIDDEN = 1e6;
const CUT = 2;
const [SCALES, PLACES] = [9, 5];
const SHAPES = ["1:3", "1:2", "9:16", "2:3", "3:4", "4:5", "1:1", "5:4", "4:3", "3:2", "16:9", "2:1",
  "21:9", "3:1"].map((name) => [name, parseAspect(name)]);

/** `kept` boxes lie inside of a crop, `whole` ones inside or outside; `note` says what cannot be. */
class Kept {
  constructor(kept, whole = [], note = "") {
    Object.assign(this, { kept, whole, note });
  }

  /** px by which what is kept reaches out of the box. */
  missed(box) {
    return Math.max(0, ...this.kept.map((part) => overhang(part, box)));
  }

  allows(box) {
    return this.missed(box) <= SLACK;
  }

  penalty(box) {
    const missed = this.missed(box);
    const cut = this.whole.reduce((sum, part) => {
      const inside = shared(part, box) / area(part);
      return sum + 2 * Math.min(inside, 1 - inside);
    }, 0);
    return (missed > SLACK ? MISSED + missed : 0) + CUT * cut;
  }
}

/** How much of a group a head is: large ones are nearer to the camera. */
const weightOf = (head) => heightOf(head) ** 2;

/** Heads that no crop holds together: enough of `group` lie inside; `kept` are the most that can. */
class KeptOfGroup extends Kept {
  constructor(kept, whole, note, group) {
    super(kept, whole, note);
    this.group = group;
    this.enough = ENOUGH * kept.reduce((sum, head) => sum + weightOf(head), 0);
  }

  missed(box) {
    let left = this.enough;
    const out = this.group.map((head) => [overhang(head, box), weightOf(head)]);
    return out.sort(([a], [b]) => a - b).find(([, weight]) => (left -= weight) <= 0)[0];
  }
}

/** The constraints of `keep`, a list of faces, largest, none, {face: box} and {box}, in the turned photo. */
export function constraintsOf(keep, faces, spaces, turn) {
  const single = keep.filter((what) => what.face).map((what) => what.face);
  const beside = keep.filter((what) => what.box).map((what) => what.box);
  const found = beside.map((box) => new Kept([box]));
  const heads = (of, isAlone, areSingle) => keepHeads(of, isAlone, areSingle, spaces, turn, beside);
  for (const what of ["faces", "largest"].filter((name) => keep.includes(name))) {
    found.push(heads(faces, what === "largest", false));
  }
  if (single.length) {
    found.push(heads(single.sort((a, b) => heightOf(b) - heightOf(a)), false, true));
  }
  return found;
}

/** Heads of faces, as far as the shape can hold them; room about them is what the boxes `beside` leave. */
function keepHeads(faces, isAlone, areSingle, spaces, turn, beside) {
  if (!faces.length) return new Kept([]);
  const { size } = spaces[0];
  const least = (isAlone ? 1 : IN_GROUP) * heightOf(faces[0]);
  const group = faces.filter((face) => areSingle || heightOf(face) >= least);
  const rooms = spaces.map((space) => turn.fit(space.centred))
    .map(([x0, y0, x1, y1]) => [x1 - x0, y1 - y0]);
  const heads = group.map((face) => headOf(face, size));
  const chosen = thatFit(heads, rooms);
  if (!chosen.some(Boolean)) { // then the face without its hair
    const fits = thatFit(group.slice(0, 1), rooms)[0];
    const told = cannot(fits ? "the whole head" : "the whole face", heads.slice(0, 1), spaces[0], turn);
    return new Kept(group.slice(0, 1), [], told + (fits ? ": its face is kept" : ""));
  }
  const held = (boxes) => boxes.filter((_, index) => chosen[index]);
  const wished = HEADROOMS.map((room) => group.map((face) => headOf(face, size, room)))
    .find((wider) => thatFit([...held(wider), ...beside], rooms).every(Boolean)) ?? heads;
  const roomy = turn.angle ? inReach(wished, chosen, spaces, turn) : wished;
  if (chosen.every(Boolean)) return new Kept(roomy);
  const told = cannot("all heads", heads, spaces[0], turn);
  if (areSingle || group.length < GROUP) return new Kept(held(roomy), heads.filter((_, index) => !chosen[index]), told);
  return new KeptOfGroup(held(roomy), heads, told, roomy);
}

/** As much of the chosen heads at the edge of a turned photo as crops can come near to. */
function inReach(heads, chosen, spaces, turn) {
  const held = (boxes) => boxes.filter((_, index) => chosen[index]);
  const all = around(held(heads));
  const [missed, tight, wide] = spaces.map((space) => {
    const sides = space.largest.map((side, axis) => side * space.size[axis]);
    const needed = Math.max(...sides.map((side, axis) => (all[axis + 2] - all[axis]) / side));
    const [tight, wide] = [clamp(needed, space.minScale, space.maxScale), space.maxScale].map((scale) =>
      turn.fit([-1, 1].flatMap((way) => sides.map((side, axis) =>
        (all[axis] + all[axis + 2]) / 2 + (way * scale * side) / 2))));
    return [Math.max(...held(heads).map((head) => overhang(head, tight))), tight, wide];
  }).reduce((best, each) => (each[0] < best[0] ? each : best));
  if (missed <= SLACK) return heads;
  return heads.map((head, index) => (!chosen[index] ? head : head.map((edge, side) => {
    const inwards = side < 2 ? 1 : -1;
    const reach = inwards * Math.max(inwards * edge, inwards * tight[side]);
    return reach + inwards * clamp(inwards * (wide[side] - reach), 0, AT_EDGE * heightOf(head));
  })));
}

/** Those that one crop can hold together and that weigh most. */
function thatFit(heads, rooms) {
  let best = 0;
  let chosen = heads.map(() => false);
  const sorted = (values) => [...new Set(values)].sort((a, b) => a - b);
  for (const [width, height] of rooms.map((room) => room.map((side) => side + SLACK))) {
    for (const left of sorted(heads.map((head) => head[0]))) {
      const across = heads.map((head) => head[0] >= left && head[2] <= left + width);
      for (const top of sorted(heads.filter((_, index) => across[index]).map((head) => head[1]))) {
        const inside = heads.map((head, index) => across[index] && head[1] >= top && head[3] <= top + height);
        const weight = heads.reduce((sum, head, index) => sum + (inside[index] ? weightOf(head) : 0), 0);
        if (weight > best) [best, chosen] = [weight, inside];
      }
    }
  }
  return chosen;
}

const around = (boxes) => [Math.min(...boxes.map((box) => box[0])), Math.min(...boxes.map((box) => box[1])),
  Math.max(...boxes.map((box) => box[2])), Math.max(...boxes.map((box) => box[3]))];

/** Says so, and names the nearest shape that holds the boxes, if one does; of a turned photo none. */
function cannot(what, held, space, turn) {
  const [width, height] = space.size.map((side) => side * space.maxScale);
  const [x0, y0, x1, y1] = around(held);
  const able = [...SHAPES, ["original", width / height]]
    .filter(([, ratio]) => !turn.angle && (x1 - x0) / height <= ratio && ratio <= width / (y1 - y0))
    .sort(([, a], [, b]) => Math.abs(Math.log(a / space.aspect)) - Math.abs(Math.log(b / space.aspect)));
  return `no crop of this shape holds ${what}${able.length ? `, ${able[0][0]} would` : ""}`;
}

export const allowed = (boxes, bound) => boxes.filter((box) => bound.every((each) => each.allows(box)));

export const penaltyOf = (box, bound) => bound.reduce((sum, each) => sum + each.penalty(box), 0);

/** The objective less the penalties; what is not allowed is below all that is. */
export const constrained = (objective, bound) => async (boxes) =>
  (await objective(boxes)).map((score, index) => {
    const box = boxes[index];
    return bound.reduce((left, each) =>
      left - each.penalty(box) - (each.allows(box) ? 0 : FORBIDDEN), score);
  });

/** Boxes moved by a pixel at most, for what rounding took out of bounds. */
export const nudged = (boxes, size) => [0, -1, 1].flatMap((x) => [0, -1, 1].flatMap((y) =>
  boxes.map((box) => snap([box[0] + x, box[1] + y, box[2] + x, box[3] + y], size))));

/** Crops of several scales that just hold all that is kept, for a search that met none. */
export function aroundKept(bound, spaces) {
  const kept = bound.flatMap((each) => each.kept);
  if (!kept.length) return [];
  const held = around(kept);
  const steps = (from, to, count) => Array.from({ length: count }, (_, step) =>
    from + ((to - from) * step) / (count - 1));
  return spaces.flatMap((space) => steps(space.maxScale, space.minScale, SCALES).flatMap((scale) => {
    const sides = space.largest.map((side, axis) => Math.round(side * scale * space.size[axis]));
    const lows = [0, 1].map((axis) => steps(held[axis + 2] - sides[axis], held[axis], PLACES)
      .map((low) => clamp(Math.round(low), 0, space.size[axis] - sides[axis])));
    return lows[0].flatMap((x) => lows[1].map((y) => [x, y, x + sides[0], y + sides[1]]));
  }));
}
