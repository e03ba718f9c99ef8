// The sizes that have a name, as the service lists them: one table for the shell and the page.

const get = (id) => document.getElementById(id);
let table = [];

export const all = () => table;

/** Fills the list; there may be none. */
export function show(presets = []) {
  table = presets;
  get("preset-label").hidden = !table.length;
  const groups = Map.groupBy
    ? Map.groupBy(table, (each) => each.group)
    : table.reduce((map, each) => map.set(each.group, [...(map.get(each.group) ?? []), each]), new Map());
  for (const [name, members] of groups) {
    const group = document.createElement("optgroup");
    group.label = name;
    group.append(...members.map(({ name: value, title, size }) =>
      new Option(`${title}, ${size.join(" × ")}`, value)));
    get("preset").append(group);
  }
}

/** The one that is chosen, or undefined. */
export const chosen = () => table.find((each) => each.name === get("preset").value);

export const clear = () => { get("preset").value = ""; };
