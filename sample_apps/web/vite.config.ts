/** Development server and build: cross-origin isolation, ONNX Runtime's files, the service worker. */

import { defineConfig, type Plugin } from "vite";
import { missingBundle } from "./build/bundle-notice.ts";
import { RUNTIME_FOLDER, runtimeFiles } from "./build/runtime-files.ts";
import { serviceWorker } from "./build/service-worker.ts";

/** With these a page may share memory between threads; `public/_headers` sets the same for static hosts. */
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const plugins: Plugin[] = [missingBundle(), runtimeFiles(), serviceWorker()];

export default defineConfig({
  appType: "mpa", // a missing file gives 404, not the page
  base: "./", // the build works in any folder of a host
  define: { __RUNTIME_FOLDER__: JSON.stringify(RUNTIME_FOLDER) },
  plugins,
  server: { headers: ISOLATION },
  preview: { headers: ISOLATION },
  worker: { format: "es" },
  build: {
    target: "es2022",
    rolldownOptions: { input: ["index.html", "bench.html"] },
    chunkSizeWarningLimit: 800, // three.js
  },
});
