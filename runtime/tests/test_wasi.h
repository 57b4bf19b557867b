/* What the tests of WASI share: a guest whose module imports every function of WASI and exports a wrapper of
 * each, so that a test calls them as a guest does, with addresses in a real linear memory. */
#ifndef LOCKSTEP_RUNTIME_TESTS_TEST_WASI_H
#define LOCKSTEP_RUNTIME_TESTS_TEST_WASI_H

#include "runtime/runtime.h"
#include "runtime/wasi/wasi.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { GUEST_PAGES = 4, GUEST_SIZE = GUEST_PAGES * 65536 };

struct guest {
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_module *module;
    struct rt_code *code;
    struct rt_instance *instance;
    struct rt_error *error; /* of the last call; the next destroys it */
    char folder[64];        /* preopened as "/" (descriptor 3) when guest_open was asked for it */
};

static const struct {
    const char *name, *parameters, *results;
} guest_functions[] = {
#define RT_WASI_FUNCTION(name, parameters, results) {#name, parameters, results},
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
};

static inline void guest_check(struct rt_error *error) {
    if (error)
        fail_msg("%s", error->message);
}

/* ---- A module, byte by byte (core specification, section 5.5) ---- */

struct bytes {
    uint8_t data[1 << 14];
    size_t size;
};

static inline void bytes_put(struct bytes *bytes, const void *data, size_t size) {
    assert_true(size <= sizeof bytes->data - bytes->size);
    memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
}
static inline void bytes_u8(struct bytes *bytes, unsigned value) {
    uint8_t byte = (uint8_t)value;
    bytes_put(bytes, &byte, 1);
}
static inline void bytes_uleb(struct bytes *bytes, size_t value) {
    do
        bytes_u8(bytes, (value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    while (value >>= 7);
}
static inline void bytes_name(struct bytes *bytes, const char *name) {
    bytes_uleb(bytes, strlen(name));
    bytes_put(bytes, name, strlen(name));
}
static inline void bytes_types(struct bytes *bytes, const char *letters) {
    bytes_uleb(bytes, strlen(letters));
    for (; *letters; letters++)
        bytes_u8(bytes, *letters == 'I' ? RT_I64 : RT_I32);
}
static inline void bytes_section(struct bytes *bytes, unsigned id, const struct bytes *contents) {
    bytes_u8(bytes, id);
    bytes_uleb(bytes, contents->size);
    bytes_put(bytes, contents->data, contents->size);
}

/* Imports all functions from `namespace`, and exports a wrapper of each under its name. */
static inline void guest_module(struct bytes *module, const char *namespace) {
    static struct bytes types, imports, functions, memory, exports, code;
    struct bytes *const parts[] = {&types, &imports, &functions, &memory, &exports, &code};
    const size_t count = RT_WASI_COUNT(guest_functions);
    for (size_t i = 0; i < RT_WASI_COUNT(parts); i++)
        parts[i]->size = 0;
    bytes_uleb(&types, count);
    bytes_uleb(&imports, count);
    bytes_uleb(&functions, count);
    bytes_uleb(&exports, count + 1);
    bytes_uleb(&code, count);
    bytes_put(&memory, (const uint8_t[]){1, 0, GUEST_PAGES}, 3);
    bytes_name(&exports, "memory");
    bytes_put(&exports, (const uint8_t[]){RT_EXTERN_MEMORY, 0}, 2);
    for (size_t i = 0; i < count; i++) {
        bytes_u8(&types, 0x60);
        bytes_types(&types, guest_functions[i].parameters);
        bytes_types(&types, guest_functions[i].results);
        bytes_name(&imports, namespace);
        bytes_name(&imports, guest_functions[i].name);
        bytes_u8(&imports, RT_EXTERN_FUNC);
        bytes_uleb(&imports, i);
        bytes_uleb(&functions, i);
        bytes_name(&exports, guest_functions[i].name);
        bytes_u8(&exports, RT_EXTERN_FUNC);
        bytes_uleb(&exports, count + i);
        size_t parameters = strlen(guest_functions[i].parameters);
        bytes_uleb(&code, 2 + 2 * parameters + (i < 128 ? 2 : 3));
        bytes_u8(&code, 0); /* no locals */
        for (size_t p = 0; p < parameters; p++) {
            bytes_u8(&code, 0x20); /* local.get */
            bytes_uleb(&code, p);
        }
        bytes_u8(&code, 0x10); /* call */
        bytes_uleb(&code, i);
        bytes_u8(&code, 0x0b); /* end */
    }
    module->size = 0;
    bytes_put(module, "\0asm\1\0\0\0", 8);
    static const uint8_t ids[] = {1, 2, 3, 5, 7, 10};
    for (size_t i = 0; i < RT_WASI_COUNT(parts); i++)
        bytes_section(module, ids[i], parts[i]);
}

/* ---- The guest ---- */

enum guest_options { GUEST_FOLDER = 1, GUEST_SNAPSHOT_0 = 2 };

/* Starts a guest; `options` is completed with a fresh preopened folder if GUEST_FOLDER is asked for. */
static inline void guest_open(struct guest *guest, struct rt_wasi_options options, unsigned with) {
    static struct bytes bytes;
    *guest = (struct guest){0};
    struct rt_wasi_dir dir = {guest->folder, "/"};
    if (with & GUEST_FOLDER) {
        snprintf(guest->folder, sizeof guest->folder, "/tmp/lockstep-wasi-XXXXXX");
        assert_non_null(mkdtemp(guest->folder));
        options.dirs = &dir;
        options.dir_count = 1;
    }
    guest_module(&bytes, with & GUEST_SNAPSHOT_0 ? "wasi_unstable" : "wasi_snapshot_preview1");
    guest_check(rt_store_create(&guest->store));
    guest_check(rt_wasi_create(guest->store, &options, &guest->wasi));
    guest_check(rt_module_create(bytes.data, bytes.size, &guest->module));
    guest_check(rt_code_create(guest->module, NULL, &guest->code));
    guest_check(rt_wasi_instantiate(guest->wasi, guest->code, &guest->instance));
}

static inline void guest_close(struct guest *guest) {
    rt_error_destroy(guest->error);
    rt_store_destroy(guest->store);
    rt_wasi_destroy(guest->wasi);
    rt_code_destroy(guest->code);
    rt_module_destroy(guest->module);
    if (guest->folder[0]) {
        char command[128];
        snprintf(command, sizeof command, "rm -rf %s", guest->folder);
        assert_int_equal(system(command), 0);
    }
}

/* Calls a function with its arguments in an array; the errno, or the error's code negated. */
static inline int guest_call_array(struct guest *guest, const char *name, const union rt_value *args) {
    struct rt_extern function;
    union rt_value result = {0};
    assert_true(rt_instance_export(guest->instance, name, &function));
    rt_error_destroy(guest->error);
    guest->error = rt_func_call(function.func, args, &result);
    return guest->error ? -(int)guest->error->code : (int)result.i32;
}

/* The same with arguments as C promotes them: int or unsigned for an i, uint64_t for an I. */
static inline int guest_call(struct guest *guest, const char *name, ...) {
    union rt_value args[16] = {0};
    const char *parameters = NULL;
    for (size_t i = 0; i < RT_WASI_COUNT(guest_functions); i++)
        if (strcmp(guest_functions[i].name, name) == 0)
            parameters = guest_functions[i].parameters;
    assert_non_null(parameters);
    va_list list;
    va_start(list, name);
    for (size_t i = 0; parameters[i]; i++) {
        if (parameters[i] == 'I')
            args[i].i64 = va_arg(list, uint64_t);
        else
            args[i].i32 = va_arg(list, uint32_t);
    }
    va_end(list);
    return guest_call_array(guest, name, args);
}

/* ---- Its memory ---- */

static inline uint8_t *guest_memory(struct guest *guest) {
    return rt_memory_base(rt_instance_memory(guest->instance, 0));
}
static inline void guest_put(struct guest *guest, uint32_t address, const void *bytes, size_t size) {
    memcpy(guest_memory(guest) + address, bytes, size);
}
static inline void guest_put_u32(struct guest *guest, uint32_t address, uint32_t value) {
    rt_wasi_store(guest_memory(guest) + address, value, 4);
}
static inline void guest_put_u64(struct guest *guest, uint32_t address, uint64_t value) {
    rt_wasi_store(guest_memory(guest) + address, value, 8);
}
static inline uint64_t guest_get(struct guest *guest, uint32_t address, unsigned size) {
    return rt_wasi_load(guest_memory(guest) + address, size);
}
/* One iovec at `vector` over [address, address + size). */
static inline void guest_vector(struct guest *guest, uint32_t vector, uint32_t address, uint32_t size) {
    guest_put_u32(guest, vector, address);
    guest_put_u32(guest, vector + 4, size);
}

/* Where the tests put what: paths, a second path, iovecs, data, and results. */
enum { AT_PATH = 0x1000, AT_PATH_2 = 0x3000, AT_VECTORS = 0x5000, AT_RESULT = 0x8000, AT_DATA = 0x10000 };

/* path_open below descriptor `folder` with all rights that it may give; the descriptor, or the errno negated.
 */
static inline int guest_open_path(struct guest *guest, int folder, const char *path, unsigned lookup,
                                  unsigned oflags, uint64_t rights) {
    guest_put(guest, AT_PATH, path, strlen(path));
    int errnum = guest_call(guest, "path_open", folder, lookup, AT_PATH, (uint32_t)strlen(path), oflags,
                            rights, (uint64_t)RT_WASI_RIGHTS_ALL, 0, AT_RESULT);
    return errnum ? -errnum : (int)guest_get(guest, AT_RESULT, 4);
}

/* A function of one descriptor and one path, such as path_unlink_file. */
static inline int guest_call_path(struct guest *guest, const char *name, int folder, const char *path) {
    guest_put(guest, AT_PATH, path, strlen(path));
    return guest_call(guest, name, folder, AT_PATH, (uint32_t)strlen(path));
}

/* Writes to a descriptor all at once; the count, or the errno negated. */
static inline int guest_write_text(struct guest *guest, int fd, const char *text) {
    guest_put(guest, AT_DATA, text, strlen(text));
    guest_vector(guest, AT_VECTORS, AT_DATA, (uint32_t)strlen(text));
    int errnum = guest_call(guest, "fd_write", fd, AT_VECTORS, 1, AT_RESULT);
    return errnum ? -errnum : (int)guest_get(guest, AT_RESULT, 4);
}

/* Reads up to `size` bytes to AT_DATA; the count, or the errno negated. */
static inline int guest_read(struct guest *guest, int fd, uint32_t size) {
    guest_vector(guest, AT_VECTORS, AT_DATA, size);
    int errnum = guest_call(guest, "fd_read", fd, AT_VECTORS, 1, AT_RESULT);
    return errnum ? -errnum : (int)guest_get(guest, AT_RESULT, 4);
}

#endif
