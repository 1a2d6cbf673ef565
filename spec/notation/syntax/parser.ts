/** Text of the notation → tree. One parser, made at first use; each string gives a tree or the problems found in it. */
import type { IToken, ParserMethod, TokenType } from "chevrotain";
import type {
  Block,
  Expression,
  MatchArm,
  NameNode,
  RecordNode,
  Signature,
  Span,
  Statement,
  TypeNode,
  UnaryOperator,
  WithNode,
} from "./ast.js";
import { chevrotain } from "./chevrotain.js";
import * as T from "./lexer.js";
import { type OperatorToken, buildBinary, unsuffixed } from "./operators.js";

const { EmbeddedActionsParser, EOF } = chevrotain;

export type SyntaxCode = "E_SYNTAX" | "E_SIGN" | "E_NESTING";

export interface SyntaxProblem {
  readonly code: SyntaxCode;
  readonly offset: number;
  readonly message: string;
}

export type Parsed<N> =
  | { readonly ok: true; readonly node: N }
  | { readonly ok: false; readonly problems: readonly SyntaxProblem[] };

/** Expressions and blocks nest at most this deep, and at most this many operators stand in a row. */
const MAX_NESTING = 64;
const MAX_OPERATORS = 1000;

class TooDeep extends Error {
  readonly offset: number;
  constructor(offset: number) {
    super("too deep");
    this.offset = offset;
  }
}

function show(token: IToken): string {
  if (token.tokenType === EOF) return "the end";
  if (token.tokenType === T.Separator) return token.image === ";" ? "`;`" : "the end of the line";
  return `\`${token.image}\``;
}

function describe(type: TokenType): string {
  if (type === T.Name) return "a name";
  if (type === T.Number_ || type === T.SizedNumber) return "a number";
  if (type === T.Binary) return "an operator";
  if (type === T.Separator) return "the end of the statement";
  if (type === EOF) return "the end";
  return `\`${type.name}\``;
}

class NotationParser extends EmbeddedActionsParser {
  problems: SyntaxProblem[] = [];
  depth = 0;

  constructor() {
    super(T.tokenTypes, {
      recoveryEnabled: false,
      maxLookahead: 1,
      skipValidations: true,
      errorMessageProvider: {
        buildMismatchTokenMessage: ({ expected, actual }) => `expected ${describe(expected)}, found ${show(actual)}`,
        buildNotAllInputParsedMessage: ({ firstRedundant }) => `${show(firstRedundant)} does not belong here`,
        buildNoViableAltMessage: ({ actual }) => {
          const [first] = actual;
          return first === undefined || first.tokenType === EOF
            ? "something is missing at the end"
            : `${show(first)} cannot stand here`;
        },
        buildEarlyExitMessage: ({ actual }) => {
          const [first] = actual;
          return first === undefined || first.tokenType === EOF
            ? "something is missing at the end"
            : `${show(first)} cannot stand here`;
        },
      },
    });
    this.performSelfAnalysis();
  }

  reset_(): void {
    this.problems = [];
    this.depth = 0;
  }

  private problem(code: SyntaxCode, offset: number, message: string): void {
    this.problems.push({ code, offset, message });
  }

  private enter(): void {
    this.ACTION(() => {
      this.depth++;
      if (this.depth > MAX_NESTING) throw new TooDeep(this.LA(1).startOffset);
    });
  }

  private leave(): void {
    this.ACTION(() => {
      this.depth--;
    });
  }

  private span(start: Span | IToken): Span {
    const last = this.LA(0);
    return { start: "start" in start ? start.start : start.startOffset, end: last.startOffset + last.image.length };
  }

  private name(token: IToken): NameNode {
    return { name: token.image, span: tokenSpan(token) };
  }

  // ---- expressions

  readonly expression: ParserMethod<[], Expression> = this.RULE("expression", (): Expression => {
    this.enter();
    let node = this.SUBRULE(this.conditional);
    this.OPTION(() => {
      this.CONSUME(T.With);
      const choices: { name: NameNode; value: Expression }[] = [];
      this.AT_LEAST_ONE_SEP({
        SEP: T.Comma,
        DEF: () => {
          const name = this.CONSUME(T.Name);
          this.CONSUME(T.Assign);
          const value = this.SUBRULE2(this.conditional);
          this.ACTION(() => choices.push({ name: this.name(name), value }));
        },
      });
      node = this.ACTION((): WithNode => ({ kind: "with", step: node, choices, span: this.span(node.span) }));
    });
    this.OPTION2(() => {
      this.CONSUME(T.Then);
      const second = this.SUBRULE(this.expression);
      node = this.ACTION((): Expression => ({ kind: "then", first: node, second, span: this.span(node.span) }));
    });
    this.leave();
    return node;
  });

  readonly conditional: ParserMethod<[], Expression> = this.RULE("conditional", (): Expression => {
    const condition = this.SUBRULE(this.binary);
    let node = condition;
    this.OPTION(() => {
      this.CONSUME(T.Question);
      const then = this.SUBRULE(this.expression);
      this.CONSUME(T.Colon);
      const otherwise = this.SUBRULE2(this.expression);
      node = this.ACTION(
        (): Expression => ({ kind: "conditional", condition, then, else: otherwise, span: this.span(condition.span) }),
      );
    });
    return node;
  });

  readonly binary: ParserMethod<[], Expression> = this.RULE("binary", (): Expression => {
    const first = this.SUBRULE(this.unary);
    const operands = [first];
    const operators: OperatorToken[] = [];
    this.MANY(() => {
      const token = this.CONSUME(T.Binary);
      const operand = this.SUBRULE2(this.unary);
      this.ACTION(() => {
        operators.push(this.operator(token));
        operands.push(operand);
        if (operators.length > MAX_OPERATORS) throw new TooDeep(token.startOffset);
      });
    });
    return this.ACTION((): Expression => {
      const chained = (o: OperatorToken): void =>
        this.problem(
          "E_SYNTAX",
          o.start,
          `comparisons do not chain: put parentheses around one side of \`${o.operator}\`, or join two comparisons with \`&&\``,
        );
      return buildBinary(operands, operators, chained) ?? first;
    });
  });

  private operator(token: IToken): OperatorToken {
    const span = tokenSpan(token);
    const meant = unsuffixed.get(token.image);
    if (meant === undefined) return { operator: token.image, ...span };
    const [unsigned, signed] = meant;
    this.problem(
      "E_SIGN",
      span.start,
      `\`${token.image}\` does not say whether its operands are signed: write \`${unsigned}\` (unsigned) or \`${signed}\` (signed)`,
    );
    return { operator: unsigned, ...span };
  }

  readonly unary: ParserMethod<[], Expression> = this.RULE("unary", (): Expression => {
    const operators: { operator: UnaryOperator; start: number }[] = [];
    this.MANY(() => {
      const token = this.OR([
        { ALT: () => this.CONSUME(T.Not) },
        { ALT: () => this.CONSUME(T.Tilde) },
        { ALT: () => this.CONSUME(T.Minus) },
      ]);
      this.ACTION(() => {
        operators.push({ operator: unaryOperator(token), start: token.startOffset });
        if (operators.length > MAX_NESTING) throw new TooDeep(token.startOffset);
      });
    });
    const operand = this.SUBRULE(this.postfix);
    return this.ACTION(
      (): Expression =>
        operators.reduceRight<Expression>(
          (node, { operator, start }) => ({
            kind: "unary",
            operator,
            operand: node,
            span: { start, end: node.span.end },
          }),
          operand,
        ),
    );
  });

  readonly postfix: ParserMethod<[], Expression> = this.RULE("postfix", (): Expression => {
    let node = this.SUBRULE(this.primary);
    let count = 0;
    this.MANY(() => {
      this.ACTION(() => {
        if (++count > MAX_NESTING) throw new TooDeep(this.LA(1).startOffset);
      });
      this.OR([
        {
          ALT: () => {
            this.CONSUME(T.Dot);
            const field = this.CONSUME(T.Name);
            node = this.ACTION(
              (): Expression => ({ kind: "field", base: node, field: this.name(field), span: this.span(node.span) }),
            );
          },
        },
        {
          ALT: () => {
            this.CONSUME(T.LeftBracket);
            const first = this.SUBRULE(this.expression);
            let colon = false;
            let second: Expression | undefined;
            this.OPTION(() => {
              this.OR2([
                {
                  ALT: () => {
                    this.CONSUME(T.Colon);
                    colon = true;
                  },
                },
                { ALT: () => this.CONSUME(T.Comma) },
              ]);
              second = this.SUBRULE2(this.expression);
            });
            this.CONSUME(T.RightBracket);
            node = this.ACTION((): Expression => {
              const span = this.span(node.span);
              if (second === undefined) return { kind: "index", base: node, index: first, span };
              if (colon) return { kind: "slice", base: node, hi: first, lo: second, span };
              return { kind: "access", base: node, address: first, bytes: second, span };
            });
          },
        },
      ]);
    });
    return node;
  });

  readonly primary: ParserMethod<[], Expression> = this.RULE("primary", (): Expression => {
    return this.OR<Expression>([
      { ALT: () => this.SUBRULE(this.literal) },
      { ALT: () => this.SUBRULE(this.nameOrCall) },
      {
        ALT: () => {
          this.CONSUME(T.LeftParen);
          const node = this.SUBRULE(this.expression);
          this.CONSUME(T.RightParen);
          return node;
        },
      },
      { ALT: () => this.SUBRULE(this.match) },
      { ALT: () => this.SUBRULE(this.record) },
    ]);
  });

  readonly literal: ParserMethod<[], Expression> = this.RULE("literal", (): Expression => {
    return this.OR<Expression>([
      {
        ALT: () => {
          const token = this.CONSUME(T.Number_);
          return this.ACTION(
            (): Expression => ({
              kind: "literal",
              value: number(token.image),
              width: undefined,
              span: tokenSpan(token),
            }),
          );
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(T.SizedNumber);
          return this.ACTION((): Expression => {
            const quote = token.image.indexOf("'");
            const width = Number(token.image.slice(0, quote));
            return { kind: "literal", value: number(token.image.slice(quote + 1)), width, span: tokenSpan(token) };
          });
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(T.True);
          return this.ACTION((): Expression => ({ kind: "boolean", value: true, span: tokenSpan(token) }));
        },
      },
      {
        ALT: () => {
          const token = this.CONSUME(T.False);
          return this.ACTION((): Expression => ({ kind: "boolean", value: false, span: tokenSpan(token) }));
        },
      },
    ]);
  });

  readonly nameOrCall: ParserMethod<[], Expression> = this.RULE("nameOrCall", (): Expression => {
    const token = this.CONSUME(T.Name);
    let list: Expression[] | undefined;
    this.OPTION(() => {
      list = this.SUBRULE(this.argumentList);
    });
    return this.ACTION((): Expression => {
      if (list === undefined) return { kind: "name", name: token.image, span: tokenSpan(token) };
      return { kind: "call", callee: this.name(token), arguments: list, span: this.span(token) };
    });
  });

  readonly argumentList: ParserMethod<[], Expression[]> = this.RULE("argumentList", (): Expression[] => {
    const list: Expression[] = [];
    this.CONSUME(T.LeftParen);
    this.MANY_SEP({
      SEP: T.Comma,
      DEF: () => {
        list.push(this.SUBRULE(this.expression));
      },
    });
    this.CONSUME(T.RightParen);
    return list;
  });

  readonly record: ParserMethod<[], Expression> = this.RULE("record", (): Expression => {
    const open = this.CONSUME(T.LeftBrace);
    const fields: { name: NameNode; value: Expression }[] = [];
    this.MANY_SEP({
      SEP: T.Comma,
      DEF: () => {
        const name = this.CONSUME(T.Name);
        this.CONSUME(T.Colon);
        const value = this.SUBRULE(this.expression);
        this.ACTION(() => fields.push({ name: this.name(name), value }));
      },
    });
    this.CONSUME(T.RightBrace);
    return this.ACTION((): RecordNode => ({ kind: "record", fields, span: this.span(open) }));
  });

  readonly match: ParserMethod<[], Expression> = this.RULE("match", (): Expression => {
    const start = this.CONSUME(T.Match);
    const subject = this.SUBRULE(this.expression);
    this.CONSUME(T.LeftBrace);
    const arms: MatchArm[] = [];
    arms.push(this.SUBRULE(this.arm));
    this.MANY(() => {
      this.OR([{ ALT: () => this.CONSUME(T.Comma) }, { ALT: () => this.CONSUME(T.Separator) }]);
      this.OPTION(() => {
        arms.push(this.SUBRULE2(this.arm));
      });
    });
    this.CONSUME(T.RightBrace);
    return this.ACTION((): Expression => ({ kind: "match", subject, arms, span: this.span(start) }));
  });

  readonly arm: ParserMethod<[], MatchArm> = this.RULE("arm", (): MatchArm => {
    const patterns: Expression[] = [];
    this.AT_LEAST_ONE_SEP({
      SEP: T.Or,
      DEF: () => {
        patterns.push(this.SUBRULE(this.pattern));
      },
    });
    this.CONSUME(T.Arrow);
    const body = this.OR<Block>([
      { GATE: () => this.LA(3).tokenType !== T.Colon, ALT: () => this.SUBRULE(this.braced) },
      {
        ALT: () => {
          const statement = this.SUBRULE(this.statement);
          return this.ACTION((): Block => ({ statements: [statement], span: statement.span }));
        },
      },
    ]);
    return this.ACTION((): MatchArm => {
      const kept: MatchArm["patterns"][number][] = [];
      let wildcard = false;
      for (const p of patterns) {
        if (p.kind === "name" && p.name === "_") wildcard = true;
        else if (p.kind === "name" || p.kind === "literal" || p.kind === "boolean" || p.kind === "field") kept.push(p);
      }
      return { patterns: kept, wildcard, body, span: this.span(patterns[0]?.span ?? body.span) };
    });
  });

  readonly pattern: ParserMethod<[], Expression> = this.RULE("pattern", (): Expression => {
    return this.OR<Expression>([
      { ALT: () => this.SUBRULE(this.literal) },
      {
        ALT: () => {
          const token = this.CONSUME(T.Name);
          let member: IToken | undefined;
          this.OPTION(() => {
            this.CONSUME(T.Dot);
            member = this.CONSUME2(T.Name);
          });
          return this.ACTION((): Expression => {
            const base: Expression = { kind: "name", name: token.image, span: tokenSpan(token) };
            if (member === undefined) return base;
            return { kind: "field", base, field: this.name(member), span: this.span(token) };
          });
        },
      },
    ]);
  });

  // ---- statements

  readonly block: ParserMethod<[], Block> = this.RULE("block", (): Block => {
    const statements: Statement[] = [];
    this.OPTION(() => {
      statements.push(this.SUBRULE(this.statement));
    });
    this.MANY(() => {
      this.CONSUME(T.Separator);
      this.OPTION2(() => {
        statements.push(this.SUBRULE2(this.statement));
      });
    });
    return this.ACTION((): Block => {
      const start = statements[0]?.span.start ?? 0;
      return { statements, span: { start, end: statements.at(-1)?.span.end ?? start } };
    });
  });

  readonly braced: ParserMethod<[], Block> = this.RULE("braced", (): Block => {
    const open = this.CONSUME(T.LeftBrace);
    const block = this.SUBRULE(this.block);
    this.CONSUME(T.RightBrace);
    return this.ACTION((): Block => ({ statements: block.statements, span: this.span(open) }));
  });

  readonly statement: ParserMethod<[], Statement> = this.RULE("statement", (): Statement => {
    this.enter();
    const node = this.OR<Statement>([
      { ALT: () => this.SUBRULE(this.letStatement) },
      { ALT: () => this.SUBRULE(this.ifStatement) },
      { ALT: () => this.SUBRULE(this.forStatement) },
      { ALT: () => this.SUBRULE(this.raiseStatement) },
      { ALT: () => this.SUBRULE(this.chooseStatement) },
      { ALT: () => this.SUBRULE(this.simpleStatement) },
    ]);
    this.leave();
    return node;
  });

  readonly letStatement: ParserMethod<[], Statement> = this.RULE("letStatement", (): Statement => {
    let mutable = false;
    const start = this.OR([
      { ALT: () => this.CONSUME(T.Let) },
      {
        ALT: () => {
          mutable = true;
          return this.CONSUME(T.Var);
        },
      },
    ]);
    const name = this.CONSUME(T.Name);
    let type: TypeNode | undefined;
    this.OPTION(() => {
      this.CONSUME(T.Colon);
      type = this.SUBRULE(this.type);
    });
    this.CONSUME(T.Assign);
    const value = this.SUBRULE(this.expression);
    return this.ACTION(
      (): Statement => ({ kind: "let", mutable, name: this.name(name), type, value, span: this.span(start) }),
    );
  });

  readonly ifStatement: ParserMethod<[], Statement> = this.RULE("ifStatement", (): Statement => {
    const start = this.CONSUME(T.If);
    const condition = this.SUBRULE(this.expression);
    const then = this.SUBRULE(this.braced);
    let otherwise: Block | undefined;
    this.OPTION(() => {
      this.CONSUME(T.Else);
      otherwise = this.OR<Block>([
        { ALT: () => this.SUBRULE2(this.braced) },
        {
          ALT: () => {
            this.enter();
            const nested = this.SUBRULE(this.ifStatement);
            this.leave();
            return this.ACTION((): Block => ({ statements: [nested], span: nested.span }));
          },
        },
      ]);
    });
    return this.ACTION((): Statement => ({ kind: "if", condition, then, else: otherwise, span: this.span(start) }));
  });

  readonly forStatement: ParserMethod<[], Statement> = this.RULE("forStatement", (): Statement => {
    const start = this.CONSUME(T.For);
    const variable = this.CONSUME(T.Name);
    this.CONSUME(T.In);
    const from = this.SUBRULE(this.expression);
    this.CONSUME(T.DotDot);
    const to = this.SUBRULE2(this.expression);
    const body = this.SUBRULE(this.braced);
    return this.ACTION(
      (): Statement => ({ kind: "for", variable: this.name(variable), from, to, body, span: this.span(start) }),
    );
  });

  readonly raiseStatement: ParserMethod<[], Statement> = this.RULE("raiseStatement", (): Statement => {
    const start = this.CONSUME(T.Raise);
    const trap = this.CONSUME(T.Name);
    let list: Expression[] = [];
    this.OPTION(() => {
      list = this.SUBRULE(this.argumentList);
    });
    return this.ACTION(
      (): Statement => ({ kind: "raise", trap: this.name(trap), arguments: list, span: this.span(start) }),
    );
  });

  readonly chooseStatement: ParserMethod<[], Statement> = this.RULE("chooseStatement", (): Statement => {
    const start = this.CONSUME(T.Choose);
    const name = this.CONSUME(T.Name);
    this.CONSUME(T.Colon);
    const type = this.SUBRULE(this.type);
    return this.ACTION((): Statement => ({ kind: "choose", name: this.name(name), type, span: this.span(start) }));
  });

  readonly simpleStatement: ParserMethod<[], Statement> = this.RULE("simpleStatement", (): Statement => {
    const target = this.SUBRULE(this.expression);
    let value: Expression | undefined;
    this.OPTION(() => {
      this.CONSUME(T.Assign);
      value = this.SUBRULE2(this.expression);
    });
    return this.ACTION((): Statement => {
      const span = this.span(target.span);
      if (value === undefined) return { kind: "expression", expression: target, span };
      return { kind: "assign", target, value, span };
    });
  });

  // ---- types and signatures

  readonly type: ParserMethod<[], TypeNode> = this.RULE("type", (): TypeNode => {
    this.enter();
    const head = this.CONSUME(T.Name);
    let argument: Expression | undefined;
    const members: { name: NameNode; type: TypeNode | undefined }[] = [];
    let braces = false;
    this.OPTION(() => {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(T.LeftParen);
            argument = this.SUBRULE(this.expression);
            this.CONSUME(T.RightParen);
          },
        },
        {
          ALT: () => {
            this.CONSUME(T.LeftBrace);
            braces = true;
            this.MANY_SEP({
              SEP: T.Comma,
              DEF: () => {
                const name = this.CONSUME2(T.Name);
                let type: TypeNode | undefined;
                this.OPTION2(() => {
                  this.CONSUME(T.Colon);
                  type = this.SUBRULE(this.type);
                });
                this.ACTION(() => members.push({ name: this.name(name), type }));
              },
            });
            this.CONSUME(T.RightBrace);
          },
        },
      ]);
    });
    let node = this.ACTION(() => this.typeNode(head, argument, braces ? members : undefined));
    this.MANY(() => {
      this.CONSUME(T.LeftBracket);
      const count = this.SUBRULE2(this.expression);
      this.CONSUME(T.RightBracket);
      node = this.ACTION((): TypeNode => ({ kind: "file", element: node, count, span: this.span(head) }));
    });
    this.leave();
    return node;
  });

  private typeNode(
    head: IToken,
    argument: Expression | undefined,
    members: readonly { readonly name: NameNode; readonly type: TypeNode | undefined }[] | undefined,
  ): TypeNode {
    const span = this.span(head);
    const wrong = (message: string): TypeNode => {
      this.problem("E_SYNTAX", span.start, message);
      return { kind: "bool", span };
    };
    switch (head.image) {
      case "bits":
        if (argument === undefined) return wrong("`bits` needs a width: `bits(32)`");
        return { kind: "bits", width: argument, span };
      case "bytes":
        if (argument === undefined) return wrong("`bytes` needs the width of an address: `bytes(32)`");
        return { kind: "bytes", address: argument, span };
      case "bool":
        if (argument !== undefined || members !== undefined) return wrong("`bool` takes nothing behind it");
        return { kind: "bool", span };
      case "number":
        if (argument !== undefined || members !== undefined) return wrong("`number` takes nothing behind it");
        return { kind: "number", span };
      case "enum": {
        if (members === undefined || members.length === 0) return wrong("`enum` needs its members: `enum { a, b }`");
        if (members.some((m) => m.type !== undefined))
          return wrong("members of an `enum` have no types; did you mean `record`?");
        return { kind: "enum", members: members.map((m) => m.name), span };
      }
      case "record": {
        const fields: { name: NameNode; type: TypeNode }[] = [];
        for (const { name, type } of members ?? []) {
          if (type === undefined) return wrong(`the field \`${name.name}\` needs a type: \`${name.name}: bits(32)\``);
          fields.push({ name, type });
        }
        if (fields.length === 0) return wrong("`record` needs its fields: `record { valid: bool }`");
        return { kind: "record", fields, span };
      }
      default:
        if (argument !== undefined || members !== undefined)
          return wrong(`\`${head.image}\` is no type constructor: those are bits, bytes, enum and record`);
        return { kind: "named", name: head.image, span };
    }
  }

  readonly signature: ParserMethod<[], Signature> = this.RULE("signature", (): Signature => {
    const name = this.CONSUME(T.Name);
    const parameters: { name: NameNode; type: TypeNode }[] = [];
    this.OPTION(() => {
      this.CONSUME(T.LeftParen);
      this.MANY_SEP({
        SEP: T.Comma,
        DEF: () => {
          const parameter = this.CONSUME2(T.Name);
          this.CONSUME(T.Colon);
          const type = this.SUBRULE(this.type);
          this.ACTION(() => parameters.push({ name: this.name(parameter), type }));
        },
      });
      this.CONSUME(T.RightParen);
    });
    let result: TypeNode | undefined;
    this.OPTION2(() => {
      this.CONSUME2(T.Colon);
      result = this.SUBRULE2(this.type);
    });
    return this.ACTION((): Signature => ({ name: this.name(name), parameters, result, span: this.span(name) }));
  });
}

function tokenSpan(token: IToken): Span {
  return { start: token.startOffset, end: token.startOffset + token.image.length };
}

function unaryOperator(token: IToken): UnaryOperator {
  if (token.tokenType === T.Not) return "!";
  return token.tokenType === T.Tilde ? "~" : "-";
}

function number(text: string): bigint {
  const plain = text.replaceAll("_", "");
  const digits = plain.slice(1);
  switch (plain[0]) {
    case "h":
      return BigInt(`0x${digits || "0"}`);
    case "b":
      return BigInt(`0b${digits || "0"}`);
    case "o":
      return BigInt(`0o${digits || "0"}`);
    case "d":
      return BigInt(digits || "0");
    default:
      return /^0[xXbB]$/.test(plain) ? 0n : BigInt(plain || "0");
  }
}

let parser: NotationParser | undefined;

function parse<N>(text: string, rule: (parser: NotationParser) => N): Parsed<N> {
  parser ??= new NotationParser();
  const { tokens, errors } = T.tokenize(text);
  const [lexing] = errors;
  if (lexing !== undefined) {
    const image = text.slice(lexing.offset, lexing.offset + Math.min(lexing.length, 20));
    return { ok: false, problems: [{ code: "E_SYNTAX", offset: lexing.offset, message: lexingMessage(image) }] };
  }
  parser.input = tokens;
  parser.reset_();
  let node: N;
  try {
    node = rule(parser);
  } catch (error) {
    if (!(error instanceof TooDeep)) throw error;
    const message = `nested too deeply: at most ${MAX_NESTING} levels and ${MAX_OPERATORS} operators in a row; split it with \`let\``;
    return { ok: false, problems: [{ code: "E_NESTING", offset: error.offset, message }] };
  }
  const problems = [...parser.problems];
  const [error] = parser.errors;
  if (error !== undefined) {
    const offset = Number.isNaN(error.token.startOffset) ? endOffset(text) : error.token.startOffset;
    problems.push({ code: "E_SYNTAX", offset, message: error.message });
  }
  return problems.length > 0 ? { ok: false, problems } : { ok: true, node };
}

function lexingMessage(image: string): string {
  if (/^[0-9]/.test(image)) return `\`${image}\` is no number: write 12, 0x1F, 0b101 or, with a width, 32'hFF`;
  return `\`${image}\` means nothing here`;
}

/** Where the text ends for a reader: before trailing blanks. */
function endOffset(text: string): number {
  return text.trimEnd().length;
}

/** Trees by text: the same files are read again and again, for each refinement and fault that names them. */
class Memo<N> {
  private readonly known = new Map<string, Parsed<N>>();
  private readonly rule: (parser: NotationParser) => N;

  constructor(rule: (parser: NotationParser) => N) {
    this.rule = rule;
  }

  parse(text: string): Parsed<N> {
    let parsed = this.known.get(text);
    if (parsed === undefined) {
      parsed = parse(text, this.rule);
      if (this.known.size >= MAX_KNOWN) this.known.clear();
      if (text.length <= MAX_KNOWN_TEXT) this.known.set(text, parsed);
    }
    return parsed;
  }
}

const MAX_KNOWN = 4000;
const MAX_KNOWN_TEXT = 10_000;

const blocks = new Memo((p) => p.block());
const types = new Memo((p) => p.type());
const signatures = new Memo((p) => p.signature());
const expressions = new Memo((p) => p.expression());

export function parseBlock(text: string): Parsed<Block> {
  return blocks.parse(text);
}

export function parseType(text: string): Parsed<TypeNode> {
  return types.parse(text);
}

export function parseSignature(text: string): Parsed<Signature> {
  return signatures.parse(text);
}

export function parseExpression(text: string): Parsed<Expression> {
  return expressions.parse(text);
}
