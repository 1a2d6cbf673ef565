/** Host functions that translated code calls: inlined from their definition, or uninterpreted on both sides. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { assembleProgram } from "../../refinement/assembly/index.js";
import { assembleX86 } from "../../refinement/assembly/x86/index.js";
import { loadMachine } from "../../spec/notation/index.js";
import { elfFile } from "../refinement/execute/elf-file.js";
import { check, folder } from "./commute.js";

const HOST = 0x7f00_0000_0000n;
const PC = 0x1_0000n;
const HELPER = 0x7f00_1000_0000n;
const CLOBBERED = "[rcx, rdx, rsi, rdi, r8, r9, r10, r11, CF, PF, AF, ZF, SF, OF]";

/** RV64IM with a call of a service, of which it is known only that equal arguments give equal results. */
const GUEST = `machine: services
title: RV64IM with a service
extends: rv64im
uninterpreted:
  "service(number: bits(64), argument: bits(64))": bits(64)
instructions:
  service:
    encoding: 000000000000 00000 000 00000 0001011
    assembly: service
    execute: x[10] = service(x[17], x[10])
`;

const refinement = (helpers: string): string => `refinement: calling
guest: services
host: x86-64
translator: { command: [${JSON.stringify(process.execPath)}, ./calling.mjs], timeout: 60000 }
abstraction: { "x[i]": "mem[rbx + 8 * i, 8]", mem: guest }
regions: { context: { base: rbx, size: 256 }, stack: { base: rsp, below: 4096, size: 8 }, guest: { at: 0 } }
preserve: [rbx, rbp, rsp]
helpers:
${helpers}`;

const DIVIDE = `  divide:
    effect: |
      rax = rsi == 0 ? ~0 : rdi /u rsi
      return(0)
    clobbers: ${CLOBBERED}
`;
const SERVE = `  serve:
    effect: |
      rax = service(rdi, rsi)
      return(0)
    clobbers: ${CLOBBERED}
`;
const LOAD = `  load:
    effect: |
      rax = mem[rdi, 8]
      return(0)
    clobbers: ${CLOBBERED}
`;
const TRACE = `  trace:
    effect: return(0)
    clobbers: ${CLOBBERED}
`;

interface Case {
  readonly guest: string;
  /** Up to its one `ret`. */
  readonly host: string;
  readonly calls: string;
  readonly helpers: string;
  /** Whether the fault map has the call, at the label `calling`. */
  readonly faults?: boolean;
}

/** The verdicts on one instruction's translation, by obligation, each behind the block's name. */
async function verdicts({ guest, host, calls, helpers, faults = false }: Case): Promise<{
  readonly code: number | null;
  readonly of: Readonly<Record<string, string>>;
  readonly assumptions: readonly string[];
  readonly text: string;
}> {
  const program = assembleX86(`${host}; exit: ret`, HOST);
  const exit = program.labels.get("exit");
  if (exit === undefined) throw new Error("no exit");
  const hex = (n: bigint): string => `0x${n.toString(16)}`;
  const cwd = await folder({ "spec/services.yaml": GUEST, "impl/calling/refinement.yaml": refinement(helpers) });
  const machine = await loadMachine(path.join(cwd, "spec/services.yaml"));
  const { bytes } = assembleProgram(machine, guest, PC);
  const elf = path.join(cwd, "block.elf");
  await writeFile(elf, elfFile({ class: 64, entry: PC, segments: [{ address: PC, data: bytes, flags: 5 }] }));
  const answer = {
    host: { address: hex(HOST), code: Buffer.from(program.bytes).toString("hex") },
    entry: hex(HOST),
    calls: [{ address: hex(HELPER), name: calls }],
    faults: faults ? [{ host: hex(program.labels.get("calling") ?? 0n), guest: hex(PC) }] : [],
  };
  await writeFile(
    path.join(cwd, "impl/calling/calling.mjs"),
    `import { createInterface } from "node:readline";
for await (const line of createInterface({ input: process.stdin })) {
  const { id, translate: { pc } } = JSON.parse(line);
  const exits = [{ host: ${JSON.stringify(hex(exit))}, guest: "0x" + (BigInt(pc) + 4n).toString(16) }];
  console.log(JSON.stringify({ id, ...${JSON.stringify(answer)}, exits }));
}
`,
  );
  const ran = await check(["calling", "--json", "--jobs", "1", "--blocks-from", elf], { cwd });
  const text = ran.stdout + ran.stderr;
  const found: {
    readonly assumptions: readonly string[];
    readonly obligations: readonly { readonly name: string; readonly verdict: string; readonly reason?: string }[];
  } = JSON.parse(ran.stdout).refinements?.[0] ?? { assumptions: [], obligations: [] };
  const of = Object.fromEntries(
    found.obligations.map((o) => [
      o.name.replace(/^commute\/0x10000\/|\/0x10000\/|\+.*/g, ""),
      o.reason === undefined ? o.verdict : `${o.verdict}: ${o.reason}`,
    ]),
  );
  return { code: ran.code, of, assumptions: found.assumptions, text };
}

const DIVU = "mov rdi, [rbx + 88]; mov rsi, [rbx + 96]; call 0x7f0010000000; mov [rbx + 80], rax";

test("a helper is inlined from its definition, which is an assumption", { timeout: 300_000 }, async () => {
  const ran = await verdicts({ guest: "divu a0, a1, a2", host: DIVU, calls: "divide", helpers: DIVIDE });
  expect(ran.of, ran.text).toEqual({ exit: "proved" });
  expect(ran.assumptions).toContain("the host function `divide` does what `helpers` says of it, and nothing else");
});

test("its arguments in the wrong order are refuted", { timeout: 300_000 }, async () => {
  const host = "mov rsi, [rbx + 88]; mov rdi, [rbx + 96]; call 0x7f0010000000; mov [rbx + 80], rax";
  const ran = await verdicts({ guest: "divu a0, a1, a2", host, calls: "divide", helpers: DIVIDE });
  expect([ran.code, ran.of], ran.text).toEqual([1, { exit: "refuted" }]);
});

test("a helper that is not right by its definition is refuted", { timeout: 300_000 }, async () => {
  const helpers = DIVIDE.replace("~0", "0");
  const ran = await verdicts({ guest: "divu a0, a1, a2", host: DIVU, calls: "divide", helpers });
  expect([ran.code, ran.of], ran.text).toEqual([1, { exit: "refuted" }]);
});

test("a register cached across a call that clobbers it is refuted; read again behind it, proved", {
  timeout: 300_000,
}, async () => {
  const guest = "add a0, a1, a2";
  const ends = "add rcx, [rbx + 96]; mov [rbx + 80], rcx";
  const cached = `mov rcx, [rbx + 88]; call 0x7f0010000000; ${ends}`;
  const wrong = await verdicts({ guest, host: cached, calls: "trace", helpers: TRACE });
  expect([wrong.code, wrong.of], wrong.text).toEqual([1, { exit: "refuted" }]);
  const reread = `call 0x7f0010000000; mov rcx, [rbx + 88]; ${ends}`;
  const right = await verdicts({ guest, host: reread, calls: "trace", helpers: TRACE });
  expect([right.code, right.of], right.text).toEqual([0, { exit: "proved" }]);
});

test("a fault in a helper belongs to the instruction that calls it", { timeout: 300_000 }, async () => {
  const guest = "ld a0, 0(a1)";
  const host = "mov rdi, [rbx + 88]; calling: call 0x7f0010000000; mov [rbx + 80], rax";
  const right = await verdicts({ guest, host, calls: "load", helpers: LOAD, faults: true });
  expect([right.code, right.of], right.text).toEqual([0, { exit: "proved", materialize: "proved" }]);
  const unmapped = await verdicts({ guest, host, calls: "load", helpers: LOAD });
  expect([unmapped.code, unmapped.of], unmapped.text).toEqual([1, { exit: "proved", materialize: "refuted" }]);
  const early = `mov qword [rbx + 80], 0; ${host}`;
  const wrong = await verdicts({ guest, host: early, calls: "load", helpers: LOAD, faults: true });
  expect([wrong.code, wrong.of], wrong.text).toEqual([1, { exit: "proved", materialize: "refuted" }]);
});

test("a function that nobody knows is one function on both sides", { timeout: 300_000 }, async () => {
  const host = (first: number, second: number): string =>
    `mov rdi, [rbx + ${first}]; mov rsi, [rbx + ${second}]; call 0x7f0010000000; mov [rbx + 80], rax`;
  const right = await verdicts({ guest: "service", host: host(136, 80), calls: "serve", helpers: SERVE });
  expect([right.code, right.of], right.text).toEqual([0, { exit: "proved" }]);
  const wrong = await verdicts({ guest: "service", host: host(128, 80), calls: "serve", helpers: SERVE });
  expect([wrong.code, wrong.of], wrong.text).toEqual([1, { exit: "refuted" }]);
});

test("a function of which nothing is said is unsupported by its name", { timeout: 300_000 }, async () => {
  const ran = await verdicts({ guest: "divu a0, a1, a2", host: DIVU, calls: "helper_divu", helpers: DIVIDE });
  expect(ran.code).toBe(3);
  expect(ran.of["host"]).toMatch(/^unsupported: .*it calls `helper_divu`/);
});

test("a helper that does not return, or clobbers what is no register, is an error", { timeout: 300_000 }, async () => {
  const helpers = "  divide:\n    effect: rax = rdi & rsi\n    clobbers: [rxc]\n";
  const ran = await verdicts({ guest: "divu a0, a1, a2", host: DIVU, calls: "divide", helpers });
  expect(ran.code).toBe(2);
  expect(ran.text).toMatch(/the helper `divide` has to return/);
  expect(ran.text).toMatch(/the host has no register `rxc`/);
});
