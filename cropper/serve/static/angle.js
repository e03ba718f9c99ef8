// The slider that turns the photo, with a fine grid over it while it is held.

const get = (id) => document.getElementById(id);
const REST = 900; // ms; the grid stays as long after a key

/** An angle in words: what is done to the photo, which is the other way than its crop is turned. */
export const inWords = (angle) => (angle
  ? `${Math.abs(angle).toFixed(1)}° ${angle < 0 ? "clockwise" : "anticlockwise"}` : "0°");

export class Angle {
  #gesture = 0;
  #timer = null;

  /** `turn(angle, gesture)` is called for every change; those of one hold have one gesture. */
  constructor(turn) {
    this.input = get("angle");
    this.input.addEventListener("pointerdown", () => this.#begin());
    this.input.addEventListener("keydown", (event) => !event.repeat && this.#begin());
    this.input.addEventListener("input", () => {
      this.#showGrid();
      turn(-Number(this.input.value) || 0, `angle ${this.#gesture}`);
    });
    for (const kind of ["pointerup", "pointercancel", "keyup", "blur"]) {
      this.input.addEventListener(kind, () => this.#showGrid(kind === "keyup" ? REST : 0));
    }
  }

  show(angle) {
    this.input.value = -angle;
    get("angle-shown").textContent = inWords(angle);
    this.input.setAttribute("aria-valuetext", inWords(angle));
  }

  #begin() {
    this.#gesture += 1;
    this.#showGrid();
  }

  /** For as many ms, or until it is let go. */
  #showGrid(time = Infinity) {
    clearTimeout(this.#timer);
    get("stage").classList.toggle("turning", time > 0);
    if (time > 0 && time < Infinity) this.#timer = setTimeout(() => this.#showGrid(0), time);
  }
}
