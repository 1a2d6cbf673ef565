/** Precedence, statements and types, shown with every parenthesis. */
import { describe, expect, test } from "vitest";
import type { Block, Expression, Statement } from "../../../../spec/notation/syntax/ast.js";
import { parseBlock, parseExpression, parseSignature, parseType } from "../../../../spec/notation/syntax/parser.js";

function show(e: Expression): string {
  switch (e.kind) {
    case "literal":
      return e.width === undefined ? `${e.value}` : `${e.width}'${e.value}`;
    case "boolean":
      return String(e.value);
    case "name":
      return e.name;
    case "call":
      return `${e.callee.name}(${e.arguments.map(show).join(", ")})`;
    case "field":
      return `${show(e.base)}.${e.field.name}`;
    case "index":
      return `${show(e.base)}[${show(e.index)}]`;
    case "slice":
      return `${show(e.base)}[${show(e.hi)}:${show(e.lo)}]`;
    case "access":
      return `${show(e.base)}[${show(e.address)}, ${show(e.bytes)}]`;
    case "unary":
      return `(${e.operator}${show(e.operand)})`;
    case "comparison":
    case "shift":
    case "arithmetic":
    case "logical":
    case "concat":
      return `(${show(e.left)} ${e.operator} ${show(e.right)})`;
    case "conditional":
      return `(${show(e.condition)} ? ${show(e.then)} : ${show(e.else)})`;
    case "record":
      return `{${e.fields.map((f) => `${f.name.name}: ${show(f.value)}`).join(", ")}}`;
    case "match":
      return `match ${show(e.subject)} {${e.arms.map((a) => `${[...a.patterns.map(show), ...(a.wildcard ? ["_"] : [])].join("|")} => ${block(a.body)}`).join(", ")}}`;
    case "then":
      return `(${show(e.first)} then ${show(e.second)})`;
    case "with":
      return `(${show(e.step)} with ${e.choices.map((c) => `${c.name.name}=${show(c.value)}`).join(", ")})`;
    default:
      return expect.unreachable();
  }
}

function statement(s: Statement): string {
  switch (s.kind) {
    case "let":
      return `${s.mutable ? "var" : "let"} ${s.name.name} = ${show(s.value)}`;
    case "assign":
      return `${show(s.target)} = ${show(s.value)}`;
    case "if":
      return `if ${show(s.condition)} ${block(s.then)}${s.else === undefined ? "" : ` else ${block(s.else)}`}`;
    case "for":
      return `for ${s.variable.name} in ${show(s.from)}..${show(s.to)} ${block(s.body)}`;
    case "raise":
      return `raise ${s.trap.name}(${s.arguments.map(show).join(", ")})`;
    case "choose":
      return `choose ${s.name.name}`;
    case "expression":
      return show(s.expression);
    default:
      return expect.unreachable();
  }
}

function block(b: Block): string {
  return `{${b.statements.map(statement).join("; ")}}`;
}

function expression(text: string): string {
  const parsed = parseExpression(text);
  return parsed.ok ? show(parsed.node) : parsed.problems.map((p) => `${p.offset} ${p.code}`).join(", ");
}

function program(text: string): string {
  const parsed = parseBlock(text);
  return parsed.ok ? block(parsed.node) : parsed.problems.map((p) => `${p.offset} ${p.code}`).join(", ");
}

describe("expressions", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a ? b : c ? d : e", "(a ? b : (c ? d : e))"],
    ["a || b && c", "(a || (b && c))"],
    ["a == b && c != d", "((a == b) && (c != d))"],
    ["a | b ^ c & d", "(a | (b ^ (c & d)))"],
    ["a & b <s 0", "((a & b) <s 0)"],
    ["(dst ^ r) & (src ^ r) <s 0", "(((dst ^ r) & (src ^ r)) <s 0)"],
    ["a & b << 1", "(a & (b << 1))"],
    ["a << b + c", "(a << (b + c))"],
    ["a - b - c", "((a - b) - c)"],
    ["a + b * c /u d", "(a + ((b * c) /u d))"],
    ["a * b ++ c", "(a * (b ++ c))"],
    ["-a + ~b", "((-a) + (~b))"],
    ["!a && b", "((!a) && b)"],
    ["-a[3:0]", "(-a[3:0])"],
    ["m[a + 1, 4]", "m[(a + 1), 4]"],
    ["x[c ? 1 : 2]", "x[(c ? 1 : 2)]"],
    ["f(a, g(b)).c[1]", "f(a, g(b)).c[1]"],
    ["32'hFF + 0x1_0 + 0b101 + 4'b1_0", "(((32'255 + 16) + 5) + 4'2)"],
    ["{ a: 1, b: { c: d } }", "{a: 1, b: {c: d}}"],
    [
      "match op { add => a, sub | mul => b, _ => { let t = c; t } }",
      "match op {add => {a}, sub|mul => {b}, _ => {let t = c; t}}",
    ],
    ["match op { r => { v: 1 }, _ => { } }", "match op {r => {{v: 1}}, _ => {}}"],
    ["c ? step then put(1) : stutter", "(c ? (step then put(1)) : stutter)"],
    ["step with v = a + 1, w = b then step", "((step with v=(a + 1), w=b) then step)"],
    ["then + with", "(then + with)"],
    ["a <upper", "2 E_SIGN"],
    ["a == b == c", "7 E_SYNTAX"],
    ["a == b != c <u d", "7 E_SYNTAX, 12 E_SYNTAX"],
    ["a +", "3 E_SYNTAX"],
    ["", "0 E_SYNTAX"],
    ["12ab", "0 E_SYNTAX"],
    ["a b", "2 E_SYNTAX"],
  ];
  for (const [written, read] of cases) test(written, () => expect(expression(written)).toBe(read));
});

describe("statements", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a = 1\nb = 2", "{a = 1; b = 2}"],
    ["a = 1; b = 2;", "{a = 1; b = 2}"],
    ["a = b +\n  c\nd = e\n  + f", "{a = (b + c); d = (e + f)}"],
    ["a = c\n  ? 1\n  : 2", "{a = (c ? 1 : 2)}"],
    ["a = f(\n1,\n2\n)", "{a = f(1, 2)}"],
    ["# comment\na = 1 # more\n\n\nb = 2", "{a = 1; b = 2}"],
    ["if a { b = 1 } else if c { d = 2 } else { e = 3 }", "{if a {b = 1} else {if c {d = 2} else {e = 3}}}"],
    ["if a {\n  b = 1\n}\nelse {\n  c = 2\n}", "{if a {b = 1} else {c = 2}}"],
    ["for i in 0..2 * n { x[i] = i }", "{for i in 0..(2 * n) {x[i] = i}}"],
    ["raise odd(a); raise even", "{raise odd(a); raise even()}"],
    ["choose v: bits(4)", "{choose v}"],
    ["match op {\n  a => { b = 1 }\n  _ => c = 2,\n}", "{match op {a => {b = 1}, _ => {c = 2}}}"],
    ["let a = 1\n{ b: a }", "{let a = 1; {b: a}}"],
    ["m[a, 4] = v; x[1].f[3:0] = w", "{m[a, 4] = v; x[1].f[3:0] = w}"],
    ["let = 3", "4 E_SYNTAX"],
    ["if a b = 1", "5 E_SYNTAX"],
  ];
  for (const [written, read] of cases) test(JSON.stringify(written), () => expect(program(written)).toBe(read));
});

describe("types and signatures", () => {
  test.each([
    ["bits(XLEN - 1)", true],
    ["record { a: bool, b: enum { c, d }[4] }", true],
    ["Latch[4]", true],
    ["bits", false],
    ["enum", false],
    ["enum { a: bool }", false],
    ["record { a }", false],
    ["bool(3)", false],
    ["Latch(3)", false],
  ])("%s", (text, ok) => expect(parseType(text).ok).toBe(ok));

  test("signatures", () => {
    const full = parseSignature("f(a: bits(N), b: bool): bits(N)");
    expect(
      full.ok && [full.node.name.name, full.node.parameters.map((p) => p.name.name), full.node.result?.kind],
    ).toEqual(["f", ["a", "b"], "bits"]);
    expect(parseSignature("f").ok).toBe(true);
    expect(parseSignature("f()").ok).toBe(true);
    expect(parseSignature("f(a)").ok).toBe(false);
  });
});
