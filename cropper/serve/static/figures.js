// What is said of the frame in view: its score, and how many prefer it to what else there is.

import { inWords } from "./angle.js";

const get = (id) => document.getElementById(id);

/** What the crop is compared with: the whole photo only where the shape allows it to be the answer. */
function rivalOf(photo) {
  const isWhole = photo.shape === "original" || photo.shape === "free";
  return isWhole
    ? { score: photo.full, name: "Full frame", phrase: "the full frame" }
    : { score: photo.centre, name: "Centred", phrase: "the centred crop of this shape" };
}

/** The share of people who prefer a crop to that; 1 where a scorer cannot say. */
export const preferredToRival = (photo, { score, preferred_to_full_frame: preferred }) =>
  (preferred === null ? 1 : 1 / (1 + Math.exp(rivalOf(photo).score - score)));

/** Of a crop or a scored box. A scorer that cannot say has no `preferred_to_full_frame`. */
export function showFigures(photo, crop, frame) {
  const { score, preferred_to_full_frame: preferred } = crop;
  const size = `${Math.round(frame.w)} by ${Math.round(frame.h)} pixels`;
  const turned = frame.angle ? `, the photo turned ${inWords(frame.angle)}` : "";
  const rival = rivalOf(photo);
  const says = preferred !== null;
  const share = says ? `${Math.round(100 * preferredToRival(photo, crop))} %` : "";
  get("verdict").hidden = !says;
  get("preferred").textContent = share;
  get("rival").textContent = rival.phrase;
  get("rival-name").textContent = rival.name;
  get("bar").style.width = share.replace(" ", "");
  get("score").textContent = score.toFixed(2);
  get("full").textContent = rival.score.toFixed(2);
  get("box").setAttribute("aria-label", `Crop, ${size}${turned}`);
  get("spoken").textContent = `Crop ${size}${turned}, score ${score.toFixed(2)}` +
    (share && `, ${share} would prefer it to ${rival.phrase}`);
  markStale(false);
}

/** While the score of the frame in view is not known yet. */
export const markStale = (stale) => get("work").classList.toggle("stale", stale);

/** What cannot be had and what to know of it, one line each. */
export function showNotes(lines) {
  get("notes").replaceChildren(...lines.map((line) => {
    const item = document.createElement("li");
    item.textContent = line;
    return item;
  }));
  get("notes").hidden = !lines.length;
}
