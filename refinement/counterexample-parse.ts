/** The YAML text of a counterexample → the counterexample, with every mistake located. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { distance } from "fastest-levenshtein";
import { type Document, isCollection, isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from "yaml";
import type { Code, Counterexample, ScheduledStep } from "./counterexample.js";
import { type Diagnostic, EnvironmentFailure, UserError } from "./errors.js";

/** Throws a UserError with all that is wrong with the text, by line and column; `file` is what errors call it. */
export function parseCounterexample(text: string, file: string): Counterexample {
  const lines = new LineCounter();
  const document = parseDocument(protectIndices(text), { lineCounter: lines, intAsBigInt: true, prettyErrors: false });
  const at = (offset: number): Diagnostic["place"] => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (document.errors.length > 0) {
    throw UserError.from(
      document.errors.map((e) => ({ code: "E_YAML", place: at(e.pos[0]), message: restoreIndices(e.message) })),
    );
  }
  const data = plain(document, at);
  const errors: ErrorObject[] = [];
  if (!isData(data, errors)) {
    const problems = informative(errors).map((e) => ({ offset: offsetOf(document, e), message: messageOf(e) }));
    problems.sort((a, b) => a.offset - b.offset);
    throw UserError.from(problems.map(({ offset, message }) => ({ code: "E_SCHEMA", place: at(offset), message })));
  }
  return counterexampleOf(data);
}

/** A validated file as plain data; integers are bigints. */
interface Data {
  readonly counterexample: string;
  readonly refinement: string;
  readonly obligation: string;
  readonly fault?: string;
  readonly found?: {
    readonly by: string;
    readonly solver?: string;
    readonly seed?: bigint;
    readonly date?: string;
    readonly run?: string;
    readonly known?: { readonly findings: readonly string[]; readonly see: string };
  };
  readonly machines?: { readonly guest?: string; readonly host?: string };
  readonly guest?: CodeData;
  readonly host?: CodeData;
  readonly state: Readonly<Record<string, bigint | string | boolean>>;
  readonly inaccessible?: readonly {
    readonly memory: string;
    readonly access: "fetch" | "load" | "store";
    readonly address: bigint | string;
    readonly bytes?: bigint | string;
  }[];
  readonly schedule?: readonly (
    | string
    | { readonly transition: string; readonly arguments?: Readonly<Record<string, bigint | string>> }
  )[];
  readonly differs: readonly { readonly variable: string; readonly guest: Shown; readonly host: Shown }[];
  readonly expect: "refuted" | "holds";
  readonly cause: { readonly obligation: string; readonly variable: string };
}

type Shown = bigint | string | boolean;

interface CodeData {
  readonly code: string;
  readonly assembly?: string | readonly string[];
  readonly pc?: bigint | string;
}

function counterexampleOf(data: Data): Counterexample {
  return {
    title: data.counterexample,
    refinement: data.refinement,
    obligation: data.obligation,
    fault: data.fault,
    found: {
      by: data.found?.by ?? "",
      solver: data.found?.solver,
      seed: data.found?.seed === undefined ? undefined : Number(data.found.seed),
      date: data.found?.date ?? "",
      ...(data.found?.run === undefined ? {} : { run: data.found.run }),
      ...(data.found?.known === undefined ? {} : { known: data.found.known }),
    },
    machines: { guest: data.machines?.guest ?? "", host: data.machines?.host ?? "" },
    guest: codeOf(data.guest),
    host: codeOf(data.host),
    state: Object.fromEntries(Object.entries(data.state).map(([name, value]) => [name, stateValue(value)])),
    inaccessible: (data.inaccessible ?? []).map(({ memory, access, address, bytes }) => ({
      memory,
      access,
      address: BigInt(address),
      bytes: bytes === undefined ? 1n : BigInt(bytes),
    })),
    schedule: (data.schedule ?? []).map(stepOf),
    differs: data.differs.map(({ variable, guest, host }) => ({ variable, guest: text(guest), host: text(host) })),
    expect: data.expect,
    cause: data.cause,
  };
}

/** A number may stand in quotes; bytes have no `0x`. */
function stateValue(value: Shown): bigint | string {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value === "string" && /^0x[0-9a-fA-F]+$/.test(value)) return BigInt(value);
  return value;
}

function codeOf(data: CodeData | undefined): Code | undefined {
  if (data === undefined) return undefined;
  const assembly = typeof data.assembly === "string" ? [data.assembly] : (data.assembly ?? []);
  return { code: data.code, assembly, pc: data.pc === undefined ? 0n : BigInt(data.pc) };
}

function stepOf(data: NonNullable<Data["schedule"]>[number]): ScheduledStep {
  if (typeof data === "string") return { transition: data, arguments: {} };
  const entries = Object.entries(data.arguments ?? {}).map(([name, value]): [string, bigint] => [name, BigInt(value)]);
  return { transition: data.transition, arguments: Object.fromEntries(entries) };
}

function text(value: Shown): string {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : String(value);
}

/**
 * `x[11]` and `mem[0x1000]` are names here, but brackets are structure in YAML's `{ … }`. They are read as two characters
 * that nobody types, so that every place in the file stays where it was.
 */
const OPEN = "\uE000";
const CLOSE = "\uE001";

function protectIndices(text: string): string {
  return text.replaceAll(/(?<=[A-Za-z0-9_])\[([A-Za-z0-9_]+)\]/g, `${OPEN}$1${CLOSE}`);
}

function restoreIndices(text: string): string {
  return text.replaceAll(OPEN, "[").replaceAll(CLOSE, "]");
}

/** The document as plain data. Alias and tag are no part of the format. */
function plain(document: Document.Parsed, at: (offset: number) => Diagnostic["place"]): unknown {
  const convert = (node: unknown): unknown => {
    if (isScalar(node)) return typeof node.value === "string" ? restoreIndices(node.value) : node.value;
    if (isMap(node)) {
      const entries = node.items.map((pair): [string, unknown] => [String(convert(pair.key)), convert(pair.value)]);
      return Object.fromEntries(entries);
    }
    if (isCollection(node)) return node.items.map(convert);
    if (isNode(node)) {
      throw UserError.from([
        { code: "E_YAML", place: at(node.range?.[0] ?? 0), message: "a counterexample has no aliases" },
      ]);
    }
    return null;
  };
  return convert(document.contents);
}

function offsetOf(document: Document.Parsed, error: ErrorObject): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  const path = error.instancePath.split("/").slice(1);
  const unknownKey: unknown = error.params["additionalProperty"];
  if (typeof unknownKey === "string") path.push(unknownKey);
  for (const step of path) {
    const key = step.replaceAll("~1", "/").replaceAll("~0", "~");
    if (isMap(node)) {
      const pair = node.items.find((p) => isScalar(p.key) && restoreIndices(String(p.key.value)) === key);
      if (pair === undefined) break;
      const wanted = typeof unknownKey === "string" && key === unknownKey ? pair.key : (pair.value ?? pair.key);
      if (isNode(wanted)) offset = wanted.range?.[0] ?? offset;
      node = pair.value;
    } else if (isCollection(node)) {
      const item: unknown = node.items[Number(key)];
      node = isPair(item) ? item.value : item;
      if (isNode(node)) offset = node.range?.[0] ?? offset;
    }
  }
  return offset;
}

/** Of several complaints about one place the first says enough. */
function informative(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const seen = new Set<string>();
  return errors.filter((e) => {
    const key = `${e.instancePath} ${String(e.params["additionalProperty"] ?? e.params["missingProperty"] ?? "")}`;
    return !seen.has(key) && seen.add(key);
  });
}

const KEYS = [
  ...[
    "counterexample",
    "refinement",
    "obligation",
    "fault",
    "found",
    "machines",
    "guest",
    "host",
    "state",
    "inaccessible",
  ],
  ...["schedule", "differs", "expect", "cause"],
];

function messageOf(error: ErrorObject): string {
  const where =
    error.instancePath === "" ? "the counterexample" : `\`${error.instancePath.slice(1).replaceAll("/", ".")}\``;
  const unknownKey: unknown = error.params["additionalProperty"];
  if (typeof unknownKey === "string") {
    const nearest = [...KEYS].sort((a, b) => distance(a, unknownKey) - distance(b, unknownKey))[0];
    return `${where} has no key \`${unknownKey}\`${error.instancePath === "" ? `; the nearest that there is: \`${nearest}\`` : ""}`;
  }
  const missing: unknown = error.params["missingProperty"];
  if (typeof missing === "string") return `${where} lacks the key \`${missing}\``;
  const allowed: unknown = error.params["allowedValues"];
  if (Array.isArray(allowed)) return `${where} is one of ${allowed.map((v) => `\`${String(v)}\``).join(", ")}`;
  if (error.instancePath === "" && error.keyword === "type")
    return "this is no counterexample: a mapping with `counterexample`, `refinement`, `obligation`, … belongs here, as `commute check --save DIR` writes it";
  if (error.instancePath === "/interrupts") return "`interrupts` is empty: an interrupt is a step of the `schedule`";
  if (error.keyword === "pattern" && where.includes("obligation")) {
    return `${where} is \`initial\`, \`inverse\`, \`progress\`, or begins with \`commute/\`, \`invariant/\`, \`progress/\`, \`materialize/\` or \`lockstep/\``;
  }
  return `${where} ${error.message ?? "is not as it should be"}`;
}

let compiled: ValidateFunction | undefined;

/** True where the schema holds of `data`; what it complains of is added to `errors`. */
function isData(data: unknown, errors: ErrorObject[]): data is Data {
  compiled ??= new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
    JSON.parse(readFileSync(schemaFile(), "utf8")),
  );
  const ok = compiled(jsonLike(data));
  errors.push(...(compiled.errors ?? []));
  return ok;
}

/** The schema lies at the project's root, above the sources and above what they are compiled to. */
function schemaFile(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const file = join(folder, "schema", "counterexample.schema.json");
    if (existsSync(file)) return file;
    if (dirname(folder) === folder)
      throw new EnvironmentFailure("schema/counterexample.schema.json", "is missing from the installation");
  }
}

/** What the schema's types know: no big integers. */
function jsonLike(data: unknown): unknown {
  if (typeof data === "bigint") return Number(data);
  if (Array.isArray(data)) return data.map(jsonLike);
  if (typeof data === "object" && data !== null) {
    return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, jsonLike(value)]));
  }
  return data;
}
