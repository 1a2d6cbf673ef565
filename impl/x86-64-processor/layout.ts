/**
 * The memory that cases run in: a few windows, apart from the case runner's own image and stack, each between guards. They lie
 * where addresses turn over.
 */
import { USER_END } from "../../refinement/execute/linux-x86-64.js";
import { PAGE, roomMemory, type Window } from "../shared/windows.js";

const GUARD = 0x10000n;

const window = (start: bigint, write: boolean, execute: boolean): Window => ({
  start,
  end: start + 2n * PAGE,
  guard: GUARD,
  write,
  execute,
});

export const WINDOWS: readonly Window[] = [
  window(0x1000_0000n, true, true),
  window(0x8000_0000n - PAGE, true, true),
  window(0x1_0000_0000n - PAGE, true, true),
  window(0x4000_0000_0000n - PAGE, true, true),
  window(0x2000_0000n, true, false),
  window(0x1_8000_0000n - PAGE, true, false),
  window(0x2aaa_aaaa_a000n, true, false),
  window(0x3000_0000n, false, false),
];

/** `int3`. */
export const BREAKPOINT = 0xcc;

export const ROOM_MEMORY = roomMemory(WINDOWS, 64, [BREAKPOINT, BREAKPOINT, BREAKPOINT, BREAKPOINT]);

/** Below it nothing can be mapped (vm.mmap_min_addr). */
const LOWEST = PAGE;

/** Where nothing at all can be mapped. An access elsewhere outside the windows' neighbourhood could touch the case runner itself. */
export function isUnmappable(address: bigint): boolean {
  return address < LOWEST || address >= USER_END;
}

/** Beyond it the kernel may have put the case runner, its stack and its libraries. */
const MAPPED_FROM = 0x5000_0000_0000n;

/** Where the case runner is not. */
export function isConfined(address: bigint): boolean {
  return address < MAPPED_FROM || isUnmappable(address);
}
