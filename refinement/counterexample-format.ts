/** A counterexample → YAML text, written so that a reader sees what is wrong. */
import { Document, Scalar, YAMLMap, YAMLSeq } from "yaml";
import type { Code, Counterexample, Difference, ScheduledStep } from "./counterexample.js";

/** The file's text. */
export function formatCounterexample(c: Counterexample): string {
  const document = new Document({});
  const root = new YAMLMap();
  document.contents = root;
  const put = (map: YAMLMap, key: string, value: unknown): void => map.set(new Scalar(key), value);

  put(root, "counterexample", c.title);
  put(root, "refinement", c.refinement);
  put(root, "obligation", c.obligation);
  if (c.fault !== undefined) put(root, "fault", c.fault);
  const { by, solver, seed, date, run, known } = c.found;
  put(root, "found", flow({ by, solver, seed, date, run, known: known === "undecided" ? undefined : known }));
  put(root, "machines", mapOf({ guest: c.machines.guest, host: c.machines.host }));
  if (c.guest !== undefined) put(root, "guest", codeNode(c.guest));
  if (c.host !== undefined) put(root, "host", codeNode(c.host));
  put(root, "state", mapOf(Object.fromEntries(Object.entries(c.state).map(([name, v]) => [name, number(v)]))));
  if (c.inaccessible.length > 0) {
    const denied = c.inaccessible.map((i) => flow({ ...i, address: number(i.address), bytes: number(i.bytes) }));
    put(root, "inaccessible", sequence(denied));
  }
  put(root, "schedule", sequence(c.schedule.map(stepNode)));
  put(root, "differs", sequence(c.differs.map(differenceNode)));
  put(root, "expect", c.expect);
  put(root, "cause", mapOf({ obligation: c.cause.obligation, variable: c.cause.variable }));
  return document.toString({ lineWidth: 120 });
}

/** Entries whose value is undefined are left out. */
function mapOf(entries: Readonly<Record<string, unknown>>): YAMLMap {
  const map = new YAMLMap();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) map.set(new Scalar(key), value);
  return map;
}

function flow(entries: Readonly<Record<string, unknown>>): YAMLMap {
  const map = mapOf(entries);
  map.flow = true;
  return map;
}

function sequence(items: readonly unknown[]): YAMLSeq {
  const seq = new YAMLSeq();
  for (const item of items) seq.add(item);
  if (items.length === 0) seq.flow = true;
  return seq;
}

/** Numbers in hexadecimal; text stays text. */
function number(value: bigint | string): Scalar | string {
  if (typeof value === "string") return value;
  const scalar = new Scalar(value);
  scalar.format = "HEX";
  return scalar;
}

function codeNode(code: Code): YAMLMap {
  return mapOf({ code: code.code, assembly: sequence(code.assembly), pc: number(code.pc) });
}

function stepNode({ transition, arguments: args }: ScheduledStep): unknown {
  const entries = Object.entries(args);
  if (entries.length === 0) return transition;
  return flow({
    transition,
    arguments: flow(Object.fromEntries(entries.map(([name, value]) => [name, number(value)]))),
  });
}

function differenceNode({ variable, guest, host }: Difference): YAMLMap {
  const shown = (value: string): Scalar | string | boolean =>
    /^0x[0-9a-f]+$/.test(value) ? number(BigInt(value)) : value === "true" ? true : value === "false" ? false : value;
  return mapOf({ variable, guest: shown(guest), host: shown(host) });
}
