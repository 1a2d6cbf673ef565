import { describe, expect, test } from "vitest";
import { durationOption, integerOption, listOption } from "../../cli/options.js";
import { nearest } from "../../cli/project.js";
import { describe as describeStep, duration } from "../../cli/terminal/progress.js";
import { table } from "../../cli/terminal/table.js";

describe("options", () => {
  test.each([
    ["10s", 10_000],
    ["500ms", 500],
    ["2m", 120_000],
    ["1.5 s", 1500],
    ["1h", 3_600_000],
  ])("%s is %i ms", (text, ms) => {
    expect(durationOption(text)).toBe(ms);
  });
  test.each(["", "10", "s", "-1s", "0s", "1e3s", "10 parsecs"])("%j is no time", (text) => {
    expect(() => durationOption(text)).toThrow(/10s/);
  });
  test("integers have a least value, and nothing after them", () => {
    expect(integerOption(0)("0x10")).toBe(16);
    expect(integerOption(1)("7")).toBe(7);
    for (const text of ["0", "-3", "1.5", "7x", "", "99999999999999999999"])
      expect(() => integerOption(1)(text)).toThrow();
  });
  test("lists are of a closed set", () => {
    expect(listOption(["a", "b"])("b,a")).toEqual(["b", "a"]);
    expect(() => listOption(["a", "b"])("a,c")).toThrow(/`c`/);
  });
});

test("a table's columns are as wide as their widest cell, colours aside", () => {
  expect(
    table(
      [
        ["a", "\u001b[32mbbb\u001b[39m", "c"],
        ["aaaa", "b", "c"],
      ],
      ["left", "right"],
    ),
  ).toEqual(["a     \u001b[32mbbb\u001b[39m  c", "aaaa    b  c"]);
});

test("progress says how far, how fast, how long still and what", () => {
  expect(describeStep({ done: 10, total: 40, running: "pipeline" }, 5)).toBe("10/40 done, 2.0/s, 15 s left: pipeline");
  expect(describeStep({ done: 0, total: 40, running: "" }, 5)).toBe("0/40 done, 0.0/s");
  expect([0.0421, 4.26, 42.4, 200].map(duration)).toEqual(["42 ms", "4.3 s", "42 s", "3 min 20 s"]);
});

test("the nearest name is offered only if it is near", () => {
  expect(nearest("pipline", ["interpreter", "pipeline"])).toBe("pipeline");
  expect(nearest("quantum", ["interpreter", "pipeline"])).toBeUndefined();
  expect(nearest("x", [])).toBeUndefined();
});
