// A .tflite file in LiteRT.

import { Tensor, loadAndCompile, loadLiteRt } from "@litertjs/core";

const QUIET = { print() {}, printErr() {} }; // it tells every step
const NO_DEVICE = { limits: {}, features: new Set(), requestDevice: async () => null };

/** A function from { data, shape }, as `prepare.mjs` gives it, to { data, dims }: what the file says. */
export async function open(file) {
  globalThis.Module = QUIET;
  await onProcessor(() => loadLiteRt(new URL("litert_wasm_compat_internal.js", import.meta.url).href));
  const model = await loadAndCompile(file, { accelerator: "wasm" });
  const [{ shape: dims }] = model.getOutputDetails();
  return async ({ data, shape }) => {
    const picture = new Tensor(channelsLast(data, shape), [1, ...shape.slice(2), shape[1]]);
    const outputs = await model.run(picture);
    const said = { data: outputs[0].toTypedArray().slice(), dims: Array.from(dims) };
    for (const tensor of [picture, ...outputs]) tensor.delete();
    return said;
  };
}

// It looks for a graphics processor as it loads, and complains where there is none; the page uses none.
async function onProcessor(load) {
  Object.defineProperty(navigator, "gpu", { value: { requestAdapter: async () => NO_DEVICE }, configurable: true });
  await load();
  delete navigator.gpu;
}

// The file takes the colors of a pixel beside each other.
function channelsLast(data, [, channels, height, width]) {
  const pixels = height * width;
  const out = new Float32Array(data.length);
  for (let at = 0; at < pixels; at++) for (let c = 0; c < channels; c++) out[at * channels + c] = data[c * pixels + at];
  return out;
}
