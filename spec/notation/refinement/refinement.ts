import type { Assumption, MaterializationPoint, Named, Refinement, StepCase } from "../../../refinement/refinement.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { newContext } from "../elaborate/elaborator.js";
import { coerce } from "../elaborate/coerce.js";
import { executeStatement } from "../elaborate/statements.js";
import { Store } from "../elaborate/store.js";
import { BOOL_TYPE, leaves, typeToString } from "../elaborate/types.js";
import { stateStore } from "../elaborate/context.js";
import { guarded } from "../machine/guarded.js";
import type { ElaboratedMachine } from "../machine/machine.js";
import { type Elaboration, type Given, conditionOf, contextFor } from "../machine/transitions.js";
import type { BlockEntry } from "../read/definition.js";
import type { Expression } from "../syntax/ast.js";
import { type Yaml, type YamlMapping, get } from "../yaml/tree.js";
import { type MapOptions, mapState, missing, sameTrap, zeroTerm } from "./abstraction.js";
import { type Common, HostBuilder, withTypesOf } from "./builder.js";
import type { RefinementReader } from "./file.js";
import { stepCases } from "./steps.js";

const CHANGES = { assign: true, raise: false, choices: undefined };

export function machineRefinement(
  root: YamlMapping,
  common: Common,
  guest: ElaboratedMachine,
  host: ElaboratedMachine,
  reader: RefinementReader,
): Refinement {
  const builder = new Builder(root, guest, host, reader);
  const abstraction = builder.abstraction();
  const steps = builder.steps();
  const materialize = builder.materialize(abstraction);
  const explore = builder.explore();
  return {
    ...common,
    form: "machine",
    host: host.machine,
    abstraction,
    invariant: builder.invariant(),
    steps,
    rank: builder.rank(steps),
    materialize,
    concretize: builder.concretize(),
    explore,
    environment: builder.environment(),
    assumptions: [...builder.assumptions(), ...implied(guest, host, steps, materialize, explore)],
  };
}

/** What no obligation speaks of: functions of which nothing is known, what `steps` and `explore` say or do not say. */
function implied(
  guest: ElaboratedMachine,
  host: ElaboratedMachine,
  steps: ReadonlyMap<string, readonly StepCase[]>,
  materialize: readonly MaterializationPoint[],
  explore: readonly Named[],
): readonly Assumption[] {
  const ofEnvironment = [...steps].filter(([, cases]) => cases.some((c) => c.environment)).map(([name]) => name);
  const taken = [...steps.values(), ...materialize.map((point) => point.steps)].flat().flatMap((c) => c.steps);
  const any = taken.some((step) => step.kind === "any");
  const common = [...guest.world.uninterpreted.keys()].filter((name) => host.world.uninterpreted.has(name));
  const never = guest.machine.transitions.filter(
    (t) =>
      !(any && t.parameters.length === 0) &&
      !taken.some((step) => step.kind === "transition" && step.transition === t.name),
  );
  const list = (names: readonly string[]): string => names.map((name) => `\`${name}\``).join(", ");
  return [
    ...(common.length === 0 ? [] : [`${list(common)} of guest and host is the same function, whichever that is`]),
    ...(explore.length === 0
      ? []
      : [`what is explored begins in states of \`explore\` (${list(explore.map((e) => e.name))}), and nowhere else`]),
    ...(ofEnvironment.length === 0
      ? []
      : [`the environment lets the host get on: ${list(ofEnvironment)} can stutter, and no rank has to fall there`]),
    ...(never.length === 0
      ? []
      : [`the guest need never take ${list(never.map((t) => t.name))}: no step of the host stands for it`]),
  ].map((text) => ({ text, condition: undefined }));
}

class Builder extends HostBuilder {
  private section(key: string): Yaml | undefined {
    return get(this.root, key);
  }

  // ---- α

  abstraction(): ReadonlyMap<string, Term> {
    const flush = this.reader.block(this.section("flush"), "`flush`");
    return this.map(this.section("abstraction"), "`abstraction`", "E_ABSTRACTION", this.flushed(flush));
  }

  /** The host state after `flush`, or as it is. */
  private flushed(entry: BlockEntry | undefined): Store | undefined {
    if (entry === undefined) return undefined;
    return guarded(this.diagnostics, entry.place, () => this.changed(entry));
  }

  private changed(entry: BlockEntry): Store {
    const { world, diagnostics, budget } = this.elaboration;
    const store = new Store(stateStore(world));
    const cx = newContext(world, diagnostics, entry.unit, CHANGES, { budget, store });
    cx.execute(entry.block);
    return cx.store;
  }

  /** A value for every guest variable, its trap included. */
  private map(
    node: Yaml | undefined,
    what: string,
    code: MapOptions["code"],
    store: Store | undefined,
  ): ReadonlyMap<string, Term> {
    const { world } = this.guest;
    const place = node?.place ?? this.root.place;
    if (node === undefined)
      this.diagnostics.report(
        code,
        place,
        `the refinement needs ${what}: an expression over host state for each guest variable`,
      );
    const entries = this.reader.reader.entries(node, what);
    const options: MapOptions = { target: world, name: "guest", code, elaboration: this.elaboration, store };
    const map = mapState(entries, this.reader, options);
    // A variable whose expression is wrong has had its report.
    const named = new Set(entries.map((e) => /^\w+/.exec(e.key.text)?.[0]));
    const absent = missing(world, map).filter((n) => !named.has(n));
    if (absent.length > 0 && node !== undefined)
      this.diagnostics.report(
        code,
        place,
        `${what} says nothing of the guest's ${absent.map((n) => `\`${n}\``).join(", ")}; give an expression for each`,
      );
    if (world.trap !== undefined && !map.has("trap") && !named.has("trap")) {
      const trap = sameTrap(world.trap, this.elaboration.world);
      if (trap === undefined && node !== undefined)
        this.diagnostics.report(
          code,
          place,
          `${what} says nothing of the guest's \`trap\`, and the host has not the same traps (names, parameters, causes, in this order); say which stands for which, or trap: none if it never traps`,
        );
      for (const [name, term] of trap ?? []) map.set(name, store?.get(name) ?? term);
    }
    return map;
  }

  // ---- I, ρ, n

  invariant(): readonly Named[] {
    const node = this.section("invariant");
    if (node === undefined) return [];
    if (node.kind !== "mapping") return this.conjuncts(this.reader.block(node, "`invariant`"));
    return this.reader.reader.entries(node, "`invariant`").map(({ key, value }) => ({
      name: key.text,
      term: conditionOf(
        this.elaboration,
        this.reader.block(value, `\`${key.text}\``),
        [],
        `the invariant \`${key.text}\``,
      ),
    }));
  }

  /** One string is split at its outermost `&&`. */
  private conjuncts(entry: BlockEntry | undefined): readonly Named[] {
    if (entry === undefined) return [];
    const found = guarded(this.diagnostics, entry.place, () => {
      const cx = contextFor(this.elaboration, entry, []);
      const last = entry.block.statements.at(-1);
      for (const s of entry.block.statements) if (s !== last) executeStatement(cx, s);
      if (last?.kind !== "expression") {
        const value = cx.evaluateBlock(entry.block, BOOL_TYPE);
        coerce(cx, value, BOOL_TYPE, entry.block.span, "`invariant`");
        return [];
      }
      return split(last.expression).map((part, i) => ({
        name: `inv${i + 1}`,
        term: coerce(cx, cx.evaluate(part, BOOL_TYPE), BOOL_TYPE, part.span, "`invariant`")?.terms[0] ?? build.TRUE,
      }));
    });
    return found ?? [];
  }

  rank(steps: ReadonlyMap<string, readonly StepCase[]>): Term | undefined {
    const node = this.section("rank");
    const stutters = [...steps].find(([, cases]) => cases.some((c) => c.steps.length === 0 && !c.environment));
    if (node === undefined) {
      if (stutters !== undefined)
        this.diagnostics.report(
          "E_RANK",
          this.root.place,
          `\`${stutters[0]}\` stutters, so the refinement needs a \`rank\` that falls with every such step`,
        );
      return undefined;
    }
    const entry = this.reader.block(node, "`rank`");
    if (entry === undefined) return undefined;
    return guarded(this.diagnostics, entry.place, () => {
      const cx = contextFor(this.elaboration, entry, []);
      const value = cx.evaluateBlock(entry.block, undefined);
      if (value.kind === "wrong") return undefined;
      if (value.kind === "typed" && value.type.kind === "bits") return value.terms[0];
      const found =
        value.kind === "typed"
          ? typeToString(value.type)
          : value.kind === "int"
            ? "a number without a width"
            : "no number";
      cx.report(
        "E_RANK",
        entry.block.statements.at(-1)?.span ?? entry.block.span,
        `a rank is bits, compared unsigned; this is ${found}`,
      );
      return undefined;
    });
  }

  steps(): ReadonlyMap<string, readonly StepCase[]> {
    const node = this.section("steps");
    const steps = new Map<string, readonly StepCase[]>();
    const names = this.host.transitions.map((t) => t.name);
    for (const { key, value } of this.reader.reader.entries(node, "`steps`")) {
      if (!this.reader.known(key, names, "E_STEPS", "the host has no transition")) continue;
      const entry = this.reader.block(value, `the steps of \`${key.text}\``);
      const transition = this.host.transitions.find((t) => t.name === key.text);
      if (transition === undefined) continue;
      const given = transition.parameters.map(
        (p): Given => ({ name: p.name, type: p.type, terms: [p.term], what: "a parameter" }),
      );
      steps.set(key.text, entry === undefined ? [] : stepCases(entry, this.guest.machine, this.elaboration, given));
    }
    const forgotten = names.filter((n) => !steps.has(n));
    if (forgotten.length > 0)
      this.diagnostics.report(
        "E_STEPS",
        node?.place ?? this.root.place,
        `\`steps\` says nothing of the host's ${forgotten.map((n) => `\`${n}\``).join(", ")}; say step, stutter or environment for each`,
      );
    return steps;
  }

  // ---- μ

  materialize(abstraction: ReadonlyMap<string, Term>): readonly MaterializationPoint[] {
    const node = this.section("materialize");
    if (node === undefined) return [];
    const mapping = this.reader.reader.mapping(node, "`materialize`");
    if (mapping === undefined) return [];
    if (get(mapping, "at") !== undefined) return [this.point("interrupt", node, abstraction)].flatMap((p) => p ?? []);
    return mapping.entries.flatMap(({ key, value }) => this.point(key.text, value, abstraction) ?? []);
  }

  private point(name: string, node: Yaml, abstraction: ReadonlyMap<string, Term>): MaterializationPoint | undefined {
    const what = `the materialization point \`${name}\``;
    const mapping = this.reader.reader.mapping(node, what, ["at", "by", "precise", "view", "steps"]);
    if (mapping === undefined) return undefined;
    const at = this.reader.required(mapping, "at", what);
    const view = get(mapping, "view");
    const steps = get(mapping, "steps");
    const stepEntry = steps === undefined ? undefined : this.reader.block(steps, "`steps`");
    return {
      name,
      at: at === undefined ? build.FALSE : this.at(get(mapping, "at"), at.text.trim()),
      by: this.by(get(mapping, "by")),
      precise: conditionOf(this.elaboration, this.reader.block(get(mapping, "precise"), "`precise`"), [], "`precise`"),
      view: view === undefined ? abstraction : this.map(view, "`view`", "E_MATERIALIZE", undefined),
      steps:
        stepEntry === undefined
          ? [{ condition: build.TRUE, steps: [], environment: false }]
          : stepCases(stepEntry, this.guest.machine, this.elaboration, []),
    };
  }

  private at(node: Yaml | undefined, text: string): Term {
    const transition = this.host.transitions.find((t) => t.name === text);
    if (transition === undefined) return conditionOf(this.elaboration, this.reader.block(node, "`at`"), [], "`at`");
    if (transition.parameters.length > 0 && node !== undefined)
      this.diagnostics.report(
        "E_MATERIALIZE",
        node.place,
        `\`${text}\` has parameters; write as a condition when it can be taken`,
      );
    return transition.guard;
  }

  private by(node: Yaml | undefined): ReadonlyMap<string, Term> {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return new Map();
    const scalar = this.reader.reader.scalar(node, "`by`");
    if (scalar === undefined) return new Map();
    const transition = this.host.transitions.find((t) => t.name === scalar.text.trim());
    if (transition !== undefined) {
      if (transition.parameters.length > 0 || transition.choices.length > 0)
        this.diagnostics.report(
          "E_MATERIALIZE",
          node.place,
          `\`${transition.name}\` has parameters or choices; materialization has none`,
        );
      if (transition.effect.raises.length > 0)
        this.diagnostics.report(
          "E_MATERIALIZE",
          node.place,
          `\`${transition.name}\` can raise a trap; materialization cannot`,
        );
      return transition.effect.assigns;
    }
    const entry = this.reader.block(node, "`by`");
    if (entry === undefined) return new Map();
    const store = guarded(this.diagnostics, entry.place, () => this.changed(entry));
    const changes = new Map<string, Term>();
    for (const v of this.host.variables) {
      const after = store?.get(v.name);
      if (after !== undefined && after !== v.term) changes.set(v.name, after);
    }
    return changes;
  }

  // ---- γ and the rest

  concretize(): ReadonlyMap<string, Term> | undefined {
    const node = this.section("concretize");
    if (node === undefined) return undefined;
    const { world } = this.elaboration;
    const elaboration: Elaboration = { ...this.elaboration, world: withTypesOf(this.guest.world, world) };
    const options: MapOptions = { target: world, name: "host", code: "E_CONCRETIZE", elaboration, store: undefined };
    const map = mapState(this.reader.reader.entries(node, "`concretize`"), this.reader, options);
    for (const declaration of world.state.values()) {
      for (const leaf of leaves(declaration.type)) {
        const name = declaration.name + leaf.path;
        if (map.has(name)) continue;
        const zero = zeroTerm(leaf.type, declaration.fixed);
        if (zero === undefined)
          this.diagnostics.report(
            "E_CONCRETIZE",
            node.place,
            `\`concretize\` must say what the host's memory \`${name}\` holds`,
          );
        else map.set(name, zero);
      }
    }
    return map;
  }

  explore(): readonly Named[] {
    return this.reader.reader.entries(this.section("explore"), "`explore`").map(({ key, value }) => ({
      name: key.text,
      term: conditionOf(
        this.elaboration,
        this.reader.block(value, `\`${key.text}\``),
        [],
        `\`${key.text}\` of \`explore\``,
      ),
    }));
  }

  environment(): readonly string[] {
    const names = this.host.transitions.map((t) => t.name);
    return this.reader.reader.list(this.section("environment"), "`environment`").flatMap((item) => {
      const scalar = this.reader.reader.scalar(item, "a transition's name");
      if (scalar === undefined) return [];
      return this.reader.known(scalar, names, "E_STEPS", "the host has no transition") ? [scalar.text] : [];
    });
  }

  assumptions(): readonly Assumption[] {
    return this.reader.assumptions(this.root).map(({ text, condition }) => ({
      text,
      condition: condition === undefined ? undefined : conditionOf(this.elaboration, condition, [], "the assumption"),
    }));
  }
}

function split(node: Expression): readonly Expression[] {
  return node.kind === "logical" && node.operator === "&&" ? [...split(node.left), ...split(node.right)] : [node];
}
