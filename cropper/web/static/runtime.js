// ONNX Runtime Web, on WebAssembly: from this site, and nothing from anywhere else.

import * as ort from "./ort.wasm.min.mjs";

export const { Tensor } = ort;

const here = (name) => new URL(name, import.meta.url).href;
ort.env.wasm.wasmPaths = { mjs: here("ort-wasm-simd-threaded.mjs"), wasm: here("ort-wasm-simd-threaded.wasm") };
// Threads share memory, which a browser allows a page with the headers for it alone. Half of the
// cores: threads that wait in a loop stop everybody else's on a busy machine
const threads = Math.min(Math.max((navigator.hardwareConcurrency || 1) >> 1, 1), 4);
ort.env.wasm.numThreads = self.crossOriginIsolated ? threads : 1;
ort.env.logLevel = "error";

/** A session of a model of this site. */
export async function open(name) {
  const answer = await fetch(here(name));
  if (!answer.ok) throw new Error(`${name} cannot be loaded: the site answered ${answer.status}`);
  return ort.InferenceSession.create(new Uint8Array(await answer.arrayBuffer()), {
    executionProviders: ["wasm"],
    graphOptimizationLevel: "all",
  });
}
