/** The JSON Schema of refinement files. */
import { functions, reference } from "./machine.js";
import { DRAFT, type Schema, listOf, mappingOf, mappingOr, record, text } from "./schema.js";

const expression = text("an expression", "An expression over host state.");
const condition = text("a condition", "A condition on the host state.");
const steps = text(
  "the steps",
  "step, stutter, environment, a guest transition, S then S, S with choice = e, or condition ? S : S.",
);

const stateMap = (title: string, description: string): Schema => mappingOf(title, description, expression);

const point = record(
  "a materialization point",
  "A point at which something outside can see the guest state.",
  {
    at: text("`at`", "When the host can be interrupted here: a condition, or the name of a host transition."),
    by: {
      title: "`by`",
      description: "How the guest state is brought to its place: statements, or the name of a host transition.",
      type: ["string", "null"],
    },
    precise: text("`precise`", "What must hold then."),
    view: stateMap("`view`", "Where each guest variable is found then; the abstraction unless given."),
    steps,
  },
  ["at"],
);

const fault = record(
  "a seeded fault",
  "A mistake that real implementers have made, to be found guilty.",
  {
    title: text("the title", "One sentence: what is wrong."),
    source: text("the source", "Where the mistake is known from."),
    replace: text(
      "`replace`",
      "The host function whose body is replaced, or, with `in`, a text that occurs exactly once there. A translator plants its faults itself.",
    ),
    with: { title: "`with`", description: "What stands there instead.", type: ["string", "number", "boolean", "null"] },
    in: text("`in`", "The keys that lead to the string, as in transitions.cycle.effect."),
    expect: record("`expect`", "What must be found guilty.", {
      obligation: text("an obligation", "Its name; * stands for anything."),
      variable: text("a variable", "The guest variable that differs, or the conjunct that fails."),
    }),
    materialization: {
      title: "`materialization`",
      description: "True if every uninterrupted run is right.",
      type: "boolean",
    },
    blocks: listOf(
      "the blocks that show it",
      "Of a translator: guest code in assembly, validated with the fault planted.",
      text("a block", "Its instructions, separated by semicolons."),
    ),
    programs: listOf(
      "the programs that show it",
      "Of a translator with a runtime: guest programs in assembly, run in lockstep with the fault planted.",
      text("a program", "Lines of assembly, ended by a trap."),
    ),
  },
  [],
);

const oneOrMore = (title: string, description: string, item: Schema): Schema => ({
  title,
  description,
  type: ["array", "string", "null"],
  items: item,
});

const trap = text("a trap", "A trap of the guest's.");

const part = record(
  "a part of the memory",
  "Guest addresses that cases may use.",
  {
    at: { title: "the start", description: "The first address.", type: "integer", minimum: 0 },
    size: { title: "the size", description: "Bytes.", type: "integer", minimum: 1 },
    access: text("the access", "Some of r, w and x, or none: where accesses are known to fault."),
  },
  ["at", "size", "access"],
);

const emulator: Schema = {
  title: "`emulator`",
  description: "The host is a program that is run in lockstep.",
  type: "object",
  if: { required: ["module"] },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    title: "`emulator`",
    description: "The module that drives the program, and its options.",
    type: "object",
    properties: { module: text("the module", "The path of a module whose default export drives the program.") },
  },
  else: record("`emulator`", "A `command` that makes steps, or `gdb`, a stub.", {
    command: listOf(
      "the command",
      "A program that speaks the step protocol and its arguments, started in the file's folder.",
      text("a word of the command", "The program, or an argument."),
    ),
    gdb: {
      title: "`gdb`",
      description: "Where a GDB stub listens (host:port, or the path of a socket), or the command that starts one.",
      type: ["object", "string"],
      additionalProperties: false,
      properties: {
        command: listOf(
          "the command",
          "Starts the stub; {program}, {port} and {socket} stand for a file of ours, a free port and a path.",
          text("a word of the command", "The program, or an argument."),
        ),
        address: text("the address", "Where the stub listens, if the command has no placeholder for it."),
      },
    },
    architecture: text("the architecture", "riscv32, riscv64 or x86-64: GDB's order of registers."),
    registers: mappingOf(
      "the registers",
      "For guest variables whose register has another name.",
      text("a register", "The stub's name for it, or bits of it, as in eflags[0]."),
    ),
    signals: mappingOf(
      "the signals",
      "What a stop with a signal stands for.",
      oneOrMore("the traps", "One of these.", trap),
    ),
    memory: listOf("the memory", "Disjoint parts of the guest's memory that cases may use.", part),
    avoid: oneOrMore("the traps to avoid", "Traps that the emulator cannot show.", trap),
    hidden: oneOrMore(
      "the hidden variables",
      "Guest variables that the emulator neither takes nor shows.",
      text("a variable", "A variable of the guest's."),
    ),
    exempt: mappingOf(
      "the exempt transitions",
      "Transitions of the guest that are not tested.",
      text("a reason", "Why."),
    ),
    timeout: { title: "the timeout", description: "Milliseconds for one answer.", type: "integer", minimum: 1 },
  }),
};

export const refinementSchema: Schema = {
  $schema: DRAFT,
  $id: "https://commute.example/schema/refinement.schema.json",
  title: "a refinement file",
  description: "A refinement: why a host machine keeps the promise of a guest machine (docs/notation.md).",
  type: "object",
  required: ["refinement", "guest"],
  additionalProperties: false,
  properties: {
    refinement: text("the refinement's name", "The name that `commute check` takes."),
    title: text("the title", "One line for people."),
    kind: text("the kind", "The kind of virtual machine, as in microarchitecture."),
    guest: reference("the guest", "The machine whose promise is kept, and values for its parameters."),
    host: reference("the host", "The machine that keeps it, and values for its parameters."),
    parameters: mappingOf("the parameters", "Whole numbers and truth values that the expressions can name.", {
      title: "a parameter's value",
      type: ["integer", "boolean", "string"],
    }),
    functions,
    flush: text("`flush`", "Statements that run on a copy of the host state before the abstraction reads it."),
    abstraction: stateMap(
      "the abstraction",
      "α: for each guest variable (x[i] for the elements of a file), an expression over host state.",
    ),
    invariant: mappingOr(
      mappingOf("the invariant", "I, as named conditions.", condition),
      text("the invariant", "I: the host states for which the abstraction is meant to hold."),
    ),
    steps: mappingOf("the steps", "For each host transition, the guest steps that it stands for.", steps),
    rank: text("the rank", "ρ: bits that fall, unsigned, at every host step that stutters."),
    materialize: {
      title: "`materialize`",
      description: "How and where the guest state is brought to its canonical place: one point, or several by name.",
      type: ["object", "null"],
      if: { required: ["at"] },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: point,
      else: mappingOf("the materialization points", "Points by name.", point),
    },
    concretize: stateMap(
      "`concretize`",
      "γ: for each host variable an expression over guest state; what is not named is zero.",
    ),
    explore: mappingOf(
      "the instances to explore",
      "Extra conditions on the initial host states, by name; each is explored whole.",
      condition,
    ),
    environment: listOf(
      "the environment's transitions",
      "Host transitions that happen at any time, as interrupts do.",
      text("a transition's name", "A host transition."),
    ),
    assume: listOf(
      "the assumptions",
      "Everything taken on trust.",
      mappingOr(
        record(
          "an assumption",
          "A sentence, and the condition that it means.",
          { text: text("the sentence", "Printed with every verdict."), condition },
          ["text"],
        ),
        text("an assumption", "A sentence, printed with every verdict."),
      ),
    ),
    mapping: listOf(
      "the mapping",
      "Guest feature → host feature, for `commute explain`.",
      record(
        "an entry of the mapping",
        "A guest feature and where the host keeps it.",
        {
          guest: text("a guest feature", "As in registers."),
          host: text("a host feature", "As in the register file."),
        },
        ["guest", "host"],
      ),
    ),
    faults: mappingOf("the seeded faults", "Faults by name, for `commute check --fault`.", fault),
    emulator,
    translator: {
      title: "`translator`",
      description: "The host's machine code comes from a program: a command that speaks the protocol, or a module.",
      type: "object",
      properties: {
        command: listOf(
          "the command",
          "A program and its arguments, started in the file's folder.",
          text("a word of the command", "The program, or an argument."),
        ),
        timeout: { title: "the timeout", description: "Milliseconds for one answer.", type: "integer", minimum: 1 },
        unit: text("the unit", "What is translated at a time: block (unless given), or program."),
        module: text(
          "the module",
          "The path of a module whose default export is the translator; it takes the other keys.",
        ),
      },
    },
    regions: mappingOf(
      "the regions",
      "Disjoint parts of the host's memory, by name, and the `limit` that none reaches.",
      {
        title: "a region",
        description: "At a register (`base`, `size`, `below`), or the guest's memory (`at`); or the limit, an address.",
        type: ["object", "integer"],
        additionalProperties: false,
        properties: {
          base: text("the base", "A register of the host's: the region lies where it points at the entry."),
          size: { title: "the size", description: "Bytes from the base on.", type: "integer", minimum: 0 },
          below: { title: "`below`", description: "Bytes before the base.", type: "integer", minimum: 0 },
          at: { title: "`at`", description: "The guest's address a is the host's address a + at.", type: "integer" },
          register: text("the register", "A register of the host's that holds `at` wherever a translation is entered."),
          "write-only": {
            title: "`write-only`",
            description: "Whether there may be memory that can be stored to and not loaded from: true unless given.",
            type: "boolean",
          },
        },
      },
    ),
    views: mappingOf(
      "the views",
      "By name, what holds where a translation's points, faults and exits say so instead of the abstraction.",
      record("a view", "What holds at some places of a translation, behind a prologue for one.", {
        abstraction: stateMap("the view's abstraction", "α there: what it gives anew."),
        seen: listOf(
          "what is seen",
          "The guest's variables and elements (r[0]) that are compared: all unless given.",
          text("a variable", "A variable of the guest's, or an element."),
        ),
        entry: stateMap(
          "the entry's registers",
          "Where what registers of the host's held at the entry is found: those left out hold it still.",
        ),
        invariant: text("the view's invariant", "What holds there besides, over host state."),
      }),
    ),
    helpers: mappingOf(
      "the helpers",
      "Host functions that translated code may call, by the names that `calls` gives them.",
      record("a helper", "What a host function does, from its entry to behind its return.", {
        effect: text(
          "what the helper does",
          "Statements over host state, the return included; uninterpreted functions of the guest's can be named.",
        ),
        clobbers: listOf(
          "what is clobbered",
          "Registers and flags of which nothing is known behind the call.",
          text("a register", "A variable of the host's."),
        ),
      }),
    ),
    preserve: listOf(
      "what is preserved",
      "Registers and flags of the host's that have at every exit the value that they had at the entry.",
      text("a register", "A variable of the host's."),
    ),
    request: text(
      "the request",
      "When an interrupt is requested, over host state where a block is entered: only then may it be left for one.",
    ),
    known: record(
      "what is known",
      "Findings: how the host departs from the guest, told by a guest that does as the host does.",
      {
        guest: reference("the known guest", "The guest with a parameter for each finding, false unless given."),
        abstraction: stateMap("the known guest's abstraction", "α of the state that it has besides the guest's."),
        findings: mappingOf(
          "the findings",
          "By name, the parameter of the known guest that is true of a host that does so.",
          text("a parameter", "A parameter of the known guest."),
        ),
        see: text("where to see", "Where a reader finds the findings."),
      },
      ["guest", "findings", "see"],
    ),
  },
};
