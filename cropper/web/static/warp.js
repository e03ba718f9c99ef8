// A turned photo as a scorer sees it: View.warp of cropper/image/view.py, by Pillow's own bicubic.

/** Pixels {data, width, height} of a photo -> of the photo turned; edge pixels go on beyond it. */
export function warped({ data, width, height }, turn) {
  const by = [width / turn.size[0], height / turn.size[1]];
  const [a, b, , d] = turn.corners([0, 0, ...turn.size]).map((point) => point.map((at, axis) => at * by[axis]));
  const across = [(b[0] - a[0]) / width, (b[1] - a[1]) / width];
  const down = [(d[0] - a[0]) / height, (d[1] - a[1]) / height];
  const out = new Uint8ClampedArray(data.length);
  const columns = new Int32Array(4);
  const sums = new Float64Array(3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const left = a[0] + across[0] * (x + 0.5) + down[0] * (y + 0.5) - 0.5;
      const top = a[1] + across[1] * (x + 0.5) + down[1] * (y + 0.5) - 0.5;
      const [column, row] = [Math.floor(left), Math.floor(top)];
      const [wide, high] = [weights(left - column), weights(top - row)];
      for (let tap = 0; tap < 4; tap += 1) columns[tap] = 4 * within(column + tap - 1, width);
      sums.fill(0);
      for (let line = 0; line < 4; line += 1) {
        const from = 4 * width * within(row + line - 1, height);
        for (let tap = 0; tap < 4; tap += 1) {
          const weight = high[line] * wide[tap];
          const at = from + columns[tap];
          for (let channel = 0; channel < 3; channel += 1) sums[channel] += weight * data[at + channel];
        }
      }
      const to = 4 * (y * width + x);
      for (let channel = 0; channel < 3; channel += 1) out[to + channel] = sums[channel]; // rounds, clips
      out[to + 3] = 255;
    }
  }
  return { data: out, width, height };
}

const within = (index, length) => Math.min(Math.max(index, 0), length - 1);

/** Of the four pixels around a place, `d` behind the second: the cubic of Pillow's transforms. */
const weights = (d) => [
  -d + 2 * d * d - d ** 3, 1 - 2 * d * d + d ** 3, d + d * d - d ** 3, d ** 3 - d * d];
