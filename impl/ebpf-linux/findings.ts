/**
 * findings.yaml: words about which the kernel and the definition are known to disagree.
 */
import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { UserError } from "../../refinement/errors.js";
import type { Slot } from "./slots.js";

const FIELDS = ["opcode", "dst", "src", "offset", "imm"] as const;
type FieldName = (typeof FIELDS)[number];

export interface Finding {
  readonly name: string;
  /** Of the guest's definition; several, separated by commas, or `illegal`. */
  readonly instruction: string;
  readonly matches: (slot: Slot) => boolean;
}

export async function readFindings(file: string): Promise<readonly Finding[]> {
  const document: unknown = parse(await readFile(file, "utf8"));
  const list = entry(document, "findings");
  if (!Array.isArray(list)) throw new UserError(`${file}: \`findings\` is a list`);
  return list.map((finding: unknown) => {
    const name = text(file, finding, "name");
    const words = entry(finding, "words");
    if (typeof words !== "object" || words === null) throw new UserError(`${file}: ${name}: \`words\` is a mapping`);
    const tests = Object.entries(words).map(([field, value]) => test(file, name, field, value));
    return {
      name,
      instruction: text(file, finding, "instruction"),
      matches: (slot) => tests.every((holds) => holds(slot)),
    };
  });
}

function entry(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(key)
    : undefined;
}

function text(file: string, finding: unknown, key: string): string {
  const value = entry(finding, key);
  if (typeof value !== "string") throw new UserError(`${file}: every finding needs a \`${key}\``);
  return value;
}

function test(file: string, name: string, field: string, value: unknown): (slot: Slot) => boolean {
  if (!isField(field))
    throw new UserError(`${file}: ${name}: \`${field}\` is no field of an instruction; there are ${FIELDS.join(", ")}`);
  if (typeof value === "number") return (slot) => slot[field] === value;
  if (Array.isArray(value)) return (slot) => value.includes(slot[field]);
  const range = typeof value === "string" ? /^not (-?\d+)(?:\.\.(-?\d+))?$/.exec(value) : null;
  if (range === null)
    throw new UserError(`${file}: ${name}: \`${field}\` is a number, a list of them, or "not 0" or "not 0..63"`);
  const [least, greatest] = [Number(range[1]), Number(range[2] ?? range[1])];
  return (slot) => slot[field] < least || slot[field] > greatest;
}

function isField(name: string): name is FieldName {
  return FIELDS.some((f) => f === name);
}
