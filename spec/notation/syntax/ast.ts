/** The tree of the notation. Every node knows where it stands: offsets into the string that it was read from. */

/** Half-open: `start` is the first character's offset, `end` one past the last's. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface NameNode {
  readonly name: string;
  readonly span: Span;
}

/** `12`, `0x1F` (width undefined), `32'hFF`. */
export interface LiteralNode {
  readonly kind: "literal";
  readonly value: bigint;
  readonly width: number | undefined;
  readonly span: Span;
}

export interface BooleanNode {
  readonly kind: "boolean";
  readonly value: boolean;
  readonly span: Span;
}

export interface VariableNode {
  readonly kind: "name";
  readonly name: string;
  readonly span: Span;
}

/** `f(a, b)`, also the built-in `sext`, `zext`, `bits`, `bool`, `accessible`. */
export interface CallNode {
  readonly kind: "call";
  readonly callee: NameNode;
  readonly arguments: readonly Expression[];
  readonly span: Span;
}

export interface FieldNode {
  readonly kind: "field";
  readonly base: Expression;
  readonly field: NameNode;
  readonly span: Span;
}

/** `e[i]`: an element, a bit. */
export interface IndexNode {
  readonly kind: "index";
  readonly base: Expression;
  readonly index: Expression;
  readonly span: Span;
}

/** `e[hi:lo]` */
export interface SliceNode {
  readonly kind: "slice";
  readonly base: Expression;
  readonly hi: Expression;
  readonly lo: Expression;
  readonly span: Span;
}

/** `m[address, bytes]` */
export interface AccessNode {
  readonly kind: "access";
  readonly base: Expression;
  readonly address: Expression;
  readonly bytes: Expression;
  readonly span: Span;
}

export type UnaryOperator = "!" | "~" | "-";

export interface UnaryNode {
  readonly kind: "unary";
  readonly operator: UnaryOperator;
  readonly operand: Expression;
  readonly span: Span;
}

export const comparisons = ["==", "!=", "<u", "<=u", ">u", ">=u", "<s", "<=s", ">s", ">=s"] as const;
export const shifts = ["<<", ">>u", ">>s"] as const;
export const arithmetic = ["|", "^", "&", "+", "-", "*", "/u", "/s", "%u", "%s"] as const;
export const logical = ["||", "&&"] as const;
export type Comparison = (typeof comparisons)[number];
export type Shift = (typeof shifts)[number];
export type Arithmetic = (typeof arithmetic)[number];
export type Logical = (typeof logical)[number];

interface BinaryOf<K extends string, O> {
  readonly kind: K;
  readonly operator: O;
  readonly left: Expression;
  readonly right: Expression;
  readonly span: Span;
}
export type ComparisonNode = BinaryOf<"comparison", Comparison>;
export type ShiftNode = BinaryOf<"shift", Shift>;
export type ArithmeticNode = BinaryOf<"arithmetic", Arithmetic>;
export type LogicalNode = BinaryOf<"logical", Logical>;
export type ConcatNode = BinaryOf<"concat", "++">;

export interface ConditionalNode {
  readonly kind: "conditional";
  readonly condition: Expression;
  readonly then: Expression;
  readonly else: Expression;
  readonly span: Span;
}

export interface RecordNode {
  readonly kind: "record";
  readonly fields: readonly { readonly name: NameNode; readonly value: Expression }[];
  readonly span: Span;
}

/** `_` (no patterns) or `a | b`: names and literals. */
export interface MatchArm {
  readonly patterns: readonly (LiteralNode | VariableNode | BooleanNode | FieldNode)[];
  readonly wildcard: boolean;
  readonly body: Block;
  readonly span: Span;
}

export interface MatchNode {
  readonly kind: "match";
  readonly subject: Expression;
  readonly arms: readonly MatchArm[];
  readonly span: Span;
}

/** Only in `steps`: `S then S`. */
export interface ThenNode {
  readonly kind: "then";
  readonly first: Expression;
  readonly second: Expression;
  readonly span: Span;
}

/** Only in `steps`: `S with choice = e, …`. */
export interface WithNode {
  readonly kind: "with";
  readonly step: Expression;
  readonly choices: readonly { readonly name: NameNode; readonly value: Expression }[];
  readonly span: Span;
}

export type Expression =
  | LiteralNode
  | BooleanNode
  | VariableNode
  | CallNode
  | FieldNode
  | IndexNode
  | SliceNode
  | AccessNode
  | UnaryNode
  | ComparisonNode
  | ShiftNode
  | ArithmeticNode
  | LogicalNode
  | ConcatNode
  | ConditionalNode
  | RecordNode
  | MatchNode
  | ThenNode
  | WithNode;

export interface LetStatement {
  readonly kind: "let";
  readonly mutable: boolean;
  readonly name: NameNode;
  readonly type: TypeNode | undefined;
  readonly value: Expression;
  readonly span: Span;
}

export interface AssignStatement {
  readonly kind: "assign";
  readonly target: Expression;
  readonly value: Expression;
  readonly span: Span;
}

export interface IfStatement {
  readonly kind: "if";
  readonly condition: Expression;
  readonly then: Block;
  readonly else: Block | undefined;
  readonly span: Span;
}

export interface ForStatement {
  readonly kind: "for";
  readonly variable: NameNode;
  readonly from: Expression;
  /** Exclusive. */
  readonly to: Expression;
  readonly body: Block;
  readonly span: Span;
}

export interface RaiseStatement {
  readonly kind: "raise";
  readonly trap: NameNode;
  readonly arguments: readonly Expression[];
  readonly span: Span;
}

export interface ChooseStatement {
  readonly kind: "choose";
  readonly name: NameNode;
  readonly type: TypeNode;
  readonly span: Span;
}

/** A call, a `match`, or (last in a block) the block's value. */
export interface ExpressionStatement {
  readonly kind: "expression";
  readonly expression: Expression;
  readonly span: Span;
}

export type Statement =
  | LetStatement
  | AssignStatement
  | IfStatement
  | ForStatement
  | RaiseStatement
  | ChooseStatement
  | ExpressionStatement;

export interface Block {
  readonly statements: readonly Statement[];
  readonly span: Span;
}

/**
 * `bits(n)`, `bool`, `bytes(n)`, `enum { a, b }`, `record { f: T }`, a declared name; with `[n]` behind it a file. `number`, of a
 * function's parameter alone, is a constant without a width.
 */
export type TypeNode =
  | { readonly kind: "number"; readonly span: Span }
  | { readonly kind: "bits"; readonly width: Expression; readonly span: Span }
  | { readonly kind: "bool"; readonly span: Span }
  | { readonly kind: "bytes"; readonly address: Expression; readonly span: Span }
  | { readonly kind: "enum"; readonly members: readonly NameNode[]; readonly span: Span }
  | {
      readonly kind: "record";
      readonly fields: readonly { readonly name: NameNode; readonly type: TypeNode }[];
      readonly span: Span;
    }
  | { readonly kind: "named"; readonly name: string; readonly span: Span }
  | { readonly kind: "file"; readonly element: TypeNode; readonly count: Expression; readonly span: Span };

/** `name(p: T, …): T`, each part after the name optional. */
export interface Signature {
  readonly name: NameNode;
  readonly parameters: readonly { readonly name: NameNode; readonly type: TypeNode }[];
  readonly result: TypeNode | undefined;
  readonly span: Span;
}

/** One part of an encoding row. */
export type RowPart =
  | { readonly kind: "constant"; readonly bits: string; readonly span: Span }
  | {
      readonly kind: "field";
      readonly name: string;
      /** High and low bit of each piece, the highest in the word first; undefined where the row gives no bit list. */
      readonly pieces: readonly { readonly hi: number; readonly lo: number }[] | undefined;
      readonly span: Span;
    };
