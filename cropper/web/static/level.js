// How far the camera is turned from level, by the motion sensor of the device.

const PATIENCE = 2000; // ms without a reading, then there is no sensor
const FLAT = 0.9; // of the way to looking straight up or down, where there is no level
const LEVEL = 1; // degree, either way, that is called level

/**
 * Degrees clockwise by which the screen is turned; null where it lies flat. `beta` and `gamma` are a
 * deviceorientation event's, `screenAngle` is how far the page is turned on the device.
 */
export function tiltOf({ beta, gamma }, screenAngle) {
  const [b, c] = [beta, gamma].map((degrees) => (degrees * Math.PI) / 180);
  if (Math.abs(Math.cos(b) * Math.cos(c)) > FLAT) return null;
  const turned = (Math.atan2(Math.cos(b) * Math.sin(c), Math.sin(b)) * 180) / Math.PI + screenAngle;
  return turned - 360 * Math.round(turned / 360);
}

/** What is said of a tilt. */
export function inWords(tilt) {
  if (tilt === null) return "Level: hold the camera upright to see it";
  if (Math.abs(tilt) <= LEVEL) return "Level";
  return `Turn ${Math.round(Math.abs(tilt))}° ${tilt > 0 ? "anticlockwise" : "clockwise"} to be level`;
}

/**
 * Calls `show(tilt, words)` with each reading, and once with words alone where there is none. `button`
 * is shown where a browser gives readings only to who asks for them by a press.
 */
export function watchLevel(show, button) {
  const none = (why) => show(null, `No level: ${why}`);
  if (!globalThis.DeviceOrientationEvent) {
    none("this browser reads no motion sensor");
    return;
  }
  const ask = DeviceOrientationEvent.requestPermission?.bind(DeviceOrientationEvent);
  if (!ask) {
    listen(show, none);
    return;
  }
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.hidden = true;
    if (await ask().catch(() => "denied") === "granted") listen(show, none);
    else none("the motion sensor is not allowed here");
  });
}

function listen(show, none) {
  const timer = setTimeout(() => none("this device has no motion sensor"), PATIENCE);
  window.addEventListener("deviceorientation", (event) => {
    if (event.beta === null || event.gamma === null) return; // a desk's, which says so
    clearTimeout(timer);
    const tilt = tiltOf(event, screen.orientation?.angle ?? 0);
    show(tilt, inWords(tilt));
  });
}
