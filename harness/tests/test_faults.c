/* Faults planted in the translation of DWARF for compiled code: each changes what is made of the program of
 * corpus/faults, and the oracle notices each when it steps that as a module and as registered code. */
#include "harness/tests/shell.h"

#include "harness/modules.h"
#include "harness/native_view.h"
#include "oracle/oracle.h"
#include "stepper/tests/jit_test.h"

#include <stdio.h>
#include <stdlib.h>

/* How the programs are built; a fault has to show in one of them. */
static const struct build {
    const char *name, *flags;
} builds[] = {
    {"-O0", "-O0 -gdwarf-5"},
    {"-O1", "-O1 -gdwarf-5"},
    {"-O2", "-O2 -gdwarf-4"},
};
enum { BUILDS = sizeof builds / sizeof *builds };

/* With the oracle's sites in its code, so that each statement has some of its own. */
static void open_guest(const struct build *build, bool is_native, struct guest *ret) {
    struct rt_compile_options options = {.private_code = is_native, .writable_locals = is_native};
    struct rt_arena arena;
    char path[512];
    memset(ret, 0, sizeof *ret);
    snprintf(path, sizeof path, "%s/%s.wasm", temp.path, build->name);
    check(rt_module_open(path, &ret->module));
    check(st_debug_open_wasm(ret->module, &ret->debug));
    rt_arena_init(&arena, 0);
    check(or_sites(ret->module, ret->debug, &arena, &options.sites, &options.site_count));
    guest_instantiate(ret, &options);
    rt_arena_clear(&arena);
}

/* What is made with a fault: the map has to be destroyed, and the output, too. */
static struct rt_dwarf_output *translate(const struct guest *guest, enum rt_native_fault fault,
                                         struct rt_code_map **ret_map) {
    struct rt_dwarf_output *output;
    check(rt_code_map_create(guest->code, ret_map));
    check(rt_code_map_plant(*ret_map, fault));
    check(rt_native_dwarf(*ret_map, guest->instance, &output));
    return output;
}

static void open_session(const struct build *build, struct guest *ret) {
    open_guest(build, false, ret);
    check(st_session_create_wasm(ret->instance, ret->debug, &(struct st_session_options){.quantum = 50},
                                 &ret->session));
}

/* The same as native code, with a fault. */
static void open_faulty_session(const struct build *build, enum rt_native_fault fault, struct guest *ret) {
    struct rt_jit_image *image;
    struct rt_code_map *map;
    open_guest(build, true, ret);
    struct rt_dwarf_output *output = translate(ret, fault, &map);
    check(hx_native_image_make(map, output, &image));
    rt_dwarf_output_destroy(output);
    rt_code_map_destroy(map);
    const struct st_jit_image *seen = guest_read_image(ret);
    if (seen->debug) /* else it is noticed before the first step */
        guest_open_session(ret, seen, &(struct st_session_options){.quantum = 50});
}

/* Whether stepping a build as it is beside the same with a fault finds a difference, or that there is nothing
 * to compare. */
enum { LEAST = 50 /* stops and values, where they agree */ };
static bool is_noticed(const struct build *build, enum rt_native_fault fault) {
    const struct or_options options = {.max_stops = 2000,
                                       .max_time = 20000,
                                       .max_idle = 5000,
                                       .max_findings = 20,
                                       .is_unoptimised = build == builds,
                                       .is_one_compiler = true};
    struct guest module, native;
    struct or_report *report = NULL;
    bool is_found = true;
    open_session(build, &module);
    open_faulty_session(build, fault, &native);
    if (native.session) {
        const struct or_witness witnesses[2] = {{"wasm", module.session}, {"jit", native.session}};
        struct rt_error *error = or_compare(witnesses, &options, &report);
        is_found = error || report->finding_count > 0;
        if (!is_found)
            assert_true(report->stops > LEAST && report->values > LEAST);
        if (is_found && fault == RT_NATIVE_SOUND)
            print_error("%s: %s\n", build->name, error ? error->message : report->findings[0].signature);
        rt_error_destroy(error);
        or_report_destroy(report);
    }
    guest_close(&native);
    guest_close(&module);
    return is_found;
}

static bool is_equal(const struct rt_dwarf_output *a, const struct rt_dwarf_output *b) {
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        const struct rt_dwarf_span x = rt_dwarf_output_sections(a)->at[i],
                                   y = rt_dwarf_output_sections(b)->at[i];
        if (x.size != y.size || (x.size && memcmp(x.bytes, y.bytes, x.size) != 0))
            return false;
    }
    return true;
}

static int set_up(void **state) {
    char command[1024];
    (void)state;
    assert_null(hx_temp_create(&temp));
    for (size_t i = 0; i < BUILDS; i++) {
        snprintf(command, sizeof command,
                 "for half in first second; do clang-19 --target=wasm32-wasi -w -g %s -c " LOCKSTEP_CORPUS
                 "/faults/$half.c -o $half.o || exit; done;"
                 "clang-19 --target=wasm32-wasi first.o second.o -o ./%s.wasm",
                 builds[i].flags, builds[i].name);
        expect_shell(command, 60000, 0, "");
    }
    return 0;
}

static void test_output(void **state) {
    bool is_seen[RT_NATIVE_FAULT_COUNT] = {true};
    unsigned unseen = 0;
    (void)state;
    for (size_t i = 0; i < BUILDS; i++) {
        struct guest guest;
        struct rt_code_map *sound_map, *map;
        size_t sound_size, size;
        open_guest(&builds[i], true, &guest);
        struct rt_dwarf_output *sound = translate(&guest, RT_NATIVE_SOUND, &sound_map);
        const uint8_t *sound_frames = rt_code_map_frames(sound_map, &sound_size);
        for (int fault = RT_NATIVE_SOUND; fault < RT_NATIVE_FAULT_COUNT; fault++) {
            struct rt_dwarf_output *output = translate(&guest, (enum rt_native_fault)fault, &map);
            const uint8_t *frames = rt_code_map_frames(map, &size);
            const bool is_same =
                is_equal(sound, output) && size == sound_size && memcmp(frames, sound_frames, size) == 0;
            if (fault == RT_NATIVE_SOUND)
                assert_true(is_same);
            is_seen[fault] |= !is_same;
            rt_dwarf_output_destroy(output);
            rt_code_map_destroy(map);
        }
        rt_dwarf_output_destroy(sound);
        rt_code_map_destroy(sound_map);
        guest_close(&guest);
    }
    for (int fault = 0; fault < RT_NATIVE_FAULT_COUNT; fault++) {
        if (!is_seen[fault]) {
            print_error("%s (%s) changes nothing\n", rt_native_fault_name((enum rt_native_fault)fault),
                        rt_native_fault_text((enum rt_native_fault)fault));
            unseen++;
        }
    }
    assert_int_equal(unseen, 0);
}

/* Without a fault, both views of a module agree. */
static void test_sound(void **state) {
    (void)state;
    for (size_t i = 0; i < BUILDS; i++)
        if (is_noticed(&builds[i], RT_NATIVE_SOUND))
            fail_msg("a finding at %s", builds[i].name);
}

static void test_noticed(void **state) {
    unsigned missed = 0;
    (void)state;
    for (int fault = RT_NATIVE_SOUND + 1; fault < RT_NATIVE_FAULT_COUNT; fault++) {
        bool found = false;
        for (size_t i = 0; i < BUILDS && !found; i++)
            found = is_noticed(&builds[i], (enum rt_native_fault)fault);
        if (!found) {
            print_error("nobody notices %s (%s)\n", rt_native_fault_name((enum rt_native_fault)fault),
                        rt_native_fault_text((enum rt_native_fault)fault));
            missed++;
        }
    }
    assert_int_equal(missed, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_noticed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
