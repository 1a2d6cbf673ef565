/** Reading what is expected out of a YAML tree; what is something else is reported where it stands. */
import type { Place } from "../../../refinement/errors.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import type { Block, Expression, Signature, TypeNode } from "../syntax/ast.js";
import { type Parsed, parseBlock, parseExpression, parseSignature, parseType } from "../syntax/parser.js";
import type { SourceText } from "../yaml/source-text.js";
import type { Yaml, YamlEntry, YamlMapping, YamlScalar } from "../yaml/tree.js";

export class Reader {
  readonly diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.diagnostics = diagnostics;
  }

  private structure(place: Place, message: string): undefined {
    this.diagnostics.report("E_STRUCTURE", place, message);
    return undefined;
  }

  /** A mapping with no keys but `known`. */
  mapping(node: Yaml | undefined, what: string, known?: readonly string[]): YamlMapping | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== "mapping") return this.structure(node.place, `${what} must be a mapping (\`key: value\` lines), not ${kindOf(node)}`);
    if (known !== undefined) {
      for (const { key } of node.entries) {
        if (known.includes(key.text)) continue;
        const list = didYouMean(key.text, known) || `; known are ${known.join(", ")}`;
        this.diagnostics.report("E_KEY", key.place, `${what} has no key \`${key.text}\`${list}`);
      }
    }
    return node;
  }

  /** Entries of a mapping from names to something; an empty entry (`traps:` with nothing behind it) has none. */
  entries(node: Yaml | undefined, what: string): readonly YamlEntry[] {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return [];
    return this.mapping(node, what)?.entries ?? [];
  }

  /** A string, or a number or boolean as written. */
  scalar(node: Yaml | undefined, what: string): YamlScalar | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== "scalar" || node.value === null) return this.structure(node.place, `${what} must be a string, not ${kindOf(node)}`);
    return node;
  }

  text(node: Yaml | undefined, what: string): string | undefined {
    return this.scalar(node, what)?.text;
  }

  boolean(node: Yaml | undefined, what: string): boolean | undefined {
    if (node === undefined) return undefined;
    if (node.kind === "scalar" && typeof node.value === "boolean") return node.value;
    return this.structure(node.place, `${what} must be true or false, not ${kindOf(node)}`);
  }

  integer(node: Yaml | undefined, what: string): bigint | undefined {
    if (node === undefined) return undefined;
    if (node.kind === "scalar" && typeof node.value === "bigint") return node.value;
    return this.structure(node.place, `${what} must be a whole number, not ${kindOf(node)}`);
  }

  list(node: Yaml | undefined, what: string): readonly Yaml[] {
    if (node === undefined || (node.kind === "scalar" && node.value === null)) return [];
    if (node.kind === "sequence") return node.items;
    this.structure(node.place, `${what} must be a list, not ${kindOf(node)}`);
    return [];
  }

  block(scalar: YamlScalar | undefined): Block | undefined {
    return scalar === undefined ? undefined : this.parsed(scalar.source, parseBlock(scalar.source.text));
  }

  expression(scalar: YamlScalar | undefined): Expression | undefined {
    return scalar === undefined ? undefined : this.parsed(scalar.source, parseExpression(scalar.source.text));
  }

  type(scalar: YamlScalar | undefined): TypeNode | undefined {
    return scalar === undefined ? undefined : this.parsed(scalar.source, parseType(scalar.source.text));
  }

  signature(scalar: YamlScalar | undefined): Signature | undefined {
    return scalar === undefined ? undefined : this.parsed(scalar.source, parseSignature(scalar.source.text));
  }

  private parsed<N>(source: SourceText, result: Parsed<N>): N | undefined {
    if (result.ok) return result.node;
    for (const { code, offset, message } of result.problems) this.diagnostics.report(code, source.place(offset), message);
    return undefined;
  }
}

export function kindOf(node: Yaml): string {
  switch (node.kind) {
    case "mapping":
      return "a mapping";
    case "sequence":
      return "a list";
    case "scalar":
      return node.value === null ? "nothing" : `\`${node.text.length > 40 ? `${node.text.slice(0, 37)}…` : node.text}\``;
    default: {
      const never: never = node;
      return never;
    }
  }
}
