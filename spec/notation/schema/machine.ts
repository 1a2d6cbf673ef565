/** The JSON Schema of machine files. */
import { DRAFT, type Schema, listOf, mappingOf, mappingOr, record, text } from "./schema.js";

const parameterValue: Schema = {
  title: "a parameter's value",
  description: "A whole number, true or false, or an expression of other parameters.",
  type: ["integer", "boolean", "string"],
};

const parameters = mappingOf(
  "the parameters",
  "Whole numbers and truth values that types, widths and expressions can name, and their defaults.",
  parameterValue,
);

const withParameters = mappingOf(
  "the parameters of the base",
  "Values for the parameters of the base.",
  parameterValue,
);

/** A machine's name or path, or that and values for its parameters. */
export function reference(title: string, description: string): Schema {
  const base = text(title, "The machine's name, found beside this file or below spec/, or the path of its file.");
  return mappingOr(record(title, description, { base, with: withParameters }, ["base"]), base);
}

const base = reference("a machine to extend", "The base and values for its parameters.");

const trapName = (access: string): Schema =>
  text(`the trap of a ${access}`, `The trap that a ${access} raises if a byte of it is inaccessible.`);

const stateVariable: Schema = mappingOr(
  record(
    "a state variable",
    "A state variable: its type, and what is special about it.",
    {
      type: text(
        "the type of a state variable",
        "bits(n), bool, enum { a, b }, record { f: type }, type[n], bytes(n), or a declared type.",
      ),
      fixed: mappingOf(
        "the fixed elements",
        "Elements of a file that read a constant and swallow writes, as { 0: 0 } for x0.",
        {
          title: "the value of a fixed element",
          type: "integer",
        },
      ),
      faults: record(
        "the faults of a memory",
        "The trap that an inaccessible access raises; an access without one is not checked.",
        {
          fetch: trapName("fetch"),
          load: trapName("load"),
          store: trapName("store"),
        },
      ),
      doc: text("a note", "A note for the reader."),
    },
    ["type"],
  ),
  text(
    "the type of a state variable",
    "bits(n), bool, enum { a, b }, record { f: type }, type[n], bytes(n), or a declared type.",
  ),
);

const instruction = record("an instruction", "An instruction: encoding, syntax and meaning, all in one block.", {
  encoding: text(
    "an encoding",
    "The manual's table row: binary constants and fields, as in imm[11:0] rs1 000 rd 0010011; imm[12|10:5] scatters.",
  ),
  assembly: text("an instruction's syntax", "As in addi rd, rs1, imm, or ld rd, imm(rs1), or beq rs1, rs2, pc + imm."),
  execute: text("what an instruction executes", "Statements over the state and the operands."),
  expands: {
    ...mappingOf(
      "what an instruction expands to",
      "The instruction that it stands for, and its operands: { addi: { rd: rd, rs1: rd, imm: sext(imm) } }.",
      mappingOf(
        "the operands of the other instruction",
        "A value for each operand of the other instruction, over the operands of this one.",
        text("an operand", "An expression of the operands."),
      ),
    ),
    type: "object",
  },
  except: text("an exception of an encoding", "Words for whose fields this holds are not this instruction."),
  where: text("a condition of an encoding", "Only words for whose fields this holds are this instruction."),
  operands: text(
    "the operands",
    "Where a library decodes: the operands' names, and kinds and widths where not any will do, as in dst, count: 8; or none.",
  ),
  mnemonic: text("the mnemonic", "The decoder's name for the instruction, where that is not the block's."),
  widths: listOf("the widths", "Widths of the operands that give none of their own; 8, 16, 32 and 64 if left out.", {
    title: "a width",
    type: "integer",
    minimum: 1,
  }),
});

const transition = record(
  "a transition",
  "A transition of a machine without instructions.",
  {
    guard: text("a guard", "When the transition can be taken; always, if there is none."),
    effect: text("an effect", "Statements: what the transition does, atomically."),
    doc: text("a note", "A note for the reader."),
  },
  ["effect"],
);

/** Nothing at all does nothing. */
const functionBody: Schema = {
  title: "a function's body",
  description: "Statements; with a result type, the last line is the value.",
  type: ["string", "number", "boolean", "null"],
};

export const functions = mappingOf(
  "the functions",
  'Functions by signature: "name(p: type)" for a procedure, "name(p: type): type" for one whose last line is its value. Calls are inlined.',
  functionBody,
);

const uninterpreted: Schema = {
  title: "the uninterpreted functions",
  description:
    'Functions known only by name: equal arguments give equal results. "f(a: bits(64))": bits(64), or a list of whole signatures.',
  type: ["object", "array", "null"],
  items: text("an uninterpreted function", "As in f(a: bits(64)): bits(64)."),
  additionalProperties: { title: "a result type", type: ["string", "null"] },
};

const init: Schema = {
  title: "the initial condition",
  description: "What holds of initial states: one condition, or several, all of which hold.",
  type: ["string", "number", "boolean", "object", "array"],
  items: text("a condition", "A condition on the state."),
  additionalProperties: text("a condition", "A condition on the state."),
};

export const machineSchema: Schema = {
  $schema: DRAFT,
  $id: "https://commute.example/schema/machine.schema.json",
  title: "a machine file",
  description:
    "A machine: state variables, an initial condition, and instructions or named transitions (docs/notation.md).",
  type: "object",
  required: ["machine"],
  additionalProperties: false,
  properties: {
    machine: text("the machine's name", "The name that others extend and refine the machine by."),
    title: text("the title", "One line for people."),
    source: text("the source", "What the definition is taken from: the manual, its version and chapter."),
    partial: {
      title: "`partial`",
      description: "True for a part that makes sense only in a machine that extends it.",
      type: "boolean",
    },
    parameters,
    extends: {
      title: "`extends`",
      description: "The machine, or a list of machines, that this one adds to.",
      if: { type: "array" },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: listOf("a list of machines", "Merged from left to right.", base),
      else: base,
    },
    types: mappingOf(
      "the types",
      "Names for types.",
      text("a type", "As in enum { add, sub } or record { valid: bool, pc: bits(32) }."),
    ),
    constants: mappingOf(
      "the constants",
      'Names for constant values; "NAME: bits(5)" gives the type.',
      text("a constant", "A constant expression."),
    ),
    state: mappingOf("the state", "The state variables.", stateVariable),
    fetch: record(
      "`fetch`",
      "Where the next instruction stands.",
      {
        from: text("`from`", "The word, or its first parcel: mem[pc, 4], rom[pc] for a file, or a function of pc."),
        length: {
          title: "`length`",
          description:
            "Bytes (or elements of a file) that an instruction takes: a number, or an expression of its first parcel, as in word[1:0] == 3 ? 4 : 2.",
          type: ["integer", "string"],
          minimum: 1,
        },
        illegal: text(
          "`illegal`",
          "The trap that a word which is no instruction raises, as in illegal_instruction(word).",
        ),
        overlong: text(
          "`overlong`",
          "Where a library decodes: the trap of an instruction that is longer than any may be; `illegal`'s if left out.",
        ),
        when: text("`when`", "The condition under which instructions are executed at all; always, if there is none."),
      },
      ["from"],
    ),
    next: text("`next`", "How the program counter advances unless the instruction assigns it, as in pc = pc + 4."),
    retire: text("`retire`", "What every instruction does besides, unless it ends in a trap."),
    handler: text(
      "`handler`",
      "The procedure that takes every trap, in the state before the transition, with the cause and the value.",
    ),
    functions,
    memoized: mappingOf(
      "the memoized functions",
      "Functions of scalars that only look at the state: kept by name, so that a simulator can remember their values.",
      functionBody,
    ),
    overrides: mappingOf(
      "the overrides",
      "Functions of the machines that this one extends, given anew: the same signature, another body.",
      functionBody,
    ),
    uninterpreted,
    traps: mappingOf(
      "the traps",
      'Traps by signature, as in "misaligned(address: bits(64))", and their cause numbers.',
      {
        title: "the cause of a trap",
        description: "The architecture's cause number, or nothing.",
        type: ["integer", "null"],
        minimum: 0,
      },
    ),
    init,
    registers: mappingOf(
      "the register names",
      "Names of a file's elements in assembly.",
      listOf("a list of register names", "A name for each element.", text("a register's name", "As in zero, ra, sp.")),
    ),
    spelling: mappingOf(
      "the spelling of operands",
      "Names of an operand's values in assembly, from 0 on; one that ends a mnemonic is written amoadd.w{ordering}.",
      listOf("a list of names", "A name for each value.", text("a value's name", "As in .aq.")),
    ),
    instructions: mappingOf("the instructions", "Instructions by name.", instruction),
    transitions: mappingOf("the transitions", "Transitions by signature, as in acquire(cpu: bits(1)).", transition),
    operands: record(
      "the operands",
      "What the operands of decoded instructions are.",
      {
        registers: listOf(
          "the registers",
          "The state variables behind the decoder's register numbers.",
          text("a register", "A state variable."),
        ),
        write: text(
          "`write`",
          "The value of a whole register once `value` has been written to its low bits, over `old` and `value`.",
        ),
        memory: text("`memory`", "The memory that operands in memory are in."),
        segments: mappingOf(
          "the segments",
          "The state variables that hold the segments' bases.",
          text("the base of a segment", "A state variable."),
        ),
        access: text(
          "`access`",
          "Statements that stand before every access to memory, over its `address`, `bytes` and whether it is to the `stack`.",
        ),
      },
      ["registers", "write", "memory"],
    ),
    decoder: text(
      "`decoder`",
      "The library that decodes, for an instruction set whose encoding no bit pattern can carry.",
    ),
  },
};
