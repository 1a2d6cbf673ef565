/**
 * Tokens of the notation. A statement ends at a line's end or a `;`; a line goes on where it cannot have ended: inside
 * parentheses and brackets, after an operator or a comma, and before an operator, `else`, `then` or `with`.
 */
import type { ILexingError, IToken, Lexer as LexerType, TokenType } from "chevrotain";
import { chevrotain } from "./chevrotain.js";

const { createToken, Lexer } = chevrotain;

const WORD_END = /(?![A-Za-z0-9_])/.source;

export const Name = createToken({ name: "Name", pattern: /[A-Za-z_][A-Za-z0-9_]*/ });

function keyword(word: string): TokenType {
  return createToken({ name: word, pattern: word, longer_alt: Name });
}

/** Words that are keywords in one place only and plain names elsewhere. */
function contextual(word: string): TokenType {
  return createToken({ name: word, pattern: word, longer_alt: Name, categories: [Name] });
}

export const Let = keyword("let");
export const Var = keyword("var");
export const If = keyword("if");
export const Else = keyword("else");
export const For = keyword("for");
export const In = keyword("in");
export const Raise = keyword("raise");
export const Choose = keyword("choose");
export const Match = keyword("match");
export const True = keyword("true");
export const False = keyword("false");
export const Then = contextual("then");
export const With = contextual("with");

export const SizedNumber = createToken({
  name: "SizedNumber",
  pattern: /[0-9]+'(?:h[0-9A-Fa-f_]+|b[01_]+|o[0-7_]+|d[0-9_]+)(?![A-Za-z0-9_])/,
});
export const Number_ = createToken({
  name: "Number",
  pattern: /(?:0[xX][0-9A-Fa-f_]+|0[bB][01_]+|[0-9][0-9_]*)(?![A-Za-z0-9_'])/,
});

/** All binary operators, one category: precedence is the parser's table. */
export const Binary = createToken({ name: "Binary", pattern: Lexer.NA });

function binary(name: string, pattern: RegExp): TokenType {
  return createToken({ name, pattern, categories: [Binary] });
}

const Concat = binary("++", /\+\+/);
const Plus = binary("+", /\+/);
export const Minus = binary("-", /-/);
const Times = binary("*", /\*/);
const OrOr = binary("||", /\|\|/);
const AndAnd = binary("&&", /&&/);
export const Or = binary("|", /\|/);
const And = binary("&", /&/);
const Xor = binary("^", /\^/);
const Equal = binary("==", /==/);
const NotEqual = binary("!=", /!=/);
const signed = [
  ["<<", /<</],
  [">>u", />>u/],
  [">>s", />>s/],
  ["<=u", /<=u/],
  ["<=s", /<=s/],
  [">=u", />=u/],
  [">=s", />=s/],
  ["<u", /<u/],
  ["<s", /<s/],
  [">u", />u/],
  [">s", />s/],
  ["/u", /\/u/],
  ["/s", /\/s/],
  ["%u", /%u/],
  ["%s", /%s/],
] as const;
const Signed = signed.map(([name, pattern]) =>
  binary(name, name === "<<" ? pattern : new RegExp(pattern.source + WORD_END)),
);
/** Operators written without the suffix that says unsigned or signed: parsed, then reported. */
const Unsigned = (
  [
    [">>", />>/],
    ["<=", /<=/],
    [">=", />=/],
    ["<", /</],
    [">", />/],
    ["/", /\//],
    ["%", /%/],
  ] as const
).map(([name, pattern]) => binary(name, pattern));

export const Not = createToken({ name: "!", pattern: /!/ });
export const Tilde = createToken({ name: "~", pattern: /~/ });
export const Arrow = createToken({ name: "=>", pattern: /=>/ });
export const Assign = createToken({ name: "=", pattern: /=/ });
export const DotDot = createToken({ name: "..", pattern: /\.\./ });
export const Dot = createToken({ name: ".", pattern: /\./ });
export const Question = createToken({ name: "?", pattern: /\?/ });
export const Colon = createToken({ name: ":", pattern: /:/ });
export const Comma = createToken({ name: ",", pattern: /,/ });
export const LeftParen = createToken({ name: "(", pattern: /\(/ });
export const RightParen = createToken({ name: ")", pattern: /\)/ });
export const LeftBracket = createToken({ name: "[", pattern: /\[/ });
export const RightBracket = createToken({ name: "]", pattern: /\]/ });
export const LeftBrace = createToken({ name: "{", pattern: /\{/ });
export const RightBrace = createToken({ name: "}", pattern: /\}/ });
/** A line's end or a `;` that ends a statement. */
export const Separator = createToken({ name: "end of statement", pattern: /;/ });
const NewLine = createToken({ name: "NewLine", pattern: /\r?\n|\r/, categories: [Separator] });
const Blank = createToken({ name: "Blank", pattern: /[ \t]+/, group: Lexer.SKIPPED });
const Comment = createToken({ name: "Comment", pattern: /#[^\n\r]*/, group: Lexer.SKIPPED });

export const tokenTypes: TokenType[] = [
  Blank,
  Comment,
  NewLine,
  Separator,
  SizedNumber,
  Number_,
  Let,
  Var,
  If,
  Else,
  For,
  In,
  Raise,
  Choose,
  Match,
  True,
  False,
  Then,
  With,
  Name,
  Binary,
  Arrow,
  OrOr,
  AndAnd,
  Equal,
  NotEqual,
  ...Signed,
  ...Unsigned,
  Concat,
  Plus,
  Minus,
  Times,
  Or,
  And,
  Xor,
  Not,
  Tilde,
  Assign,
  DotDot,
  Dot,
  Question,
  Colon,
  Comma,
  LeftParen,
  RightParen,
  LeftBracket,
  RightBracket,
  LeftBrace,
  RightBrace,
];

const openers = new Set([LeftParen, LeftBracket, LeftBrace]);
const closers = new Set([RightParen, RightBracket, RightBrace]);
// biome-ignore format: one line of tokens reads better than a column
const goesOnAfter = new Set([Not, Tilde, Arrow, Assign, DotDot, Dot, Question, Colon, Comma, LeftParen, LeftBracket, LeftBrace]);
const goesOnBefore = new Set([Question, Colon, Else, Then, With, Arrow, Assign, Dot, RightBrace]);

function isBinary(type: TokenType): boolean {
  return type.CATEGORIES?.includes(Binary) ?? false;
}

export interface Tokens {
  readonly tokens: IToken[];
  readonly errors: readonly ILexingError[];
}

let lexer: LexerType | undefined;

export function tokenize(text: string): Tokens {
  lexer ??= new Lexer(tokenTypes, { positionTracking: "onlyOffset", ensureOptimizations: false, safeMode: false });
  const { tokens, errors } = lexer.tokenize(text);
  const kept: IToken[] = [];
  const open: TokenType[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (token === undefined) continue;
    if (token.tokenType === NewLine || token.tokenType === Separator) {
      const next = tokens[i + 1];
      if (token.tokenType === NewLine && !endsStatement(kept.at(-1), next, open.at(-1))) continue;
      // Several in a row are one.
      if (kept.at(-1)?.tokenType === Separator) continue;
      kept.push(
        token.tokenType === Separator ? token : { ...token, tokenType: Separator, tokenTypeIdx: separatorIndex() },
      );
      continue;
    }
    if (openers.has(token.tokenType)) {
      open.push(token.tokenType);
    } else if (closers.has(token.tokenType)) {
      open.pop();
    }
    kept.push(token);
  }
  return { tokens: kept, errors };
}

function separatorIndex(): number {
  return Separator.tokenTypeIdx ?? 0;
}

function endsStatement(before: IToken | undefined, after: IToken | undefined, inside: TokenType | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  if (inside === LeftParen || inside === LeftBracket) return false;
  if (goesOnAfter.has(before.tokenType) || isBinary(before.tokenType)) return false;
  return !(goesOnBefore.has(after.tokenType) || isBinary(after.tokenType));
}
