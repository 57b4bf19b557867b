/* The WASI generator: the same seed gives the same text, programs compile without a warning, and what they
 * print is the same in two runs and at two levels of optimisation. Together the programs call every function
 * of WASI preview 1.
 *
 * LOCKSTEP_WASI_SEEDS=N in the environment tries seeds 1 to N and prints how often each function was called.
 */
#include "harness/generate_wasi.h"
#include "harness/guest_run.h"
#include "harness/process.h"
#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { SEEDS = 16, MAX_FUNCTIONS = 64 };

static struct hx_temp temp;

/* ---- The functions of WASI, with how often they were called ---- */

static struct {
    char name[48];
    unsigned calls, programs, last_seed;
} functions[MAX_FUNCTIONS];
static size_t function_count;
static unsigned current_seed, call_count;

/* The names in the runtime's own table. */
static void read_functions(void) {
    static const char row[] = "\nRT_WASI_FUNCTION(";
    struct hx_buffer table = {0};

    assert_null(hx_file_read(LOCKSTEP_WASI_FUNCTIONS, 1 << 20, &table));
    for (const char *at = table.bytes; (at = strstr(at, row)) != NULL;) {
        at += strlen(row);
        assert_true(function_count < MAX_FUNCTIONS);
        snprintf(functions[function_count++].name, sizeof functions->name, "%.*s", (int)strcspn(at, ","), at);
    }
    assert_true(function_count > 40);
    hx_buffer_clear(&table);
}

static void count_call(void *user, const char *name) {
    (void)user;
    name = strrchr(name, '.') + 1;
    call_count++;
    for (size_t i = 0; i < function_count; i++) {
        if (strcmp(functions[i].name, name) != 0)
            continue;
        functions[i].calls++;
        functions[i].programs += functions[i].last_seed != current_seed;
        functions[i].last_seed = current_seed;
    }
}

/* ---- Text ---- */

static void test_text(void **state) {
    uint64_t digests[300];
    (void)state;

    for (uint64_t seed = 0; seed < 300; seed++) {
        struct hx_buffer first = {0}, again = {0};
        hx_generate_wasi(seed, &first);
        hx_generate_wasi(seed, &again);
        assert_false(first.failed || again.failed);
        assert_string_equal(first.bytes, again.bytes);
        size_t lines = 0;
        /* Without its first line, which has the seed in it. */
        digests[seed] = 14695981039346656037u;
        for (const char *at = strchr(first.bytes, '\n'); *at; at++) {
            digests[seed] = (digests[seed] ^ (unsigned char)*at) * 1099511628211u;
            lines += *at == '\n';
        }
        assert_in_range(lines, 100, 600);
        for (uint64_t other = 0; other < seed; other++)
            assert_int_not_equal(digests[seed], digests[other]);
        hx_buffer_clear(&first);
        hx_buffer_clear(&again);
    }
}

/* The generator's own numbers: a fixed program that must not change unnoticed would forbid improving it, but
 * its random numbers are those of the paper on every machine. */
static void test_random(void **state) {
    struct hx_random random = {1234567};
    (void)state;

    assert_true(hx_random_next(&random) == 6457827717110365317u);
    assert_true(hx_random_next(&random) == 3203168211198807973u);
    for (int i = 0; i < 1000; i++) {
        assert_in_range(hx_random_between(&random, 3, 5), 3, 5);
        assert_false(hx_random_chance(&random, 0));
        assert_true(hx_random_chance(&random, 100));
    }
}

/* ---- Programs ---- */

static void compile(const char *level, const char *artifact) {
    const char *argv[] = {
        "clang-19", "--target=wasm32-wasi", level, "-Wall", "-Wextra", "-Werror", "program.c", "-o", artifact,
        NULL};
    struct hx_process process = {
        .argv = argv, .directory = temp.path, .time_limit = 100000, .own_group = true};

    assert_null(hx_process_run(&process, 1));
    if (!hx_process_succeeded(&process)) {
        print_error("seed %u at %s:\n%s\n", current_seed, level, hx_buffer_string(&process.output));
        fail();
    }
    hx_process_clear(&process);
}

/* No guest reads or writes beside its folders, though programs try to. */
static void expect_outside_untouched(const struct hx_guest_setup *setup, const struct hx_temp *folder) {
    struct hx_buffer bytes = {0};
    char path[512];
    size_t i = 0;

    while (strcmp(setup->entries[i].path, "outside") != 0)
        i++;
    snprintf(path, sizeof path, "%s/outside", folder->path);
    assert_null(hx_file_read(path, 1000, &bytes));
    assert_int_equal(bytes.size, setup->entries[i].size);
    assert_memory_equal(hx_buffer_string(&bytes), setup->entries[i].bytes, bytes.size);
    hx_buffer_clear(&bytes);
    snprintf(path, sizeof path, "%s/up", folder->path);
    assert_int_not_equal(access(path, F_OK), 0);
}

static void run_program(const struct hx_guest_setup *setup, const char *artifact, bool is_counted,
                        struct hx_guest_run *ret) {
    const struct hx_guest_options options = {.on_call = is_counted ? count_call : NULL};
    struct hx_temp folder;
    char path[512];

    assert_null(hx_temp_folder(&temp, "guest", &folder));
    assert_null(hx_guest_setup_make(setup, folder.path));
    snprintf(path, sizeof path, "%s/%s", temp.path, artifact);
    struct rt_error *error = hx_guest_run(path, setup, folder.path, &options, ret);
    if (error) {
        print_error("seed %u: %s\n", current_seed, error->message);
        fail();
    }
    /* A program that printed nothing proves nothing. */
    assert_true(ret->streams[0].size > 0 && ret->streams[1].size > 0);
    expect_outside_untouched(setup, &folder);
    hx_temp_remove(&folder);
}

static void expect_same(const struct hx_guest_run *a, const struct hx_guest_run *b, const char *what) {
    size_t at;
    const char *difference = hx_guest_run_difference(a, b, &at);

    if (!difference)
        return;
    print_error("seed %u, %s: %s differs at byte %zu\n%s----\n%s", current_seed, what, difference, at,
                hx_buffer_string(&a->streams[0]), hx_buffer_string(&b->streams[0]));
    fail();
}

static void try_seed(void) {
    struct hx_buffer text = {0};
    struct hx_guest_setup setup;
    struct hx_guest_run runs[3];
    char path[512];

    hx_generate_wasi(current_seed, &text);
    snprintf(path, sizeof path, "%s/program.c", temp.path);
    assert_null(hx_file_write(path, text.bytes, text.size, 0644));
    hx_buffer_clear(&text);
    compile("-O0", "low.wasm");
    compile("-O2", "high.wasm");
    assert_null(hx_guest_setup_create(current_seed, &setup));
    run_program(&setup, "low.wasm", true, &runs[0]);
    run_program(&setup, "low.wasm", false, &runs[1]);
    run_program(&setup, "high.wasm", false, &runs[2]);
    expect_same(&runs[0], &runs[1], "two runs");
    expect_same(&runs[0], &runs[2], "two levels");
    for (int i = 0; i < 3; i++)
        hx_guest_run_clear(&runs[i]);
    hx_guest_setup_clear(&setup);
}

static void test_programs(void **state) {
    const char *wanted = getenv("LOCKSTEP_WASI_SEEDS");
    unsigned seeds = wanted ? (unsigned)strtoul(wanted, NULL, 10) : SEEDS;
    unsigned missing = 0;
    (void)state;

    for (current_seed = 1; current_seed <= seeds; current_seed++)
        try_seed();
    for (size_t i = 0; i < function_count; i++) {
        if (wanted)
            printf("%-24s %8u calls in %4u programs\n", functions[i].name, functions[i].calls,
                   functions[i].programs);
        if (functions[i].calls == 0)
            print_error("no program calls %s\n", functions[i].name);
        missing += functions[i].calls == 0;
    }
    if (wanted)
        printf("%u calls, %.0f a program\n", call_count, (double)call_count / seeds);
    assert_int_equal(missing, 0);
}

/* One wrong byte in what the host hands to a guest shows in what the guest prints. */
static void test_notices(void **state) {
    struct hx_buffer text = {0};
    struct hx_guest_setup setup;
    struct hx_guest_run runs[2];
    char path[512];
    unsigned noticed = 0;
    (void)state;

    for (current_seed = 1; current_seed <= 4; current_seed++) {
        hx_generate_wasi(current_seed, &text);
        snprintf(path, sizeof path, "%s/program.c", temp.path);
        assert_null(hx_file_write(path, text.bytes, text.size, 0644));
        hx_buffer_clear(&text);
        compile("-O0", "low.wasm");
        assert_null(hx_guest_setup_create(current_seed, &setup));
        run_program(&setup, "low.wasm", false, &runs[0]);
        for (size_t i = 0; i < setup.entry_count; i++) {
            struct hx_guest_entry *entry = &setup.entries[i];
            if (entry->kind != HX_GUEST_FILE || entry->size == 0)
                continue;
            char *changed = rt_arena_copy(&setup.arena, entry->bytes, entry->size);
            assert_non_null(changed);
            changed[0] ^= 1;
            entry->bytes = changed;
        }
        run_program(&setup, "low.wasm", false, &runs[1]);
        size_t at;
        noticed += hx_guest_run_difference(&runs[0], &runs[1], &at) != NULL;
        hx_guest_run_clear(&runs[0]);
        hx_guest_run_clear(&runs[1]);
        hx_guest_setup_clear(&setup);
    }
    assert_true(noticed >= 3);
}

static int set_up(void **state) {
    (void)state;
    read_functions();
    assert_null(hx_temp_create(&temp));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&temp);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_programs),
        cmocka_unit_test(test_notices),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
