/** The campaign's view of the lockstep tester for machines. */
import { type Coverage, never } from "../properties/coverage.js";
import { testRefinement as test } from "../properties/lockstep.js";
import type { MachineTester } from "../refinement/campaign/tester.js";

export const testRefinement: MachineTester = async (refinement, options) => {
  const { onResult } = options;
  const results = await test(refinement, {
    ...options,
    onFound: (counterexample) =>
      onResult?.({ name: counterexample.obligation, verdict: { verdict: "refuted", by: "cases", counterexample } }),
  });
  return results.map(({ name, verdict, coverage }) => ({ name, verdict, coverage: describe(coverage) }));
};

/** `12,000 host steps for 4,000 of the guest; never: guest ecall; interrupted at interrupt 31 times` */
function describe(coverage: Coverage): string {
  const { hostSteps, guestSteps, host, guest, points } = coverage;
  const number = (n: number) => n.toLocaleString("en-US");
  const names = [
    ...never(guest).map((name) => `guest ${name}`),
    ...never(host).map((name) => `host ${name}`),
    ...never(points).map((name) => `materialization at ${name}`),
  ];
  const interruptions = [...points.values()].reduce((sum, n) => sum + n, 0);
  return [
    `${number(hostSteps)} host steps for ${number(guestSteps)} guest steps`,
    ...(points.size === 0 ? [] : [`interrupted ${number(interruptions)} times`]),
    names.length === 0 ? "everything was executed" : `never executed: ${names.join(", ")}`,
  ].join("; ");
}
