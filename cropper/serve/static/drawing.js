// Thumbnails and the heat map, on canvases.

import { toBox, turnOf } from "./geometry.js";

// Dark blue, teal, yellow: equal steps in lightness, legible to colour-blind eyes
const COLOURS = [[48, 18, 92], [33, 113, 140], [60, 180, 117], [250, 230, 60]];

/** An element over a frame of a picture that shows a photo of `size`. */
export function layOver({ style }, { x, y, w, h }, [width, height]) {
  style.left = `${(100 * x) / width}%`;
  style.top = `${(100 * y) / height}%`;
  style.width = `${(100 * w) / width}%`;
  style.height = `${(100 * h) / height}%`;
}

/** The picture of a URL, decoded; rejects where the browser cannot. */
export async function loadImage(url) {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

function canvasOf(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(Math.round(width), 1);
  canvas.height = Math.max(Math.round(height), 1);
  return canvas;
}

/** What a frame cuts out of a picture that shows a photo of `size`. */
export function drawCut(image, frame, size, side) {
  const scale = side / Math.max(frame.w, frame.h);
  const canvas = canvasOf(frame.w * scale, frame.h * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.scale(scale, scale);
  context.translate(size[0] / 2 - frame.x, size[1] / 2 - frame.y);
  context.rotate((-(frame.angle ?? 0) * Math.PI) / 180);
  context.drawImage(image, -size[0] / 2, -size[1] / 2, ...size);
  return canvas;
}

/** The whole photo, what is cut away darkened; without a frame all of it bright. */
export function drawWhole(small, frame, size) {
  const canvas = canvasOf(small.width, small.height);
  const context = canvas.getContext("2d");
  context.drawImage(small, 0, 0);
  if (!frame) return canvas;
  const by = small.width / size[0];
  context.fillStyle = "rgb(0 0 0 / 0.6)";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.save();
  context.beginPath();
  for (const [x, y] of turnOf(frame, size).corners(toBox(frame))) context.lineTo(x * by, y * by);
  context.closePath();
  context.clip();
  context.drawImage(small, 0, 0);
  context.restore();
  context.strokeStyle = "#fff";
  context.lineWidth = 2;
  context.stroke();
  return canvas;
}

/** A small copy to keep, where the picture itself is let go. */
export function shrunk(image, side) {
  const scale = Math.min(side / Math.max(image.naturalWidth, image.naturalHeight), 1);
  const canvas = canvasOf(image.naturalWidth * scale, image.naturalHeight * scale);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

function colour(level) {
  const at = Math.min(level, 0.9999) * (COLOURS.length - 1);
  const low = Math.floor(at);
  return COLOURS[low].map((value, i) => value + (COLOURS[low + 1][i] - value) * (at - low));
}

/** One pixel a place, from the worst (blue) to the best (yellow); the style sheet enlarges it. */
export function drawHeat(canvas, heat) {
  canvas.width = heat.columns;
  canvas.height = heat.rows;
  const values = heat.scores.flat();
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const span = Math.max(Math.max(...known) - low, 1e-12);
  const pixels = new ImageData(heat.columns, heat.rows);
  values.forEach((value, index) => {
    if (value !== null) pixels.data.set([...colour((value - low) / span), 255], 4 * index);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
