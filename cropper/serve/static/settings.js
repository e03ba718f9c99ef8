// What the form asks for, in the API's words.

import { tellBeside } from "./messages.js";
import * as presets from "./presets.js";

const get = (id) => document.getElementById(id);
const number = (id) => (get(id).checkValidity() && get(id).value ? Number(get(id).value) : null);
const radios = () => [...document.querySelectorAll('input[name="aspect"]')];
const chosen = () => radios().find((radio) => radio.checked)?.value;
const OF_FILES = ["quality", "format", "filter"]; // fields that change no crop

/** Options of /v1/crop, or null where a field is not valid yet. */
export function options() {
  const shape = exactSize() ? { size: exactSize() } : aspect() && { aspect: aspect() };
  return shape && { ...common(), ...leastPixels(shape), ...shape };
}

/** What is asked whatever the shape. */
export function common({ keep } = presets.chosen() ?? {}) {
  const named = [...document.querySelectorAll('input[name="person"]:checked')];
  const asked = { min_scale: Number(get("min-scale").value) / 100, top_k: 4 };
  if (keep) asked.keep = keep;
  if (named.length) asked.keep = named.map((input) => `person:${input.value}`).join(";");
  return asked;
}

function aspect() {
  if (chosen() !== "own") return chosen();
  return get("own").checkValidity() ? get("own").value : "";
}

/** By name: 4:5, 1080x1350, original, free. */
export const shape = () => exactSize() ?? aspect() ?? "original";

/** The shape as a part of a file's name, as folders have it; a preset's is its name. */
export const label = () => presets.chosen()?.name ?? shape().replace(":", "x");

/** Pixels of a crop whose shorter side is the least; of original and free those of a square. */
export function leastPixels({ size, aspect: named }) {
  const side = minSide();
  const [width, height] = (size ?? named).split(/[x:]/).map(Number);
  const long = width && height ? Math.max(width / height, height / width) : 1;
  return side ? { min_pixels: Math.ceil(side * side * long) } : {};
}

/** px, or null. */
export const minSide = () => number("min-side");

/** What an engine says of too few pixels, in the words of the field that asked for them. */
export const inFieldsWords = (message, { min_pixels: least }) => (least && message.includes(`fewer than ${least}`)
  ? `no crop of this shape has a side of ${minSide()} pixels or more: take a larger photo, or a smaller side`
  : message);

/** Whether photos that surely lie on a side are set upright. */
export const orients = () => get("orient").checked;

/** A box to tick for each person whom the service knows. */
export function showPeople(names) {
  get("people").hidden = !names.length;
  get("names").replaceChildren(...names.map((name) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "checkbox", name: "person", value: name });
    const shown = document.createElement("span");
    shown.textContent = name;
    label.append(input, shown);
    return label;
  }));
}

/** The filters that the engine has, if any. */
export function showFilters(names = []) {
  get("filter-label").hidden = !names.length;
  get("filter").append(...names.map((name) => new Option(name.replaceAll("-", " "), name)));
}

/** An engine that may run on the graphics processor does so from the next load on. */
export function showGpu(gpu) {
  get("gpu-label").hidden = false;
  get("gpu").checked = gpu.get();
  get("gpu").addEventListener("change", () => {
    gpu.set(get("gpu").checked);
    location.reload();
  });
}

/** An engine that writes fewer formats than all says which. */
export function showFormats(names) {
  if (!names) return;
  for (const option of [...get("format").options]) {
    if (option.value !== "image/*" && !names.includes(option.value)) option.remove();
  }
}

/** 'WxH', or null. */
export function exactSize() {
  const [width, height] = [number("size-w"), number("size-h")];
  return width && height ? `${width}x${height}` : null;
}

/** Options of /v1/cut beside the box; `size` is null for a crop in its own pixels. */
export function cutOptions(size = exactSize()) {
  const filter = get("filter").value;
  return { ...(size ? { size } : {}), ...(filter ? { filter } : {}), quality: number("quality") ?? 92 };
}

/** The media type to be cut in; image/* for the photo's own. */
export const format = () => get("format").value;

/** Width over height that the frame keeps when it is resized by hand; 0 for any. */
export function ratioOf(frame) {
  return !exactSize() && chosen() === "free" ? 0 : frame.w / frame.h;
}

/** A size overrules the shapes, and a shape that is pressed clears it. */
function agree(field, last) {
  if (field.id === "preset") {
    const [width, height] = presets.chosen()?.size ?? ["", ""];
    get("size-w").value = width;
    get("size-h").value = height;
  } else if (field.id === "size-w" || field.id === "size-h") presets.clear();
  else if (field.name === "aspect") {
    presets.clear();
    get("size-w").value = get("size-h").value = "";
  }
  const sized = Boolean(exactSize());
  for (const radio of radios()) radio.checked = !sized && radio === last;
}

/** Says beside a field what it takes, while it holds something else. */
function showRule(field) {
  const rule = field.title || `a whole number from ${field.min} to ${field.max}`;
  tellBeside(field, field.checkValidity() ? "" : `Not used: ${rule}`);
}

/** Calls `changed()` when the crops to find are others. */
export function listen(changed) {
  let last = radios().find((radio) => radio.checked) ?? radios()[0];
  const show = () => {
    get("own-label").hidden = chosen() !== "own";
    get("scale-shown").textContent = `${get("min-scale").value} %`;
    get("stage").classList.toggle("circle", Boolean(presets.chosen()?.circle));
  };
  const ours = (event) => event.target.form === get("settings");
  document.addEventListener("input", (event) => {
    if (!ours(event)) return;
    if (event.target.matches("input[type=number], #own")) showRule(event.target);
    show();
  });
  document.addEventListener("change", (event) => {
    if (!ours(event)) return;
    if (event.target.name === "aspect") last = event.target;
    agree(event.target, last);
    show();
    if (!OF_FILES.includes(event.target.id) && event.target.checkValidity()) changed();
  });
  get("settings").addEventListener("submit", (event) => event.preventDefault());
  show();
}
