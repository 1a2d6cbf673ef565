/** Traps that the machine takes itself: a procedure of the machine, run on the state before the transition. */
import type { Effect, Raise } from "../../../refinement/machine.js";
import type { Place } from "../../../refinement/errors.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import { runBody } from "../elaborate/body.js";
import { newContext } from "../elaborate/elaborator.js";
import { typeOf } from "../elaborate/declarations.js";
import { Scope } from "../elaborate/scope.js";
import { PURE, type FunctionDeclaration } from "../elaborate/world.js";
import type { Definition } from "../read/definition.js";
import type { Elaboration } from "./transitions.js";
import { assigns } from "./assigns.js";

export interface Handler {
  readonly function: FunctionDeclaration;
  readonly place: Place;
  /** Of the cause and of the value. */
  readonly widths: readonly [number, number];
}

/** The procedure that `handler` names, if it can take traps. */
export function handlerOf(definition: Definition, elaboration: Omit<Elaboration, "handler">): Handler | undefined {
  const { handler } = definition;
  if (handler === undefined) return undefined;
  const { world, diagnostics, budget } = elaboration;
  const report = (message: string): undefined => {
    diagnostics.report("E_HANDLER", handler.place, message);
    return undefined;
  };
  const name = handler.text.trim();
  const f = world.functions.get(name);
  if (f === undefined) {
    if (world.broken.has(name) || world.incomplete) return undefined;
    return report(`no function \`${name}\` is declared${didYouMean(name, world.functions.keys())}`);
  }
  const wanted = "a handler is a procedure of two bits, as in enter(cause: bits(5), value: bits(64))";
  if (f.signature.parameters.length !== 2 || f.signature.result !== undefined)
    return report(`\`${name}\` cannot take traps: ${wanted}`);
  const cx = newContext(world, diagnostics, f.unit, PURE, { budget });
  const [cause, value] = f.signature.parameters.map((p) => typeOf(cx, p.type));
  if (cause === undefined || value === undefined) return undefined;
  if (cause.kind !== "bits" || value.kind !== "bits") return report(`\`${name}\` cannot take traps: ${wanted}`);
  for (const trap of world.trap?.table.traps ?? []) {
    const width = trap.parameters.reduce(
      (sum, p) => sum + (p.type.kind === "bits" ? p.type.width : p.type.kind === "bool" ? 1 : 32),
      0,
    );
    if (trap.cause === undefined) return report(`the trap \`${trap.name}\` has no cause number to handle it by`);
    if (BigInt(trap.cause) >> BigInt(cause.width) !== 0n)
      return report(`the cause ${trap.cause} of \`${trap.name}\` does not fit bits(${cause.width})`);
    if (width > value.width) return report(`the arguments of \`${trap.name}\` do not fit bits(${value.width})`);
  }
  return { function: f, place: handler.place, widths: [cause.width, value.width] };
}

/** The effect of a machine that takes its traps itself: where one is raised, what the handler assigns, and nothing else. */
export function handled(elaboration: Elaboration, effect: Effect): Effect {
  const { handler, world, diagnostics, budget } = elaboration;
  if (handler === undefined || effect.raises.length === 0) return effect;
  const [causeWidth, valueWidth] = handler.widths;
  const cause = chosen(effect.raises, (raise) => {
    const trap = world.trap?.table.traps.find((t) => t.name === raise.trap);
    return build.constant(causeWidth, BigInt(trap?.cause ?? 0));
  });
  const value = chosen(effect.raises, (raise) => {
    const parts = raise.arguments.map((a) => (a.sort.kind === "bool" ? build.boolToBits(a) : a));
    const [first] = parts;
    if (first === undefined) return build.constant(valueWidth, 0n);
    return build.zext(parts.length === 1 ? first : build.concat(...parts), valueWidth);
  });
  const { function: f } = handler;
  const cx = newContext(world, diagnostics, f.unit, { assign: true, raise: false, choices: undefined }, { budget });
  const scope = new Scope();
  const terms = [cause, value];
  f.signature.parameters.forEach((p, i) => {
    const term = terms[i];
    if (term?.sort.kind !== "bits") return;
    const type = { kind: "bits", width: term.sort.width } as const;
    scope.define(p.name.name, {
      kind: "value",
      value: { kind: "typed", type, terms: [term] },
      what: `a parameter of \`${f.name}\``,
    });
  });
  runBody(cx, f, scope, new Scope());
  const taken = assigns(cx);
  const raised = build.or(build.FALSE, ...effect.raises.map((r) => r.condition));
  const joined = new Map<string, Term>();
  for (const [key, before] of [...world.state.values()].flatMap((d) => [...d.terms])) {
    const after = build.ite(raised, taken.get(key) ?? before, effect.assigns.get(key) ?? before);
    if (after !== before) joined.set(key, after);
  }
  return { raises: [], assigns: joined, cases: { condition: raised, taken, otherwise: effect.assigns } };
}

/** What the first raise whose condition holds says. */
function chosen(raises: readonly Raise[], what: (raise: Raise) => Term): Term {
  const last = raises.at(-1);
  if (last === undefined) throw new TypeError("there is no raise to choose");
  return raises.slice(0, -1).reduceRight((rest, raise) => build.ite(raise.condition, what(raise), rest), what(last));
}
