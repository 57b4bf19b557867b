/* A trace's header: who wrote it, settings, and the modules with their hashes and imports. */
#include "runtime/trace/format.h"

#include "runtime/decode.h"

#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

const uint8_t rt_trace_magic[RT_TRACE_MAGIC_SIZE] = {0x89, 'L', 'K', 'T', 'R', '\r', '\n', 0x1a};

enum field_tag { FIELD_ENGINE = 1, FIELD_SETTING, FIELD_MODULE, FIELD_COMMAND };
/* Decoded headers are larger than their bytes: an import of five bytes is a struct with two names. */
enum { HEADER_MEMORY = 128 << 20 };

const char *rt_trace_setting(const struct rt_trace_header *header, const char *key) {
    for (size_t i = 0; i < header->setting_count; i++)
        if (strcmp(header->settings[i].key, key) == 0)
            return header->settings[i].value;
    return NULL;
}

struct rt_error *rt_trace_module_describe(const struct rt_module *module, const char *label,
                                          struct rt_arena *arena, struct rt_trace_module *ret) {
    struct rt_import *imports = rt_arena_array(arena, rt_module_import_count(module), sizeof *imports);
    struct sha256_ctx hash;

    if (!imports)
        return rt_error_out_of_memory();
    *ret = (struct rt_trace_module){.size = module->size,
                                    .label = label,
                                    .imports = imports,
                                    .import_count = rt_module_import_count(module)};
    for (size_t i = 0; i < ret->import_count; i++)
        imports[i] = rt_module_import(module, i);
    sha256_init(&hash);
    sha256_update(&hash, module->size, module->bytes);
    sha256_digest(&hash, sizeof ret->hash, ret->hash);
    return NULL;
}

static uint32_t header_crc(const uint8_t *preamble, const uint8_t *bytes, size_t size) {
    const uLong crc = crc32(0, preamble, RT_TRACE_PREAMBLE_SIZE - 4);
    return (uint32_t)(size ? crc32(crc, bytes, (uInt)size) : crc); /* crc32 of NULL starts anew */
}

/* ---- Encoding ---- */

/* Appends to `memory` until it fails; the caller looks once, at the end. */
struct output {
    struct rt_trace_memory *memory;
    bool is_out_of_memory, is_bad_name;
};

static void put_bytes(struct output *out, const void *bytes, size_t size) {
    if (!out->is_out_of_memory)
        out->is_out_of_memory = !rt_trace_append(out->memory, bytes, size);
}

static void put_number(struct output *out, uint64_t value) {
    uint8_t bytes[10];
    put_bytes(out, bytes, (size_t)(rt_trace_put_leb(bytes, value) - bytes));
}

static void put_byte(struct output *out, uint8_t byte) {
    put_bytes(out, &byte, 1);
}

static void put_name(struct output *out, const char *name, size_t size) {
    out->is_bad_name |= !rt_utf8_valid((const uint8_t *)name, size);
    put_number(out, size);
    put_bytes(out, name, size);
}

static void put_text(struct output *out, const char *text) {
    put_name(out, text ? text : "", text ? strlen(text) : 0);
}

static void put_import(struct output *out, const struct rt_import *import) {
    put_name(out, import->module, import->module_size);
    put_name(out, import->name, import->name_size);
    put_byte(out, (uint8_t)import->kind);
    switch (import->kind) {
    case RT_EXTERN_FUNC:
        put_number(out, import->func.param_count);
        put_bytes(out, import->func.params, import->func.param_count);
        put_number(out, import->func.result_count);
        put_bytes(out, import->func.results, import->func.result_count);
        break;
    case RT_EXTERN_TABLE: put_byte(out, (uint8_t)import->type); break;
    case RT_EXTERN_MEMORY: break;
    case RT_EXTERN_GLOBAL:
        put_byte(out, (uint8_t)import->type);
        put_byte(out, import->is_mutable);
        break;
    }
}
_Static_assert(RT_EXTERN_FUNC == 0 && RT_EXTERN_TABLE == 1 && RT_EXTERN_MEMORY == 2 && RT_EXTERN_GLOBAL == 3,
               "kinds of imports are the format's");

static void put_module(struct output *out, const struct rt_trace_module *module) {
    put_bytes(out, module->hash, sizeof module->hash);
    put_number(out, module->size);
    put_text(out, module->label);
    put_number(out, module->import_count);
    for (size_t i = 0; i < module->import_count; i++)
        put_import(out, &module->imports[i]);
}

/* Writes a field whose contents were put into `contents`, which is empty again then. */
static void put_field(struct output *out, enum field_tag tag, struct output *contents) {
    put_byte(out, (uint8_t)tag);
    put_number(out, contents->memory->size);
    put_bytes(out, contents->memory->bytes, contents->memory->size);
    contents->memory->size = 0;
}

static void put_fields(struct output *out, struct output *field, const struct rt_trace_header *header) {
    if (header->engine) {
        put_text(field, header->engine);
        put_field(out, FIELD_ENGINE, field);
    }
    for (size_t i = 0; i < header->setting_count; i++) {
        put_text(field, header->settings[i].key);
        put_text(field, header->settings[i].value);
        put_field(out, FIELD_SETTING, field);
    }
    for (size_t i = 0; i < header->module_count; i++) {
        put_module(field, &header->modules[i]);
        put_field(out, FIELD_MODULE, field);
    }
    for (size_t i = 0; i < header->command_count; i++)
        put_text(field, header->command[i]);
    if (header->command_count)
        put_field(out, FIELD_COMMAND, field);
}

struct rt_error *rt_trace_header_encode(const struct rt_trace_header *header, struct rt_trace_memory *ret) {
    struct rt_trace_memory contents = {0};
    struct output out = {.memory = ret}, field = {.memory = &contents};
    const size_t start = ret->size;
    uint8_t preamble[RT_TRACE_PREAMBLE_SIZE] = {0};

    for (size_t i = 0; i < header->module_count; i++)
        if (header->modules[i].import_count > RT_TRACE_MAX_IMPORTS)
            return rt_error_format(RT_USAGE, "trace: module %zu: %zu imports are too many", i,
                                   header->modules[i].import_count);
    put_bytes(&out, preamble, sizeof preamble);
    put_fields(&out, &field, header);
    free(contents.bytes);
    if (out.is_out_of_memory || field.is_out_of_memory)
        return rt_error_out_of_memory();
    if (field.is_bad_name)
        return rt_error_format(RT_USAGE, "trace: a text of the header is no UTF-8");
    const size_t size = ret->size - start - sizeof preamble;
    if (size > RT_TRACE_MAX_HEADER)
        return rt_error_format(RT_USAGE, "trace: a header of %zu bytes is too large", size);
    uint8_t *bytes = ret->bytes + start, *next = bytes + RT_TRACE_MAGIC_SIZE;
    memcpy(bytes, rt_trace_magic, RT_TRACE_MAGIC_SIZE);
    next = rt_trace_put_fixed(next, RT_TRACE_MAJOR, 2);
    next = rt_trace_put_fixed(next, RT_TRACE_MINOR, 2);
    next = rt_trace_put_fixed(next, size, 4);
    rt_trace_put_fixed(next, header_crc(bytes, bytes + sizeof preamble, size), 4);
    return NULL;
}

/* ---- Decoding ---- */

/* A name as a terminated string in the arena. Only where *ret_size tells its size may it hold zeros. */
static struct rt_error *get_text(struct rt_cursor *c, const char *what, struct rt_arena *arena,
                                 const char **ret, size_t *ret_size) {
    const struct rt_cursor first = *c;
    struct rt_trace_bytes name;
    struct rt_error *error = rt_trace_get_name(c, what, &name);
    if (error)
        return error;
    if (ret_size)
        *ret_size = name.size;
    else if (name.size && memchr(name.data, 0, name.size))
        return rt_cursor_error(&first, "%s: holds a zero byte", what);
    *ret = rt_arena_copy(arena, name.data, name.size);
    return *ret ? NULL : rt_error_out_of_memory();
}

static struct rt_error *get_import(struct rt_cursor *c, struct rt_arena *arena, struct rt_import *ret) {
    uint8_t kind = 0, type = 0;
    struct rt_error *error = get_text(c, "import's module", arena, &ret->module, &ret->module_size);
    if (!error)
        error = get_text(c, "import's name", arena, &ret->name, &ret->name_size);
    const struct rt_cursor first = *c;
    if (!error)
        error = rt_cursor_u8(c, "import's kind", &kind);
    if (error)
        return error;
    ret->kind = (enum rt_extern_kind)kind;
    switch (kind) {
    case RT_EXTERN_FUNC:
        error = rt_trace_get_functype(c, "import's type", &ret->func);
        if (error)
            return error;
        ret->func.params = (uint8_t *)rt_arena_copy(arena, ret->func.params, ret->func.param_count);
        ret->func.results = (uint8_t *)rt_arena_copy(arena, ret->func.results, ret->func.result_count);
        return ret->func.params && ret->func.results ? NULL : rt_error_out_of_memory();
    case RT_EXTERN_MEMORY: return NULL;
    case RT_EXTERN_TABLE:
    case RT_EXTERN_GLOBAL:
        error = rt_trace_get_type(c, "import's type", &type);
        ret->type = (enum rt_type)type;
        return error || kind == RT_EXTERN_TABLE
                   ? error
                   : rt_trace_get_flag(c, "import's mutability", &ret->is_mutable);
    }
    return rt_cursor_error(&first, "import's kind: 0x%02x is none", kind);
}

static struct rt_error *get_module(struct rt_cursor *c, struct rt_arena *arena, struct rt_trace_module *ret) {
    const uint8_t *hash;
    uint32_t count = 0;
    struct rt_error *error = rt_cursor_bytes(c, sizeof ret->hash, "module's hash", &hash);
    if (error)
        return error;
    memcpy(ret->hash, hash, sizeof ret->hash);
    error = rt_trace_get_leb(c, 64, "module's size", &ret->size);
    if (!error)
        error = get_text(c, "module's label", arena, &ret->label, NULL);
    const struct rt_cursor first = *c;
    if (!error)
        error = rt_trace_get_u32(c, "count of imports", &count);
    if (error)
        return error;
    if (count > RT_TRACE_MAX_IMPORTS || count * (size_t)3 > rt_cursor_left(c))
        return rt_cursor_error(&first, "%u imports are too many", count);
    struct rt_import *imports = rt_arena_array(arena, count, sizeof *imports);
    if (!imports)
        return rt_error_out_of_memory();
    for (uint32_t i = 0; i < count && !error; i++)
        error = get_import(c, arena, &imports[i]);
    ret->imports = imports;
    ret->import_count = count;
    return error;
}

static struct rt_error *get_command(struct rt_cursor *c, struct rt_arena *arena,
                                    struct rt_trace_header *ret) {
    struct rt_cursor counter = *c;
    struct rt_trace_bytes name;
    struct rt_error *error = NULL;
    size_t count = 0;

    while (!error && rt_cursor_left(&counter)) {
        error = rt_trace_get_name(&counter, "argument", &name);
        count++;
    }
    if (error)
        return error;
    const char **command = rt_arena_array(arena, count, sizeof *command);
    if (!command)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count && !error; i++)
        error = get_text(c, "argument", arena, &command[i], NULL);
    ret->command = command;
    ret->command_count = count;
    return error;
}

/* The parts of the header that repeat, while it is read. */
struct lists {
    struct rt_trace_setting *settings;
    struct rt_trace_module *modules;
};

static struct rt_error *get_field(uint8_t tag, struct rt_cursor *c, struct rt_arena *arena,
                                  const struct lists *lists, struct rt_trace_header *ret) {
    struct rt_trace_setting *setting = &lists->settings[ret->setting_count];
    struct rt_error *error = NULL;

    switch (tag) {
    case FIELD_ENGINE:
        if (ret->engine)
            return rt_cursor_error(c, "the engine comes twice");
        error = get_text(c, "engine", arena, &ret->engine, NULL);
        break;
    case FIELD_SETTING:
        error = get_text(c, "setting's key", arena, &setting->key, NULL);
        if (!error)
            error = get_text(c, "setting's value", arena, &setting->value, NULL);
        if (!error && rt_trace_setting(ret, setting->key))
            return rt_cursor_error(c, "the setting %s comes twice", rt_printable(setting->key).text);
        ret->setting_count++;
        break;
    case FIELD_MODULE: error = get_module(c, arena, &lists->modules[ret->module_count++]); break;
    case FIELD_COMMAND:
        if (ret->command)
            return rt_cursor_error(c, "the command comes twice");
        error = get_command(c, arena, ret);
        break;
    default:
        if (ret->minor <= RT_TRACE_MINOR)
            return rt_cursor_error(c, "version %u.%u has no header field %u", ret->major, ret->minor, tag);
        return NULL;
    }
    if (!error && rt_cursor_left(c) && ret->minor <= RT_TRACE_MINOR)
        error = rt_cursor_error(c, "%zu bytes too many in header field %u", rt_cursor_left(c), tag);
    return error;
}

/* The frame of the next field. */
static struct rt_error *get_frame(struct rt_cursor *c, uint8_t *ret_tag, struct rt_cursor *ret) {
    const uint8_t *bytes = NULL;
    uint32_t size = 0;
    struct rt_error *error = rt_cursor_u8(c, "header field", ret_tag);
    if (!error)
        error = rt_trace_get_u32(c, "header field's size", &size);
    const uint64_t base = rt_cursor_offset(c);
    if (!error)
        error = rt_cursor_bytes(c, size, "header field", &bytes);
    if (!error)
        *ret = rt_cursor_make(bytes, size, base);
    return error;
}

struct rt_error *rt_trace_preamble_decode(const uint8_t preamble[RT_TRACE_PREAMBLE_SIZE],
                                          struct rt_trace_header *ret, uint32_t *ret_size) {
    struct rt_cursor c = rt_cursor_make(preamble, RT_TRACE_PREAMBLE_SIZE, 0);
    const uint8_t *magic;
    struct rt_error *error = rt_cursor_bytes(&c, RT_TRACE_MAGIC_SIZE, "magic", &magic);

    if (!error && memcmp(magic, rt_trace_magic, RT_TRACE_MAGIC_SIZE) != 0)
        return rt_error_format(RT_MALFORMED, "this is no trace: it does not begin as one");
    if (!error)
        error = rt_cursor_u16(&c, "version", &ret->major);
    if (!error)
        error = rt_cursor_u16(&c, "version", &ret->minor);
    if (!error && ret->major != RT_TRACE_MAJOR)
        return rt_error_format(RT_UNSUPPORTED, "the trace's version is %u.%u; this reader knows %d",
                               ret->major, ret->minor, RT_TRACE_MAJOR);
    if (!error)
        error = rt_cursor_u32(&c, "header's size", ret_size);
    if (!error && *ret_size > RT_TRACE_MAX_HEADER)
        error = rt_cursor_error(&c, "a header of %u bytes is too large", *ret_size);
    return error;
}

struct rt_error *rt_trace_header_decode(const uint8_t preamble[RT_TRACE_PREAMBLE_SIZE], const uint8_t *bytes,
                                        size_t size, struct rt_arena *arena, struct rt_trace_header *ret) {
    struct rt_cursor sum =
        rt_cursor_make(preamble + RT_TRACE_PREAMBLE_SIZE - 4, 4, RT_TRACE_PREAMBLE_SIZE - 4);
    struct rt_cursor c = rt_cursor_make(bytes, size, RT_TRACE_PREAMBLE_SIZE), counter = c, field;
    struct lists lists = {0};
    size_t settings = 0, modules = 0;
    uint32_t crc;
    uint8_t tag;
    struct rt_error *error = rt_cursor_u32(&sum, "header's checksum", &crc);

    if (!error && header_crc(preamble, bytes, size) != crc)
        return rt_error_format(RT_MALFORMED, "the header is damaged: its checksum is wrong");
    while (!error && rt_cursor_left(&counter)) {
        error = get_frame(&counter, &tag, &field);
        if (!error) {
            settings += tag == FIELD_SETTING;
            modules += tag == FIELD_MODULE;
        }
    }
    rt_arena_init(arena, HEADER_MEMORY);
    if (error)
        return error;
    /* One more setting than there are, so that the next one's address exists. */
    lists.settings = rt_arena_array(arena, settings + 1, sizeof *lists.settings);
    lists.modules = rt_arena_array(arena, modules, sizeof *lists.modules);
    if (!lists.settings || !lists.modules)
        return rt_error_out_of_memory();
    ret->settings = lists.settings;
    ret->modules = lists.modules;
    while (!error && rt_cursor_left(&c)) {
        error = get_frame(&c, &tag, &field);
        if (!error)
            error = get_field(tag, &field, arena, &lists, ret);
    }
    return error;
}
