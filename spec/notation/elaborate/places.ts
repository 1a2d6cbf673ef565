/** Places: what can be assigned, and what is read from the store. `latch.pc`, `x[rd]`, `cache[i].valid`, a `var`. */
import * as build from "../../../refinement/terms/build.js";
import { indexWidth } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import type { Expression, Span } from "../syntax/ast.js";
import { coerce } from "./coerce.js";
import type { Context } from "./context.js";
import { type NType, bitsType, fieldLeaves, leaves, typeToString } from "./types.js";
import { type TypedValue, WRONG, type Val } from "./value.js";
import type { StateDeclaration } from "./world.js";

export interface Place {
  /** Store key of the root, and of the part: root + path. */
  readonly root: string;
  readonly path: string;
  /** Set once an element of a file has been chosen. */
  readonly index: Term | undefined;
  readonly type: NType;
  /** The state variable's declaration, unless it is a `var`. */
  readonly state: StateDeclaration | undefined;
}

/** A place, nothing (the expression is no place), or a mistake that has been reported. */
export type PlaceResult = { readonly kind: "place"; readonly place: Place } | { readonly kind: "none" } | typeof WRONG;

const NO_PLACE: PlaceResult = { kind: "none" };

export function placeOf(cx: Context, node: Expression): PlaceResult {
  switch (node.kind) {
    case "name": {
      const binding = cx.scope.get(node.name);
      if (binding !== undefined) {
        if (binding.kind !== "cell") return NO_PLACE;
        return {
          kind: "place",
          place: { root: binding.key, path: "", index: undefined, type: binding.type, state: undefined },
        };
      }
      if (cx.withoutState && cx.world.stateNames.has(node.name)) {
        cx.report("E_CONSTANT", node.span, `\`${node.name}\` is state; a constant is wanted here`);
        return WRONG;
      }
      const state = cx.world.state.get(node.name);
      if (state === undefined) return NO_PLACE;
      return { kind: "place", place: { root: state.name, path: "", index: undefined, type: state.type, state } };
    }
    case "field": {
      const base = placeOf(cx, node.base);
      if (base.kind !== "place") return base;
      const { type } = base.place;
      if (type.kind === "trap" && node.field.name === "value") {
        return { kind: "place", place: { ...base.place, path: ".value", type: bitsType(type.table.width) } };
      }
      if (type.kind !== "record") return NO_PLACE;
      const field = fieldLeaves(type, node.field.name);
      if (field === undefined) return unknownField(cx, type, node.field.name, node.field.span);
      return {
        kind: "place",
        place: { ...base.place, path: `${base.place.path}.${node.field.name}`, type: field.type },
      };
    }
    case "index": {
      const base = placeOf(cx, node.base);
      if (base.kind !== "place" || base.place.type.kind !== "array") return base.kind === "place" ? NO_PLACE : base;
      const index = fileIndex(cx, node.index, base.place.type.count, node.base, base.place.root);
      if (index === undefined) return WRONG;
      return { kind: "place", place: { ...base.place, index, type: base.place.type.element } };
    }
    default:
      return NO_PLACE;
  }
}

export function unknownField(cx: Context, type: NType, name: string, span: Span): typeof WRONG {
  const known = type.kind === "record" ? type.fields.map((f) => f.name) : [];
  cx.report("E_UNKNOWN", span, `${typeToString(type)} has no field \`${name}\`${didYouMean(name, known)}`);
  return WRONG;
}

/** The index of an element of a file of `count`: as wide as names them all; a constant must be in range. */
export function fileIndex(
  cx: Context,
  node: Expression,
  count: number,
  file: Expression,
  root: string | undefined,
): Term | undefined {
  const width = indexWidth(count);
  let value: Val;
  const binding = node.kind === "name" ? cx.scope.get(node.name) : undefined;
  if (binding?.kind === "value" && binding.use !== undefined && root !== undefined) {
    binding.use.index(root);
    value = binding.value;
  } else {
    value = cx.evaluate(node, bitsType(width));
  }
  if (value.kind === "int" && (value.value < 0n || value.value >= BigInt(count))) {
    cx.report(
      "E_RANGE",
      node.span,
      `\`${cx.text(file.span)}\` has ${count} elements, 0 to ${count - 1}; there is no element ${value.value}`,
    );
    return undefined;
  }
  const index = coerce(cx, value, bitsType(width), node.span, `the index of \`${cx.text(file.span)}\``);
  return index?.terms[0];
}

export function readPlace(cx: Context, place: Place): TypedValue {
  const terms = leaves(place.type).map((leaf) => {
    const key = place.root + place.path + leaf.path;
    const term = cx.store.get(key);
    if (term === undefined) throw new TypeError(`the store has no ${key}`);
    if (place.index === undefined) return term;
    const element = build.select(term, place.index);
    return leaf.type.kind === "bool" ? build.bitsToBool(element) : element;
  });
  return { kind: "typed", type: place.type, terms };
}

/** Assigns; fixed elements keep their value. */
export function writePlace(cx: Context, place: Place, value: TypedValue): void {
  leaves(place.type).forEach((leaf, i) => {
    const key = place.root + place.path + leaf.path;
    const term = value.terms[i];
    const old = cx.store.get(key);
    if (term === undefined || old === undefined) return;
    if (place.index === undefined) {
      cx.store.set(key, refix(place, term));
    } else {
      const element = leaf.type.kind === "bool" ? build.boolToBits(term) : term;
      cx.store.set(key, build.store(old, place.index, fixedOr(place, place.index, element)));
    }
    if (key === cx.tracked) cx.assigned = { value: term };
  });
}

/** A write at the index of a fixed element writes what stands there already. */
function fixedOr(place: Place, index: Term, element: Term): Term {
  let result = element;
  if (place.state === undefined || index.sort.kind !== "bits" || element.sort.kind !== "bits") return result;
  for (const [fixed, value] of place.state.fixed) {
    const at = build.eq(index, build.constant(index.sort.width, BigInt(fixed)));
    result = build.ite(at, build.constant(element.sort.width, value), result);
  }
  return result;
}

/** A whole file assigned at once. */
function refix(place: Place, file: Term): Term {
  if (place.state === undefined || file.sort.kind !== "file") return file;
  let result = file;
  for (const [fixed, value] of place.state.fixed) {
    const index = build.constant(file.sort.index, BigInt(fixed));
    result = build.store(result, index, build.constant(file.sort.element, value));
  }
  return result;
}
