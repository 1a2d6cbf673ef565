import { describe, expect, test } from "vitest";
import { schedules } from "../../../properties/arbitraries/schedules.js";
import { randomAt } from "../../../properties/random.js";
import { obeysLaws } from "./laws.js";

const options = { maxLength: 20, environment: 2, transitions: 3, inputs: 2 };

describe("schedules", () => {
  test("obey the laws", () => {
    obeysLaws(schedules(options), (schedule) =>
      schedule.every((d) => d.values.length === 2 && d.pick < 3 && (d.event === undefined || d.event < 2)),
    );
  });

  test("a host that leaves nothing open gets the empty schedule", () => {
    const none = schedules({ maxLength: 20, environment: 0, transitions: 1, inputs: 0 });
    expect(none.draw(randomAt(1))).toEqual([]);
  });

  test("interrupts come at any step, never in some schedules and often in others", () => {
    const drawn = Array.from({ length: 300 }, (_, i) => schedules(options).draw(randomAt(i)));
    const events = drawn.map((s) => s.filter((d) => d.event !== undefined).length);
    expect(events.filter((n) => n === 0).length).toBeGreaterThan(40);
    expect(events.filter((n) => n >= 5).length).toBeGreaterThan(20);
    for (let at = 0; at < options.maxLength; at++) expect(drawn.some((s) => s[at]?.event !== undefined)).toBe(true);
  });
});
