/** One line an instruction that a library decodes: where, its bytes and text, and what it changed. */
import type { DecoderLibrary } from "../assembly/library.js";
import type { DecodedOutcome, DecodedSimulator } from "../compile/decoded-simulator.js";
import type { DecodedInstruction } from "../decoded.js";
import type { DecodedForm, Machine } from "../machine.js";
import { Evaluator } from "../terms/evaluate.js";
import { specialized } from "./decoded.js";
import { memoryWritesOf, writtenBy } from "./trace.js";

const LONGEST_BYTES = 20;

export class DecodedTracer {
  private readonly machine: Machine;
  private readonly library: DecoderLibrary;
  private readonly simulator: DecodedSimulator;
  private readonly pc: string;
  private readonly scalars = new Map<string, bigint>();

  constructor(machine: Machine, library: DecoderLibrary, simulator: DecodedSimulator) {
    this.machine = machine;
    this.library = library;
    this.simulator = simulator;
    this.pc = machine.decoded?.programCounter ?? "";
  }

  /** Takes one step and describes it, unless nothing was executed. */
  step(print: ((line: string) => void) | undefined): DecodedOutcome {
    const { simulator, library } = this;
    this.changes(undefined);
    const pc = simulator.scalar(this.pc);
    const fetched = simulator.fetch();
    const instruction = fetched.kind === "instruction" ? fetched.instruction : undefined;
    const writes = fetched.kind === "instruction" ? this.writes(fetched.form, fetched.instruction) : [];
    const outcome = simulator.step();
    if (outcome.reason === "stuck" || outcome.reason === "unsupported") return outcome;
    const parts = this.changes(pc + BigInt(instruction?.length ?? 0));
    if (simulator.scalar("trap") === 0n) parts.push(...writes.map((write) => write()));
    const bytes = Buffer.from(instruction?.bytes ?? []).toString("hex");
    const text = instruction === undefined ? "(no instruction)" : library.print(instruction, pc);
    const head = `${pc.toString(16).padStart(16, "0")}  ${bytes.padEnd(LONGEST_BYTES)}`;
    print?.(`${head}  ${text.padEnd(40)}  ${parts.join(" ")}`.trimEnd());
    return outcome;
  }

  /** What the instruction is about to write to memory, to be told after it. */
  private writes(form: DecodedForm, instruction: DecodedInstruction): (() => string)[] {
    const { simulator } = this;
    // Values that the definition leaves open are no part of an address.
    const choices = new Set(form.choices.map((c) => c.term.name));
    const at = new Evaluator({ variable: (term) => (choices.has(term.name) ? 0n : simulator.read(term.name)) });
    return memoryWritesOf(specialized(form, instruction)).flatMap(({ memory, write }) =>
      writtenBy(write, at).map(
        ({ address, bytes }) =>
          (): string =>
            `${memory}[0x${address.toString(16)}, ${bytes}]=0x${simulator.memory(memory).read(address, bytes).toString(16)}`,
      ),
    );
  }

  /** What differs from the values seen last, which become the present ones. `next` is where the next instruction stands. */
  private changes(next: bigint | undefined): string[] {
    const parts: string[] = [];
    for (const v of this.machine.variables) {
      if (v.sort.kind !== "bits" && v.sort.kind !== "bool") continue;
      const value = this.simulator.scalar(v.name);
      const known = this.scalars.get(v.name);
      this.scalars.set(v.name, value);
      if (known === value || (v.name === this.pc && value === next)) continue;
      const trap = this.machine.traps.find((t) => BigInt(t.code) === value)?.name ?? "none";
      parts.push(v.name === "trap" ? `trap=${trap}` : `${v.name}=0x${value.toString(16)}`);
    }
    return parts;
  }
}
