/**
 * The width of a field that its row does not give: that of the file which it indexes, of the parameter it is passed as, or
 * that which a field of its name has elsewhere.
 */
import { unreachable } from "../../../refinement/errors.js";
import { indexWidth } from "../../../refinement/terms/sort.js";
import type { Context } from "../elaborate/context.js";
import { typeOf } from "../elaborate/declarations.js";
import { isScalar, scalarWidth } from "../elaborate/types.js";
import type { World } from "../elaborate/world.js";
import type { Block, Expression, Statement } from "../syntax/ast.js";

/** Calls `visit` on every expression of a block, outermost first. */
export function visitBlock(block: Block, visit: (node: Expression) => void): void {
  for (const statement of block.statements) visitStatement(statement, visit);
}

/** Names that a block assigns as a whole. */
export function assignedNames(block: Block): ReadonlySet<string> {
  const names = new Set<string>();
  const visit = ({ statements }: Block): void => {
    for (const statement of statements) {
      if (statement.kind === "assign" && statement.target.kind === "name") names.add(statement.target.name);
      else if (statement.kind === "for") visit(statement.body);
      else if (statement.kind === "if") {
        visit(statement.then);
        if (statement.else !== undefined) visit(statement.else);
      } else if (statement.kind === "expression" && statement.expression.kind === "match")
        for (const arm of statement.expression.arms) visit(arm.body);
    }
  };
  visit(block);
  return names;
}

function visitStatement(statement: Statement, visit: (node: Expression) => void): void {
  switch (statement.kind) {
    case "let":
      visitExpression(statement.value, visit);
      break;
    case "assign":
      visitExpression(statement.target, visit);
      visitExpression(statement.value, visit);
      break;
    case "if":
      visitExpression(statement.condition, visit);
      visitBlock(statement.then, visit);
      if (statement.else !== undefined) visitBlock(statement.else, visit);
      break;
    case "for":
      visitExpression(statement.from, visit);
      visitExpression(statement.to, visit);
      visitBlock(statement.body, visit);
      break;
    case "raise":
      for (const a of statement.arguments) visitExpression(a, visit);
      break;
    case "choose":
      break;
    case "expression":
      visitExpression(statement.expression, visit);
      break;
    default:
      unreachable(statement);
  }
}

function visitExpression(node: Expression, visit: (node: Expression) => void): void {
  visit(node);
  for (const part of partsOf(node)) visitExpression(part, visit);
  if (node.kind === "match") for (const arm of node.arms) visitBlock(arm.body, visit);
}

/** The expressions directly in an expression, blocks aside. */
function partsOf(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case "literal":
    case "boolean":
    case "name":
      return [];
    case "call":
      return node.arguments;
    case "field":
      return [node.base];
    case "index":
      return [node.base, node.index];
    case "slice":
      return [node.base, node.hi, node.lo];
    case "access":
      return [node.base, node.address, node.bytes];
    case "unary":
      return [node.operand];
    case "comparison":
    case "shift":
    case "arithmetic":
    case "logical":
    case "concat":
      return [node.left, node.right];
    case "conditional":
      return [node.condition, node.then, node.else];
    case "record":
      return node.fields.map((f) => f.value);
    case "match":
      return [node.subject, ...node.arms.flatMap((a) => a.patterns)];
    case "then":
      return [node.first, node.second];
    case "with":
      return [node.step, ...node.choices.map((c) => c.value)];
    default:
      return unreachable(node);
  }
}

/** The width that the uses of `name` in `block` give it. `cx` must not see state as a value. */
export function usedWidth(cx: Context, world: World, block: Block, name: string): number | undefined {
  let width: number | undefined;
  visitBlock(block, (node) => {
    if (width !== undefined) return;
    if (node.kind === "index" && node.index.kind === "name" && node.index.name === name && node.base.kind === "name") {
      const file = world.state.get(node.base.name);
      if (file?.type.kind === "array") width = indexWidth(file.type.count);
    } else if (node.kind === "call") {
      const f = world.functions.get(node.callee.name);
      node.arguments.forEach((argument, i) => {
        const parameter = f?.signature.parameters[i];
        if (argument.kind !== "name" || argument.name !== name || f === undefined || parameter === undefined) return;
        if (
          parameter.type.kind === "bits" &&
          parameter.type.width.kind === "name" &&
          !f.unit.parameters.has(parameter.type.width.name)
        )
          return;
        const saved = cx.unit;
        cx.unit = f.unit;
        const type = typeOf(cx, parameter.type);
        cx.unit = saved;
        if (type !== undefined && isScalar(type)) width = scalarWidth(type);
      });
    }
  });
  return width;
}
