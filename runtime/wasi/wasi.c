/* WASI preview 1: its state, its functions as imports, and how a whole command runs. */
#include "runtime/wasi/wasi.h"

#include "runtime/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char *const module_names[2] = {"wasi_snapshot_preview1", "wasi_unstable"}; /* by is_snapshot_0 */

static const struct function {
    const char *name, *parameters, *results;
    enum rt_wasi_errno (*handler)(struct rt_wasi_call *call, const union rt_value *args);
} functions[RT_WASI_FUNCTION_COUNT] = {
#define RT_WASI_FUNCTION(name, parameters, results) {#name, parameters, results, rt_wasi_##name},
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
};

enum rt_wasi_errno rt_wasi_errno_of(int host) {
    switch (host) {
#define RT_WASI_ERRNO(value, name, host_errno)                                                               \
    case host_errno: return RT_WASI_E##name;
#define RT_WASI_ERRNO_OURS(value, name)
#include "runtime/wasi/errno.def"
#undef RT_WASI_ERRNO
#undef RT_WASI_ERRNO_OURS
    default: return RT_WASI_EIO;
    }
}

/* ---- Names ---- */

bool rt_wasi_function_find(const char *name, bool *ret_has_errno) {
    for (uint32_t i = 0; i < RT_WASI_FUNCTION_COUNT; i++) {
        if (strcmp(name, functions[i].name) == 0) {
            *ret_has_errno = functions[i].results[0];
            return true;
        }
    }
    return false;
}

static const char *const errno_names[] = {
#define RT_WASI_ERRNO(value, name, host) [value] = #name,
#define RT_WASI_ERRNO_OURS(value, name)  [value] = #name,
#include "runtime/wasi/errno.def"
#undef RT_WASI_ERRNO
#undef RT_WASI_ERRNO_OURS
};

const char *rt_wasi_errno_name(uint32_t number) {
    return number < RT_WASI_COUNT(errno_names) ? errno_names[number] : NULL;
}

bool rt_wasi_errno_find(const char *name, uint32_t *ret) {
    for (*ret = 0; *ret < RT_WASI_COUNT(errno_names); ++*ret)
        if (strcasecmp(name, errno_names[*ret]) == 0)
            return true;
    return false;
}

/* ---- Creation ---- */

static struct rt_error *copy_strings(struct rt_wasi *wasi, const char *const *items, size_t count,
                                     const char *what, struct rt_wasi_strings *ret) {
    const char **copies = rt_arena_array(&wasi->arena, count, sizeof *copies);
    if (!copies)
        return rt_error_out_of_memory();
    uint64_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(items[i]);
        copies[i] = rt_arena_copy(&wasi->arena, items[i], length);
        if (!copies[i])
            return rt_error_out_of_memory();
        size += length + 1;
        /* Each takes a pointer and its bytes in the guest's memory of 4 GiB. */
        if (size + 4 * (i + 1) > UINT32_MAX)
            return rt_error_format(RT_USAGE, "the %s do not fit into a guest's memory", what);
    }
    *ret = (struct rt_wasi_strings){copies, (uint32_t)count, (uint32_t)size};
    return NULL;
}

/* Descriptors 0, 1 and 2. A host stream that is closed stays closed for the guest. */
static struct rt_error *add_stream(struct rt_wasi *wasi, int fd, int host) {
    bool is_captured = fd > 0 && wasi->write;
    bool is_null = host < 0 || is_captured;
    int flags = (fd == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC;
    if (is_null)
        host = open("/dev/null", flags);
    if (host < 0)
        return rt_error_os(errno, "cannot open /dev/null for the guest's descriptor %d", fd);

    struct rt_wasi_descriptor descriptor = {0};
    if (!rt_wasi_descriptor_describe(host, &descriptor)) {
        if (errno == EBADF)
            return NULL;
        return rt_error_os(errno, "cannot give descriptor %d to the guest as %d", host, fd);
    }
    descriptor.is_borrowed = !is_null;
    /* A folder that happens to be a stream is none that the embedder opened for the guest. */
    if (descriptor.type == RT_WASI_DIRECTORY) {
        descriptor.base &= RT_WASI_RIGHT_FD_FILESTAT_GET;
        descriptor.inheriting = 0;
    }
    if (is_captured) {
        /* As a pipe would look: a C library buffers it fully, and cannot seek in it. */
        descriptor.capture = fd;
        descriptor.type = RT_WASI_UNKNOWN;
        descriptor.base &= ~(uint32_t)(RT_WASI_RIGHT_FD_SEEK | RT_WASI_RIGHT_FD_TELL);
    }
    if (!rt_wasi_descriptor_add_at(wasi, (uint32_t)fd, &descriptor)) {
        if (is_null)
            close(host);
        return rt_error_out_of_memory();
    }
    return NULL;
}

static struct rt_error *add_folder(struct rt_wasi *wasi, const struct rt_wasi_dir *dir) {
    int host = open(dir->host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (host < 0)
        return rt_error_os(errno, "cannot open the folder %s for the guest", dir->host);
    struct rt_error *error = NULL;
    /* Everything below rests on openat2: find out now whether the kernel has it, not at the guest's first
     * open. */
    enum rt_wasi_errno errnum;
    int probe = rt_wasi_open_beneath(host, ".", O_PATH | O_DIRECTORY, 0, &errnum);
    if (probe < 0) {
        error = errnum == RT_WASI_ENOSYS
                    ? rt_error_format(
                          RT_OS,
                          "cannot open the folder %s for the guest: this kernel has no openat2, which "
                          "keeps a guest inside its folders (Linux 5.8 or later is needed)",
                          dir->host)
                    : rt_error_os(errno, "cannot open the folder %s for the guest with openat2", dir->host);
        goto out;
    }
    close(probe);

    struct rt_wasi_descriptor descriptor = {0};
    if (!rt_wasi_descriptor_describe(host, &descriptor)) {
        error = rt_error_os(errno, "cannot read what the folder %s is", dir->host);
        goto out;
    }
    descriptor.preopen = rt_arena_copy(&wasi->arena, dir->guest, strlen(dir->guest));
    if (!descriptor.preopen) {
        error = rt_error_out_of_memory();
        goto out;
    }
    uint32_t fd;
    /* From 3 on, where C libraries look for them; a closed standard stream stays a hole below. */
    for (fd = 3; fd < wasi->descriptor_capacity && wasi->descriptors[fd].is_open; fd++)
        ;
    if (fd >= RT_WASI_MAX_DESCRIPTORS)
        error = rt_error_format(RT_USAGE, "cannot open the folder %s for the guest: it has %d already",
                                dir->host, RT_WASI_MAX_DESCRIPTORS - 3);
    else if (!rt_wasi_descriptor_add_at(wasi, fd, &descriptor))
        error = rt_error_out_of_memory();
    if (!error)
        return NULL;
out:
    close(host);
    return error;
}

struct rt_error *rt_wasi_create(struct rt_store *store, const struct rt_wasi_options *options,
                                struct rt_wasi **ret) {
    struct rt_wasi *wasi = calloc(1, sizeof *wasi);
    if (!wasi)
        return rt_error_out_of_memory();
    wasi->store = store;
    wasi->write = options->write;
    wasi->write_user = options->write_user;
    wasi->is_deterministic = options->deterministic;
    wasi->random_state = 0x4c6f636b73746570; /* any fixed number: "Lockstep" */
    rt_arena_init(&wasi->arena, 0);
    for (uint32_t i = 0; i < 2 * RT_WASI_FUNCTION_COUNT; i++)
        wasi->bindings[i / RT_WASI_FUNCTION_COUNT][i % RT_WASI_FUNCTION_COUNT] = (struct rt_wasi_binding){
            .wasi = wasi,
            .function = i % RT_WASI_FUNCTION_COUNT,
            .is_snapshot_0 = i >= RT_WASI_FUNCTION_COUNT,
        };

    struct rt_error *error = copy_strings(wasi, options->args, options->arg_count, "arguments", &wasi->args);
    if (!error)
        error = copy_strings(wasi, options->env, options->env_count, "environment variables", &wasi->env);
    const int streams[3] = {options->stdin_fd, options->stdout_fd, options->stderr_fd};
    for (int i = 0; i < 3 && !error; i++)
        error = add_stream(wasi, i, streams[i]);
    for (size_t i = 0; i < options->dir_count && !error; i++)
        error = add_folder(wasi, &options->dirs[i]);
    if (error) {
        rt_wasi_destroy(wasi);
        return error;
    }
    *ret = wasi;
    return NULL;
}

void rt_wasi_destroy(struct rt_wasi *wasi) {
    if (!wasi)
        return;
    rt_wasi_descriptors_clear(wasi);
    rt_arena_clear(&wasi->arena);
    free(wasi);
}

/* ---- Imports ---- */

static struct rt_error *serve(void *user, struct rt_caller *caller, const union rt_value *args,
                              union rt_value *results) {
    const struct rt_wasi_binding *binding = user;
    const struct function *function = &functions[binding->function];
    struct rt_wasi_call call = {binding->wasi, caller, binding->is_snapshot_0, NULL};
    enum rt_wasi_errno errnum = function->handler(&call, args);
    if (call.error)
        return call.error;
    if (function->results[0])
        results[0].i32 = (uint32_t)errnum;
    return NULL;
}

static bool bytes_are(const char *bytes, size_t size, const char *text) {
    return size == strlen(text) && memcmp(bytes, text, size) == 0;
}

static bool types_are(const uint8_t *types, uint32_t count, const char *letters) {
    if (count != strlen(letters))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (types[i] != (letters[i] == 'I' ? RT_I64 : RT_I32))
            return false;
    return true;
}

/* Finds the binding for an import; NULL, and why in `ret_reason`, when there is none. */
static struct rt_wasi_binding *find_binding(struct rt_wasi *wasi, const struct rt_import *import,
                                            const char **ret_reason) {
    *ret_reason = "a WASI command may import functions of wasi_snapshot_preview1 only";
    if (import->kind != RT_EXTERN_FUNC)
        return NULL;
    for (unsigned version = 0; version < 2; version++) {
        if (!bytes_are(import->module, import->module_size, module_names[version]))
            continue;
        *ret_reason = "WASI preview 1 has no such function";
        for (uint32_t i = 0; i < RT_WASI_FUNCTION_COUNT; i++) {
            if (!bytes_are(import->name, import->name_size, functions[i].name))
                continue;
            *ret_reason = "the function's type is not WASI preview 1's";
            if (types_are(import->func.params, import->func.param_count, functions[i].parameters) &&
                types_are(import->func.results, import->func.result_count, functions[i].results))
                return &wasi->bindings[version][i];
        }
    }
    return NULL;
}

static struct rt_error *import_binding(struct rt_wasi_binding *binding, const struct rt_import *import,
                                       struct rt_func **ret) {
    if (!binding->func) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", module_names[binding->is_snapshot_0],
                 functions[binding->function].name);
        struct rt_error *error =
            rt_func_create(binding->wasi->store, name, import->func, serve, binding, &binding->func);
        if (error)
            return error;
    }
    *ret = binding->func;
    return NULL;
}

/* ---- Commands ---- */

struct rt_error *rt_wasi_instantiate(struct rt_wasi *wasi, struct rt_code *code, struct rt_instance **ret) {
    const struct rt_module *module = rt_code_module(code);
    size_t count = rt_module_import_count(module);
    struct rt_extern *imports = calloc(count ? count : 1, sizeof *imports);
    if (!imports)
        return rt_error_out_of_memory();
    struct rt_error *error = NULL;
    for (size_t i = 0; i < count && !error; i++) {
        struct rt_import import = rt_module_import(module, i);
        const char *reason;
        struct rt_wasi_binding *binding = find_binding(wasi, &import, &reason);
        imports[i].kind = RT_EXTERN_FUNC;
        error = binding ? import_binding(binding, &import, &imports[i].func)
                        : rt_error_format(RT_UNLINKABLE, "import %zu, \"%s\" \"%s\": %s", i,
                                          rt_printable(import.module).text, rt_printable(import.name).text,
                                          reason);
    }
    if (!error)
        error = rt_instance_create(wasi->store, code, imports, count, ret);
    free(imports);
    return error;
}

struct rt_error *rt_wasi_run(struct rt_instance *instance, int *ret_status) {
    struct rt_extern start;
    if (!rt_instance_export(instance, "_start", &start) || start.kind != RT_EXTERN_FUNC)
        return rt_error_format(RT_USAGE, "no function _start is exported: not a WASI command; link it as a "
                                         "program, not as a library or reactor");
    struct rt_func_type type = rt_func_type_of(start.func);
    if (type.param_count || type.result_count)
        return rt_error_format(RT_USAGE,
                               "_start takes %u parameters and gives %u results: not a WASI command, "
                               "whose _start has none",
                               (unsigned)type.param_count, (unsigned)type.result_count);
    struct rt_error *error = rt_instance_start(instance);
    if (!error)
        error = rt_func_call(start.func, NULL, NULL);
    if (error && error->code != RT_EXIT)
        return error;
    *ret_status = error ? error->exit_status : 0;
    rt_error_destroy(error);
    return NULL;
}
