// Successive halving over crop spaces, as cropper/search.py has it.

import { nms } from "./boxes.js";
import { ranking } from "./space.js";

export const OVERLAP = 0.7; // IoU that two crops have at most
const COARSEST = 0.9;
const RESOLUTION = 0.02;
const SURVIVORS = 16;

const keyOf = (owner, params) => `${owner}:${params.map((value) => Math.round(value * 1e9)).join()}`;

/** The best `count` boxes of `objective`, which maps boxes to a promise of scores. */
export async function search(objective, spaces, budget, count) {
  const run = { boxes: [], params: [], owners: [], scores: [], known: new Set() };

  async function score(candidates) {
    const boxes = candidates.map(([owner, params]) => spaces[owner].box(params));
    const scores = await objective(boxes);
    candidates.forEach(([owner, params], index) => {
      run.owners.push(owner);
      run.params.push(params);
      run.boxes.push(boxes[index]);
      run.scores.push(scores[index]);
      run.known.add(keyOf(owner, params));
    });
  }

  const best = (most, among) => {
    const order = ranking(run.boxes, run.scores, spaces[0].size).slice(0, among);
    return nms(order.map((index) => run.boxes[index]), OVERLAP, most).map((place) => order[place]);
  };

  let stride = coarseStride(spaces, budget);
  await score(spaces.flatMap((space, owner) => space.grid(stride).map((params) => [owner, params])));
  for (let survivors = SURVIVORS; stride > RESOLUTION; survivors = Math.max(survivors >> 1, 1)) {
    stride /= 2;
    const around = roundOf(run, spaces, best(survivors, 2000), stride, budget);
    if (!around) break;
    if (around.length) await score(around);
  }
  return { boxes: best(count, 10_000).map((index) => run.boxes[index]), candidates: run.scores.length };
}

/** What is new around survivors, best first, as far as this round's share of the budget goes. */
function roundOf(run, spaces, survivors, stride, budget) {
  const rounds = Math.ceil(Math.log2(stride / RESOLUTION)) + 1;
  const left = budget - run.scores.length;
  const share = Math.min(left, Math.max(Math.floor(left / Math.max(rounds, 1)), 27));
  const found = [];
  let groups = 0;
  for (const index of survivors) {
    const owner = run.owners[index];
    const fresh = new Map();
    for (const params of spaces[owner].neighbourhood(run.params[index], stride)) {
      const key = keyOf(owner, params);
      if (!run.known.has(key)) fresh.set(key, [owner, params]);
    }
    if (found.length + fresh.size > share) break;
    found.push(...fresh.values());
    groups += 1;
  }
  return groups ? found : null;
}

/** Of the grids that take half of the budget; the coarsest where even that takes more. */
function coarseStride(spaces, budget) {
  const count = (stride) => spaces.reduce((total, space) => total + space.gridSize(stride), 0);
  const most = Math.max(Math.floor(budget / 2), count(COARSEST));
  let [coarse, fine] = [COARSEST, 1e-3];
  if (count(fine) <= most) return fine;
  while (coarse / fine > 1.001) {
    const middle = Math.sqrt(coarse * fine);
    if (count(middle) > most) fine = middle;
    else coarse = middle;
  }
  return coarse;
}
