/** The campaign's view of the lockstep tester for black boxes. */
import type { EmulatorTester } from "../refinement/campaign/tester.js";
import { testEmulator as test } from "../properties/emulator.js";

/** For each instruction, where --cases says nothing. */
const CASES = 100;

export const testEmulator: EmulatorTester = async (refinement, options) => {
  const { cases = CASES, seed, date, only, signal, onProgress, onResult } = options;
  const tested = await test(refinement, {
    cases,
    seed,
    date,
    only,
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined ? {} : { onProgress }),
    ...(onResult === undefined ? {} : { onResult }),
  });
  return "missing" in tested ? tested : tested.results;
};

export { emulatorIdentity } from "../properties/emulator.js";
