/** Builds the module as a package: two scripts, for page and worker, without dependencies. */

import { defineConfig } from "rolldown";

export default defineConfig({
  input: { index: "src/coevoer/index.ts", worker: "src/coevoer/worker.ts" },
  external: ["onnxruntime-web"], // types only; the runtime is loaded by address
  output: { dir: "src/coevoer/dist", format: "esm", chunkFileNames: "[name].js", cleanDir: true },
});
