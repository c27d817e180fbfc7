import { defineConfig } from "vitest/config";

/** `npm run bench` is not a test: it uses the tests' browser and prints JSON. */
export default defineConfig({
  test: { include: ["tests/browser/bench.ts"], testTimeout: 900_000, hookTimeout: 120_000, disableConsoleIntercept: true },
});
