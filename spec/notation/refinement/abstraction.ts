/** Maps from one machine's state to another's, variable by variable: α, its view after materialization, γ. */
import * as build from "../../../refinement/terms/build.js";
import { bits } from "../../../refinement/terms/sort.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Place } from "../../../refinement/errors.js";
import { type Code, didYouMean } from "../diagnostics.js";
import { coerce } from "../elaborate/coerce.js";
import type { Store } from "../elaborate/store.js";
import {
  type ArrayType,
  type NType,
  type TrapType,
  fieldLeaves,
  leaves,
  sameTraps,
  sortOf,
} from "../elaborate/types.js";
import type { TypedValue } from "../elaborate/value.js";
import type { World } from "../elaborate/world.js";
import { guarded } from "../machine/guarded.js";
import { type Elaboration, type Given, contextFor } from "../machine/transitions.js";
import type { BlockEntry } from "../read/definition.js";
import type { YamlEntry } from "../yaml/tree.js";
import type { RefinementReader } from "./file.js";

export interface MapOptions {
  /** The machine whose variables are given values. */
  readonly target: World;
  /** What it is called in messages: the guest, the host. */
  readonly name: string;
  readonly code: Extract<Code, "E_ABSTRACTION" | "E_CONCRETIZE" | "E_MATERIALIZE">;
  /** The state over which the values are computed. */
  readonly elaboration: Elaboration;
  readonly store: Store | undefined;
  /** Bits of the index in `x[i]: …`; as many as the file's index has unless given. */
  readonly indexWidth?: number | undefined;
}

const KEY = /^([A-Za-z_]\w*)(?:\[\s*([A-Za-z_]\w*)\s*\])?((?:\.[A-Za-z_]\w*)*)$/;

interface Target {
  readonly root: string;
  readonly path: string;
  readonly type: NType;
  /** For one key for all elements: the index's name, and the file. */
  readonly index: { readonly name: string; readonly array: ArrayType } | undefined;
}

/** Terms for the variables that the entries name; what they do not name is not in the result. */
export function mapState(
  entries: readonly YamlEntry[],
  reader: RefinementReader,
  options: MapOptions,
): Map<string, Term> {
  const result = new Map<string, Term>();
  for (const { key, value } of entries) {
    const entry = reader.block(value, `the value of \`${key.text}\``);
    const target = targetOf(key.text, key.place, options);
    if (target === undefined || entry === undefined) continue;
    const names = leaves(target.type).map((leaf) => target.root + target.path + leaf.path);
    const twice = names.find((n) => result.has(n));
    if (twice !== undefined) {
      options.elaboration.diagnostics.report("E_DUPLICATE", key.place, `\`${twice}\` is given a value twice`);
      continue;
    }
    const terms = guarded(options.elaboration.diagnostics, entry.place, () => valuesOf(target, entry, options));
    terms?.forEach((term, i) => {
      const name = names[i];
      if (name !== undefined) result.set(name, term);
    });
  }
  return result;
}

function targetOf(key: string, place: Place, options: MapOptions): Target | undefined {
  const { target, code } = options;
  const { diagnostics } = options.elaboration;
  const match = KEY.exec(key);
  const [, root = "", index, path = ""] = match ?? [];
  const declaration = target.state.get(root);
  if (match === null || declaration === undefined) {
    const known = didYouMean(root || key, target.state.keys());
    diagnostics.report(code, place, `\`${key}\` is no variable of the ${options.name}${known}`);
    return undefined;
  }
  let { type } = declaration;
  let array: ArrayType | undefined;
  if (index !== undefined) {
    if (type.kind !== "array") {
      diagnostics.report(code, place, `\`${root}\` has no elements; write \`${root}\` alone`);
      return undefined;
    }
    array = type;
    type = type.element;
  }
  for (const field of path.split(".").filter((f) => f !== "")) {
    // A file of records has its fields behind the index or without one: `cache[i].valid`, `cache.valid`.
    const record = type.kind === "array" ? type.element : type;
    const found = record.kind === "record" ? fieldLeaves(record, field) : undefined;
    if (found === undefined) {
      const known = record.kind === "record" ? record.fields.map((f) => f.name) : [];
      diagnostics.report(code, place, `\`${key}\`: there is no field \`${field}\`${didYouMean(field, known)}`);
      return undefined;
    }
    type = type.kind === "array" ? { kind: "array", count: type.count, element: found.type } : found.type;
  }
  return { root, path, type, index: index === undefined || array === undefined ? undefined : { name: index, array } };
}

function valuesOf(target: Target, entry: BlockEntry, options: MapOptions): readonly Term[] | undefined {
  const { index, type } = target;
  if (index === undefined) return evaluated(target, entry, type, [], options)?.terms;
  const terms: Term[] = [];
  for (const [i, leaf] of leaves(type).entries()) {
    if (leaf.type.kind === "file" || leaf.type.kind === "memory") return undefined;
    const sort = sortOf({ kind: "file", count: index.array.count, element: leaf.type });
    if (sort.kind !== "file") return undefined;
    let right = true;
    const term = build.lambda(sort, (at) => {
      const given: Given = {
        name: index.name,
        type: { kind: "bits", width: options.indexWidth ?? sort.index },
        terms: [options.indexWidth === undefined ? at : build.zext(at, options.indexWidth)],
        what: "the index",
      };
      const element = evaluated(target, entry, type, [given], options)?.terms[i];
      if (element === undefined) {
        right = false;
        return build.constant(sort.element, 0n);
      }
      return element.sort.kind === "bool" ? build.boolToBits(element) : element;
    });
    if (!right) return undefined;
    terms.push(term);
  }
  return terms;
}

function evaluated(
  target: Target,
  entry: BlockEntry,
  type: NType,
  given: readonly Given[],
  options: MapOptions,
): TypedValue | undefined {
  const cx = contextFor(options.elaboration, entry, given, undefined, options.store);
  const value = cx.evaluateBlock(entry.block, type);
  const last = entry.block.statements.at(-1);
  return coerce(
    cx,
    value,
    type,
    last?.span ?? entry.block.span,
    `\`${target.root}${target.path}\` of the ${options.name}`,
  );
}

/** The variables of a machine that a map leaves out, `trap` aside. */
export function missing(world: World, map: ReadonlyMap<string, Term>): readonly string[] {
  const names: string[] = [];
  for (const declaration of world.state.values()) {
    if (declaration.name === "trap") continue;
    if ([...declaration.terms.keys()].some((key) => !map.has(key))) names.push(declaration.name);
  }
  return names;
}

/** The other machine's own trap as this one's, where they have the same traps. */
export function sameTrap(target: TrapType, source: World): ReadonlyMap<string, Term> | undefined {
  const own = source.state.get("trap");
  if (own?.type.kind !== "trap") return undefined;
  const same = sameTraps(own.type.table, target.table);
  const code = own.terms.get("trap");
  const value = own.terms.get("trap.value");
  if (!same || code === undefined || value === undefined) return undefined;
  return new Map([
    ["trap", code],
    ["trap.value", value],
  ]);
}

/** A term that is zero everywhere (fixed elements at their values); undefined for memory, which has none. */
export function zeroTerm(
  type: ReturnType<typeof leaves>[number]["type"],
  fixed: ReadonlyMap<number, bigint>,
): Term | undefined {
  switch (type.kind) {
    case "memory":
      return undefined;
    case "file": {
      const sort = sortOf(type);
      if (sort.kind !== "file") return undefined;
      return build.lambda(sort, (at) => {
        let element = build.constant(sort.element, 0n);
        for (const [i, value] of fixed)
          element = build.ite(
            build.eq(at, build.constant(sort.index, BigInt(i))),
            build.constant(sort.element, value),
            element,
          );
        return element;
      });
    }
    case "bool":
      return build.FALSE;
    default: {
      const sort = sortOf(type);
      return sort.kind === "bits" ? build.constant(sort.width, 0n) : build.variable("", bits(1));
    }
  }
}
