import { test } from "vitest";
import { parseBlock, parseSignature, parseType } from "/work/main/spec/notation/syntax/parser.js";
test("x", () => {
  const t = performance.now();
  for (const s of ["x[rd] = x[rs1] + sext(imm)", "if taken { jump(pc + sext(offset)) }", "let r = dst + src\nCF = r <u dst\nOF = (dst ^ r) & (src ^ r) <s 0", "c ? step then step : stutter", "match op {\n add => a + b\n sub => { let x = 1; x }, _ => {valid: true, pc: pc}\n}", "a < b == c", "!!a && ~b == c", "x = (", "$x", "{ valid: true,\n pc: 1 }\n"])
    console.log(s, JSON.stringify(parseBlock(s), (k, v) => (k === "span" ? undefined : typeof v === "bigint" ? String(v) : v)));
  console.log(JSON.stringify(parseSignature("f(a: bits(N), b: enum { a, b }): bits(N)[3]"),(k, v) => (k === "span" ? undefined : typeof v === "bigint" ? String(v) : v)));
  console.log(JSON.stringify(parseType("bits(64)[32]"),(k, v) => (k === "span" ? undefined : typeof v === "bigint" ? String(v) : v)));
  console.log(performance.now() - t);
});
