// What was done by hand to one photo in one shape, to be undone and redone.

export class Trail {
  #past = [];
  #next = [];
  #gesture = null;

  /** `frame` is null where nothing was done by hand: the best crop at the `angle`. */
  constructor(frame = null, angle = 0) {
    Object.assign(this, { frame, angle });
  }

  /** Steps of one gesture are one, and the best crop in place of itself is none. */
  put(frame, angle, gesture = null) {
    if (frame === null && this.frame === null && angle === this.angle) return;
    if (gesture === null || gesture !== this.#gesture) {
      this.#past.push(this.#now);
      this.#next = [];
    }
    this.#gesture = gesture;
    Object.assign(this, { frame, angle });
  }

  get #now() {
    return { frame: this.frame, angle: this.angle };
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#next.length > 0;
  }

  undo() {
    this.#go(this.#past, this.#next);
  }

  redo() {
    this.#go(this.#next, this.#past);
  }

  #go(from, to) {
    if (!from.length) return;
    to.push(this.#now);
    Object.assign(this, from.pop());
    this.#gesture = null;
  }
}
