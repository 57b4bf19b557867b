/* What the two halves share. */
#ifdef __wasm__
#define END_OF_CODE __asm__ volatile("unreachable")
#else
#define END_OF_CODE __asm__ volatile("ud2")
#endif
#define KEEP __attribute__((noinline))

struct part {
    int value;
    unsigned low : 3, high : 5;
    char name[6];
    struct part *next;
    int list[3];
};
extern struct part parts[2];
extern long long total;

int single(int n);
int alone(int n, struct part *part);

/* Lines of another file than those around them. */
static inline int between(int n, long long number)
{
    int half = n / 2;
    total += half;
    half += (int)number;
    total -= half;
    return half;
}
