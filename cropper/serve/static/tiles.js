// Buttons with a picture: a photo of many, a crop of one.

import { drawCut, drawWhole } from "./drawing.js";

const SIDE = 220; // px; of a crop's picture
const STATES = { waiting: "waiting", finding: "finding …" };

function text(content, className = "") {
  const span = document.createElement("span");
  span.textContent = content;
  span.className = className;
  return span;
}

/** A list item with a button, which is returned, in it. */
function tileIn(list, press) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.addEventListener("click", press);
  const item = document.createElement("li");
  item.append(tile);
  list.append(item);
  return tile;
}

/** The best crop and its runners-up. `use(crop)` is called for a press, `look(crop)` for a hover. */
export function drawCrops(list, photo, image, use, look) {
  list.replaceChildren();
  photo.crops.forEach((crop, index) => {
    const tile = tileIn(list, () => use(crop));
    tile.append(drawCut(image, crop.frame, photo.size, SIDE));
    tile.append(text(index ? `No. ${index + 1}` : "Best"));
    tile.append(text(crop.score.toFixed(2), "figure"));
    tile.setAttribute("aria-label",
      `${index ? `Runner-up ${index}` : "Best crop"}, score ${crop.score.toFixed(2)}`);
    for (const kind of ["mouseenter", "focus"]) tile.addEventListener(kind, () => look(crop));
    for (const kind of ["mouseleave", "blur"]) tile.addEventListener(kind, () => look(null));
  });
}

/** Each photo gets its `tile`. */
export function drawPhotos(list, photos, select) {
  list.replaceChildren();
  for (const photo of photos) {
    photo.tile = tileIn(list, () => select(photo));
    drawPhoto(photo);
  }
}

export function drawPhoto(photo) {
  if (!photo.tile) return;
  const parts = [text(photo.name)];
  if (photo.small) parts.unshift(drawWhole(photo.small, photo.frame, photo.size));
  if (photo.state === "failed") parts.push(text(photo.error, "bad"));
  else if (STATES[photo.state]) parts.push(text(STATES[photo.state], "dim"));
  photo.tile.replaceChildren(...parts);
}
