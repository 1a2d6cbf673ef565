/** α of a host state whose memory is taken apart by regions. */
import { InternalDefect, UserError } from "../errors.js";
import type { SymbolicState } from "../execute/symbolic.js";
import type { StateVariable } from "../machine.js";
import type { TranslatorRefinement, View } from "../refinement.js";
import { boolToBits, constant, lambda, select, store } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import { type HostState, type Layout, RegionReader, Unplaced } from "./regions.js";

/** What the refinement's file says of a host state, `what` in words; where that reads memory of no region, the file is wrong. */
export function readWritten({ file }: TranslatorRefinement, reader: RegionReader, what: string, term: Term): Term {
  try {
    return reader.read(term);
  } catch (error) {
    if (!(error instanceof Unplaced)) throw error;
    throw new UserError(`${file}: ${what} ${error.message}`);
  }
}

/** The guest state that a host state stands for, element by element; without trap and program counter. */
export interface Abstracted {
  readonly scalars: ReadonlyMap<string, Term>;
  readonly files: ReadonlyMap<string, readonly Term[]>;
  readonly memories: ReadonlyMap<string, Term>;
  /** Where the refinement gives it. */
  readonly programCounter: Term | undefined;
}

export function abstracted(
  refinement: TranslatorRefinement,
  layout: Layout,
  c: HostState,
  { abstraction }: View,
): Abstracted {
  const { guest, host } = refinement;
  const reader = new RegionReader(layout, host.variables, c);
  const read = (v: StateVariable, term: Term): Term =>
    readWritten(refinement, reader, `the abstraction of \`${v.name}\``, term);
  const scalars = new Map<string, Term>();
  const files = new Map<string, readonly Term[]>();
  const memories = new Map<string, Term>();
  for (const v of guestVariables(refinement)) {
    const region = refinement.memory.get(v.name);
    const term = abstraction.get(v.name);
    if (v.sort.kind === "memory") {
      const memory = region === undefined ? undefined : c.memories.get(region);
      if (memory === undefined) throw new InternalDefect(`no region is the guest's \`${v.name}\``);
      memories.set(v.name, memory);
    } else if (term === undefined) {
      throw new InternalDefect(`the abstraction says nothing of \`${v.name}\``);
    } else if (v.sort.kind === "file") {
      const { count, index, element } = v.sort;
      files.set(
        v.name,
        Array.from({ length: count }, (_, i) => {
          const fixed = v.fixed.get(i);
          return fixed === undefined ? read(v, select(term, constant(index, BigInt(i)))) : constant(element, fixed);
        }),
      );
    } else {
      scalars.set(v.name, read(v, term));
    }
  }
  const counter = guest.instructionSet?.programCounter;
  const variable = guest.variables.find((v) => v.name === counter);
  const given = counter === undefined ? undefined : abstraction.get(counter);
  const programCounter = given === undefined || variable === undefined ? undefined : read(variable, given);
  return { scalars, files, memories, programCounter };
}

/** Those that α is about: all but the program counter and the trap. */
export function guestVariables({ guest }: TranslatorRefinement): readonly StateVariable[] {
  return guest.variables.filter((v) => !v.implicit && v.name !== guest.instructionSet?.programCounter);
}

/** α as a state of the guest's that can be executed; the program counter is for the caller to say. */
export function guestState(refinement: TranslatorRefinement, a: Abstracted): SymbolicState {
  const state = new Map<string, Term>([...a.scalars, ...a.memories]);
  for (const v of refinement.guest.variables) {
    const elements = a.files.get(v.name);
    if (v.implicit) state.set(v.name, zero(v));
    if (elements === undefined || v.sort.kind !== "file") continue;
    const { sort } = v;
    const blank = lambda(sort, () => constant(sort.element, 0n));
    state.set(
      v.name,
      elements.reduce(
        (file, e, i) => store(file, constant(sort.index, BigInt(i)), e.sort.kind === "bool" ? boolToBits(e) : e),
        blank,
      ),
    );
  }
  return state;
}

function zero(v: StateVariable): Term {
  if (v.sort.kind !== "bits") throw new InternalDefect(`${v.name} is not of bits`);
  return constant(v.sort.width, 0n);
}
