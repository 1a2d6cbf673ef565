/** Host code, instruction by instruction: decoded once, with each instruction's effect. */
import type { Decode } from "../execute/decoded.js";
import { fetchAt, numbersOf } from "../execute/decoded.js";
import { InternalDefect } from "../errors.js";
import type { DecodedInstruction } from "../decoded.js";
import type { DecodedForm, DecodedInstructionSet, Effect, Parameter } from "../machine.js";
import type { TranslatorRefinement } from "../refinement.js";
import type { Term } from "../terms/term.js";
import type { HelperCall, HostCode, Translation } from "../translation.js";
import type { Holes } from "./holes.js";

/** What the host does next: an instruction, or all that a helper does. */
export interface HostStep {
  readonly address: bigint;
  readonly name: string;
  /** Over the state before, the numbers and the choices. */
  readonly effect: Effect;
  readonly choices: readonly Parameter[];
  /** The values of the effect's parameters. */
  readonly numbers: ReadonlyMap<Term, Term>;
}

export interface HostInstruction extends HostStep {
  readonly kind: "instruction";
  readonly instruction: DecodedInstruction;
  readonly form: DecodedForm;
}

export type HostFetch =
  | HostInstruction
  | (HostStep & { readonly kind: "helper" })
  | { readonly kind: "outside" }
  | { readonly kind: "undecodable" }
  | { readonly kind: "unsupported"; readonly what: string };

export class Code {
  readonly host: HostCode;
  private readonly set: DecodedInstructionSet;
  private readonly refinement: Pick<TranslatorRefinement, "host" | "helpers">;
  private readonly calls: readonly HelperCall[];
  private readonly decode: Decode;
  private readonly holes: Holes | undefined;
  private readonly known = new Map<bigint, HostFetch>();

  /** `holes`: where the bytes are those of one case. */
  constructor(
    refinement: Pick<TranslatorRefinement, "host" | "helpers">,
    { host, calls }: Pick<Translation<unknown>, "host" | "calls">,
    decode: Decode,
    holes?: Holes,
  ) {
    const { decoded, name } = refinement.host;
    if (decoded === undefined) throw new InternalDefect(`${name} has no decoder`);
    this.set = decoded;
    this.refinement = refinement;
    this.host = host;
    this.calls = calls;
    this.decode = decode;
    this.holes = holes;
  }

  contains(address: bigint): boolean {
    const { address: start, code } = this.host;
    return address >= start && address < start + BigInt(code.length);
  }

  /** The instruction at `address`, or the helper that begins there. */
  at(address: bigint): HostFetch {
    let fetched = this.known.get(address);
    if (fetched === undefined) {
      fetched = this.fetch(address);
      this.known.set(address, fetched);
    }
    return fetched;
  }

  private fetch(address: bigint): HostFetch {
    if (!this.contains(address)) return this.helper(address);
    const { address: start, code } = this.host;
    const bytes = {
      fetchable: (a: bigint) => this.contains(a),
      byte: (a: bigint) => code[Number(a - start)] ?? 0,
    };
    const fetched = fetchAt(this.set, bytes, address, this.decode);
    switch (fetched.kind) {
      case "instruction": {
        const { instruction, form } = fetched;
        const numbers = numbersOf(form, instruction);
        for (const [term, value] of this.holes?.numbersAt(Number(address - start), instruction, form) ?? [])
          numbers.set(term, value);
        const { effect, choices } = form;
        return {
          kind: "instruction",
          address,
          name: instruction.mnemonic,
          instruction,
          form,
          effect,
          choices,
          numbers,
        };
      }
      case "unsupported":
        return { kind: "unsupported", what: fetched.reason };
      case "fault":
        return { kind: "outside" };
      case "illegal":
        return { kind: "undecodable" };
    }
  }

  private helper(address: bigint): HostFetch {
    const call = this.calls.find((c) => c.address === address);
    if (call === undefined) return { kind: "outside" };
    const helper = this.refinement.helpers.get(call.name);
    return helper === undefined
      ? { kind: "unsupported", what: `it calls \`${call.name}\`, of which the refinement's \`helpers\` say nothing` }
      : { kind: "helper", address, ...helper, numbers: new Map() };
  }

  /** The addresses at which instructions begin, read one after another from the start, up to the first that is none. */
  boundaries(): ReadonlySet<bigint> {
    const found = new Set<bigint>();
    let address = this.host.address;
    while (this.contains(address)) {
      const fetched = this.at(address);
      if (fetched.kind !== "instruction") break;
      found.add(address);
      address += BigInt(fetched.instruction.length);
    }
    return found;
  }
}
