/**
 * Running a saved counterexample again, concretely, and comparing what happens with what the file expects.
 */
import type { Counterexample, Difference, ScheduledStep } from "./counterexample.js";
import { readCounterexample } from "./counterexample-file.js";
import { stateOfRecord } from "./counterexample-state.js";
import { renderCounterexample } from "./counterexample-text.js";
import { EnvironmentFailure, unreachable, UserError } from "./errors.js";
import {
  checkGoesOn,
  checkInitial,
  checkInverse,
  checkPoints,
  checkStep,
  outside,
  type Violation,
} from "./execute/commute.js";
import { environment, inputsOf, widthOf } from "./execute/concrete.js";
import { variableOf } from "./execute/difference.js";
import type { State } from "./execute/state.js";
import { type Machine, transition } from "./machine.js";
import type { EmulatorRefinement, MachineRefinement, Refinement } from "./refinement.js";
import { Evaluator } from "./terms/evaluate.js";

/** What replay needs of whoever knows the project. */
export interface ReplayContext {
  /** Loads a refinement by name, with a seeded fault. Throws a UserError where there is none of that name. */
  load(name: string, fault: string | undefined): Promise<Refinement>;
  /** Runs a case of a black box again; a missing program is an EnvironmentFailure. */
  runEmulator?(
    refinement: EmulatorRefinement,
    c: Counterexample,
    signal: AbortSignal | undefined,
  ): Promise<readonly Violation[]>;
  readonly signal?: AbortSignal | undefined;
}

export interface Replayed {
  readonly file: string;
  /** Undefined where the file cannot be read. */
  readonly expect: "refuted" | "holds" | undefined;
  readonly got: "refuted" | "holds" | "error";
  /** It went as expected, for the expected reason. */
  readonly ok: boolean;
  /** What is worth saying: why it is not ok, or that a machine has changed since. */
  readonly message?: string;
  /** The counterexample for a reader, where it was read. */
  readonly report?: string;
}

/** Never throws for what is wrong with the file, the refinement or a missing program: that is `got: "error"`. */
export async function replayFile(file: string, context: ReplayContext): Promise<Replayed> {
  let c: Counterexample;
  try {
    c = await readCounterexample(file);
  } catch (error) {
    return { file, expect: undefined, got: "error", ok: false, message: userMessage(error) };
  }
  try {
    const refinement = await context.load(c.refinement, c.fault);
    return {
      file,
      expect: c.expect,
      ...(await replay(refinement, c, context)),
      report: renderCounterexample(c, refinement),
    };
  } catch (error) {
    return {
      file,
      expect: c.expect,
      got: "error",
      ok: false,
      message: userMessage(error),
      report: renderCounterexample(c),
    };
  }
}

function userMessage(error: unknown): string {
  if (error instanceof UserError || error instanceof EnvironmentFailure) return error.message;
  throw error;
}

type Answer = Pick<Replayed, "got" | "ok" | "message">;

/** Throws a UserError where the counterexample names what the machines do not have. */
export async function replay(
  refinement: Refinement,
  c: Counterexample,
  context: Pick<ReplayContext, "runEmulator" | "signal">,
): Promise<Answer> {
  switch (refinement.form) {
    case "machine": {
      const { violations, ended } = runAgain(refinement, c);
      return judge(c, violations, [ended, ...changed(refinement, c)]);
    }
    case "emulator": {
      if (context.runEmulator === undefined)
        throw new UserError(`${refinement.name} is a black box, and nothing here can run it`);
      return judge(c, await context.runEmulator(refinement, c, context.signal), changed(refinement, c));
    }
    case "translator": {
      const [{ decodeX86 }, { replayBlock, replayProgram }] = await Promise.all([
        import("./assembly/x86/index.js"),
        import("./translation/replay.js"),
      ]);
      const violations = c.obligation.startsWith("lockstep/")
        ? await replayProgram(refinement, c, decodeX86)
        : await replayBlock(refinement, c, decodeX86, context.signal);
      return judge(c, violations, changed(refinement, c));
    }
    default:
      return unreachable(refinement);
  }
}

function judge(c: Counterexample, violations: readonly Violation[], notes: readonly (string | undefined)[]): Answer {
  const same = violations.some((v) => isCause(c, v));
  const got = violations.length === 0 ? "holds" : "refuted";
  const ok = c.expect === "holds" ? got === "holds" : same;
  const messages = notes.filter((note) => note !== undefined);
  if (violations.length > 0 && !same) messages.unshift(otherwise(c, violations));
  return { got, ok, ...(messages.length === 0 ? {} : { message: messages.join("; ") }) };
}

/** The obligation is the same, and so is the variable, whichever element of it. */
function isCause({ cause }: Counterexample, { obligation, differs }: Violation): boolean {
  const variable = variableOf(cause.variable);
  return obligation === cause.obligation && differs.some((d) => variableOf(d.variable) === variable);
}

function otherwise({ cause }: Counterexample, violations: readonly Violation[]): string {
  const found = violations
    .map((v) => `${v.obligation} (${v.differs.map((d: Difference) => d.variable).join(", ")})`)
    .join(" and ");
  return `refuted for another cause: ${found}, not ${cause.obligation} (${cause.variable})`;
}

/** Machines that are not what they were when it was found. */
function changed(refinement: Refinement, c: Counterexample): readonly string[] {
  const notes: string[] = [];
  const note = (machine: Machine, digest: string): void => {
    if (digest !== "" && digest !== machine.digest)
      notes.push(`machine ${machine.name} has changed since it was found`);
  };
  note(refinement.guest, c.machines.guest);
  if (refinement.form !== "emulator") note(refinement.host, c.machines.host);
  return notes;
}

interface Run {
  readonly violations: readonly Violation[];
  /** Why the run ended before its schedule did: then it is no counterexample any more. */
  readonly ended: string | undefined;
}

/** The whole schedule from the state; at the end, whatever the obligation is about. */
function runAgain(refinement: MachineRefinement, c: Counterexample): Run {
  if (c.obligation === "inverse") {
    return {
      violations: checkInverse(refinement, stateOfRecord(refinement.guest, c.state, c.inaccessible)),
      ended: undefined,
    };
  }
  const start = stateOfRecord(refinement.host, c.state, c.inaccessible);
  for (const step of c.schedule) checkNames(refinement.host, step);
  if (c.obligation === "initial") return initially(refinement, start);

  let state = start;
  const violations: Violation[] = [];
  for (const [index, step] of c.schedule.entries()) {
    const report = checkStep(refinement, state, step);
    if (!report.applicable) {
      return { violations, ended: `step ${index + 1}, ${step.transition}, is no longer possible: ${report.because}` };
    }
    violations.push(...report.violations);
    // After an invariant is broken the obligations say nothing more.
    if (report.violations.some((v) => v.obligation.startsWith("invariant/"))) return { violations, ended: undefined };
    state = report.next;
  }
  if (c.obligation === "progress" || c.obligation.startsWith("materialize/")) {
    const because = outside(refinement, new Evaluator(environment(state)));
    if (because !== undefined) return { violations, ended: `the state is no longer possible: ${because}` };
    violations.push(...(c.obligation === "progress" ? checkGoesOn : checkPoints)(refinement, state));
  }
  return { violations, ended: undefined };
}

function initially(refinement: MachineRefinement, state: State): Run {
  const at = new Evaluator(environment(state));
  const { host } = refinement;
  if (!at.holds(host.initial) || !at.holds(host.wellFormed))
    return { violations: [], ended: "the state is no longer initial" };
  return { violations: checkInitial(refinement, state), ended: undefined };
}

function checkNames(host: Machine, step: ScheduledStep): void {
  const t = transition(host, step.transition);
  if (t === undefined) throw new UserError(`schedule: machine ${host.name} has no transition \`${step.transition}\``);
  for (const [name, value] of Object.entries(step.arguments)) {
    const input = inputsOf(t).find((p) => p.name === name);
    if (input === undefined)
      throw new UserError(`schedule: \`${t.name}\` of machine ${host.name} has no parameter \`${name}\``);
    if (value >> BigInt(widthOf(input)) !== 0n) {
      throw new UserError(
        `schedule: \`${name}\` of \`${t.name}\` is a number of ${widthOf(input)} bits, not 0x${value.toString(16)}`,
      );
    }
  }
}
