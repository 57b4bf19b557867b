/* What the tools of a campaign say of their versions, and digests of what has none. */
#include "harness/versions.h"

#include "harness/process.h"
#include "harness/source.h"

#include <string.h>

enum { BINARY_LIMIT = 1 << 30, ASK_LIMIT = 30000 };

void hx_facts_add(struct hx_facts *facts, const char *name, const char *value) {
    if (facts->count < HX_MAX_FACTS)
        facts->items[facts->count++] = (struct hx_fact){name, value};
}

const char *hx_facts_find(const struct hx_facts *facts, const char *name) {
    for (size_t i = 0; i < facts->count; i++)
        if (strcmp(facts->items[i].name, name) == 0)
            return facts->items[i].value;
    return NULL;
}

/* Adds `value`, which the arena was to make. */
static struct rt_error *add(struct hx_facts *facts, const char *name, const char *value) {
    if (!value)
        return rt_error_out_of_memory();
    hx_facts_add(facts, name, value);
    return NULL;
}

/* The version of a program under development stays the same from one build to the next; its bytes do not. */
static struct rt_error *add_lockstep(struct rt_arena *arena, struct hx_facts *facts) {
    struct hx_buffer binary = {0};
    struct rt_error *error = hx_file_read("/proc/self/exe", BINARY_LIMIT, &binary);
    uint64_t digest = hx_hash(HX_HASH, hx_buffer_string(&binary), binary.size);

    hx_buffer_clear(&binary);
    if (error)
        return error;
    return add(facts, "lockstep",
               rt_arena_printf(arena, "%s, build %016llx", LOCKSTEP_VERSION, (unsigned long long)digest));
}

/* In a folder of its own, because Csmith writes a file into its working folder whatever it is asked. */
struct rt_error *hx_ask_version(const char *name, const char *path, struct rt_arena *arena,
                                struct hx_facts *facts) {
    const char *argv[] = {path, "--version", NULL};
    struct hx_temp folder = {0};
    struct hx_process process = {
        .argv = argv, .directory = folder.path, .time_limit = ASK_LIMIT, .own_group = true};
    struct rt_error *error = hx_temp_create(&folder);

    if (!error)
        error = hx_process_run(&process, 1);
    if (!error) {
        const char *line = hx_buffer_string(&process.output);
        size_t digit = strcspn(line, "0123456789");
        while (digit > 0 && line[digit - 1] != '\n')
            digit--;
        line += digit;
        error = add(facts, name, rt_arena_copy(arena, line, strcspn(line, "\n")));
    }
    hx_process_clear(&process);
    hx_temp_remove(&folder);
    return error;
}

/* Both drivers' linkers, where they have told which. */
static struct rt_error *add_linkers(const struct hx_tools *tools, struct rt_arena *arena,
                                    struct hx_facts *facts) {
    struct rt_error *error = NULL;

    if (tools->native.link)
        error = hx_ask_version("native linker", tools->native.link[0], arena, facts);
    if (!error && tools->wasm.link)
        error = hx_ask_version("wasm linker", tools->wasm.link[0], arena, facts);
    return error;
}

static struct rt_error *add_modules(const char *const *modules, size_t count, struct rt_arena *arena,
                                    struct hx_facts *facts) {
    uint64_t digest = HX_HASH;

    for (size_t i = 0; i < count; i++) {
        const char *name = hx_base_name(modules[i]);
        digest = hx_hash(digest, name, strlen(name) + 1);
    }
    return add(facts, "modules",
               rt_arena_printf(arena, "%zu, names %016llx", count, (unsigned long long)digest));
}

struct rt_error *hx_tool_versions(const struct hx_tools *tools, const struct hx_engines *engines,
                                  const struct hx_witnesses *witnesses, struct rt_arena *arena,
                                  struct hx_facts *ret) {
    struct rt_error *error = NULL;

    if (tools) {
        hx_facts_add(ret, "native", tools->native.version);
        hx_facts_add(ret, "wasm", tools->wasm.version);
        error = add_linkers(tools, arena, ret);
    }
    if (!error && tools && tools->csmith)
        error = hx_ask_version("csmith", tools->csmith, arena, ret);
    if (!error && engines && engines->wasm_opt)
        error = hx_ask_version("wasm-opt", engines->wasm_opt, arena, ret);
    for (size_t i = 0; witnesses && i < witnesses->count; i++)
        if (witnesses->items[i].variant && witnesses->items[i].compiler)
            hx_facts_add(ret, witnesses->items[i].name, witnesses->items[i].compiler->version);
    return error;
}

struct rt_error *hx_versions(const struct hx_tools *tools, const struct hx_engines *engines,
                             const struct hx_witnesses *witnesses, const struct hx_known *known,
                             const char *const *modules, size_t module_count, struct rt_arena *arena,
                             struct hx_facts *ret) {
    struct rt_error *error = add_lockstep(arena, ret);

    if (!error)
        error = hx_tool_versions(tools, engines, witnesses, arena, ret);
    if (!error && modules)
        error = add_modules(modules, module_count, arena, ret);
    if (!error)
        error = add(ret, "known", rt_arena_printf(arena, "%016llx", (unsigned long long)known->digest));
    return error;
}
