// The steady hand: a live frame that stays until another is better by enough, for long enough.
//
// Of two frames an instant apart the best crops differ by what noise makes of nearly equal scores.
// The frame that is shown stays while the best one is preferred to it, in the newest picture, by
// less than MARGIN (log-odds), or for fewer than PATIENCE pictures on end. Then it glides there.

const MARGIN = 0.25; // 56 of 100 people would prefer the new one
const PATIENCE = 2;
const GLIDE = 0.3; // of the way that is left, each time it is drawn
const ARRIVED = 0.5; // px

export class Steady {
  constructor() {
    this.target = null;
    this.shown = null;
    this.waited = 0;
  }

  /**
   * A new picture's best box with its score, and the score of `target` in it (null for none), both
   * with what constraints cost. Returns whether the target is another one now.
   */
  see({ box, wanted }, now) {
    const isFirst = this.target === null || now === null;
    this.waited = !isFirst && wanted - now > MARGIN ? this.waited + 1 : 0;
    if (!isFirst && this.waited < PATIENCE) return false;
    this.target = box;
    this.shown ??= box;
    this.waited = 0;
    return true;
  }

  /** The box to draw now, a step nearer to the target. */
  step() {
    if (!this.target) return null;
    const left = this.target.map((edge, index) => edge - this.shown[index]);
    const isThere = left.every((way) => Math.abs(way) < ARRIVED);
    this.shown = isThere ? this.target : this.shown.map((edge, index) => edge + GLIDE * left[index]);
    return this.shown;
  }

  /** Another camera, or another shape. */
  forget() {
    Object.assign(this, { target: null, shown: null, waited: 0 });
  }
}
