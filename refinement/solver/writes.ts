/**
 * What has been written to a memory, as a list of ports: addresses at which bytes are written, each byte under a condition
 * of its own. Machines say "if it is a byte, write one byte, else if it is a word, …", and write in one case or not at
 * all; as ports these are one write, and two sides of an obligation come to the same list more often.
 */
import { and, concat, extract, FALSE, ite, not } from "../terms/build.js";
import type { Term } from "../terms/term.js";
import type { Distance } from "./distances.js";

export interface Port {
  readonly address: Term;
  /** From the address up. */
  readonly bytes: readonly { readonly when: Term; readonly value: Term }[];
}

/** A memory: what it was before, and the ports, the oldest first. */
export interface Written {
  /** A memory variable, or one of two memories. */
  readonly base: Term | { readonly condition: Term; readonly yes: Written; readonly no: Written };
  readonly ports: readonly Port[];
}

export function write(before: Written, address: Term, bytes: number, value: Term, when: Term): Written {
  const parts = [...Array(bytes).keys()].map((i) => ({ when, value: extract(value, 8 * i + 7, 8 * i) }));
  return { base: before.base, ports: [...before.ports, { address, bytes: parts }] };
}

/** `yes` where the condition holds, else `no`. */
export function either(condition: Term, yes: Written, no: Written): Written {
  if (yes.base !== no.base) return { base: { condition, yes, no }, ports: [] };
  let shared = 0;
  while (shared < yes.ports.length && yes.ports[shared] === no.ports[shared]) shared++;
  const rest = no.ports.slice(shared);
  const ports = yes.ports.slice(0, shared);
  for (const port of yes.ports.slice(shared)) {
    const same = rest.findIndex((other) => other.address === port.address);
    if (same < 0) {
      ports.push(gated(condition, port));
      continue;
    }
    // At most one of the two sides is written to: their order among each other does not matter.
    for (const other of rest.splice(0, same)) ports.push(gated(not(condition), other));
    const twin = rest.shift();
    if (twin !== undefined) ports.push(merged(condition, port, twin));
  }
  for (const other of rest) ports.push(gated(not(condition), other));
  return { base: yes.base, ports };
}

/** `bytes` bytes as they are after the ports: `before` is what they were, `distance` how far a port is below the load. */
export function loadAfter(
  ports: readonly Port[],
  bytes: number,
  before: Term,
  distance: (port: Port) => Distance,
): Term {
  const loaded = [...Array(bytes).keys()].map((j) => extract(before, 8 * j + 7, 8 * j));
  for (const port of ports) {
    const apart = distance(port);
    for (const [j, old] of loaded.entries()) {
      let byte = old;
      for (const [i, { when, value }] of port.bytes.entries()) byte = ite(and(apart.is(i - j), when), value, byte);
      loaded[j] = byte;
    }
  }
  return concat(...loaded.reverse());
}

function gated(condition: Term, port: Port): Port {
  return { address: port.address, bytes: port.bytes.map(({ when, value }) => ({ when: and(condition, when), value })) };
}

function merged(condition: Term, a: Port, b: Port): Port {
  const bytes = [...Array(Math.max(a.bytes.length, b.bytes.length)).keys()].map((i) => {
    const [x, y] = [a.bytes[i], b.bytes[i]];
    const when = ite(condition, x?.when ?? FALSE, y?.when ?? FALSE);
    if (x === undefined || y === undefined) return { when, value: (x ?? y)?.value ?? FALSE };
    return { when, value: ite(condition, x.value, y.value) };
  });
  return { address: a.address, bytes };
}
