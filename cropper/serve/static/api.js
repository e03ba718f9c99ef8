// The service's own HTTP API. A full queue is waited for; every other problem is thrown.

export class ApiError extends Error {
  constructor(status, problem) {
    const detail = problem.detail?.replace(/^the photo: /, ""); // whose name the page knows
    super(detail || problem.title || `the service answered ${status}`);
    this.status = status;
    this.kind = (problem.type || "").split("#")[1];
  }
}

let askForToken = async () => "";
export const onToken = (ask) => { askForToken = ask; };

const EVERY = 2; // s between two attempts to reach a service that does not answer
let isGone = false;
let tellGone = () => {};
/** `tell(gone)` is called when the service stops answering, and when it answers again. */
export const onGone = (tell) => { tellGone = tell; };

function markGone(gone) {
  if (gone !== isGone) tellGone(gone);
  isGone = gone;
}

/** A token may come with the page's address, behind #token=, which is never sent anywhere. */
function storedToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

const wait = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    }, { once: true });
  });

/** As fetch, but a service that does not answer is waited for. */
async function reach(path, options) {
  for (let refused = 0; ; refused += 1) {
    try {
      const answer = await fetch(path, options);
      markGone(false);
      return answer;
    } catch (error) {
      if (options.signal?.aborted) throw error;
    }
    const answers = await fetch("/healthz").then((health) => health.ok, () => false);
    if (answers && refused) throw new Error("it cannot be sent: was the file moved or changed?");
    if (answers) continue; // back just now, perhaps
    markGone(true);
    await wait(EVERY, options.signal);
    refused = -1;
  }
}

async function ask(path, { body, accept = "application/json", signal } = {}) {
  for (;;) {
    const headers = { Accept: accept };
    const token = storedToken();
    if (token) headers.Authorization = `Bearer ${token}`;
    const answer = await reach(path, { method: body ? "POST" : "GET", body, headers, signal });
    if (answer.ok) return answer;
    if (answer.status === 503) {
      await wait(Number(answer.headers.get("Retry-After")) || 1, signal);
      continue;
    }
    if (answer.status === 401) {
      sessionStorage.setItem("token", await askForToken());
      continue;
    }
    const isProblem = (answer.headers.get("Content-Type") || "").includes("json");
    throw new ApiError(answer.status, isProblem ? await answer.json() : {});
  }
}

function form(file, options) {
  const data = new FormData();
  for (const [name, value] of Object.entries(options)) data.append(name, value);
  data.append("photo", file, "photo"); // its name is nobody's business
  return data;
}

/** Whether it sets photos upright. */
export const orients = true;

export const limits = async () => (await ask("/v1/limits")).json();

export const crop = async (file, options, signal) =>
  (await ask("/v1/crop", { body: form(file, options), signal })).json();

/** Of boxes [[x0, y0, x1, y1], ...] of the photo turned back by an angle, if one is among the options. */
export const score = async (file, boxes, options = {}, signal = undefined) => {
  const body = form(file, { boxes: JSON.stringify(boxes), ...options });
  return (await ask("/v1/score", { body, signal })).json();
};

/** A crop, {box} or {corners}, as a Blob; in the photo's own format unless another is accepted. */
export const cut = async (file, place, options = {}, accept = "image/*", signal = undefined) => {
  const texts = Object.entries(place).map(([name, value]) => [name, JSON.stringify(value)]);
  const body = form(file, { ...Object.fromEntries(texts), ...options });
  return (await ask("/v1/cut", { body, accept, signal })).blob();
};
