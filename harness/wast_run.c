/* Running a script: its modules live in one store, and each command passes or fails by itself. */
#include "harness/wast.h"

#include <stdlib.h>
#include <string.h>

enum { MODULE_LIMIT = 1 << 30 };

/* A module that commands or imports name. */
struct named {
    struct hx_wast_name name;
    struct rt_instance *instance;
    struct named *next;
};

/* A module and its code: functions of it may be in tables of others, so all stay until the store is gone. */
struct held {
    struct rt_module *module;
    struct rt_code *code;
    struct held *next;
};

struct runner {
    const struct rt_compile_options *options;
    struct hx_wast_report *report;
    struct rt_arena arena;
    struct rt_store *store;
    struct hx_wast_spectest spectest;
    struct rt_instance *last; /* the last module of the script; NULL when it has failed */
    struct named *modules;    /* by "$NAME" */
    struct named *registered;
    struct held *held;
};

enum outcome { PASSED, FAILED, LEFT_OUT };

/* ---- Modules and their names ---- */

static bool same_name(struct hx_wast_name a, struct hx_wast_name b) {
    return a.size == b.size && memcmp(a.bytes, b.bytes, a.size) == 0;
}

static struct named *find(struct named *list, struct hx_wast_name name) {
    while (list && !same_name(list->name, name))
        list = list->next;
    return list;
}

static struct rt_error *bind(struct runner *runner, struct named **list, struct hx_wast_name name,
                             struct rt_instance *instance) {
    struct named *entry = find(*list, name);

    if (!entry) {
        entry = rt_arena_alloc(&runner->arena, sizeof *entry);
        if (!entry)
            return rt_error_out_of_memory();
        *entry = (struct named){.name = name, .next = *list};
        *list = entry;
    }
    entry->instance = instance;
    return NULL;
}

/* The module that a command names, the last one without a name; NULL when there is none. */
static struct rt_instance *instance_of(const struct runner *runner, struct hx_wast_name name) {
    if (!name.bytes)
        return runner->last;
    const struct named *entry = find(runner->modules, name);
    return entry ? entry->instance : NULL;
}

static struct rt_error *decode(const char *path, struct rt_module **ret) {
    struct hx_buffer bytes = {0};
    struct rt_error *error = hx_file_read(path, MODULE_LIMIT, &bytes);

    if (!error && bytes.failed)
        error = rt_error_out_of_memory();
    if (!error)
        error = rt_module_create(hx_buffer_string(&bytes), bytes.size, ret);
    hx_buffer_clear(&bytes);
    return error;
}

/* What is not there stays NULL, which instantiation refuses. */
static struct rt_error *find_imports(struct runner *runner, const struct rt_module *module,
                                     struct rt_extern **ret) {
    static const struct hx_wast_name spectest = {"spectest", sizeof "spectest" - 1};
    size_t count = rt_module_import_count(module);
    struct rt_extern *imports = rt_arena_array(&runner->arena, count, sizeof *imports);

    if (!imports)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < count; i++) {
        const struct rt_import import = rt_module_import(module, i);
        const struct hx_wast_name from = {import.module, import.module_size};
        const struct named *entry = find(runner->registered, from);
        if (entry)
            rt_instance_export_sized(entry->instance, import.name, import.name_size, &imports[i]);
        else if (same_name(from, spectest))
            hx_wast_spectest_export(&runner->spectest, import.name, import.name_size, &imports[i]);
    }
    *ret = imports;
    return NULL;
}

/* Decodes, compiles, links and starts. */
static struct rt_error *instantiate(struct runner *runner, const char *path, struct rt_instance **ret) {
    struct held *held = rt_arena_alloc(&runner->arena, sizeof *held);
    struct rt_extern *imports;

    if (!held)
        return rt_error_out_of_memory();
    held->next = runner->held;
    runner->held = held;
    struct rt_error *error = decode(path, &held->module);
    if (!error)
        error = rt_code_create(held->module, runner->options, &held->code);
    if (!error)
        error = find_imports(runner, held->module, &imports);
    if (!error)
        error =
            rt_instance_create(runner->store, held->code, imports, rt_module_import_count(held->module), ret);
    if (!error)
        error = rt_instance_start(*ret);
    return error;
}

/* ---- Errors that a script expects ---- */

static const char *error_class(enum rt_error_code code) {
    switch (code) {
    case RT_MALFORMED: return "a malformed module";
    case RT_INVALID: return "an invalid module";
    case RT_UNLINKABLE: return "an unlinkable module";
    case RT_TRAP: return "a trap";
    case RT_UNSUPPORTED: return "a module that is not supported";
    case RT_OUT_OF_MEMORY:
    case RT_EXIT:
    case RT_OS:
    case RT_USAGE:
    case RT_DIVERGED: break;
    }
    return "an error";
}

/* Upstream's rule: one text may say more than the other ("uninitialized element 2"). */
static bool is_prefix_of_either(const char *a, const char *b) {
    size_t a_size = strlen(a), b_size = strlen(b);
    return strncmp(a, b, a_size < b_size ? a_size : b_size) == 0;
}

static bool has_words(const char *message, const char *expected) {
    static const struct {
        const char *expected, *ours;
    } others[] = {
#define HX_WAST_WORDS(expected, ours) {expected, ours},
#include "harness/wast_words.def"
#undef HX_WAST_WORDS
    };

    if (strstr(message, expected))
        return true;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(expected, others[i].expected) == 0 && strstr(message, others[i].ours))
            return true;
    return false;
}

/* Of a trap, the words tell the kind. A module that is refused as not supported, with the script's words,
 * needs a proposal that the script's version of the specification does not have either. */
static bool is_as_expected(const struct hx_wast_command *command, enum rt_error_code code,
                           const struct rt_error *error) {
    if (error->code == RT_UNSUPPORTED && (code == RT_MALFORMED || code == RT_INVALID))
        return strstr(error->message, command->text) != NULL;
    if (error->code != code)
        return false;
    return code != RT_TRAP ||
           (command->text[0] != '\0' &&
            is_prefix_of_either(rt_trap_message((enum rt_trap)error->trap), command->text));
}

/* Takes the error. */
static enum outcome judge_error(struct runner *runner, const struct hx_wast_command *command,
                                enum rt_error_code code, struct rt_error *error, struct hx_buffer *why) {
    enum outcome outcome = FAILED;

    if (!error) {
        hx_buffer_print(why, "expected %s \"%s\", got success", error_class(code), command->text);
        return FAILED;
    }
    if (!is_as_expected(command, code, error)) {
        hx_buffer_print(why, "expected %s \"%s\", got %s: %s", error_class(code), command->text,
                        error_class(error->code), error->message);
    } else {
        outcome = PASSED;
        if (code != RT_TRAP && !has_words(error->message, command->text)) {
            hx_buffer_print(why, "expected \"%s\", got: %s", command->text, error->message);
            hx_wast_remark(runner->report, command, true, hx_buffer_string(why));
        }
    }
    rt_error_destroy(error);
    return outcome;
}

/* Takes the error. */
static enum outcome judge_success(struct rt_error *error, struct hx_buffer *why) {
    if (!error)
        return PASSED;
    hx_buffer_print(why, "got %s: %s", error_class(error->code), error->message);
    rt_error_destroy(error);
    return FAILED;
}

static enum outcome fail(struct hx_buffer *why, const char *what, struct hx_wast_name name) {
    hx_buffer_print(why, "%s '%s'", what, name.bytes ? name.bytes : "");
    return FAILED;
}

/* ---- Actions ---- */

/* What an action gave: types and values by the function's results, or a global's. */
struct given {
    uint32_t count;
    const uint8_t *types;
    uint8_t global_type;
    union rt_value *values;
};

static bool arguments_fit(const struct hx_wast_action *action, struct rt_func_type type) {
    if (action->arg_count != type.param_count)
        return false;
    for (size_t i = 0; i < action->arg_count; i++)
        if (action->args[i].type != type.params[i])
            return false;
    return true;
}

static struct rt_error *invoke(struct runner *runner, const struct hx_wast_action *action,
                               struct rt_func *func, struct given *ret) {
    struct rt_func_type type = rt_func_type_of(func);
    union rt_value *args = rt_arena_array(&runner->arena, type.param_count, sizeof *args);

    *ret = (struct given){.count = type.result_count, .types = type.results};
    ret->values = rt_arena_array(&runner->arena, type.result_count, sizeof *ret->values);
    if (!args || !ret->values)
        return rt_error_out_of_memory();
    if (!arguments_fit(action, type))
        return rt_error_format(RT_USAGE, "the arguments are not of %s's type", action->field.bytes);
    for (uint32_t i = 0; i < type.param_count; i++)
        args[i] = action->args[i].value;
    return rt_func_call(func, args, ret->values);
}

static struct rt_error *act(struct runner *runner, const struct hx_wast_action *action, struct given *ret) {
    struct rt_instance *instance = instance_of(runner, action->module);
    enum rt_extern_kind kind = action->is_get ? RT_EXTERN_GLOBAL : RT_EXTERN_FUNC;
    struct rt_extern item;

    if (!instance)
        return rt_error_format(RT_USAGE, "there is no module %s",
                               action->module.bytes ? action->module.bytes : "before this");
    if (!rt_instance_export_sized(instance, action->field.bytes, action->field.size, &item) ||
        item.kind != kind)
        return rt_error_format(RT_USAGE, "no %s '%s' is exported", action->is_get ? "global" : "function",
                               action->field.bytes);
    if (!action->is_get)
        return invoke(runner, action, item.func, ret);
    *ret = (struct given){.count = 1,
                          .global_type = (uint8_t)rt_global_type(item.global),
                          .values = rt_arena_alloc(&runner->arena, sizeof *ret->values)};
    if (!ret->values)
        return rt_error_out_of_memory();
    *ret->values = rt_global_get(item.global);
    return NULL;
}

static enum rt_type given_type(const struct given *given, uint32_t index) {
    return (enum rt_type)(given->types ? given->types[index] : given->global_type);
}

static bool result_matches(const struct hx_wast_value *pattern, const struct given *given, uint32_t index) {
    return pattern->type == given_type(given, index) && hx_wast_value_matches(pattern, &given->values[index]);
}

static bool results_match(const struct hx_wast_command *command, const struct given *given) {
    if (command->is_either) {
        for (size_t i = 0; i < command->expected_count && given->count == 1; i++)
            if (result_matches(&command->expected[i], given, 0))
                return true;
        return false;
    }
    for (uint32_t i = 0; i < given->count && i < command->expected_count; i++)
        if (!result_matches(&command->expected[i], given, i))
            return false;
    return given->count == command->expected_count;
}

static void print_values(const struct hx_wast_value *values, size_t count, const char *between,
                         struct hx_buffer *out) {
    if (count == 0)
        hx_buffer_text(out, "nothing");
    for (size_t i = 0; i < count; i++) {
        hx_buffer_text(out, i > 0 ? between : "");
        hx_wast_value_print(&values[i], out);
    }
}

static enum outcome assert_return(struct runner *runner, const struct hx_wast_command *command,
                                  struct hx_buffer *why) {
    struct given given;
    struct rt_error *error = act(runner, &command->action, &given);

    if (!error && results_match(command, &given))
        return PASSED;
    hx_buffer_print(why, "%s: expected ", command->action.field.bytes);
    print_values(command->expected, command->expected_count, command->is_either ? " or " : ", ", why);
    hx_buffer_text(why, ", got ");
    if (error) {
        hx_buffer_print(why, "%s: %s", error_class(error->code), error->message);
        rt_error_destroy(error);
        return FAILED;
    }
    for (uint32_t i = 0; i < given.count; i++) {
        const struct hx_wast_value *like = i < command->expected_count ? &command->expected[i] : NULL;
        struct hx_wast_value value = hx_wast_value_of(given_type(&given, i), &given.values[i], like);
        hx_buffer_text(why, i > 0 ? ", " : "");
        hx_wast_value_print(&value, why);
    }
    if (given.count == 0)
        hx_buffer_text(why, "nothing");
    return FAILED;
}

/* ---- Commands ---- */

static enum outcome define_module(struct runner *runner, const struct hx_wast_command *command,
                                  struct hx_buffer *why) {
    struct rt_instance *instance = NULL;
    struct rt_error *error = instantiate(runner, command->path, &instance);

    /* What comes next must not use an older module in place of one that failed. */
    runner->last = error ? NULL : instance;
    struct rt_error *unbound =
        command->name.bytes ? bind(runner, &runner->modules, command->name, runner->last) : NULL;
    if (!error)
        return judge_success(unbound, why);
    rt_error_destroy(unbound);
    return judge_success(error, why);
}

static enum outcome register_module(struct runner *runner, const struct hx_wast_command *command,
                                    struct hx_buffer *why) {
    struct rt_instance *instance = instance_of(runner, command->name);

    if (!instance)
        return fail(why, "there is no module", command->name);
    return judge_success(bind(runner, &runner->registered, command->as, instance), why);
}

static enum outcome run_command(struct runner *runner, const struct hx_wast_command *command,
                                struct hx_buffer *why) {
    struct rt_module *module = NULL;
    struct rt_instance *instance;
    struct rt_error *error;
    struct given given;

    if (command->is_text)
        return LEFT_OUT;
    switch (command->kind) {
    case HX_WAST_MODULE: return define_module(runner, command, why);
    case HX_WAST_REGISTER: return register_module(runner, command, why);
    case HX_WAST_ACTION: return judge_success(act(runner, &command->action, &given), why);
    case HX_WAST_ASSERT_RETURN: return assert_return(runner, command, why);
    case HX_WAST_ASSERT_TRAP:
    case HX_WAST_ASSERT_EXHAUSTION:
        return judge_error(runner, command, RT_TRAP, act(runner, &command->action, &given), why);
    case HX_WAST_ASSERT_INVALID:
    case HX_WAST_ASSERT_MALFORMED:
        error = decode(command->path, &module);
        rt_module_destroy(module);
        return judge_error(runner, command,
                           command->kind == HX_WAST_ASSERT_INVALID ? RT_INVALID : RT_MALFORMED, error, why);
    case HX_WAST_ASSERT_UNLINKABLE:
        return judge_error(runner, command, RT_UNLINKABLE, instantiate(runner, command->path, &instance),
                           why);
    case HX_WAST_ASSERT_UNINSTANTIABLE:
        return judge_error(runner, command, RT_TRAP, instantiate(runner, command->path, &instance), why);
    case HX_WAST_KIND_COUNT: break;
    }
    return FAILED;
}

static void run_commands(struct runner *runner, const struct hx_wast_script *script) {
    struct hx_wast_report *report = runner->report;
    struct hx_buffer why = {0};

    for (size_t i = 0; i < script->command_count; i++) {
        const struct hx_wast_command *command = &script->commands[i];
        report->position = (uint32_t)i + 1;
        switch (run_command(runner, command, &why)) {
        case PASSED: report->counts[command->kind].passed++; break;
        case LEFT_OUT: report->counts[command->kind].left_out++; break;
        case FAILED: hx_wast_remark(report, command, false, hx_buffer_string(&why)); break;
        }
        hx_buffer_clear(&why);
    }
    report->is_finished = true;
}

struct rt_error *hx_wast_run(const struct hx_wast_script *script, const struct rt_compile_options *options,
                             struct hx_wast_report *report) {
    struct runner runner = {.options = options, .report = report};
    struct rt_error *error = rt_store_create(&runner.store);

    rt_arena_init(&runner.arena, 0);
    if (!error)
        error = hx_wast_spectest_create(runner.store, &runner.spectest);
    if (!error)
        run_commands(&runner, script);
    rt_store_destroy(runner.store);
    for (struct held *held = runner.held; held; held = held->next) {
        rt_code_destroy(held->code);
        rt_module_destroy(held->module);
    }
    rt_arena_clear(&runner.arena);
    return error;
}
