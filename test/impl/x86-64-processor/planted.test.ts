/** That the validation can fail: slips planted into every block of the definition are noticed on the processor. */
import path from "node:path";
import { expect, test } from "vitest";
import { compareAll } from "../../../properties/emulator-compare.js";
import { type EmulatedGuest, withGuest } from "../../../properties/emulator-guest.js";
import { randomAt } from "../../../properties/random.js";
import type { CaseRoom, Emulator, EmulatorCase } from "../../../refinement/emulator.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { planted } from "./mutants.js";
import { needProcessor, openProcessor } from "./need-processor.js";

/** Later rounds plant further slips, in fewer blocks each. */
const ROUNDS = 3;
const MOST_CASES = 1200;
const BATCH = 60;

/** How many cases of the block it takes until one goes wrong; undefined where none of so many does. */
async function casesUntilWrong<C extends EmulatorCase>(
  guest: EmulatedGuest<C>,
  emulator: Emulator & { readonly room: CaseRoom },
  subject: string,
): Promise<number | undefined> {
  const index = guest.subjects.indexOf(subject);
  let run = 0;
  for (let n = 0; run < MOST_CASES && n < 20 * MOST_CASES; ) {
    const batch: C[] = [];
    for (; batch.length < BATCH && n < 20 * MOST_CASES; n++) {
      const drawn = guest.draw(subject, (...at) => randomAt(7, index, ...at), n);
      if (drawn !== undefined && emulator.room.cost(drawn.state) === "cheap") batch.push(drawn);
    }
    for await (const { differs, transition } of compareAll(guest, emulator, batch, new AbortController().signal)) {
      run++;
      if (differs.length > 0 && transition === subject) return run;
    }
  }
  return undefined;
}

/** Slips that change nothing, or nothing that a processor could contradict. */
const UNSEEN: Readonly<Record<string, string>> = {
  "bswap_16: writes the complement": "the result is undefined: any is permitted",
  "call_indirect: raises another exception":
    "where it may be raised first; the definition permits the other order, which is right",
  "enter: adds for subtracts": "in the check that an address is canonical; the access behind it is right",
  ...Object.fromEntries(
    ["syscall", "int3", "ud2", "hlt", "cli", "sti"].map((name) => [
      `${name}: writes another register as well`,
      "behind a raise, which undoes it",
    ]),
  ),
};

test.for(Array.from({ length: ROUNDS }, (_, round) => round))(
  "wrong definitions, round %i",
  { timeout: 600_000 },
  async (round, ctx) => {
    const blocks = (await needProcessor(ctx)).guest.decoded?.blocks.map((b) => b.name) ?? [];
    const { files, wrong } = planted(round);
    const guest = await loadMachine(path.resolve("spec/x86-64/x86-64.yaml"), { files });
    if (round === 0) expect(blocks.filter((name) => !wrong.has(name))).toEqual([]);
    const emulator = await openProcessor(ctx, guest);
    const survivors: string[] = [];
    try {
      await withGuest(guest, emulator.room, async (emulated) => {
        for (const [name, what] of wrong) {
          const cases = await casesUntilWrong(emulated, emulator, name);
          if (cases === undefined) survivors.push(`${name}: ${what}`);
        }
      });
    } finally {
      await emulator.close();
    }
    expect(survivors.filter((s) => UNSEEN[s] === undefined)).toEqual([]);
  },
);
