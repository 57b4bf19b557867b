/* Modules: made from bytes or a file, and asked about. Nothing here changes a module that is complete. */
#include "runtime/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    /* What a module may take in memory: a bit more than the worst that its bytes can ask for (an element
     * segment's item is one byte, and 32 when decoded). */
    MEMORY_PER_BYTE = 64,
    MEMORY_AT_LEAST = 1 << 20,
};

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* A module that is malformed anywhere is not invalid: bytes that do not decode are no module yet (section 5).
 * So of a body that does not validate, and those behind it, the rest is decoded too. */
static struct rt_error *validate_bodies(const struct rt_module *module) {
    struct rt_error *error = NULL, *malformed = NULL;
    uint32_t i = module->imported_functions;
    while (i < module->function_count && !(error = rt_validate_body(module, i)))
        i++;
    if (!error || error->code != RT_INVALID)
        return error;
    for (; i < module->function_count && !malformed; i++)
        malformed = rt_body_check_form(module, i);
    if (!malformed)
        return error;
    rt_error_destroy(error);
    return malformed;
}

struct rt_error *rt_module_create(const void *bytes, size_t size, struct rt_module **ret) {
    if (size > RT_MAX_MODULE_SIZE)
        return rt_error_format(RT_UNSUPPORTED, "a module of %zu bytes is not supported, at most %d are", size,
                               RT_MAX_MODULE_SIZE);
    struct rt_module *module = calloc(1, sizeof *module);
    if (!module)
        return rt_error_out_of_memory();
    uint64_t started = nanoseconds();
    rt_arena_init(&module->arena, size * MEMORY_PER_BYTE + MEMORY_AT_LEAST);
    module->bytes = (const uint8_t *)rt_arena_copy(&module->arena, bytes, size);
    module->size = size;
    struct rt_error *error = module->bytes ? rt_module_decode(module) : rt_error_out_of_memory();
    if (!error)
        error = rt_module_name_functions(module);
    uint64_t decoded = nanoseconds();
    if (!error)
        error = validate_bodies(module);
    module->times = (struct rt_module_times){decoded - started, nanoseconds() - decoded};
    if (error) {
        rt_module_destroy(module);
        return error;
    }
    *ret = module;
    return NULL;
}

struct rt_module_times rt_module_times(const struct rt_module *module) {
    return module->times;
}

/* Reads all of an open file of `size` bytes, which may shrink or grow meanwhile: what is read counts. */
static struct rt_error *read_all(int fd, size_t size, uint8_t **ret, size_t *ret_size) {
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes)
        return rt_error_out_of_memory();
    size_t done = 0;
    while (done < size) {
        ssize_t count = read(fd, bytes + done, size - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            free(bytes);
            return rt_error_os(errno, "reading");
        }
        if (count == 0)
            break;
        done += (size_t)count;
    }
    *ret = bytes;
    *ret_size = done;
    return NULL;
}

struct rt_error *rt_module_open(const char *path, struct rt_module **ret) {
    /* Not blocking: opening a pipe that nobody writes to must not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return rt_error_os(errno, "%s", path);
    struct rt_error *error = NULL;
    struct stat status;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (fstat(fd, &status) < 0)
        error = rt_error_os(errno, "stat");
    else if (!S_ISREG(status.st_mode))
        error = rt_error_format(RT_USAGE, "not a regular file");
    else if (status.st_size > RT_MAX_MODULE_SIZE)
        error = rt_error_format(RT_UNSUPPORTED, "a module of %lld bytes is not supported, at most %d are",
                                (long long)status.st_size, RT_MAX_MODULE_SIZE);
    else
        error = read_all(fd, (size_t)status.st_size, &bytes, &size);
    close(fd);
    if (!error)
        error = rt_module_create(bytes, size, ret);
    free(bytes);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

void rt_module_destroy(struct rt_module *module) {
    if (!module)
        return;
    rt_arena_clear(&module->arena);
    free(module);
}

bool rt_module_custom(const struct rt_module *module, const char *name, const uint8_t **bytes, size_t *size) {
    size_t name_size = strlen(name);
    for (uint32_t i = 0; i < module->custom_count; i++) {
        const struct rt_custom *custom = &module->customs[i];
        if (custom->name_size == name_size && memcmp(custom->name, name, name_size) == 0) {
            *bytes = custom->bytes;
            *size = custom->size;
            return true;
        }
    }
    return false;
}

bool rt_module_custom_at(const struct rt_module *module, size_t index, const char **name,
                         const uint8_t **bytes, size_t *size) {
    if (index >= module->custom_count)
        return false;
    *name = module->customs[index].name;
    *bytes = module->customs[index].bytes;
    *size = module->customs[index].size;
    return true;
}

const uint8_t *rt_module_code(const struct rt_module *module, size_t *size) {
    uint32_t defined = module->function_count - module->imported_functions;
    *size = defined ? module->bodies[defined - 1].end : 0;
    return defined ? module->bytes + module->code_offset : NULL;
}

uint64_t rt_module_code_offset(const struct rt_module *module) {
    return module->code_offset;
}

uint32_t rt_module_function_count(const struct rt_module *module) {
    return module->function_count;
}

uint32_t rt_module_imported_function_count(const struct rt_module *module) {
    return module->imported_functions;
}

struct rt_func_type rt_module_function_type(const struct rt_module *module, uint32_t function) {
    if (function >= module->function_count)
        return (struct rt_func_type){0};
    return module->types[module->function_types[function]];
}

const char *rt_module_function_name(const struct rt_module *module, uint32_t function) {
    return function < module->function_count ? module->function_names[function] : NULL;
}

/* A defined function's body, or NULL. */
static const struct rt_body *find_body(const struct rt_module *module, uint32_t function) {
    if (function < module->imported_functions || function >= module->function_count)
        return NULL;
    return &module->bodies[function - module->imported_functions];
}

bool rt_module_function_range(const struct rt_module *module, uint32_t function, uint32_t *start,
                              uint32_t *code, uint32_t *end) {
    const struct rt_body *body = find_body(module, function);
    if (!body)
        return false;
    *start = body->start;
    *code = body->code;
    *end = body->end;
    return true;
}

bool rt_module_function_at(const struct rt_module *module, uint32_t pc, uint32_t *ret) {
    /* The first body that ends past `pc`; bodies ascend. */
    uint32_t low = 0, high = module->function_count - module->imported_functions;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (module->bodies[middle].end <= pc)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == module->function_count - module->imported_functions || module->bodies[low].start > pc)
        return false;
    *ret = module->imported_functions + low;
    return true;
}

uint32_t rt_module_local_count(const struct rt_module *module, uint32_t function) {
    const struct rt_body *body = find_body(module, function);
    return rt_module_function_type(module, function).param_count + (body ? body->local_count : 0);
}

enum rt_type rt_module_local_type(const struct rt_module *module, uint32_t function, uint32_t local) {
    struct rt_func_type type = rt_module_function_type(module, function);
    if (local < type.param_count)
        return (enum rt_type)type.params[local];
    local -= type.param_count;
    const struct rt_body *body = find_body(module, function);
    if (!body || local >= body->local_count)
        return RT_I32;
    uint32_t low = 0, high = body->run_count; /* the first run that ends past `local` */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (body->runs[middle].end <= local)
            low = middle + 1;
        else
            high = middle;
    }
    return body->runs[low].type;
}

size_t rt_module_import_count(const struct rt_module *module) {
    return module->import_count;
}

struct rt_import rt_module_import(const struct rt_module *module, size_t index) {
    return index < module->import_count ? module->imports[index] : (struct rt_import){0};
}

size_t rt_module_export_count(const struct rt_module *module) {
    return module->export_count;
}

const char *rt_module_export(const struct rt_module *module, size_t index, enum rt_extern_kind *kind,
                             uint32_t *item) {
    if (index >= module->export_count)
        return NULL;
    *kind = module->exports[index].kind;
    *item = module->exports[index].index;
    return module->exports[index].name;
}

struct rt_cursor rt_module_code_cursor(const struct rt_module *module, const struct rt_body *body) {
    uint64_t offset = module->code_offset + body->code;
    return rt_cursor_make(module->bytes + offset, body->end - body->code, offset);
}

bool rt_func_type_equal(struct rt_func_type a, struct rt_func_type b) {
    if (a.param_count != b.param_count || a.result_count != b.result_count)
        return false;
    /* Empty lists may have no address. */
    return (!a.param_count || memcmp(a.params, b.params, a.param_count) == 0) &&
           (!a.result_count || memcmp(a.results, b.results, a.result_count) == 0);
}

bool rt_func_type_has_vectors(struct rt_func_type type) {
    return (type.param_count && memchr(type.params, RT_V128, type.param_count)) ||
           (type.result_count && memchr(type.results, RT_V128, type.result_count));
}
