// Several shapes of a photo, or of all, at once: one zip file.

import * as api from "./engine.js";
import { fromCrop } from "./geometry.js";
import { cutOf, saveZip } from "./output.js";
import * as presets from "./presets.js";
import * as settings from "./settings.js";

const get = (id) => document.getElementById(id);
let open = { photos: [], current: null };
let stop = null; // of the run

function choices() {
  const ratios = [...document.querySelectorAll('input[name="aspect"]')]
    .map((radio) => radio.value)
    .filter((value) => value.includes(":"));
  return [
    ...ratios.map((aspect) => ({ label: aspect.replace(":", "x"), title: aspect, asked: { aspect } })),
    ...presets.all().map(({ name, title, size, keep }) => ({
      label: name, title, keep, asked: { size: size.join("x") },
    })),
  ];
}

function tick({ label, title }) {
  const element = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "checkbox", name: "shape", value: label });
  element.append(input, title);
  return element;
}

/** The frame made by hand in this shape, or the best one. */
async function frameOf(photo, { asked, keep }, signal) {
  const byHand = photo.trail(asked.aspect ?? asked.size).frame;
  if (byHand) return byHand;
  const least = settings.leastPixels(asked);
  const options = { ...settings.common({ keep }), ...asked, ...least, ...photo.options, top_k: 1 };
  const [crop] = (await api.crop(photo.file, options, signal)).crops;
  return fromCrop(crop, photo.angle, photo.size);
}

async function run(photos, shapes, signal) {
  const files = [];
  const failed = [];
  for (const photo of photos) {
    for (const shape of shapes) {
      try {
        const frame = await frameOf(photo, shape, signal);
        const size = shape.asked.size ?? null;
        files.push(await cutOf(photo, { frame, label: shape.label, size }));
      } catch (error) {
        if (signal.aborted) return;
        failed.push(`${photo.name}, ${shape.title}: ${error.message}`);
      }
      const count = photos.length * shapes.length;
      get("shapes-state").textContent = `${files.length + failed.length} of ${count}`;
      if (signal.aborted) return;
    }
  }
  if (files.length) await saveZip(files);
  get("shapes-state").textContent = [`${files.length} cut`, ...failed].join("; ");
}

async function start() {
  const ticked = [...document.querySelectorAll('input[name="shape"]:checked')].map((x) => x.value);
  const shapes = choices().filter(({ label }) => ticked.includes(label));
  if (!shapes.length) {
    get("shapes-state").textContent = "Tick a shape first";
    return;
  }
  stop = new AbortController();
  get("shapes-start").disabled = true;
  await run(get("all-photos").checked ? open.photos : [open.current], shapes, stop.signal);
  get("shapes-start").disabled = false;
}

/** Shows the shapes to tick; what was ticked stays. */
export function openSeveral(photos, current) {
  open = { photos: photos.filter((photo) => photo.state === "done"), current };
  if (!get("shape-list").children.length) get("shape-list").append(...choices().map(tick));
  get("all-photos").parentElement.hidden = photos.length < 2;
  get("shapes-state").textContent = "";
  get("shapes-dialog").showModal();
}

export function listen() {
  get("shapes-start").addEventListener("click", start);
  get("shapes-dialog").addEventListener("close", () => stop?.abort());
}
