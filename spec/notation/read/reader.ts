/**
 * Reading what is expected out of a YAML tree. The schema has said before what is something else; what it let pass and this
 * does not is reported here.
 */
import type { Place } from "../../../refinement/errors.js";
import { type Diagnostics, didYouMean } from "../diagnostics.js";
import type { Block, Expression, Signature, TypeNode } from "../syntax/ast.js";
import { type Parsed, parseBlock, parseExpression, parseSignature, parseType } from "../syntax/parser.js";
import type { SourceText } from "../yaml/source-text.js";
import { kindOf, type Yaml, type YamlEntry, type YamlMapping, type YamlScalar } from "../yaml/tree.js";

export class Reader {
  readonly diagnostics: Diagnostics;

  constructor(diagnostics: Diagnostics) {
    this.diagnostics = diagnostics;
  }

  private structure(place: Place, message: string): undefined {
    this.diagnostics.reportOnce("E_STRUCTURE", place, message);
    return undefined;
  }

  /** A mapping with no keys but `known`. */
  mapping(node: Yaml | undefined, what: string, known?: readonly string[]): YamlMapping | undefined {
    if (node === undefined) return undefined;
    if (node.kind !== "mapping")
      return this.structure(node.place, `${what} must be a mapping (\`key: value\` lines), not ${kindOf(node)}`);
    if (known !== undefined) {
      for (const { key } of node.entries) {
        if (known.includes(key.text)) continue;
        const list = didYouMean(key.text, known) || `; known are ${known.join(", ")}`;
        this.diagnostics.reportOnce("E_KEY", key.place, `${what} has no key \`${key.text}\`${list}`);
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
    if (node.kind !== "scalar" || node.value === null)
      return this.structure(node.place, `${what} must be a string, not ${kindOf(node)}`);
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
    for (const { code, offset, message } of result.problems)
      this.diagnostics.report(code, source.place(offset), message);
    return undefined;
  }
}
