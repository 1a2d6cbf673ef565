import { DESIGN, type Design } from "../design.js";
import type { Rules } from "../rules/rule.js";

/** A mistake, as the parts of the translator that it replaces; of the rules, some. */
export type Fault = Partial<Omit<Design, "rules">> & { readonly rules?: Rules };

/** By the names in refinement.yaml, which tells what each is and where it is known from. */
export type Faults = Readonly<Record<string, Fault>>;

/** The translator with the fault in it. */
export function withFault({ rules, ...parts }: Fault): Design {
  return { ...DESIGN, ...parts, rules: { ...DESIGN.rules, ...rules } };
}
