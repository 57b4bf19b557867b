/* Unwinding by call-frame information: this program's own frames, and rules of every kind in a function of
 * nothing but directives, on a made-up machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/machine.h"

/* Each nop has the rules that the directives before it say. The escapes are, in order: rbx is CFA - 40; the
 * CFA is r12 + 16 + 32, by an expression with a jump; rbx is saved at the computed address CFA - 24; rbp is
 * the computed value CFA - 5. */
__asm__(".text\n"
        ".globl rules_start, rules_saved, rules_expressions, rules_end\n"
        ".type rules_start, @function\n"
        "rules_start:\n"
        ".cfi_startproc\n"
        "nop\n"
        ".cfi_def_cfa_offset 24\n"
        ".cfi_offset 6, -24\n"
        ".cfi_escape 0x14, 3, 5\n"
        ".cfi_same_value 12\n"
        ".cfi_undefined 14\n"
        ".cfi_register 13, 2\n"
        "rules_saved:\n"
        "nop\n"
        ".cfi_escape 0x0f, 9, 0x7c, 16, 0x2f, 1, 0, 0x30, 0x08, 32, 0x22\n"
        ".cfi_escape 0x10, 3, 3, 0x08, 24, 0x1c\n"
        ".cfi_escape 0x16, 6, 2, 0x35, 0x1c\n"
        "rules_expressions:\n"
        "nop\n"
        ".cfi_undefined 16\n"
        "rules_end:\n"
        "nop\n"
        ".cfi_endproc\n"
        ".size rules_start, . - rules_start\n");
extern const char rules_start[], rules_saved[], rules_expressions[], rules_end[];

static struct st_unwinder *unwinder;
static uint64_t bias;

static int find_bias(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size;
    *(uint64_t *)user = info->dlpi_addr;
    return 1; /* the first one is the program */
}

static int set_up(void **state) {
    (void)state;
    dl_iterate_phdr(find_bias, &bias);
    struct rt_error *error = st_unwinder_create("/proc/self/exe", &unwinder);
    if (error)
        fail_msg("%s", error->message);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    st_unwinder_destroy(unwinder);
    return 0;
}

struct registers {
    uint64_t value[17];
    uint32_t known;
    uint64_t stack[16]; /* at 0x1000, in the made-up machine */
};

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    struct registers *registers = user;
    if (number >= 17 || !(registers->known >> number & 1))
        return false;
    *ret = registers->value[number];
    return true;
}

static const void *real_memory(void *user, uint64_t address, size_t size) {
    (void)user;
    (void)size;
    return (const void *)address;
}

static const void *made_up_memory(void *user, uint64_t address, size_t size) {
    struct registers *registers = user;
    return address >= 0x1000 && size <= sizeof registers->stack &&
                   address - 0x1000 <= sizeof registers->stack - size
               ? (const char *)registers->stack + (address - 0x1000)
               : NULL;
}

#define CAPTURE(registers)                                                                                   \
    __asm__ volatile("leaq 0(%%rip), %%rax\n"                                                                \
                     "movq %%rax, 128(%0)\n"                                                                 \
                     "movq %%rbx, 24(%0)\n"                                                                  \
                     "movq %%rbp, 48(%0)\n"                                                                  \
                     "movq %%rsp, 56(%0)\n"                                                                  \
                     "movq %%r12, 96(%0)\n"                                                                  \
                     "movq %%r13, 104(%0)\n"                                                                 \
                     "movq %%r14, 112(%0)\n"                                                                 \
                     "movq %%r15, 120(%0)\n"                                                                 \
                     :                                                                                       \
                     : "r"((registers)->value)                                                               \
                     : "rax", "memory")

/* What the compiler says of a frame. */
struct truth {
    uint64_t cfa, caller;
};
#define TRUTH() ((struct truth){(uint64_t)__builtin_dwarf_cfa(), (uint64_t)__builtin_return_address(0)})

static __attribute__((noinline)) int inner(struct truth outer) {
    struct truth truth = TRUTH();
    struct registers registers = {.known = 1u << 3 | 0xfu << 12 | 1u << 6 | 1u << 7 | 1u << 16};
    struct st_machine machine = {
        .address_size = 8, .user = &registers, .read_register = read_register, .memory = real_memory};
    CAPTURE(&registers);
    uint64_t cfa, caller[17];
    uint32_t known;

    const struct st_unwind_row *row = st_unwinder_row(unwinder, registers.value[16] - bias);
    assert_non_null(row);
    assert_ptr_equal(st_unwinder_row(unwinder, registers.value[16] - bias), row);
    assert_true(st_unwind_cfa(row, &machine, &cfa));
    assert_int_equal(cfa, truth.cfa);
    assert_true(st_unwind_caller(row, &machine, cfa, caller, &known));
    assert_int_equal(caller[16], truth.caller);
    assert_int_equal(caller[7], truth.cfa);

    /* The caller, inside its call instruction. */
    memcpy(registers.value, caller, sizeof caller);
    registers.known = known;
    row = st_unwinder_row(unwinder, caller[16] - 1 - bias);
    assert_non_null(row);
    assert_true(st_unwind_cfa(row, &machine, &cfa));
    assert_int_equal(cfa, outer.cfa);
    assert_true(st_unwind_caller(row, &machine, cfa, caller, &known));
    assert_int_equal(caller[16], outer.caller);
    return 1;
}

static __attribute__((noinline)) int outer(void) {
    volatile int result = inner(TRUTH()); /* no tail call */
    return result + 1;
}

static void test_own_frames(void **state) {
    (void)state;
    assert_int_equal(outer(), 2);
}

static void test_rules(void **state) {
    (void)state;
    struct registers registers = {.known = UINT32_MAX};
    struct st_machine machine = {
        .address_size = 8, .user = &registers, .read_register = read_register, .memory = made_up_memory};
    for (size_t i = 0; i < 17; i++)
        registers.value[i] = 0x100 + i;
    for (size_t i = 0; i < 16; i++)
        registers.stack[i] = 0xaa00 + i;
    registers.value[7] = 0x1040; /* rsp */
    registers.value[12] = 0x1010;
    uint64_t cfa, caller[17];
    uint32_t known;

    /* At the entry: CFA = rsp + 8, the return address below it. */
    const struct st_unwind_row *row = st_unwinder_row(unwinder, (uint64_t)rules_start - bias);
    assert_non_null(row);
    assert_true(st_unwind_cfa(row, &machine, &cfa));
    assert_int_equal(cfa, 0x1048);
    assert_true(st_unwind_caller(row, &machine, cfa, caller, &known));
    assert_int_equal(caller[16], 0xaa08);
    assert_int_equal(caller[7], 0x1048);
    assert_int_equal(caller[3], 0x103); /* callee-saved, untouched */
    assert_true(known >> 3 & 1);
    assert_false(known >> 0 & 1); /* rax is not the callee's to keep */

    row = st_unwinder_row(unwinder, (uint64_t)rules_saved - bias);
    assert_non_null(row);
    assert_true(st_unwind_cfa(row, &machine, &cfa));
    assert_int_equal(cfa, 0x1058);
    assert_true(st_unwind_caller(row, &machine, cfa, caller, &known));
    assert_int_equal(caller[16], 0xaa0a);
    assert_int_equal(caller[6], 0xaa08);
    assert_int_equal(caller[3], 0x1058 - 40);
    assert_int_equal(caller[12], 0x1010);
    assert_int_equal(caller[13], 0x102);
    assert_false(known >> 14 & 1);

    row = st_unwinder_row(unwinder, (uint64_t)rules_expressions - bias);
    assert_non_null(row);
    assert_true(st_unwind_cfa(row, &machine, &cfa));
    assert_int_equal(cfa, 0x1010 + 16 + 32);
    assert_true(st_unwind_caller(row, &machine, cfa, caller, &known));
    assert_int_equal(caller[3], 0xaa00 + (cfa - 24 - 0x1000) / 8);
    assert_int_equal(caller[6], cfa - 5);

    /* The outermost frame says that it has no caller. */
    row = st_unwinder_row(unwinder, (uint64_t)rules_end - bias);
    assert_non_null(row);
    assert_false(st_unwind_caller(row, &machine, cfa, caller, &known));

    /* What is not known stays unknown. */
    registers.known = 0;
    row = st_unwinder_row(unwinder, (uint64_t)rules_start - bias);
    assert_false(st_unwind_cfa(row, &machine, &cfa));
    assert_false(st_unwind_caller(row, &machine, 0x5, caller, &known));
    row = st_unwinder_row(unwinder, (uint64_t)rules_expressions - bias);
    assert_false(st_unwind_cfa(row, &machine, &cfa));
}

static void test_no_rules(void **state) {
    (void)state;
    assert_null(st_unwinder_row(unwinder, 0));
    assert_null(st_unwinder_row(unwinder, UINT64_MAX));
    assert_null(st_unwinder_row(unwinder, UINT64_MAX)); /* remembered */
}

static void test_open_errors(void **state) {
    (void)state;
    struct st_unwinder *none = NULL;
    struct rt_error *error = st_unwinder_create("/nonexistent/file", &none);
    assert_non_null(error);
    assert_int_equal(error->code, RT_OS);
    rt_error_destroy(error);
    error = st_unwinder_create("/dev/null", &none);
    assert_non_null(error);
    assert_non_null(strstr(error->message, "not an ELF file"));
    rt_error_destroy(error);
    st_unwinder_destroy(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_frames),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_no_rules),
        cmocka_unit_test(test_open_errors),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
