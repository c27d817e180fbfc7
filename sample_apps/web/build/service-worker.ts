/** Adds the list of the built files and their digest to the service worker's source. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";
import { RUNTIME_FOLDER } from "./runtime-files.ts";

const SOURCE = join(import.meta.dirname, "sw.js");
const PUBLIC_SHELL = ["sample.webm"]; // files in public/ that the page needs from the start

export function serviceWorker(): Plugin {
  let publicDir = "";
  return {
    name: "service-worker",
    apply: "build",
    configResolved(config) {
      publicDir = config.publicDir;
    },
    generateBundle: {
      order: "post",
      handler(_, output) {
        const hash = createHash("sha256").update(readFileSync(SOURCE));
        const files = Object.keys(output).filter((name) => !name.startsWith(RUNTIME_FOLDER)).sort();
        for (const name of files) {
          const item = output[name];
          hash.update(name).update(item?.type === "chunk" ? item.code : (item?.source ?? ""));
        }
        for (const name of PUBLIC_SHELL) hash.update(readFileSync(join(publicDir, name)));
        const shell = ["./", ...files, ...PUBLIC_SHELL];
        const head = `const VERSION = "${hash.digest("hex").slice(0, 12)}";\nconst SHELL = ${JSON.stringify(shell)};\n`;
        this.emitFile({ type: "asset", fileName: "sw.js", source: head + readFileSync(SOURCE, "utf8") });
      },
    },
  };
}
