/*
 * Loads and runs eBPF programs in the kernel, as bpf(2) does for programs of type SYSCALL: their context is a buffer that they
 * read and write. Beside it there is a window of memory, the value of an array map, whose upper half programs may use as they like.
 *
 * Says hello with the map's file descriptor or minus an errno, then answers batches. All numbers are little-endian, 32 bits:
 *
 *   batch     count, count requests
 *   request   slots, context size, slots * 8 bytes, context, window
 *   answer    errno of loading, errno of running, r0, context, window, the end of the log
 *
 * A program that is not loaded has a log, of the verifier; its context and window are as they were. What happens to a program
 * when it runs depends on its own bytes alone: there is no other state.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { WINDOW = 128, MOST_SLOTS = 1 << 17, MOST_CONTEXT = 1 << 14, LOG = 1 << 16, TOLD = 1 << 9 };

static struct bpf_insn slots[MOST_SLOTS];
static uint8_t context[MOST_CONTEXT];
static uint8_t incoming[WINDOW];
static char log_text[LOG];

static int bpf(int command, union bpf_attr *attributes)
{
	return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static void get(void *to, size_t size)
{
	if (fread(to, 1, size, stdin) != size)
		exit(feof(stdin) ? 0 : 1);
}

static void put(const void *from, size_t size)
{
	if (fwrite(from, 1, size, stdout) != size)
		exit(1);
}

static int32_t get_number(void)
{
	int32_t n;
	get(&n, sizeof n);
	return n;
}

static void put_number(int32_t n)
{
	put(&n, sizeof n);
}

static int load(uint32_t count, int with_log)
{
	static const char license[] = "GPL";
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.prog_type = BPF_PROG_TYPE_SYSCALL;
	a.prog_flags = BPF_F_SLEEPABLE;
	a.insns = (uintptr_t)slots;
	a.insn_cnt = count;
	a.license = (uintptr_t)license;
	if (with_log) {
		log_text[0] = 0;
		a.log_buf = (uintptr_t)log_text;
		a.log_size = sizeof log_text;
		a.log_level = 1;
	}
	return bpf(BPF_PROG_LOAD, &a);
}

static void answer(uint8_t *window)
{
	uint32_t count = get_number(), size = get_number();
	if (count > MOST_SLOTS || size > MOST_CONTEXT)
		exit(2);
	get(slots, count * sizeof *slots);
	get(context, size);
	get(incoming, WINDOW);
	memcpy(window, incoming, WINDOW);

	int32_t load_errno = 0, run_errno = 0;
	uint32_t r0 = 0;
	char told[TOLD] = { 0 };
	int program = load(count, 0);
	if (program < 0) {
		load_errno = errno;
		program = load(count, 1);
		if (program >= 0)
			close(program);
		size_t length = strnlen(log_text, sizeof log_text);
		size_t first = length > TOLD ? length - TOLD : 0;
		memcpy(told, log_text + first, length - first);
	} else {
		union bpf_attr a;
		memset(&a, 0, sizeof a);
		a.test.prog_fd = program;
		a.test.ctx_in = (uintptr_t)context;
		a.test.ctx_size_in = size;
		if (bpf(BPF_PROG_TEST_RUN, &a) < 0)
			run_errno = errno;
		r0 = a.test.retval;
		close(program);
	}
	put_number(load_errno);
	put_number(run_errno);
	put_number(r0);
	put(context, size);
	put(window, WINDOW);
	put(told, sizeof told);
}

int main(void)
{
	union bpf_attr a;
	memset(&a, 0, sizeof a);
	a.map_type = BPF_MAP_TYPE_ARRAY;
	a.key_size = 4;
	a.value_size = WINDOW;
	a.max_entries = 1;
	a.map_flags = BPF_F_MMAPABLE;
	int map = bpf(BPF_MAP_CREATE, &a);
	uint8_t *window = map < 0 ? MAP_FAILED : mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, map, 0);
	put_number(window == MAP_FAILED ? -errno : map);
	fflush(stdout);
	if (window == MAP_FAILED)
		return 0;
	for (;;) {
		for (int32_t count = get_number(); count > 0; count--)
			answer(window);
		fflush(stdout);
	}
}
