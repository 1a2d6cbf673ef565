/** Validation of a file's form by its JSON Schema; what is wrong is said where it stands, with the remedy. */
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import { get, kindOf, type Yaml, type YamlMapping } from "../yaml/tree.js";
import { machineSchema } from "./machine.js";
import { refinementSchema } from "./refinement.js";
import type { Schema } from "./schema.js";
import { stackSchema } from "./stack.js";
import * as validators from "./validators.js";

export type FileKind = "machine" | "refinement" | "stack";

const schemas: Readonly<Record<FileKind, Schema>> = {
  machine: machineSchema,
  refinement: refinementSchema,
  stack: stackSchema,
};

/** An error of ajv's, as far as it is used here. */
interface SchemaError {
  readonly instancePath: string;
  readonly schemaPath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}

interface Validator {
  (data: unknown): boolean;
  errors?: readonly SchemaError[] | null;
}

const compiled: Readonly<Record<FileKind, Validator>> = validators;

/** True if the file has the form of its kind. */
export function validate(kind: FileKind, root: Yaml, diagnostics: Diagnostics): boolean {
  const validator = compiled[kind];
  if (validator(plain(root))) return true;
  for (const error of validator.errors ?? []) report(kind, root, error, diagnostics);
  return false;
}

/** YAML as plain data. */
export function plain(node: Yaml): unknown {
  switch (node.kind) {
    case "scalar":
      return typeof node.value === "bigint" ? Number(node.value) : node.value;
    case "sequence":
      return node.items.map(plain);
    case "mapping":
      return Object.fromEntries(node.entries.map((e) => [e.key.text, plain(e.value)]));
    default: {
      const never: never = node;
      return never;
    }
  }
}

function report(kind: FileKind, root: Yaml, error: SchemaError, diagnostics: Diagnostics): void {
  const node = nodeAt(root, error.instancePath);
  const schema = schemaAt(schemas[kind], error.schemaPath);
  const name = error.instancePath.split("/").at(-1) ?? "";
  const what = schema?.title ?? `\`${unescapePointer(name)}\``;
  switch (error.keyword) {
    // Says only that its other branch was wrong, which has its own report.
    case "if":
      return;
    case "additionalProperties": {
      const key = String(error.params.additionalProperty);
      const known = Object.keys(schema?.properties ?? {});
      const place = node.kind === "mapping" ? keyPlace(node, key) : node.place;
      const list = didYouMean(key, known) || `; known are ${known.join(", ")}`;
      diagnostics.report("E_KEY", place, `${what} has no key \`${key}\`${list}`);
      return;
    }
    case "required": {
      const key = String(error.params.missingProperty);
      const meaning = schema?.properties?.[key]?.description;
      diagnostics.report(
        "E_STRUCTURE",
        node.place,
        `${what} needs \`${key}\`${meaning === undefined ? "" : `: ${meaning}`}`,
      );
      return;
    }
    case "type":
      diagnostics.report(
        "E_STRUCTURE",
        node.place,
        `${what} must be ${typeNames(error.params.type)}, not ${kindOf(node)}`,
      );
      return;
    case "minimum":
      diagnostics.report(
        "E_STRUCTURE",
        node.place,
        `${what} must be at least ${String(error.params.limit)}, not ${kindOf(node)}`,
      );
      return;
    case "minProperties":
    case "maxProperties":
      diagnostics.report(
        "E_STRUCTURE",
        node.place,
        `${what} has exactly one of ${Object.keys(schema?.properties ?? {}).join(", ")}`,
      );
      return;
    default:
      diagnostics.report("E_STRUCTURE", node.place, `${what} has not the form that it must have (${error.keyword})`);
  }
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  object: "a mapping (`key: value` lines)",
  array: "a list",
  string: "a string",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
};

function typeNames(types: unknown): string {
  const list = (Array.isArray(types) ? types : [types]).map(String);
  // What may be any scalar is a string to whoever writes it.
  const kept = list.includes("string")
    ? list.filter((t) => t !== "number" && t !== "boolean" && t !== "integer")
    : list;
  return kept
    .filter((t) => t !== "null")
    .map((t) => TYPE_NAMES[t] ?? t)
    .join(" or ");
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function keyPlace(mapping: YamlMapping, key: string): Yaml["place"] {
  return mapping.entries.find((e) => e.key.text === key)?.key.place ?? mapping.place;
}

/** The node that a JSON Pointer leads to, or the last one on the way. */
function nodeAt(root: Yaml, pointer: string): Yaml {
  let node = root;
  for (const part of pointer.split("/").slice(1).map(unescapePointer)) {
    const next =
      node.kind === "mapping" ? get(node, part) : node.kind === "sequence" ? node.items[Number(part)] : undefined;
    if (next === undefined) return node;
    node = next;
  }
  return node;
}

/** The schema that has the keyword at the end of a schema path. */
function schemaAt(root: Schema, path: string): Schema | undefined {
  let at: unknown = root;
  for (const part of path.split("/").slice(1, -1).map(decodeURIComponent).map(unescapePointer)) {
    if (typeof at !== "object" || at === null) return undefined;
    at = new Map<string, unknown>(Object.entries(at)).get(part);
  }
  return isSchema(at) ? at : undefined;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null;
}
