/** The JSON Schema of stack files: a system as pieces that fit where their interfaces are the same. */
import { DRAFT, listOf, mappingOf, record, type Schema, text } from "./schema.js";

const interfaceOf: Schema = {
  ...record("an interface", "One of: an ISA, an ABI (the user part of an ISA and an OS's calls), an API.", {
    isa: text("an ISA", "The instruction set, privileged part included, as in rv64im."),
    abi: record(
      "an ABI",
      "The user part of an instruction set, and an operating system's calls.",
      { isa: text("an ISA", "The instruction set whose user part it is."), os: text("an OS", "Whose calls they are.") },
      ["isa", "os"],
    ),
    api: text("an API", "The library's or language's interface, as in java."),
  }),
  minProperties: 1,
  maxProperties: 1,
};

const piece = record("a piece", "A piece of the system: what it offers on top, and what it needs below.", {
  title: text("the title", "One line for people."),
  offers: listOf("the interfaces offered", "What stands on this piece can use these.", interfaceOf),
  needs: listOf("the interfaces needed", "What this piece stands on must offer these.", interfaceOf),
  on: listOf(
    "the pieces below",
    "The pieces that this one stands on.",
    text("a piece's name", "A piece of this stack."),
  ),
  count: {
    title: "`count`",
    description: "How many there are, side by side; 1 unless given.",
    type: "integer",
    minimum: 1,
  },
  refinement: text("the refinement", "Of a VM: the refinement that is its evidence, by name or path."),
});

export const stackSchema: Schema = {
  $schema: DRAFT,
  $id: "https://commute.example/schema/stack.schema.json",
  title: "a stack file",
  description: "A system described as pieces: machines, operating systems, virtual machines, libraries, applications.",
  type: "object",
  required: ["stack", "pieces"],
  additionalProperties: false,
  properties: {
    stack: text("the stack's name", "The name that `commute classify` and `commute draw` take."),
    title: text("the title", "One line for people."),
    pieces: mappingOf("the pieces", "Pieces by name.", piece),
  },
};
