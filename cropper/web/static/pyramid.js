// Mip levels of a feature map and samples of boxes, as cropper/sampling.py defines them.
//
// Maps are {data: Float32Array, width, height}, `depth` channels a pixel.

/** A map of `depth` channels -> its mip levels, each of the whole extent, down to one pixel. */
export function mipLevels(map, depth) {
  const levels = [map];
  while (Math.max(levels.at(-1).width, levels.at(-1).height) > 1) {
    levels.push(halved(levels.at(-1), depth));
  }
  return levels;
}

function halved({ data, width, height }, depth) {
  const [columns, rows] = [shares(width), shares(height)];
  const out = new Float32Array(rows.length * columns.length * depth);
  rows.forEach((down, y) => columns.forEach((across, x) => {
    const to = (y * columns.length + x) * depth;
    for (const [row, high] of down) {
      for (const [column, wide] of across) {
        const from = (row * width + column) * depth;
        for (let channel = 0; channel < depth; channel += 1) {
          out[to + channel] += high * wide * data[from + channel];
        }
      }
    }
  }));
  return { data: out, width: columns.length, height: rows.length };
}

/** Of a side that is halved: for each new pixel the old ones, with the shares that it covers. */
function shares(length) {
  const count = Math.ceil(length / 2);
  const wide = length / count;
  return Array.from({ length: count }, (_, index) => {
    const [low, high] = [index * wide, (index + 1) * wide];
    const found = [];
    for (let pixel = Math.floor(low); pixel < Math.min(Math.ceil(high), length); pixel += 1) {
      const part = Math.min(high, pixel + 1) - Math.max(low, pixel);
      if (part > 0) found.push([pixel, part / wide]);
    }
    return found;
  });
}

/** `side` x `side` samples of each box, normalised to the map: rows, columns, channels. */
export function readBoxes(levels, depth, boxes, side) {
  const out = new Float32Array(boxes.length * side * side * depth);
  boxes.forEach((box, index) => {
    const wide = (box[2] - box[0]) * levels[0].width;
    const high = (box[3] - box[1]) * levels[0].height;
    const step = Math.max(Math.max(wide, high) / side, 1e-6);
    const level = Math.min(Math.max(Math.log2(step), 0), levels.length - 1);
    const low = Math.floor(level);
    const part = out.subarray(index * side * side * depth, (index + 1) * side * side * depth);
    addSamples(levels[low], depth, box, side, 1 - (level - low), part);
    if (level > low) addSamples(levels[low + 1], depth, box, side, level - low, part);
  });
  return out;
}

/** Bilinear samples, times a weight, added to `out`. */
function addSamples({ data, width, height }, depth, box, side, weight, out) {
  const xs = places(box[0], box[2], side, width);
  const ys = places(box[1], box[3], side, height);
  let to = 0;
  for (let row = 0; row < side; row += 1) {
    const top = Math.floor(ys[row]);
    const down = ys[row] - top;
    const above = top * width;
    const below = Math.min(top + 1, height - 1) * width;
    for (let column = 0; column < side; column += 1, to += depth) {
      const left = Math.floor(xs[column]);
      const across = xs[column] - left;
      const right = Math.min(left + 1, width - 1);
      const [a, b] = [(above + left) * depth, (above + right) * depth];
      const [c, d] = [(below + left) * depth, (below + right) * depth];
      const high = (1 - down) * weight;
      const low = down * weight;
      const [atA, atB] = [high * (1 - across), high * across];
      const [atC, atD] = [low * (1 - across), low * across];
      for (let channel = 0; channel < depth; channel += 1) {
        out[to + channel] += atA * data[a + channel] + atB * data[b + channel] +
          atC * data[c + channel] + atD * data[d + channel];
      }
    }
  }
}

/** Where samples lie, counted from the centre of the first pixel. */
function places(low, high, side, length) {
  return Float64Array.from({ length: side }, (_, index) => {
    const at = (low + ((high - low) * (index + 0.5)) / side) * length - 0.5;
    return Math.min(Math.max(at, 0), length - 1);
  });
}
