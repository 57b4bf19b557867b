/* Reading a script: from wast2json's JSON to an array of commands. Whatever the format does not say is
 * refused, so that no assertion passes for not being understood. */
#include "harness/wast.h"

#include <string.h>

enum { SCRIPT_LIMIT = 64 << 20 };

static const char *const kind_names[] = {
#define HX_WAST_COMMAND(name, type) type,
#include "harness/wast_commands.def"
#undef HX_WAST_COMMAND
};

const char *hx_wast_kind_name(enum hx_wast_kind kind) {
    return kind_names[kind];
}

struct reader {
    struct rt_arena *arena;
    const char *folder; /* with its slash, of `folder_size` bytes */
    size_t folder_size;
};

static struct rt_error *missing(const char *what) {
    return rt_error_format(RT_MALFORMED, "no %s", what);
}

static struct hx_wast_name name_of(const struct hx_json_value *object, const char *key) {
    const struct hx_json_value *member = hx_json_member(object, key);
    if (!member || member->kind != HX_JSON_STRING)
        return (struct hx_wast_name){0};
    return (struct hx_wast_name){member->string, member->string_size};
}

static struct rt_error *read_values(const struct reader *reader, const struct hx_json_value *array,
                                    bool is_pattern_allowed, const struct hx_wast_value **ret,
                                    size_t *ret_count) {
    struct rt_error *error = NULL;
    size_t count = 0, i = 0;

    if (!array || array->kind != HX_JSON_ARRAY)
        return missing("list of values");
    for (const struct hx_json_value *item = array->first; item; item = item->next)
        count++;
    struct hx_wast_value *values = rt_arena_array(reader->arena, count, sizeof *values);
    if (!values)
        return rt_error_out_of_memory();
    for (const struct hx_json_value *item = array->first; item && !error; item = item->next)
        error = hx_wast_value_read(item, is_pattern_allowed, &values[i++]);
    *ret = values;
    *ret_count = count;
    return error;
}

static struct rt_error *read_action(const struct reader *reader, const struct hx_json_value *json,
                                    struct hx_wast_action *ret) {
    const char *type = hx_json_member_string(json, "type");

    if (!type || (strcmp(type, "invoke") != 0 && strcmp(type, "get") != 0))
        return missing("action that is invoke or get");
    ret->is_get = strcmp(type, "get") == 0;
    ret->module = name_of(json, "module");
    ret->field = name_of(json, "field");
    if (!ret->field.bytes)
        return missing("field");
    if (ret->is_get)
        return NULL;
    return read_values(reader, hx_json_member(json, "args"), false, &ret->args, &ret->arg_count);
}

static struct rt_error *read_module(const struct reader *reader, const struct hx_json_value *json,
                                    struct hx_wast_command *ret) {
    const char *file = hx_json_member_string(json, "filename");
    const char *type = hx_json_member_string(json, "module_type");

    if (!file)
        return missing("filename");
    if (type && strcmp(type, "binary") != 0 && strcmp(type, "text") != 0)
        return missing("module_type that is binary or text");
    ret->is_text = type && strcmp(type, "text") == 0;
    ret->path = rt_arena_printf(reader->arena, "%.*s%s", (int)reader->folder_size, reader->folder, file);
    return ret->path ? NULL : rt_error_out_of_memory();
}

static struct rt_error *read_expected(const struct reader *reader, const struct hx_json_value *json,
                                      struct hx_wast_command *ret) {
    const struct hx_json_value *either = hx_json_member(json, "either");

    ret->is_either = either != NULL;
    return read_values(reader, either ? either : hx_json_member(json, "expected"), true, &ret->expected,
                       &ret->expected_count);
}

static struct rt_error *read_kind(const struct hx_json_value *json, enum hx_wast_kind *ret) {
    const char *type = hx_json_member_string(json, "type");

    for (int kind = 0; type && kind < HX_WAST_KIND_COUNT; kind++) {
        if (strcmp(kind_names[kind], type) == 0) {
            *ret = (enum hx_wast_kind)kind;
            return NULL;
        }
    }
    return rt_error_format(RT_MALFORMED, "unknown command '%s'", rt_printable(type ? type : "").text);
}

static struct rt_error *read_command(const struct reader *reader, const struct hx_json_value *json,
                                     struct hx_wast_command *ret) {
    struct rt_error *error = read_kind(json, &ret->kind);

    if (error)
        return error;
    switch (ret->kind) {
    case HX_WAST_MODULE: ret->name = name_of(json, "name"); return read_module(reader, json, ret);
    case HX_WAST_REGISTER:
        ret->name = name_of(json, "name");
        ret->as = name_of(json, "as");
        return ret->as.bytes ? NULL : missing("name to register as");
    case HX_WAST_ACTION: return read_action(reader, hx_json_member(json, "action"), &ret->action);
    case HX_WAST_ASSERT_RETURN:
        error = read_action(reader, hx_json_member(json, "action"), &ret->action);
        return error ? error : read_expected(reader, json, ret);
    case HX_WAST_ASSERT_TRAP:
    case HX_WAST_ASSERT_EXHAUSTION:
        error = read_action(reader, hx_json_member(json, "action"), &ret->action);
        break;
    case HX_WAST_ASSERT_INVALID:
    case HX_WAST_ASSERT_MALFORMED:
    case HX_WAST_ASSERT_UNLINKABLE:
    case HX_WAST_ASSERT_UNINSTANTIABLE: error = read_module(reader, json, ret); break;
    case HX_WAST_KIND_COUNT: break;
    }
    ret->text = hx_json_member_string(json, "text");
    return error || ret->text ? error : missing("text");
}

static struct rt_error *read_commands(const struct reader *reader, const struct hx_json_value *list,
                                      struct hx_wast_script *ret) {
    struct rt_error *error = NULL;
    size_t count = 0;

    if (!list || list->kind != HX_JSON_ARRAY)
        return missing("commands: it is not what wast2json writes");
    for (const struct hx_json_value *item = list->first; item; item = item->next)
        count++;
    struct hx_wast_command *commands = rt_arena_array(reader->arena, count, sizeof *commands);
    if (!commands)
        return rt_error_out_of_memory();
    ret->commands = commands;
    for (const struct hx_json_value *item = list->first; item && !error; item = item->next) {
        struct hx_wast_command *command = &commands[ret->command_count++];
        const struct hx_json_value *line = hx_json_member(item, "line");
        bool is_line = line && line->kind == HX_JSON_NUMBER && line->number >= 0 && line->number < UINT32_MAX;
        command->line = is_line ? (uint32_t)line->number : 0;
        error = is_line ? read_command(reader, item, command) : missing("line");
        if (error)
            error = rt_error_context(error, "command %zu, line %u", ret->command_count, command->line);
    }
    return error;
}

struct rt_error *hx_wast_script_read(const char *path, struct hx_wast_script *ret) {
    const char *slash = strrchr(path, '/');
    const struct reader reader = {&ret->arena, path, slash ? (size_t)(slash + 1 - path) : 0};
    const struct hx_json_value *json;
    struct hx_buffer text = {0};

    *ret = (struct hx_wast_script){0};
    rt_arena_init(&ret->arena, 0);
    struct rt_error *error = hx_file_read(path, SCRIPT_LIMIT, &text);
    if (error)
        goto out;
    error = text.failed ? rt_error_out_of_memory()
                        : hx_json_parse(hx_buffer_string(&text), text.size, &ret->arena, &json);
    if (!error) {
        ret->source = hx_json_member_string(json, "source_filename");
        if (!ret->source)
            ret->source = rt_arena_copy(&ret->arena, path, strlen(path));
        error = ret->source ? read_commands(&reader, hx_json_member(json, "commands"), ret)
                            : rt_error_out_of_memory();
    }
    if (error)
        error = rt_error_context(error, "%s", path);
out:
    hx_buffer_clear(&text);
    return error;
}

void hx_wast_script_clear(struct hx_wast_script *script) {
    rt_arena_clear(&script->arena);
}
