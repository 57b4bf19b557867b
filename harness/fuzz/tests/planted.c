/* A target with planted bugs, to see that each way of building targets reports them, although the runtime's
 * handlers of SIGSEGV, SIGBUS and SIGILL stand in front of the sanitizers'.
 *
 * Inputs "BUG" and a letter: W writes to a wild address, I is an illegal instruction, A aborts, O reads
 * past a heap block, which only a sanitizer sees. */
#include "harness/fuzz/fuzz.h"
#include "runtime/runtime.h"

/* Any run of a guest installs the handlers. */
static void install_handlers(void) {
    struct rt_store *store;
    fuzz_require(!rt_store_create(&store));
    rt_store_destroy(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    install_handlers();
    if (size < 4 || data[0] != 'B' || data[1] != 'U' || data[2] != 'G')
        return 0;
    switch (data[3]) {
    case 'W': *(volatile int *)(uintptr_t)(16 * size) = 1; break;
    case 'I': __builtin_trap();
    case 'A': abort();
    case 'O': {
        volatile uint8_t *block = malloc(size);
        fuzz_require(block != NULL);
        block[0] = block[size];
        free((void *)(uintptr_t)block);
        break;
    }
    default: break;
    }
    return 0;
}
