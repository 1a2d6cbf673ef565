/** Instructions that a library decodes: for each form of operands that is met, the effect of its block, elaborated once. */
import {
  type DecodedInstruction,
  DECODERS,
  type MemoryOperand,
  type Operand,
  type Segment,
} from "../../../refinement/decoded.js";
import type {
  DecodedBlock,
  DecodedForm,
  DecodedInstructionSet,
  Parameter,
  UnsupportedForm,
} from "../../../refinement/machine.js";
import * as build from "../../../refinement/terms/build.js";
import type { Term } from "../../../refinement/terms/term.js";
import { Diagnostics, didYouMean } from "../diagnostics.js";
import { memoryAccess } from "../elaborate/parts.js";
import { newContext } from "../elaborate/elaborator.js";
import type { Conventions, OperandPlace } from "../elaborate/operand.js";
import { placeOf, readPlace } from "../elaborate/places.js";
import { bitsType } from "../elaborate/types.js";
import { integer, type Val } from "../elaborate/value.js";
import { PURE } from "../elaborate/world.js";
import type { BlockEntry, Definition, InstructionEntry } from "../read/definition.js";
import type { YamlScalar } from "../yaml/tree.js";
import { nextOf } from "./fetching.js";
import { assignedNames } from "./field-widths.js";
import { accepts, blockOf, overlap, samples } from "./operand-pattern.js";
import { conditionOf, type Elaboration, effectOf, type Given, type Next } from "./transitions.js";

export function decodedSet(definition: Definition, elaboration: Elaboration): DecodedInstructionSet | undefined {
  const { diagnostics } = elaboration;
  const { decoder, fetch } = definition;
  if (decoder === undefined) return undefined;
  if (!DECODERS.some((name) => name === decoder.name)) {
    diagnostics.report(
      "E_UNSUPPORTED",
      decoder.place,
      `no decoder library \`${decoder.name}\` is connected; known: ${DECODERS.join(", ")}`,
    );
    return undefined;
  }
  for (const { encoding, except, assembly, place, name } of definition.instructions)
    if (encoding !== undefined || except !== undefined || assembly !== undefined)
      diagnostics.report(
        "E_STRUCTURE",
        place,
        `\`${name}\` has an encoding, an exception or a syntax, and \`${decoder.name}\` decodes this machine's instructions; name its \`operands\``,
      );
  if (fetch === undefined) {
    diagnostics.report(
      "E_FETCH",
      decoder.place,
      'a machine with a decoder needs `fetch`: where the next instruction stands and how long one can be, as in { from: "mem[rip, 15]" }',
    );
    return undefined;
  }
  const from = fetchedFrom(definition, elaboration);
  const next = nextOf(definition, elaboration, fetch);
  const conventions = conventionsOf(definition, elaboration);
  if (from === undefined || next === undefined || conventions === undefined) return undefined;
  const blocks = definition.instructions.map((entry) => ({ entry, block: blockOf(entry, diagnostics) }));
  blocks.forEach(({ entry, block }, i) => {
    const other = blocks.slice(0, i).find((b) => overlap(b.block, block));
    if (other !== undefined)
      diagnostics.report(
        "E_OVERLAP",
        entry.place,
        `\`${block.name}\` and \`${other.block.name}\` are both for some operands of \`${block.mnemonic}\`; give kinds or widths that keep them apart`,
      );
  });
  const forms = new Forms(elaboration, conventions, next, blocks);
  for (const { entry, block } of diagnostics.thorough ? blocks : [])
    for (const sample of samples(block)) forms.elaborate(entry, block, sample, elaboration);
  return {
    decoder: decoder.name,
    programCounter: next.programCounter,
    ...from,
    registers: conventions.registers,
    segments: conventions.segments,
    blocks: blocks.map((b) => b.block),
    form: (instruction) => forms.of(instruction),
  };
}

function fetchedFrom(
  { fetch }: Definition,
  { world, diagnostics, budget }: Elaboration,
): Pick<DecodedInstructionSet, "memory" | "address" | "most" | "illegal" | "overlong"> | undefined {
  const from = fetch?.from;
  if (fetch === undefined || from === undefined) return undefined;
  const [statement] = from.block.statements;
  const node = statement?.kind === "expression" ? statement.expression : undefined;
  const cx = newContext(world, diagnostics, from.unit, PURE, { budget });
  const place = node?.kind === "access" ? placeOf(cx, node.base) : undefined;
  if (node?.kind !== "access" || place?.kind !== "place" || place.place.state === undefined) {
    diagnostics.report("E_FETCH", from.place, "a decoder reads from a memory of the state, as in mem[rip, 15]");
    return undefined;
  }
  const at = memoryAccess(cx, node, readPlace(cx, place.place));
  if (at === undefined) return undefined;
  const trapOf = (entry: BlockEntry | undefined): string | undefined => {
    const name = entry?.unit.source.text.trim();
    const known = world.trap?.table.traps ?? [];
    if (entry !== undefined && name !== undefined && !known.some((t) => t.name === name && t.parameters.length === 0))
      diagnostics.report(
        "E_TRAP",
        entry.place,
        `\`${name}\` is no trap without arguments${didYouMean(
          name,
          known.map((t) => t.name),
        )}`,
      );
    return name;
  };
  return {
    memory: place.place.state.name,
    address: at.address,
    most: at.bytes,
    illegal: trapOf(fetch.illegal),
    overlong: trapOf(fetch.overlong),
  };
}

/** As many as the encoding of an x86-64 instruction can name. */
const REGISTERS = 16;

interface Known extends Conventions {
  readonly registers: readonly string[];
}

function conventionsOf(definition: Definition, { world, diagnostics }: Elaboration): Known | undefined {
  const entry = definition.operands;
  if (entry === undefined) {
    diagnostics.report(
      "E_STRUCTURE",
      definition.decoder?.place ?? definition.place,
      "a machine with a decoder needs `operands`: its registers, how a narrow write changes one, and its memory",
    );
    return undefined;
  }
  const isRegister = (name: string): boolean => {
    const type = world.state.get(name)?.type;
    return type?.kind === "bits" && type.width === 64;
  };
  const variable = (scalar: YamlScalar): string => {
    if (!isRegister(scalar.text) && !world.broken.has(scalar.text))
      diagnostics.report(
        "E_REGISTERS",
        scalar.place,
        `\`${scalar.text}\` is no state variable of 64 bits${didYouMean(scalar.text, [...world.state.keys()].filter(isRegister))}`,
      );
    return scalar.text;
  };
  const segments = new Map<Segment, string>();
  for (const { segment, base } of entry.segments) {
    if (segment === "fs" || segment === "gs") segments.set(segment, variable(base));
    else diagnostics.report("E_REGISTERS", base.place, `\`${segment}\` is no segment with a base; fs and gs have one`);
  }
  const registers = entry.registers.map(variable);
  if (registers.length !== REGISTERS)
    diagnostics.report(
      "E_REGISTERS",
      entry.place,
      `\`registers\` names ${registers.length} variables; the decoder's registers are ${REGISTERS}`,
    );
  const { memory, write, access } = entry;
  if (memory === undefined || write === undefined) return undefined;
  const type = world.state.get(memory.text)?.type;
  if (type?.kind !== "memory" || type.address !== 64) {
    diagnostics.report("E_REGISTERS", memory.place, `\`${memory.text}\` is no memory with 64-bit addresses`);
    return undefined;
  }
  const sound = registers.length === REGISTERS && [...registers, ...segments.values()].every(isRegister);
  return sound ? { registers, segments, memory: memory.text, write, access } : undefined;
}

interface Entry {
  readonly entry: InstructionEntry;
  readonly block: DecodedBlock;
}

class Forms {
  private readonly elaboration: Elaboration;
  private readonly conventions: Known;
  private readonly next: Next;
  private readonly byMnemonic = new Map<string, Entry[]>();
  private readonly known = new Map<string, DecodedForm | UnsupportedForm>();

  constructor(elaboration: Elaboration, conventions: Known, next: Next, blocks: readonly Entry[]) {
    this.elaboration = elaboration;
    this.conventions = conventions;
    this.next = next;
    for (const b of blocks) {
      const same = this.byMnemonic.get(b.block.mnemonic);
      if (same === undefined) this.byMnemonic.set(b.block.mnemonic, [b]);
      else same.push(b);
    }
  }

  of(instruction: DecodedInstruction): DecodedForm | UnsupportedForm {
    const key = keyOf(instruction);
    let form = this.known.get(key);
    if (form === undefined) {
      form = this.find(instruction);
      this.known.set(key, form);
    }
    return form;
  }

  private find(instruction: DecodedInstruction): DecodedForm | UnsupportedForm {
    const { mnemonic } = instruction;
    const entries = this.byMnemonic.get(mnemonic);
    if (entries === undefined) return unsupported(`there is no instruction \`${mnemonic}\``);
    const found = entries.find(({ block }) => accepts(block, instruction));
    if (found === undefined) return unsupported(`\`${mnemonic}\` has no form with operands ${describe(instruction)}`);
    const diagnostics = new Diagnostics();
    const { world, handler } = this.elaboration;
    const form = this.elaborate(found.entry, found.block, instruction, {
      world,
      diagnostics,
      handler,
      budget: { steps: 0 },
    });
    if (form === undefined) return unsupported(`\`${mnemonic}\` has no form with operands ${describe(instruction)}`);
    const [problem] = diagnostics.list();
    return problem === undefined
      ? form
      : unsupported(`\`${mnemonic}\` has no meaning with operands ${describe(instruction)}: ${problem.message}`);
  }

  /** Undefined where the block's `where` excludes the form. */
  elaborate(
    entry: InstructionEntry,
    block: DecodedBlock,
    instruction: DecodedInstruction,
    elaboration: Elaboration,
  ): DecodedForm | undefined {
    const parameters: { readonly parameter: Parameter; value(of: DecodedInstruction): bigint }[] = [];
    const parameter = (name: string, width: number, value: (of: DecodedInstruction) => bigint): Term => {
      const term = build.variable(`${block.name}(${name})`, build.constant(width, 0n).sort);
      parameters.push({ parameter: { name, type: { kind: "bits", width }, term }, value });
      return term;
    };
    const length = parameter("length", 64, (of) => BigInt(of.length));
    const assigned = new Set(block.operands.filter((p) => isAssigned(entry, p.name)).map((p) => p.name));
    const following = build.add(this.programCounter(), length);
    const operands = instruction.operands.map((operand, i): Given => {
      const name = block.operands[i]?.name ?? `${i}`;
      const displacement = (): Term =>
        parameter(operand.kind === "target" ? name : `${name}.displacement`, 64, (of) =>
          displacementOf(of.operands[i]),
        );
      switch (operand.kind) {
        case "register": {
          const place: OperandPlace = {
            kind: "register",
            name,
            width: operand.width,
            lo: operand.high ? 8 : 0,
            register: this.register(operand.index),
            conventions: this.conventions,
          };
          return { name, binding: { kind: "operand", operand: place } };
        }
        case "immediate":
          return {
            name,
            type: bitsType(operand.width),
            terms: [parameter(name, operand.width, (of) => immediateOf(of.operands[i]))],
            what: "an immediate",
          };
        case "target":
          return { name, type: bitsType(64), terms: [build.add(following, displacement())], what: "a target" };
        default:
          return {
            name,
            binding: {
              kind: "operand",
              operand: this.memory(name, operand, displacement(), following, assigned.has(name)),
            },
          };
      }
    });
    const given: Given[] = [
      ...operands,
      { name: "length", type: bitsType(64), terms: [length], what: "the instruction's length" },
      constant("operand_size", integer(BigInt(instruction.operandSize))),
      constant("address_size", integer(BigInt(instruction.addressSize))),
      constant("rep", truth(instruction.prefixes.rep === "rep")),
      constant("repe", truth(instruction.prefixes.rep === "repe")),
      constant("repne", truth(instruction.prefixes.rep === "repne")),
    ];
    if (conditionOf(elaboration, entry.where, given, "`where`") === build.FALSE) return undefined;
    const body = effectOf(elaboration, entry.execute, block.name, given, {
      length: undefined,
      next: { ...this.next, given },
    });
    return {
      kind: "form",
      block,
      parameters: parameters.map((p) => p.parameter),
      ...body,
      values: (of) => parameters.map((p) => p.value(of)),
    };
  }

  private programCounter(): Term {
    const { programCounter } = this.next;
    const term = this.elaboration.world.state.get(programCounter)?.terms.get(programCounter);
    if (term === undefined) throw new TypeError(`the machine has no ${programCounter}`);
    return term;
  }

  private register(index: number): string {
    const name = this.conventions.registers[index];
    if (name === undefined) throw new TypeError(`the machine has no register ${index}`);
    return name;
  }

  private memory(
    name: string,
    operand: MemoryOperand,
    displacement: Term,
    following: Term,
    assigned: boolean,
  ): OperandPlace {
    const { base, index } = operand;
    return {
      kind: "memory",
      name,
      width: operand.width,
      base: typeof base === "number" ? this.register(base) : undefined,
      index: index === undefined ? undefined : this.register(index),
      scale: operand.scale,
      displacement: base === "rip" ? build.add(following, displacement) : displacement,
      addressSize: operand.addressSize,
      segment: operand.segment,
      stack: operand.stack,
      assigned,
      conventions: this.conventions,
    };
  }
}

function constant(name: string, value: Val): Given {
  return { name, binding: { kind: "value", value, what: "part of the instruction" } };
}

function truth(value: boolean): Val {
  return { kind: "truth", value };
}

function isAssigned(entry: InstructionEntry, name: string): boolean {
  return entry.execute !== undefined && assignedNames(entry.execute.block).has(name);
}

function unsupported(reason: string): UnsupportedForm {
  return { kind: "unsupported", reason };
}

function displacementOf(operand: Operand | undefined): bigint {
  const signed = operand?.kind === "memory" || operand?.kind === "target" ? operand.displacement : 0n;
  return BigInt.asUintN(64, signed);
}

function immediateOf(operand: Operand | undefined): bigint {
  return operand?.kind === "immediate" ? operand.value : 0n;
}

/** Everything but the numbers. */
function keyOf({ mnemonic, prefixes, operandSize, addressSize, operands }: DecodedInstruction): string {
  return [mnemonic, prefixes.rep, operandSize, addressSize, ...operands.map(operandKey)].join(" ");
}

function operandKey(operand: Operand): string {
  switch (operand.kind) {
    case "register":
      return `r${operand.index}${operand.high ? "h" : "."}${operand.width}`;
    case "immediate":
      return `i${operand.width}`;
    case "target":
      return "t";
    default: {
      const { width, segment, stack, base, index, scale, addressSize } = operand;
      return `m${width}${segment}${stack ? "s" : ""}[${base ?? ""}+${index ?? ""}*${scale}]${addressSize}`;
    }
  }
}

function describe({ operands }: DecodedInstruction): string {
  const texts = operands.map((o) => {
    if (o.kind === "target") return "target";
    if (o.kind === "memory" && o.width === 0) return "address";
    return `${o.kind} ${o.width}`;
  });
  return texts.length === 0 ? "none" : texts.join(", ");
}
