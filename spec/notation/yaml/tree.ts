/** A YAML file as a small closed tree in which every node knows its place. YAML is data here: no tags, no merges. */
import {
  type Document,
  type ParsedNode,
  type Scalar,
  type YAMLError,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  parseDocument,
} from "yaml";
import type { Place } from "../../../refinement/errors.js";
import { Diagnostics } from "../diagnostics.js";
import { type ScalarStyle, scalarOffsets } from "./scalar-offsets.js";
import { type Prepared, prepare } from "./signatures.js";
import { Lines, type SourceText } from "./source-text.js";

export interface YamlScalar {
  readonly kind: "scalar";
  /** A plain scalar as written (`00110011` stays that), any other as its value. */
  readonly text: string;
  readonly value: string | number | bigint | boolean | null;
  readonly plain: boolean;
  readonly place: Place;
  readonly source: SourceText;
}

export interface YamlEntry {
  readonly key: YamlScalar;
  readonly value: Yaml;
}

export interface YamlMapping {
  readonly kind: "mapping";
  readonly entries: readonly YamlEntry[];
  readonly place: Place;
}

export interface YamlSequence {
  readonly kind: "sequence";
  readonly items: readonly Yaml[];
  readonly place: Place;
}

export type Yaml = YamlScalar | YamlMapping | YamlSequence;

/** A file may be this long (characters) and have this many nodes once its aliases are followed. */
const MAX_TEXT = 4_000_000;
const MAX_NODES = 200_000;
const MAX_DEPTH = 64;

export function get(mapping: YamlMapping, key: string): Yaml | undefined {
  return mapping.entries.find((e) => e.key.text === key)?.value;
}

/** What a node is, for messages. */
export function kindOf(node: Yaml): string {
  switch (node.kind) {
    case "mapping":
      return "a mapping";
    case "sequence":
      return "a list";
    case "scalar":
      return node.value === null
        ? "nothing"
        : `\`${node.text.length > 40 ? `${node.text.slice(0, 37)}…` : node.text}\``;
    default: {
      const never: never = node;
      return never;
    }
  }
}

/** The tree of a file, or undefined if it is no YAML; what is wrong goes to `diagnostics`. */
export function readYaml(file: string, text: string, diagnostics: Diagnostics): Yaml | undefined {
  const key = `${file}\0${text}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = new Diagnostics();
  const tree = parseYaml(file, text, found);
  for (const { code, place, message } of found.list()) diagnostics.report(code, place, message);
  if (found.count === 0 && tree !== undefined) {
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(key, tree);
  }
  return tree;
}

/** Trees without a mistake, by file and text. */
const known = new Map<string, Yaml>();
const MAX_KNOWN = 64;

function parseYaml(file: string, text: string, diagnostics: Diagnostics): Yaml | undefined {
  const lines = new Lines(file, text);
  const start = lines.place(0);
  if (text.length > MAX_TEXT) {
    diagnostics.report("E_SIZE", start, `the file has ${text.length} characters; at most ${MAX_TEXT} are read`);
    return undefined;
  }
  const prepared = prepare(text);
  let document: Document.Parsed;
  try {
    document = parseDocument(prepared.text, {
      version: "1.2",
      schema: "core",
      uniqueKeys: true,
      intAsBigInt: true,
      prettyErrors: false,
      logLevel: "error",
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    diagnostics.report("E_NESTING", start, "the file is nested too deeply");
    return undefined;
  }
  const problems = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  // One mistake of form makes YAML stumble over everything behind it: of those only the first is told.
  const first = problems.find((p) => !INDEPENDENT.has(p.code));
  for (const problem of problems)
    if (problem === first || INDEPENDENT.has(problem.code)) reportYaml(problem, lines, prepared, diagnostics);
  if (problems.some((p) => p.code !== "DUPLICATE_KEY")) return undefined;
  return new Converter(document, lines, prepared, diagnostics).convert();
}

const INDEPENDENT: ReadonlySet<string> = new Set(["DUPLICATE_KEY", "BLOCK_AS_IMPLICIT_KEY", "TAG_RESOLVE_FAILED"]);

const TAG = "YAML takes what begins with `!` for a tag, which has no meaning here; quote the string";

function reportYaml(problem: YAMLError, lines: Lines, prepared: Prepared, diagnostics: Diagnostics): void {
  const place = lines.place(prepared.original(problem.pos[0]));
  const quote =
    "quote a string that contains `: ` or ` #` (between { and } also one with [ ] or a comma), or write it under `|`";
  switch (problem.code) {
    case "DUPLICATE_KEY":
      diagnostics.report("E_DUPLICATE", place, "this key stands twice in one mapping; rename or remove one");
      return;
    case "BLOCK_AS_IMPLICIT_KEY":
      diagnostics.report("E_YAML", place, `YAML reads a mapping where there can be none: ${quote}`);
      return;
    case "TAG_RESOLVE_FAILED":
      diagnostics.report("E_YAML", place, TAG);
      return;
    case "TAB_AS_INDENT":
      diagnostics.report("E_YAML", place, "YAML takes no tabs for indentation; write blanks");
      return;
    case "MULTIPLE_DOCS":
      diagnostics.report("E_YAML", place, "a second document begins here; a file has one: take out what follows `---`");
      return;
    case "RESOURCE_EXHAUSTION":
      diagnostics.report("E_NESTING", place, "the file is nested too deeply; take it apart");
      return;
    default: {
      const message = problem.message.split("\n")[0] ?? problem.message;
      diagnostics.report("E_YAML", place, `this is no YAML (${message}); ${quote}`);
    }
  }
}

const styles: Readonly<Record<string, ScalarStyle>> = {
  PLAIN: "plain",
  QUOTE_SINGLE: "single",
  QUOTE_DOUBLE: "double",
  BLOCK_LITERAL: "literal",
  BLOCK_FOLDED: "folded",
};

class TooBig extends Error {}

class Converter {
  private readonly document: Document.Parsed;
  private readonly lines: Lines;
  private readonly prepared: Prepared;
  private readonly diagnostics: Diagnostics;
  private readonly targets = new Map<unknown, unknown>();
  private nodes = 0;

  constructor(document: Document.Parsed, lines: Lines, prepared: Prepared, diagnostics: Diagnostics) {
    this.document = document;
    this.lines = lines;
    this.prepared = prepared;
    this.diagnostics = diagnostics;
  }

  convert(): Yaml | undefined {
    try {
      return this.node(this.document.contents, 0, 0);
    } catch (error) {
      if (!(error instanceof TooBig)) throw error;
      const message = `the file has more than ${MAX_NODES} values, or they nest deeper than ${MAX_DEPTH}, once its aliases are followed`;
      this.diagnostics.report("E_SIZE", this.lines.place(0), message);
      return undefined;
    }
  }

  private place(offset: number): Place {
    return this.lines.place(this.prepared.original(offset));
  }

  private node(node: unknown, fallback: number, depth: number): Yaml {
    if (++this.nodes > MAX_NODES || depth > MAX_DEPTH) throw new TooBig();
    if (isAlias(node)) {
      // Finding an anchor takes a walk through the document: once for each alias is enough.
      if (!this.targets.has(node)) this.targets.set(node, node.resolve(this.document));
      const target = this.targets.get(node);
      const at = node.range?.[0] ?? fallback;
      if (target === undefined) return this.empty(at);
      return this.node(target, at, depth + 1);
    }
    if (isNode(node) && node.tag !== undefined)
      this.diagnostics.report("E_YAML", this.place(node.range?.[0] ?? fallback), TAG);
    if (isMap<ParsedNode, ParsedNode>(node)) {
      const start = node.range?.[0] ?? fallback;
      const entries: YamlEntry[] = [];
      for (const pair of node.items) {
        const key = this.node(pair.key, start, depth + 1);
        if (key.kind !== "scalar") {
          this.diagnostics.report("E_YAML", key.place, "a key must be a plain word or a quoted string");
          continue;
        }
        entries.push({ key, value: this.node(pair.value, start, depth + 1) });
      }
      return { kind: "mapping", entries, place: this.place(start) };
    }
    if (isSeq<ParsedNode>(node)) {
      const start = node.range?.[0] ?? fallback;
      return {
        kind: "sequence",
        items: node.items.map((n) => this.node(n, start, depth + 1)),
        place: this.place(start),
      };
    }
    if (isScalar(node)) return this.scalar(node, fallback);
    return this.empty(fallback);
  }

  private empty(offset: number): YamlScalar {
    const place = this.place(offset);
    return { kind: "scalar", text: "", value: null, plain: true, place, source: { text: "", place: () => place } };
  }

  private scalar(node: Scalar, fallback: number): YamlScalar {
    const start = node.range?.[0] ?? fallback;
    const end = node.range?.[1] ?? start;
    const style = styles[node.type ?? "PLAIN"] ?? "plain";
    const { value } = node;
    const text = node.source ?? (value === null || value === undefined ? "" : String(value));
    let offsets: readonly number[] | undefined;
    const source: SourceText = {
      text,
      place: (offset) => {
        offsets ??= scalarOffsets(this.prepared.text, start, end, style, text);
        return this.place(offsets[Math.min(offset, offsets.length - 1)] ?? start);
      },
    };
    const kept =
      typeof value === "string" || typeof value === "number" || typeof value === "bigint" || typeof value === "boolean"
        ? value
        : null;
    return { kind: "scalar", text, value: kept, plain: style === "plain", place: this.place(start), source };
  }
}
