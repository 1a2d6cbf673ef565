/** A refutation of a translator that can be run is told with what it then does, and is none where that is something else. */
import { expect, test } from "vitest";
import { check, folder } from "./commute.js";

const REFINEMENT = `refinement: lazy
guest: rv64i
host: x86-64
translator: { module: ./lazy.mjs, as: AS }
abstraction: { "x[i]": "mem[rdi + 8 * i, 8]", mem: guest }
regions: { context: { base: rdi, size: 256 }, guest: { at: 0 } }
preserve: [rbx, rbp, rsp, rdi, r12, r13, r14, r15, DF]
`;

/** Translates everything to nothing; when it is run, it does so, or something else. */
const LAZY = `export default async (guest, { as }) => ({ translator: {
  identity: as,
  async *translate(requests) {
    for (const { pc, code } of requests) {
      const host = { address: 0x1000n, code: Uint8Array.of(0x90, 0xc3), data: [] };
      const exits = [{ host: 0x1001n, guest: pc + BigInt(code.length), interrupt: false, trap: undefined }];
      yield { kind: "translated", translation: { host, entry: 0x1000n, points: [], faults: [], exits, calls: [] } };
    }
  },
  async run({ state }) {
    if (as === "not") return { kind: "impossible", reason: "out of order" };
    const x11 = state.get("x").get(11n);
    const after = new Map([["x[11]", as === "translated" ? x11 : x11 ^ 12345n]]);
    return { kind: "ran", from: undefined, after, memory: [], traps: [] };
  },
  async close() {},
} });
`;

async function checked(
  as: string,
): Promise<{ readonly obligations: readonly Readonly<Record<string, string>>[]; readonly text: string }> {
  const cwd = await folder({ "impl/lazy/refinement.yaml": REFINEMENT.replace("AS", as), "impl/lazy/lazy.mjs": LAZY });
  const args = ["lazy", "--cases", "60", "--only", "commute/addi *"];
  const [json, text] = [await check([...args, "--json"], { cwd }), await check(args, { cwd })];
  return { obligations: JSON.parse(json.stdout).refinements[0].obligations, text: text.stdout };
}

test("it does what its code does: confirmed", { timeout: 600_000 }, async () => {
  const { obligations, text } = await checked("translated");
  expect(obligations[0]).toMatchObject({ verdict: "refuted" });
  expect(text).toMatch(/run +confirmed: x\[11\] is 0x/);
});

test("it does something else: a defect of the checker, and no refutation", { timeout: 600_000 }, async () => {
  const { obligations, text } = await checked("defined");
  expect(obligations[0]).toMatchObject({ verdict: "unknown" });
  expect(obligations[0]?.reason).toMatch(/does otherwise \(x\[11\] is 0x\w+\): a defect of the checker/);
  expect(text).not.toMatch(/refuted:/);
});

test("it cannot be run: told with the refutation", { timeout: 600_000 }, async () => {
  const { obligations, text } = await checked("not");
  expect(obligations[0]).toMatchObject({ verdict: "refuted" });
  expect(text).toMatch(/run +not confirmed: out of order/);
});
