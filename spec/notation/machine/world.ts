/** A definition's declarations, checked: types, constants, state, traps and functions by name. */
import type { EnumType, ScalarType, TrapDeclaration } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { BUILT_IN } from "../elaborate/built-in.js";
import { runBody } from "../elaborate/body.js";
import { isGeneric } from "../elaborate/calls.js";
import { memoizedFunction } from "../elaborate/memoized.js";
import type { Budget, Context } from "../elaborate/context.js";
import { newContext } from "../elaborate/elaborator.js";
import { constantValue, namedType, typeOf } from "../elaborate/declarations.js";
import { Scope } from "../elaborate/scope.js";
import {
  MAX_WIDTH,
  type NType,
  type TrapType,
  isScalar,
  leaves,
  scalarWidth,
  sortOf,
  typeToString,
} from "../elaborate/types.js";
import { WRONG } from "../elaborate/value.js";
import {
  type FunctionDeclaration,
  PURE,
  type StateDeclaration,
  type UninterpretedDeclaration,
  type Unit,
  type World,
} from "../elaborate/world.js";
import type { Definition, FunctionEntry, StateEntry, UninterpretedEntry } from "../read/definition.js";
import { guarded } from "./guarded.js";
import { findRecursion } from "./recursion.js";

interface MutableWorld extends World {
  readonly broken: Set<string>;
  readonly state: Map<string, StateDeclaration>;
  readonly uninterpreted: Map<string, UninterpretedDeclaration>;
  trap: TrapType | undefined;
}

export function buildWorld(definition: Definition, diagnostics: Diagnostics, budget: Budget): World {
  const world: MutableWorld = {
    state: new Map(),
    stateNames: new Set(definition.state.map((s) => s.name)),
    types: new Map(definition.types.map((t) => [t.name, t])),
    constants: new Map(definition.constants.map((c) => [c.name, c])),
    functions: functionMap(definition.functions, diagnostics),
    uninterpreted: new Map(),
    trap: undefined,
    broken: new Set(definition.broken),
    incomplete: definition.incomplete,
    recursive: findRecursion(definition.functions, diagnostics),
    knownTypes: new Map(),
    knownConstants: new Map(),
    memoized: new Map(),
    members: new Map(),
  };
  for (const { name, place } of [...definition.constants, ...definition.state]) {
    if (definition.parameters.has(name))
      diagnostics.report("E_DUPLICATE", place, `\`${name}\` is a parameter already; choose another name`);
  }
  for (const { name, place } of definition.state) {
    if (world.constants.has(name))
      diagnostics.report("E_DUPLICATE", place, `\`${name}\` is a constant already; choose another name`);
  }
  const at = (unit: Unit): Context => {
    const cx = newContext(world, diagnostics, unit, PURE, { budget });
    cx.withoutState = true;
    return cx;
  };
  for (const { name, unit, place } of definition.types) {
    const type = guarded(diagnostics, place, () => namedType(at(unit), name, { start: 0, end: 0 }));
    if (type !== undefined) {
      addMembers(world, type);
    } else {
      for (const word of [name, ...(unit.source.text.match(/[A-Za-z_]\w*/g) ?? [])]) world.broken.add(word);
    }
  }
  for (const { name, unit, place } of definition.constants)
    guarded(diagnostics, place, () => constantValue(at(unit), name, { start: 0, end: 0 }));
  world.trap = trapType(definition, at);
  for (const entry of definition.state) {
    const declaration = guarded(diagnostics, entry.place, () =>
      stateDeclaration(entry, world.trap, at(entry.unit), diagnostics),
    );
    if (declaration === undefined) {
      world.broken.add(entry.name);
      continue;
    }
    world.state.set(entry.name, declaration);
    addMembers(world, declaration.type);
  }
  // A machine that handles its traps itself never stops in one.
  if (world.trap !== undefined && definition.handler === undefined)
    world.state.set("trap", declare("trap", world.trap));
  for (const entry of definition.uninterpreted) {
    const declaration = uninterpreted(entry, at);
    if (declaration !== undefined) world.uninterpreted.set(entry.name, declaration);
    else world.broken.add(entry.name);
  }
  return world;
}

function functionMap(
  entries: readonly FunctionEntry[],
  diagnostics: Diagnostics,
): ReadonlyMap<string, FunctionDeclaration> {
  for (const { name, place } of entries)
    if (BUILT_IN.some((b) => b === name))
      diagnostics.report("E_DUPLICATE", place, `\`${name}\` is built in; choose another name`);
  return new Map(entries.map((f) => [f.name, f]));
}

function addMembers(world: World, type: NType): void {
  const add = (found: EnumType): void => {
    for (const member of found.members) {
      const list = world.members.get(member) ?? [];
      if (
        !list.some(
          (e) =>
            e === found ||
            (e.members.length === found.members.length && e.members.every((m, i) => m === found.members[i])),
        )
      )
        world.members.set(member, [...list, found]);
    }
  };
  if (type.kind === "enum") add(type);
  else if (type.kind === "array") addMembers(world, type.element);
  else if (type.kind === "record") for (const f of type.fields) addMembers(world, f.type);
}

function declare(name: string, type: NType): StateDeclaration {
  const terms = new Map<string, Term>();
  for (const leaf of leaves(type)) terms.set(name + leaf.path, build.variable(name + leaf.path, sortOf(leaf.type)));
  return { name, type, fixed: new Map(), faults: {}, terms };
}

function trapType(definition: Definition, at: (unit: Unit) => Context): TrapType | undefined {
  if (definition.traps.length === 0) return undefined;
  const traps: TrapDeclaration[] = definition.traps.map((entry, i) => {
    const cx = at(entry.unit);
    const parameters: { name: string; type: ScalarType }[] = [];
    for (const { name, type } of entry.signature.parameters) {
      const found = typeOf(cx, type);
      if (found !== undefined && isScalar(found)) parameters.push({ name: name.name, type: found });
      else if (found !== undefined)
        cx.report("E_TYPE", type.span, `a trap's argument is bits, bool or an enum, not ${typeToString(found)}`);
    }
    return { name: entry.name, parameters, code: i + 1, cause: entry.cause };
  });
  const width = Math.max(1, ...traps.map((t) => t.parameters.reduce((sum, p) => sum + scalarWidth(p.type), 0)));
  const [first] = definition.traps;
  if (width > MAX_WIDTH && first !== undefined)
    at(first.unit).report(
      "E_RANGE",
      { start: 0, end: 0 },
      `a trap's arguments have at most ${MAX_WIDTH} bits together, not ${width}`,
    );
  const code: EnumType = { kind: "enum", name: "trap", members: ["none", ...traps.map((t) => t.name)] };
  return { kind: "trap", table: { traps, code, width: Math.min(width, MAX_WIDTH) } };
}

function stateDeclaration(
  entry: StateEntry,
  trap: TrapType | undefined,
  cx: Context,
  diagnostics: Diagnostics,
): StateDeclaration | undefined {
  const type = typeOf(cx, entry.node);
  if (type === undefined) return undefined;
  const faults: { fetch?: string; load?: string; store?: string } = {};
  for (const access of ["fetch", "load", "store"] as const) {
    const scalar = entry.faults[access];
    if (scalar === undefined) continue;
    if (type.kind !== "memory") {
      diagnostics.report("E_TYPE", scalar.place, `only memory faults; \`${entry.name}\` is ${typeToString(type)}`);
      continue;
    }
    const declaration = trap?.table.traps.find((t) => t.name === scalar.text);
    if (declaration === undefined) {
      if (cx.world.broken.has(scalar.text) || cx.world.incomplete) continue;
      const known = trap?.table.traps.map((t) => t.name) ?? [];
      diagnostics.report(
        "E_TRAP",
        scalar.place,
        `no trap \`${scalar.text}\` is declared${didYouMean(scalar.text, known) || "; declare it under `traps:`"}`,
      );
      continue;
    }
    const [parameter, ...more] = declaration.parameters;
    if (
      more.length > 0 ||
      (parameter !== undefined && (parameter.type.kind !== "bits" || parameter.type.width !== type.address))
    ) {
      diagnostics.report(
        "E_TRAP",
        scalar.place,
        `the trap of a faulting access takes the address, bits(${type.address}), or nothing; \`${scalar.text}\` takes something else`,
      );
      continue;
    }
    faults[access] = scalar.text;
  }
  return { ...declare(entry.name, type), fixed: fixedElements(entry, type, diagnostics), faults };
}

function fixedElements(entry: StateEntry, type: NType, diagnostics: Diagnostics): ReadonlyMap<number, bigint> {
  const fixed = new Map<number, bigint>();
  for (const { index, value } of entry.fixed) {
    if (type.kind !== "array" || type.element.kind !== "bits") {
      diagnostics.report(
        "E_FIXED",
        index.place,
        `only a file of bits has fixed elements; \`${entry.name}\` is ${typeToString(type)}`,
      );
      return fixed;
    }
    const at = typeof index.value === "bigint" ? index.value : undefined;
    const constant = typeof value.value === "bigint" ? value.value : undefined;
    if (at === undefined || at < 0n || at >= BigInt(type.count)) {
      diagnostics.report(
        "E_FIXED",
        index.place,
        `\`${index.text}\` is no element of \`${entry.name}\`, which has 0 to ${type.count - 1}`,
      );
    } else if (constant === undefined || constant < 0n || constant >= 1n << BigInt(type.element.width)) {
      diagnostics.report("E_FIXED", value.place, `\`${value.text}\` is no value of ${typeToString(type.element)}`);
    } else {
      fixed.set(Number(at), constant);
    }
  }
  return fixed;
}

function uninterpreted(entry: UninterpretedEntry, at: (unit: Unit) => Context): UninterpretedDeclaration | undefined {
  const scalar = (node: Parameters<typeof typeOf>[1], unit: Unit): ScalarType | undefined => {
    const cx = at(unit);
    const type = typeOf(cx, node);
    if (type === undefined || isScalar(type)) return type;
    cx.report(
      "E_TYPE",
      node.span,
      `an uninterpreted function takes and gives bits, bool or an enum, not ${typeToString(type)}`,
    );
    return undefined;
  };
  const parameters = entry.signature.parameters.map((p) => scalar(p.type, entry.unit));
  const written =
    entry.result ??
    (entry.signature.result === undefined ? undefined : { node: entry.signature.result, unit: entry.unit });
  const result = written === undefined ? undefined : scalar(written.node, written.unit);
  if (result === undefined) return undefined;
  const kept = parameters.filter((p) => p !== undefined);
  if (kept.length < parameters.length) return undefined;
  return { name: entry.name, parameters: kept, result };
}

/** Looks at every function's body once, called or not; those with open widths only where they are called. */
export function checkFunctions(
  functions: Iterable<FunctionDeclaration>,
  world: World,
  diagnostics: Diagnostics,
  budget: Budget,
): void {
  for (const f of functions) {
    if (world.recursive.has(f.name)) continue;
    const permissions = { assign: true, raise: true, choices: { owner: f.name, list: [] } };
    const cx = newContext(world, diagnostics, f.unit, permissions, { budget });
    guarded(diagnostics, f.place, () => {
      if (f.memoized) {
        memoizedFunction(cx, f);
        return;
      }
      if (isGeneric(cx, f)) return;
      const scope = new Scope();
      for (const { name, type } of f.signature.parameters) {
        const found = typeOf(cx, type);
        const terms =
          found === undefined
            ? []
            : leaves(found).map((l) => build.variable(`${f.name}(${name.name}${l.path})`, sortOf(l.type)));
        const value = found === undefined ? WRONG : { kind: "typed" as const, type: found, terms };
        if (!scope.define(name.name, { kind: "value", value, what: `a parameter of \`${f.name}\`` }))
          cx.report("E_DUPLICATE", name.span, `the parameter \`${name.name}\` stands twice`);
      }
      runBody(cx, f, scope, new Scope());
    });
  }
}
