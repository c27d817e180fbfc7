import { defineConfig } from "vitest/config";

/** One browser at a time, because loading a model takes a while on a small machine. */
export default defineConfig({
  test: { include: ["tests/browser/*.test.ts"], fileParallelism: false, testTimeout: 300_000, hookTimeout: 120_000 },
});
