/** The part of JSON Schema (draft 7) that the schemas of this project are written in. */
export interface Schema {
  readonly $schema?: string;
  readonly $id?: string;
  /** What it is called in messages: "a state variable". */
  readonly title?: string;
  readonly description?: string;
  readonly type?: TypeName | readonly TypeName[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | false;
  readonly items?: Schema;
  readonly minimum?: number;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly if?: Schema;
  readonly then?: Schema;
  readonly else?: Schema;
}

export type TypeName = "object" | "array" | "string" | "number" | "integer" | "boolean" | "null";

export const DRAFT = "http://json-schema.org/draft-07/schema#";

/** A string of the notation, or a number or truth value as YAML reads it from one (`00110011`, `true`). */
export function text(title: string, description: string): Schema {
  return { title, description, type: ["string", "number", "boolean"] };
}

/** A mapping from names of the user's to `item`. */
export function mappingOf(title: string, description: string, item: Schema): Schema {
  return { title, description, type: ["object", "null"], additionalProperties: item };
}

/** A mapping with these keys and no others. */
export function record(
  title: string,
  description: string,
  properties: Readonly<Record<string, Schema>>,
  required: readonly string[] = [],
): Schema {
  return { title, description, type: "object", properties, required, additionalProperties: false };
}

export function listOf(title: string, description: string, items: Schema): Schema {
  return { title, description, type: ["array", "null"], items };
}

/** `other` where the value is a mapping, `plain` where it is anything else. */
export function mappingOr(mapping: Schema, plain: Schema): Schema {
  return {
    ...(mapping.title === undefined ? {} : { title: mapping.title }),
    ...(mapping.description === undefined ? {} : { description: mapping.description }),
    if: { type: "object" },
    // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
    then: mapping,
    else: plain,
  };
}
