/**
 * The text of a machine, with everything it extends: each section's entries, parsed, in order of declaration, each with the
 * parameters its file sees. Nothing is checked yet beyond the form.
 */
import type { Place } from "../../../refinement/errors.js";
import type { Val } from "../elaborate/value.js";
import type { Unit } from "../elaborate/world.js";
import type { Block, Signature, TypeNode } from "../syntax/ast.js";
import type { SourceText } from "../yaml/source-text.js";
import type { YamlScalar } from "../yaml/tree.js";

export interface TypeEntry {
  readonly name: string;
  readonly place: Place;
  readonly node: TypeNode;
  readonly unit: Unit;
}

export interface ConstantEntry {
  readonly name: string;
  readonly place: Place;
  readonly type: { readonly node: TypeNode; readonly unit: Unit } | undefined;
  readonly block: Block;
  readonly unit: Unit;
}

export interface StateEntry {
  readonly name: string;
  readonly place: Place;
  readonly node: TypeNode;
  readonly unit: Unit;
  readonly fixed: readonly { readonly index: YamlScalar; readonly value: YamlScalar }[];
  readonly faults: { readonly fetch?: YamlScalar; readonly load?: YamlScalar; readonly store?: YamlScalar };
}

export interface FunctionEntry {
  readonly name: string;
  readonly place: Place;
  readonly signature: Signature;
  readonly unit: Unit;
  readonly body: Block;
  readonly bodyUnit: Unit;
  /** Kept by name (`memoized`), not inlined. */
  readonly memoized: boolean;
}

export interface UninterpretedEntry {
  readonly name: string;
  readonly place: Place;
  readonly signature: Signature;
  readonly unit: Unit;
  /** The result's type where it stands as the entry's value. */
  readonly result: { readonly node: TypeNode; readonly unit: Unit } | undefined;
}

export interface TrapEntry {
  readonly name: string;
  readonly place: Place;
  readonly signature: Signature;
  readonly unit: Unit;
  readonly cause: number | undefined;
}

export interface BlockEntry {
  readonly block: Block;
  readonly unit: Unit;
  readonly place: Place;
}

/** What an instruction stands for: another one, with these operands. */
export interface ExpandsEntry {
  readonly instruction: string;
  readonly place: Place;
  readonly operands: readonly {
    readonly name: string;
    readonly place: Place;
    readonly value: BlockEntry | undefined;
  }[];
}

export interface InstructionEntry {
  readonly name: string;
  readonly place: Place;
  readonly encoding: SourceText | undefined;
  readonly assembly: YamlScalar | undefined;
  readonly execute: BlockEntry | undefined;
  readonly expands: ExpandsEntry | undefined;
  readonly except: BlockEntry | undefined;
  readonly where: BlockEntry | undefined;
  readonly operands: YamlScalar | undefined;
  /** The decoder's name for it, where that is not the block's. */
  readonly mnemonic: string | undefined;
  readonly widths: readonly YamlScalar[] | undefined;
}

/** What the operands of decoded instructions are. */
export interface OperandsEntry {
  readonly place: Place;
  /** State variables, by the decoder's number of the register. */
  readonly registers: readonly YamlScalar[];
  /** The new value of a whole register, `value` having been written to its low bits: over `old` and `value`. */
  readonly write: BlockEntry | undefined;
  readonly memory: YamlScalar | undefined;
  /** Segment → the state variable of its base. */
  readonly segments: readonly { readonly segment: string; readonly base: YamlScalar }[];
  /** What happens before every access: over `address`, `bytes` and `stack`. */
  readonly access: BlockEntry | undefined;
}

export interface TransitionEntry {
  readonly name: string;
  readonly place: Place;
  readonly signature: Signature;
  readonly unit: Unit;
  readonly guard: BlockEntry | undefined;
  readonly effect: BlockEntry | undefined;
}

export interface FetchEntry {
  readonly place: Place;
  readonly from: BlockEntry | undefined;
  readonly length: BlockEntry | undefined;
  readonly illegal: BlockEntry | undefined;
  readonly overlong: BlockEntry | undefined;
  /** A condition of fetching at all. */
  readonly when: BlockEntry | undefined;
}

export interface RegistersEntry {
  readonly file: string;
  readonly place: Place;
  readonly names: readonly string[];
}

/** How the values of an operand are spelled in assembly. */
export interface SpellingEntry {
  readonly field: string;
  readonly place: Place;
  readonly names: readonly string[];
}

export interface Definition {
  readonly name: string;
  readonly title: string;
  readonly source: string | undefined;
  readonly file: string;
  readonly place: Place;
  readonly partial: boolean;
  readonly decoder: { readonly name: string; readonly place: Place } | undefined;
  readonly types: readonly TypeEntry[];
  readonly constants: readonly ConstantEntry[];
  readonly state: readonly StateEntry[];
  readonly functions: readonly FunctionEntry[];
  readonly uninterpreted: readonly UninterpretedEntry[];
  readonly traps: readonly TrapEntry[];
  readonly init: readonly BlockEntry[];
  readonly instructions: readonly InstructionEntry[];
  readonly transitions: readonly TransitionEntry[];
  readonly fetch: FetchEntry | undefined;
  readonly next: BlockEntry | undefined;
  /** What every instruction does besides, if it does not end in a trap. */
  readonly retire: BlockEntry | undefined;
  /** The procedure that takes every trap. */
  readonly handler: YamlScalar | undefined;
  readonly registers: readonly RegistersEntry[];
  readonly spelling: readonly SpellingEntry[];
  readonly operands: OperandsEntry | undefined;
  /** Names whose declarations are in error: what mentions them stays silent. */
  readonly broken: ReadonlySet<string>;
  /** Something is missing that could have declared any name: a base, or the members of an enum. */
  readonly incomplete: boolean;
  /** What the file's own strings see. */
  readonly parameters: ReadonlyMap<string, Val>;
  /** Files read, in order, with their texts, and parameters and edits as text: what the digest is of. */
  readonly digested: readonly string[];
}
