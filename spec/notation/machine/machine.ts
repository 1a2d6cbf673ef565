/** A definition → the machine of terms. */
import type { Machine, StateVariable, Transition } from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import type { Diagnostics } from "../diagnostics.js";
import type { Budget } from "../elaborate/context.js";
import { leaves, scalarWidth, sortOf } from "../elaborate/types.js";
import type { StateDeclaration, World } from "../elaborate/world.js";
import type { Definition } from "../read/definition.js";
import { decodedSet } from "./decoded.js";
import { digest } from "./digest.js";
import { handlerOf } from "./handler.js";
import { instructionSet, registerNames } from "./instruction-set.js";
import { type Elaboration, conditionOf, inRange, namedTransition, untrapped } from "./transitions.js";
import { buildWorld, checkFunctions } from "./world.js";

export interface ElaboratedMachine {
  readonly machine: Machine;
  readonly world: World;
  readonly definition: Definition;
}

export async function elaborateMachine(definition: Definition, diagnostics: Diagnostics): Promise<ElaboratedMachine> {
  const budget: Budget = { steps: 0 };
  const world = buildWorld(definition, diagnostics, budget);
  const handler = handlerOf(definition, { world, diagnostics, budget });
  const elaboration: Elaboration = { world, diagnostics, budget, handler };
  if (diagnostics.thorough) checkFunctions(world.functions.values(), world, diagnostics, budget);
  const names = registerNames(definition, elaboration);
  const isEncoded = definition.instructions.length > 0 && definition.decoder === undefined;
  const isa = isEncoded ? instructionSet(definition, elaboration, names) : undefined;
  const transitions: Transition[] = [...(isa?.transitions ?? [])];
  for (const entry of definition.transitions) {
    if (transitions.some((t) => t.name === entry.name))
      diagnostics.report(
        "E_DUPLICATE",
        entry.place,
        `\`${entry.name}\` names an instruction or a transition of every instruction set; choose another name`,
      );
    transitions.push(namedTransition(elaboration, entry));
  }
  const initial = definition.init.map((entry) => conditionOf(elaboration, entry, [], "`init`"));
  const variables = [...world.state.values()].flatMap(variablesOf);
  const machine: Machine = {
    name: definition.name,
    title: definition.title,
    source: definition.source,
    file: definition.file,
    variables,
    traps: definition.handler === undefined ? (world.trap?.table.traps ?? []) : [],
    wellFormed: build.and(...variables.flatMap(wellFormed), build.TRUE),
    initial: build.and(untrapped(world), ...initial, build.TRUE),
    transitions,
    instructionSet: isa?.set,
    decoded: decodedSet(definition, elaboration),
    digest: await digest(definition.digested),
  };
  return { machine, world, definition };
}

function variablesOf(declaration: StateDeclaration): StateVariable[] {
  return leaves(declaration.type).map((leaf) => {
    const name = declaration.name + leaf.path;
    const term = declaration.terms.get(name) ?? build.variable(name, sortOf(leaf.type));
    const { fixed, faults } = declaration;
    const kept = Object.fromEntries(Object.entries(faults).filter(([, trap]) => trap !== undefined));
    return {
      name,
      type: leaf.type,
      sort: sortOf(leaf.type),
      term,
      fixed,
      faults: kept,
      implicit: declaration.name === "trap",
    };
  });
}

/** Enums in range, fixed elements at their values. */
function wellFormed({ type, term, fixed }: StateVariable): Term[] {
  switch (type.kind) {
    case "memory":
      return [];
    case "file": {
      const { sort } = term;
      if (sort.kind !== "file") return [];
      const at = (i: number): Term => build.select(term, build.constant(sort.index, BigInt(i)));
      const facts = [...fixed].map(([i, value]) => build.eq(at(i), build.constant(sort.element, value)));
      const { element } = type;
      if (element.kind !== "enum" || element.members.length === 2 ** scalarWidth(element)) return facts;
      return [...facts, ...Array.from({ length: type.count }, (_, i) => inRange(element, at(i)))];
    }
    default:
      return [inRange(type, term)];
  }
}
