/* Signed and unsigned division, sign extension, byte swaps and atomics on values of the context. */
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;
typedef int s32;
typedef short s16;
typedef signed char s8;

int entry(u64 *context)
{
	u64 a = context[0], b = context[1];
	u64 cell = a;
	context[2] = a / b + a % b;
	context[3] = (u64)((s64)a / (s64)b) ^ (u64)((s64)a % (s64)b);
	context[4] = (u32)a / (u32)b + (u32)a % (u32)b;
	context[5] = (u64)(s64)((s32)a / (s32)b);
	context[6] = (u64)(s64)(s8)a + (u64)(s64)(s16)a + (u64)(s64)(s32)b;
	context[7] = __builtin_bswap64(a) ^ __builtin_bswap32((u32)b) ^ __builtin_bswap16((unsigned short)a);
	context[8] = __sync_fetch_and_add(&cell, b) + __sync_fetch_and_xor(&cell, a);
	context[9] = __sync_lock_test_and_set(&cell, b) + cell;
	context[10] = __sync_val_compare_and_swap(&cell, b, a) + cell;
	return (s64)a < (s64)b ? 1 : a < b ? 2 : 3;
}
