import type { Reporter, TestModule } from "vitest/node";

/**
 * Closes a test run with one line, `N passed, N failed, N skipped`. Where CI is set everything must run: a skipped test
 * fails the run there.
 */
export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const count = { passed: 0, failed: 0, skipped: 0 };
    for (const module of modules) {
      let tests = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        count[state === "pending" ? "failed" : state]++;
        tests++;
      }
      // A file that could not be loaded has no tests to fail.
      if (tests === 0 && !module.ok()) count.failed++;
    }
    if (process.env["CI"] !== undefined && count.skipped > 0) {
      process.stdout.write(`${count.skipped} skipped: in CI every test runs\n`);
      process.exitCode = 1;
    }
    process.stdout.write(`${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
  }
}
