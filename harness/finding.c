/* Keeping a finding: a folder that says all about it and can be handed to somebody else. */
#include "harness/finding.h"

#include "harness/program.h"
#include "harness/report.h"
#include "harness/versions.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Other findings of the program that are told beside one. */
enum { ARTIFACT_LIMIT = 256 << 20, MAX_OTHERS = 20 };

static struct rt_error *copy_as(const char *from, const char *to_folder, const char *name) {
    char to[PATH_MAX];
    struct hx_buffer bytes = {0};
    struct stat info;

    snprintf(to, sizeof to, "%s/%s", to_folder, name);
    /* A worker that crashed early has not made all of them. */
    if (stat(from, &info) != 0)
        return NULL;
    struct rt_error *error = hx_file_read(from, ARTIFACT_LIMIT, &bytes);
    if (!error)
        error = hx_file_write(to, hx_buffer_string(&bytes), bytes.size, info.st_mode & 0777);
    hx_buffer_clear(&bytes);
    return error;
}

static struct rt_error *copy_file(const char *from_folder, const char *name, const char *to_folder) {
    char from[PATH_MAX];

    snprintf(from, sizeof from, "%s/%s", from_folder, name);
    return copy_as(from, to_folder, name);
}

static bool is_wasm_only(const struct hx_job *job) {
    return job->source.has_seed && job->setup->generator && !job->setup->generator->has_native;
}

/* A program that wants its seed's setup is made again. */
static void reproduce_seed(const struct hx_job *job, struct hx_buffer *out) {
    hx_buffer_print(out, "fuzz --source %s --seeds %llu", job->setup->generator->name,
                    (unsigned long long)job->source.seed);
}

static void reproduce_compiler(const struct hx_tools *tools, struct hx_buffer *out) {
    hx_buffer_text(out, " --cc ");
    hx_buffer_shell_word(out, tools->cc);
    hx_buffer_print(out, " --opt %s", tools->optimisation);
    if (tools->wasm_opt) {
        hx_buffer_text(out, " --wasm-opt ");
        hx_buffer_shell_word(out, tools->wasm_opt_words);
    }
}

static void reproduce_engines(const struct hx_job *job, struct hx_buffer *out) {
    const struct hx_engines *engines = job->setup->engines;

    if (is_wasm_only(job)) {
        reproduce_seed(job, out);
        reproduce_compiler(job->setup->tools, out);
    } else {
        hx_buffer_text(out, "check " HX_WASM);
    }
    hx_buffer_print(out, "%s%s --engines %s,%s --steps %llu --time-limit %ums \"$@\"\n",
                    engines->is_replay ? " --replay" : "", engines->is_coarse ? " --coarse" : "",
                    rt_engine_name(engines->engines[0]), rt_engine_name(engines->engines[1]),
                    (unsigned long long)engines->max_steps, job->setup->time_limit);
}

static void reproduce_script(const struct hx_job *job, struct hx_buffer *out) {
    const struct hx_tools *tools = job->setup->tools;
    const struct hx_witnesses *witnesses = job->setup->witnesses;
    char binary[PATH_MAX] = "lockstep";
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 1);

    if (length > 0)
        binary[length] = '\0';
    hx_buffer_text(out, "#!/bin/sh\n"
                        "# Shows the finding again, of program.c or of program.wasm. LOCKSTEP names another\n"
                        "# lockstep binary; more options of `lockstep check` may follow.\n"
                        "cd \"$(dirname \"$0\")\" || exit 2\n"
                        "lockstep=${LOCKSTEP:-");
    hx_buffer_shell_word(out, binary);
    hx_buffer_text(out, "}\n"
                        "[ -x \"$lockstep\" ] || lockstep=lockstep\n"
                        "exec \"$lockstep\" ");
    if (job->setup->engines) {
        reproduce_engines(job, out);
        return;
    }
    if (is_wasm_only(job))
        reproduce_seed(job, out);
    else if (tools)
        hx_buffer_text(out, "check " HX_SOURCE);
    else
        hx_buffer_print(out, "check --native " HX_NATIVE " --wasm " HX_WASM " --opt %s",
                        job->setup->is_unoptimised ? "-O0" : "-O1");
    if (tools)
        reproduce_compiler(tools, out);
    if (tools && strcmp(tools->cc, tools->native.name) != 0) {
        hx_buffer_text(out, " --native-cc ");
        hx_buffer_shell_word(out, tools->native.name);
    }
    for (size_t i = 0; witnesses && i < witnesses->first_count; i++)
        hx_buffer_print(out, "%s%s", i ? "," : " --witness ", witnesses->items[i].name);
    if (witnesses && witnesses->count > witnesses->first_count)
        hx_buffer_text(out, " --blame");
    if (job->setup->engine != RT_ENGINE_COMPILED)
        hx_buffer_print(out, " --engine %s", rt_engine_name(job->setup->engine));
    if (job->setup->is_self) {
        hx_buffer_print(out, " --self --steps %llu --time-limit %ums \"$@\"\n",
                        (unsigned long long)job->setup->self_steps, job->setup->time_limit);
        return;
    }
    hx_buffer_print(out, " --stops %llu --visits %llu --time-limit %ums \"$@\"\n",
                    (unsigned long long)job->setup->max_stops, (unsigned long long)job->setup->max_visits,
                    job->setup->time_limit);
}

/* The testimony of a witness of that name, if it is in the finding. */
static bool testifies(const struct or_finding *finding, const char *name) {
    bool found = false;

    for (size_t i = 0; i < 2 + finding->other_count; i++) {
        const struct or_testimony *testimony = i < 2 ? &finding->witnesses[i] : &finding->others[i - 2];
        found |= rt_same_text(testimony->name, name);
    }
    return found;
}

/* True of the first witness of several with the same file of another compiler's. */
static bool has_own_folder(const struct hx_witnesses *witnesses, size_t index) {
    const char *folder = witnesses->items[index].folder;
    bool is_first = folder != NULL;

    for (size_t i = 0; i < index && is_first; i++)
        is_first = !witnesses->items[i].folder || strcmp(witnesses->items[i].folder, folder) != 0;
    return is_first;
}

/* Each witness's file. Compiled code that is stepped as native code has none. */
static void artifacts_json(const struct hx_job *job, struct hx_json *json) {
    const struct hx_witnesses *witnesses = job->setup->witnesses;

    hx_json_open(json, "artifacts", '{');
    if (!witnesses) {
        if (!is_wasm_only(job))
            hx_json_string(json, "native", HX_NATIVE);
        hx_json_string(json, "wasm", HX_WASM);
    }
    for (size_t i = 0; witnesses && i < witnesses->count; i++)
        if (witnesses->items[i].kind != HX_WITNESS_JIT)
            hx_json_string(json, witnesses->items[i].name, witnesses->items[i].artifact);
    hx_json_close(json, '}');
}

/* What to type to have the artifacts that the finding is about. */
static void commands_json(const struct hx_job *job, const struct or_finding *finding, struct hx_json *json) {
    const struct hx_tools *tools = job->setup->tools;
    const struct hx_witnesses *witnesses = job->setup->witnesses;
    const bool is_self = job->setup->is_self;

    hx_json_open(json, "commands", '[');
    if (tools && !is_wasm_only(job) && !job->setup->engines && (!is_self || testifies(finding, "native")))
        hx_compile_commands(tools, false, NULL, json);
    if (tools && (!is_self || testifies(finding, "wasm")))
        hx_compile_commands(tools, true, NULL, json);
    for (size_t i = 0; witnesses && i < witnesses->count; i++) {
        const struct hx_witness *witness = &witnesses->items[i];
        if (testifies(finding, witness->name) && has_own_folder(witnesses, i))
            hx_compile_commands(witness->tools, hx_witness_is_module(witness), witness->folder, json);
    }
    hx_json_close(json, ']');
}

static struct rt_error *tools_json(const struct hx_job *job, const struct or_finding *finding,
                                   struct hx_json *json) {
    struct hx_facts facts = {.count = 0};
    struct rt_arena arena;
    const char *gdb;

    rt_arena_init(&arena, 0);
    struct rt_error *error =
        hx_tool_versions(job->setup->tools, job->setup->engines, job->setup->witnesses, &arena, &facts);
    if (!error && testifies(finding, "gdb")) {
        error = hx_tool_find("gdb", "gdb", &arena, &gdb);
        if (!error)
            error = hx_ask_version("gdb", gdb, &arena, &facts);
    }
    hx_json_open(json, "tools", '{');
    for (size_t i = 0; i < facts.count; i++)
        hx_json_string(json, facts.items[i].name, facts.items[i].value);
    hx_json_close(json, '}');
    rt_arena_clear(&arena);
    return error;
}

static struct rt_error *finding_document(const struct hx_job *job, const struct hx_result *result,
                                         const struct hx_finding *finding, struct hx_buffer *out) {
    const struct hx_tools *tools = job->setup->tools;
    struct hx_json json = {.out = out};

    hx_json_open(&json, NULL, '{');
    if (result->has_seed)
        hx_json_number(&json, "seed", result->seed);
    hx_json_string(&json, "verdict", hx_verdict_name(result->verdict));
    hx_json_string(&json, "lockstep", LOCKSTEP_VERSION);
    if (result->file)
        hx_json_string(&json, "file", result->file);
    if (result->engines)
        hx_json_string(&json, "engines", result->engines);
    if (tools) {
        hx_json_string(&json, "cc", tools->cc);
        hx_json_string(&json, "native", tools->native.version);
        hx_json_string(&json, "native_cc", tools->native.name);
        hx_json_string(&json, "wasm", tools->wasm.version);
        hx_json_string(&json, "wasm_cc", tools->wasm.name);
        hx_json_string(&json, "opt", tools->optimisation);
        if (tools->wasm_opt)
            hx_json_string(&json, "wasm_opt", tools->wasm_opt_words);
        hx_json_string(&json, "engine", rt_engine_name(job->setup->engine));
    }
    struct rt_error *error = tools_json(job, &finding->body, &json);
    artifacts_json(job, &json);
    commands_json(job, &finding->body, &json);
    hx_json_number(&json, "stops", job->setup->max_stops);
    hx_json_number(&json, "visits", job->setup->max_visits);
    if (job->setup->is_self)
        hx_json_number(&json, "steps", job->setup->self_steps);
    hx_json_number(&json, "time_limit", job->setup->time_limit);
    hx_finding_json(finding, true, "finding", &json);
    hx_json_open(&json, "also", '[');
    for (size_t i = 0, said = 0; i < result->finding_count && said < MAX_OTHERS; i++)
        if (&result->findings[i] != finding) {
            hx_finding_json(&result->findings[i], false, NULL, &json);
            said++;
        }
    hx_json_close(&json, ']');
    hx_json_close(&json, '}');
    hx_buffer_text(out, "\n");
    return error;
}

static void finding_text(const struct hx_job *job, const struct hx_result *result,
                         const struct hx_finding *finding, struct hx_buffer *out) {
    const struct hx_tools *tools = job->setup->tools;

    hx_report_finding(finding, job->folder.path, out);
    hx_buffer_text(out, "\n");
    if (tools)
        hx_buffer_print(out, "native   %s\nwasm     %s\nlevel    %s\nengine   %s\n", tools->native.version,
                        tools->wasm.version, tools->optimisation, rt_engine_name(job->setup->engine));
    if (result->has_seed)
        hx_buffer_print(out, "seed     %llu\n", (unsigned long long)result->seed);
    hx_buffer_text(out, "again    ./reproduce\n");
}

struct rt_error *hx_finding_write_to(const char *folder, const struct hx_job *job,
                                     const struct hx_result *result, const struct hx_finding *finding) {
    const char *const files[] = {HX_SOURCE, HX_WASM, HX_NATIVE, HX_WASM_OTHER};
    struct hx_buffer text = {0};
    struct rt_error *error = NULL;

    if (job->source.c_file)
        error = copy_as(job->source.c_file, folder, HX_SOURCE);
    if (!error && job->source.native)
        error = copy_as(job->source.native, folder, HX_NATIVE);
    if (!error && job->source.wasm)
        error = copy_as(job->source.wasm, folder, HX_WASM);
    for (size_t i = 0; i < sizeof files / sizeof *files && !error; i++)
        error = copy_file(job->folder.path, files[i], folder);
    if (!error)
        error = finding_document(job, result, finding, &text);
    if (!error)
        error = hx_buffer_save(&text, folder, "finding.json", 0666);
    if (!error) {
        finding_text(job, result, finding, &text);
        error = hx_buffer_save(&text, folder, "finding.txt", 0666);
    }
    if (!error) {
        reproduce_script(job, &text);
        error = hx_buffer_save(&text, folder, "reproduce", 0777);
    }
    return error;
}

struct rt_error *hx_finding_write(const char *out, const struct hx_job *job, struct hx_result *result,
                                  const struct hx_finding *finding, const char **ret_name) {
    const char *signature = finding->body.signature;
    const char *name =
        finding->known ? rt_arena_printf(&result->arena, "known-%s", finding->known)
                       : rt_arena_printf(&result->arena, "%s-%016llx", finding->kind,
                                         (unsigned long long)hx_hash(HX_HASH, signature, strlen(signature)));
    const char *folder = name ? rt_arena_printf(&result->arena, "%s/%s", out, name) : NULL;
    const char *partial = name ? rt_arena_printf(&result->arena, "%s/.%s.partial", out, name) : NULL;
    struct rt_error *error;

    *ret_name = name;
    if (!folder || !partial)
        return rt_error_out_of_memory();
    if (access(folder, F_OK) == 0)
        return NULL;
    /* One that a kill has left. */
    hx_folder_remove(partial);
    if (mkdir(partial, 0777) != 0)
        return rt_error_os(errno, "cannot make the folder %s", partial);
    error = hx_finding_write_to(partial, job, result, finding);
    if (!error && rename(partial, folder) != 0 && errno != EEXIST && errno != ENOTEMPTY)
        error = rt_error_os(errno, "cannot rename %s", partial);
    hx_folder_remove(partial);
    return error;
}
