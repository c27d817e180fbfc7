/**
 * Runs the benchmark page and native ONNX Runtime once each per round, so that background load affects both equally.
 *
 * Out: JSON on the terminal and in test-results/bench.json: medians, and the median of each round's ratio. It needs the
 * Python package; the variable PYTHON chooses the interpreter. ROUNDS is 30 by default.
 */

import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { it } from "vitest";
import { median } from "../../src/coevoer/selfcheck.js";
import { BUNDLE } from "../bundle.js";
import { openPage, openSite, ROOT } from "./harness.js";

const ROUNDS = Number(process.env["ROUNDS"] ?? 30);
const PYTHON = process.env["PYTHON"] ?? "python3";

class Native {
  private readonly process: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  constructor(threads: number) {
    this.process = spawn(PYTHON, [join(ROOT, "scripts/native.py"), BUNDLE, String(threads)]);
    this.process.stderr.pipe(process.stderr);
    this.lines = createInterface(this.process.stdout)[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`${PYTHON} scripts/native.py ended; install the package (pip install -e ../..) or set PYTHON.`);
    return value;
  }

  async round(): Promise<number> {
    this.process.stdin.write("\n");
    return Number(await this.line());
  }

  close(): void {
    this.process.stdin.end();
  }
}

it("measures", async () => {
  const site = await openSite();
  const rows: Record<string, unknown> = {};
  for (const threads of [1, 2]) {
    const native = new Native(threads);
    await native.line();
    const context = await site.browser.newContext({ serviceWorkers: "block" });
    const { page } = await openPage(context);
    await page.goto(`${site.url}bench.html?provider=wasm&threads=${threads}`);
    await page.evaluate(() => window.bench.open());
    const [wasmMs, nativeMs]: [number[], number[]] = [[], []];
    for (let i = 0; i < ROUNDS; i++) {
      nativeMs.push(await native.round());
      wasmMs.push(await page.evaluate(() => window.bench.round()));
    }
    native.close();
    const pageReport = (await page.evaluate(() => window.bench.report())) as Record<string, unknown>;
    const ratio = median(wasmMs.map((ms, i) => ms / nativeMs[i]!));
    rows[`${threads} threads`] = { native_ms: median(nativeMs), wasm_ms: median(wasmMs), ratio, page: pageReport };
    await context.close();
  }
  await site.close();
  const report = { machine: cpus()[0]?.model, logical_cores: cpus().length, rounds: ROUNDS, ...rows };
  const text = JSON.stringify(report, (_, value: unknown) => (typeof value === "number" ? Number(value.toFixed(3)) : value), 2);
  mkdirSync(join(ROOT, "test-results"), { recursive: true });
  writeFileSync(join(ROOT, "test-results/bench.json"), `${text}\n`);
  console.log(text);
});
