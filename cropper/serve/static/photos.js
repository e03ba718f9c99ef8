// The photos that were given, each with its crops, found two at a time, the one in view first.

import * as api from "./engine.js";
import { loadImage, shrunk } from "./drawing.js";
import { fromCrop, same, turned } from "./geometry.js";
import { Trail } from "./history.js";
import * as kept from "./kept.js";
import * as settings from "./settings.js";

const AT_ONCE = 2;
const SMALL = 320; // px; the long side of what is kept of each photo
const PREVIEW = 1600; // px; of what the service draws where the browser cannot

export class Photo {
  constructor(file) {
    this.file = file;
    this.name = file.name || "photo";
    this.state = "waiting"; // finding, done, failed
    this.error = "";
    this.crops = []; // [{frame, score, preferred_to_full_frame}], best first
    this.notes = []; // what the service has to say
    this.size = null; // [width, height]
    this.full = 0; // score of the full frame
    this.centre = 0; // and of the largest centred crop of the shape
    this.shape = ""; // of the crops, as settings.shape() names it
    this.angle = 0; // degrees clockwise by which its crops are turned
    this.orientation = null; // what the engine says of it, once it was asked
    this.turned = 0; // degrees clockwise by which it was set upright
    this.trails = new Map(); // shape -> Trail
    this.hash = null; // of its content, once it is known
    this.frame = null; // the one to download: the best, a runner-up, or one by hand
    this.heat = null;
    this.faces = []; // [{box, kept}], the largest first
    this.small = null; // canvas
    this.url = null; // of a preview that the browser can show
    this.turning = null; // {from, shown}: the frame that the angle turns, and as it is now
  }

  get stem() {
    return this.name.replace(/\.[^.]*$/, "") || "photo";
  }

  get best() {
    return this.crops[0]?.frame;
  }

  /** What every question about it begins with: how it was set upright. */
  get upright() {
    return this.turned ? { turned: this.turned } : {};
  }

  /** What is asked of this photo alone: its angle; once a face is let go, the heads of the others. */
  get options() {
    const asked = { ...this.upright, ...(this.angle ? { angle: this.angle } : {}) };
    if (this.faces.every((face) => face.kept)) return asked;
    const kept = this.faces.filter((face) => face.kept);
    return { ...asked, keep: kept.map((face) => `face:${face.box.join(",")}`).join(";") || "none" };
  }

  /** The crop that the frame is, unless it was moved by hand. */
  get found() {
    return this.crops.find((crop) => same(crop.frame, this.frame));
  }

  /** What was done by hand in this shape, in this tab or before, at the photo's angle. */
  trail(shape = this.shape) {
    if (!this.trails.has(shape)) this.trails.set(shape, new Trail(kept.frame(this.#key, shape)));
    const trail = this.trails.get(shape);
    if (shape !== this.shape) this.#level(trail);
    return trail;
  }

  #level(trail) {
    trail.angle = this.angle;
    if (trail.frame) trail.frame = this.#turned(trail.frame);
  }

  #turned(frame) {
    return (frame.angle ?? 0) === this.angle ? frame : turned(frame, this.angle, this.size);
  }

  /** The frame as a person made it; null for the best one. */
  put(frame, gesture) {
    const byHand = frame && same(frame, this.best) ? null : frame;
    this.trail().put(byHand, frame?.angle ?? this.angle, gesture);
    this.follow();
  }

  /** The frame turned to an angle, as it was before the first of several turns on end. */
  turnTo(angle, gesture) {
    if (!this.turning || !same(this.turning.shown, this.frame)) this.turning = { from: this.frame };
    this.put(turned(this.turning.from, angle, this.size), gesture);
    this.turning.shown = this.frame;
  }

  /** The frame as its trail has it. */
  follow() {
    const { frame, angle } = this.trail();
    this.angle = angle;
    this.frame = frame ?? this.#turned(this.best);
    kept.keep(this.#key, this.shape, frame, angle);
  }

  /** Whether the crops are those of the photo's angle. */
  get isFound() {
    return (this.best?.angle ?? 0) === this.angle;
  }

  fill(answer, shape, angle) {
    this.size = answer.source_size;
    this.full = answer.full_frame_score;
    this.centre = answer.centre_score;
    this.shape = shape;
    this.crops = answer.crops.map((crop) => ({ ...crop, frame: fromCrop(crop, angle, this.size) }));
    this.#level(this.trail());
    this.frame = this.trail().frame ?? this.#turned(this.best);
    this.notes = [...this.#told(), ...answer.notes];
    this.heat = answer.heat ?? null;
    const isNew = !angle || !this.faces.length; // boxes of a turned photo are larger here
    if (answer.faces && isNew && this.faces.every((face) => face.kept)) {
      this.faces = answer.faces.map((box) => ({ box, kept: true }));
    }
    this.state = "done";
  }

  /** What this browser keeps of it, from an earlier visit. */
  async recall() {
    if (this.hash) return;
    this.hash = await kept.hashOf(this.file);
    if (this.hash) this.angle = kept.angle(this.#key);
  }

  /** Set upright where that is wanted and the engine is sure, else as it is. */
  async orient(signal) {
    if (settings.orients() && !this.orientation) {
      const asked = { orient: "true", budget: 1, keep: "none" };
      this.orientation = await api.crop(this.file, asked, signal);
    }
    const turned = settings.orients() ? this.orientation.turned : 0;
    if (turned === this.turned) return;
    this.forget();
    Object.assign(this, { turned, size: null, small: null, faces: [], trails: new Map() });
    this.angle = kept.angle(this.#key);
  }

  /** What is kept is of the photo as it is turned. */
  get #key() {
    return this.hash && this.turned ? `${this.hash} ${this.turned}` : this.hash;
  }

  #told() {
    if (!settings.orients() || !this.orientation?.orientation) return [];
    const { orientation, orientation_probability: sure } = this.orientation;
    const turn = `turned ${orientation}° clockwise`;
    return [this.turned ? `set upright: ${turn}`
      : `left as it is: likely upright ${turn}, but only ${Math.floor(100 * sure)} % sure`];
  }

  /** As the browser shows it; as the service does where the browser cannot, or turns it otherwise. */
  async image() {
    if (!this.url && !this.turned) this.url = URL.createObjectURL(this.file);
    const image = this.url && await loadImage(this.url).catch(() => null);
    if (!this.size || (image && this.#fits(image))) return image;
    const [width, height] = this.size;
    const scale = Math.min(PREVIEW / Math.max(width, height), 1);
    const sides = [width, height].map((side) => Math.max(Math.round(side * scale), 1));
    const box = [0, 0, width, height];
    const drawn = await api.cut(this.file, { box }, { ...this.upright, size: sides.join("x") }, "image/png");
    this.forget();
    this.url = URL.createObjectURL(drawn);
    return loadImage(this.url);
  }

  #fits({ naturalWidth, naturalHeight }) {
    return Math.abs(naturalWidth / naturalHeight / (this.size[0] / this.size[1]) - 1) < 0.02;
  }

  async keepSmall() {
    if (!this.small) this.small = shrunk(await this.image(), SMALL);
  }

  forget() {
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = null;
  }
}

export class Finder {
  /** `changed(photo)` is called when a photo's state is another. */
  constructor(changed) {
    this.changed = changed;
    this.photos = [];
    this.running = new Map(); // photo -> AbortController
  }

  add(photos) {
    this.photos.push(...photos);
  }

  /** Find all again, as after a change of the settings. */
  restart(asked) {
    this.#stop();
    for (const photo of this.photos) photo.state = "waiting";
    this.continue(asked);
  }

  /** Find one again, as after a change of what it keeps. */
  again(photo) {
    this.running.get(photo)?.abort();
    this.running.delete(photo);
    photo.state = "waiting";
    this.changed(photo);
    this.#next();
  }

  /**
   * Find what is waiting, by `options` of a `shape`; `first()` tells the photo in view, which gets a
   * heat map too where `withHeat()`.
   */
  continue({ options, shape, first, withHeat }) {
    Object.assign(this, { options, shape, first, withHeat });
    for (let count = this.running.size; count < AT_ONCE; count += 1) this.#next();
  }

  get done() {
    return this.photos.filter((photo) => photo.state === "done" || photo.state === "failed").length;
  }

  #stop() {
    for (const control of this.running.values()) control.abort();
    this.running.clear();
  }

  async #next() {
    const waiting = this.photos.filter((photo) => photo.state === "waiting");
    const photo = waiting.find((each) => each === this.first()) ?? waiting[0];
    if (!photo) return;
    const control = new AbortController();
    this.running.set(photo, control);
    photo.state = "finding";
    this.changed(photo);
    try {
      await photo.recall();
      await photo.orient(control.signal);
      const heat = this.withHeat() && photo === this.first() ? { heat: "true" } : {};
      const options = { ...this.options, ...photo.options, ...heat };
      const { shape } = this;
      const { angle } = photo;
      const answer = await api.crop(photo.file, options, control.signal).catch((error) => {
        throw new Error(settings.inFieldsWords(error.message, options));
      });
      photo.fill(answer, shape, angle);
      await photo.keepSmall();
    } catch (error) {
      if (control.signal.aborted) return;
      photo.state = "failed";
      photo.error = error.message;
    }
    if (control.signal.aborted) return;
    this.running.delete(photo);
    if (photo !== this.first()) photo.forget();
    this.changed(photo);
    this.#next();
  }
}
