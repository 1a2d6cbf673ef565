import { defineConfig } from "vitest/config";
import { ClosingLine } from "./test/closing-line.js";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["node_modules/**", "dist/**", "test/broken/**"],
    globalSetup: ["test/build.ts"],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ["default", new ClosingLine()],
  },
});
