// Crops on their way out: cut by the engine, then saved or copied.

import * as api from "./engine.js";
import { placeOf } from "./geometry.js";
import { save } from "./save.js";
import * as settings from "./settings.js";
import { uniqueNames, zip } from "./zip.js";

const ENDINGS = { "image/jpeg": "jpg", "image/tiff": "tif" }; // where the type does not say it

/** The photo's frame as {name, blob}, named by its shape; another frame and label where given. */
export async function cutOf(photo, { frame = photo.frame, label = settings.label(), size } = {}) {
  const options = { ...photo.upright, ...settings.cutOptions(size) };
  const blob = await api.cut(photo.file, placeOf(frame, photo.size), options, settings.format());
  const ending = ENDINGS[blob.type] ?? blob.type.split("/")[1];
  return { name: `${photo.stem}_${label}.${ending}`, blob };
}

/** Files [{name, blob}] as one. */
export async function saveZip(files) {
  const names = uniqueNames(files.map((file) => file.name));
  const blob = await zip(files.map((file, index) => ({ name: names[index], blob: file.blob })));
  save({ name: "crops.zip", blob });
}

/** Browsers take pictures on secure origins alone: https, or this machine. */
export const canCopy = () => Boolean(navigator.clipboard?.write && globalThis.ClipboardItem);

/** As PNG, which is what a clipboard holds. */
export async function copy(photo) {
  const place = placeOf(photo.frame, photo.size);
  const options = { ...photo.upright, ...settings.cutOptions() };
  const png = api.cut(photo.file, place, options, "image/png");
  await navigator.clipboard.write([new ClipboardItem({ "image/png": png })]);
}
