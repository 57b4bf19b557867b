/* A program whose debug information has something of each kind that a translator of it can get wrong:
 * runtime/jit/faults.def has the list. Built with second.c, of which it is one half, at each level of
 * optimisation. */
#include "faults.h"

struct part parts[2] = {{1, 5, 21, "one", 0, {3, 1, 4}}, {2, 6, 9, "two", &parts[0], {1, 5, 9}}};
long long total = 1000000000007;
static int *volatile nothing;
static volatile int seed = 3;

static int twice(int n) { return n + n; }

/* One line: its body begins where it does. */
KEEP int single(int n) { total += n; return n * 3 + twice(n); }

/* Two blocks beside one another, and a loop around a third. */
KEEP static int blocks(int count, struct part *part)
{
    int sum = 0;
    int *missing = nothing;
    {
        int left = single(count);
        sum += left;
    }
    for (int i = 0; i < count; i++) {
        long long wide = part->list[i % 3];
        wide = wide * 3 - count;
        sum += (int)wide;
        total ^= wide;
    }
    {
        unsigned right = (unsigned)sum * 3;
        sum += (int)(right >> 4);
        total += right;
    }
    if (missing)
        sum += *missing;
    return sum;
}

/* A block that no code is left of in the module: it lies behind what the compiler takes for no end. */
KEEP static int ends(int n)
{
    int kept = n + 1;
    if (n > 1000) {
        END_OF_CODE;
        {
            volatile int gone = n * 7;
            kept += gone;
        }
    }
    total += kept;
    return kept;
}

/* What the optimiser leaves only in expressions: a number extended from a narrower one. */
KEEP static int extends(int n)
{
    int before = n - 90;
    long long extended = before;
    total += n;
    return single(before) + n;
}

/* A parameter that is the same at each call. */
KEEP static int scales(int n, int factor)
{
    total += factor;
    return single(n * factor) + factor;
}

int generated(int n);

int main(void)
{
    int result = blocks(seed, &parts[seed & 1]) + generated(seed);
    result += ends(result & 15);
    result += extends(seed) + scales(result, 70000);
    result += between(result, total);
    result += alone(result, &parts[0]);
    parts[0].low = (unsigned)result & 7;
    return result == 42;
}

/* Statements of two files in one function. */
KEEP int generated(int n)
{
    int sum = n + 4;
#line 1000 "generated.y"
    sum *= 5;
    total += sum;
    return sum;
}
