// The sizes that have a name, as the service lists them: one table for the shell and the page.

const get = (id) => document.getElementById(id);
let table = [];

export const all = () => table;

/** Fills the list; there may be none. */
export function show(presets = []) {
  table = presets;
  get("preset-label").hidden = !table.length;
  let list = null;
  for (const { name, title, group, size } of table) {
    if (list?.label !== group) {
      list = document.createElement("optgroup");
      list.label = group;
      get("preset").append(list);
    }
    list.append(new Option(`${title}, ${size.join(" × ")}`, name));
  }
}

/** The one that is chosen, or undefined. */
export const chosen = () => table.find((each) => each.name === get("preset").value);

export const clear = () => { get("preset").value = ""; };
