import { expect, test } from "vitest";
import { elements } from "../../../refinement/emulation/gdb/description.js";
import { type Heard, LONGEST_PACKET, packet, PacketReader } from "../../../refinement/emulation/gdb/packets.js";

function heard(...chunks: readonly (string | Uint8Array)[]): Heard[] {
  const reader = new PacketReader();
  const all: Heard[] = [];
  for (const chunk of chunks) {
    reader.push(typeof chunk === "string" ? Buffer.from(chunk, "latin1") : chunk);
    for (let next = reader.next(); next !== undefined; next = reader.next()) {
      all.push(next);
      if (next.kind === "garbage") return all;
    }
  }
  return all;
}

test("a packet has its sum, and its special characters escaped", () => {
  expect(Buffer.from(packet("g")).toString("latin1")).toBe("$g#67");
  expect(Buffer.from(packet("a#b")).toString("latin1")).toMatch(`$a}${String.fromCharCode(0x23 ^ 0x20)}b#`);
});

test("what is sent is read again, in whatever pieces it comes", () => {
  const payload = "x#$}*\u00ff,0";
  const bytes = packet(payload);
  const whole: Heard[] = [{ kind: "packet", payload }];
  expect(heard(bytes)).toEqual(whole);
  expect(heard(...Array.from(bytes, (b) => Uint8Array.of(b)))).toEqual(whole);
});

test("acknowledgements, refusals and notifications", () => {
  expect(heard("+-", packet("OK"), "+")).toEqual([
    { kind: "ack" },
    { kind: "nack" },
    { kind: "packet", payload: "OK" },
    { kind: "ack" },
  ]);
  expect(heard("%Stop:T05#3f", packet("OK"))).toEqual([{ kind: "damaged" }, { kind: "packet", payload: "OK" }]);
});

test("repetitions are expanded", () => {
  // `0* `: three more, the blank being 32.
  const sum = (text: string): string => ([...text].reduce((a, c) => a + c.charCodeAt(0), 0) % 256).toString(16);
  const encoded = "0* 1";
  expect(heard(`$${encoded}#${sum(encoded).padStart(2, "0")}`)).toEqual([{ kind: "packet", payload: "00001" }]);
});

test("a wrong sum is damage, and what follows is read", () => {
  expect(heard("$g#00", packet("OK"))).toEqual([{ kind: "damaged" }, { kind: "packet", payload: "OK" }]);
});

test("what is no packet, or never ends, is garbage before it has filled the memory", () => {
  expect(heard("\n", packet("OK"))).toEqual([{ kind: "packet", payload: "OK" }]);
  expect(heard("x".repeat(5000)).at(-1)).toMatchObject({ kind: "garbage" });
  expect(heard(`$${"0".repeat(LONGEST_PACKET + 1)}`)).toMatchObject([{ kind: "garbage" }]);
  const bomb = `0*${String.fromCharCode(126)}`.repeat(20_000);
  const sum = [...bomb].reduce((a, c) => a + c.charCodeAt(0), 0) % 256;
  expect(heard(`$${bomb}#${sum.toString(16).padStart(2, "0")}`)).toMatchObject([{ kind: "garbage" }]);
  const lone = '*"';
  expect(heard(`$${lone}#${(42 + 34).toString(16)}`)).toMatchObject([{ kind: "garbage" }]);
});

test("elements of a description, but not what is commented out", () => {
  const text = `<?xml version="1.0"?><!-- <reg name="no"/> --><feature name='f'><reg name="a>b" bitsize = "64"/></feature>`;
  expect([...elements(text)].map((e) => [e.name, Object.fromEntries(e.attributes)])).toEqual([
    ["feature", { name: "f" }],
    ["reg", { name: "a>b", bitsize: "64" }],
  ]);
});
