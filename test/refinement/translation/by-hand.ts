/** Translations written by hand, in assembly, and what becomes of them. */
import path from "node:path";
import { assembleProgram } from "../../../refinement/assembly/index.js";
import { assembleX86, decodeX86, disassembleX86 } from "../../../refinement/assembly/x86/index.js";
import { validateBlock } from "../../../refinement/campaign/blocks.js";
import { Solvers } from "../../../refinement/campaign/discharge.js";
import type { Violation } from "../../../refinement/execute/commute.js";
import { zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import type { TranslatorRefinement } from "../../../refinement/refinement.js";
import type { Settled } from "../../../refinement/campaign/report.js";
import type { Exit, FaultEntry, HelperCall, Point, Translation } from "../../../refinement/translation.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { add, constant, ite, lambda, load, ne, variable, zext, concat } from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { MemoryValue } from "../../../refinement/terms/value.js";
import { Generator } from "../../../refinement/solver/generator.js";
import { WHIMS } from "../../../refinement/translation/block-run.js";
import { ConcreteBlock } from "../../../refinement/translation/concrete.js";

export const HOST = 0x4000_0000n;
export const GUEST = 0x1_0000n;

/** A block, as both sides write it; addresses are labels of the host's text. */
export interface ByHand {
  /** The guest; rv64im unless given. */
  readonly machine?: string;
  readonly guest: string;
  readonly host: string;
  /** Label of the host's, and the guest's address relative to the block; undefined for an address that α gives. */
  readonly exits?: readonly (readonly [string, number | undefined, Partial<Exit>?])[];
  readonly points?: readonly (readonly [string, number])[];
  readonly faults?: readonly (readonly [string, number])[];
  readonly calls?: readonly HelperCall[];
  /** Whether the refinement says when an interrupt is requested: it does unless this is false. */
  readonly requests?: false;
}

const loaded = new Map<string, Promise<TranslatorRefinement>>();

/** The machine in a context at rdi, on the host's stack at rsp, guest memory where the host's is. */
export function refinement(machine = "rv64im"): Promise<TranslatorRefinement> {
  const known = loaded.get(machine) ?? make(machine);
  loaded.set(machine, known);
  return known;
}

async function make(machine: string): Promise<TranslatorRefinement> {
  const guest = await loadMachine(path.resolve(`spec/riscv/${machine}.yaml`));
  const host = await loadMachine(path.resolve("spec/x86-64/x86-64.yaml"));
  const reserved = ne(load(term(host, "mem"), add(term(host, "rdi"), constant(64, 272n)), 1), constant(8, 0n));
  return {
    form: "translator",
    known: undefined,
    name: "by-hand",
    title: "written by hand",
    kind: "dynamic-binary-translator",
    file: "by-hand.yaml",
    guest,
    host,
    assumptions: [],
    faults: [],
    fault: undefined,
    mapping: [],
    translator: { kind: "module", module: "", options: {} },
    abstraction: new Map([
      ["x", context(guest, host)],
      ["reservation.valid", reserved],
      [
        "reservation.address",
        ite(reserved, load(term(host, "mem"), add(term(host, "rdi"), constant(64, 280n)), 8), constant(64, 0n)),
      ],
      ["pc", load(term(host, "mem"), add(term(host, "rdi"), constant(64, 256n)), 8)],
    ]),
    views: new Map(),
    memory: new Map([["mem", "guest"]]),
    regions: [
      { kind: "based", name: "context", base: "rdi", below: 0n, size: 512n },
      { kind: "based", name: "stack", base: "rsp", below: 4096n, size: 0n },
      { kind: "guest", name: "guest", at: 0n, register: undefined, writeOnly: true },
    ],
    limit: 1n << 47n,
    helpers: new Map(),
    preserve: ["rbx", "rbp", "rsp", "rdi", "r12", "r13", "r14", "r15", "DF"],
    request: ne(load(term(host, "mem"), add(term(host, "rdi"), constant(64, 504n)), 4), constant(32, 0n)),
  };
}

function context(guest: Machine, host: Machine): Term {
  const x = guest.variables.find((v) => v.name === "x");
  if (x?.sort.kind !== "file") throw new Error("x is no file");
  return lambda(x.sort, (i) =>
    load(term(host, "mem"), add(term(host, "rdi"), zext(concat(i, constant(3, 0n)), 64)), 8),
  );
}

function term(machine: Machine, name: string): Term {
  const v = machine.variables.find((known) => known.name === name);
  if (v === undefined) throw new Error(`no ${name}`);
  return variable(v.name, v.sort);
}

export function translated(
  of: ByHand,
  guest: Machine,
): { readonly code: Uint8Array; readonly translation: Translation } {
  const program = assembleX86(of.host, HOST);
  const code = assembleProgram(guest, of.guest, GUEST).bytes;
  const at = (label: string): bigint => {
    const address = program.labels.get(label);
    if (address === undefined) throw new Error(`no label ${label}`);
    return address;
  };
  const to = (offset: number): bigint => GUEST + BigInt(offset);
  const exits: Exit[] = (of.exits ?? [["exit", code.length]]).map(([label, guestAt, more]) => ({
    host: at(label),
    guest: guestAt === undefined ? undefined : to(guestAt),
    interrupt: false,
    trap: undefined,
    ...more,
  }));
  const points: Point[] = (of.points ?? []).map(([label, guestAt]) => ({
    host: at(label),
    guest: to(guestAt),
    cut: false,
  }));
  const faults: FaultEntry[] = (of.faults ?? []).map(([label, guestAt]) => ({
    host: at(label),
    until: undefined,
    guest: to(guestAt),
  }));
  return {
    code,
    translation: {
      host: { address: HOST, code: program.bytes, data: [] },
      entry: HOST,
      points,
      faults,
      exits,
      calls: of.calls ?? [],
    },
  };
}

async function refinementOf({ machine, requests }: ByHand): Promise<TranslatorRefinement> {
  const r = await refinement(machine);
  return requests === false ? { ...r, request: undefined } : r;
}

export async function settle(of: ByHand): Promise<readonly Settled[]> {
  const r = await refinementOf(of);
  const { code, translation } = translated(of, r.guest);
  const solvers = new Solvers("auto", undefined);
  try {
    const tools = { decode: decodeX86, disassemble: disassembleX86 };
    return await validateBlock(r, { name: "block", pc: GUEST, code }, translation, tools, {
      name: r.name,
      seed: 1,
      timeoutMs: 10_000,
      memoryMb: 512,
      signal: undefined,
      date: "2026-11-27",
      solver: () => solvers.get(),
    });
  } finally {
    await solvers.close();
  }
}

/**
 * What goes wrong in concrete runs from random states: the evaluator of the definitions, which knows nothing of symbolic execution, and
 * the prover must agree.
 */
export async function violations(of: ByHand, runs: number): Promise<readonly Violation[]> {
  const r = await refinementOf(of);
  const { code, translation } = translated(of, r.guest);
  const block = new ConcreteBlock(r, "block", { pc: GUEST, code }, translation, decodeX86);
  const generator = new Generator(7);
  const found: Violation[] = [];
  for (let i = 0; i < runs; i++) {
    const [entry] = block.starts;
    if (entry === undefined) break;
    const judgement = block.judge(randomState(r, generator), entry, WHIMS[i % 4] ?? 0);
    if (judgement.kind === "run") found.push(...judgement.violations);
  }
  return found;
}

const CONTEXT = 0x7000_0000_0000n;
const STACK = 0x6000_0000_0000n;
const NUMBERS = [0n, 1n, 2n, 0x2000n, 0x2001n, 0x7fff_ffffn, 0xffff_ffffn, 1n << 47n, 1n << 63n, (1n << 64n) - 1n];

/** Small numbers and corners in registers, so that branches go both ways and accesses meet; pages here and there are denied. */
function randomState(r: TranslatorRefinement, generator: Generator): State {
  const state = new Map(zeroState(r.host));
  const number = (): bigint => (generator.chance(0.8) ? (generator.pick(NUMBERS) ?? 0n) : generator.bits(64));
  for (const v of r.host.variables) {
    if (v.implicit) continue;
    if (v.sort.kind === "bits") state.set(v.name, number());
    if (v.sort.kind === "bool") state.set(v.name, BigInt(generator.below(2)));
  }
  state.set("rdi", CONTEXT);
  state.set("rsp", STACK);
  const denied = generator.below(4);
  let memory = MemoryValue.empty(64, (access, address) => {
    const page = (address >> 12n) & 3n;
    return denied === 3 || Number(page) !== denied || (access !== "store" && denied === 2);
  });
  for (let i = 0; i < 64; i++) memory = memory.store(CONTEXT + 8n * BigInt(i), 8, number());
  for (let i = 0; i < 8; i++) memory = memory.store(0x1ff0n + 8n * BigInt(i), 8, number());
  return state.set("mem", memory);
}

/** Name → verdict, with the variable that is to blame. */
export async function verdicts(of: ByHand): Promise<Readonly<Record<string, string>>> {
  const all = await settle(of);
  return Object.fromEntries(
    all.map(({ obligation, verdict: v }) => [
      obligation,
      v.verdict === "refuted"
        ? `refuted ${v.counterexample.cause.variable}`
        : v.verdict === "unknown"
          ? `unknown ${v.reason}`
          : v.verdict === "unsupported"
            ? `unsupported ${v.what}`
            : v.verdict,
    ]),
  );
}
