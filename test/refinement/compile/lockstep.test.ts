import { describe, expect, it } from "vitest";
import { encode } from "../../../refinement/assembly/encoding.js";
import { type Appointment, CompiledLockstep } from "../../../refinement/compile/lockstep.js";
import type { ScheduledStep } from "../../../refinement/counterexample.js";
import { abstract, checkPoints, checkStep } from "../../../refinement/execute/commute.js";
import { enabled, enabledTransitions, fire, zeroState } from "../../../refinement/execute/concrete.js";
import { agree } from "../../../refinement/execute/difference.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Field, Machine } from "../../../refinement/machine.js";
import type { MachineRefinement } from "../../../refinement/refinement.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";
import { loadRefinement } from "../../../spec/notation/index.js";
import { Random } from "./random-terms.js";

async function load(name: string, fault?: string): Promise<MachineRefinement> {
  const refinement = await loadRefinement(`impl/${name}/refinement.yaml`, fault === undefined ? {} : { fault });
  if (refinement.form !== "machine") throw new TypeError();
  return refinement;
}

/** Few registers, short jumps, small offsets: so that instructions meet each other. */
function field(random: Random, f: Field, value: number): bigint {
  const covered = f.pieces.reduce((mask, p) => mask | (((1n << BigInt(p.width)) - 1n) << BigInt(p.lo)), 0n);
  if (f.name.startsWith("r")) return BigInt(random.below(Math.min(6, 2 ** f.width)));
  const small = random.chance(6) ? random.bits(f.width) : BigInt(value);
  return BigInt.asUintN(f.width, small) & covered;
}

function program(random: Random, guest: Machine, words: number): bigint[] {
  const instructions = guest.instructionSet?.instructions ?? [];
  return Array.from({ length: words }, () => {
    if (random.chance(40)) return random.bits(guest.instructionSet?.wordWidth ?? 8);
    const instruction = random.pick(instructions);
    const values = instruction.encoding.fields.map(
      (f) => [f.name, field(random, f, 4 * random.below(12) - 16)] as const,
    );
    return encode(instruction, new Map(values));
  });
}

/** A host at its start, with a random program and random registers. */
function start(random: Random, refinement: MachineRefinement): State {
  const { guest, host } = refinement;
  const state = new Map<string, Value>(zeroState(host));
  for (const v of host.variables) {
    const value = state.get(v.name);
    if (value instanceof MemoryValue) {
      let memory = value;
      program(random, guest, 24).forEach((word, i) => {
        memory = memory.store(BigInt(4 * i), 4, word);
      });
      const denied = random.chance(3) ? BigInt(4 * random.below(30)) : -1n;
      state.set(v.name, denied < 0n ? memory : memory.withPermissions((_, a) => a !== denied));
    } else if (value instanceof FileValue) {
      if (v.name === "rom") state.set(v.name, new FileValue(program(random, guest, 16)));
      const registers = v.sort.kind === "file" && (v.sort.count === 32 || v.sort.count === 2);
      if (!registers) continue;
      const elements = value.elements.map((_, i) => v.fixed.get(i) ?? register(random, v.sort));
      state.set(v.name, new FileValue(elements));
    }
  }
  return state;
}

function register(random: Random, sort: Machine["variables"][number]["sort"]): bigint {
  const width = sort.kind === "file" ? sort.element : 1;
  return random.chance(2) ? BigInt.asUintN(width, BigInt(4 * random.below(28))) : random.corner(width);
}

function appointments(random: Random, refinement: MachineRefinement, steps: number): Appointment[] {
  if (refinement.environment.length === 0) return [];
  return Array.from({ length: random.below(4) }, () => ({
    at: random.below(steps),
    step: { transition: random.pick(refinement.environment), arguments: {} },
  })).sort((a, b) => a.at - b.at);
}

/** The reference's own run by the same rules: the host steps it takes. */
function referenceRun(
  refinement: MachineRefinement,
  state: State,
  due: readonly Appointment[],
  steps: number,
): { readonly steps: readonly ScheduledStep[]; readonly state: State } {
  const { host, environment } = refinement;
  const taken: ScheduledStep[] = [];
  const waiting = [...due];
  let now = state;
  while (taken.length < steps) {
    const [next] = waiting;
    const appointed =
      next !== undefined && next.at <= taken.length
        ? host.transitions.find((t) => t.name === next.step.transition)
        : undefined;
    const isAppointed = appointed !== undefined && enabled(host, appointed, now);
    if (isAppointed) waiting.shift();
    const transition = isAppointed
      ? appointed
      : enabledTransitions(host, now).find((t) => !environment.includes(t.name));
    if (transition === undefined) break;
    taken.push({ transition: transition.name, arguments: {} });
    now = fire(host, transition, now);
  }
  return { steps: taken, state: now };
}

const NAMES = ["tiny-interpreter", "tiny-pipeline", "interpreter", "pipeline"];
const CHECKS = { invariant: true, points: true };

describe.each(NAMES)("the compiled lockstep of %s", (name) => {
  it("takes the reference's steps and finds nothing where there is nothing", async () => {
    const refinement = await load(name);
    const lockstep = new CompiledLockstep(refinement);
    expect(lockstep.uncompiledPoints).toEqual([]);
    const random = new Random(1);
    for (let i = 0; i < 12; i++) {
      const state = start(random, refinement);
      const due = appointments(random, refinement, 60);
      lockstep.load(state);
      const outcome = lockstep.runAuto(60, due, CHECKS);
      expect(outcome.violation).toBeUndefined();
      const reference = referenceRun(refinement, state, due, 60);
      expect(outcome.hostSteps).toBe(reference.steps.length);
      expect(outcome.last).toBe(reference.steps.at(-1)?.transition);
      expect(agree(refinement.host, lockstep.hostState(), reference.state)).toBe(true);
      expect(agree(refinement.guest, lockstep.guestState(), abstract(refinement, reference.state))).toBe(true);
      expect(lockstep.compareMemories()).toBeUndefined();
    }
  });

  it("finds nothing in longer runs", async () => {
    const refinement = await load(name);
    const lockstep = new CompiledLockstep(refinement);
    const random = new Random(2);
    for (let i = 0; i < 100; i++) {
      lockstep.load(start(random, refinement));
      const outcome = lockstep.runAuto(1000, appointments(random, refinement, 300), CHECKS);
      expect(outcome.violation).toBeUndefined();
      expect(lockstep.compareMemories()).toBeUndefined();
    }
  });
});

/** One of each kind of obligation, on each host. */
const FAULTS = [
  ["tiny-interpreter", "shift-arithmetic"],
  ["tiny-interpreter", "unwind-one"],
  ["tiny-pipeline", "branch-shadow"],
  ["tiny-pipeline", "interrupt-fetch-pc"],
  ["interpreter", "stale-straddle"],
  ["interpreter", "jalr-bit-0"],
  ["interpreter", "unwind-four"],
  ["pipeline", "no-forward-from-mem"],
  ["pipeline", "younger-store-survives"],
  ["pipeline", "interrupt-early"],
] as const;

describe("the compiled lockstep finds seeded faults, and the reference confirms them", () => {
  it.each(FAULTS)("%s: %s", async (name, fault) => {
    const refinement = await load(name, fault);
    const lockstep = new CompiledLockstep(refinement);
    const random = new Random(3);
    for (let i = 0; i < 4000; i++) {
      const state = start(random, refinement);
      const due = appointments(random, refinement, 80);
      lockstep.load(state);
      const outcome = lockstep.runAuto(200, due, CHECKS);
      if (outcome.violation === undefined) continue;

      // Again, to the state before the step that went wrong; then the reference judges that step.
      const steps = referenceRun(refinement, state, due, outcome.hostSteps).steps;
      lockstep.load(state);
      lockstep.runAuto(outcome.hostSteps - 1, due, CHECKS);
      const before = lockstep.hostState();
      const step = steps.at(-1);
      if (step === undefined) throw new TypeError("no step");
      const report = checkStep(refinement, before, step);
      const violations = [...report.violations, ...checkPoints(refinement, report.next)];
      expect(violations.map((v) => v.obligation.split("/")[0])).toContain(outcome.violation.kind);
      return;
    }
    expect.fail("nothing found");
  });
});
