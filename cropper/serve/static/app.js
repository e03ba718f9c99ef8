// The page: photos in, the best crop drawn on the one in view, the rest as a grid.

import * as api from "./engine.js";
import { drawHeat } from "./drawing.js";
import { listen as listenForFiles } from "./files.js";
import { same, toBox } from "./geometry.js";
import { Finder, Photo } from "./photos.js";
import * as settings from "./settings.js";
import { Stage } from "./stage.js";
import * as tiles from "./tiles.js";
import { uniqueNames, zip } from "./zip.js";

const get = (id) => document.getElementById(id);
const ENDINGS = { "image/jpeg": "jpg", "image/tiff": "tif" }; // where the type does not say it

let current = null;
let image = null; // of the current photo, decoded
let limits = { max_upload_mb: Infinity };
let scoring = null; // the frame that the service is asked about
let downloading = false;
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
  tiles.drawPhotos(get("grid"), finder.photos, select);
  markPhoto();
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
  tiles.drawPhoto(photo);
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
  stage.showOther(null);
  stage.showFaces([]);
  get("heat").hidden = true;
  get("runners").replaceChildren();
  get("photo").alt = photo.name;
  markPhoto();
  await showCurrent();
}

function markPhoto() {
  for (const photo of finder.photos) {
    photo.tile?.setAttribute("aria-current", String(photo === current));
  }
}

async function showCurrent() {
  const photo = current;
  get("state").textContent = {
    waiting: "waiting …",
    finding: "finding the best crop …",
    done: photo.name,
    failed: photo.name,
  }[photo.state];
  get("state").title = photo.name;
  get("work").classList.toggle("busy", ["waiting", "finding"].includes(photo.state));
  enable();
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
  stage.fit([image.naturalWidth, image.naturalHeight]);
  if (photo.state === "done") showDone(photo);
}

function showDone(photo) {
  stage.show(photo.size, photo.frame, settings.ratioOf(photo.best));
  stage.showOther(null);
  tiles.drawCrops(get("runners"), photo, image, use, (crop) =>
    stage.showOther(crop && !same(crop.frame, photo.frame) ? crop.frame : null));
  markCrop();
  get("notes").textContent = photo.notes.join("; ");
  get("notes").hidden = !photo.notes.length;
  showFaces(photo);
  wantHeat();
  const found = photo.found;
  if (found) showFigures(found, found.frame);
  else score();
}

/** A button on each face, where there are several to choose from or one was let go. */
function showFaces(photo) {
  const focused = [...get("faces").children].indexOf(document.activeElement);
  stage.showFaces(photo.faces.length > 1 || photo.options.keep ? photo.faces : [], (face) => {
    face.kept = !face.kept;
    finder.again(photo);
  });
  get("faces").children[focused]?.focus({ preventScroll: true });
}

function showFigures({ score: value, preferred_to_full_frame: preferred }, { w, h }) {
  const share = preferred === null ? "" : `${Math.round(100 * preferred)} %`;
  get("verdict").hidden = preferred === null; // of a scorer that cannot say
  get("preferred").textContent = share;
  get("bar").style.width = share.replace(" ", "");
  get("score").textContent = value.toFixed(2);
  get("full").textContent = current.full.toFixed(2);
  get("box").setAttribute("aria-label", `Crop, ${w} by ${h} pixels`);
  get("spoken").textContent = `Crop ${w} by ${h} pixels, score ${value.toFixed(2)}` +
    (share && `, ${share} would prefer it to the full frame`);
}

function use(crop) {
  current.frame = crop.frame;
  stage.place(crop.frame);
  stage.showOther(null);
  markCrop();
  showFigures(crop, crop.frame);
  tiles.drawPhoto(current);
}

function showBest() {
  if (current?.state === "done") use(current.crops[0]);
}

function markCrop() {
  [...get("runners").querySelectorAll("button")].forEach((tile, index) => {
    tile.setAttribute("aria-pressed", String(same(current.crops[index].frame, current.frame)));
  });
}

// --- the frame by hand ----------------------------------------------------------------------

function moved(frame) {
  current.frame = frame;
  markCrop();
  tiles.drawPhoto(current);
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
    if (photo === current && photo.state === "done" && !photo.found) {
      showFigures(answer.boxes[0], frame); // which may have moved on: the next answer follows
    }
  } catch (error) {
    complain([`${photo.name}: ${error.message}`]);
    scoring = null;
    return;
  }
  scoring = null;
  const movedOn = photo !== current || !same(frame, current.frame);
  if (movedOn && current?.state === "done" && !current.found) score();
}

// --- the heat map ---------------------------------------------------------------------------

function showHeat() {
  const shown = get("show-heat").checked && Boolean(current.heat);
  if (shown) drawHeat(get("heat"), current.heat);
  get("heat").hidden = get("legend").hidden = !shown;
  stage.element.classList.toggle("heated", shown);
}

async function wantHeat() {
  const photo = current;
  const options = settings.options();
  if (photo?.state !== "done") return;
  showHeat();
  if (get("show-heat").checked && !photo.heat && options) {
    try {
      photo.heat = (await api.crop(photo.file, { ...options, ...photo.options, heat: "true" })).heat;
    } catch (error) {
      complain([`${photo.name}: ${error.message}`]);
    }
    if (photo === current) showHeat();
  }
}

// --- many photos ----------------------------------------------------------------------------

function progress() {
  const count = finder.photos.length;
  const failed = finder.photos.filter((photo) => photo.state === "failed").length;
  get("progress").max = Math.max(count, 1);
  get("progress").value = finder.done;
  get("count").textContent = `${finder.done} of ${count}${failed ? `, ${failed} failed` : ""}`;
  enable();
}

function enable() {
  get("download").disabled = get("reset").disabled = downloading || current?.state !== "done";
  get("download-all").disabled = downloading || finder.done < finder.photos.length ||
    finder.photos.every((photo) => photo.state === "failed");
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

async function download(work) {
  downloading = true;
  enable();
  complain([]);
  try {
    save(await work());
  } catch (error) {
    complain([`Not downloaded: ${error.message}`]);
  }
  downloading = false;
  progress();
}

async function allCuts() {
  const files = [];
  const photos = finder.photos.filter((photo) => photo.state === "done");
  for (const photo of photos) {
    files.push(await cutOf(photo));
    get("count").textContent = `${files.length} of ${photos.length} cut`;
  }
  const names = uniqueNames(files.map((file) => file.name));
  const blob = await zip(files.map((file, index) => ({ name: names[index], blob: file.blob })));
  return { name: "crops.zip", blob };
}

// --- start ----------------------------------------------------------------------------------

function listen() {
  listenForFiles(take);
  settings.listen(() => find(true));
  get("show-heat").addEventListener("change", wantHeat);
  get("reset").addEventListener("click", showBest);
  get("download").addEventListener("click", () => download(() => cutOf(current)));
  get("download-all").addEventListener("click", () => download(allCuts));
  get("clear").addEventListener("click", () => location.reload());
}

api.onToken(() => new Promise((resolve) => {
  const dialog = get("ask-token");
  dialog.addEventListener("close", () => resolve(get("token").value.trim()), { once: true });
  if (!dialog.open) dialog.showModal();
}));

listen();
limits = await api.limits();
settings.showPeople(limits.people);
get("limits").textContent = limits.note ??
  `Up to ${limits.max_upload_mb} MB and ${limits.max_mpixels} megapixels each. Nothing is kept.`;
