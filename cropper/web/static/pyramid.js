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
  for (const [top, down] of ys) {
    const below = Math.min(top + 1, height - 1);
    for (const [left, across] of xs) {
      const right = Math.min(left + 1, width - 1);
      const corners = [[top, left, (1 - down) * (1 - across)], [top, right, (1 - down) * across],
        [below, left, down * (1 - across)], [below, right, down * across]];
      for (const [row, column, share] of corners) {
        const from = (row * width + column) * depth;
        const by = share * weight;
        if (!by) continue;
        for (let channel = 0; channel < depth; channel += 1) {
          out[to + channel] += by * data[from + channel];
        }
      }
      to += depth;
    }
  }
}

/** The pixel before each sample, and how far behind its centre the sample lies. */
function places(low, high, side, length) {
  return Array.from({ length: side }, (_, index) => {
    const at = (low + ((high - low) * (index + 0.5)) / side) * length - 0.5;
    const inside = Math.min(Math.max(at, 0), length - 1);
    return [Math.floor(inside), inside - Math.floor(inside)];
  });
}
