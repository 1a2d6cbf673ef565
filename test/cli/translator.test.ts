/** Translators as a user has them: what they answer, and what becomes of the run. */
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "vitest";
import { elfFile } from "../refinement/execute/elf-file.js";
import { check, folder } from "./commute.js";

const REFINEMENT = `refinement: odd
guest: rv64i
host: x86-64
translator: { command: [${JSON.stringify(process.execPath)}, ./odd.mjs], timeout: 60000 }
abstraction: { "x[i]": "mem[rdi + 8 * i, 8]", mem: guest }
regions: { context: { base: rdi, size: 256 }, guest: { at: 0 } }
preserve: [rbx, rbp, rsp, rdi, r12, r13, r14, r15, DF]
`;

/** Translates `nop` rightly, `ecall` not at all, and does something else wrong with each of some others. */
const ODD = `import { createInterface } from "node:readline";
const CODE = { address: "0x1000", code: "90c3" };
let answered = 0;
for await (const line of createInterface({ input: process.stdin })) {
  answered++;
  const { id, translate: { pc, code } } = JSON.parse(line);
  const next = "0x" + (BigInt(pc) + BigInt(code.length / 2)).toString(16);
  const right = { id, host: CODE, entry: "0x1000", exits: [{ host: "0x1001", guest: next }] };
  const say = (answer) => console.log(JSON.stringify(answer));
  const opcode = Number.parseInt(code.slice(0, 2), 16) & 0x7f;
  const funct3 = (Number.parseInt(code.slice(2, 4), 16) >> 4) & 7;
  if (code.startsWith("13000000")) say(right);
  else if (code.startsWith("73000000")) say({ id, unsupported: "ecall" });
  else if (opcode === 0x37) say({ ...right, exits: [{ host: "0x1005", guest: next }] });
  else if (opcode === 0x17) say({ ...right, faults: [{ host: "0x1000", guest: "0x50000" }] });
  else if (opcode === 0x6f) say({ ...right, host: { address: "0x1000", code: "0fff" } });
  else if (opcode === 0x67) process.exit(1);
  else if (opcode === 0x03 && funct3 === 2) say({ ...right, exits: [{ host: "0x1001", guest: pc, trap: "load_access_fault", value: { register: "rsj" } }] });
  else if (opcode === 0x03) say({ ...right, exits: [{ host: "0x1001", guest: pc, trap: "load_acces_fault" }] });
  else if (opcode === 0x23 && funct3 === 1) say(answered % 2 === 0 ? right : { ...right, host: { address: "0x1000", code: "90c390" } });
  else if (opcode === 0x23) say({ ...right, host: { address: "0x1000", code: "4889c0c3" }, points: [{ host: "0x1001", guest: pc }], exits: [{ host: "0x1003", guest: next }] });
  else if (opcode === 0x63) say({ ...right, host: { address: "0x1000", code: "eb10c3" }, exits: [{ host: "0x1002", guest: next }] });
  else if (opcode === 0x13) say({ ...right, entry: "0x2000" });
  else if (opcode === 0x33 && funct3 === 4) say({ ...right, host: { ...CODE, data: [{ address: "0x1001", bytes: "00" }] } });
  else if (opcode === 0x33 && funct3 === 5) say({ ...right, host: { ...CODE, address: "0x800000000000" }, entry: "0x800000000000", exits: [] });
  else if (opcode === 0x33 && funct3 === 3) say({ ...right, faults: [{ host: "0x1000", until: "0x1002", guest: pc }, { host: "0x1001", guest: next }] });
  else if (opcode === 0x33 && funct3 === 6) say({ ...right, exits: [...right.exits, { host: "0x1001", guest: pc }] });
  else if (opcode === 0x33 && funct3 === 7) say({ ...right, points: [{ host: "0x1000", guest: next }] });
  else if (opcode === 0x33) say({ ...right, exits: [] });
  else say(right);
}
`;

async function project(): Promise<string> {
  return folder({ "impl/odd/refinement.yaml": REFINEMENT, "impl/odd/odd.mjs": ODD });
}

interface Obligation {
  readonly name: string;
  readonly verdict: string;
  readonly by: string;
  readonly reason?: string;
  readonly cached?: boolean;
}

function obligationsIn(stdout: string): readonly Obligation[] {
  return JSON.parse(stdout).refinements[0].obligations;
}

test("every answer that is none costs its own block, by name, and the run goes on", { timeout: 600_000 }, async () => {
  const cwd = await project();
  const only = [
    "lui",
    "auipc",
    "jal",
    "jalr",
    "ecall",
    "lb",
    "sb",
    "beq",
    "addi",
    "lw",
    "add",
    "sltu",
    "xor",
    "srl",
    "or",
    "and",
    "fence",
  ].flatMap((name) => ["--only", `commute/${name} *`]);
  const ran = await check(["odd", "--json", ...only, "--only", "commute/ecall*"], { cwd });
  expect(ran.code).toBe(1);
  const all = obligationsIn(ran.stdout);
  const of = (name: string) => all.find((o) => o.name.startsWith(`commute/${name}`));
  expect(of("lui")).toMatchObject({ verdict: "unknown", by: "translator" });
  expect(of("lui")?.reason).toMatch(/`exits` names the host address 0x1005, outside its code/);
  expect(of("auipc")?.reason).toMatch(/`faults` names the guest address 0x50000, outside the block/);
  expect(of("jal ")?.reason).toMatch(/`entry` names the host address 0x1000, where no instruction begins/);
  expect(of("jalr")?.reason).toMatch(/it exited with 1 instead of answering/);
  expect(of("lb")?.reason).toMatch(/names the trap `load_acces_fault`, and rv64i has none of that name/);
  expect(of("lw")?.reason).toMatch(/tells a trap's value, in `rsj`, and x86-64 has no such register/);
  expect(of("sb")?.reason).toMatch(/`points` names the host address 0x1001, where no instruction begins/);
  // Out of its code: that is a mistake of the code, not of the protocol.
  expect(of("beq")).toMatchObject({ name: expect.stringMatching(/host\+0$/), verdict: "refuted" });
  expect(of("addi ")?.reason).toMatch(/`entry` names the host address 0x2000, outside its code/);
  expect(of("add ")?.reason).toMatch(/`exits` is empty/);
  expect(of("sltu ")?.reason).toMatch(/`faults` says two things of the host address 0x1001/);
  expect(of("xor ")?.reason).toMatch(/its data at 0x1001 overlaps the code at 0x1000/);
  expect(of("srl ")?.reason).toMatch(/the code at 0x800000000000 lies at the limit of the regions/);
  expect(of("or ")?.reason).toMatch(/`exits` says two things of the host address 0x1001/);
  expect(of("and ")?.reason).toMatch(
    /`points` names the guest address 0x\w+4 at the entry, where the guest is at 0x\w+0/,
  );
  expect(of("ecall")).toMatchObject({ verdict: "unsupported" });
  expect(of("fence")).toMatchObject({ verdict: "proved" });
});

test("a block that is known to be beyond the translator is not asked for, and unsupported", {
  timeout: 600_000,
}, async () => {
  const module = `const code = Uint8Array.of(0x13, 0, 0, 0);
    const host = { address: 0x1000n, code: Uint8Array.of(0xc3), data: [] };
    const exits = [{ host: 0x1000n, guest: 0x10004n, interrupt: false, trap: undefined }];
    export default async () => ({ translator: {
      identity: "known",
      async *blocks() {
        yield { name: "beyond", pc: 0x20000n, code, unsupported: "what it says" };
        yield { name: "nop", pc: 0x10000n, code };
      },
      async *translate(requests) {
        for (const { pc } of requests) {
          const translation = { host, entry: 0x1000n, points: [], faults: [], exits, calls: [] };
          yield pc === 0x10000n ? { kind: "translated", translation } : { kind: "error", reason: "asked for" };
        }
      },
      async close() {},
    } });`;
  const refinement = REFINEMENT.replace(/command: .*/, "module: ./known.mjs }").replace("odd", "known");
  const cwd = await folder({ "impl/known/refinement.yaml": refinement, "impl/known/known.mjs": module });
  const ran = await check(["known", "--json"], { cwd });
  expect(ran.code).toBe(3);
  const all = obligationsIn(ran.stdout).map(({ name, verdict, reason }) => [name, verdict, reason]);
  expect(all).toContainEqual(["commute/beyond", "unsupported", "what it says"]);
  expect(all.filter(([, verdict]) => verdict !== "unsupported")).toEqual([["commute/nop/exit+0", "proved", undefined]]);
});

test("a block that is translated otherwise when it is asked for again has no translation", {
  timeout: 600_000,
}, async () => {
  const cwd = await project();
  const ran = await check(["odd", "--json", "--only", "commute/sh *"], { cwd });
  expect(ran.code).toBe(3);
  // Of n requests that are made again in reverse, the k-th and its second are k and 2n + 1 - k: one is odd.
  const all = obligationsIn(ran.stdout);
  expect(all).not.toEqual([]);
  for (const o of all) {
    expect(o).toMatchObject({ verdict: "unknown", by: "translator" });
    expect(o.reason).toMatch(/second time, the translator answers otherwise: `host.code` differs/);
  }
});

test("a program's blocks; what is known of them is not asked again", { timeout: 600_000 }, async () => {
  const cwd = await project();
  const elf = path.join(cwd, "program.elf");
  // Two blocks: a no-operation and a system call; a no-operation and a jump.
  const words = Uint32Array.of(0x13, 0x73, 0x13, 0x6f);
  const code = { address: 0x1_0000n, data: new Uint8Array(words.buffer), flags: 5 };
  await writeFile(elf, elfFile({ class: 64, entry: 0x1_0000n, segments: [code] }));
  const args = ["odd", "--json", "--blocks-from", elf];
  const first = await check(args, { cwd });
  expect(first.code).toBe(1);
  const [a, b] = obligationsIn(first.stdout);
  const { spent } = JSON.parse(first.stdout).refinements[0];
  for (const phase of ["reading", "decoding", "executing"]) expect(spent[phase]).toEqual(expect.any(Number));
  expect(a).toMatchObject({ name: "commute/0x10000/exit+1", verdict: "refuted" });
  expect(b).toMatchObject({ name: "commute/0x10008/exit+1", verdict: "refuted" });
  const second = obligationsIn((await check(args, { cwd })).stdout);
  expect(second.map((o) => [o.name, o.cached])).toEqual([a, b].map((o) => [o?.name, true]));
});

test("a request that reads memory of no region is the file's mistake, not the checker's", {
  timeout: 600_000,
}, async () => {
  const request = 'request: "mem[rdi + 4096, 4] != 0"\n';
  const cwd = await folder({ "impl/odd/refinement.yaml": `${REFINEMENT}\n${request}`, "impl/odd/odd.mjs": ODD });
  const ran = await check(["odd", "--json", "--only", "commute/fence*"], { cwd });
  expect(ran.code).toBe(3);
  const reason = expect.stringMatching(
    /refinement\.yaml: the request loads 4 bytes at rdi \+ 4096, outside the region/,
  );
  expect(obligationsIn(ran.stdout)[0]).toMatchObject({ verdict: "unsupported", reason });
});
