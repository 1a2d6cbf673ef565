/** Names in a body: parameters, `let`, `var`, operands; inner scopes over outer ones. */
import type { OperandPlace } from "./operand.js";
import type { NType } from "./types.js";
import type { Val } from "./value.js";

/** How an operand field is used, for the assembler: the files it indexes, and whether it is used in any other way. */
export class FieldUse {
  readonly files = new Set<string>();
  /** The element that its value 0 names. */
  first = 0;
  otherwise = false;

  /** Names an element of a file: `first` is that which 0 stands for. */
  index(file: string, first = 0): void {
    if (this.files.size > 0 && this.first !== first) this.otherwise = true;
    this.files.add(file);
    this.first = first;
  }
}

/** A name that stands for a value. */
export interface ValueBinding {
  readonly kind: "value";
  readonly value: Val;
  /** What it is, for messages: a `let`, a parameter, an operand. */
  readonly what: string;
  readonly use?: FieldUse;
}

/** A name that stands for a place in the store: a state variable, a `var`. */
export interface CellBinding {
  readonly kind: "cell";
  readonly key: string;
  readonly type: NType;
  /** False for a `var` of a body. */
  readonly state: boolean;
}

/** A name that stands for an operand of a decoded instruction: part of a register, or bytes of memory. */
export interface OperandBinding {
  readonly kind: "operand";
  readonly operand: OperandPlace;
}

export type Binding = ValueBinding | CellBinding | OperandBinding;

export class Scope {
  private readonly parent: Scope | undefined;
  private readonly names = new Map<string, Binding>();

  constructor(parent?: Scope) {
    this.parent = parent;
  }

  get(name: string): Binding | undefined {
    return this.names.get(name) ?? this.parent?.get(name);
  }

  /** False if this very scope has the name already. */
  define(name: string, binding: Binding): boolean {
    if (this.names.has(name)) return false;
    this.names.set(name, binding);
    return true;
  }

  *known(): Generator<string> {
    yield* this.names.keys();
    if (this.parent !== undefined) yield* this.parent.known();
  }
}
