// What the form asks for, in the API's words.

const get = (id) => document.getElementById(id);
const number = (id) => (get(id).checkValidity() && get(id).value ? Number(get(id).value) : null);
const chosen = () => document.querySelector('input[name="aspect"]:checked').value;

/** Options of /v1/crop, or null where a field is not valid yet. */
export function options() {
  const asked = { min_scale: Number(get("min-scale").value) / 100, top_k: 4 };
  const named = [...document.querySelectorAll('input[name="person"]:checked')];
  if (named.length) asked.keep = named.map((input) => `person:${input.value}`).join(";");
  const size = exactSize();
  if (size) return { ...asked, size };
  if (chosen() === "own") {
    return get("own").checkValidity() && get("own").value ? { ...asked, aspect: get("own").value } : null;
  }
  return { ...asked, aspect: chosen() };
}

/** A box to tick for each person whom the service knows. */
export function showPeople(names) {
  get("people").hidden = !names.length;
  get("names").replaceChildren(...names.map((name) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    Object.assign(input, { type: "checkbox", name: "person", value: name });
    const shown = document.createElement("span");
    shown.textContent = name;
    label.append(input, shown);
    return label;
  }));
}

/** 'WxH', or null. */
export function exactSize() {
  const [width, height] = [number("size-w"), number("size-h")];
  return width && height ? `${width}x${height}` : null;
}

/** Options of /v1/cut beside the box. */
export function cutOptions() {
  const size = exactSize();
  return { ...(size ? { size } : {}), quality: number("quality") ?? 92 };
}

/** Width over height that the frame keeps when it is resized by hand; 0 for any. */
export function ratioOf(frame) {
  return !exactSize() && chosen() === "free" ? 0 : frame.w / frame.h;
}

/** Calls `changed()` when the crops to find are others. */
export function listen(changed) {
  const show = () => {
    get("own-label").hidden = chosen() !== "own";
    get("scale-shown").textContent = `${get("min-scale").value} %`;
    get("aspects").disabled = Boolean(exactSize());
  };
  get("settings").addEventListener("input", show);
  get("settings").addEventListener("change", (event) => {
    show();
    if (event.target.name === "aspect") {
      event.target.parentElement.scrollIntoView({ block: "nearest", inline: "center" });
    }
    if (event.target.id !== "quality") changed();
  });
  get("settings").addEventListener("submit", (event) => event.preventDefault());
  show();
}
