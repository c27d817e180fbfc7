/** Says what to do when the page is served or built without a bundle. */

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Plugin } from "vite";

export function missingBundle(): Plugin {
  return {
    name: "missing-bundle",
    configResolved(config) {
      if (existsSync(join(config.publicDir, "bundle/manifest.json"))) return;
      config.logger.warn(
        "There is no bundle in public/bundle, so the page will only show an error. To export and copy one:\n" +
          "  python -m coevoer_edge.export --target onnx\n" +
          "  npm run bundle -- ../../artifacts/coevoer-t-onnx-w8a8",
      );
    },
  };
}
