// npm run bundle -- PATH: copies an exported ONNX bundle to public/bundle, where the page looks for it.

import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const WRITE_ONE = "`python -m coevoer_edge.export --target onnx` writes one";
const target = join(import.meta.dirname, "../public/bundle");

function fail(message) {
  console.error(`bundle: ${message}`);
  process.exit(2);
}

const [given, ...rest] = process.argv.slice(2);
if (!given || rest.length) fail(`Give the path of one bundle folder: npm run bundle -- PATH (${WRITE_ONE}).`);
const source = resolve(process.env.INIT_CWD ?? ".", given);
if (!existsSync(join(source, "manifest.json")) || !existsSync(join(source, "SHA256SUMS"))) {
  fail(`${source} is not a bundle: it has no manifest.json with SHA256SUMS (${WRITE_ONE}).`);
}
const manifest = JSON.parse(readFileSync(join(source, "manifest.json"), "utf8"));
if (manifest.target !== "onnx") fail(`${source} is for ${manifest.target}; browsers run ONNX bundles (${WRITE_ONE}).`);
for (const line of readFileSync(join(source, "SHA256SUMS"), "utf8").split("\n").filter(Boolean)) {
  const [digest, file] = line.split("  ");
  if (!existsSync(join(source, file))) fail(`${source} has no ${file}; export the bundle again.`);
  const found = createHash("sha256").update(readFileSync(join(source, file))).digest("hex");
  if (found !== digest) fail(`${file} was altered; export the bundle again.`);
}
rmSync(target, { recursive: true, force: true });
cpSync(source, target, { recursive: true });
const kind = `${manifest.precision}${manifest.trained ? "" : ", untrained"}`;
console.log(`Copied ${manifest.model} (${kind}) to public/bundle.`);
