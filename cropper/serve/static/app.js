// The page: photos in, the best crop drawn on the one in view, the rest as a grid.

import * as api from "./api.js";
import { drawCut, drawHeat, drawWhole } from "./drawing.js";
import { listen as listenForFiles } from "./files.js";
import { same, toBox } from "./geometry.js";
import { Finder, Photo } from "./photos.js";
import * as settings from "./settings.js";
import { Stage } from "./stage.js";
import { uniqueNames, zip } from "./zip.js";

const get = (id) => document.getElementById(id);
const ENDINGS = { "image/jpeg": "jpg", "image/tiff": "tif" }; // where the type does not say it

let current = null;
let image = null; // of the current photo, decoded
let limits = { max_upload_mb: Infinity };
let scoring = null; // the frame that the service is asked about
const finder = new Finder(changed);
const stage = new Stage(moved, showBest);

// --- photos in ------------------------------------------------------------------------------

function take(pictures, others) {
  const tooLarge = pictures.filter((file) => file.size > limits.max_upload_mb * 1e6 - 4096);
  const photos = pictures.filter((file) => !tooLarge.includes(file)).map((file) => new Photo(file));
  complain([
    ...others.slice(0, 5).map((file) => `${file.name}: not a picture`),
    ...tooLarge.map((file) => `${file.name}: larger than ${limits.max_upload_mb} MB`),
  ]);
  if (!photos.length) return;
  finder.add(photos);
  get("drop").classList.add("small");
  get("work").hidden = false;
  get("many").hidden = finder.photos.length < 2;
  drawGrid();
  if (!current || photos.length === 1) select(photos[0]);
  find();
}

function find(again = false) {
  const options = settings.options();
  if (!options) return;
  const how = again ? "restart" : "continue";
  finder[how](options, () => current, () => get("show-heat").checked);
  progress();
}

function changed(photo) {
  drawTile(photo);
  progress();
  if (photo === current) showCurrent();
}

function complain(lines) {
  get("error").textContent = lines.join("\n");
  get("error").hidden = !lines.length;
}

// --- the photo in view ----------------------------------------------------------------------

async function select(photo) {
  if (current !== photo) current?.forget();
  current = photo;
  image = null;
  stage.hide();
  stage.showOthers([]);
  get("heat").hidden = true;
  get("photo").alt = photo.name;
  for (const tile of get("grid").querySelectorAll("button")) {
    tile.setAttribute("aria-current", String(tile.photo === photo));
  }
  await showCurrent();
}

async function showCurrent() {
  const photo = current;
  get("state").textContent = {
    waiting: "Waiting …",
    finding: "Finding the best crop …",
    done: photo.name,
    failed: photo.name,
  }[photo.state];
  get("download").disabled = get("reset").disabled = photo.state !== "done";
  if (photo.state === "failed") {
    stage.hide();
    complain([`${photo.name}: ${photo.error}`]);
  }
  try {
    image = await photo.image();
  } catch (error) {
    complain([`${photo.name}: ${error.message}`]);
  }
  if (photo !== current || !image) return;
  if (get("photo").src !== photo.url) get("photo").src = photo.url;
  if (photo.state !== "done") return;
  stage.show(photo.size, photo.frame, settings.ratioOf(photo.best));
  drawRunners();
  wantHeat();
  const known = photo.crops.find((crop) => same(crop.frame, photo.frame));
  if (known) showFigures(known);
  else score();
}

function showFigures({ score: value, preferred }) {
  const { w, h } = current.frame;
  const share = `${Math.round(100 * preferred)} %`;
  get("preferred").textContent = share;
  get("score").textContent = value.toFixed(2);
  get("full").textContent = current.full.toFixed(2);
  get("box").setAttribute("aria-label", `Crop, ${w} by ${h} pixels`);
  get("spoken").textContent = `Crop ${w} by ${h} pixels, score ${value.toFixed(2)}, ` +
    `${share} would prefer it to the full frame`;
}

function drawRunners() {
  const photo = current;
  get("runners").replaceChildren(
    ...photo.crops.map((crop, index) => {
      const label = index ? `Runner-up ${index}` : "Best";
      const tile = tileOf(drawCut(image, crop.frame, photo.size, 160), label);
      tile.append(text(`score ${crop.score.toFixed(2)}`));
      tile.setAttribute("aria-pressed", String(same(crop.frame, photo.frame)));
      tile.addEventListener("click", () => use(crop));
      return inItem(tile);
    }),
  );
  stage.showOthers(photo.crops.slice(1).map((crop) => crop.frame));
}

function use(crop) {
  current.frame = crop.frame;
  stage.place(crop.frame);
  markRunner();
  showFigures(crop);
  drawTile(current);
}

function showBest() {
  if (current?.state === "done") use(current.crops[0]);
}

function markRunner() {
  [...get("runners").querySelectorAll("button")].forEach((tile, index) => {
    tile.setAttribute("aria-pressed", String(same(current.crops[index].frame, current.frame)));
  });
}

// --- the frame by hand ----------------------------------------------------------------------

function moved(frame) {
  current.frame = frame;
  markRunner();
  drawTile(current);
  score();
}

/** The score of the frame as it is now; while one is asked for, only the last change counts. */
async function score() {
  if (scoring) return;
  const photo = current;
  const frame = photo.frame;
  scoring = frame;
  try {
    const answer = await api.score(photo.file, [toBox(frame)]);
    if (photo === current && photo.state === "done") {
      if (same(frame, photo.frame)) showFigures(answer.boxes[0]);
      else get("score").textContent = answer.boxes[0].score.toFixed(2);
    }
  } catch (error) {
    complain([`${photo.name}: ${error.message}`]);
    scoring = null;
    return;
  }
  scoring = null;
  if (current?.state === "done" && !(photo === current && same(frame, current.frame))) {
    if (!current.crops.some((crop) => same(crop.frame, current.frame))) score();
  }
}

// --- the heat map ---------------------------------------------------------------------------

function showHeat() {
  const shown = get("show-heat").checked && Boolean(current.heat);
  if (shown) drawHeat(get("heat"), current.heat);
  get("heat").hidden = !shown;
  stage.element.classList.toggle("heated", shown);
}

async function wantHeat() {
  const photo = current;
  const options = settings.options();
  if (photo?.state !== "done") return;
  showHeat();
  if (get("show-heat").checked && !photo.heat && options) {
    try {
      photo.heat = (await api.crop(photo.file, { ...options, heat: "true" })).heat;
    } catch (error) {
      complain([`${photo.name}: ${error.message}`]);
    }
    if (photo === current) showHeat();
  }
}

// --- many photos ----------------------------------------------------------------------------

function text(content, className = "") {
  const span = document.createElement("span");
  span.textContent = content;
  span.className = className;
  return span;
}

function tileOf(canvas, label) {
  const tile = document.createElement("button");
  tile.type = "button";
  tile.className = "tile";
  tile.append(...(canvas ? [canvas] : []), text(label));
  return tile;
}

function inItem(tile) {
  const item = document.createElement("li");
  item.append(tile);
  return item;
}

function drawGrid() {
  get("grid").replaceChildren(
    ...finder.photos.map((photo) => {
      const tile = tileOf(null, photo.name);
      tile.photo = photo;
      photo.tile = tile;
      tile.setAttribute("aria-current", String(photo === current));
      tile.addEventListener("click", () => select(photo));
      return inItem(tile);
    }),
  );
  for (const photo of finder.photos) drawTile(photo);
}

function drawTile(photo) {
  if (!photo.tile) return;
  const canvas = photo.small && drawWhole(photo.small, photo.frame, photo.size);
  const states = { waiting: "waiting", finding: "finding …", failed: photo.error };
  const state = states[photo.state];
  const parts = canvas ? [canvas, text(photo.name)] : [text(photo.name)];
  if (state) parts.push(text(state, photo.state === "failed" ? "bad" : ""));
  photo.tile.replaceChildren(...parts);
}

function progress() {
  const count = finder.photos.length;
  const failed = finder.photos.filter((photo) => photo.state === "failed").length;
  get("progress").max = Math.max(count, 1);
  get("progress").value = finder.done;
  get("count").textContent = `${finder.done} of ${count}${failed ? `, ${failed} failed` : ""}`;
  get("download-all").disabled = finder.done < count || failed === count;
}

// --- downloads ------------------------------------------------------------------------------

async function cutOf(photo) {
  const blob = await api.cut(photo.file, toBox(photo.frame), settings.cutOptions());
  const ending = ENDINGS[blob.type] ?? blob.type.split("/")[1];
  return { name: `${photo.stem}-best.${ending}`, blob };
}

function save({ name, blob }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

async function downloading(button, work) {
  button.disabled = true;
  complain([]);
  try {
    await work();
  } catch (error) {
    complain([`Not downloaded: ${error.message}`]);
  }
  button.disabled = false;
}

async function allCuts() {
  const files = [];
  const photos = finder.photos.filter((photo) => photo.state === "done");
  for (const photo of photos) {
    files.push(await cutOf(photo));
    get("count").textContent = `${files.length} of ${photos.length} cut`;
  }
  const names = uniqueNames(files.map((file) => file.name));
  return zip(files.map(({ blob }, index) => ({ name: names[index], blob })));
}

// --- start ----------------------------------------------------------------------------------

function listen() {
  listenForFiles(take);
  settings.listen(() => find(true));
  get("show-heat").addEventListener("change", wantHeat);
  get("reset").addEventListener("click", showBest);
  get("download").addEventListener("click", (event) =>
    downloading(event.target, async () => save(await cutOf(current))));
  get("download-all").addEventListener("click", (event) =>
    downloading(event.target, async () => {
      save({ name: "crops.zip", blob: await allCuts() });
      progress();
    }));
  get("clear").addEventListener("click", () => location.reload());
}

api.onToken(() => new Promise((resolve) => {
  const dialog = get("ask-token");
  dialog.addEventListener("close", () => resolve(get("token").value.trim()), { once: true });
  if (!dialog.open) dialog.showModal();
}));

listen();
limits = await api.limits();
get("limits").textContent = `Up to ${limits.max_upload_mb} MB and ${limits.max_mpixels} megapixels ` +
  "each. Nothing is kept.";
