// Frames made by hand and angles, kept in this browser for photos that come again: by a digest of the
// photo's content, frames by the shape too. No photo is kept, and no name.

const KEY = "cropper:frames";
const MOST = 500; // photos; those of long ago go first

/** In a private window there may be no store: then frames live as long as the page. */
function read() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

function write(all) {
  try {
    if (Object.keys(all).length) localStorage.setItem(KEY, JSON.stringify(all));
    else localStorage.removeItem(KEY);
  } catch {
    // full, or none
  }
}

/** SHA-256 in hex; null where the browser has none, on plain http from another machine. */
export async function hashOf(file) {
  if (!globalThis.crypto?.subtle) return null;
  const content = await file.arrayBuffer().catch(() => null);
  if (!content) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** {x, y, w, h, angle}, or null. */
export const frame = (hash, shape) => read()[hash]?.frames[shape] ?? null;

/** Degrees clockwise by which the photo's crops are turned. */
export const angle = (hash) => read()[hash]?.angle ?? 0;

/** A frame, null to forget it, and the photo's angle. */
export function keep(hash, shape, byHand, turned) {
  if (!hash) return;
  const all = read();
  const frames = { ...all[hash]?.frames, [shape]: byHand };
  if (!byHand) delete frames[shape];
  delete all[hash];
  if (Object.keys(frames).length || turned) all[hash] = { frames, ...(turned ? { angle: turned } : {}) };
  const old = Object.keys(all).slice(0, -MOST);
  for (const each of old) delete all[each];
  write(all);
}

export const count = () =>
  Object.values(read()).reduce((sum, { frames }) => sum + Math.max(Object.keys(frames).length, 1), 0);

export const forget = () => write({});
