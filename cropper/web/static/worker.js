// The engine's thread: {id, ask, ...} in, {id, answer} or {id, error} out. One after the other.

import { CropNet } from "./cropnet.js";
import { find, heatOf } from "./find.js";
import { decode, read, viewOf } from "./pixels.js";
import { open } from "./runtime.js";
import { Turn } from "./turn.js";
import { warped } from "./warp.js";

const loaded = Promise.all([open("trunk.onnx", true), open("head.onnx")]);
const looker = new Worker(new URL("looker.js", import.meta.url), { type: "module" });
const looking = new Map(); // id -> {resolve, reject}
let looks = 0;
let last = null; // {photo, view, bound, turned}: of the photo that was asked about last
let working = Promise.resolve();

async function bind(view, turn) {
  const [trunk, head] = await loaded;
  const { config } = await (siteInfo ??= fetch(new URL("site.json", import.meta.url)).then((it) => it.json()));
  const faces = facesIn(view, turn.size);
  return {
    objective: await new CropNet(trunk, head, config).bind(view, turn.size),
    faces: () => faces,
    turn,
  };
}
let siteInfo = null;

looker.onmessage = ({ data: { id, faces, error } }) => {
  const { resolve, reject } = looking.get(id);
  looking.delete(id);
  if (error === undefined) resolve(faces);
  else reject(new Error(error));
};

looker.onerror = (event) => {
  for (const { reject } of looking.values()) reject(new Error(event.message || "the face detector has stopped"));
  looking.clear();
};

/** The faces in a view, found beside all else. */
function facesIn({ data, width, height }, size) {
  const found = new Promise((resolve, reject) => {
    looks += 1;
    looking.set(looks, { resolve, reject });
    looker.postMessage({ id: looks, view: { data, width, height }, size });
  });
  found.catch(() => {}); // told to whoever asks for them
  return found;
}

/** Of a photo turned by an angle; the photo as it is and one angle are kept. */
async function boundOf(file, photo, angle = 0) {
  if (last?.photo !== photo) {
    const picture = await decode(file);
    const size = [picture.width, picture.height];
    const view = viewOf(picture, file.type === "image/jpeg");
    picture.close();
    last = { photo, view, bound: await bind(view, new Turn(size)) };
  }
  if (!angle) return last.bound;
  if (last.turned?.turn.angle !== angle) {
    const turn = new Turn(last.bound.turn.size, angle);
    last.turned = await bind(warped(last.view, turn), turn);
  }
  return last.turned;
}

const ASKS = {
  async ready() {
    await loaded;
    return true;
  },
  async find({ file, photo, request, heat }) {
    const bound = await boundOf(file, photo, request.angle);
    const started = performance.now();
    const { wanted, ...found } = await find(bound, request);
    const answer = { ...found, size: bound.turn.size, seconds: (performance.now() - started) / 1000 };
    if (heat) { // of the photo as it is, whichever way crops are turned
      const [x0, y0, x1, y1] = found.crops[0].box;
      answer.heat = await heatOf(last.bound, Math.round(x1 - x0) / Math.round(y1 - y0));
    }
    return answer;
  },
  async score({ file, photo, boxes, angle }) {
    const { objective, turn } = await boundOf(file, photo, angle);
    const scores = await objective([...boxes, [0, 0, ...turn.size]].map((box) => turn.fit(box)));
    return { size: turn.size, scores: scores.slice(0, -1), full: scores.at(-1) };
  },
  /** A picture of a film; the box `request.now`, if there is one, is scored in it too. */
  async live({ frame, request }) {
    const size = [frame.width, frame.height];
    const bound = await bind(read(frame, ...size), new Turn(size));
    frame.close();
    const { wanted, ...found } = await find(bound, request);
    const boxes = [found.crops[0].box, ...(request.now ? [request.now] : [])];
    const [best, now = null] = await wanted(boxes);
    const [, nowScore = null] = request.now ? await bound.objective(boxes) : [];
    return { ...found, size, wanted: best, now, nowScore };
  },
};

self.onmessage = ({ data: { id, ask, ...given } }) => {
  working = working.then(async () => {
    try {
      self.postMessage({ id, answer: await ASKS[ask](given) });
    } catch (error) {
      self.postMessage({ id, error: error.message });
    }
  });
};
