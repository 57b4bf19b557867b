/* The injected call keeps every register, the flags, the red zone and the vector state, whichever way it is
 * entered, across ten thousand stops. */
#include "stepper/image.h"
#include "stepper/session.h"
#include "stepper/tests/session_test.h"

#include <errno.h>
#include <immintrin.h>

enum { ROUNDS = 2000 };

static int widest(void) {
    return __builtin_cpu_supports("avx512bw") ? 2 : __builtin_cpu_supports("avx") ? 1 : 0;
}

/* Overwrites what a stub that forgets something would leave behind. */
static void disturb(void) {
    errno = EDOM;
    _MM_SET_EXCEPTION_STATE(_MM_EXCEPT_DIV_ZERO | _MM_EXCEPT_DENORM);
    volatile long double x = 1.25L; /* x87 */
    x = x * x;
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm7\n movdqa %%xmm0, %%xmm15\n" ::
                         : "xmm0", "xmm7", "xmm15");
    if (widest() >= 1) { /* the upper halves stay in use, which compiled code would not do */
        __asm__ volatile("vpcmpeqd %%xmm3, %%xmm3, %%xmm3\n vinsertf128 $1, %%xmm3, %%ymm3, %%ymm3\n"
                         "vmovaps %%ymm3, %%ymm12\n" ::
                             : "xmm3", "xmm12");
    }
    if (widest() == 2) {
        __asm__ volatile("vpternlogd $255, %%zmm1, %%zmm1, %%zmm1\n vmovaps %%zmm1, %%zmm17\n"
                         "vmovaps %%zmm1, %%zmm31\n kxnorq %%k1, %%k1, %%k1\n kxnorq %%k7, %%k7, %%k7\n" ::
                             : "xmm1");
    }
}

/* The addresses of the function's instructions, ascending. */
static size_t instructions_of(struct st_image *image, const char *name, uint64_t *pcs, size_t room) {
    const struct st_function *function = st_debug_function_named(st_image_debug(image), name);
    assert_non_null(function);
    size_t count = 0;
    for (uint64_t pc = function->scope.ranges[0].low; pc < function->scope.ranges[0].high;) {
        struct st_instruction instruction;
        assert_true(st_instruction_decode((void *)(st_image_bias(image) + pc),
                                          (size_t)(function->scope.ranges[0].high - pc), pc, &instruction));
        assert_true(count < room);
        pcs[count++] = pc;
        pc += instruction.length;
    }
    return count;
}

/* The loop is closed by the function's first backward branch; its start is what that one jumps to. */
static void find_loop(struct st_image *image, const uint64_t *pcs, size_t count, size_t *low, size_t *high) {
    for (*high = 0; *high < count; ++*high) {
        struct st_instruction instruction;
        assert_true(
            st_instruction_decode((void *)(st_image_bias(image) + pcs[*high]), 15, pcs[*high], &instruction));
        if (instruction.flow == ST_FLOW_BRANCH && instruction.target < pcs[*high]) {
            for (*low = 0; pcs[*low] != instruction.target; ++*low) {
            }
            return;
        }
    }
    fail_msg("the function has no loop");
}

/* Every instruction of the loop is stopped at (`stride` 1), or some, for which jumps fit. The stack pointer
 * is off its alignment by `shift` bytes; what the driver is shown is not. */
static void pass(int mode, bool x87, int shift, size_t stride, bool prefer_traps, unsigned expected_form) {
    static uint64_t pcs[1024];
    struct st_image *image = open_image("registers");
    size_t count = instructions_of(image, "pass", pcs, 1024), low, high;
    find_loop(image, pcs, count, &low, &high);
    struct st_probe probes[64];
    size_t probe_count = 0;
    for (size_t i = low; i <= high; i += stride) {
        assert_true(probe_count < 64);
        probes[probe_count] = (struct st_probe){.pc = pcs[i], .cookie = (uint32_t)i, .kind = ST_STEP};
        probe_count++;
    }
    const char mode_text[] = {(char)('0' + mode), x87 ? 'x' : '-', (char)('0' + shift), 0};
    struct st_session *session = start(image, mode_text, "2000", 0);
    st_session_prefer_traps(session, prefer_traps);
    check(st_session_set_probes(session, probes, probe_count));
    size_t formed = 0;
    for (size_t i = 0; i < probe_count; i++) {
        formed += probes[i].made == expected_form;
    }
    assert_true(formed > 0);

    size_t stops = 0, turn = 0;
    struct st_event event;
    while ((event = next(session)).kind == ST_STEP) {
        assert_int_equal(event.cookie, probes[turn].cookie);
        assert_int_equal(event.pc, probes[turn].pc);
        assert_int_equal(event.machine, probes[turn].pc + st_image_bias(image));
        assert_int_equal((uintptr_t)session->saved % _Alignof(struct st_saved), 0);
        assert_int_equal((session->saved->registers.general[4] + (uint64_t)shift) % 8, 0);
        turn = (turn + 1) % probe_count;
        stops++;
        disturb();
    }
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(*(int *)global(session, "result", sizeof(int)), 0);
    assert_int_equal(event.status, 0);
    assert_int_equal(stops, probe_count * ROUNDS);
    assert_true(stops >= 10000);
    st_session_destroy(session);
    st_image_close(image);
}

/* Both ways of saving, for each width. */
static void pass_all(int mode) {
    for (int x87 = 0; x87 < 2; x87++) {
        pass(mode, x87, 0, 1, true, ST_PROBE_TRAP);
        pass(mode, x87, 0, 3, false, ST_PROBE_JUMP);
    }
}

static void test_sse(void **state) {
    (void)state;
    pass_all(0);
}

static void test_avx(void **state) {
    (void)state;
    if (widest() < 1) {
        skip();
    }
    pass_all(1);
}

static void test_avx512(void **state) {
    (void)state;
    if (widest() < 2) {
        skip();
    }
    pass_all(2);
}

/* Compilers leave it so in functions that call none. */
static void test_odd_stack(void **state) {
    (void)state;
    for (int shift = 1; shift < 8; shift += 3) {
        pass(widest(), false, shift, 1, true, ST_PROBE_TRAP);
        pass(0, true, shift, 3, false, ST_PROBE_JUMP);
    }
}

/* What a processor gets that cannot tell which registers are in use, or has no XSAVEC. */
static void test_older_processors(void **state) {
    (void)state;
    static const struct {
        uint8_t compact, moves;
    } cases[] = {{1, 0}, {0, 1}, {0, 0}};
    static uint64_t pcs[1024];
    const char mode_text[] = {(char)('0' + widest()), 'x', 0};
    struct st_image *image = open_image("registers");
    size_t low, high, count = instructions_of(image, "pass", pcs, 1024);
    find_loop(image, pcs, count, &low, &high);
    struct st_probe probe = {.pc = pcs[high - 1], .kind = ST_BREAKPOINT};
    for (size_t i = 0; i < 3; i++) {
        struct st_session *session = start(image, mode_text, "2000", 0); /* asks the processor */
        check(st_session_set_probes(session, &probe, 1));
        uint8_t compact = st_vector_compact, moves = st_vector_moves;
        st_vector_compact = compact && cases[i].compact;
        st_vector_moves = moves && cases[i].moves;
        struct st_event event;
        while ((event = next(session)).kind == ST_BREAKPOINT) {
            disturb();
        }
        st_vector_compact = compact;
        st_vector_moves = moves;
        assert_int_equal(event.kind, ST_EXIT);
        assert_int_equal(event.status, 0);
        st_session_destroy(session);
    }
    st_image_close(image);
}

struct loaded { /* the head of the image's struct state */
    uint64_t general[16];
    uint8_t vector[32][64];
};

/* What the driver is shown is what the debuggee had. */
static void test_shows_registers(void **state) {
    (void)state;
    static uint64_t pcs[1024];
    struct st_image *image = open_image("registers");
    size_t low, high, count = instructions_of(image, "pass", pcs, 1024);
    find_loop(image, pcs, count, &low, &high);
    for (int traps = 0; traps < 2; traps++) {
        struct st_probe probe = {.pc = pcs[low], .kind = ST_STEP};
        struct st_session *session = start(image, "0", "3", 0);
        st_session_prefer_traps(session, traps);
        check(st_session_set_probes(session, &probe, 1));
        assert_int_equal(next(session).kind, ST_STEP);
        const struct loaded *loaded = global(session, "before", sizeof(*loaded));
        const struct rt_registers *registers = &session->saved->registers;
        for (int i = 0; i < 16; i++) {
            if (i != 4) {
                assert_int_equal(registers->general[i], loaded->general[i]);
            }
            assert_memory_equal(registers->vector[i], loaded->vector[i], 16);
        }
        assert_int_equal(registers->pc, probe.pc + st_image_bias(image));
        const struct st_frame *frame;
        check(st_session_frame(session, &frame));
        assert_string_equal(frame->function->name, "pass");
        st_session_destroy(session);
    }
    st_image_close(image);
}

/* What the driver changes is what the debuggee goes on with, in whichever way it was saved, and the wider
 * registers around it stay as they were. */
static void test_changes_registers(void **state) {
    (void)state;
    static uint64_t pcs[1024];
    struct st_image *image = open_image("registers");
    size_t low, high, count = instructions_of(image, "pass", pcs, 1024);
    find_loop(image, pcs, count, &low, &high);
    struct st_probe probe = {.pc = pcs[high], .kind = ST_STEP};
    for (int i = 0; i < 3 * (widest() + 1); i++) {
        int mode = i / 3;
        const char mode_text[] = {(char)('0' + mode), i % 3 == 1 ? 'x' : '-', i % 3 == 2 ? '4' : '0', 0};
        struct st_session *session = start(image, mode_text, "1", 0); /* asks the processor */
        uint8_t moves = st_vector_moves;
        st_vector_moves = moves && i % 3 != 2;
        check(st_session_set_probes(session, &probe, 1));
        assert_int_equal(next(session).kind, ST_STEP);
        struct rt_registers *registers = &session->saved->registers;
        registers->general[8] = 0x123456789;
        for (int n = 0; n < 16; n++) {
            memset(registers->vector[n], n + 1, 16);
        }
        assert_int_equal(next(session).kind, ST_EXIT);
        st_vector_moves = moves;
        const struct loaded *before = global(session, "before", sizeof(*before));
        const struct loaded *after = global(session, "after", sizeof(*after));
        assert_int_equal(after->general[8], 0x123456789);
        for (int n = 0; n < 16; n++) {
            uint8_t changed[16];
            memset(changed, n + 1, 16);
            assert_memory_equal(after->vector[n], changed, 16);
            assert_memory_equal(after->vector[n] + 16, before->vector[n] + 16, mode * (mode + 1) * 8);
        }
        st_session_destroy(session);
    }
    st_image_close(image);
}

/* A component that was left unwritten is there, once it has been looked at. */
static void test_settles_initial_state(void **state) {
    (void)state;
    _Alignas(64) uint8_t area[ST_MOVED_WIDE];
    for (int compact = 0; compact < 2; compact++) {
        memset(area, 0xaa, sizeof(area));
        memset(area + ST_XSAVE_HEADER, 0, 64);
        area[ST_XSAVE_HEADER] = ST_STATE_X87;
        area[ST_XSAVE_HEADER + 15] = compact ? 0x80 : 0;
        st_vector_settle((uint8_t(*)[16])(area + ST_XSAVE_SSE));
        assert_int_equal(area[ST_XSAVE_HEADER], ST_STATE_X87 | ST_STATE_SSE);
        uint32_t mxcsr;
        memcpy(&mxcsr, area + ST_XSAVE_MXCSR, sizeof(mxcsr));
        assert_int_equal(mxcsr, compact ? 0x1f80 : 0xaaaaaaaa);
        for (size_t i = 0; i < 256; i++) {
            assert_int_equal(area[ST_XSAVE_SSE + i], 0);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse),
        cmocka_unit_test(test_avx),
        cmocka_unit_test(test_avx512),
        cmocka_unit_test(test_odd_stack),
        cmocka_unit_test(test_older_processors),
        cmocka_unit_test(test_shows_registers),
        cmocka_unit_test(test_changes_registers),
        cmocka_unit_test(test_settles_initial_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
