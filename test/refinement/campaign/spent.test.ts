import { afterEach, expect, test, vi } from "vitest";
import { during, sum, takeSpent, waiting } from "../../../refinement/campaign/spent.js";

let now = 0;
vi.spyOn(performance, "now").mockImplementation(() => now);
const pass = (ms: number): void => {
  now += ms;
};
afterEach(() => takeSpent());

test("a phase is told without the phases within it, and each once", () => {
  takeSpent();
  during("executing", () => {
    pass(10);
    during("decoding", () => pass(3));
    during("rewriting", () => {
      pass(5);
      during("decoding", () => pass(4));
    });
    pass(20);
  });
  pass(1000);
  expect(takeSpent()).toEqual({ executing: 30, decoding: 7, rewriting: 5 });
  expect(takeSpent()).toEqual({});
});

test("what is waited for counts, and so does what fails", async () => {
  takeSpent();
  await expect(
    waiting("executing", () =>
      waiting("solving", async () => {
        pass(7);
        await Promise.resolve();
        pass(8);
        throw new Error("the solver died");
      }),
    ),
  ).rejects.toThrow("died");
  expect(() =>
    during("trying", () => {
      pass(2);
      throw new Error("no");
    }),
  ).toThrow("no");
  pass(50);
  expect(takeSpent()).toEqual({ executing: 0, solving: 15, trying: 2 });
});

test("a sum has the phases in order, and none that took no time", () => {
  expect(Object.entries(sum([{ solving: 1 }, { reading: 2, solving: 3, testing: 0 }]) ?? {})).toEqual([
    ["reading", 2],
    ["solving", 4],
  ]);
  expect(sum([{}, { testing: 0 }])).toBeUndefined();
});
