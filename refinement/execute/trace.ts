/**
 * One line an instruction: where, the word, its disassembly, and what it changed.
 */
import { bytesOfWord, decode, disassemble, lengthOfWord } from "../assembly/index.js";
import { Lowering, type MemoryWrite } from "../compile/lower.js";
import type { Simulator } from "../compile/simulator.js";
import type { RunOutcome } from "./engine.js";
import { type Effect, elementName, type Instruction, type InstructionSet, type Machine } from "../machine.js";
import { Evaluator } from "../terms/evaluate.js";
import type { Term } from "../terms/term.js";

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

export class Tracer {
  private readonly machine: Machine;
  private readonly simulator: Simulator;
  private readonly pc: string;
  private readonly word: Term;
  private readonly isa: InstructionSet;
  private readonly pcDigits: number;
  private readonly scalars = new Map<string, bigint>();
  private readonly files = new Map<string, bigint[]>();
  private readonly writes = new Map<Instruction, readonly LocatedWrite[]>();

  /** Undefined for a machine without instructions. */
  static of(machine: Machine, simulator: Simulator): Tracer | undefined {
    return machine.instructionSet === undefined ? undefined : new Tracer(machine, simulator, machine.instructionSet);
  }

  private constructor(machine: Machine, simulator: Simulator, isa: InstructionSet) {
    this.machine = machine;
    this.simulator = simulator;
    this.pc = isa.programCounter;
    this.word = isa.word;
    this.isa = isa;
    const pc = machine.variables.find((v) => v.name === this.pc)?.sort;
    this.pcDigits = pc?.kind === "bits" ? Math.ceil(pc.width / 4) : 1;
    this.changes();
  }

  /** Takes one step and describes it. */
  step(): { readonly text: string; readonly outcome: RunOutcome } {
    const { simulator, machine } = this;
    // The environment may have changed something since the last step.
    this.changes();
    const pc = simulator.scalar(this.pc);
    const word = this.evaluator(new Map()).number(this.word);
    const decoded = decode(machine, word);
    const operands = new Map(
      decoded?.instruction.encoding.fields.map((f) => [f.term.name, decoded.fields.get(f.name) ?? 0n]),
    );
    const at = this.evaluator(operands);
    const written =
      decoded === undefined
        ? []
        : this.writesOf(decoded.instruction).flatMap(({ memory, write }) =>
            writtenBy(write, at).map((w) => ({ memory, ...w })),
          );
    const outcome = simulator.step();
    const parts = this.changes(pc + BigInt(lengthOfWord(this.isa, word)));
    if (machine.traps.length === 0 || simulator.scalar("trap") === 0n) {
      for (const { memory, address, bytes } of written) {
        parts.push(`${memory}[${hex(address)}, ${bytes}]=${hex(simulator.memory(memory).read(address, bytes))}`);
      }
    }
    const text = decoded === undefined ? "(no instruction)" : disassemble(machine, word, pc);
    const digits = word.toString(16).padStart(2 * bytesOfWord(this.isa, word).length, "0");
    const head = `${hex(pc).slice(2).padStart(this.pcDigits, "0")}  ${digits.padEnd(Math.ceil(this.isa.wordWidth / 4))}`;
    return { text: `${head}  ${text.padEnd(28)}  ${parts.join(" ")}`.trimEnd(), outcome };
  }

  private evaluator(operands: ReadonlyMap<string, bigint>): Evaluator {
    return new Evaluator({ variable: (term) => operands.get(term.name) ?? this.simulator.read(term.name) });
  }

  private writesOf(instruction: Instruction): readonly LocatedWrite[] {
    let found = this.writes.get(instruction);
    if (found === undefined) {
      found = memoryWritesOf(instruction.effect);
      this.writes.set(instruction, found);
    }
    return found;
  }

  /** What differs from the values seen last, which become the present ones. `next` is where the next instruction stands. */
  private changes(next?: bigint): string[] {
    const { machine, simulator } = this;
    const parts: string[] = [];
    for (const v of machine.variables) {
      if (v.sort.kind === "bits" || v.sort.kind === "bool") {
        const value = simulator.scalar(v.name);
        const known = this.scalars.get(v.name);
        this.scalars.set(v.name, value);
        if (known !== value && !(v.name === this.pc && value === next))
          parts.push(v.name === "trap" ? `trap=${this.trapName(value)}` : `${v.name}=${hex(value)}`);
      } else if (v.sort.kind === "file") {
        const names = machine.instructionSet?.registerNames.get(v.name);
        const known = this.files.get(v.name) ?? [];
        this.files.set(v.name, known);
        for (let i = 0; i < v.sort.count; i++) {
          const value = simulator.element(v.name, i);
          if (known[i] !== value) parts.push(`${names?.[i] ?? elementName(v.name, i)}=${hex(value)}`);
          known[i] = value;
        }
      }
    }
    return parts;
  }

  private trapName(value: bigint): string {
    return this.machine.traps.find((t) => BigInt(t.code) === value)?.name ?? "none";
  }
}

export interface LocatedWrite {
  readonly memory: string;
  readonly write: MemoryWrite;
}

/** The writes to memory of an effect, whether they take place or not. */
export function memoryWritesOf({ assigns }: Effect): readonly LocatedWrite[] {
  const lowering = new Lowering();
  return [...assigns].flatMap(([memory, value]) =>
    value.sort.kind === "memory" ? lowering.memoryWrites(value).map((write) => ({ memory, write })) : [],
  );
}

/** Where a write goes, if it takes place. */
export function writtenBy(
  { condition, address, bytes }: MemoryWrite,
  at: Evaluator,
): { readonly address: bigint; readonly bytes: number }[] {
  return at.holds(condition) ? [{ address: at.number(address), bytes }] : [];
}
