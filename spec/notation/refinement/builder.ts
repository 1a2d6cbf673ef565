/** What the refinements of hosts that are machines have in common: both machines, and the world in which expressions over the host stand. */
import type { Machine } from "../../../refinement/machine.js";
import type { Refinement } from "../../../refinement/refinement.js";
import type { Diagnostics } from "../diagnostics.js";
import type { Budget } from "../elaborate/context.js";
import type { World } from "../elaborate/world.js";
import type { ElaboratedMachine } from "../machine/machine.js";
import { findRecursion } from "../machine/recursion.js";
import type { Elaboration } from "../machine/transitions.js";
import { checkFunctions } from "../machine/world.js";
import type { YamlMapping } from "../yaml/tree.js";
import type { RefinementReader } from "./file.js";

/** What every form of refinement has. */
export type Common = Pick<Refinement, "name" | "title" | "kind" | "file" | "guest" | "faults" | "fault" | "mapping">;

export abstract class HostBuilder {
  protected readonly root: YamlMapping;
  protected readonly guest: ElaboratedMachine;
  protected readonly host: Machine;
  protected readonly reader: RefinementReader;
  protected readonly diagnostics: Diagnostics;
  protected readonly elaboration: Elaboration;

  /** `extend` adds to the host's world. */
  constructor(
    root: YamlMapping,
    guest: ElaboratedMachine,
    host: ElaboratedMachine,
    reader: RefinementReader,
    extend: (world: World) => World = (world) => world,
  ) {
    this.root = root;
    this.guest = guest;
    this.host = host.machine;
    this.reader = reader;
    this.diagnostics = reader.diagnostics;
    const budget: Budget = { steps: 0 };
    const world = extend(hostWorld(host, guest, reader, root, budget));
    this.elaboration = { world, diagnostics: this.diagnostics, budget, handler: undefined };
  }
}

/** The host's world with the refinement's own functions and the guest's types. */
function hostWorld(
  host: ElaboratedMachine,
  guest: ElaboratedMachine,
  reader: RefinementReader,
  root: YamlMapping,
  budget: Budget,
): World {
  const { diagnostics } = reader;
  const { world } = host;
  const own = reader.functions(root);
  const functions = new Map(world.functions);
  for (const f of own) {
    if (functions.has(f.name))
      diagnostics.report("E_DUPLICATE", f.place, `the host has a function \`${f.name}\` already; rename this one`);
    else functions.set(f.name, f);
  }
  const recursive = new Set([...world.recursive, ...findRecursion(own, diagnostics)]);
  const extended = { ...withTypesOf(world, guest.world), functions, recursive };
  checkFunctions(
    own.filter((f) => !world.functions.has(f.name)),
    extended,
    diagnostics,
    budget,
  );
  return extended;
}

/** A world that can also name the types of another, its own first. */
export function withTypesOf(world: World, other: World): World {
  const members = new Map(other.members);
  for (const [name, enums] of world.members) members.set(name, enums);
  return {
    ...world,
    types: new Map([...other.types, ...world.types]),
    knownTypes: new Map([...other.knownTypes, ...world.knownTypes]),
    members,
  };
}
