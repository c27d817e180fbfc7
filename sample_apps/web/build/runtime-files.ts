/** Serves ONNX Runtime's scripts and WebAssembly unchanged, in a folder named after their version. */

import { createReadStream, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { RUNTIME_FILES } from "../src/coevoer/runtime.ts";

const PACKAGE = join(import.meta.dirname, "../node_modules/onnxruntime-web");
const { version } = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")) as { version: string };

/** Where the page finds the runtime. Another version has another address, so caches never mix them. */
export const RUNTIME_FOLDER = `ort-${version}/`;

export function runtimeFiles(): Plugin {
  const files = Object.values(RUNTIME_FILES).flat();
  return {
    name: "onnxruntime-files",
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const name = new URL(request.url ?? "", "http://x").pathname.slice(1 + RUNTIME_FOLDER.length);
        if (!request.url?.startsWith(`/${RUNTIME_FOLDER}`) || !files.includes(name)) return next();
        const headers = Object.entries(server.config.server.headers ?? {});
        for (const [header, value] of headers) response.setHeader(header, String(value));
        response.setHeader("Content-Type", name.endsWith(".wasm") ? "application/wasm" : "text/javascript");
        createReadStream(join(PACKAGE, "dist", name)).pipe(response);
      });
    },
    generateBundle() {
      for (const name of files) {
        this.emitFile({ type: "asset", fileName: RUNTIME_FOLDER + name, source: readFileSync(join(PACKAGE, "dist", name)) });
      }
    },
  };
}
