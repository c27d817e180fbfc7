/** Parity: this module passes the bundle's conformance kit in Node. */

import { describe, expect, it } from "vitest";
import { checkKit, openKit } from "../src/conformance/check.js";
import { bundleFile, bundleManifest } from "./bundle.js";

const manifest = bundleManifest();
const [kit, body] = openKit(bundleFile(manifest.pipeline.conformance), bundleFile(manifest.body_model.file), manifest);
const verdicts = await checkKit(kit, manifest, body);

describe("conformance kit", () => {
  it.each(verdicts.map((verdict) => [verdict.case, verdict.about, verdict] as const))("%s: %s", (_name, _about, verdict) => {
    expect(verdict.fault).toBe("");
    expect(verdict.worst).toBeLessThanOrEqual(1);
  });

  it("has cases of every kind", () => {
    const kinds = new Set(verdicts.map(({ case: name }) => name.split(".")[0]));
    expect([...kinds].sort()).toEqual(["crop", "decode", "detect", "pose", "refuse", "search", "smooth", "track"]);
  });
});
