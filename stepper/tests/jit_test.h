/* What tests of sessions over registered code share: a command in a module file, compiled by our engine and
 * registered with its debug information, as `lockstep run -g` does; and C programs compiled to such files. */
#ifndef LOCKSTEP_STEPPER_TESTS_JIT_TEST_H
#define LOCKSTEP_STEPPER_TESTS_JIT_TEST_H

#include "stepper/tests/session_test.h"

#include <stdio.h>
#include <unistd.h>

#include "runtime/dwarf/dwarf.h"
#include "runtime/jit/jit.h"

struct guest {
    struct rt_module *module;
    struct st_debug *debug; /* the module's own, where a test opens it */
    struct rt_code *code;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_instance *instance;
    struct st_jit_images *images;
    struct st_session *session;
    char trouble[256]; /* the error that it ended with, or "" */
    char output[4096];
    size_t output_size;
};

static inline bool guest_writes(void *user, int fd, const void *bytes, size_t size) {
    struct guest *guest = user;
    size_t room = sizeof guest->output - 1 - guest->output_size;
    (void)fd;
    memcpy(guest->output + guest->output_size, bytes, size < room ? size : room);
    guest->output_size += size < room ? size : room;
    return true;
}

static inline void guest_instantiate(struct guest *guest, const struct rt_compile_options *options) {
    static const char *const arguments[] = {"program"};
    const struct rt_wasi_options wasi = {.args = arguments,
                                         .arg_count = 1,
                                         .stdin_fd = -1,
                                         .stdout_fd = -1,
                                         .stderr_fd = -1,
                                         .write = guest_writes,
                                         .write_user = guest,
                                         .deterministic = true};
    check(rt_code_create(guest->module, options, &guest->code));
    check(rt_store_create(&guest->store));
    check(rt_wasi_create(guest->store, &wasi, &guest->wasi));
    check(rt_wasi_instantiate(guest->wasi, guest->code, &guest->instance));
}

static inline void guest_register(struct guest *guest) {
    struct rt_jit_section sections[RT_DWARF_SECTION_COUNT];
    struct rt_dwarf_output *output;
    struct rt_jit_image *image;
    struct rt_code_map *map;
    size_t count = 0;
    check(rt_code_map_create(guest->code, &map));
    check(rt_native_dwarf(map, guest->instance, &output));
    for (int i = 0; i < RT_DWARF_SECTION_COUNT; i++) {
        const struct rt_dwarf_span *span = &rt_dwarf_output_sections(output)->at[i];
        if (span->size)
            sections[count++] = (struct rt_jit_section){rt_dwarf_section_name((enum rt_dwarf_section)i),
                                                        span->bytes, span->size};
    }
    check(rt_jit_register(map, sections, count, &image));
    rt_dwarf_output_destroy(output);
    rt_code_map_destroy(map);
}

static inline int guest_enter(void *user) {
    struct guest *guest = user;
    int status = 0;
    struct rt_error *error = rt_wasi_run(guest->instance, &status);
    if (error) {
        snprintf(guest->trouble, sizeof guest->trouble, "%s", error->message);
        status = error->code == RT_TRAP ? 134 : 1;
    }
    rt_error_destroy(error);
    return status;
}

/* What is registered of the guest's code. */
static inline const struct st_jit_image *guest_read_image(struct guest *guest) {
    uintptr_t low, high;
    check(st_jit_images_read(&guest->images));
    rt_code_range(guest->code, &low, &high);
    const struct st_jit_image *image = st_jit_image_at(guest->images, low);
    assert_non_null(image);
    return image;
}

static inline void guest_open_session(struct guest *guest, const struct st_jit_image *image,
                                      const struct st_session_options *given) {
    struct st_session_options options = given ? *given : (struct st_session_options){0};
    struct rt_memory *memory = rt_instance_memory(guest->instance, 0);
    options.memory = memory ? (uintptr_t)rt_memory_base(memory) : 0;
    check(st_session_create_jit(guest->images, image, guest_enter, guest, &options, &guest->session));
    rt_store_set_stack_limit(guest->store, st_session_stack_limit(guest->session));
}

/* The command in a file, with a session that has not run yet. */
static inline void guest_open(struct guest *guest, const char *path) {
    const struct rt_compile_options options = {.private_code = true, .writable_locals = true};
    memset(guest, 0, sizeof *guest);
    check(rt_module_open(path, &guest->module));
    guest_instantiate(guest, &options);
    guest_register(guest);
    guest_open_session(guest, guest_read_image(guest), NULL);
}

static inline void guest_close(struct guest *guest) {
    st_session_destroy(guest->session);
    st_jit_images_destroy(guest->images);
    rt_wasi_destroy(guest->wasi);
    rt_store_destroy(guest->store);
    rt_code_destroy(guest->code);
    st_debug_close(guest->debug);
    rt_module_destroy(guest->module);
}

/* ---- Compiling ---- */

/* A folder of the test's own, and whether C can be compiled to WebAssembly at all; to be removed by
 * compiled_remove. */
static char compiled_folder[64];

static inline bool compiled_make(void) {
    strcpy(compiled_folder, "/tmp/lockstep-test-XXXXXX");
    return mkdtemp(compiled_folder) && system("command -v clang-19 wasm-ld-19 >/dev/null") == 0;
}

static inline void compiled_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -r '%s'", compiled_folder);
    assert_int_equal(system(command), 0);
}

/* Compiles a file of C in that folder; `ret` is the path of the result. */
static inline void compile_file(const char *source, const char *flags, const char *name, char ret[256]) {
    char command[1024];
    snprintf(ret, 256, "%s/%s", compiled_folder, name);
    snprintf(command, sizeof command, "clang-19 -g -w %s '%s' -o '%s'", flags, source, ret);
    assert_int_equal(system(command), 0);
}

static inline void compile_text(const char *text, const char *flags, const char *name, char ret[256]) {
    char source[256];
    snprintf(source, sizeof source, "%s/program.c", compiled_folder);
    FILE *file = fopen(source, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    compile_file(source, flags, name, ret);
}

#endif
