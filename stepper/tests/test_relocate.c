/* Displaced instructions: decoded for what they are, made again byte for byte, refused where they must be.
 * test_probe_native.c runs them. */
#include "stepper/relocate.h"
#include "stepper/tests/session_test.h"

enum { FROM = 0x100000, TO = 0x200000 };

static struct st_instruction decode(const void *bytes, size_t size) {
    struct st_instruction instruction;
    assert_true(st_instruction_decode(bytes, size, FROM, &instruction));
    assert_int_equal(instruction.length, size);
    return instruction;
}
#define DECODE(...) decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Moves an instruction from FROM to TO and compares what was written. */
static void moves_to(struct st_instruction instruction, const void *expected, size_t size) {
    uint8_t bytes[ST_RELOCATED_MAX];
    struct st_emitter out = {.next = bytes, .end = bytes + sizeof(bytes), .address = TO};
    assert_true(st_instruction_relocate(&instruction, &out));
    assert_int_equal(out.next - bytes, size);
    assert_int_equal(out.address, TO + size);
    assert_memory_equal(bytes, expected, size);
    /* One byte less of room is not enough, and is noticed. */
    out = (struct st_emitter){.next = bytes, .end = bytes + size - 1, .address = TO};
    assert_false(st_instruction_relocate(&instruction, &out));
}
#define MOVES_TO(instruction, ...)                                                                           \
    moves_to(instruction, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void refuses(struct st_instruction instruction) {
    uint8_t bytes[ST_RELOCATED_MAX];
    struct st_emitter out = {.next = bytes, .end = bytes + sizeof(bytes), .address = TO};
    assert_true(instruction.is_fixed);
    assert_false(st_instruction_relocate(&instruction, &out));
}

static void test_copies(void **state) {
    (void)state;
    MOVES_TO(DECODE(0x90), 0x90);
    MOVES_TO(DECODE(0x55), 0x55);
    MOVES_TO(DECODE(0x48, 0x89, 0xe5), 0x48, 0x89, 0xe5);
    MOVES_TO(DECODE(0xc7, 0x45, 0xfc, 1, 2, 3, 4), 0xc7, 0x45, 0xfc, 1, 2, 3, 4);
    MOVES_TO(DECODE(0xc3), 0xc3);
    MOVES_TO(DECODE(0xc2, 0x10, 0x00), 0xc2, 0x10, 0x00);
    MOVES_TO(DECODE(0xff, 0xe0), 0xff, 0xe0);                   /* jmp *%rax */
    MOVES_TO(DECODE(0xff, 0x64, 0x24, 8), 0xff, 0x64, 0x24, 8); /* jmp *8(%rsp) */
    MOVES_TO(DECODE(0xf3, 0x0f, 0x1e, 0xfa), 0xf3, 0x0f, 0x1e, 0xfa);
    assert_int_equal(DECODE(0xc3).flow, ST_FLOW_RETURN);
    assert_int_equal(DECODE(0xff, 0xe0).flow, ST_FLOW_INDIRECT_JUMP);
    assert_int_equal(DECODE(0x90).flow, ST_FLOW_NEXT);
}

static void writes(struct st_instruction instruction, int base, int index, unsigned scale,
                   int64_t displacement, unsigned size) {
    struct st_memory_operand operand;
    assert_true(st_instruction_written(&instruction, &operand));
    assert_int_equal(operand.base, base);
    assert_int_equal(operand.index, index);
    if (index >= 0)
        assert_int_equal(operand.scale, scale);
    assert_int_equal(operand.displacement, displacement);
    assert_int_equal(operand.size, size);
}

static void test_tells_what_is_written(void **state) {
    struct st_memory_operand operand;
    (void)state;
    writes(DECODE(0xc7, 0x45, 0xfc, 1, 2, 3, 4), 6, -1, 0, -4, 4);   /* movl $..., -4(%rbp) */
    writes(DECODE(0x48, 0x89, 0x44, 0x24, 8), 7, -1, 0, 8, 8);       /* movq %rax, 8(%rsp) */
    writes(DECODE(0x66, 0x41, 0x89, 0x4c, 0x97, 2), 15, 1, 4, 2, 2); /* movw %cx, 2(%r15,%rdx,4) */
    writes(DECODE(0x0f, 0x29, 0x45, 0xe0), 6, -1, 0, -32, 16);       /* movaps %xmm0, -32(%rbp) */
    struct st_instruction load = DECODE(0x8b, 0x45, 0xfc), push = DECODE(0x55),
                          compare = DECODE(0x83, 0x7d, 0xfc, 3), address = DECODE(0x48, 0x8d, 0x45, 0xfc),
                          global = DECODE(0x89, 0x05, 0, 0x10, 0, 0), thread = DECODE(0x64, 0x89, 0x45, 0);
    assert_false(st_instruction_written(&load, &operand));
    assert_false(st_instruction_written(&push, &operand));
    assert_false(st_instruction_written(&compare, &operand));
    assert_false(st_instruction_written(&address, &operand));
    assert_false(st_instruction_written(&global, &operand));
    assert_false(st_instruction_written(&thread, &operand));
}

/* An operand at +0x1000 from FROM is at 0x1000 - 0x100000 from TO. */
static void test_corrects_rip_relative_operands(void **state) {
    (void)state;
    MOVES_TO(DECODE(0x48, 0x8b, 0x05, 0x00, 0x10, 0, 0), 0x48, 0x8b, 0x05, 0x00, 0x10, 0xf0, 0xff);
    MOVES_TO(DECODE(0xc7, 0x05, 0x00, 0x10, 0, 0, 9, 8, 7, 6), 0xc7, 0x05, 0x00, 0x10, 0xf0, 0xff, 9, 8, 7,
             6);
    MOVES_TO(DECODE(0xff, 0x25, 0x00, 0x10, 0, 0), 0xff, 0x25, 0x00, 0x10, 0xf0, 0xff); /* jmp *x(%rip) */
    /* vmovups x(%rip), %ymm0 and its EVEX form */
    MOVES_TO(DECODE(0xc5, 0xfc, 0x10, 0x05, 0x00, 0x10, 0, 0), 0xc5, 0xfc, 0x10, 0x05, 0x00, 0x10, 0xf0,
             0xff);
    MOVES_TO(DECODE(0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05, 0x00, 0x10, 0, 0), 0x62, 0xf1, 0x7c, 0x48, 0x10, 0x05,
             0x00, 0x10, 0xf0, 0xff);
    /* Out of reach from there. */
    struct st_instruction far = DECODE(0x48, 0x8b, 0x05, 0x00, 0x00, 0x00, 0x80);
    uint8_t bytes[ST_RELOCATED_MAX];
    struct st_emitter out = {.next = bytes, .end = bytes + sizeof(bytes), .address = TO};
    assert_false(st_instruction_relocate(&far, &out));
}

static void test_moves_jumps(void **state) {
    (void)state;
    struct st_instruction jump = DECODE(0xeb, 0x10); /* to FROM + 0x12 */
    assert_int_equal(jump.target, FROM + 0x12);
    assert_int_equal(jump.flow, ST_FLOW_JUMP);
    MOVES_TO(jump, 0xe9, 0x0d, 0x00, 0xf0, 0xff);
    MOVES_TO(DECODE(0xe9, 0x10, 0, 0, 0), 0xe9, 0x10, 0x00, 0xf0, 0xff);
    MOVES_TO(DECODE(0xeb, 0xfe), 0xe9, 0xfb, 0xff, 0xef, 0xff); /* to itself */
    struct st_instruction branch = DECODE(0x7f, 0x10);
    assert_int_equal(branch.flow, ST_FLOW_BRANCH);
    MOVES_TO(branch, 0x0f, 0x8f, 0x0c, 0x00, 0xf0, 0xff);
    MOVES_TO(DECODE(0x0f, 0x84, 0x10, 0, 0, 0), 0x0f, 0x84, 0x10, 0x00, 0xf0, 0xff);
}

static void test_moves_loops(void **state) {
    (void)state;
    struct st_instruction loop = DECODE(0xe2, 0x10); /* to FROM + 0x12 */
    assert_true(loop.is_loop);
    assert_int_equal(loop.target, FROM + 0x12);
    MOVES_TO(loop, 0xe2, 2, 0xeb, 5, 0xe9, 0x09, 0x00, 0xf0, 0xff);
    assert_true(DECODE(0xe1, 0x10).is_loop);
    assert_true(DECODE(0xe0, 0x10).is_loop);
    assert_true(DECODE(0xe3, 0x10).is_loop);
    MOVES_TO(DECODE(0x67, 0xe3, 0x10), 0x67, 0xe3, 2, 0xeb, 5, 0xe9, 0x09, 0x00, 0xf0, 0xff);
}

static void test_moves_calls(void **state) {
    (void)state;
    struct st_instruction call = DECODE(0xe8, 0x10, 0, 0, 0);
    assert_int_equal(call.flow, ST_FLOW_CALL);
    assert_int_equal(call.target, FROM + 0x15);
    MOVES_TO(call, 0xff, 0x35, 5, 0, 0, 0, 0xe9, 0x0a, 0x00, 0xf0, 0xff, 0x05, 0x00, 0x10, 0, 0, 0, 0, 0);
    assert_int_equal(DECODE(0xff, 0xd0).flow, ST_FLOW_INDIRECT_CALL);
    MOVES_TO(DECODE(0xff, 0xd0), 0xff, 0xf0, 0xff, 0x34, 0x24, 0xc7, 0x44, 0x24, 8, 0x02, 0, 0x10, 0, 0xc7,
             0x44, 0x24, 12, 0, 0, 0, 0, 0xc3);
    MOVES_TO(DECODE(0xff, 0x15, 0x00, 0x10, 0, 0), 0xff, 0x35, 0x00, 0x10, 0xf0, 0xff, 0xff, 0x34, 0x24, 0xc7,
             0x44, 0x24, 8, 0x06, 0, 0x10, 0, 0xc7, 0x44, 0x24, 12, 0, 0, 0, 0, 0xc3);
    MOVES_TO(DECODE(0x41, 0xff, 0x54, 0x24, 0x08), 0x41, 0xff, 0x74, 0x24, 0x08, 0xff, 0x34, 0x24, 0xc7, 0x44,
             0x24, 8, 0x05, 0, 0x10, 0, 0xc7, 0x44, 0x24, 12, 0, 0, 0, 0, 0xc3);
}

static void test_refuses(void **state) {
    (void)state;
    refuses(DECODE(0xff, 0x18));                         /* call far */
    refuses(DECODE(0xff, 0x28));                         /* jmp far */
    refuses(DECODE(0xc7, 0xf8, 0x10, 0, 0, 0));          /* xbegin */
    refuses(DECODE(0x67, 0x8b, 0x05, 0x00, 0x10, 0, 0)); /* mov 0x1000(%eip), %eax */
    refuses(DECODE(0x66, 0xff, 0xd0));                   /* call *%ax */
}

static void test_rejects_what_is_no_instruction(void **state) {
    (void)state;
    struct st_instruction instruction;
    assert_false(st_instruction_decode("\x06", 1, FROM, &instruction));
    assert_false(st_instruction_decode("\x48\x8b", 2, FROM, &instruction)); /* cut short */
    assert_false(st_instruction_decode("", 0, FROM, &instruction));
}

static void test_moves_in_a_frame(void **state) {
    (void)state;
    assert_true(DECODE(0x48, 0x8b, 0x5d, 0xd8).is_move);              /* mov -40(%rbp), %rbx */
    assert_true(DECODE(0x4c, 0x89, 0x5d, 0xa8).is_move);              /* mov %r11, -88(%rbp) */
    assert_true(DECODE(0x44, 0x89, 0x1c, 0x24).is_move);              /* mov %r11d, (%rsp) */
    assert_true(DECODE(0xc7, 0x45, 0xc0, 1, 0, 0, 0).is_move);        /* movl $1, -64(%rbp) */
    assert_true(DECODE(0x48, 0x89, 0xc3).is_move);                    /* mov %rax, %rbx */
    assert_true(DECODE(0x0f, 0x1f, 0x44, 0, 0).is_move);              /* nop */
    assert_false(DECODE(0x49, 0x8b, 0x1c, 0x1f).is_move);             /* mov (%r15,%rbx), %rbx */
    assert_false(DECODE(0x49, 0x8b, 0x5d, 0).is_move);                /* mov (%r13), %rbx */
    assert_false(DECODE(0x48, 0x8b, 0x1d, 0, 0, 0, 0).is_move);       /* mov (%rip), %rbx */
    assert_false(DECODE(0x48, 0xa1, 0, 0, 0, 0, 0, 0, 0, 0).is_move); /* mov 0, %rax */
    assert_false(DECODE(0x8b, 0x5c, 0x1d, 0).is_move);                /* mov (%rbp,%rbx), %ebx */
    assert_false(DECODE(0x01, 0xd8).is_move);                         /* add %ebx, %eax */
}

static void test_jump_reach(void **state) {
    (void)state;
    int32_t displacement;
    assert_true(st_jump_displacement(0, 0x7fffffff, &displacement));
    assert_false(st_jump_displacement(0, UINT64_C(0x80000005), &displacement));
    assert_true(st_jump_displacement(0x80000000, 5, &displacement));
    assert_false(st_jump_displacement(0x80000000, 4, &displacement));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies),
        cmocka_unit_test(test_tells_what_is_written),
        cmocka_unit_test(test_corrects_rip_relative_operands),
        cmocka_unit_test(test_moves_jumps),
        cmocka_unit_test(test_moves_loops),
        cmocka_unit_test(test_moves_calls),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_rejects_what_is_no_instruction),
        cmocka_unit_test(test_moves_in_a_frame),
        cmocka_unit_test(test_jump_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
