// npm run bundle -- PATH: copies an exported ONNX bundle to public/bundle, where the page looks for it.

import { createHash } from "node:crypto";
import { cpSync, existsSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";

const WRITE_ONE = "python -m coevoer_edge.export --target onnx writes one";
const target = join(import.meta.dirname, "../public/bundle");

function fail(message) {
  console.error(`bundle: ${message}`);
  process.exit(2);
}

const [given, ...rest] = process.argv.slice(2);
if (!given || rest.length) fail(`give the path of one bundle folder: npm run bundle -- PATH (${WRITE_ONE})`);
const source = resolve(process.env.INIT_CWD ?? ".", given);
if (!existsSync(join(source, "manifest.json")) || !existsSync(join(source, "SHA256SUMS"))) {
  fail(`${source} is not a bundle: it has no manifest.json with SHA256SUMS (${WRITE_ONE})`);
}
const manifest = JSON.parse(readFileSync(join(source, "manifest.json"), "utf8"));
if (manifest.target !== "onnx") fail(`${source} is for ${manifest.target}; browsers run ONNX bundles (${WRITE_ONE})`);
for (const line of readFileSync(join(source, "SHA256SUMS"), "utf8").split("\n").filter(Boolean)) {
  const [digest, file] = line.split("  ");
  const bytes = existsSync(join(source, file)) ? readFileSync(join(source, file)) : fail(`${source} lacks ${file}`);
  if (createHash("sha256").update(bytes).digest("hex") !== digest) fail(`${file} was altered; export the bundle again`);
}
rmSync(target, { recursive: true, force: true });
cpSync(source, target, { recursive: true });
console.log(`${manifest.model} (${manifest.precision}${manifest.trained ? "" : ", untrained"}) is in public/bundle`);
