/** All seeded faults. */
import { allocation } from "./allocation.js";
import { arithmetic } from "./arithmetic.js";
import { atomicity } from "./atomicity.js";
import { control } from "./control.js";
import { encoding } from "./encoding.js";
import type { Faults } from "./fault.js";
import { precision } from "./precision.js";
import { runtime } from "./runtime.js";

export { withFault } from "./fault.js";

export const FAULTS: Faults = {
  ...arithmetic,
  ...encoding,
  ...allocation,
  ...control,
  ...atomicity,
  ...precision,
  ...runtime,
};
