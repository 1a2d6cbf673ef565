/* Local calls, four deep, with values that must survive them; the context is two numbers and room for results. */
typedef unsigned long long u64;
typedef long long s64;

static __attribute__((noinline)) u64 gcd(u64 a, u64 b)
{
	for (int i = 0; i < 100 && b; i++) {
		u64 t = a % b;
		a = b;
		b = t;
	}
	return a;
}

static __attribute__((noinline)) u64 power(u64 base, unsigned exponent)
{
	u64 result = 1;
	for (int i = 0; i < 32; i++) {
		if (exponent & 1)
			result *= base;
		base *= base;
		exponent >>= 1;
	}
	return result;
}

static __attribute__((noinline)) u64 mix(u64 a, u64 b, u64 c, u64 d, u64 e)
{
	return gcd(a, b) + power(c, (unsigned)d) - e;
}

static __attribute__((noinline)) u64 more(u64 a, u64 b)
{
	u64 first = mix(a, b, a ^ b, a & 15, 3);
	u64 second = mix(b, a, a + b, b & 15, first);
	u64 third = mix(first, second, a, 5, b);
	return first * 31 + second * 7 + third + a - b;
}

int entry(u64 *context)
{
	u64 a = context[0], b = context[1];
	context[2] = more(a, b);
	context[3] = gcd(a, b);
	context[4] = (u64)((s64)a >> 3) + power(b, 3);
	return (int)context[2];
}
