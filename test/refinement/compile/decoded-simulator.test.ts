/** Compiled x86-64 beside its reference, on random programs. */
import { describe, expect, test } from "vitest";
import { DecodedInstructions } from "../../../properties/arbitraries/decoded-instructions.js";
import { values } from "../../../properties/arbitraries/values.js";
import { oneIn, pick, randomAt } from "../../../properties/random.js";
import { DecodedSimulator } from "../../../refinement/compile/decoded-simulator.js";
import { step, type Decode } from "../../../refinement/execute/decoded.js";
import { agree } from "../../../refinement/execute/difference.js";
import type { State } from "../../../refinement/execute/state.js";
import { ALL_ACCESSIBLE, MemoryValue, type Permissions } from "../../../refinement/terms/value.js";
import { bytesOf, CODE, isa, library, machine, stateOf } from "../../spec/x86-64/run.js";

type Random = ReturnType<typeof randomAt>;

const decode: Decode = (bytes) => library.decode(bytes);
const drawn = new DecodedInstructions(isa, library);
/** Code and data of random programs: few places, so that they meet. */
const PLACES: readonly bigint[] = [0x1000n, 0x1040n, 0x1ff8n, 0x2000n, 0x8000n, 0x7fff_ffffn];

const place = (random: Random): bigint => pick(random, PLACES) ?? 0n;

const RUNNING = isa.blocks.filter((b) => !["syscall", "int3", "ud2", "hlt", "cli", "sti"].includes(b.name));

function program(random: Random): Uint8Array {
  const bytes: number[] = [];
  while (bytes.length < 60) {
    const block = pick(random, RUNNING);
    const instruction = block === undefined ? undefined : drawn.draw(random, block, random.nextInt(0, 1000));
    if (instruction !== undefined) bytes.push(...instruction.bytes);
  }
  return Uint8Array.from(bytes);
}

function permissions(random: Random): Permissions {
  const edge = place(random) & ~0xfffn;
  if (oneIn(random, 2)) return ALL_ACCESSIBLE;
  return (access, address) => access === "fetch" || address < edge || address >= edge + 0x1000n;
}

function start(random: Random): State {
  const wide = values({ kind: "bits", width: 64 });
  const state: Record<string, bigint> = {};
  for (const v of machine.variables) {
    if (v.implicit || v.name === "rip") continue;
    if (v.type.kind === "bool") state[v.name] = BigInt(random.nextInt(0, 1));
    else if (v.type.kind === "bits")
      state[v.name] = oneIn(random, 2) ? place(random) + BigInt(random.nextInt(-8, 64)) : wide.draw(random);
  }
  return stateOf(program(random), { state: { ...state, rsp: 0x8000n }, permissions: permissions(random) });
}

/** Runs both, the compiled one some steps at a time, and compares wherever it stops. */
function compare(simulator: DecodedSimulator, state: State, chunks: readonly number[]): number {
  simulator.load(state);
  let expected = state;
  let done = 0;
  for (const chunk of chunks) {
    const outcome = simulator.run(chunk);
    for (let i = 0; i < outcome.steps; i++) {
      const next = step(machine, expected, decode);
      if (next.kind !== "stepped") throw new Error(`the reference is ${next.kind} after ${done + i} steps`);
      expected = next.state;
    }
    done += outcome.steps;
    expect(agree(machine, expected, simulator.state()), `after ${done} steps`).toBe(true);
    if (outcome.reason !== "limit") {
      const kinds = { trap: "stuck", stuck: "stuck", unsupported: "unsupported" } as const;
      expect(step(machine, expected, decode).kind).toBe(kinds[outcome.reason]);
      break;
    }
    expect(outcome.steps).toBe(chunk);
  }
  return done;
}

describe("compiled x86-64 does what its terms say", () => {
  test("on random programs", { timeout: 240_000 }, () => {
    const count = Number(process.env["COMMUTE_PROGRAMS"] ?? 40);
    const simulator = new DecodedSimulator(machine, decode);
    let steps = 0;
    for (let n = 0; n < count; n++) {
      const random = randomAt(4, n);
      // Long enough for whole blocks, or short enough to stop within them.
      const chunks = Array.from({ length: 6 }, () => (oneIn(random, 2) ? 40 : random.nextInt(1, 6)));
      steps += compare(simulator, start(random), chunks);
    }
    expect(steps).toBeGreaterThan(count);
  });

  const programOf = (text: string, setting: Parameters<typeof stateOf>[1] = {}): State =>
    stateOf(bytesOf(text), setting);

  test("in loops, calls and returns, stopped anywhere", () => {
    const text = `
      mov ecx, 5
    again:
      push rcx
      call double
      pop rcx
      add rbx, rax
      loop again
      jmp 0x1000
    double:
      lea eax, [rcx + rcx]
      cmp eax, 6
      jne end
      xor eax, 1
    end:
      ret`;
    for (let limit = 1; limit < 60; limit += 7) {
      const simulator = new DecodedSimulator(machine, decode);
      compare(simulator, programOf(text), [limit, 1, 2, limit]);
    }
  });

  test("where a program writes its own code, even the very next instruction", () => {
    // inc eax is ff c0, and dec eax ff c8
    const text = `
      mov ecx, 3
    again:
      mov byte ptr [rip + 1], 0xc8
      inc eax
      mov byte ptr [rip - 3], 0xc0
      loop again
      ud2`;
    const simulator = new DecodedSimulator(machine, decode);
    expect(compare(simulator, programOf(text), Array<number>(20).fill(1))).toBe(14);
    expect(compare(simulator, programOf(text), [100])).toBe(14);
    expect(simulator.scalar("rax")).toBe(0xffff_fffdn);
  });

  test("where a repeated store reaches code that is compiled", () => {
    const text =
      "mov ecx, 1; again: nop; nop; nop; nop; cmp ecx, 0; je 0x1080; lea rdi, [rip - 14]; mov ecx, 4; mov al, 0xf8; rep stosb; jmp again";
    const simulator = new DecodedSimulator(machine, decode);
    const state = programOf(text.replaceAll("; ", "\n"), { state: { CF: 1n } });
    compare(simulator, state, [7, 3, 20, 20]);
  });

  test("and says what it cannot run", () => {
    const simulator = new DecodedSimulator(machine, decode);
    simulator.load(stateOf(Uint8Array.of(0x90, 0x0f, 0x58, 0xc1)));
    expect(simulator.run(10)).toEqual({ reason: "unsupported", why: "there is no instruction `addps`", steps: 1 });
    simulator.load(stateOf(Uint8Array.of(0x0f, 0x0b)));
    expect(simulator.run(10)).toEqual({ reason: "trap", steps: 1 });
    expect(simulator.run(10)).toEqual({ reason: "stuck", steps: 0 });
    for (const code of [Uint8Array.of(0x06), new Uint8Array(20).fill(0x66)]) compare(simulator, stateOf(code), [5]);
  });

  test("with the choices that are asked for", () => {
    const simulator = new DecodedSimulator(machine, decode);
    const state = programOf("and eax, eax");
    simulator.load(state);
    simulator.run(1);
    expect(simulator.scalar("AF")).toBe(0n);
    simulator.choose("undefined_AF", 1n);
    simulator.load(state);
    simulator.run(1);
    expect(simulator.scalar("AF")).toBe(1n);
  });

  test("and forgets its code when memory is replaced", () => {
    const simulator = new DecodedSimulator(machine, decode);
    compare(simulator, programOf("mov eax, 1"), [1]);
    expect(simulator.regionCount).toBeGreaterThan(0);
    simulator.write("mem", MemoryValue.empty(64).storeBytes(CODE, bytesOf("mov eax, 2")));
    simulator.write("rip", CODE);
    simulator.run(1);
    expect(simulator.scalar("rax")).toBe(2n);
  });
});
