/** The bundle in public/bundle, which the tests run against. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseManifest, type Manifest } from "../src/coevoer/manifest.js";

export const BUNDLE = join(import.meta.dirname, "../public/bundle");

/** The bytes of one of the bundle's files. */
export function bundleFile(name: string): Uint8Array {
  if (!existsSync(join(BUNDLE, "manifest.json"))) {
    throw new Error(
      "There is no bundle to test. Run `python -m coevoer_edge.export --target onnx` in the repository's root, " +
        "then `npm run bundle -- ../../artifacts/coevoer-t-onnx-w8a8` here.",
    );
  }
  return new Uint8Array(readFileSync(join(BUNDLE, name)));
}

export function bundleManifest(): Manifest {
  return parseManifest(new TextDecoder().decode(bundleFile("manifest.json")), "manifest.json");
}
