/* Sorts sixteen signed numbers on the stack, and hashes them byte by byte. */
typedef unsigned long long u64;
typedef long long s64;
typedef unsigned int u32;

enum { COUNT = 16 };

int entry(u64 *context)
{
	s64 list[COUNT];
#pragma clang loop unroll(full)
	for (int i = 0; i < COUNT; i++)
		list[i] = (s64)context[i];
	for (int i = 1; i < COUNT; i++) {
		for (int k = i; k > 0; k--) {
			if (list[k - 1] <= list[k])
				break;
			s64 t = list[k];
			list[k] = list[k - 1];
			list[k - 1] = t;
		}
	}
	u32 hash = 2166136261u;
	for (int i = 0; i < COUNT; i++) {
		for (int k = 0; k < 8; k++) {
			hash ^= (u32)(list[i] >> (8 * k)) & 255;
			hash *= 16777619u;
		}
	}
#pragma clang loop unroll(full)
	for (int i = 0; i < COUNT; i++)
		context[i] = (u64)list[i];
	return (int)hash;
}
