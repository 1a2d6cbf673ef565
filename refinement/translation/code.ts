/** Host code, instruction by instruction: decoded once, with each instruction's effect. */
import type { Decode } from "../execute/decoded.js";
import { fetchAt, numbersOf } from "../execute/decoded.js";
import { InternalDefect } from "../errors.js";
import type { DecodedInstruction } from "../decoded.js";
import type { DecodedForm, DecodedInstructionSet, Machine } from "../machine.js";
import type { Term } from "../terms/term.js";
import type { HostCode } from "../translation.js";

export interface HostInstruction {
  readonly kind: "instruction";
  readonly address: bigint;
  readonly instruction: DecodedInstruction;
  readonly form: DecodedForm;
  /** The form's parameters and their values here. */
  readonly numbers: ReadonlyMap<Term, Term>;
}

export type HostFetch =
  | HostInstruction
  | { readonly kind: "outside" }
  | { readonly kind: "undecodable" }
  | { readonly kind: "unsupported"; readonly what: string };

export class Code {
  readonly host: HostCode;
  private readonly set: DecodedInstructionSet;
  private readonly decode: Decode;
  private readonly known = new Map<bigint, HostFetch>();

  constructor(machine: Machine, host: HostCode, decode: Decode) {
    if (machine.decoded === undefined) throw new InternalDefect(`${machine.name} has no decoder`);
    this.set = machine.decoded;
    this.host = host;
    this.decode = decode;
  }

  contains(address: bigint): boolean {
    const { address: start, code } = this.host;
    return address >= start && address < start + BigInt(code.length);
  }

  /** The instruction at `address`. */
  at(address: bigint): HostFetch {
    let fetched = this.known.get(address);
    if (fetched === undefined) {
      fetched = this.fetch(address);
      this.known.set(address, fetched);
    }
    return fetched;
  }

  private fetch(address: bigint): HostFetch {
    if (!this.contains(address)) return { kind: "outside" };
    const { address: start, code } = this.host;
    const bytes = {
      fetchable: (a: bigint) => this.contains(a),
      byte: (a: bigint) => code[Number(a - start)] ?? 0,
    };
    const fetched = fetchAt(this.set, bytes, address, this.decode);
    switch (fetched.kind) {
      case "instruction": {
        const { instruction, form } = fetched;
        return { kind: "instruction", address, instruction, form, numbers: numbersOf(form, instruction) };
      }
      case "unsupported":
        return { kind: "unsupported", what: fetched.reason };
      case "fault":
        return { kind: "outside" };
      case "illegal":
        return { kind: "undecodable" };
    }
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
