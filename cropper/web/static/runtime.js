// ONNX Runtime Web, on WebAssembly, or where the worker's address ends in ?gpu on WebGPU: from this
// site, and nothing from anywhere else.

const onGpu = self.location.search === "?gpu";
const [library, engine] = onGpu ? ["ort.webgpu.min.mjs", "ort-wasm-simd-threaded.jsep"]
  : ["ort.wasm.min.mjs", "ort-wasm-simd-threaded"];
const here = (name) => new URL(name, import.meta.url).href;
const loading = import(here(library)).then((ort) => {
  ort.env.wasm.wasmPaths = { mjs: here(`${engine}.mjs`), wasm: here(`${engine}.wasm`) };
  // Threads share memory, which a browser allows a page with the headers for it alone. Half of the
  // cores: threads that wait in a loop stop everybody else's on a busy machine
  const threads = Math.min(Math.max((navigator.hardwareConcurrency || 1) >> 1, 1), 4);
  ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1;
  ort.env.logLevel = "error";
  Tensor = ort.Tensor;
  return ort;
});

let opening = Promise.resolve(); // one after the other: on WebGPU the library cannot open two at once

export let Tensor = null; // there once a session is open

/** A session of a model of this site; a `large` one on the graphics processor where that is asked for. */
export async function open(name, large = false) {
  const answer = await fetch(here(name));
  if (!answer.ok) throw new Error(`${name} cannot be loaded: the site answered ${answer.status}`);
  const [ort, model] = await Promise.all([loading, answer.arrayBuffer()]);
  opening = opening.catch(() => {}).then(() => ort.InferenceSession.create(new Uint8Array(model), {
    executionProviders: onGpu && large ? ["webgpu", "wasm"] : ["wasm"],
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  }));
  return opening;
}
