// The camera page: the best crop of the running picture, live, and a shutter that saves both.

import { ask, preference } from "./browser.js";
import { watchLevel } from "./level.js";
import { save } from "./save.js";
import { Steady } from "./steady.js";

const get = (id) => document.getElementById(id);
const LONG_SIDE = 352; // px of what the engine sees of the running picture
const REST = 0.5; // of the time that a picture took, before the next: for battery and heat
const LEAST = 100; // ms from one picture to the next
const QUALITY = 0.92;
const REASONS = {
  NotAllowedError: "The camera is not allowed here. Allow it for this site in the browser's " +
    "settings, then reload the page.",
  NotFoundError: "There is no camera on this device. Choose a photo instead.",
  NotReadableError: "The camera is in use by another application. Close that, then reload the page.",
  OverconstrainedError: "This camera has no picture of a usable size.",
};

const video = get("video");
const steady = new Steady();
let facing = "environment";
let seen = null; // {width, height} of what the engine sees
let isRunning = false;
let round = 0; // of starts and stops: what an earlier one still finds is no longer wanted

async function start() {
  stop();
  const own = round;
  if (!navigator.mediaDevices) {
    explain("A browser gives the camera to pages over https alone. Open this one by https.");
    return;
  }
  try {
    const wanted = { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
    if (own !== round) { // hidden or turned meanwhile
      for (const track of stream.getTracks()) track.stop();
      return;
    }
    video.srcObject = stream;
    await video.play();
  } catch (error) {
    if (own === round) explain(REASONS[error.name] ?? `The camera cannot be started: ${error.message}`);
    return;
  }
  const cameras = (await navigator.mediaDevices.enumerateDevices())
    .filter((device) => device.kind === "videoinput");
  if (own !== round) return;
  get("flip").hidden = cameras.length < 2;
  const [track] = video.srcObject.getVideoTracks();
  track.addEventListener("ended", () => explain("The camera was taken away. Reload the page."));
  get("finder").classList.toggle("mirrored", track.getSettings().facingMode === "user");
  get("message").hidden = true;
  get("finder").hidden = false;
  isRunning = true;
  look(round);
  draw(round);
}

function stop() {
  round += 1;
  isRunning = false;
  for (const track of video.srcObject?.getTracks() ?? []) track.stop();
  steady.forget();
}

function explain(text) {
  stop();
  get("message").textContent = text;
  get("message").hidden = false;
  get("finder").hidden = get("flip").hidden = true;
  get("shutter").disabled = true;
}

/** One picture after the other to the engine, while the page is seen. */
async function look(own) {
  while (isRunning && own === round) {
    if (document.hidden || !video.videoWidth) {
      await pause(250);
      continue;
    }
    const started = performance.now();
    try {
      await lookOnce(own);
    } catch (error) {
      explain(`The engine has stopped: ${error.message}. Reload the page.`);
      return;
    }
    const took = performance.now() - started;
    await pause(Math.max(took * REST, LEAST - took));
  }
}

const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

async function lookOnce(own) {
  const { videoWidth: width, videoHeight: height } = video;
  const scale = Math.min(LONG_SIDE / Math.max(width, height), 1);
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (seen && (seen.width !== size.width || seen.height !== size.height)) steady.forget(); // turned
  seen = size;
  get("finder").style.setProperty("--ratio", width / height);
  const canvas = new OffscreenCanvas(size.width, size.height);
  canvas.getContext("2d").drawImage(video, 0, 0, size.width, size.height);
  const frame = canvas.transferToImageBitmap();
  const request = { aspect: shape(), now: steady.target };
  const found = await ask("live", { frame, request }, [frame]);
  if (own !== round || !isRunning || request.aspect !== shape()) return;
  const [best] = found.crops;
  const isNew = steady.see({ box: best.box, wanted: found.wanted }, found.now);
  get("shutter").disabled = false;
  show(found, isNew);
}

const shape = () => document.querySelector('input[name="shape"]:checked').value;

function show(found, isNew) {
  const score = isNew ? found.crops[0].score : found.nowScore;
  const share = Math.round(100 * preference(score - found.centre));
  const note = found.notes.length ? ` · ${found.notes.join("; ")}` : "";
  get("verdict").textContent = `${share} % prefer it to the middle${note}`;
  if (isNew) get("spoken").textContent = `A new frame: ${share} of 100 people prefer it`;
  get("faces").replaceChildren(...(found.faces ?? []).map((face) => {
    const mark = document.createElement("div");
    lay(mark, face);
    return mark;
  }));
}

/** The frame glides at the screen's own pace. */
function draw(own) {
  if (!isRunning || own !== round) return;
  const box = steady.step();
  get("box").hidden = !box;
  if (box) lay(get("box"), box);
  requestAnimationFrame(() => draw(own));
}

function lay(element, [x0, y0, x1, y1]) {
  element.style.left = `${(100 * x0) / seen.width}%`;
  element.style.top = `${(100 * y0) / seen.height}%`;
  element.style.width = `${(100 * (x1 - x0)) / seen.width}%`;
  element.style.height = `${(100 * (y1 - y0)) / seen.height}%`;
}

/** The whole photo and the crop that is shown, as two files. */
async function take() {
  const { videoWidth: width, videoHeight: height } = video;
  const [x0, y0, x1, y1] = steady.target.map((edge, index) =>
    Math.round(index % 2 ? (edge * height) / seen.height : (edge * width) / seen.width));
  const whole = new OffscreenCanvas(width, height);
  whole.getContext("2d").drawImage(video, 0, 0);
  const crop = new OffscreenCanvas(x1 - x0, y1 - y0);
  crop.getContext("2d").drawImage(whole, -x0, -y0);
  const name = `photo-${new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-")}`;
  for (const [canvas, file] of [[whole, `${name}.jpg`], [crop, `${name}-best.jpg`]]) {
    save({ name: file, blob: await canvas.convertToBlob({ type: "image/jpeg", quality: QUALITY }) });
  }
  get("spoken").textContent = "The photo and its crop are saved";
}

/** The true horizon, as the sensor has it, and how to get there. */
function showLevel(tilt, words) {
  get("level").textContent = words;
  get("horizon").hidden = tilt === null || get("finder").hidden;
  get("horizon").classList.toggle("level", words === "Level");
  get("horizon").style.setProperty("--turn", `${-tilt}deg`);
}

watchLevel(showLevel, get("ask-level"));
get("flip").addEventListener("click", () => {
  facing = facing === "user" ? "environment" : "user";
  start();
});
get("shapes").addEventListener("change", () => steady.forget());
get("shutter").addEventListener("click", take);
document.addEventListener("visibilitychange", () => { // a hidden page has no need of a camera
  if (document.hidden) stop();
  else start();
});
start();
