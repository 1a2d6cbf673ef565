import { expect, test } from "vitest";
import { permissions } from "../../../properties/arbitraries/permissions.js";
import { randomAt } from "../../../properties/random.js";
import { memory } from "../../../refinement/terms/sort.js";
import { obeysLaws } from "./laws.js";

const around = { memory: "mem", sort: memory(32), code: [0x1000n, 0x1004n], data: [0x8000n, 0xffff_fffcn] };

test("permissions obey the laws", () => {
  obeysLaws(
    permissions(around),
    (denied) => denied.every((d) => d.memory === "mem" && d.bytes >= 1n && d.address >= 0n && d.address < 1n << 32n),
    200,
  );
});

test("often nothing is denied; pages and blocks are, to every access", () => {
  const drawn = Array.from({ length: 600 }, (_, i) => permissions(around).draw(randomAt(i)));
  expect(drawn.filter((d) => d.length === 0).length).toBeGreaterThan(150);
  const all = drawn.flat();
  for (const access of ["fetch", "load", "store"]) expect(all.some((d) => d.access === access)).toBe(true);
  expect(all.some((d) => d.bytes === 4096n && d.address % 4096n === 0n)).toBe(true);
  expect(all.some((d) => d.bytes === 8n)).toBe(true);
});
