// What a scorer sees of a photo: decoded by the browser, averaged by Pillow's own arithmetic, so
// that the same pixels give the same scores as in Python (cropper/image/source.py).
//
// Pixels are {data: Uint8ClampedArray, width, height}, four bytes each, sRGB, opaque.

const LONG_SIDE = 448;
const SPARE = 1.5; // times the long side; scaled away only above
const GAP = 3; // of reducing before the filter, as in Image.resize
const PRECISION = 22; // bits of Pillow's filter weights
const MOST = 16e6; // px that are read at full size; more is scaled by the browser's decoder

/** A file or Blob -> its upright picture. Throws where the browser cannot decode it. */
export async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch (error) {
    throw new Error("this browser cannot read it: save it as a JPEG, PNG or WebP", { cause: error });
  }
}

/** A picture on white in a size, as pixels. */
export function read(picture, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(picture, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** The view of a picture; a JPEG is first averaged as a JPEG's decoder does it in Python. */
export function viewOf(picture, isJpeg) {
  let { width, height } = picture;
  const shrink = Math.min(Math.sqrt(MOST / (width * height)), 1);
  const scale = Math.min(LONG_SIDE / Math.max(width, height), 1);
  const [small, low] = [width, height].map((side) => Math.max(roundEven(side * scale), 1));
  [width, height] = [width, height].map((side) => Math.max(Math.round(side * shrink), 1));
  const most = Math.min(Math.floor(width / small), Math.floor(height / low));
  const factor = isJpeg ? [8, 4, 2].find((power) => power <= most) ?? 1 : 1;
  const pixels = reduced(read(picture, width, height), factor, factor);
  const box = [width / factor, height / factor];
  const isWhole = box[0] === pixels.width && box[1] === pixels.height;
  if (factor > 1 && isWhole && Math.max(...box) <= SPARE * LONG_SIDE) return pixels;
  const [across, down] = [box[0] / small / GAP, box[1] / low / GAP]
    .map((gap) => Math.max(Math.floor(gap), 1));
  return resized(reduced(pixels, across, down), small, low, [box[0] / across, box[1] / down]);
}

/** As Python rounds: halves to the even neighbour. */
export const roundEven = (value) => {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
};

/** Averages of `across` by `down` pixels, the last ones of what is left: Pillow's Image.reduce. */
export function reduced(pixels, across, down) {
  if (across === 1 && down === 1) return pixels;
  const [width, height] = [Math.ceil(pixels.width / across), Math.ceil(pixels.height / down)];
  const data = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y += 1) {
    const rows = Math.min(down, pixels.height - y * down);
    for (let x = 0; x < width; x += 1) {
      const columns = Math.min(across, pixels.width - x * across);
      const count = rows * columns;
      const inverse = Math.floor(2 ** 24 / count); // Pillow multiplies instead of dividing
      const start = 4 * (y * down * pixels.width + x * across);
      const at = 4 * (y * width + x);
      for (let channel = 0; channel < 4; channel += 1) {
        let sum = 0;
        for (let row = 0; row < rows; row += 1) {
          let from = start + channel + 4 * row * pixels.width;
          for (let column = 0; column < columns; column += 1, from += 4) sum += pixels.data[from];
        }
        data[at + channel] = Math.floor(((sum + (count >> 1)) * inverse) / 2 ** 24);
      }
    }
  }
  return { data, width, height };
}

/** Pillow's bicubic Image.resize of the part (0, 0, ...box), in two passes in Pillow's order. */
export function resized(pixels, width, height, box = [pixels.width, pixels.height]) {
  const across = (from) => pass(from, 0, width, box[0]);
  const down = (from) => pass(from, 1, height, box[1]);
  const downFirst = height < pixels.height && pixels.height - height > 2 * (pixels.width - width);
  return downFirst ? across(down(pixels)) : down(across(pixels));
}

/** Along one axis; as it is where nothing changes. */
function pass(pixels, axis, length, used) {
  const { data, width, height } = pixels;
  const own = axis ? height : width;
  if (length === own && used === own) return pixels;
  const weights = taps(own, used, length);
  return axis
    ? { data: filtered(data, weights, width, 4, 4 * width), width, height: length }
    : { data: filtered(data, weights, height, 4 * width, 4), width: length, height };
}

/** One pass: `lines` lines, `line` apart, whose pixels are `step` apart, made anew by `weights`. */
function filtered(data, weights, lines, line, step) {
  const isAcross = step === 4;
  const out = new Uint8ClampedArray(4 * lines * weights.length);
  for (let index = 0; index < weights.length; index += 1) {
    const { first, values } = weights[index];
    for (let at = 0; at < lines; at += 1) {
      const to = isAcross ? 4 * (at * weights.length + index) : 4 * (index * lines + at);
      let from = at * line + first * step;
      let red = 1 << (PRECISION - 1);
      let green = red;
      let blue = red;
      for (let tap = 0; tap < values.length; tap += 1, from += step) {
        const weight = values[tap];
        red += data[from] * weight;
        green += data[from + 1] * weight;
        blue += data[from + 2] * weight;
      }
      out[to] = red >> PRECISION;
      out[to + 1] = green >> PRECISION;
      out[to + 2] = blue >> PRECISION;
      out[to + 3] = 255;
    }
  }
  return out;
}

/** For each output pixel the input pixels that weigh in, and their weights in whole numbers. */
function taps(length, used, count) {
  const scale = used / count;
  const wide = Math.max(scale, 1);
  const support = 2 * wide;
  return Array.from({ length: count }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(Math.trunc(centre - support + 0.5), 0);
    const last = Math.min(Math.trunc(centre + support + 0.5), length);
    const raw = Array.from({ length: last - first }, (_, tap) =>
      bicubic((tap + first - centre + 0.5) / wide));
    const total = raw.reduce((sum, value) => sum + value, 0);
    const values = Int32Array.from(raw, (value) => {
      const whole = (value / total) * 2 ** PRECISION;
      return Math.trunc(whole < 0 ? whole - 0.5 : whole + 0.5);
    });
    return { first, values };
  });
}

function bicubic(distance) {
  const x = Math.abs(distance);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * -0.5;
  return 0;
}
