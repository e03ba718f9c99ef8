// The page: photos in, the best crop drawn on the one in view, the others as a strip under it.

import { Angle } from "./angle.js";
import * as api from "./engine.js";
import * as comparing from "./compare.js";
import { markStale, preferredToRival, showFigures, showNotes } from "./figures.js";
import { listen as listenForFiles } from "./files.js";
import { same, toBox } from "./geometry.js";
import { wantHeat } from "./heat.js";
import * as kept from "./kept.js";
import * as messages from "./messages.js";
import { canCopy, copy, cutOf, saveZip } from "./output.js";
import { Finder, Photo } from "./photos.js";
import * as presets from "./presets.js";
import { samples } from "./samples.js";
import { save } from "./save.js";
import * as settings from "./settings.js";
import * as several from "./several.js";
import { Stage } from "./stage.js";
import * as tiles from "./tiles.js";

const get = (id) => document.getElementById(id);
const { complain } = messages;
const REST = 400; // ms

let current = null;
let image = null; // of the current photo, decoded
let limits = { max_upload_mb: Infinity };
let scoring = null; // the frame that the service is asked about
let downloading = false;
let resting = null; // the timer that runs while the angle changes
const finder = new Finder(changed);
const stage = new Stage(moved, showBest);
const angle = new Angle(turnPhoto);

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
  for (const part of document.querySelectorAll(".of-many")) part.hidden = finder.photos.length < 2;
  tiles.drawPhotos(get("grid"), finder.photos, select);
  markPhoto();
  if (!current || photos.length === 1) select(photos[0]);
  find();
}

function find(again = false) {
  const options = settings.options();
  if (!options) return;
  const [shape, first, withHeat] = [settings.shape(), () => current, () => get("show-heat").checked];
  finder[again ? "restart" : "continue"]({ options, shape, first, withHeat });
  progress();
}

function changed(photo) {
  tiles.drawPhoto(photo);
  progress();
  if (photo === current) showCurrent();
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
  angle.show(photo.angle);
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
  const failed = photo.state === "failed";
  if (failed) stage.hide();
  messages.showTrouble(failed ? `${photo.name}: ${photo.error}` : "");
  try {
    image = await photo.image();
  } catch (error) {
    complain([`${photo.name}: ${error.message}`]);
  }
  if (photo !== current || !image || !photo.url) return; // forgotten where it was just set upright
  if (get("photo").src !== photo.url) get("photo").src = photo.url;
  stage.fit([image.naturalWidth, image.naturalHeight]);
  if (photo.state === "done") showDone(photo);
}

function showDone(photo) {
  stage.show(photo.size, photo.frame, settings.ratioOf(photo.best));
  tiles.drawCrops(get("runners"), photo, image, use, (crop) =>
    stage.showOther(crop && !same(crop.frame, photo.frame) ? crop.frame : null));
  showFaces(photo);
  showHeat();
  showFrame();
}

/** The frame as it is now, with all that is said of it. */
function showFrame() {
  const photo = current;
  stage.place(photo.frame);
  stage.showOther(null);
  angle.show(photo.angle);
  markCrop();
  tiles.drawPhoto(photo);
  enable();
  showKept();
  const share = photo.found ? preferredToRival(photo, photo.found) : 1;
  const side = settings.minSide();
  const isSmall = side && Math.min(photo.frame.w, photo.frame.h) < side;
  const isCut = photo.notes.some((note) => note.startsWith("no crop"));
  const hasHeads = share < 0.5 && !isCut && photo.faces.some((face) => face.kept);
  showNotes([...(hasHeads ? ["heads are kept whole in it, which its score does not count"] : []), ...photo.notes, ...[presets.chosen()?.rule].filter(Boolean),
    ...(isSmall ? [`the crop's shorter side has fewer than ${side} pixels`] : [])]);
  if (photo.found) showFigures(photo, photo.found, photo.frame);
  else score();
}

function showHeat() {
  const photo = current;
  wantHeat(photo, () => photo === current)
    .catch((error) => complain([`${photo.name}: ${error.message}`]));
}

/** A button on each face, where there are several to choose from or one was let go. */
function showFaces(photo) {
  const focused = [...get("faces").children].indexOf(document.activeElement);
  stage.showFaces(photo.faces.length > 1 || photo.options.keep ? photo.faces : [], (face) => {
    face.kept = !face.kept;
    photo.put(null); // the best crop is another one now
    finder.again(photo);
  });
  get("faces").children[focused]?.focus({ preventScroll: true });
}

function markCrop() {
  [...get("runners").querySelectorAll("button")].forEach((tile, index) => {
    tile.setAttribute("aria-pressed", String(same(current.crops[index].frame, current.frame)));
  });
}

// --- the frame by hand ----------------------------------------------------------------------

function moved(frame, gesture) {
  current.put(frame, gesture);
  showFrame();
}

function use(crop) {
  current.put(crop.frame);
  showFrame();
}

function turnPhoto(degrees, gesture) {
  current.turnTo(degrees, gesture);
  findAtAngle();
  showFrame();
}

/** The best crops at another angle, once it rests. */
function findAtAngle() {
  clearTimeout(resting);
  const photo = current;
  if (!photo.isFound || photo.state === "failed") resting = setTimeout(() => finder.again(photo), REST);
}

function showBest() {
  if (current?.state !== "done" || same(current.frame, current.best)) return;
  current.put(null);
  showFrame();
}

function step(back) {
  if (current?.state !== "done") return;
  const trail = current.trail();
  if (back) trail.undo();
  else trail.redo();
  current.follow();
  findAtAngle();
  showFrame();
}

function stepByKey(event) {
  const isField = event.target.matches("input:not([type=radio], [type=checkbox], [type=range])");
  const key = event.key.toLowerCase();
  if (!(event.ctrlKey || event.metaKey) || isField || !["z", "y"].includes(key)) return;
  event.preventDefault();
  step(key === "z" && !event.shiftKey);
}

function showKept() {
  const count = kept.count();
  get("kept").hidden = !count;
  get("kept-count").textContent = count === 1 ? "1 frame" : `${count} frames`;
}

/** The score of the frame as it is now; while one is asked for, only the last change counts. */
async function score() {
  markStale(true);
  if (scoring) return;
  const photo = current;
  const frame = photo.frame;
  scoring = frame;
  try {
    const options = { ...photo.upright, angle: frame.angle ?? 0 };
    const answer = await api.score(photo.file, [toBox(frame)], options);
    if (photo === current && photo.state === "done" && !photo.found) {
      showFigures(photo, answer.boxes[0], frame); // it may have moved on: the next answer follows
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

// --- many photos, downloads -----------------------------------------------------------------

function progress() {
  const count = finder.photos.length;
  const failed = finder.photos.filter((photo) => photo.state === "failed").length;
  get("progress").max = Math.max(count, 1);
  get("progress").value = finder.done;
  get("count").textContent = `${finder.done} of ${count}${failed ? `, ${failed} failed` : ""}`;
  enable();
}

function enable() {
  const isDone = current?.state === "done";
  for (const id of ["download", "copy", "reset", "compare", "several"]) {
    get(id).disabled = downloading || !isDone;
  }
  get("angle").disabled = !current?.size;
  get("undo").disabled = !isDone || !current.trail().canUndo;
  get("redo").disabled = !isDone || !current.trail().canRedo;
  get("download-all").disabled = downloading || finder.done < finder.photos.length ||
    finder.photos.every((photo) => photo.state === "failed");
}

/** While a crop is on its way out no other is asked for. */
async function send(work) {
  downloading = true;
  enable();
  complain([]);
  try {
    await work();
  } catch (error) {
    complain([error.message]);
  }
  downloading = false;
  progress();
}

async function saveAll() {
  const files = [];
  const photos = finder.photos.filter((photo) => photo.state === "done");
  for (const photo of photos) {
    files.push(await cutOf(photo));
    get("count").textContent = `${files.length} of ${photos.length} cut`;
  }
  await saveZip(files);
}

async function copyCrop() {
  await copy(current);
  get("spoken").textContent = get("state").textContent = "copied";
}

// --- start ----------------------------------------------------------------------------------

function listen() {
  const pressed = (id, act) => get(id).addEventListener("click", act);
  for (const module of [messages, comparing, several]) module.listen();
  listenForFiles(take);
  settings.listen(() => find(true));
  document.addEventListener("keydown", stepByKey);
  get("show-heat").addEventListener("change", showHeat);
  pressed("undo", () => step(true));
  pressed("redo", () => step(false));
  pressed("reset", showBest);
  pressed("download", () => send(async () => save(await cutOf(current))));
  pressed("copy", () => send(copyCrop));
  pressed("download-all", () => send(saveAll));
  pressed("compare", () => comparing.compare(current, image).catch((error) => complain([error.message])));
  pressed("several", () => several.openSeveral(finder.photos, current));
  pressed("sample", async () => take(await samples(), []));
  pressed("forget", () => {
    kept.forget();
    showKept();
  });
  pressed("clear", () => location.reload());
  get("copy").hidden = !canCopy();
}

api.onToken(() => new Promise((resolve) => {
  const dialog = get("ask-token");
  dialog.addEventListener("close", () => resolve(get("token").value.trim()), { once: true });
  if (!dialog.open) dialog.showModal();
}));
api.onGone(messages.showGone);

listen();
showKept();
limits = await api.limits();
if (limits.gpu) settings.showGpu(api.gpu);
settings.showPeople(limits.people);
presets.show(limits.presets);
settings.showFilters(limits.filters);
settings.showFormats(limits.formats);
get("orient-label").hidden = !api.orients;
if (limits.site) get("site").hidden = false;
get("limits").textContent = limits.note ??
  `Up to ${limits.max_upload_mb} MB and ${limits.max_mpixels} megapixels each. ` +
  "The service keeps nothing.";
