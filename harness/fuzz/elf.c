/* Any bytes as a native image give a debug model or an error, and an unwinder or an error; every pc has a row
 * of unwind rules or none, and every row an answer for a made-up frame.
 *
 * Covers: stepper/debug_image.c stepper/unwind.c stepper/call_frames.c stepper/call_frames_run.c */
#include "harness/fuzz/machine.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST_PC = 0x2f0, STEP = 4, PCS = 128 }; /* where the code of the corpus's images is */

static void check_rows(const struct st_debug *debug) {
    size_t count;
    const struct st_row *rows = st_debug_rows(debug, &count);
    for (size_t i = 1; i < count; i++)
        fuzz_require(rows[i - 1].pc <= rows[i].pc);
    const struct st_function *functions = st_debug_functions(debug, &count);
    for (size_t i = 0; i < count; i++)
        fuzz_require(functions[i].index == i && st_debug_function_named(debug, functions[i].name));
}

static void check_unwinding(struct st_unwinder *unwinder) {
    struct st_machine machine = fuzz_machine(8, NULL);
    for (uint64_t pc = FIRST_PC; pc < FIRST_PC + PCS * STEP; pc += STEP) {
        const struct st_unwind_row *row = st_unwinder_row(unwinder, pc);
        uint64_t cfa, registers[17];
        uint32_t known;
        fuzz_require(row == st_unwinder_row(unwinder, pc));
        if (row && st_unwind_cfa(row, &machine, &cfa) &&
            st_unwind_caller(row, &machine, cfa, registers, &known))
            fuzz_require(registers[7] == cfa && known >> 16 & 1);
    }
}

/* Both are opened by a path, which is a file in memory here. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char path[64];
    struct st_debug *debug;
    struct st_unwinder *unwinder;
    int fd = memfd_create("image", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    struct rt_error *error = st_debug_open_elf(path, &debug);
    if (!error) {
        check_rows(debug);
        st_debug_close(debug);
    }
    fuzz_require_sound_error(error);
    error = st_unwinder_create(path, &unwinder);
    if (!error) {
        check_unwinding(unwinder);
        st_unwinder_destroy(unwinder);
    }
    fuzz_require_sound_error(error);
    close(fd);
    return 0;
}
