// Finds faces in a thread of its own, while the scorer's network runs: {id, view, size} in, {id, faces}
// or {id, error} out.

import { findFaces } from "./faces.js";
import { open } from "./runtime.js";

const loaded = open("yunet.onnx");

self.onmessage = async ({ data: { id, view, size } }) => {
  try {
    self.postMessage({ id, faces: await findFaces(await loaded, view, size) });
  } catch (error) {
    self.postMessage({ id, error: error.message });
  }
};
