// The engine in the browser, with the functions of api.js: nothing leaves this page.

import { Turn } from "./turn.js";

const GPU = "cropper-gpu"; // its key in the store
const store = storeOfBrowser();
const address = new URL(store?.getItem(GPU) ? "worker.js?gpu" : "worker.js", import.meta.url);
const worker = new Worker(address, { type: "module" });
const open = new Map(); // id -> {resolve, reject}
const MOST = 60e6; // px of a crop
const WRITTEN = ["image/jpeg", "image/png", "image/webp"]; // by a canvas
const KNOWN = ["aspect", "size", "min_scale", "max_scale", "min_pixels", "top_k", "keep", "budget",
  "heat", "angle"];
const site = fetch(new URL("site.json", import.meta.url)).then((answer) => answer.json());
const photos = new WeakMap(); // file -> the number by which the worker knows it
let count = 0;

worker.onmessage = ({ data: { id, answer, error } }) => {
  const { resolve, reject } = open.get(id);
  open.delete(id);
  if (error === undefined) resolve(answer);
  else reject(new Error(error));
};
worker.onerror = (event) => {
  for (const { reject } of open.values()) reject(new Error(event.message || "the engine has stopped"));
  open.clear();
};

/** Asks the worker; what is transferred is no longer the caller's. */
export function ask(what, given, transferred = []) {
  return new Promise((resolve, reject) => {
    count += 1;
    open.set(count, { resolve, reject });
    worker.postMessage({ id: count, ask: what, ...given }, transferred);
  });
}

/** null where the person has forbidden it. */
function storeOfBrowser() {
  try {
    return localStorage;
  } catch {
    return null;
  }
}

function named(file) {
  if (!photos.has(file)) photos.set(file, crypto.getRandomValues(new Uint32Array(2)).join());
  return { file, photo: photos.get(file) };
}

/** The probability that people prefer the better of two crops, of the difference of their scores. */
export const preference = (gain) => Math.round(1e4 / (1 + Math.exp(-gain))) / 1e4;

const pair = (text) => text.split("x").map(Number);
const edges = (text) => text.split(",").map(Number);

/** A part of `keep` as the service reads it: a word, face:x0,y0,x1,y1 or a box. */
function kept(text) {
  if (text.startsWith("face:")) return { face: edges(text.slice(5)) };
  return /^[\d.]/.test(text) ? { box: edges(text) } : text;
}

/** Options of /v1/crop, as texts or numbers, in the engine's words. Throws for what it cannot do. */
export function requestOf(options) {
  const unknown = Object.keys(options).find((name) => !KNOWN.includes(name));
  if (unknown) throw new Error(`the engine in the browser has no ${unknown}: use cropper serve`);
  if (options.size && pair(options.size).reduce((w, h) => w * h) > MOST) {
    throw new Error(`size has at most ${MOST / 1e6} megapixels, got ${options.size}`);
  }
  const given = (name, make) => (options[name] === undefined ? undefined : make(options[name]));
  return {
    aspect: options.aspect,
    exact: given("size", pair),
    minScale: given("min_scale", Number),
    maxScale: given("max_scale", Number),
    minPixels: given("min_pixels", Number),
    topK: given("top_k", Number),
    budget: given("budget", Number),
    angle: given("angle", Number),
    keep: given("keep", (text) => text.split(";").map(kept)),
  };
}

/** Whether the network runs on WebGPU, from the next load of the page on. */
export const gpu = {
  get: () => Boolean(store.getItem(GPU)),
  set: (on) => (on ? store.setItem(GPU, "on") : store.removeItem(GPU)),
};

/** Whether the site has the selfie scorer. */
export const knowsSelfies = async () => Boolean((await site).selfie);

// What only a service has: a look for what is up, a token to ask for, an end
export const orients = false;
export const onToken = () => {};
export const onGone = () => {};

export const limits = async () => ({
  max_upload_mb: Infinity,
  max_mpixels: Infinity,
  people: [],
  formats: WRITTEN,
  presets: (await site).presets,
  gpu: Boolean(store && await navigator.gpu?.requestAdapter()),
  note: "Photos stay in this browser: nothing is uploaded.",
});

export async function crop(file, options, signal) {
  const request = requestOf(options);
  const found = await ask("find", { ...named(file), request, heat: options.heat === "true" });
  signal?.throwIfAborted();
  const [x0, y0, x1, y1] = found.crops[0].box;
  const [width, height] = request.exact ?? [0, 0];
  const isEnlarged = width > Math.round(x1 - x0) || height > Math.round(y1 - y0);
  const turn = new Turn(found.size, request.angle);
  const notes = [...found.notes, ...(isEnlarged ? [`the crop is enlarged to ${width}x${height}`] : [])];
  const crops = found.crops.map(({ box, score }) => (
    { ...cropOf(box, turn), score, preferred_to_full_frame: preference(score - found.full) }));
  return {
    ...crops[0],
    crops,
    source_size: found.size,
    full_frame_score: found.full,
    centre_score: found.centre,
    preferred_to_centre: preference(crops[0].score - found.centre),
    notes,
    faces: found.faces?.map((face) => face.map((edge) => Math.round(edge * 10) / 10)) ?? null,
    candidates: found.candidates,
    seconds: found.seconds,
    scorer: (await site).scorer,
    ...(found.heat ? { heat: found.heat } : {}),
  };
}

/** A box of the turned photo as the service answers it: the whole pixels around its corners. */
function cropOf(box, turn) {
  if (!turn.angle) return { box };
  const corners = turn.cornersInside(box);
  const [x0, y0, x1, y1] = turn.home(box).map((edge) => Math.round(edge * 1e6) / 1e6);
  return {
    box: [Math.floor(x0), Math.floor(y0), Math.ceil(x1), Math.ceil(y1)],
    corners: corners.map((point) => point.map((at) => Math.round(at * 100) / 100)),
  };
}

export async function score(file, boxes, { angle = 0 } = {}, signal = undefined) {
  const { size, scores, full } = await ask("score", { ...named(file), boxes, angle });
  signal?.throwIfAborted();
  return {
    source_size: size,
    full_frame_score: full,
    scorer: (await site).scorer,
    boxes: boxes.map((box, index) => (
      { box, score: scores[index], preferred_to_full_frame: preference(scores[index] - full) })),
  };
}

/** A crop as a Blob; in sRGB and without the photo's metadata, since a canvas knows neither. */
export async function cut(file, place, { size, quality = 92 } = {}, accept = "image/*") {
  const own = WRITTEN.includes(file.type) ? file.type : "image/jpeg";
  const wanted = accept === "image/*" ? own : accept;
  const picture = await createImageBitmap(file); // whole: a part would be cut before it is turned upright
  const canvas = drawn(picture, place, size && pair(size), wanted === "image/jpeg");
  picture.close();
  const blob = await canvas.convertToBlob({ type: wanted, quality: quality / 100 });
  if (blob.type !== wanted) throw new Error(`this browser cannot write ${wanted}: choose another format`);
  return blob;
}

/** {box} or {corners} of a picture on a canvas, in its own size or another. */
function drawn(picture, { box, corners }, size, isOpaque) {
  const [a, b, , d] = corners ?? [[box[0], box[1]], [box[2], box[1]], [], [box[0], box[3]]];
  const own = [b, d].map((end) => Math.hypot(end[0] - a[0], end[1] - a[1]));
  const full = own.map((side) => Math.max(Math.round(side), 1));
  const [width, height] = size ?? full;
  if (corners && (width < full[0] || height < full[1])) { // read first, then averaged: one is not both
    const level = drawn(picture, { corners }, full.map((side, axis) => Math.max(side, size[axis])), isOpaque);
    return drawn(level, { box: [0, 0, level.width, level.height] }, size, isOpaque);
  }
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  if (isOpaque) {
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, height);
  }
  context.imageSmoothingQuality = "high";
  if (box) {
    context.drawImage(picture, ...a, ...own, 0, 0, width, height);
    return canvas;
  }
  context.scale(width / own[0], height / own[1]);
  context.rotate(-Math.atan2(b[1] - a[1], b[0] - a[0]));
  context.translate(-a[0], -a[1]);
  context.drawImage(picture, 0, 0);
  return canvas;
}
