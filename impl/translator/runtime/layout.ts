/** Where the parts of the host's memory lie: the guest's at its own addresses, the translator's own above every address of the guest's. */

/** The first address that is no guest's. */
export const GUEST_END = 1n << 46n;

/** Translated code. A jump of 32 bits reaches from one end to the other. */
export const CACHE = { address: 0x7000_0000_0000n, size: 1n << 24n } as const;

export const CONTEXT_ADDRESS = 0x7100_0000_0000n;

/** Where rsp points when a block is entered: the address to return to is there. */
export const STACK = { top: 0x7200_0001_0000n, size: 1n << 16n } as const;

/** What blocks return to. Nothing is mapped there: that is how the host stops. */
export const DISPATCHER = 0x7300_0000_0000n;

export const PAGE = 4096n;

export function pageOf(address: bigint): bigint {
  return address / PAGE;
}
