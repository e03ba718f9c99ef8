// The photo with the frame on it, which pointers, the wheel, keys and number fields move.

import { layOver } from "./drawing.js";
import { drag, fromBox, inside, pinch, same, scaled, turnOf } from "./geometry.js";
import { tellBeside } from "./messages.js";

const get = (id) => document.getElementById(id);
const PAUSE = 400; // ms; a wheel that rests as long begins anew
const FIELDS = { x: "edge-x", y: "edge-y", w: "edge-w", h: "edge-h" };

export class Stage {
  /**
   * `moved(frame, gesture)` is called for every change that a person makes; those of one drag have
   * one gesture. `home()` is called for the Home key and a double click.
   */
  constructor(moved, home) {
    this.moved = moved;
    this.home = home;
    this.element = get("stage");
    this.box = get("box");
    this.size = null; // [width, height] of the photo
    this.turn = null; // of the photo as it is shown
    this.frame = null;
    this.ratio = 0; // 0: any
    this.gesture = 0;
    this.turned = 0; // ms; when the wheel was
    this.fingers = new Map(); // pointer -> [x, y] px of the photo
    this.drag = () => null; // places of the fingers -> frame
    this.element.addEventListener("pointerdown", (event) => this.#begin(event));
    this.element.addEventListener("pointermove", (event) => this.#follow(event));
    for (const kind of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(kind, (event) => this.#end(event));
    }
    this.element.addEventListener("dblclick", (event) => {
      if (this.frame && !event.target.closest(".face")) home();
    });
    this.box.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    for (const [side, id] of Object.entries(FIELDS)) {
      get(id).addEventListener("change", () => this.#typed(side, get(id)));
    }
  }

  /** Room for a picture of this shape, as large as the window allows. */
  fit([width, height]) {
    this.element.style.setProperty("--ratio", width / height);
  }

  show(size, frame, ratio) {
    this.size = size;
    this.fit(size);
    this.ratio = ratio;
    this.element.classList.toggle("locked", Boolean(ratio));
    this.place(frame);
    this.box.hidden = false;
    get(FIELDS.x).max = get(FIELDS.w).max = size[0];
    get(FIELDS.y).max = get(FIELDS.h).max = size[1];
  }

  hide() {
    this.frame = null;
    this.box.hidden = true;
    for (const id of Object.values(FIELDS)) get(id).value = "";
  }

  place(frame) {
    const isOther = !this.frame || !same(frame, this.frame);
    this.frame = frame;
    this.turn = turnOf(frame, this.size);
    this.element.style.setProperty("--turn", `${-this.turn.angle}deg`);
    layOver(this.box, frame, this.size);
    if (isOther) this.#write(); // else somebody may be typing
  }

  #write() {
    for (const [side, id] of Object.entries(FIELDS)) {
      get(id).value = Math.round(this.frame[side]);
      tellBeside(get(id), "");
    }
  }

  /** A frame to compare with, thin; null for none. */
  showOther(frame) {
    get("other").classList.toggle("shown", Boolean(frame));
    if (frame) layOver(get("other"), frame, this.size);
  }

  /** A button on each face; `toggle(face)` is called for one that is pressed. */
  showFaces(faces, toggle) {
    get("faces").replaceChildren(...faces.map((face, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "face";
      button.setAttribute("aria-pressed", String(face.kept));
      button.setAttribute("aria-label", `Face ${index + 1} kept whole`);
      button.title = face.kept ? "Kept whole: press to let it go" : "Let go: press to keep it whole";
      button.addEventListener("click", () => toggle(face));
      layOver(button, fromBox(face.box), this.size);
      return button;
    }));
  }

  #change(frame) {
    if (same(frame, this.frame)) return;
    this.place(frame);
    this.moved(frame, this.gesture);
  }

  #begin(event) {
    if (event.button !== 0 || !this.frame || event.target.closest(".face")) return;
    event.preventDefault();
    this.box.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.fingers.set(event.pointerId, this.#at(event));
    if (this.fingers.size === 1) this.gesture += 1;
    const [first, second] = this.fingers.values();
    if (second) this.drag = pinch(this.frame, first, second, this.turn);
    else {
      const whole = event.target.closest(".box") !== null;
      const pixel = this.size[0] / this.element.clientWidth;
      const how = { edge: event.target.dataset.edge, whole, ratio: this.ratio, pixel };
      this.drag = drag(this.frame, first, how, this.turn);
    }
  }

  #follow(event) {
    if (!this.fingers.has(event.pointerId)) return;
    this.fingers.set(event.pointerId, this.#at(event));
    const next = this.drag(...this.fingers.values());
    if (next) this.#change(next);
  }

  /** After a pinch the finger that stays moves nothing: it is about to leave too. */
  #end(event) {
    if (this.fingers.delete(event.pointerId)) this.drag = () => null;
  }

  #wheel(event) {
    if (!this.frame) return;
    event.preventDefault();
    if (event.timeStamp - this.turned > PAUSE) this.gesture += 1;
    this.turned = event.timeStamp;
    const lines = event.deltaMode ? 30 : 1; // px of a line
    const factor = Math.exp(-Math.max(Math.min(event.deltaY * lines, 200), -200) / 1500);
    this.#change(scaled(this.frame, factor, this.turn));
  }

  /** A pointer's place in pixels of the photo as it is shown. */
  #at(event) {
    const area = this.element.getBoundingClientRect();
    return [
      ((event.clientX - area.left) / area.width) * this.size[0],
      ((event.clientY - area.top) / area.height) * this.size[1],
    ];
  }

  #key(event) {
    if (!this.frame || event.ctrlKey || event.altKey || event.metaKey) return;
    if (!event.repeat) this.gesture += 1;
    const step = event.shiftKey ? 1 : Math.max(Math.round(Math.max(...this.size) / 100), 1);
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const growth = event.shiftKey ? 1.01 : 1.05;
    if (ways[event.key]) {
      const [dx, dy] = ways[event.key];
      const { x, y } = this.frame;
      this.#change(inside({ ...this.frame, x: x + dx * step, y: y + dy * step }, this.turn));
    } else if ("+=".includes(event.key)) this.#change(scaled(this.frame, growth, this.turn));
    else if ("-_".includes(event.key)) this.#change(scaled(this.frame, 1 / growth, this.turn));
    else if (event.key === "Home") this.home();
    else return;
    event.preventDefault();
  }

  /** A value that the photo, the shape or the angle does not allow is told, with what is taken instead. */
  #typed(side, input) {
    if (!this.frame) return;
    this.gesture += 1;
    const typed = input.value;
    const isNumber = typed !== "";
    if (isNumber) this.#set(side, Math.round(Number(typed)));
    this.#write();
    const isTaken = isNumber && Number(typed) === Number(input.value);
    const told = isNumber ? `${input.value} is the nearest to ${typed} that is possible here`
      : `Not used: a whole number from ${input.min} to ${input.max}`;
    tellBeside(input, isTaken ? "" : told);
  }

  #set(side, value) {
    let frame = { ...this.frame, [side]: value };
    if (this.ratio && (side === "w" || side === "h")) {
      const [width, height] = this.size;
      const asked = side === "w" ? value : value * this.ratio;
      const w = Math.min(Math.max(asked, 1), width, height * this.ratio);
      frame = { ...frame, w, h: w / this.ratio };
    }
    this.#change(inside(frame, this.turn));
  }
}
