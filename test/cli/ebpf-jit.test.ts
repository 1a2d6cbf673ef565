/** A compiler of whole programs over the line protocol: what its prologue, mapping and epilogue must keep, and what is seen of mistakes. */
import { copyFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { assembleProgram } from "../../refinement/assembly/index.js";
import { loadMachine } from "../../spec/notation/index.js";
import { elfFile } from "../refinement/execute/elf-file.js";
import { check, folder } from "./commute.js";

const refinement = (fault: string): string => `refinement: jit
guest: ebpf
host: x86-64
translator: { command: [${JSON.stringify(process.execPath)}, ./jit.mjs, ${JSON.stringify(fault)}], timeout: 60000, unit: program }
# At the entry: the context, and the end of a stack; the prologue sets everything else to 0.
abstraction:
  r[i]: "i == 1 ? rdi : i == 10 ? rsi : 0"
  mem: guest
  depth: 0
  calls: 0
  frames[i].return: 0
  frames[i].r6: 0
  frames[i].r7: 0
  frames[i].r8: 0
  frames[i].r9: 0
views:
  inside:
    abstraction:
      r[i]: >-
        i == 0 ? rax : i == 1 ? rdi : i == 2 ? rsi : i == 3 ? rdx : i == 4 ? rcx : i == 5 ? r8 : i == 6 ? rbx : i == 7 ? r13 :
        i == 8 ? r14 : i == 9 ? r15 : rbp
    entry:
      rsp: rsp + 40
      rbp: mem[rsp + 32, 8]
      rbx: mem[rsp + 24, 8]
      r13: mem[rsp + 16, 8]
      r14: mem[rsp + 8, 8]
      r15: mem[rsp, 8]
    invariant: "!DF"
  done:
    abstraction: { "r[i]": rax }
    seen: ["r[0]", mem]
regions:
  stack: { base: rsp, below: 4096, size: 8 }
  guest: { at: 0 }
preserve: [rbx, rbp, rsp, r12, r13, r14, r15]
`;

/** Adds up the elements of an array that are below a bound, in memory as well: two loops' worth of ways, accesses that fault. */
const PROGRAM = `
  r6 = r1
  r7 = 0
again:
  if r7 >= 10 goto done
  r3 = *(u64 *)(r6 + 0)
  r6 += 8
  r7 += 1
  if r3 >= 1000 goto again
  r0 += r3
  *(u64 *)(r10 - 8) = r0
  goto again
done:
  exit
`;

interface Obligation {
  readonly name: string;
  readonly verdict: string;
}

async function checked(
  fault: string,
): Promise<{ readonly code: number | null; readonly obligations: readonly Obligation[]; readonly text: string }> {
  const cwd = await folder({ "impl/jit/refinement.yaml": refinement(fault) });
  await copyFile(path.resolve("test/cli/ebpf-jit.mjs"), path.join(cwd, "impl/jit/jit.mjs"));
  const guest = await loadMachine(path.resolve("spec/ebpf/ebpf.yaml"));
  const { bytes } = assembleProgram(guest, PROGRAM, 0x1_0000n);
  const elf = path.join(cwd, "program.elf");
  await writeFile(
    elf,
    elfFile({ class: 64, entry: 0x1_0000n, segments: [{ address: 0x1_0000n, data: bytes, flags: 5 }] }),
  );
  const ran = await check(["jit", "--json", "--blocks-from", elf, "--jobs", "1"], { cwd });
  return {
    code: ran.code,
    obligations: JSON.parse(ran.stdout).refinements?.[0]?.obligations ?? [],
    text: ran.stdout + ran.stderr,
  };
}

const names = (all: readonly Obligation[], verdict: string): readonly string[] =>
  all.filter((o) => o.verdict === verdict).map((o) => o.name);

test("a program is proved piece by piece, from its prologue to its epilogue", { timeout: 600_000 }, async () => {
  const { code, obligations, text } = await checked("");
  expect([code, names(obligations, "proved").length, text]).toEqual([0, obligations.length, text]);
  const of = (start: string): number => obligations.filter((o) => o.name.startsWith(start)).length;
  // Every instruction is a point, one of them a loop's head; a load and a store can fault.
  expect(of("commute/0x10000/point+")).toBeGreaterThanOrEqual(11);
  expect(of("commute/0x10000/exit+")).toBe(1);
  expect(of("materialize/0x10000/+")).toBe(2);
});

test("a register popped into another's place is found where the program is left", { timeout: 600_000 }, async () => {
  const { code, obligations } = await checked("pops-in-the-wrong-order");
  expect(code).toBe(1);
  const refuted = names(obligations, "refuted");
  expect(refuted).toEqual(obligations.filter((o) => o.name.startsWith("commute/0x10000/exit+")).map((o) => o.name));
});

test("a signed comparison is found at the points and faults that it leads to", { timeout: 600_000 }, async () => {
  const { code, obligations } = await checked("compares-as-signed");
  expect(code).toBe(1);
  const refuted = names(obligations, "refuted");
  expect(refuted).not.toEqual([]);
  for (const name of refuted) expect(name).toMatch(/^(commute\/0x10000\/point|materialize\/0x10000\/)\+/);
});
