// Before and after: the whole photo, and over it the crop as it will be written, behind a slider.

import * as api from "./engine.js";
import { drawCut, layOver } from "./drawing.js";
import { placeOf } from "./geometry.js";
import { cutOptions } from "./settings.js";

const get = (id) => document.getElementById(id);
const SIDE = 1200; // px; of the crop until the service has cut it

function show(picture) {
  get("cut").replaceChildren(picture);
}

export async function compare(photo, image) {
  const dialog = get("compare-dialog");
  get("before").src = photo.url;
  lay(photo);
  show(drawCut(image, photo.frame, photo.size, SIDE));
  wipe();
  dialog.showModal();
  get("wipe").focus();
  const place = placeOf(photo.frame, photo.size);
  const blob = await api.cut(photo.file, place, { ...photo.upright, ...cutOptions() }, "image/jpeg");
  const cut = new Image();
  cut.alt = "";
  cut.src = URL.createObjectURL(blob);
  await cut.decode();
  URL.revokeObjectURL(cut.src);
  if (dialog.open) show(cut);
}

/** Both at one scale, the crop where it lies in the photo. */
function lay({ frame, size }) {
  get("scene").style.setProperty("--ratio", size[0] / size[1]);
  get("scene").style.setProperty("--turn", `${-(frame.angle ?? 0)}deg`);
  layOver(get("cut"), frame, size);
}

function wipe() {
  get("after").style.clipPath = `inset(0 ${100 - get("wipe").value}% 0 0)`;
}

export const listen = () => get("wipe").addEventListener("input", wipe);
