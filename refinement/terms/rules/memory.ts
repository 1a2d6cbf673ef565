/** Files and memories: reads over writes, decided by index and by base + offset. */
import {
  accessible,
  addressOf,
  and,
  argument,
  boundVariable,
  concat,
  constant,
  eq,
  extract,
  FALSE,
  fileSortOf,
  ite,
  load,
  make,
  replace,
  select,
  store,
  TRUE,
  ult,
  widthOf,
  write,
} from "../construct.js";
import { constantDifference } from "../linear.js";
import type { Term } from "../term.js";
import type { Rule } from "./rule.js";

/** Whether an index names an element of the file. */
function inside(file: Term, index: Term): Term {
  const { count, index: width } = fileSortOf(file);
  return count === 2 ** width ? TRUE : ult(index, constant(width, BigInt(count)));
}

/** The file below the stores at constant indices other than the constant `index`. */
function passedOver(file: Term, index: Term): Term {
  let at = file;
  if (index.op !== "const") return at;
  while (at.op === "store" && at.args[1] !== index && at.args[1]?.op === "const") at = argument(at, 0);
  return at;
}

export const selectRules: readonly Rule[] = [
  {
    name: "select.beyond",
    law: "f[k] = 0 for a constant k that is no less than f's count",
    apply(t) {
      const file = argument(t, 0);
      return inside(file, argument(t, 1)) === FALSE ? constant(fileSortOf(file).element, 0n) : undefined;
    },
  },
  {
    name: "select.lambda",
    law: "{i => a}[j] = a with j for i; 0 where j is beyond the count",
    apply(t) {
      const file = argument(t, 0);
      if (file.op !== "lambda") return undefined;
      const index = argument(t, 1);
      const body = replace(argument(file, 0), boundVariable(file), index);
      return ite(inside(file, index), body, constant(fileSortOf(file).element, 0n));
    },
  },
  {
    name: "select.store",
    law: "f{[i] = a}[j] = i == j ? a : f[j]; 0 where j is beyond the count",
    apply(t) {
      const top = argument(t, 0);
      if (top.op !== "store") return undefined;
      const index = argument(t, 1);
      const file = passedOver(top, index);
      if (file.op !== "store") return select(file, index);
      const hit = and(eq(argument(file, 1), index), inside(file, index));
      if (hit === TRUE) return argument(file, 2);
      const below = select(argument(file, 0), index);
      return hit === FALSE ? below : ite(hit, argument(file, 2), below);
    },
  },
  {
    name: "select.choice",
    law: "(c ? f : g)[i] = c ? f[i] : g[i]",
    apply(t) {
      const file = argument(t, 0);
      if (file.op !== "ite") return undefined;
      const index = argument(t, 1);
      return ite(argument(file, 0), select(argument(file, 1), index), select(argument(file, 2), index));
    },
  },
];

export const storeRules: readonly Rule[] = [
  {
    name: "store.beyond",
    law: "f{[k] = a} = f for a constant k that is no less than f's count",
    apply: (t) => (inside(t, argument(t, 1)) === FALSE ? argument(t, 0) : undefined),
  },
  {
    name: "store.same",
    law: "f{[i] = f[i]} = f",
    apply(t) {
      const file = argument(t, 0);
      const value = argument(t, 2);
      if (value === select(file, argument(t, 1))) return file;
      return undefined;
    },
  },
  {
    name: "store.store",
    law: "f{[i] = a}{[i] = b} = f{[i] = b}; f{[j] = a}{[i] = b} = f{[i] = b}{[j] = a} for constants i < j",
    apply(t) {
      const file = argument(t, 0);
      if (file.op !== "store") return undefined;
      const i = argument(t, 1);
      const j = argument(file, 1);
      if (i === j) return store(argument(file, 0), i, argument(t, 2));
      if (i.op !== "const" || j.op !== "const" || i.value > j.value) return undefined;
      return store(store(argument(file, 0), i, argument(t, 2)), j, argument(file, 2));
    },
  },
];

/** Whether accesses of these sizes fit the address space, so that no byte is met twice by one access. */
function fits(memory: Term, ...sizes: readonly number[]): boolean {
  const width = addressOf(memory);
  return width >= 32 || sizes.every((n) => n <= 2 ** width);
}

/** Byte `i` of a value. */
function byteOf(value: Term, i: number): Term {
  return extract(value, 8 * i + 7, 8 * i);
}

export const loadRules: readonly Rule[] = [
  {
    name: "load.choice",
    law: "(c ? m : n)[a, k] = c ? m[a, k] : n[a, k]",
    apply(t) {
      const memory = argument(t, 0);
      if (memory.op !== "ite") return undefined;
      const address = argument(t, 1);
      return ite(
        argument(memory, 0),
        load(argument(memory, 1), address, t.bytes),
        load(argument(memory, 2), address, t.bytes),
      );
    },
  },
  {
    name: "load.write",
    law: "m{[a, n] = v}[a + d, k] takes the bytes that it shares with [a, a + n) from v and the others from m",
    apply(t) {
      const memory = argument(t, 0);
      if (memory.op !== "write" || !fits(memory, t.bytes, memory.bytes)) return undefined;
      const address = argument(t, 1);
      const distance = constantDifference(address, argument(memory, 1));
      if (distance === undefined) return undefined;
      const width = addressOf(memory);
      const below = argument(memory, 0);
      const value = argument(memory, 2);
      // Runs of bytes that come from the value or from the memory below.
      const parts: Term[] = [];
      let start = 0;
      let previous: number | undefined;
      const flush = (end: number): void => {
        if (end === start) return;
        if (previous === undefined) {
          parts.push(load(below, offset(address, start), end - start));
        } else {
          const first = previous - (end - 1 - start);
          parts.push(extract(value, 8 * previous + 7, 8 * first));
        }
      };
      for (let i = 0; i < t.bytes; i++) {
        const at = BigInt.asUintN(width, distance + BigInt(i));
        const source = at < BigInt(memory.bytes) ? Number(at) : undefined;
        const follows =
          i > 0 && (source === undefined ? previous === undefined : previous !== undefined && source === previous + 1);
        if (!follows) {
          flush(i);
          start = i;
        }
        previous = source;
      }
      flush(t.bytes);
      return concat(...parts.reverse());
    },
  },
];

function offset(address: Term, bytes: number): Term {
  return bytes === 0 ? address : make("add", address.sort, [address, constant(widthOf(address), BigInt(bytes))]);
}

export const writeRules: readonly Rule[] = [
  {
    name: "write.same",
    law: "m{[a, n] = m[a, n]} = m",
    apply(t) {
      const memory = argument(t, 0);
      if (!fits(memory, t.bytes)) return undefined;
      return argument(t, 2) === load(memory, argument(t, 1), t.bytes) ? memory : undefined;
    },
  },
  {
    name: "write.write",
    law: "a write that covers the one before replaces it; one that lies inside the one before becomes part of it; disjoint ones are sorted by address",
    apply(t) {
      const memory = argument(t, 0);
      if (memory.op !== "write" || !fits(memory, t.bytes, memory.bytes)) return undefined;
      const address = argument(t, 1);
      const old = argument(memory, 1);
      const distance = constantDifference(address, old);
      if (distance === undefined) return undefined;
      const space = 1n << BigInt(addressOf(memory));
      const value = argument(t, 2);
      const below = argument(memory, 0);
      // Inside: the new bytes replace some of the old value.
      if (distance + BigInt(t.bytes) <= BigInt(memory.bytes)) {
        const at = Number(distance);
        const parts: Term[] = [];
        for (let i = memory.bytes - 1; i >= 0; i--) {
          if (i >= at && i < at + t.bytes) {
            parts.push(byteOf(value, i - at));
          } else {
            parts.push(byteOf(argument(memory, 2), i));
          }
        }
        return write(below, old, memory.bytes, concat(...parts));
      }
      // Covering: the old write is gone.
      const back = BigInt.asUintN(addressOf(memory), -distance);
      if (back + BigInt(memory.bytes) <= BigInt(t.bytes)) return write(below, address, t.bytes, value);
      const disjoint = distance >= BigInt(memory.bytes) && back >= BigInt(t.bytes);
      // Half the space apart, neither is first.
      if (!disjoint || back >= space / 2n) return undefined;
      return write(write(below, address, t.bytes, value), old, memory.bytes, argument(memory, 2));
    },
  },
];

export const accessibleRules: readonly Rule[] = [
  {
    name: "accessible.write",
    law: "writing changes no permission",
    apply(t) {
      const memory = argument(t, 0);
      if (memory.op !== "write") return undefined;
      return accessible(argument(memory, 0), t.access, argument(t, 1), t.bytes);
    },
  },
  {
    name: "accessible.choice",
    law: "accessible(c ? m : n, …) = c ? accessible(m, …) : accessible(n, …)",
    apply(t) {
      const memory = argument(t, 0);
      if (memory.op !== "ite") return undefined;
      const address = argument(t, 1);
      return ite(
        argument(memory, 0),
        accessible(argument(memory, 1), t.access, address, t.bytes),
        accessible(argument(memory, 2), t.access, address, t.bytes),
      );
    },
  },
];
