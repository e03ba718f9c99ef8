// The heat map: the score of the best crop centred at each place, asked for when it is switched on.

import * as api from "./engine.js";
import { drawHeat } from "./drawing.js";
import * as settings from "./settings.js";

const get = (id) => document.getElementById(id);

function show(heat) {
  const shown = get("show-heat").checked && Boolean(heat);
  if (shown) drawHeat(get("heat"), heat);
  get("heat").hidden = get("legend").hidden = !shown;
  get("stage").classList.toggle("heated", shown);
}

/** Draws the photo's map where it is wanted, found or not yet; `inView()` tells whether still. */
export async function wantHeat(photo, inView) {
  const options = settings.options();
  if (photo?.state !== "done") return;
  show(photo.heat);
  if (!get("show-heat").checked || photo.heat || !options) return;
  const answer = await api.crop(photo.file, { ...options, ...photo.options, heat: "true" });
  photo.heat = answer.heat;
  if (inView()) show(photo.heat);
}
