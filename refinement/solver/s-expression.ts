/**
 * The S-expressions in which solvers answer.
 */
export type Expression = string | readonly Expression[];

/** The expressions of `text` in order, or `undefined` where it is not a sequence of them. Quoted symbols lose their bars. */
export function parseExpressions(text: string): readonly Expression[] | undefined {
  const done: Expression[] = [];
  const open: Expression[][] = [];
  const token = /\s+|;[^\n]*|\(|\)|\|([^|]*)\||"(?:[^"]|"")*"|[^\s()|";]+/y;
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) return undefined;
    const lexeme = match[0];
    const first = lexeme[0] ?? "";
    if (first.trim() === "" || first === ";") continue;
    if (first === "(") {
      open.push([]);
      continue;
    }
    let expression: Expression = match[1] ?? lexeme;
    if (first === ")") {
      const closed = open.pop();
      if (closed === undefined) return undefined;
      expression = closed;
    }
    (open.at(-1) ?? done).push(expression);
  }
  return open.length === 0 ? done : undefined;
}
