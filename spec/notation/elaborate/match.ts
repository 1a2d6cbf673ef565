/** `match`: patterns to conditions, every case covered, none twice. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { didYouMean } from "../diagnostics.js";
import type { MatchArm, MatchNode } from "../syntax/ast.js";
import { type Alternative, alternatives } from "./alternatives.js";
import type { Context } from "./context.js";
import { firmHint, flexible } from "./operands.js";
import { type NType, typeToString } from "./types.js";
import { NONE, type Val, WRONG } from "./value.js";

/** Values a subject can take, as far as patterns go. */
interface Cases {
  readonly term: Term;
  readonly type: NType;
  /** How many values there are. */
  readonly count: bigint;
  value(cx: Context, pattern: MatchArm["patterns"][number]): bigint | undefined;
  name(value: bigint): string;
}

/** An arm, and when it is taken, the arms before it not being taken; the last one's condition is true. */
export interface ArmCase {
  readonly condition: Term;
  readonly arm: MatchArm;
}

/** The arms of a `match` as conditions alone, for what is no expression (the steps of a refinement). */
export function matchCases(cx: Context, node: MatchNode): readonly ArmCase[] | undefined {
  const subject = cx.evaluate(node.subject, undefined);
  if (subject.kind !== "typed") return undefined;
  const cases = casesOf(cx, node, subject.type, subject.terms[0]);
  const list = cases === undefined ? undefined : arms(cx, node, cases, false);
  return list?.map((alternative, i) => ({
    condition: i === list.length - 1 ? build.TRUE : alternative.condition,
    arm: node.arms[i] ?? { patterns: [], wildcard: true, body: { statements: [], span: node.span }, span: node.span },
  }));
}

export function evaluateMatch(cx: Context, node: MatchNode, hint: NType | undefined, wanted: boolean): Val {
  const subject = cx.evaluate(node.subject, undefined);
  if (subject.kind === "int" || subject.kind === "truth") {
    return cx.wrong(
      "E_CONTEXT",
      node.subject.span,
      `\`${cx.text(node.subject.span)}\` is a constant: its width is open, and there is nothing to choose`,
    );
  }
  const cases = subject.kind === "typed" ? casesOf(cx, node, subject.type, subject.terms[0]) : undefined;
  const list = cases === undefined ? undefined : arms(cx, node, cases, wanted);
  if (list === undefined) {
    // The arms are still looked at, for mistakes of their own.
    for (const arm of node.arms) wanted ? cx.evaluateBlock(arm.body, hint) : cx.execute(arm.body);
    return WRONG;
  }
  return alternatives(cx, list, firmHint(cx, node, hint), wanted, "the other cases of this `match`");
}

function casesOf(cx: Context, node: MatchNode, type: NType, term: Term | undefined): Cases | undefined {
  if (term === undefined) return undefined;
  switch (type.kind) {
    case "bool":
      return {
        term: build.boolToBits(term),
        type,
        count: 2n,
        value: (c, p) => truth(c, p),
        name: (v) => String(v === 1n),
      };
    case "bits":
      return {
        term,
        type,
        count: 1n << BigInt(type.width),
        value: (c, p) => number(c, p, type.width),
        name: (v) => `${type.width}'h${v.toString(16)}`,
      };
    case "enum":
      return {
        term,
        type,
        count: BigInt(type.members.length),
        value: (c, p) => member(c, p, type.members, typeToString(type), type.name),
        name: (v) => type.members[Number(v)] ?? String(v),
      };
    case "trap": {
      const names = type.table.code.members;
      return {
        term,
        type: type.table.code,
        count: BigInt(names.length),
        value: (c, p) => member(c, p, names, "trap", "trap"),
        name: (v) => names[Number(v)] ?? String(v),
      };
    }
    default:
      cx.report(
        "E_TYPE",
        node.subject.span,
        `\`match\` chooses by an enum, bits or bool; \`${cx.text(node.subject.span)}\` is ${typeToString(type)}`,
      );
      return undefined;
  }
}

function truth(cx: Context, pattern: MatchArm["patterns"][number]): bigint | undefined {
  if (pattern.kind === "boolean") return pattern.value ? 1n : 0n;
  cx.report("E_MATCH", pattern.span, `\`${cx.text(pattern.span)}\` is no bool; the cases are true and false`);
  return undefined;
}

function number(cx: Context, pattern: MatchArm["patterns"][number], width: number): bigint | undefined {
  if (pattern.kind === "boolean") {
    cx.report("E_MATCH", pattern.span, `the subject is bits(${width}); \`${cx.text(pattern.span)}\` is bool`);
    return undefined;
  }
  const value = cx.evaluate(pattern, { kind: "bits", width });
  const given =
    value.kind === "int"
      ? value.value
      : value.kind === "typed" &&
          value.type.kind === "bits" &&
          value.type.width === width &&
          value.terms[0]?.op === "const"
        ? value.terms[0].value
        : undefined;
  if (value.kind === "wrong") return undefined;
  if (given === undefined || given < 0n || given >= 1n << BigInt(width)) {
    cx.report("E_MATCH", pattern.span, `\`${cx.text(pattern.span)}\` is no constant of bits(${width})`);
    return undefined;
  }
  return given;
}

function member(
  cx: Context,
  pattern: MatchArm["patterns"][number],
  members: readonly string[],
  type: string,
  qualifier: string,
): bigint | undefined {
  let name: string | undefined;
  if (pattern.kind === "name") name = pattern.name;
  else if (pattern.kind === "field" && pattern.base.kind === "name" && pattern.base.name === qualifier)
    name = pattern.field.name;
  const index = name === undefined ? -1 : members.indexOf(name);
  if (index >= 0) return BigInt(index);
  cx.report(
    "E_MATCH",
    pattern.span,
    `\`${cx.text(pattern.span)}\` is no member of ${type}${didYouMean(name ?? "", members)}`,
  );
  return undefined;
}

/** The arms as alternatives, the last of which needs no condition; undefined after a mistake. */
function arms(cx: Context, node: MatchNode, cases: Cases, wanted: boolean): readonly Alternative[] | undefined {
  const seen = new Map<bigint, MatchArm>();
  const list: Alternative[] = [];
  const conditions: Term[] = [];
  let right = true;
  let complete = false;
  for (const arm of node.arms) {
    if (complete) {
      cx.report(
        "E_MATCH",
        arm.span,
        `\`${cx.text(arm.span)}\` stands behind \`_\` and is never reached; put \`_\` last`,
      );
      right = false;
      break;
    }
    const found: Term[] = [];
    for (const pattern of arm.patterns) {
      const value = cases.value(cx, pattern);
      if (value === undefined) {
        right = false;
        continue;
      }
      if (seen.has(value)) {
        cx.report("E_MATCH", pattern.span, `the case ${cases.name(value)} stands twice`);
        right = false;
      }
      seen.set(value, arm);
      if (cases.term.sort.kind === "bits")
        found.push(build.eq(cases.term, build.constant(cases.term.sort.width, value)));
    }
    complete = arm.wildcard;
    const condition = build.or(...found, build.FALSE);
    list.push({
      condition,
      path: arm.wildcard ? conditions.map((c) => build.not(c)) : [condition],
      span: valueSpan(arm),
      flexible: isFlexible(cx, arm),
      run: (hint) => {
        if (wanted) return cx.evaluateBlock(arm.body, hint);
        cx.execute(arm.body);
        return NONE;
      },
    });
    conditions.push(condition);
  }
  if (!right) return undefined;
  if (!complete && BigInt(seen.size) < cases.count) {
    cx.report(
      "E_MATCH",
      node.span,
      `\`match ${cx.text(node.subject.span)}\` does not say what happens for ${missing(cases, seen)}; add the case, or \`_ => …\``,
    );
    return undefined;
  }
  return list;
}

function valueSpan(arm: MatchArm): MatchArm["span"] {
  return arm.body.statements.at(-1)?.span ?? arm.body.span;
}

function isFlexible(cx: Context, arm: MatchArm): boolean {
  const [only] = arm.body.statements;
  return arm.body.statements.length === 1 && only?.kind === "expression" && flexible(cx, only.expression);
}

function missing(cases: Cases, seen: ReadonlyMap<bigint, unknown>): string {
  const names: string[] = [];
  const absent = cases.count - BigInt(seen.size);
  for (let v = 0n; v < cases.count && names.length < 5; v++) if (!seen.has(v)) names.push(cases.name(v));
  return names.join(", ") + (absent > BigInt(names.length) ? ` and ${absent - BigInt(names.length)} more` : "");
}
