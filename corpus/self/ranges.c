/* Scopes side by side, and a program that runs out of its code where its behaviour is undefined: that says nothing of
 * its debug information, and it agrees as it is, as far as it goes.
 *
 * EDIT function-ends-early native -O2 range die(<work>, 's/(\.long\t\.Lfunc_end\d+-\.Lfunc_begin\d+)/$1-1/')
 * EDIT block-over-its-sibling native -O0 range block(1, 's/(\.long\t\.Ltmp\d+-\.Ltmp\d+)/$1+3/')
 */
static volatile int total = 3;

__attribute__((noinline)) static int work(int number) { /* LINE work */
    {
        int first = number;
        total += first;
    }
    {
        int second = number;
        total *= second;
    }
    return total;
}

int main(void) {
    work(1);
    total += work(2);
    __builtin_unreachable();
}
