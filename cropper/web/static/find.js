// The best crops of one photo: bind, search, snap to pixels, rank, as cropper/finder.py does it.

import { distinct, iou, snap } from "./boxes.js";
import { OVERLAP, search } from "./search.js";
import { CropSpace, centred, spacesOf } from "./space.js";
import { allowed, aroundKept, constrained, constraintsOf, nudged, penaltyOf } from "./subjects.js";

const [BUDGET, FREE_BUDGET] = [300, 1000];
const HEAT = { columns: 48, scales: [0.5, 0.6, 0.7, 0.8, 0.9, 1] };

/**
 * Crops of a photo, with what the service's answer says of them. `bound` is {objective, turn, faces()},
 * all of the turned photo; `request` {aspect, exact, minScale, maxScale, topK, keep, budget}. `wanted`
 * is the objective with what the constraints cost.
 */
export async function find({ objective, turn, faces }, request) {
  const { size } = turn;
  const spaces = spacesOf(request, size);
  const keep = request.keep ?? ["faces"];
  const isLooking = keep.includes("faces") || keep.includes("largest");
  const seen = isLooking ? await faces() : null;
  const bound = constraintsOf(keep.map((what) => inTurned(what, turn)), seen ?? [], spaces, turn);
  const budget = request.budget ?? (!request.exact && request.aspect === "free" ? FREE_BUDGET : BUDGET);
  const wanted = constrained(objective, bound);
  const fitting = (boxes) => wanted(boxes.map((box) => turn.fit(box)));
  const found = await search(fitting, spaces, budget, request.topK ?? 1);
  const { boxes, notes } = await placed(found.boxes, bound, spaces, objective, turn, keep);
  const best = await ranked(boxes, bound, spaces, objective, turn, request);
  checkPixels(best.crops[0].box, request);
  const home = seen && seen.map((face) => turn.home(face));
  return { ...best, notes, faces: home, candidates: found.candidates, wanted };
}

/** A part to keep as it lies in the turned photo. */
const inTurned = (what, turn) => (turn.angle && what.face ? { face: turn.around(what.face) }
  : turn.angle && what.box ? { box: turn.around(what.box) } : what);

/** As a box is cut: in whole pixels where nothing is turned. */
const place = (box, turn) => (turn.angle ? turn.fit(box) : snap(box, turn.size));

function checkPixels([x0, y0, x1, y1], { minPixels = 0 }) {
  const [width, height] = [Math.round(x1 - x0), Math.round(y1 - y0)];
  if (width * height >= minPixels) return;
  throw new Error(`the crop has ${width}x${height} px, fewer than ${minPixels}: take a larger photo`);
}

/** What was found, in whole pixels, less what the constraints exclude; and notes. */
async function placed(found, bound, spaces, objective, turn, keep) {
  const notes = bound.map((each) => each.note).filter(Boolean);
  const boxes = distinct(found.map((box) => place(box, turn)));
  const inside = allowed(boxes, bound);
  if (inside.length) return { boxes: inside, notes };
  const near = [...nudged(boxes, turn.size), ...aroundKept(bound, spaces)].map((box) => place(box, turn));
  const others = allowed(near, bound);
  if (others.length) {
    const scores = await objective(others);
    return { boxes: [others[scores.indexOf(Math.max(...scores))]], notes };
  }
  const what = keep.some((each) => each.face || each.box) ? "keeps and avoids all that it should" : "keeps heads whole";
  return { boxes, notes: notes.length ? notes : [`no crop ${what}: this one comes nearest`] };
}

/** The crops, best first, and the scores of the whole photo and of the centred crop. */
async function ranked(found, bound, spaces, objective, turn, request) {
  const hasShape = Boolean(request.exact) || !["original", "free"].includes(request.aspect ?? "original");
  const whole = place([0, 0, ...turn.size], turn);
  const boxes = [...found, whole];
  const full = boxes.length - 1;
  const middle = hasShape ? [place(spaces[0].centred, turn)]
    : found.map((box) => turn.fit(centred(box, turn.size)));
  const scores = await objective([...boxes, ...middle]);
  const wanted = boxes.map((box, index) => scores[index] - penaltyOf(box, bound));
  const order = found.map((_, index) => index).sort((a, b) => wanted[b] - wanted[a] || a - b);
  const takesWhole = !hasShape && (request.maxScale ?? 1) === 1 && allowed([whole], bound).length;
  if (takesWhole && wanted[full] > wanted[order[0]]) {
    const apart = order.filter((index) => iou(whole, boxes[index]) <= OVERLAP);
    order.splice(0, order.length, ...[full, ...apart].slice(0, request.topK ?? 1));
  }
  const own = hasShape ? 0 : order[0];
  return {
    crops: order.map((index) => ({ box: boxes[index], score: scores[index] })),
    full: scores[full],
    centre: scores[order[0] === full ? full : boxes.length + own],
  };
}

/** The best score of the crops centred at each place, as the page's heat map draws it. */
export async function heatOf({ objective, turn: { size } }, aspect) {
  const { columns, scales } = HEAT;
  const rows = Math.max(Math.round((columns * size[1]) / size[0]), 1);
  const { largest } = new CropSpace(size, aspect);
  const boxes = [];
  const places = [];
  for (const scale of scales) {
    const half = largest.map((side) => (scale * side) / 2);
    for (let place = 0; place < rows * columns; place += 1) {
      const at = [((place % columns) + 0.5) / columns, (Math.floor(place / columns) + 0.5) / rows];
      const fits = at.every((value, axis) => {
        const slack = 1e-9 + 0.5 / [columns, rows][axis];
        return value >= half[axis] - slack && value <= 1 - half[axis] + slack;
      });
      if (!fits) continue;
      const centre = at.map((value, axis) => Math.min(Math.max(value, half[axis]), 1 - half[axis]));
      const edges = [centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]];
      boxes.push(edges.map((edge, index) => Math.min(Math.max(edge, 0), 1) * size[index % 2]));
      places.push(place);
    }
  }
  const found = await objective(boxes);
  const best = Array(rows * columns).fill(null);
  places.forEach((place, index) => { best[place] = Math.max(best[place] ?? -Infinity, found[index]); });
  const scores = Array.from({ length: rows }, (_, row) => best.slice(row * columns, (row + 1) * columns));
  return { aspect, rows, columns, scores };
}
