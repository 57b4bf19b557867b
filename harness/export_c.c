/* An exported test as a C program for wasm32-wasi: the recorded calls in their order, each with its memory
 * and its expectations, around the fixed part in export_test.h. */
#include "harness/export_layout.h"

#include <stdlib.h>
#include <string.h>

enum {
    MOST_CALLS = 20000,
    MOST_DATA = 16 << 20,
    VECTOR_SIZE = 8,
    SUBSCRIPTION_TAG = 8, /* witx `subscription`, and what is in it */
    SUBSCRIPTION_FD = 16,
    SUBSCRIPTION_TIMEOUT = 24,
    SUBSCRIPTION_FLAGS = 40,
    SUBSCRIPTION_SIZE = 48,
    TAG_CLOCK = 0,
    CLOCK_ABSTIME = 1,
    ARG_COOKIE = 3,           /* of fd_readdir */
    LISTING_ROOM = 65536 + 8, /* export_test.h: LISTING_SIZE, and the number of bytes used */
};

struct writer {
    const struct hx_export *export;
    struct hx_export_layout layout;
    struct hx_export_data data;
    struct hx_export_streams streams;
    struct hx_buffer text;   /* the calls' functions */
    struct hx_buffer starts; /* calls of them */
    bool is_used[HX_EXPORT_FUNCTION_COUNT];
    uint32_t scratch, entries; /* the most that a call needs */
    size_t made, left_out;
    uint32_t *fds; /* that are in the calls */
    size_t fd_count, fd_capacity;
};

typedef unsigned long long u64;

/* ---- Descriptors ---- */

static bool note_fd(struct writer *writer, uint64_t fd) {
    for (size_t i = 0; i < writer->fd_count; i++)
        if (writer->fds[i] == fd)
            return true;
    if (writer->fd_count == writer->fd_capacity) {
        const size_t capacity = writer->fd_capacity ? 2 * writer->fd_capacity : 64;
        uint32_t *grown = realloc(writer->fds, capacity * sizeof *grown);
        if (!grown)
            return false;
        writer->fds = grown;
        writer->fd_capacity = capacity;
    }
    writer->fds[writer->fd_count++] = (uint32_t)fd;
    return true;
}

static const struct hx_export_region *opened_region(const struct hx_export_call *call) {
    const struct hx_export_function *function = hx_export_function(call);
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        const struct hx_export_structure *structure = function->parameters[i].structure;
        if (structure && structure->fields[0].how == HX_EXPORT_MAPPED)
            return hx_export_region(call, i, 0);
    }
    return NULL;
}

/* ---- A call's memory ---- */

/* The guest's pointer to a region, as an expression. */
static void put_pointer(struct writer *writer, const struct hx_export_call *call,
                        const struct hx_export_region *region) {
    if (!region->is_outside)
        hx_buffer_print(&writer->text, "at(%u)", hx_export_layout_at(&writer->layout, region));
    else if (region->address >= call->memory_size)
        hx_buffer_print(&writer->text, "after_end(%lluu)", (u64)(region->address - call->memory_size));
    else
        hx_buffer_print(&writer->text, "before_end(%lluu)", (u64)(call->memory_size - region->address));
}

static void put_copy(struct writer *writer, const struct hx_export_region *region) {
    if (region->size)
        hx_buffer_print(&writer->text, "    copy(%u, %u, %u);\n",
                        hx_export_layout_at(&writer->layout, region),
                        hx_export_data_add(&writer->data, region->before, region->size), region->size);
}

/* Vectors point to where their bytes are now. */
static void put_vector(struct writer *writer, const struct hx_export_call *call,
                       const struct hx_export_region *array, const struct hx_export_region *item) {
    const uint32_t at = hx_export_layout_at(&writer->layout, array) + (item->item - 1) * VECTOR_SIZE;

    hx_buffer_print(&writer->text, "    word(%u, ", at);
    put_pointer(writer, call, item);
    hx_buffer_print(&writer->text, ");\n    word(%u, %uu);\n", at + 4, item->size);
}

/* Descriptors are those of this run. A time by the clock is one that has passed, as it had when the recorded
 * call returned. */
static void put_subscriptions(struct writer *writer, const struct hx_export_region *region) {
    const uint32_t base = hx_export_layout_at(&writer->layout, region);

    for (uint32_t at = 0; at + SUBSCRIPTION_SIZE <= region->size; at += SUBSCRIPTION_SIZE) {
        const uint8_t *from = region->before + at;
        if (from[SUBSCRIPTION_TAG] != TAG_CLOCK)
            hx_buffer_print(&writer->text, "    word(%u, fd(%lluu));\n", base + at + SUBSCRIPTION_FD,
                            (u64)hx_export_load(from + SUBSCRIPTION_FD, 4));
        else if (from[SUBSCRIPTION_FLAGS] & CLOCK_ABSTIME)
            hx_buffer_print(&writer->text, "    word(%u, 0);\n    word(%u, 0);\n",
                            base + at + SUBSCRIPTION_TIMEOUT, base + at + SUBSCRIPTION_TIMEOUT + 4);
    }
}

static void put_memory(struct writer *writer, const struct hx_export_call *call) {
    /* First the bytes, then the pointers that are other ones here, in case they overlap. */
    for (size_t i = 0; i < call->region_count; i++)
        if (call->regions[i].before)
            put_copy(writer, &call->regions[i]);
    for (size_t i = 0; i < call->region_count; i++) {
        const struct hx_export_region *region = &call->regions[i];
        if (region->item)
            put_vector(writer, call, hx_export_region(call, region->parameter, 0), region);
        else if (region->before &&
                 hx_export_function(call)->parameters[region->parameter].role == HX_EXPORT_SUBSCRIPTIONS)
            put_subscriptions(writer, region);
    }
}

static void put_arguments(struct writer *writer, const struct hx_export_call *call) {
    const struct hx_export_function *function = hx_export_function(call);

    for (uint32_t i = 0; i < function->parameter_count; i++) {
        const struct hx_export_region *region = hx_export_region(call, i, 0);
        hx_buffer_text(&writer->text, i ? ", " : "");
        if (region)
            put_pointer(writer, call, region);
        else if (function->parameters[i].role == HX_EXPORT_FD)
            hx_buffer_print(&writer->text, "fd(%lluu)", (u64)call->args[i]);
        else
            hx_buffer_print(&writer->text, function->types[i] == 'I' ? "%lluull" : "%lluu",
                            (u64)call->args[i]);
    }
}

/* ---- What it should give ---- */

static void put_structure(struct writer *writer, const struct hx_export_call *call,
                          const struct hx_export_region *region) {
    enum { FILETYPE = 16, FOLDER = 3 }; /* witx `filestat` */
    const struct hx_export_parameter *parameter = &hx_export_function(call)->parameters[region->parameter];
    const uint32_t at = hx_export_layout_at(&writer->layout, region);

    for (size_t i = 0; i < parameter->structure->field_count; i++) {
        const struct hx_export_field *field = &parameter->structure->fields[i];
        const u64 expected = hx_export_load(region->after + field->offset, field->size);
        switch (field->how) {
        case HX_EXPORT_IGNORED: break;
        case HX_EXPORT_EXACT_OF_FILES:
            if (region->after[FILETYPE] == FOLDER)
                break;
            /* fallthrough */
        case HX_EXPORT_EXACT:
            hx_buffer_print(&writer->text, "        value(\"%s\", %u, %u, %lluu);\n",
                            parameter->structure->field_count > 1 ? field->name : parameter->name,
                            at + field->offset, field->size, expected);
            break;
        case HX_EXPORT_MAPPED:
            hx_buffer_print(&writer->text, "        opened(%u, %lluu);\n", at, expected);
            break;
        case HX_EXPORT_MONOTONE:
            hx_buffer_print(&writer->text, "        later(%lluu, %u);\n", (u64)call->args[0], at);
            break;
        }
    }
}

static void put_strings(struct writer *writer, const struct hx_export_call *call,
                        const struct hx_export_region *region) {
    const bool is_args = call->number == HX_EXPORT_args_get;
    const struct hx_export_strings *strings = is_args ? &writer->export->args : &writer->export->env;
    struct hx_buffer text = {0};

    for (size_t i = 0; i < strings->count; i++)
        hx_buffer_append(&text, strings->items[i], strlen(strings->items[i]) + 1);
    hx_buffer_print(&writer->text, "        strings(%u, %zu, %u, %d);\n",
                    hx_export_layout_at(&writer->layout, region), strings->count,
                    hx_export_data_add(&writer->data, text.bytes, text.size), is_args);
    writer->text.failed |= text.failed;
    hx_buffer_clear(&text);
}

static void put_written(struct writer *writer, const struct hx_export_call *call,
                        const struct hx_export_region *region) {
    const struct hx_export_parameter *parameter = &hx_export_function(call)->parameters[region->parameter];
    const uint32_t at = hx_export_layout_at(&writer->layout, region);
    enum { EVENT_SIZE = 32 }; /* witx `event` */

    if (parameter->role == HX_EXPORT_STRINGS) {
        put_strings(writer, call, region);
        return;
    }
    if (parameter->role == HX_EXPORT_RANDOM || parameter->role == HX_EXPORT_STRING_BYTES || !region->written)
        return;
    const uint32_t from = hx_export_data_add(&writer->data, region->after, region->written);
    if (parameter->role == HX_EXPORT_EVENTS)
        hx_buffer_print(&writer->text, "        events(%u, %u, %u);\n", at, region->written / EVENT_SIZE,
                        from);
    else
        hx_buffer_print(&writer->text, "        bytes(\"%s\", %u, %u, %u);\n", parameter->name, at, from,
                        region->written);
}

/* Structures first: they say how much else there is. */
static void put_expectations(struct writer *writer, const struct hx_export_call *call) {
    for (int is_structure = 1; is_structure >= 0; is_structure--) {
        for (size_t i = 0; i < call->region_count; i++) {
            const struct hx_export_region *region = &call->regions[i];
            if (!region->after ||
                (hx_export_function(call)->parameters[region->parameter].structure != NULL) != is_structure)
                continue;
            if (is_structure)
                put_structure(writer, call, region);
            else
                put_written(writer, call, region);
        }
    }
}

/* What a call does to descriptors, whether it went as expected or not. */
static void put_effect(struct writer *writer, const struct hx_export_call *call) {
    const struct hx_export_region *opened = opened_region(call);

    if (call->number == HX_EXPORT_fd_close && call->errnum == 0)
        hx_buffer_print(&writer->text, "    closed(%lluu);\n", (u64)call->args[0]);
    else if (call->number == HX_EXPORT_fd_renumber)
        hx_buffer_print(&writer->text, "    renumbered(%lluu, %lluu, got, %uu);\n", (u64)call->args[0],
                        (u64)call->args[1], call->errnum);
    else if (opened && call->errnum != 0 && !opened->is_outside)
        hx_buffer_print(&writer->text, "    give_back(got, %u);\n",
                        hx_export_layout_at(&writer->layout, opened));
}

/* ---- Calls ---- */

/* A descriptor that a call uses: when its opening failed, the call is left out. Then fd_renumber's two are
 * not what they were in the recorded run. */
static bool put_condition(struct writer *writer, const struct hx_export_call *call, uint64_t fd) {
    hx_buffer_print(&writer->text, "    if (is_missing(%lluu))", (u64)fd);
    if (call->number == HX_EXPORT_fd_renumber)
        hx_buffer_print(&writer->text,
                        " {\n        lose(%lluu);\n        lose(%lluu);\n        return;\n    }\n",
                        (u64)call->args[0], (u64)call->args[1]);
    else
        hx_buffer_text(&writer->text, "\n        return;\n");
    return note_fd(writer, fd);
}

static bool put_conditions(struct writer *writer, const struct hx_export_call *call) {
    const struct hx_export_function *function = hx_export_function(call);
    const struct hx_export_region *opened = opened_region(call);

    if (opened && call->errnum == 0) {
        const u64 fd = hx_export_load(opened->after, opened->size);
        hx_buffer_print(&writer->text, "    lose(%lluu);\n", fd);
        if (!note_fd(writer, fd))
            return false;
    }
    for (uint32_t i = 0; i < function->parameter_count; i++) {
        if (function->parameters[i].role == HX_EXPORT_FD && !put_condition(writer, call, call->args[i]))
            return false;
        const struct hx_export_region *region = hx_export_region(call, i, 0);
        if (function->parameters[i].role != HX_EXPORT_SUBSCRIPTIONS || !region->before)
            continue;
        for (uint32_t at = 0; at + SUBSCRIPTION_SIZE <= region->size; at += SUBSCRIPTION_SIZE)
            if (region->before[at + SUBSCRIPTION_TAG] != TAG_CLOCK &&
                !put_condition(writer, call, hx_export_load(region->before + at + SUBSCRIPTION_FD, 4)))
                return false;
    }
    return true;
}

static void begin_call(struct writer *writer, size_t number, uint32_t scratch) {
    const char *name = hx_export_function(&writer->export->calls[number])->name;

    hx_buffer_print(&writer->text, "\nFUNCTION void call_%zu(void) {\n", number);
    hx_buffer_print(&writer->text, "    begin(%zu, \"%s\", %u);\n", number, name, scratch);
    writer->scratch = scratch > writer->scratch ? scratch : writer->scratch;
    hx_buffer_print(&writer->starts, "    call_%zu();\n", number);
    writer->made++;
}

static bool put_listing(struct writer *writer, size_t number) {
    const struct hx_export_call *call = &writer->export->calls[number];
    struct hx_export_listing list;

    hx_export_list(writer->export, number, &list);
    begin_call(writer, number, LISTING_ROOM);
    const bool is_noted = put_conditions(writer, call);
    hx_buffer_print(&writer->text, "    listing(fd(%lluu), %zu, %u, %d);\n}\n", (u64)call->args[0],
                    list.count, hx_export_data_add(&writer->data, list.entries.bytes, list.entries.size),
                    list.is_complete);
    writer->entries = list.count > writer->entries ? (uint32_t)list.count : writer->entries;
    writer->text.failed |= list.entries.failed;
    hx_buffer_clear(&list.entries);
    return is_noted;
}

static struct rt_error *put_call(struct writer *writer, size_t number) {
    const struct hx_export_call *call = &writer->export->calls[number];
    const struct hx_export_function *function = hx_export_function(call);
    const bool is_stream = function->parameter_count && function->parameters[0].role == HX_EXPORT_FD &&
                           hx_export_stream(&writer->streams, call->args[0]) >= 0;

    /* What goes on with a listing is compared where that begins. */
    if (call->end != HX_EXPORT_RETURNED || function->streams == HX_EXPORT_NOT_MADE ||
        (call->number == HX_EXPORT_fd_readdir && call->args[ARG_COOKIE] != 0)) {
        writer->left_out++;
        return NULL;
    }
    if (call->number == HX_EXPORT_fd_readdir && call->errnum == 0)
        return put_listing(writer, number) ? NULL : rt_error_out_of_memory();
    struct rt_error *error = hx_export_layout_make(&writer->layout, call);
    if (error)
        return error;
    writer->is_used[call->number] = true;
    begin_call(writer, number, writer->layout.size);
    if (!put_conditions(writer, call))
        return rt_error_out_of_memory();
    put_memory(writer, call);
    hx_buffer_print(&writer->text, "    const unsigned got = wasi_%s(", function->name);
    put_arguments(writer, call);
    hx_buffer_text(&writer->text, ");\n");
    if (is_stream && function->streams == HX_EXPORT_EMBEDDER) {
        hx_buffer_text(&writer->text, "    ignore(got);\n");
    } else if (call->errnum == 0) {
        hx_buffer_text(&writer->text, "    if (expect(got, 0, 0)) {\n");
        put_expectations(writer, call);
        hx_buffer_text(&writer->text, "    }\n");
    } else {
        hx_buffer_print(&writer->text, "    expect(got, %uu, %uu);\n", call->errnum,
                        hx_export_also(call->number, call->errnum));
    }
    put_effect(writer, call);
    hx_buffer_text(&writer->text, "}\n");
    return NULL;
}

/* ---- The program ---- */

/* A line of what the recorded program had. What could end a comment is not shown as it is. */
static void put_needed(struct hx_buffer *out, const char *what, const char *text) {
    hx_buffer_print(out, " *     %s '", what);
    for (; *text; text++) {
        const char letter = *text < ' ' || *text > '~' || *text == '*' ? '?' : *text;
        hx_buffer_append(out, &letter, 1);
    }
    hx_buffer_text(out, "'\n");
}

static void put_comment(const struct writer *writer, struct hx_buffer *out) {
    const struct hx_export *export = writer->export;

    hx_buffer_print(
        out,
        "/* A test of WASI preview 1 that lockstep made of a trace: %zu calls of a recorded program, made\n"
        " * again and compared. Compile it, and run it on an engine:\n"
        " *\n"
        " *     clang-19 --target=wasm32-wasi -O1 -nostdlib test.c -o test.wasm\n"
        " *\n"
        " * Each difference is a line on standard error; exit status 0 without one, 1 with some. It needs\n"
        " * what the recorded program had (`lockstep trace export -o FOLDER` writes that beside it):\n"
        " *\n",
        writer->made);
    for (size_t i = 0; i < export->args.count; i++)
        put_needed(out, i ? "argument" : "name", export->args.items[i]);
    for (size_t i = 0; i < export->env.count; i++)
        put_needed(out, "variable", export->env.items[i]);
    for (size_t i = 0; i < export->preopen_count; i++)
        put_needed(out, "folder", export->preopens[i].name);
    hx_buffer_print(out, " *     %zu bytes of standard input\n */\n\n", export->input.size);
}

static void put_imports(const struct writer *writer, struct hx_buffer *out) {
    static const enum hx_export_number always[] = {HX_EXPORT_fd_write, HX_EXPORT_fd_close,
                                                   HX_EXPORT_fd_readdir, HX_EXPORT_proc_exit};

    hx_buffer_text(out,
                   "#define WASI(name) \\\n    __attribute__((import_module(\"wasi_snapshot_preview1\"), "
                   "import_name(#name))) extern\n");
    for (int i = 0; i < HX_EXPORT_FUNCTION_COUNT; i++) {
        const struct hx_export_function *function = &hx_export_functions[i];
        bool is_needed = writer->is_used[i];
        for (size_t k = 0; k < sizeof always / sizeof *always; k++)
            is_needed |= always[k] == (enum hx_export_number)i;
        if (!is_needed)
            continue;
        hx_buffer_print(out, "WASI(%s) %s wasi_%s(", function->name,
                        function->has_errno ? "unsigned" : "void", function->name);
        for (uint32_t k = 0; k < function->parameter_count; k++)
            hx_buffer_print(out, "%s%s", k ? ", " : "",
                            function->types[k] == 'I' ? "unsigned long long" : "unsigned");
        hx_buffer_text(out, function->parameter_count ? ");\n" : "void);\n");
    }
}

static void put_constants(const struct writer *writer, struct hx_buffer *out) {
    enum { PER_LINE = 24 };
    const char *name;

    hx_buffer_print(out, "\nenum { SCRATCH_SIZE = %u, DESCRIPTORS = %zu, ENTRIES = %u, LEFT_OUT = %zu };\n",
                    writer->scratch ? writer->scratch : 1, writer->fd_count + 1, writer->entries + 1,
                    writer->left_out);
    hx_buffer_text(out, "\nstatic const char *const errno_names[] = {");
    for (uint32_t i = 0; (name = hx_export_errno_name(i)) != NULL; i++)
        hx_buffer_print(out, "%s\"%s\"", i % 8 == 0 ? (i ? ",\n    " : "\n    ") : ", ", name);
    hx_buffer_print(out, "};\n\nstatic const unsigned char data[%zu] = {", writer->data.bytes.size + 1);
    for (size_t i = 0; i < writer->data.bytes.size; i++)
        hx_buffer_print(out, "%s%u", i % PER_LINE == 0 ? (i ? ",\n    " : "\n    ") : ",",
                        (uint8_t)writer->data.bytes.bytes[i]);
    hx_buffer_text(out, "};\n\n");
}

/* Descriptors that calls before the chosen ones opened. */
static bool put_lost(struct writer *writer, struct hx_buffer *out) {
    const struct hx_export *export = writer->export;

    for (size_t i = 0; i < export->first; i++) {
        const struct hx_export_call *call = &export->calls[i];
        const struct hx_export_region *opened = opened_region(call);
        if (!hx_export_succeeded(call) || (!opened && call->number != HX_EXPORT_fd_renumber))
            continue;
        const uint64_t fd = opened ? hx_export_load(opened->after, opened->size) : call->args[1];
        if (!note_fd(writer, fd))
            return false;
        hx_buffer_print(out, "    lose(%lluu);\n", (u64)fd);
    }
    return true;
}

static struct rt_error *check_size(const struct writer *writer) {
    const struct hx_export *export = writer->export;

    if (export->end - export->first > MOST_CALLS)
        return rt_error_format(RT_USAGE,
                               "%zu calls are more than the %d of a test: choose some with --calls A-B",
                               export->end - export->first, MOST_CALLS);
    if (writer->data.bytes.size > MOST_DATA)
        return rt_error_format(
            RT_USAGE, "its calls have more than %d MiB of distinct data: choose some with --calls A-B",
            MOST_DATA >> 20);
    return NULL;
}

static struct rt_error *write_program(struct writer *writer, struct hx_buffer *out) {
    const struct hx_export *export = writer->export;
    struct hx_buffer lost = {0};

    hx_export_streams_init(&writer->streams);
    for (size_t i = 0; i < export->end; i++) {
        if (i >= export->first) {
            struct rt_error *error = check_size(writer);
            if (!error)
                error = put_call(writer, i);
            if (error)
                return error;
        }
        hx_export_streams_after(&writer->streams, &export->calls[i]);
    }
    const bool is_noted = put_lost(writer, &lost);
    put_comment(writer, out);
    put_imports(writer, out);
    put_constants(writer, out);
    hx_buffer_text(out, hx_export_test_text);
    hx_buffer_append(out, writer->text.bytes, writer->text.size);
    hx_buffer_text(out, "\n__attribute__((export_name(\"_start\"))) void _start(void) {\n    start();\n");
    hx_buffer_append(out, lost.bytes, lost.size);
    hx_buffer_append(out, writer->starts.bytes, writer->starts.size);
    hx_buffer_text(out, "    finish();\n}\n");
    const bool has_failed = out->failed || lost.failed || writer->text.failed || writer->starts.failed ||
                            writer->data.bytes.failed;
    hx_buffer_clear(&lost);
    return has_failed || !is_noted ? rt_error_out_of_memory() : NULL;
}

struct rt_error *hx_export_c(const struct hx_export *export, struct hx_buffer *out) {
    struct writer writer = {.export = export};
    struct rt_error *error = write_program(&writer, out);

    hx_export_layout_clear(&writer.layout);
    hx_export_data_clear(&writer.data);
    hx_buffer_clear(&writer.text);
    hx_buffer_clear(&writer.starts);
    free(writer.fds);
    return error;
}
