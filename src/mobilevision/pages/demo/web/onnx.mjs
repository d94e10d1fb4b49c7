// An .onnx file in ONNX Runtime.

import * as ort from "./ort.wasm.bundle.min.mjs";

/** A function from { data, shape }, as `prepare.mjs` gives it, to { data, dims }: what the file says. */
export async function open(file) {
  ort.env.wasm.numThreads = 1; // more would ask for headers that not every server sends
  ort.env.wasm.wasmPaths = { wasm: new URL("ort-wasm-simd-threaded.wasm", import.meta.url).href };
  const session = await ort.InferenceSession.create(file, { executionProviders: ["wasm"], logSeverityLevel: 3 });
  return async ({ data, shape }) => {
    const outputs = await session.run({ [session.inputNames[0]]: new ort.Tensor("float32", data, shape) });
    return outputs[session.outputNames[0]];
  };
}
