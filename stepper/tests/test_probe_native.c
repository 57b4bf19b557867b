/* Native probes: every kind of displaced instruction runs out of line as it did in place, in each form of
 * probe; sets of probes come and go under a debuggee's feet; foreign signals go where they went before. */
#include "stepper/image.h"
#include "stepper/tests/session_test.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>

enum { RESULTS = 64, PROBES_MAX = 1024 };

struct code {
    struct st_image *image;
    uint64_t pcs[PROBES_MAX];
    size_t count;
};

/* All instructions of the image's functions, those of main left out. */
static void open_code(struct code *code, const char *name) {
    code->image = open_image(name);
    code->count = 0;
    size_t function_count;
    const struct st_function *functions = st_debug_functions(st_image_debug(code->image), &function_count);
    for (size_t i = 0; i < function_count; i++) {
        uint64_t pc = functions[i].scope.ranges[0].low, high = functions[i].scope.ranges[0].high;
        while (pc < high && strcmp(functions[i].name, "main") != 0) {
            struct st_instruction instruction;
            assert_true(st_instruction_decode((void *)(st_image_bias(code->image) + pc), (size_t)(high - pc),
                                              pc, &instruction));
            assert_true(code->count < PROBES_MAX);
            code->pcs[code->count++] = pc;
            pc += instruction.length;
        }
    }
    assert_true(code->count > 20);
}

static void run_to_end(struct st_session *session, size_t *stops) {
    struct st_event event;
    *stops = 0;
    while ((event = next(session)).kind == ST_STEP) {
        ++*stops;
    }
    assert_int_equal(event.kind, ST_EXIT);
    assert_int_equal(event.status, 0);
}

/* Runs with the given instructions probed; the results must be those of a run without. Returns the number of
 * probes made in a form. */
static size_t run_probed(struct code *code, const size_t *indices, size_t count, bool prefer_traps,
                         const uint64_t *expected, unsigned form, size_t *stops) {
    static struct st_probe probes[PROBES_MAX];
    for (size_t i = 0; i < count; i++) {
        probes[i] = (struct st_probe){.pc = code->pcs[indices[i]], .cookie = (uint32_t)i, .kind = ST_STEP};
    }
    struct st_session *session = start(code->image, NULL, NULL, 0);
    st_session_prefer_traps(session, prefer_traps);
    check(st_session_set_probes(session, probes, count));
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(probes[i].made, ST_PROBE_NONE);
        made += probes[i].made == form;
    }
    run_to_end(session, stops);
    assert_memory_equal(global(session, "results", RESULTS * 8), expected, RESULTS * 8);
    st_session_destroy(session);
    return made;
}

static void run_unprobed(struct code *code, uint64_t *results) {
    struct st_session *session = start(code->image, NULL, NULL, 0);
    size_t stops;
    check(st_session_set_probes(session, NULL, 0));
    run_to_end(session, &stops);
    assert_int_equal(stops, 0);
    memcpy(results, global(session, "results", RESULTS * 8), RESULTS * 8);
    st_session_destroy(session);
}

/* Every instruction at once. */
static void test_all_instructions(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    uint64_t expected[RESULTS];
    run_unprobed(&code, expected);
    static size_t indices[PROBES_MAX];
    for (size_t i = 0; i < code.count; i++) {
        indices[i] = i;
    }
    size_t trap_stops, jump_stops;
    assert_int_equal(run_probed(&code, indices, code.count, true, expected, ST_PROBE_TRAP, &trap_stops),
                     code.count);
    assert_true(run_probed(&code, indices, code.count, false, expected, ST_PROBE_JUMP, &jump_stops) > 10);
    assert_true(trap_stops > 300);
    assert_int_equal(trap_stops, jump_stops);
    st_image_close(code.image);
}

/* One at a time, so that a jump may cover its neighbours. */
static void test_each_instruction(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    uint64_t expected[RESULTS];
    run_unprobed(&code, expected);
    size_t jumps = 0;
    for (size_t i = 0; i < code.count; i++) {
        size_t trap_stops, jump_stops;
        run_probed(&code, &i, 1, true, expected, ST_PROBE_TRAP, &trap_stops);
        jumps += run_probed(&code, &i, 1, false, expected, ST_PROBE_JUMP, &jump_stops);
        assert_int_equal(trap_stops, jump_stops);
    }
    assert_true(jumps > code.count / 3);
    st_image_close(code.image);
}

/* At each stop another set, drawn at random: the one stood on goes, stays, changes its form, or comes to lie
 * under another one's jump. */
static void test_sets_change_at_stops(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    uint64_t expected[RESULTS];
    run_unprobed(&code, expected);
    uint64_t seed = 1;
    for (int round = 0; round < 20; round++) {
        struct st_session *session = start(code.image, NULL, NULL, 0);
        struct st_event event = {.kind = ST_STEP};
        while (event.kind == ST_STEP) {
            static struct st_probe probes[PROBES_MAX];
            size_t count = 0;
            for (size_t i = 0; i < code.count; i++) {
                seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
                if ((seed >> 40) % 3 == 0) {
                    probes[count++] = (struct st_probe){.pc = code.pcs[i], .cookie = 1, .kind = ST_STEP};
                }
            }
            st_session_prefer_traps(session, seed >> 63);
            check(st_session_set_probes(session, probes, count));
            event = next(session);
        }
        assert_int_equal(event.kind, ST_EXIT);
        assert_memory_equal(global(session, "results", RESULTS * 8), expected, RESULTS * 8);
        st_session_destroy(session);
    }
    st_image_close(code.image);
}

/* Statements too short for a jump jump to an island behind a longer neighbour: hardly any needs a trap. */
static void test_short_statements(void **state) {
    (void)state;
    struct st_image *image = open_image("program");
    size_t count;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    struct st_session *session = start(image, "fibonacci", NULL, 0);
    check(st_session_set_probes(session, probes, count));
    size_t jumps = 0, islands = 0;
    for (size_t i = 0; i < count; i++) {
        const struct st_site *site = st_site_find(image, (uintptr_t)probes[i].pc + st_image_bias(image));
        jumps += probes[i].made == ST_PROBE_JUMP;
        islands += site->now.island != 0;
    }
    assert_true(jumps * 10 > count * 9);
    assert_true(islands > 0);
    struct st_event event;
    size_t stops = 0;
    while ((event = next(session)).kind == ST_STEP) {
        /* Hosts and their guests come and go. */
        struct st_probe some[PROBES_MAX];
        size_t some_count = 0;
        for (size_t i = 0; i < count; i++) {
            if (i % 3 != stops % 4) {
                some[some_count++] = probes[i];
            }
        }
        check(st_session_set_probes(session, some, some_count));
        stops++;
    }
    assert_int_equal(event.status, 8);
    assert_true(stops > 100);
    st_session_destroy(session);
    free(probes);
    st_image_close(image);
}

/* What is no instruction of a function gets no probe, and nothing is patched. */
static void test_places_without_code(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    struct st_session *session = start(code.image, NULL, NULL, 0);
    struct st_probe probes[] = {
        {.pc = 1, .kind = ST_STEP},
        {.pc = code.pcs[0], .kind = ST_BREAKPOINT, .cookie = 5},
        {.pc = code.pcs[0] + 1, .kind = ST_STEP}, /* inside of an instruction */
        {.pc = UINT64_MAX / 2, .kind = ST_STEP},
        {.pc = UINT64_MAX, .kind = ST_STEP},
    };
    check(st_session_set_probes(session, probes, 5));
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(probes[i].made == ST_PROBE_NONE, i != 1);
    }
    struct st_event event = next(session);
    assert_int_equal(event.kind, ST_BREAKPOINT);
    assert_int_equal(event.cookie, 5);
    st_session_destroy(session);
    st_image_close(code.image);
}

/* The code is never writable while it is executable, and is as it was loaded once the probes are gone. */
static void test_leaves_no_trace(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    struct st_session *session = start(code.image, NULL, NULL, 0);
    static uint8_t before[1 << 16];
    uintptr_t low = code.image->text_low;
    size_t size = code.image->text_high - low;
    assert_true(size <= sizeof(before));
    memcpy(before, (void *)low, size);
    struct st_probe probes[PROBES_MAX];
    for (size_t i = 0; i < code.count; i++) {
        probes[i] = (struct st_probe){.pc = code.pcs[i], .kind = ST_STEP};
    }
    check(st_session_set_probes(session, probes, code.count));
    assert_memory_not_equal(before, (void *)low, size);
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    char line[1024];
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "displaced.so") != NULL || strstr(line, "lockstep-trampolines") != NULL) {
            assert_null(strstr(line, " rwx"));
        }
    }
    fclose(maps);
    check(st_session_set_probes(session, NULL, 0));
    assert_memory_equal(before, (void *)low, size);
    st_session_destroy(session);
    st_image_close(code.image);
}

/* Hosts and their islands come and go over several pages of code, so that what changes and what stays lie
 * apart. */
static void test_islands_over_pages(void **state) {
    (void)state;
    struct st_image *image = open_image("pages");
    size_t count, islands = 0;
    struct st_probe *probes = all_rows(st_image_debug(image), &count);
    struct st_probe *some = calloc(count, sizeof(*some));
    bool *is_out = calloc(count, sizeof(*is_out));
    assert_non_null(some);
    assert_non_null(is_out);
    uint64_t seed = 7;
    for (int round = 0; round < 30; round++) {
        struct st_session *session = start(image, NULL, NULL, 0);
        check(st_session_set_probes(session, probes, count));
        struct st_event event;
        for (size_t stops = 0; (event = next(session)).kind == ST_STEP; stops++) {
            if (stops % 10 != 0) {
                continue;
            }
            /* One goes or comes, so that nearly all stays as it is. */
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
            is_out[(seed >> 33) % count] ^= true;
            size_t some_count = 0;
            for (size_t i = 0; i < count; i++) {
                if (!is_out[i]) {
                    some[some_count++] = probes[i];
                }
            }
            check(st_session_set_probes(session, some, some_count));
            for (size_t i = 0; i < some_count; i++) {
                const struct st_site *site =
                    st_site_find(image, (uintptr_t)some[i].pc + st_image_bias(image));
                islands += site != NULL && site->now.island != 0;
            }
        }
        assert_int_equal(event.kind, ST_EXIT);
        assert_int_equal(event.status, 42);
        st_session_destroy(session);
    }
    free(is_out);
    assert_true(islands > 0);
    free(some);
    free(probes);
    st_image_close(image);
}

/* ---- Signals of others ---- */

static volatile sig_atomic_t foreign_signals, foreign_pid;

static void note(int number) {
    foreign_signals = foreign_signals * 100 + number;
}

static void note_info(int number, siginfo_t *info, void *context) {
    (void)context;
    foreign_signals = foreign_signals * 100 + number;
    foreign_pid = info->si_pid;
}

static void test_foreign_signals(void **state) {
    (void)state;
    struct sigaction trap = {.sa_handler = note},
                     illegal = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO},
                     bus = {.sa_handler = SIG_IGN}, before[3];
    sigaction(SIGTRAP, &trap, &before[0]);
    sigaction(SIGILL, &illegal, &before[1]);
    sigaction(SIGBUS, &bus, &before[2]);
    static struct code code;
    open_code(&code, "displaced");
    struct st_session *session = start(code.image, NULL, NULL, 0);
    struct st_probe probes[PROBES_MAX];
    for (size_t i = 0; i < code.count; i++) {
        probes[i] = (struct st_probe){.pc = code.pcs[i], .kind = ST_STEP};
    }
    st_session_prefer_traps(session, true);
    check(st_session_set_probes(session, probes, code.count));
    for (int i = 0; i < 10; i++) {
        assert_int_equal(next(session).kind, ST_STEP);
        foreign_signals = foreign_pid = 0;
        raise(SIGTRAP);
        assert_int_equal(foreign_signals, SIGTRAP);
        __asm__ volatile("int3"); /* the driver's own */
        assert_int_equal(foreign_signals, SIGTRAP * 100 + SIGTRAP);
        foreign_signals = 0;
        raise(SIGILL);
        assert_int_equal(foreign_signals, SIGILL);
        assert_int_not_equal(foreign_pid, 0);
        raise(SIGBUS); /* ignored */
    }
    st_session_destroy(session);
    st_image_close(code.image);
    sigaction(SIGTRAP, &before[0], NULL);
    sigaction(SIGILL, &before[1], NULL);
    sigaction(SIGBUS, &before[2], NULL);
}

/* An image's code that runs outside of its session passes through its probes. */
static void test_passes_outside_of_its_session(void **state) {
    (void)state;
    static struct code code;
    open_code(&code, "displaced");
    uint64_t expected[RESULTS];
    run_unprobed(&code, expected);
    for (int traps = 0; traps < 2; traps++) {
        struct st_session *session = start(code.image, NULL, NULL, 0);
        struct st_probe probes[PROBES_MAX];
        for (size_t i = 0; i < code.count; i++) {
            probes[i] = (struct st_probe){.pc = code.pcs[i], .kind = ST_STEP};
        }
        st_session_prefer_traps(session, traps);
        check(st_session_set_probes(session, probes, code.count));
        uint64_t *results = global(session, "results", RESULTS * 8);
        memset(results, 0, RESULTS * 8);
        char *argv[] = {(char *)"displaced", NULL};
        assert_int_equal(code.image->main(1, argv, argv + 1), 0);
        assert_memory_equal(results, expected, RESULTS * 8);
        st_session_destroy(session);
    }
    st_image_close(code.image);
}

/* Two debuggees by turns, and both alive at once. */
static void test_two_sessions(void **state) {
    (void)state;
    struct st_image *first = open_image("displaced"), *second = open_image("program");
    size_t first_count, second_count;
    struct st_probe *first_probes = all_rows(st_image_debug(first), &first_count);
    struct st_probe *second_probes = all_rows(st_image_debug(second), &second_count);
    struct st_session *one = start(first, NULL, NULL, 0), *two = start(second, "fibonacci", NULL, 0);
    check(st_session_set_probes(one, first_probes, first_count));
    check(st_session_set_probes(two, second_probes, second_count));
    struct st_event event_one = next(one), event_two = next(two);
    while (event_one.kind == ST_STEP || event_two.kind == ST_STEP) {
        if (event_one.kind == ST_STEP) {
            event_one = next(one);
        }
        if (event_two.kind == ST_STEP) {
            event_two = next(two);
        }
    }
    assert_int_equal(event_one.status, 0);
    assert_int_equal(event_two.status, 8);
    st_session_destroy(one);
    st_session_destroy(two);
    free(first_probes);
    free(second_probes);
    st_image_close(first);
    st_image_close(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_instructions),
        cmocka_unit_test(test_each_instruction),
        cmocka_unit_test(test_sets_change_at_stops),
        cmocka_unit_test(test_short_statements),
        cmocka_unit_test(test_places_without_code),
        cmocka_unit_test(test_leaves_no_trace),
        cmocka_unit_test(test_islands_over_pages),
        cmocka_unit_test(test_foreign_signals),
        cmocka_unit_test(test_passes_outside_of_its_session),
        cmocka_unit_test(test_two_sessions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
