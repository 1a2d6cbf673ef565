/** Instructions that stand for others, as compressed ones do: their operands become operands of the other. */
import * as build from "../../../refinement/terms/build.js";
import { didYouMean } from "../diagnostics.js";
import { coerce } from "../elaborate/coerce.js";
import { FieldUse } from "../elaborate/scope.js";
import type { BlockEntry, ExpandsEntry, InstructionEntry } from "../read/definition.js";
import type { Block } from "../syntax/ast.js";
import type { Layout } from "./encoding.js";
import { guarded } from "./guarded.js";
import { type Elaboration, type Given, type GivenTerms, contextFor } from "./transitions.js";

export interface Expansion {
  readonly execute: BlockEntry | undefined;
  /** The other instruction's operands. */
  readonly operands: readonly GivenTerms[];
  /** After the body was elaborated: how it used its operands is how those of the short instruction are used. */
  settle(): void;
}

/** The instruction that `entry` stands for; undefined where that is reported as a mistake. */
export function targetOf(
  { instruction, place }: ExpandsEntry,
  known: readonly InstructionEntry[],
  { diagnostics, world }: Elaboration,
): InstructionEntry | undefined {
  const target = known.find((i) => i.name === instruction);
  if (target?.execute !== undefined) return target;
  if (target !== undefined) {
    if (target.expands !== undefined)
      diagnostics.report(
        "E_RECURSION",
        place,
        `\`${instruction}\` itself expands to another instruction; name that one`,
      );
  } else if (!world.incomplete) {
    const names = known.filter((i) => i.execute !== undefined).map((i) => i.name);
    diagnostics.report("E_UNKNOWN", place, `no instruction \`${instruction}\`${didYouMean(instruction, names)}`);
  }
  return undefined;
}

export function expansionOf(
  expands: ExpandsEntry,
  target: InstructionEntry,
  layout: Layout,
  given: readonly Given[],
  elaboration: Elaboration,
): Expansion {
  const { diagnostics } = elaboration;
  const names = layout.fields.map((f) => f.name);
  for (const { name, place } of expands.operands)
    if (!names.includes(name))
      diagnostics.report("E_FIELD", place, `\`${target.name}\` has no operand \`${name}\`${didYouMean(name, names)}`);
  const missing = names.filter((name) => !expands.operands.some((o) => o.name === name));
  if (missing.length > 0)
    diagnostics.report(
      "E_ARGUMENTS",
      expands.place,
      `\`${target.name}\` needs its operand${missing.length > 1 ? "s" : ""} ${missing.map((m) => `\`${m}\``).join(", ")} as well`,
    );
  const passed: { readonly inner: FieldUse; readonly outer: FieldUse; readonly first: number }[] = [];
  const operands = layout.fields.map((field): GivenTerms => {
    const entry = expands.operands.find((o) => o.name === field.name)?.value;
    const around = { name: field.name, type: field.type, what: "an operand" };
    if (entry === undefined) return { ...around, terms: undefined };
    const operand = passedOn(entry.block, given);
    if (operand !== undefined && field.type.kind === "bits") {
      const { first, prefix, outer, term } = operand;
      const inner = new FieldUse();
      passed.push({ inner, outer, first });
      const whole =
        prefix === 0 ? term : build.concat(build.constant(prefix, BigInt(first) >> BigInt(operand.width)), term);
      if (whole.sort.kind === "bits" && whole.sort.width === field.width)
        return { ...around, terms: [whole], use: inner };
    }
    return { ...around, terms: operandValue(elaboration, entry, given, field.type) };
  });
  const settle = (): void => {
    for (const { inner, outer, first } of passed) {
      for (const file of inner.files) outer.index(file, first + inner.first);
      outer.otherwise ||= inner.otherwise;
    }
  };
  return { execute: target.execute, operands, settle };
}

function operandValue(
  elaboration: Elaboration,
  entry: BlockEntry,
  given: readonly Given[],
  type: GivenTerms["type"],
): GivenTerms["terms"] {
  return guarded(elaboration.diagnostics, entry.place, () => {
    const cx = contextFor(elaboration, entry, given);
    cx.withoutState = true;
    const value = cx.evaluateBlock(entry.block, type);
    const span = entry.block.statements.at(-1)?.span ?? entry.block.span;
    return coerce(cx, value, type, span, "the operand")?.terms;
  });
}

interface Passed {
  readonly outer: FieldUse;
  readonly term: NonNullable<GivenTerms["terms"]>[number];
  readonly width: number;
  /** Bits put before it, and the number that the whole is where it is 0. */
  readonly prefix: number;
  readonly first: number;
}

/** An operand passed on as it is, `rd`, or with constant bits before it, `2'b01 ++ rd`: it names a register still. */
function passedOn({ statements }: Block, given: readonly Given[]): Passed | undefined {
  const [statement, ...more] = statements;
  if (statement?.kind !== "expression" || more.length > 0) return undefined;
  const { expression } = statement;
  const prefixed = expression.kind === "concat" && expression.left.kind === "literal" ? expression.left : undefined;
  const name = expression.kind === "concat" && prefixed !== undefined ? expression.right : expression;
  if (name.kind !== "name") return undefined;
  const found = given.find((g) => g.name === name.name);
  if (found === undefined || "binding" in found || found.use === undefined) return undefined;
  const [term] = found.terms ?? [];
  if (term?.sort.kind !== "bits") return undefined;
  const { width } = term.sort;
  if (prefixed === undefined) return { outer: found.use, term, width, prefix: 0, first: 0 };
  if (prefixed.width === undefined) return undefined;
  return { outer: found.use, term, width, prefix: prefixed.width, first: Number(prefixed.value << BigInt(width)) };
}
