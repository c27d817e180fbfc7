/** Says what to do when the page would be served or built without a bundle. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export function missingBundle(): Plugin {
  return {
    name: "missing-bundle",
    configResolved(config) {
      if (existsSync(join(config.publicDir, "bundle/manifest.json"))) return;
      config.logger.warn(
        "There is no bundle in public/bundle: the page will say so.\n" +
          "  python -m coevoer_edge.export --target onnx\n" +
          "  npm run bundle -- ../../artifacts/coevoer-t-onnx-w8a8",
      );
    },
  };
}
