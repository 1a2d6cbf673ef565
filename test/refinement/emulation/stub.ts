/** A GDB stub for tests: the reference evaluator of a RISC-V machine behind the remote protocol, in this process; it misbehaves on demand. */
import net from "node:net";
import { packet, PacketReader } from "../../../refinement/emulation/gdb/packets.js";
import { stepAny, zeroState } from "../../../refinement/execute/concrete.js";
import type { State } from "../../../refinement/execute/state.js";
import type { Machine } from "../../../refinement/machine.js";
import { FileValue, MemoryValue, type Value } from "../../../refinement/terms/value.js";

export interface Manners {
  /** What is said instead of the answer to a packet, as it goes over the line; undefined for the right one. */
  instead?(payload: string, answer: string): Uint8Array | string | "drop" | "nothing" | undefined;
  /** Packets that it does not know. */
  readonly unknown?: RegExp;
}

export interface TestStub {
  readonly address: string;
  /** Connections so far. */
  connections: number;
  close(): Promise<void>;
}

/** The machine has `pc`, `x` and `mem`, and the signals of user-mode Linux for its traps. */
export async function startTestStub(machine: Machine, memory: MemoryValue, manners: Manners = {}): Promise<TestStub> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    stub.connections++;
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    const target = new Target(machine, memory);
    const reader = new PacketReader();
    let [asked, right] = ["", ""];
    socket.setNoDelay(true);
    socket.on("data", (chunk) => {
      reader.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
      for (let heard = reader.next(); heard !== undefined; heard = reader.next()) {
        if (heard.kind === "packet") {
          asked = heard.payload;
          right = manners.unknown?.test(asked) === true ? "" : target.answer(asked);
          socket.write("+");
        } else if (heard.kind !== "nack") continue;
        // What was refused is sent again.
        const instead = manners.instead?.(asked, right);
        if (instead === "drop") socket.destroy();
        else if (instead !== "nothing") socket.write(instead ?? packet(right));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  if (typeof at !== "object" || at === null) throw new Error("no address");
  const stub: TestStub = {
    address: `127.0.0.1:${at.port}`,
    connections: 0,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return stub;
}

const SIGNALS: Readonly<Record<string, string>> = {
  illegal_instruction: "04",
  breakpoint: "05",
  load_access_fault: "0b",
  store_access_fault: "0b",
  instruction_access_fault: "0b",
  environment_call: "0c",
};

class Target {
  private readonly machine: Machine;
  private state: State;

  constructor(machine: Machine, memory: MemoryValue) {
    this.machine = machine;
    this.state = new Map<string, Value>([...zeroState(machine), ["mem", memory]]);
  }

  answer(payload: string): string {
    switch (payload.charAt(0)) {
      case "q":
        return payload.startsWith("qSupported") ? "PacketSize=200" : "";
      case "?":
        return "S05";
      case "g":
        return this.registers().map(hex).join("");
      case "G":
        this.setRegisters(payload.slice(1).match(/.{16}/g)?.map(fromHex) ?? []);
        return "OK";
      case "p":
        return hex(this.registers()[Number.parseInt(payload.slice(1), 16)] ?? 0n);
      case "P": {
        const [, number = "", value = ""] = /^P(.*)=(.*)$/.exec(payload) ?? [];
        this.setRegisters(this.registers().with(Number.parseInt(number, 16), fromHex(value)));
        return "OK";
      }
      case "m":
        return this.memoryAnswer(payload);
      case "M": {
        const [, address = "", data = ""] = /^M(.*),.*:(.*)$/.exec(payload) ?? [];
        this.set("mem", this.memory.storeBytes(BigInt(`0x${address}`), Buffer.from(data, "hex")));
        return "OK";
      }
      case "s":
        return this.step();
      default:
        return "";
    }
  }

  private memoryAnswer(payload: string): string {
    const [address = "", length = ""] = payload.slice(1).split(",");
    const bytes = Array.from({ length: Number.parseInt(length, 16) }, (_, i) =>
      this.memory.readByte(BigInt(`0x${address}`) + BigInt(i)),
    );
    return Buffer.from(bytes).toString("hex");
  }

  private step(): string {
    const after = stepAny(this.machine, this.state)?.state ?? this.state;
    const trap = this.machine.traps.find((t) => BigInt(t.code) === after.get("trap"));
    this.state = new Map([...after, ["trap", 0n], ["trap.value", 0n]]);
    return `T${trap === undefined ? "05" : (SIGNALS[trap.name] ?? "06")}thread:01;`;
  }

  private get memory(): MemoryValue {
    const memory = this.state.get("mem");
    if (!(memory instanceof MemoryValue)) throw new Error("no memory");
    return memory;
  }

  private registers(): bigint[] {
    const [x, pc] = [this.state.get("x"), this.state.get("pc")];
    return [...(x instanceof FileValue ? x.elements : []), typeof pc === "bigint" ? pc : 0n];
  }

  private setRegisters(values: readonly bigint[]): void {
    this.set("x", new FileValue([0n, ...values.slice(1, 32)]));
    this.set("pc", values[32] ?? 0n);
  }

  private set(name: string, value: Value): void {
    this.state = new Map([...this.state, [name, value]]);
  }
}

/** 64 bits, little-endian. */
function hex(value: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes.toString("hex");
}

function fromHex(text: string): bigint {
  return Buffer.from(text, "hex").readBigUInt64LE();
}
