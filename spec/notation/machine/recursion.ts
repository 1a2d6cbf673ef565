/** Functions that call themselves, directly or through others: they could not be inlined. */
import type { Diagnostics } from "../diagnostics.js";
import type { Place } from "../../../refinement/errors.js";
import type { Block } from "../syntax/ast.js";
import { visitBlock } from "./field-widths.js";

interface Function {
  readonly name: string;
  readonly place: Place;
  readonly body: Block;
}

export function findRecursion(functions: readonly Function[], diagnostics: Diagnostics): ReadonlySet<string> {
  const byName = new Map(functions.map((f) => [f.name, f] as const));
  const calls = new Map<string, readonly string[]>();
  for (const f of functions) {
    const names = new Set<string>();
    visitBlock(f.body, (node) => {
      if (node.kind === "call" && byName.has(node.callee.name)) names.add(node.callee.name);
    });
    calls.set(f.name, [...names]);
  }
  const recursive = new Set<string>();
  for (const f of functions) {
    if (recursive.has(f.name)) continue;
    const cycle = cycleFrom(f.name, calls);
    if (cycle === undefined) continue;
    for (const name of cycle) recursive.add(name);
    const circle = [...cycle, f.name].join(" → ");
    diagnostics.report("E_RECURSION", f.place, `functions are inlined and cannot be recursive: ${circle}`);
  }
  return recursive;
}

/** A shortest way from a function back to itself. */
function cycleFrom(start: string, calls: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const from = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const callee of calls.get(name) ?? []) {
      if (callee === start) {
        const path = [name];
        for (let at = from.get(name); at !== undefined; at = from.get(at)) path.unshift(at);
        return path;
      }
      if (from.has(callee)) continue;
      from.set(callee, name);
      queue.push(callee);
    }
  }
  return undefined;
}
