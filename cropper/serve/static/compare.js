// Before and after: the whole photo, and over it the crop as it will be written, behind a slider.

import * as api from "./engine.js";
import { drawCut } from "./drawing.js";
import { toBox } from "./geometry.js";
import { cutOptions } from "./settings.js";

const get = (id) => document.getElementById(id);
const SIDE = 1200; // px; of the crop until the service has cut it

function show(picture) {
  get("after").replaceChildren(picture);
}

export async function compare(photo, image) {
  const dialog = get("compare-dialog");
  get("before").src = photo.url;
  show(drawCut(image, photo.frame, photo.size, SIDE));
  wipe();
  dialog.showModal();
  get("wipe").focus();
  const blob = await api.cut(photo.file, toBox(photo.frame), cutOptions(), "image/jpeg");
  const cut = new Image();
  cut.alt = "";
  cut.src = URL.createObjectURL(blob);
  await cut.decode();
  URL.revokeObjectURL(cut.src);
  if (dialog.open) show(cut);
}

function wipe() {
  get("after").style.clipPath = `inset(0 ${100 - get("wipe").value}% 0 0)`;
}

export const listen = () => get("wipe").addEventListener("input", wipe);
