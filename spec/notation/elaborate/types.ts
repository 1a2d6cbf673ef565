/**
 * The types of the notation. The checker's own types (refinement/machine.ts) are flat; here there are records and files of
 * records too, which flatten to one variable for each leaf.
 */
import type { EnumType, MemoryType, ScalarType, TrapDeclaration, Type } from "../../../refinement/machine.js";
import { BOOL, type Sort, bits, file, indexWidth, memory } from "../../../refinement/terms/sort.js";

export interface RecordType {
  readonly kind: "record";
  readonly fields: readonly { readonly name: string; readonly type: NType }[];
}

/** `element` is a scalar or a record of scalars. */
export interface ArrayType {
  readonly kind: "array";
  readonly count: number;
  readonly element: NType;
}

/** What `trap` holds: which trap, and its arguments packed. */
export interface TrapType {
  readonly kind: "trap";
  readonly table: TrapTable;
}

export interface TrapTable {
  readonly traps: readonly TrapDeclaration[];
  /** Values of `trap`: `none`, then the traps. */
  readonly code: EnumType;
  /** Width of `trap.value`. */
  readonly width: number;
}

export type NType = ScalarType | RecordType | ArrayType | MemoryType | TrapType;

/** A variable that a type flattens to. `path` follows the variable's name: "", ".valid". */
export interface Leaf {
  readonly path: string;
  readonly type: Type;
}

export const BOOL_TYPE: ScalarType = { kind: "bool" };

/** Limits of what one definition may declare. */
export const MAX_WIDTH = 4096;
export const MAX_COUNT = 65536;

export function bitsType(width: number): ScalarType {
  return { kind: "bits", width };
}

export function isScalar(type: NType): type is ScalarType {
  return type.kind === "bits" || type.kind === "bool" || type.kind === "enum";
}

/** Bits that represent a value of the type. */
export function scalarWidth(type: ScalarType): number {
  switch (type.kind) {
    case "bool":
      return 1;
    case "bits":
      return type.width;
    case "enum":
      return indexWidth(type.members.length);
    default: {
      const never: never = type;
      return never;
    }
  }
}

export function scalarSort(type: ScalarType): Sort {
  return type.kind === "bool" ? BOOL : bits(scalarWidth(type));
}

export function sortOf(type: Type): Sort {
  switch (type.kind) {
    case "file":
      return file(type.count, scalarWidth(type.element));
    case "memory":
      return memory(type.address);
    default:
      return scalarSort(type);
  }
}

const leafCache = new WeakMap<NType, readonly Leaf[]>();

export function leaves(type: NType): readonly Leaf[] {
  let found = leafCache.get(type);
  if (found === undefined) {
    found = computeLeaves(type);
    leafCache.set(type, found);
  }
  return found;
}

function computeLeaves(type: NType): readonly Leaf[] {
  switch (type.kind) {
    case "record":
      return type.fields.flatMap((f) => leaves(f.type).map((l) => ({ path: `.${f.name}${l.path}`, type: l.type })));
    case "array":
      return leaves(type.element).flatMap(({ path, type: element }): Leaf[] =>
        element.kind === "file" || element.kind === "memory"
          ? []
          : [{ path, type: { kind: "file", count: type.count, element } }],
      );
    case "trap":
      return [
        { path: "", type: type.table.code },
        { path: ".value", type: { kind: "bits", width: type.table.width } },
      ];
    default:
      return [{ path: "", type }];
  }
}

/** Where the leaves of a field stand among those of its record. */
export function fieldLeaves(type: RecordType, name: string): { type: NType; from: number; to: number } | undefined {
  let from = 0;
  for (const field of type.fields) {
    const to = from + leaves(field.type).length;
    if (field.name === name) return { type: field.type, from, to };
    from = to;
  }
  return undefined;
}

/** Types are equal by what they are made of, not by name. */
export function sameType(a: NType, b: NType): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case "bits":
      return b.kind === "bits" && a.width === b.width;
    case "bool":
      return b.kind === "bool";
    case "enum":
      return (
        b.kind === "enum" && a.members.length === b.members.length && a.members.every((m, i) => m === b.members[i])
      );
    case "memory":
      return b.kind === "memory" && a.address === b.address;
    case "array":
      return b.kind === "array" && a.count === b.count && sameType(a.element, b.element);
    case "record":
      return (
        b.kind === "record" &&
        a.fields.length === b.fields.length &&
        a.fields.every((f, i) => {
          const g = b.fields[i];
          return g !== undefined && f.name === g.name && sameType(f.type, g.type);
        })
      );
    case "trap":
      return b.kind === "trap" && sameTraps(a.table, b.table);
    default: {
      const never: never = a;
      return never;
    }
  }
}

export function sameTraps(a: TrapTable, b: TrapTable): boolean {
  if (a === b) return true;
  return (
    a.width === b.width &&
    a.traps.length === b.traps.length &&
    a.traps.every((t, i) => {
      const u = b.traps[i];
      return u !== undefined && t.name === u.name && sameMeaning(t, u);
    })
  );
}

/** Of two traps of one name: equal parameters, and no other cause number, where both have one. */
export function sameMeaning(a: TrapDeclaration, b: TrapDeclaration): boolean {
  return (
    (a.cause === undefined || b.cause === undefined || a.cause === b.cause) &&
    a.parameters.length === b.parameters.length &&
    a.parameters.every((p, i) => {
      const q = b.parameters[i];
      return q !== undefined && sameType(p.type, q.type);
    })
  );
}

/** As the notation writes it, for messages. */
export function typeToString(type: NType): string {
  switch (type.kind) {
    case "bits":
      return `bits(${type.width})`;
    case "bool":
      return "bool";
    case "enum":
      return type.name !== "" ? type.name : shortened(`enum { ${type.members.join(", ")} }`);
    case "memory":
      return `bytes(${type.address})`;
    case "array":
      return `${typeToString(type.element)}[${type.count}]`;
    case "record":
      return shortened(`record { ${type.fields.map((f) => `${f.name}: ${typeToString(f.type)}`).join(", ")} }`);
    case "trap":
      return "trap";
    default: {
      const never: never = type;
      return never;
    }
  }
}

function shortened(text: string): string {
  return text.length <= 60 ? text : `${text.slice(0, 57)}… }`;
}
