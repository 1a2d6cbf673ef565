/** Statements: executed symbolically, in order, on the store of the context. */
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { unreachable } from "../../../refinement/errors.js";
import { argumentCount, didYouMean } from "../diagnostics.js";
import type {
  Block,
  ChooseStatement,
  Expression,
  ForStatement,
  IfStatement,
  LetStatement,
  RaiseStatement,
  Statement,
} from "../syntax/ast.js";
import { alternatives } from "./alternatives.js";
import { assign } from "./assignments.js";
import { coerce, condition } from "./coerce.js";
import { type Context, MAX_UNROLL } from "./context.js";
import { typeOf } from "./declarations.js";
import { evaluateMatch } from "./match.js";
import { BOOL_TYPE, type NType, isScalar, scalarSort, scalarWidth, typeToString } from "./types.js";
import { NONE, type Val, WRONG, integer, single, typed } from "./value.js";

/** Runs a block in a scope of its own. */
export function runBlock(cx: Context, block: Block): void {
  cx.scoped(() => {
    for (const statement of block.statements) executeStatement(cx, statement);
  });
}

/** Runs a block whose last line is its value. */
export function blockValue(cx: Context, block: Block, hint: NType | undefined): Val {
  return cx.scoped(() => {
    const last = block.statements.at(-1);
    for (const statement of block.statements) if (statement !== last) executeStatement(cx, statement);
    if (last === undefined)
      return cx.wrong("E_VALUE", block.span, "an expression is wanted here, and there is nothing");
    return lastValue(cx, last, hint);
  });
}

function lastValue(cx: Context, last: Statement, hint: NType | undefined): Val {
  cx.step();
  if (last.kind === "expression") return cx.evaluate(last.expression, hint);
  if (last.kind === "if" && last.else !== undefined) return ifElse(cx, last, hint, true);
  executeStatement(cx, last);
  if (cx.dead) return NONE;
  return cx.wrong(
    "E_VALUE",
    last.span,
    `the last line must be an expression, the value; \`${cx.text(last.span)}\` gives none`,
  );
}

export function executeStatement(cx: Context, statement: Statement): void {
  cx.step();
  switch (statement.kind) {
    case "let":
      executeLet(cx, statement);
      break;
    case "assign":
      assign(cx, statement);
      break;
    case "if":
      ifElse(cx, statement, undefined, false);
      break;
    case "for":
      executeFor(cx, statement);
      break;
    case "raise":
      raise(cx, statement);
      break;
    case "choose":
      choose(cx, statement);
      break;
    case "expression":
      executeExpression(cx, statement.expression);
      break;
    default:
      unreachable(statement);
  }
}

function executeExpression(cx: Context, node: Expression): void {
  if (node.kind === "match") {
    evaluateMatch(cx, node, undefined, false);
    return;
  }
  const value = cx.evaluate(node, undefined);
  if (node.kind === "call" || value.kind === "wrong") return;
  cx.report(
    "E_VALUE",
    node.span,
    `\`${cx.text(node.span)}\` computes a value that nothing uses; assign it, or remove it`,
  );
}

function executeLet(cx: Context, node: LetStatement): void {
  const wanted = node.type === undefined ? undefined : typeOf(cx, node.type);
  let value = cx.evaluate(node.value, wanted);
  if (wanted !== undefined) value = coerce(cx, value, wanted, node.value.span, `\`${node.name.name}\``) ?? WRONG;
  else if (node.type !== undefined) value = WRONG;
  if (value.kind === "none")
    value = cx.wrong(
      "E_VALUE",
      node.value.span,
      `\`${cx.text(node.value.span)}\` gives no value for \`${node.name.name}\``,
    );
  if (node.mutable && (value.kind === "int" || value.kind === "truth")) {
    if (value.kind === "truth") value = typed(BOOL_TYPE, build.bool(value.value));
    else
      value = cx.wrong(
        "E_CONTEXT",
        node.value.span,
        `the width of \`${node.name.name}\` is open: write var ${node.name.name}: bits(32) = …, or the number with its width, as in 32'd1`,
      );
  }
  const defined =
    node.mutable && value.kind === "typed"
      ? cx.scope.define(node.name.name, {
          kind: "cell",
          key: cx.cell(value.type, value.terms),
          type: value.type,
          state: false,
        })
      : cx.scope.define(node.name.name, { kind: "value", value, what: node.mutable ? "a `var`" : "a `let`" });
  if (!defined)
    cx.report(
      "E_DUPLICATE",
      node.name.span,
      `\`${node.name.name}\` is declared twice in one block; choose another name`,
    );
}

/** `if` as a statement, or (last in a block) as a value. */
function ifElse(cx: Context, node: IfStatement, hint: NType | undefined, wanted: boolean): Val {
  const test = cx.evaluate(node.condition, BOOL_TYPE);
  const run = (block: Block | undefined, type: NType | undefined): Val => {
    if (block === undefined) return NONE;
    if (wanted) return cx.evaluateBlock(block, type);
    cx.execute(block);
    return NONE;
  };
  if (test.kind === "truth") return run(test.value ? node.then : node.else, hint);
  const term = condition(cx, test, node.condition.span, "the condition of `if`") ?? build.TRUE;
  return alternatives(
    cx,
    [
      { condition: term, path: [term], span: node.then.span, flexible: false, run: (type) => run(node.then, type) },
      {
        condition: build.TRUE,
        path: [build.not(term)],
        span: node.else?.span ?? node.span,
        flexible: false,
        run: (type) => run(node.else, type),
      },
    ],
    hint,
    wanted,
    "the other branch of `if`",
  );
}

function executeFor(cx: Context, node: ForStatement): void {
  const from = bound(cx, node.from);
  const to = bound(cx, node.to);
  if (from === undefined || to === undefined) return;
  if (to - from > BigInt(MAX_UNROLL)) {
    cx.report("E_LOOP", node.span, `the loop runs ${to - from} times; loops are unrolled, at most ${MAX_UNROLL} times`);
    return;
  }
  for (let i = from; i < to; i++) {
    cx.scoped(() => {
      cx.scope.define(node.variable.name, { kind: "value", value: integer(i), what: "a loop's variable" });
      cx.execute(node.body);
    });
  }
}

function bound(cx: Context, node: Expression): bigint | undefined {
  const value = cx.evaluate(node, undefined);
  if (value.kind === "int") return value.value;
  if (value.kind === "typed" && value.type.kind === "bits" && value.terms[0]?.op === "const")
    return value.terms[0].value;
  if (value.kind !== "wrong")
    cx.report(
      "E_LOOP",
      node.span,
      `a loop is unrolled, so its bounds must be constants; \`${cx.text(node.span)}\` is known only when the machine runs`,
    );
  return undefined;
}

function raise(cx: Context, node: RaiseStatement): void {
  const { trap } = cx.world;
  const declaration = trap?.table.traps.find((t) => t.name === node.trap.name);
  if (declaration === undefined) {
    for (const a of node.arguments) cx.evaluate(a, undefined);
    const known = trap?.table.traps.map((t) => t.name) ?? [];
    cx.dead = true;
    if (cx.world.broken.has(node.trap.name) || cx.world.incomplete) return;
    cx.report(
      "E_TRAP",
      node.trap.span,
      `no trap \`${node.trap.name}\` is declared${didYouMean(node.trap.name, known) || "; declare it under `traps:`"}`,
    );
    return;
  }
  if (!cx.permissions.raise) {
    cx.report("E_RAISE", node.span, "a trap can be raised only by a transition or an instruction, not here");
    return;
  }
  if (node.arguments.length !== declaration.parameters.length) {
    cx.report(
      "E_ARGUMENTS",
      node.span,
      `the trap \`${declaration.name}\` takes ${argumentCount(declaration.parameters)}, not ${node.arguments.length}`,
    );
    cx.dead = true;
    return;
  }
  const args: Term[] = [];
  node.arguments.forEach((argument, i) => {
    const parameter = declaration.parameters[i];
    if (parameter === undefined) return;
    const value = coerce(
      cx,
      cx.evaluate(argument, parameter.type),
      parameter.type,
      argument.span,
      `\`${parameter.name}\` of the trap \`${declaration.name}\``,
    );
    if (value !== undefined) args.push(single(value));
  });
  if (args.length === declaration.parameters.length) cx.raise(build.TRUE, declaration.name, args);
  cx.dead = true;
}

/** A value that the definition leaves open becomes a parameter of the transition. */
function choose(cx: Context, node: ChooseStatement): void {
  const type = typeOf(cx, node.type);
  let value: Val = WRONG;
  const { choices } = cx.permissions;
  if (choices === undefined) {
    cx.report("E_CHOOSE", node.span, "a choice can be made only by a transition or an instruction, not here");
  } else if (type !== undefined && !isScalar(type)) {
    cx.report("E_TYPE", node.type.span, `a choice is of bits, bool or an enum, not ${typeToString(type)}`);
  } else if (type !== undefined) {
    const taken = choices.list.filter(
      (c) => c.name === node.name.name || c.name.startsWith(`${node.name.name}.`),
    ).length;
    const name = taken === 0 ? node.name.name : `${node.name.name}.${taken + 1}`;
    const term = build.variable(`${choices.owner}(${name})`, scalarSort(type));
    choices.list.push({ name, type, term });
    value = typed(type, inRange(type, term));
  }
  if (!cx.scope.define(node.name.name, { kind: "value", value, what: "a choice" }))
    cx.report(
      "E_DUPLICATE",
      node.name.span,
      `\`${node.name.name}\` is declared twice in one block; choose another name`,
    );
}

/** A choice of an enum is one of its members, whatever bits are chosen. */
function inRange(type: NType, term: Term): Term {
  if (type.kind !== "enum" || type.members.length === 2 ** scalarWidth(type)) return term;
  const last = build.constant(scalarWidth(type), BigInt(type.members.length - 1));
  return build.ite(build.ule(term, last), term, build.constant(scalarWidth(type), 0n));
}
