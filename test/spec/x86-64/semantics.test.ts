/** What the manual says in words, where a reader of the definition could go wrong. The processor itself is asked elsewhere, at random. */
import { describe, expect, test } from "vitest";
import { execute } from "../../../refinement/execute/decoded.js";
import { trapNamed } from "../../../refinement/execute/concrete.js";
import { loadMachine } from "../../../spec/notation/index.js";
import { bytesOf, CODE, library, machine, outcomeOf, run, stateOf } from "./run.js";

const M1 = 0xffff_ffff_ffff_ffffn;

describe("operands", () => {
  test("a 32-bit result clears the upper half, narrower ones leave the rest", () => {
    const state = { rax: 0x1122_3344_5566_7788n, rbx: 0xffn };
    expect(run("mov eax, ebx", { state }).of("rax")).toBe(0xffn);
    expect(run("mov ax, bx", { state }).of("rax")).toBe(0x1122_3344_5566_00ffn);
    expect(run("mov al, bl", { state }).of("rax")).toBe(0x1122_3344_5566_77ffn);
    expect(run("mov ah, bl", { state }).of("rax")).toBe(0x1122_3344_5566_ff88n);
    expect(run("mov bl, ah", { state }).of("rbx")).toBe(0x77n);
    expect(run("mov sil, bl", { state: { ...state, rsi: M1 } }).of("rsi")).toBe(M1);
  });
  test("addresses: base, index and scale, rip, segments, 32 bits", () => {
    const data = { 8208: "efcdab8967452301", 73744: "01" };
    const read = (text: string, state: Record<string, bigint>): bigint => run(text, { state, data }).of("rax");
    expect(read("mov rax, [rbx + rcx*8 - 8]", { rbx: 0x2000n, rcx: 3n })).toBe(0x0123_4567_89ab_cdefn);
    expect(read("mov rax, [rcx*8]", { rcx: 0x402n })).toBe(0x0123_4567_89ab_cdefn);
    expect(read("mov rax, [rip + 0x1009]", {})).toBe(0x0123_4567_89ab_cdefn);
    expect(read("mov eax, fs:[rbx]", { rbx: 0x10n, fs_base: 0x12000n })).toBe(1n);
    expect(read("mov eax, [ebx + 0x10]", { rbx: 0xdead_0001_2000n & M1 })).toBe(1n);
    // 32-bit sums wrap before they are extended
    expect(read("mov eax, [ebx + ecx]", { rbx: 0xffff_ffffn, rcx: 0x12011n })).toBe(1n);
    expect(read("lea eax, [rbx + rcx*4 + 1]", { rbx: 0x1_0000_0000n, rcx: 1n })).toBe(5n);
    expect(read("lea rax, fs:[rbx]", { rbx: 3n, fs_base: 0x1000n })).toBe(3n);
  });
  test("an address is taken before the instruction changes its registers, but after pop has moved rsp", () => {
    const swapped = run("xadd [rax], rax", { state: { rax: 0x2000n }, data: { 8192: "05" } });
    expect(swapped.bytes(0x2000n, 8)).toBe(0x2005n);
    expect(swapped.of("rax")).toBe(5n);
    const popped = run("pop qword ptr [rsp]", { data: { 32768: "0700000000000000" } });
    expect(popped.bytes(0x8008n, 8)).toBe(7n);
    expect(popped.of("rsp")).toBe(0x8008n);
    expect(run("pop rsp", { data: { 32768: "0700000000000000" } }).of("rsp")).toBe(7n);
    expect(run("push rsp").bytes(0x7ff8n, 8)).toBe(0x8000n);
    expect(run("xadd rax, rax", { state: { rax: 3n } }).of("rax")).toBe(6n);
  });
});

describe("flags", () => {
  test("add and sub at the corners", () => {
    expect(run("add al, bl", { state: { rax: 0x7fn, rbx: 1n } }).flags).toBe("AF SF OF");
    expect(run("add eax, ebx", { state: { rax: 0xffff_ffffn, rbx: 1n } }).flags).toBe("CF PF AF ZF");
    expect(run("sub rax, rbx", { state: { rax: 1n << 63n, rbx: 1n } }).flags).toBe("PF AF OF");
    expect(run("cmp ax, bx", { state: { rax: 1n, rbx: 2n } }).flags).toBe("CF PF AF SF");
    expect(run("neg rax", { state: { rax: 1n << 63n } }).flags).toBe("CF PF SF OF");
  });
  test("the carry goes in and out of adc and sbb, at both ends", () => {
    const all = run("adc rax, rbx", { state: { rax: M1, rbx: M1, CF: 1n } });
    expect(all.of("rax")).toBe(M1);
    expect(all.flags).toBe("CF PF AF SF");
    const none = run("sbb al, bl", { state: { rax: 5n, rbx: 5n, CF: 1n } });
    expect(none.of("rax")).toBe(0xffn);
    expect(none.flags).toBe("CF PF AF SF");
    expect(run("sbb al, bl", { state: { rax: 0n, rbx: 0xffn, CF: 1n } }).flags).toBe("CF PF AF ZF");
  });
  test("inc and dec leave the carry, not leaves all, adcx and adox know one flag each", () => {
    expect(run("inc eax", { state: { rax: 0xffff_ffffn } }).flags).toBe("PF AF ZF");
    expect(run("dec al", { state: { rax: 0x80n, CF: 1n } }).flags).toBe("CF AF OF");
    expect(run("not rax", { state: { CF: 1n, ZF: 1n } }).flags).toBe("CF ZF");
    expect(run("adcx rax, rbx", { state: { rax: M1, rbx: 1n, OF: 1n } }).flags).toBe("CF OF");
    expect(run("adox rax, rbx", { state: { rax: 1n, rbx: 1n, OF: 1n, CF: 1n } }).flags).toBe("CF");
  });
  test("what is undefined is a choice, and only that", () => {
    const state = { rax: 3n, rbx: 5n };
    expect(run("and rax, rbx", { state }).flags).toBe("");
    expect(run("and rax, rbx", { state, choices: { undefined_AF: 1n } }).flags).toBe("AF");
    const choices = { undefined_SF: 1n, undefined_ZF: 1n, undefined_AF: 1n, undefined_PF: 1n, undefined_CF: 1n };
    expect(run("mul bl", { state, choices }).flags).toBe("PF AF ZF SF");
    expect(run("bt eax, 1", { state: { ...state, ZF: 0n }, choices }).flags).toBe("CF PF AF SF");
  });
  test("shifts by nothing change no flag; by one they define the overflow; by more than the width not even the carry", () => {
    const kept = run("shl eax, cl", { state: { rax: M1, rcx: 32n, CF: 1n, PF: 1n, ZF: 1n } });
    expect(kept.flags).toBe("CF PF ZF");
    expect(kept.of("rax")).toBe(0xffff_ffffn);
    expect(run("shl al, 1", { state: { rax: 0x80n } }).flags).toBe("CF PF ZF OF");
    expect(run("shr al, 1", { state: { rax: 0x81n } }).flags).toBe("CF OF");
    expect(run("sar al, 1", { state: { rax: 0x81n, OF: 1n } }).flags).toBe("CF PF SF");
    const far = { state: { rax: 0xffn, rcx: 9n } };
    expect(run("shl al, cl", far).flags).toBe("PF ZF");
    expect(run("shl al, cl", { ...far, choices: { undefined_CF: 1n, undefined_OF: 1n } }).flags).toBe("CF PF ZF OF");
    expect(run("sar al, cl", { state: { rax: 0x80n, rcx: 31n } }).flags).toBe("CF PF SF");
  });
  test("rotates through the carry, modulo one more than the width", () => {
    expect(run("rcl al, cl", { state: { rax: 0x80n, rcx: 9n, CF: 1n } }).of("rax")).toBe(0x80n);
    const once = run("rcl al, 1", { state: { rax: 0x80n, CF: 1n } });
    expect([once.of("rax"), once.flags]).toEqual([1n, "CF OF"]);
    const back = run("rcr ax, 1", { state: { rax: 1n, CF: 1n } });
    expect([back.of("rax"), back.flags]).toEqual([0x8000n, "CF OF"]);
    expect(run("rcr rax, cl", { state: { rax: 1n, rcx: 63n } }).of("rax")).toBe(4n);
    const rotated = run("rol al, cl", { state: { rax: 0x81n, rcx: 8n } });
    expect([rotated.of("rax"), rotated.flags]).toEqual([0x81n, "CF"]);
  });
  test("double shifts", () => {
    const shifted = run("shld eax, ebx, 4", { state: { rax: 0x1234_5678n, rbx: 0xabcd_ef01n } });
    expect([shifted.of("rax"), shifted.flags]).toEqual([0x2345_678an, "CF"]);
    expect(run("shrd eax, ebx, 4", { state: { rax: 0x1234_5678n, rbx: 0xabcd_ef01n } }).of("rax")).toBe(0x1123_4567n);
    const wild = { state: { rax: 0x1234n, rbx: 0x5678n, rcx: 17n } };
    expect(run("shld ax, bx, cl", { ...wild, choices: { undefined_result: 0xbeefn } }).of("rax")).toBe(0xbeefn);
  });
});

describe("multiplication and division", () => {
  test("products fill two registers, or ax", () => {
    const wide = run("mul rbx", { state: { rax: M1, rbx: M1 } });
    expect([wide.of("rdx"), wide.of("rax"), wide.flags]).toEqual([M1 - 1n, 1n, "CF OF"]);
    expect(run("imul bl", { state: { rax: 0xffn, rbx: 0xffn } }).of("rax")).toBe(1n);
    const half = run("mul ebx", { state: { rax: M1, rbx: 2n, rdx: M1 } });
    expect([half.of("rdx"), half.of("rax")]).toEqual([1n, 0xffff_fffen]);
    const kept = run("mul bx", { state: { rax: M1, rbx: 2n, rdx: M1 } });
    expect([kept.of("rdx"), kept.of("rax")]).toEqual([0xffff_ffff_ffff_0001n, 0xffff_ffff_ffff_fffen]);
    expect(run("imul eax, ebx, -2", { state: { rbx: 0x4000_0000n } }).of("rax")).toBe(0x8000_0000n);
    expect(run("imul eax, ebx, -2", { state: { rbx: 0x4000_0000n } }).flags).toBe("");
    expect(run("imul eax, ebx, 2", { state: { rbx: 0x4000_0000n } }).flags).toBe("CF OF");
    // the high half wins where both are one register
    expect(run("mulx rax, rax, rbx", { state: { rdx: M1, rbx: 4n } }).of("rax")).toBe(3n);
  });
  test("#DE: by zero, and where the quotient does not fit", () => {
    expect(run("div bl", { state: { rax: 7n } }).trap).toBe("divide_error");
    expect(run("div rbx", { state: { rdx: 5n, rbx: 5n } }).trap).toBe("divide_error");
    expect(run("idiv ebx", { state: { rax: 0x8000_0000n, rdx: 0xffff_ffffn, rbx: M1 } }).trap).toBe("divide_error");
    const least = run("idiv bl", { state: { rax: 0xff80n, rbx: 1n } });
    expect([least.trap, least.of("rax")]).toEqual(["none", 0x80n]);
    const signs = run("idiv rbx", { state: { rax: -7n, rdx: -1n, rbx: 2n } });
    expect([BigInt.asIntN(64, signs.of("rax")), BigInt.asIntN(64, signs.of("rdx"))]).toEqual([-3n, -1n]);
    const faulted = run("div rbx", { state: { rax: 1n, CF: 1n, rdx: 9n } });
    expect([faulted.of("rip"), faulted.of("rdx"), faulted.flags]).toEqual([CODE, 9n, "CF"]);
  });
  test("the cdq family", () => {
    const state = { rax: 0x1234_5678_8000_8080n, rdx: M1 };
    expect(run("cbw", { state }).of("rax")).toBe(0x1234_5678_8000_ff80n);
    expect(run("cwde", { state }).of("rax")).toBe(0xffff_8080n);
    expect(run("cdqe", { state }).of("rax")).toBe(0xffff_ffff_8000_8080n);
    expect(run("cwd", { state: { ...state, rdx: 0n } }).of("rdx")).toBe(0xffffn);
    expect(run("cdq", { state }).of("rdx")).toBe(0xffff_ffffn);
    expect(run("cqo", { state }).of("rdx")).toBe(0n);
  });
});

describe("bits", () => {
  test("a bit string in memory reaches from its base to both sides", () => {
    const data = { 8192: "0000000000000000", 8168: "0000000000000080" };
    expect(run("bt [rbx], rax", { state: { rbx: 0x2000n, rax: -129n }, data }).flags).toBe("CF");
    const set = run("bts [rbx], ax", { state: { rbx: 0x2000n, rax: 17n }, data });
    expect([set.bytes(0x2002n, 2), set.flags]).toEqual([2n, ""]);
    // a number in the code stays within the operand
    expect(run("btc dword ptr [rbx], 33", { state: { rbx: 0x2000n }, data }).bytes(0x2000n, 8)).toBe(2n);
    expect(run("btr rax, rbx", { state: { rax: M1, rbx: 64n } }).of("rax")).toBe(M1 - 1n);
  });
  test("scans and counts", () => {
    const of = (text: string, rbx: bigint): bigint => run(text, { state: { rbx, rax: 0xabcn } }).of("rax");
    expect(of("bsf rax, rbx", 1n << 40n)).toBe(40n);
    expect(of("bsr eax, ebx", 0x8000_0001n)).toBe(31n);
    const empty = { state: { rax: M1 }, choices: { unchanged: 1n } };
    expect([run("bsf eax, ebx", empty).of("rax"), run("bsf eax, ebx", empty).flags]).toEqual([M1, "ZF"]);
    expect(of("lzcnt rax, rbx", 1n)).toBe(63n);
    expect(of("lzcnt ax, bx", 0n)).toBe(16n);
    expect(of("tzcnt eax, ebx", 0n)).toBe(32n);
    expect(of("popcnt rax, rbx", M1)).toBe(64n);
    expect(of("popcnt ax, bx", M1)).toBe(16n);
    expect(run("lzcnt eax, ebx", { state: { rbx: 0x8000_0000n } }).flags).toBe("ZF");
    expect(run("tzcnt eax, ebx").flags).toBe("CF");
  });
  test("BMI1 and BMI2", () => {
    const of = (text: string, state: Record<string, bigint>): bigint => run(text, { state }).of("rax");
    expect(of("andn rax, rbx, rcx", { rbx: 0xf0n, rcx: 0xffn })).toBe(0xfn);
    expect(of("bextr eax, ebx, ecx", { rbx: 0x1234_5678n, rcx: 0x0804n })).toBe(0x67n);
    expect(of("bextr rax, rbx, rcx", { rbx: M1, rcx: 0xff00n })).toBe(M1);
    expect(of("blsi rax, rbx", { rbx: 0x50n })).toBe(0x10n);
    expect(of("blsr rax, rbx", { rbx: 0x50n })).toBe(0x40n);
    expect(of("blsmsk rax, rbx", { rbx: 0x50n })).toBe(0x1fn);
    expect(of("bzhi rax, rbx, rcx", { rbx: M1, rcx: 8n })).toBe(0xffn);
    expect(run("bzhi eax, ebx, ecx", { state: { rbx: 1n, rcx: 32n } }).flags).toBe("CF");
    expect(of("pdep rax, rbx, rcx", { rbx: 0b1011n, rcx: 0xf0f0n })).toBe(0xb0n);
    expect(of("pext rax, rbx, rcx", { rbx: 0xabcdn, rcx: 0xf0f0n })).toBe(0xacn);
    expect(of("rorx eax, ebx, 8", { rbx: 0x1234_5678n })).toBe(0x7812_3456n);
    expect(of("sarx eax, ebx, ecx", { rbx: 0x8000_0000n, rcx: 63n })).toBe(0xffff_ffffn);
  });
});

describe("control", () => {
  test("signed conditions are of the sign and the overflow", () => {
    const taken = (text: string, state: Record<string, bigint>): boolean => run(text, { state }).of("rip") === 0x1100n;
    expect(taken("jl 0x1100", { SF: 1n })).toBe(true);
    expect(taken("jl 0x1100", { SF: 1n, OF: 1n })).toBe(false);
    expect(taken("jle 0x1100", { ZF: 1n, SF: 1n, OF: 1n })).toBe(true);
    expect(taken("jg 0x1100", { ZF: 1n })).toBe(false);
    expect(taken("ja 0x1100", { CF: 1n })).toBe(false);
    expect(run("jne 0x1100", { state: { ZF: 1n } }).of("rip")).toBe(CODE + 6n);
  });
  test("call and ret", () => {
    const called = run("call 0x2000");
    expect([called.of("rip"), called.of("rsp"), called.bytes(0x7ff8n, 8)]).toEqual([0x2000n, 0x7ff8n, CODE + 5n]);
    const data = { 32768: "3412000000000000" };
    const back = run("ret 16", { data });
    expect([back.of("rip"), back.of("rsp")]).toEqual([0x1234n, 0x8018n]);
    const framed = run("leave", { state: { rbp: 0x8000n, rsp: 1n }, data });
    expect([framed.of("rsp"), framed.of("rbp")]).toEqual([0x8008n, 0x1234n]);
    const entered = run("enter 32, 2", { state: { rbp: 0x9000n }, data: { 36856: "77" } });
    expect([entered.of("rbp"), entered.of("rsp")]).toEqual([0x7ff8n, 0x7ff8n - 16n - 32n]);
    expect([8n, 16n, 24n].map((d) => entered.bytes(0x8000n - d, 8))).toEqual([0x9000n, 0x77n, 0x7ff8n]);
  });
  test("loops count in rcx, or in ecx", () => {
    const looped = run("loop 0x1000", { state: { rcx: 0x1_0000_0001n } });
    expect([looped.of("rip"), looped.of("rcx")]).toEqual([CODE, 0x1_0000_0000n]);
    // 67 e2 fd
    const narrow = run(Uint8Array.of(0x67, 0xe2, 0xfd), { state: { rcx: 0x1_0000_0001n } });
    expect([narrow.of("rip"), narrow.of("rcx")]).toEqual([CODE + 3n, 0n]);
    expect(run("loopne 0x1000", { state: { rcx: 5n, ZF: 1n } }).of("rip")).toBe(CODE + 2n);
    expect(run("jrcxz 0x1050", { state: { rcx: 1n << 32n } }).of("rip")).toBe(CODE + 2n);
    expect(run("jecxz 0x1050", { state: { rcx: 1n << 32n } }).of("rip")).toBe(0x1050n);
  });
  test("a conditional move reads and zero-extends in any case", () => {
    expect(run("cmove eax, ebx", { state: { rax: M1, rbx: 1n } }).of("rax")).toBe(0xffff_ffffn);
    const permissions = (_: unknown, address: bigint): boolean => address !== 0x2000n;
    expect(run("cmove eax, [rbx]", { state: { rbx: 0x2000n }, permissions }).trap).toBe("page_fault_read");
  });
});

describe("strings", () => {
  const data = { 8192: "0102030405060708", 12288: "0102ff0405060708" };
  test("an iteration is a step, and a fault leaves the state of the iterations before it", () => {
    const permissions = (access: string, address: bigint): boolean => access === "fetch" || address !== 0x3002n;
    let outcome = run("rep movsb", { state: { rsi: 0x2000n, rdi: 0x3000n, rcx: 5n }, data, permissions });
    expect([outcome.of("rcx"), outcome.of("rip"), outcome.of("rsi")]).toEqual([4n, CODE, 0x2001n]);
    outcome = outcomeOf(outcome.state);
    outcome = outcomeOf(outcome.state);
    expect([outcome.trap, outcome.value, outcome.of("rcx"), outcome.of("rdi")]).toEqual([
      "page_fault_write",
      0x3002n,
      3n,
      0x3002n,
    ]);
  });
  test("the last iteration goes on; none at all if the count is zero", () => {
    const last = run("rep stosw", { state: { rdi: 0x2000n, rcx: 1n, rax: 0xbeefn, DF: 1n }, data });
    expect([last.of("rip"), last.of("rdi"), last.bytes(0x2000n, 2)]).toEqual([CODE + 3n, 0x1ffen, 0xbeefn]);
    const none = run("rep stosb", { state: { rdi: 0x2000n }, data, permissions: (a) => a === "fetch" });
    expect([none.of("rip"), none.trap]).toEqual([CODE + 2n, "none"]);
  });
  test("comparisons end at a difference", () => {
    const state = { rsi: 0x2000n, rdi: 0x3000n, rcx: 8n };
    let outcome = run("repe cmpsb", { state, data });
    for (let i = 1; i < 3; i++) outcome = outcomeOf(outcome.state);
    expect([outcome.of("rcx"), outcome.of("rip"), outcome.of("ZF"), outcome.of("CF")]).toEqual([5n, CODE + 2n, 0n, 1n]);
    const found = run("repne scasb", { state: { rdi: 0x2000n, rcx: 8n, rax: 1n }, data });
    expect([found.of("rip"), found.of("rcx"), found.flags]).toEqual([CODE + 2n, 7n, "PF ZF"]);
  });
});

describe("exceptions", () => {
  test("addresses that are not canonical", () => {
    const at = (text: string, state: Record<string, bigint>): string => run(text, { state }).trap;
    expect(at("mov al, [rbx]", { rbx: 1n << 47n })).toBe("general_protection");
    expect(at("mov rax, [rbx]", { rbx: (1n << 47n) - 1n })).toBe("general_protection");
    expect(at("mov rax, [rbx]", { rbx: (1n << 47n) - 8n })).toBe("none");
    expect(at("mov al, [rbx]", { rbx: M1 << 47n })).toBe("none");
    expect(at("mov al, [rbp]", { rbp: 1n << 62n })).toBe("stack_fault");
    expect(at("push rax", { rsp: 1n << 62n })).toBe("stack_fault");
    expect(at("jmp rax", { rax: 1n << 62n })).toBe("general_protection");
    expect(run("call rax", { state: { rax: 1n << 62n } }).of("rsp")).toBe(0x8000n);
  });
  test("page faults: by what was wanted, and nothing done", () => {
    const permissions = (access: string, address: bigint): boolean =>
      access === "fetch" || (access === "load" && address < 0x3000n);
    const written = run("add [rbx], rax", { state: { rbx: 0x2000n, rax: 1n }, permissions });
    expect([written.trap, written.value, written.flags, written.of("rip")]).toEqual([
      "page_fault_write",
      0x2000n,
      "",
      CODE,
    ]);
    expect(run("cmp [rbx], rax", { state: { rbx: 0x3000n }, permissions }).trap).toBe("page_fault_read");
    const pushed = run("push qword ptr [rbx]", { state: { rbx: 0x2000n }, permissions });
    expect([pushed.trap, pushed.value, pushed.of("rsp")]).toEqual(["page_fault_write", 0x7ff8n, 0x8000n]);
    const fetched = run("mov rax, 0x1122334455667788", { permissions: (_, address) => address < 0x1005n });
    expect([fetched.trap, fetched.value]).toEqual(["page_fault_fetch", 0x1005n]);
  });
  test("what is no instruction, and what asks for the system", () => {
    expect(run(Uint8Array.of(0x06)).trap).toBe("invalid_opcode");
    expect(run(Uint8Array.of(0xf0, 0x48, 0x89, 0xd8)).trap).toBe("invalid_opcode");
    expect(run(new Uint8Array(15).fill(0x66)).trap).toBe("general_protection");
    expect(run("ud2").trap).toBe("invalid_opcode");
    expect(run("int3").trap).toBe("breakpoint");
    expect(run("syscall").trap).toBe("system_call");
    expect(run("hlt").trap).toBe("general_protection");
    expect(() => run("addps xmm0, xmm1")).toThrow(/addps/);
    expect(run("popfq", { data: { 32768: "0003000000000000" } }).trap).toBe("unsupported");
    expect(run("lock cmpxchg16b [rbx]", { state: { rbx: 0x2008n } }).trap).toBe("general_protection");
  });
  test("the flags of pushf and lahf", () => {
    const state = { CF: 1n, OF: 1n, DF: 1n, ID: 1n };
    expect(run("pushfq", { state }).bytes(0x7ff8n, 8)).toBe(0x20_0e03n);
    expect(run("lahf", { state }).of("rax")).toBe(0x0300n);
    expect(run("sahf", { state: { rax: 0xd500n } }).flags).toBe("CF PF AF ZF SF");
    expect(run("popfq", { data: { 32768: "c50c000000000000" } }).flags).toBe("CF PF ZF SF DF OF");
  });
  test("wider addresses are a parameter", async () => {
    const wide = await loadMachine("spec/x86-64/x86-64.yaml", { parameters: { LINEAR: 57 } });
    const reading = library.decode(bytesOf("mov al, [rbx]"));
    const form = reading.kind === "instruction" ? wide.decoded?.form(reading.instruction) : undefined;
    if (reading.kind !== "instruction" || form?.kind !== "form") throw new Error("mov is an instruction");
    const trap = (rbx: bigint): unknown =>
      execute(wide, form, reading.instruction, stateOf(new Uint8Array(), { state: { rbx } })).get("trap");
    expect(trap(1n << 47n)).toBe(0n);
    expect(trap(1n << 56n)).toBe(BigInt(trapNamed(wide, "general_protection").code));
  });
  test("their vectors", () => {
    expect(machine.traps.map((t) => t.cause)).toEqual([0, 3, 6, 12, 13, 14, 14, 14, undefined, undefined]);
  });
});
