/* Faults planted in the translation of DWARF for compiled code: each changes what is made of the programs of
 * corpus/faults. */
#include "harness/tests/shell.h"

#include "harness/modules.h"
#include "runtime/dwarf/dwarf.h"
#include "runtime/jit/jit.h"

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

/* A guest with its compiled code. */
struct guest {
    struct rt_module *module;
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
};

static void expect_good(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

static void path_of(const struct build *build, char path[512]) {
    snprintf(path, 512, "%s/%s.wasm", temp.path, build->name);
}

static void open_guest(const struct build *build, struct guest *ret) {
    static const char *const arguments[] = {"program"};
    const struct rt_compile_options options = {.private_code = true, .writable_locals = true};
    const struct rt_wasi_options wasi = {.args = arguments,
                                         .arg_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .deterministic = true};
    char path[512];
    path_of(build, path);
    expect_good(rt_module_open(path, &ret->module));
    expect_good(rt_code_create(ret->module, &options, &ret->code));
    expect_good(rt_store_create(&ret->store));
    expect_good(rt_wasi_create(ret->store, &wasi, &ret->wasi));
    expect_good(rt_wasi_instantiate(ret->wasi, ret->code, &ret->instance));
}

static void close_guest(struct guest *guest) {
    rt_wasi_destroy(guest->wasi);
    rt_store_destroy(guest->store);
    rt_code_destroy(guest->code);
    rt_module_destroy(guest->module);
}

/* What is made with a fault: the map has to be destroyed, and the output, too. */
static struct rt_dwarf_output *translate(const struct guest *guest, enum rt_native_fault fault,
                                         struct rt_code_map **ret_map) {
    struct rt_dwarf_output *output;
    expect_good(rt_code_map_create(guest->code, ret_map));
    expect_good(rt_code_map_plant(*ret_map, fault));
    expect_good(rt_native_dwarf(*ret_map, guest->instance, &output));
    return output;
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
        open_guest(&builds[i], &guest);
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
        close_guest(&guest);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
