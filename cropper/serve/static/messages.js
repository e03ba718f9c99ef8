// What went wrong: with one photo, or with the service, on the photo; with files, over the page;
// with a value, beside its field.

const get = (id) => document.getElementById(id);
const GONE = "cropper serve does not answer. Is it still running? The page goes on when it answers.";
let gone = false;
let ofPhoto = "";

/** Over the page, moving nothing, until it is closed or there is something else to say. */
export function complain(lines) {
  get("error").textContent = lines.join("\n");
  get("told").hidden = !lines.length;
}

/** What is wrong with a field's value; "" for nothing. */
export function tellBeside(field, text) {
  const id = `${field.id}-rule`;
  get(id)?.remove();
  field.toggleAttribute("aria-invalid", Boolean(text));
  if (!text) return;
  const rule = document.createElement("small");
  Object.assign(rule, { id, className: "rule", role: "alert", textContent: text });
  (field.closest(".edges") ?? field.parentElement).append(rule);
}

/** Of the photo in view; "" for none. */
export function showTrouble(text) {
  ofPhoto = text;
  show();
}

export function showGone(isGone) {
  gone = isGone;
  show();
}

function show() {
  const text = gone ? GONE : ofPhoto;
  get("work").classList.toggle("gone", gone);
  get("trouble").textContent = text;
  get("trouble").hidden = !text;
  if (gone && get("work").hidden) complain([text]);
  else if (!gone && get("error").textContent === GONE) complain([]);
}

export const listen = () => get("heard").addEventListener("click", () => complain([]));
