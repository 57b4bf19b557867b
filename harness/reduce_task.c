/* Reading a finding's folder, or a C file with options, into a task. What a folder says may have been written
 * by anybody. */
#include "harness/reduce_task.h"

#include "harness/json.h"
#include "harness/tools.h"
#include "harness/witness.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DOCUMENT "finding.json"

enum { FILE_LIMIT = 64 << 20 };

static uint64_t number_of(const struct hx_json_value *object, const char *name, uint64_t otherwise) {
    const struct hx_json_value *member = hx_json_member(object, name);
    return member && member->kind == HX_JSON_NUMBER && member->number >= 0 && member->number < 1e15
               ? (uint64_t)member->number
               : otherwise;
}

static const char *copy(const char *text, struct rt_arena *arena) {
    return text ? rt_arena_copy(arena, text, strlen(text)) : NULL;
}

/* ---- The two witnesses ---- */

/* "native:gcc" and "wasm:interp" are other settings of a native and a Wasm build. */
static void take_witness(const struct hx_witness *witness, struct rt_arena *arena,
                         struct hx_reduce_values *values) {
    const char *variant = copy(witness->variant, arena);

    if (witness->kind == HX_WITNESS_NATIVE) {
        values->native_cc = hx_word_or(variant, values->native_cc);
        return;
    }
    values->engine = rt_engine_name(witness->engine);
    if (variant) {
        values->native_cc = hx_word_or(values->native_cc, values->cc);
        values->cc = variant;
    }
}

static struct rt_error *take_witnesses(const char *first, const char *second, struct rt_arena *arena,
                                       struct hx_reduce_values *values) {
    enum rt_engine engine = RT_ENGINE_COMPILED;
    struct hx_witnesses witnesses;
    char names[256];

    snprintf(names, sizeof names, "%s,%s", first, second);
    if (values->engine)
        rt_error_destroy(rt_engine_parse(values->engine, &engine));
    struct rt_error *error = hx_witnesses_parse(names, engine, &witnesses);
    if (error)
        return rt_error_context(error, "the finding's witnesses");
    if (witnesses.items[0].kind != HX_WITNESS_NATIVE || witnesses.items[1].kind != HX_WITNESS_WASM)
        error = rt_error_format(
            RT_USAGE, "is a finding about %s: programs are made smaller for a native and a Wasm build",
            names);
    for (int i = 0; i < 2 && !error; i++)
        take_witness(&witnesses.items[i], arena, values);
    hx_witnesses_clear(&witnesses);
    return error;
}

/* ---- The document ---- */

/* Names and states of the first two. */
static struct rt_error *read_witnesses(const struct hx_json_value *finding, struct rt_arena *arena,
                                       struct hx_reduce_task *task) {
    const struct hx_json_value *witnesses = hx_json_member(finding, "witnesses");
    const struct hx_json_value *witness =
        witnesses && witnesses->kind == HX_JSON_ARRAY ? witnesses->first : NULL;
    const char *names[2] = {NULL, NULL};

    for (int i = 0; i < 2 && witness; i++, witness = witness->next) {
        task->states[i] = hx_json_member_string(witness, "state");
        names[i] = hx_json_member_string(witness, "name");
        task->has_states = i == 1;
    }
    if (task->is_self || !names[0] || !names[1])
        return NULL;
    return take_witnesses(names[0], names[1], arena, &task->values);
}

/* What cannot be made smaller, or not without being told more. */
static struct rt_error *refuse(const struct hx_json_value *object, const struct hx_reduce_values *values) {
    const char *wasm = hx_json_member_string(object, "wasm");

    if (hx_json_member(object, "engines"))
        return rt_error_format(RT_USAGE, "is a finding about engines, of a module: wasm-reduce is for those");
    if (!values->cc)
        return rt_error_format(RT_USAGE, "does not name its compiler; say --cc and --opt");
    if (!values->wasm_opt && wasm && strstr(wasm, "; wasm-opt"))
        return rt_error_format(RT_USAGE, "does not say with which words wasm-opt ran; say --wasm-opt");
    return NULL;
}

static struct rt_error *read_finding(const struct hx_json_value *object, struct rt_arena *arena,
                                     struct hx_reduce_task *task) {
    const struct hx_json_value *finding = hx_json_member(object, "finding");
    struct hx_reduce_values *values = &task->values;

    if (object->kind != HX_JSON_OBJECT || !finding || finding->kind != HX_JSON_OBJECT ||
        !hx_json_member_string(finding, "signature"))
        return rt_error_format(RT_MALFORMED, "is not about a finding: it has no signature");
    values->signature = hx_word_or(values->signature, hx_json_member_string(finding, "signature"));
    values->cc = hx_word_or(values->cc, hx_json_member_string(object, "cc"));
    values->native_cc = hx_word_or(values->native_cc, hx_json_member_string(object, "native_cc"));
    values->opt = hx_word_or(values->opt, hx_json_member_string(object, "opt"));
    values->wasm_opt = hx_word_or(values->wasm_opt, hx_json_member_string(object, "wasm_opt"));
    values->engine = hx_word_or(values->engine, hx_json_member_string(object, "engine"));
    if (values->stops == UINT64_MAX)
        values->stops = number_of(object, "stops", UINT64_MAX);
    if (values->visits == UINT64_MAX)
        values->visits = number_of(object, "visits", UINT64_MAX);
    if (values->steps == UINT64_MAX)
        values->steps = number_of(object, "steps", UINT64_MAX);
    if (!values->time_limit)
        values->time_limit = number_of(object, "time_limit", 0);
    task->known = hx_json_member_string(finding, "known");
    task->is_self = hx_signature_is_self(values->signature);
    struct rt_error *error = refuse(object, values);
    return error ? error : read_witnesses(finding, arena, task);
}

static struct rt_error *read_document(const char *folder, struct rt_arena *arena,
                                      struct hx_reduce_task *task) {
    const struct hx_json_value *object;
    struct hx_buffer text = {0};
    char path[PATH_MAX];

    snprintf(path, sizeof path, "%s/" DOCUMENT, folder);
    struct rt_error *error = hx_file_read(path, FILE_LIMIT, &text);
    if (!error) {
        error = hx_json_parse(hx_buffer_string(&text), text.size, arena, &object);
        if (!error)
            error = read_finding(object, arena, task);
        error = error ? rt_error_context(error, "%s", path) : NULL;
    }
    hx_buffer_clear(&text);
    return error;
}

/* ---- The task ---- */

bool hx_signature_is_self(const char *signature) {
    return signature && strncmp(signature, "self/", strlen("self/")) == 0;
}

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

struct rt_error *hx_reduce_task_read(const struct hx_arguments *arguments,
                                     const struct hx_reduce_values *values, struct rt_arena *arena,
                                     struct hx_reduce_task *ret) {
    struct rt_error *error = NULL;

    *ret = (struct hx_reduce_task){.values = *values};
    ret->is_self = hx_signature_is_self(values->signature);
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs a finding's folder, or one C file");
    const char *path;
    error = hx_path_real(arguments->items[0], arena, &path);
    if (error)
        return error;
    const size_t length = strlen(path);
    if (is_folder(path)) {
        error = read_document(path, arena, ret);
        ret->c_file = rt_arena_printf(arena, "%s/" HX_SOURCE, path);
        ret->out = hx_word_or(values->out, path);
    } else if (length > 2 && strcmp(path + length - 2, ".c") == 0) {
        ret->c_file = path;
        ret->out = values->out ? values->out : rt_arena_printf(arena, "%.*s-reduced", (int)length - 2, path);
    } else {
        return rt_error_format(RT_USAGE, "%s is neither a finding's folder nor a C file", path);
    }
    if (!error && (!ret->c_file || !ret->out))
        error = rt_error_out_of_memory();
    if (!error && access(ret->c_file, R_OK) != 0)
        error = rt_error_os(errno, "cannot open %s", ret->c_file);
    return error;
}
