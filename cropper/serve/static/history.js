// What was done by hand to the frame of one photo in one shape, to be undone and redone.

export class Trail {
  #past = [];
  #next = [];
  #gesture = null;

  /** `frame` is null where nothing was done by hand: the best crop. */
  constructor(frame = null) {
    this.frame = frame;
  }

  /** Frames of one gesture are one step, and the best crop in place of itself is none. */
  put(frame, gesture = null) {
    if (frame === null && this.frame === null) return;
    if (gesture === null || gesture !== this.#gesture) {
      this.#past.push(this.frame);
      this.#next = [];
    }
    this.#gesture = gesture;
    this.frame = frame;
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
    to.push(this.frame);
    this.frame = from.pop();
    this.#gesture = null;
  }
}
