import { describe, expect, it } from "vitest";
import { abstract, checkInitial, checkInverse, checkPoints, checkStep } from "../../../refinement/execute/commute.js";
import { enabled, fire, stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import { counter, guest } from "../diagram/counter.js";

const zero = zeroState(counter().host);
const at = (values: Record<string, bigint>): State => new Map([...zero, ...Object.entries(values)]);
const commit = { transition: "commit", arguments: {} };
const prepare = { transition: "prepare", arguments: {} };

describe("concrete steps", () => {
  it("fire a transition or raise its trap", () => {
    const counting = stepAny(guest, zeroState(guest));
    expect(counting?.transition.name).toBe("tick");
    expect(counting?.state.get("count")).toBe(1n);
    const full = new Map([...zeroState(guest), ["count", 15n] as const]);
    const trapped = stepAny(guest, full)?.state ?? full;
    expect(Object.fromEntries(trapped)).toEqual({ count: 15n, trap: 1n, "trap.value": 15n });
    expect(stepAny(guest, trapped)).toBeUndefined();
  });

  it("respect guards", () => {
    const { host } = counter();
    const [prepareT] = host.transitions;
    if (prepareT === undefined) throw new Error("no transitions");
    expect(enabled(host, prepareT, zero)).toBe(true);
    expect(enabled(host, prepareT, fire(host, prepareT, zero))).toBe(false);
  });
});

describe("the diagram on one state", () => {
  it("commutes for a correct host", () => {
    const r = counter();
    const first = checkStep(r, zero, prepare);
    expect(first).toMatchObject({ applicable: true, violations: [], guestSteps: [] });
    expect(first.obligations).toEqual(["invariant/prepare", "commute/prepare", "progress/prepare"]);
    const second = checkStep(r, first.next, commit);
    expect(second).toMatchObject({ applicable: true, violations: [] });
    expect(second.obligations).toEqual(["invariant/commit", "commute/commit/tick", "commute/commit/enabled"]);
    expect(abstract(r, second.next).get("count")).toBe(1n);
  });

  it("does not speak about states outside the invariant or steps that are not enabled", () => {
    const r = counter();
    expect(checkStep(r, zero, commit)).toMatchObject({ applicable: false, because: "commit is not enabled" });
    expect(checkStep(r, at({ ready: 1n, next: 3n }), commit)).toMatchObject({
      applicable: false,
      because: "the invariant prepared does not hold",
    });
  });

  it("names what differs", () => {
    const carrying = at({ ready: 1n, low: 3n, next: 0n, carry: 1n });
    expect(checkStep(counter("commute"), carrying, commit).violations).toEqual([
      {
        obligation: "commute/commit/tick",
        differs: [{ variable: "count", guest: "0x4", host: "0x0" }],
        certain: true,
      },
    ]);
    expect(checkStep(counter("invariant"), at({ low: 2n }), prepare).violations).toMatchObject([
      { obligation: "invariant/prepare", differs: [{ variable: "prepared" }] },
    ]);
    expect(checkStep(counter("progress"), zero, prepare).violations).toMatchObject([
      { obligation: "progress/prepare", differs: [{ variable: "rank" }] },
    ]);
  });

  it("compares traps and their values", () => {
    const last = at({ ready: 1n, low: 3n, high: 3n, next: 0n, carry: 1n });
    expect(checkStep(counter(), last, commit).violations).toEqual([]);
    expect(checkStep(counter("trap"), last, commit).violations[0]?.differs).toContainEqual({
      variable: "trap",
      guest: "overflow",
      host: "none",
    });
    expect(checkStep(counter("trap-value"), last, commit).violations[0]?.differs).toEqual([
      { variable: "trap.value", guest: "0xf", host: "0x3" },
    ]);
  });

  it("finds a host that goes on where the guest cannot", () => {
    const stopped = at({ ready: 1n, next: 1n, stopped: 1n });
    expect(checkStep(counter("enabled"), stopped, commit).violations).toMatchObject([
      { obligation: "commute/commit/enabled", differs: [{ variable: "enabled" }] },
    ]);
  });

  it("checks initial states, points and inverses", () => {
    expect(checkInitial(counter(), zero)).toEqual([]);
    expect(checkInitial(counter("initial"), at({ low: 1n }))).toMatchObject([{ differs: [{ variable: "initial" }] }]);
    expect(checkPoints(counter(), zero)).toEqual([]);
    expect(checkPoints(counter("materialize"), zero)).toMatchObject([
      { obligation: "materialize/interrupt", differs: [{ variable: "precise" }] },
    ]);
    const five = new Map([...zeroState(guest), ["count", 5n] as const]);
    expect(checkInverse(counter(), five)).toEqual([]);
    expect(checkInverse(counter("inverse"), five)).toMatchObject([
      { obligation: "inverse", differs: [{ variable: "count", guest: "0x5", host: "0x6" }] },
    ]);
  });
});
