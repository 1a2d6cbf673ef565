import { afterAll, expect, test } from "vitest";
import { equalities } from "../../../refinement/campaign/equalities.js";
import { openSolver, type Solver } from "../../../refinement/solver/solver.js";
import * as b from "../../../refinement/terms/build.js";
import { bits, memory } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";

let opened: Promise<Solver> | undefined;
const inquiry = {
  name: "equalities",
  seed: 1,
  timeoutMs: 10_000,
  memoryMb: 1024,
  date: "2026-01-01",
  signal: undefined,
  solver: () => (opened ??= openSolver("auto")),
};
afterAll(async () => (await opened)?.close());

const k = (value: number): Term => b.constant(16, BigInt(value));
const y = b.variable("y", bits(16));
/** What is read from somewhere. */
const x = b.load(b.variable("m", memory(64)), b.variable("a", bits(64)), 2);

/** In each byte all bits or none, byte by byte; and for both bytes at once, `all` being 255. */
const bytewise = b.concat(
  ...[8, 0].map((lo) =>
    b.ite(b.eq(b.extract(x, lo + 7, lo), b.constant(8, 0n)), b.constant(8, 0n), b.constant(8, 255n)),
  ),
);
const together = (all: number): Term => {
  const carried = b.bvor(b.add(b.bvand(x, k(0x7f7f)), k(0x7f7f)), x);
  return b.mul(k(all), b.bvand(b.lshr(carried, k(7)), k(0x0101)));
};

test("what is computed in two ways has one name, within what else is computed from it", async () => {
  const [guest, host] = [b.mul(bytewise, y), b.mul(together(255), y)];
  expect(guest).not.toBe(host);
  const found = await equalities(inquiry, { name: "commute/block" }, [b.eq(guest, host)]);
  expect(found?.by).toBe("z3-wasm");
  expect(found?.names.apply(guest)).toBe(found?.names.apply(host));
  // What nothing is known of keeps its own name.
  expect(found?.names.apply(y)).toBe(y);
});

test("what differs in one state of many has two", async () => {
  const [guest, host] = [b.mul(bytewise, y), b.mul(b.ite(b.eq(x, k(0x1234)), k(0), together(255)), y)];
  const found = await equalities(inquiry, { name: "commute/block" }, [b.eq(guest, host)]);
  expect(found?.names.apply(guest) ?? guest).not.toBe(found?.names.apply(host) ?? host);
});
