// A photo turned level, as cropper/turn.py has it. Boxes [x0, y0, x1, y1] are of the turned photo,
// which has the photo's own width and height; their corners lie in the photo itself.

export class Turn {
  /** By `angle` degrees clockwise, for a photo of `size` = [width, height] px. */
  constructor(size, angle = 0) {
    const radians = (angle * Math.PI) / 180;
    Object.assign(this, { size, angle, cos: Math.cos(radians), sin: Math.sin(radians) });
  }

  /** [x, y] of the turned photo -> of the photo. */
  inPhoto(point) {
    const [x, y] = point.map((at, axis) => at - this.size[axis] / 2);
    return [this.cos * x - this.sin * y + this.size[0] / 2, this.sin * x + this.cos * y + this.size[1] / 2];
  }

  /** The inverse. */
  inTurned(point) {
    const [x, y] = point.map((at, axis) => at - this.size[axis] / 2);
    return [this.cos * x + this.sin * y + this.size[0] / 2, this.cos * y - this.sin * x + this.size[1] / 2];
  }

  /** A box as large as it can be, and as near, with all corners in the photo. */
  fit(box) {
    if (!this.angle) return box;
    const [w, h] = [box[2] - box[0], box[3] - box[1]];
    const [cos, sin] = [Math.abs(this.cos), Math.abs(this.sin)];
    const reach = [w * cos + h * sin, w * sin + h * cos]; // sides of the upright box around it
    const scale = Math.min(1, ...reach.map((side, axis) => this.size[axis] / side));
    const centre = this.inPhoto([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]).map((at, axis) => {
      const half = (reach[axis] * scale) / 2;
      return Math.max(Math.min(at, this.size[axis] - half), half);
    });
    const [x, y] = this.inTurned(centre);
    return [x - (w * scale) / 2, y - (h * scale) / 2, x + (w * scale) / 2, y + (h * scale) / 2];
  }

  /** Where top left, top right, bottom right and bottom left are in the photo, or beyond it. */
  corners([x0, y0, x1, y1]) {
    return [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map((corner) => this.inPhoto(corner));
  }

  /** The same within the photo, where but for rounding they are. */
  cornersInside(box) {
    return this.corners(box).map((point) =>
      point.map((at, axis) => Math.min(Math.max(at, 0), this.size[axis])));
  }

  /** A box of the photo -> the upright box around it in the turned photo. */
  around([x0, y0, x1, y1]) {
    const points = [[x0, y0], [x1, y0], [x1, y1], [x0, y1]].map((point) => this.inTurned(point));
    return boxAround(points);
  }

  /** A box of the turned photo -> the upright box around it in the photo. */
  home(box) {
    if (!this.angle) return box;
    return boxAround(this.cornersInside(box));
  }
}

const boxAround = (points) => [Math.min, Math.max].flatMap((most) =>
  [0, 1].map((axis) => most(...points.map((point) => point[axis]))));
