/**
 * What the strings of a machine can name besides their own locals: state, types, constants, functions, traps. Types and
 * constants are worked out when first asked for, so that their order does not matter.
 */
import type { Place } from "../../../refinement/errors.js";
import type { EnumType, Parameter, ScalarType } from "../../../refinement/machine.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Block, Signature, TypeNode } from "../syntax/ast.js";
import type { SourceText } from "../yaml/source-text.js";
import type { NType, TrapType } from "./types.js";
import type { Val } from "./value.js";

/** One string of the notation, and the parameters its file sees. */
export interface Unit {
  readonly source: SourceText;
  readonly parameters: ReadonlyMap<string, Val>;
}

export interface FunctionDeclaration {
  readonly name: string;
  readonly place: Place;
  readonly signature: Signature;
  /** Where the signature stands. */
  readonly unit: Unit;
  readonly body: Block;
  readonly bodyUnit: Unit;
  readonly memoized: boolean;
}

/** A memoized function, elaborated: the name it is applied by, and the state that it looks at. */
export interface MemoizedFunction {
  readonly name: string;
  readonly parameters: readonly { readonly name: string; readonly type: ScalarType }[];
  readonly result: NType;
  /** Flattened names of the state variables that follow the arguments. */
  readonly reads: readonly string[];
}

export interface UninterpretedDeclaration {
  readonly name: string;
  readonly parameters: readonly ScalarType[];
  readonly result: ScalarType;
}

/** A root state variable, before it is flattened. */
export interface StateDeclaration {
  readonly name: string;
  readonly type: NType;
  readonly fixed: ReadonlyMap<number, bigint>;
  readonly faults: {
    readonly load?: string | undefined;
    readonly store?: string | undefined;
    readonly fetch?: string | undefined;
  };
  /** Flattened variable → the term for its value in the state before. */
  readonly terms: ReadonlyMap<string, Term>;
}

/** A type or constant: what it is once worked out, and the text to work it out from. */
export interface TypeDeclaration {
  readonly name: string;
  readonly node: TypeNode;
  readonly unit: Unit;
}
export interface ConstantDeclaration {
  readonly name: string;
  readonly type: { readonly node: TypeNode; readonly unit: Unit } | undefined;
  readonly block: Block;
  readonly unit: Unit;
}

export interface World {
  readonly state: ReadonlyMap<string, StateDeclaration>;
  /** Names of all state variables, known before their types are. */
  readonly stateNames: ReadonlySet<string>;
  readonly types: ReadonlyMap<string, TypeDeclaration>;
  readonly constants: ReadonlyMap<string, ConstantDeclaration>;
  readonly functions: ReadonlyMap<string, FunctionDeclaration>;
  readonly uninterpreted: ReadonlyMap<string, UninterpretedDeclaration>;
  /** The type of `trap`, in a machine with traps. */
  readonly trap: TrapType | undefined;
  /** Names whose declarations are in error: what mentions them stays silent. */
  readonly broken: ReadonlySet<string>;
  /** Declarations may be missing: unknown names are no mistake of those who use them. */
  readonly incomplete: boolean;
  /** Functions that (transitively) call themselves: reported, and not to be inlined. */
  readonly recursive: ReadonlySet<string>;
  /** Worked-out types and constants; undefined while being worked out. */
  readonly knownTypes: Map<string, NType | undefined>;
  readonly knownConstants: Map<string, Val | undefined>;
  /** Memoized functions elaborated so far; undefined for one in error. */
  readonly memoized: Map<string, MemoizedFunction | undefined>;
  /** Member → the declared enums that have it. */
  readonly members: Map<string, EnumType[]>;
}

export function emptyWorld(): World {
  return {
    state: new Map(),
    stateNames: new Set(),
    types: new Map(),
    constants: new Map(),
    functions: new Map(),
    uninterpreted: new Map(),
    trap: undefined,
    broken: new Set(),
    incomplete: false,
    recursive: new Set(),
    knownTypes: new Map(),
    knownConstants: new Map(),
    memoized: new Map(),
    members: new Map(),
  };
}

/** What a body may do besides computing. */
export interface Permissions {
  /** Assign state variables. */
  readonly assign: boolean;
  /** `raise`, and accesses to memory that fault. */
  readonly raise: boolean;
  /** Accesses to memory fetch instructions. */
  readonly fetches?: boolean;
  /** `choose`: the prefix of the choice's variable (`transition`), or undefined where there can be none. */
  readonly choices: { readonly owner: string; readonly list: Parameter[] } | undefined;
}

export const PURE: Permissions = { assign: false, raise: false, choices: undefined };
