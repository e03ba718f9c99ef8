// The OpenAPI document, for people to read.

const get = (id) => document.getElementById(id);

function element(kind, content, ...children) {
  const made = document.createElement(kind);
  made.append(...(content === "" ? [] : [content]), ...children);
  return made;
}

const row = (...cells) => element("tr", "", ...cells.map((cell) => element("td", cell)));

function rule({ minimum, maximum, enum: values, examples, type, default: preset }) {
  const parts = [];
  if (values) parts.push(`one of ${values.join(", ")}`);
  else if (minimum !== undefined) parts.push(`${type} from ${minimum} to ${maximum}`);
  else if (examples) parts.push(`as in ${examples[0]}`);
  else parts.push(type);
  if (preset !== undefined) parts.push(`default ${preset}`);
  return parts.join("; ");
}

function operation(path, method, about) {
  const title = element("h2", "", element("span", method.toUpperCase()), path);
  title.firstChild.className = "method";
  const section = element("section", title, element("p", about.summary));
  section.className = "card";
  if (about.description) section.append(element("p", about.description));
  if (about.parameters) {
    const head = element("thead", element("tr", "", ...["Option", "Rule", "Meaning"].map((name) =>
      element("th", name))));
    const rows = about.parameters.map((each) =>
      row(element("code", each.name), rule(each.schema), each.description));
    const wide = element("div", element("table", head, element("tbody", "", ...rows)));
    wide.className = "wide";
    wide.tabIndex = 0; // to be scrolled by keys
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", `Options of ${path}`);
    section.append(wide);
  }
  const types = Object.keys(about.responses[200].content);
  section.append(element("p", `Answers ${types.join(", ")}.`));
  section.lastChild.className = "quiet";
  return section;
}

const api = await (await fetch("/openapi.json")).json();
get("examples").textContent = get("examples").textContent.replaceAll(
  "http://127.0.0.1:8000", location.origin);
get("about").textContent = api.info.description;
for (const [path, item] of Object.entries(api.paths)) {
  for (const [method, about] of Object.entries(item)) {
    get("operations").append(operation(path, method, about));
  }
}
for (const [name, kind] of Object.entries(api["x-problems"])) {
  const line = row(element("code", name), String(kind.status), kind.title, kind.remedy);
  line.id = name;
  get("kinds").append(line);
}
if (location.hash) get(location.hash.slice(1))?.scrollIntoView();
