/* Asks GDB about the native side of findings: a launcher that loads the image, the questions, GDB's answers.
 */
#include "harness/ask_gdb.h"

#include "harness/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char hx_ask_gdb_script[];

/* Of the launcher's compiler and of GDB, in milliseconds: both fit into a worker's step. */
enum { TIME_LIMIT = 12000, ANSWER_WORDS = 8 };

static const char launcher[] = "#include <dlfcn.h>\n"
                               "#include <stdlib.h>\n"
                               "__attribute__((noinline)) void launched(void) { __asm__ volatile(\"\"); }\n"
                               "int main(void) {\n"
                               "    char *arguments[] = {\"program\", 0};\n"
                               "    void *image = dlopen(getenv(\"LOCKSTEP_IMAGE\"), RTLD_NOW);\n"
                               "    int (*start)(int, char **) = image ? dlsym(image, \"main\") : 0;\n"
                               "    launched();\n"
                               "    return start ? start(1, arguments) : 2;\n"
                               "}\n";

/* The plain native witness's testimony, if it stood anywhere. */
static const struct or_testimony *native_testimony(const struct or_finding *finding, const char *name) {
    for (size_t i = 0; i < 2 + finding->other_count; i++) {
        const struct or_testimony *testimony = i < 2 ? &finding->witnesses[i] : &finding->others[i - 2];
        if (strcmp(testimony->name, name) == 0 && testimony->hits > 0)
            return testimony;
    }
    return NULL;
}

/* A type is nothing that GDB would show at a stop. */
static bool is_asked(const struct or_finding *finding, const char *name) {
    return finding->kind != OR_TYPE && finding->kind != OR_OUTPUT && native_testimony(finding, name);
}

static const struct hx_witness *plain_native(const struct hx_witnesses *witnesses) {
    for (size_t i = 0; i < witnesses->count; i++)
        if (witnesses->items[i].kind == HX_WITNESS_NATIVE && !witnesses->items[i].variant)
            return &witnesses->items[i];
    return NULL;
}

static struct rt_error *write_files(const struct hx_result *result, const char *name, const char *folder) {
    struct hx_buffer text = {0};

    hx_buffer_text(&text, launcher);
    struct rt_error *error = hx_buffer_save(&text, folder, "launcher.c", 0600);
    hx_buffer_text(&text, hx_ask_gdb_script);
    if (!error)
        error = hx_buffer_save(&text, folder, "ask.py", 0600);
    for (size_t i = 0; i < result->finding_count && !error; i++) {
        const struct or_finding *finding = &result->findings[i].body;
        if (!is_asked(finding, name))
            continue;
        const struct or_testimony *testimony = native_testimony(finding, name);
        hx_buffer_print(&text, "%zu\t%llx\t%llu\t%s\n", i, (unsigned long long)testimony->pc,
                        (unsigned long long)testimony->hits, finding->variable ? finding->variable : "-");
    }
    return error ? error : hx_buffer_save(&text, folder, "questions", 0600);
}

struct gdb_answer {
    const char *function, *state, *value, *stack;
    uint32_t line, depth;
};

/* True when GDB shows what the native session shows. */
static bool is_same(const struct or_finding *finding, const struct or_testimony *native,
                    const struct gdb_answer *answer) {
    if (finding->kind == OR_STACK)
        return native->value && strcmp(native->value, answer->stack) == 0;
    if (!finding->variable)
        return native->line == answer->line && native->depth == answer->depth && native->function &&
               strcmp(native->function, answer->function) == 0;
    if (native->state)
        return answer->state && strcmp(native->state, answer->state) == 0;
    if (finding->kind == OR_SCOPE)
        return !answer->state || strcmp(answer->state, "absent") != 0;
    if (answer->state || !native->value)
        return false;
    if (finding->kind != OR_VALUE || strcmp(answer->value, "available") == 0)
        return true;
    /* A pointer is a place here and a number there. */
    if (strncmp(answer->value, "0x", 2) == 0)
        return strcmp(native->value, "null") != 0;
    return strcmp(native->value, answer->value) == 0;
}

static struct rt_error *add_answer(struct hx_result *result, struct hx_finding *finding, const char *name,
                                   const struct gdb_answer *answer) {
    struct or_finding *body = &finding->body;
    const struct or_testimony *native = native_testimony(body, name);
    struct or_testimony *others = rt_arena_array(&result->arena, body->other_count + 1, sizeof *others);
    struct or_testimony testimony = {.name = "gdb",
                                     .state = answer->state,
                                     .function = answer->function,
                                     .line = answer->line,
                                     .depth = answer->depth};

    if (!answer->state)
        testimony.value = body->kind == OR_STACK ? answer->stack
                          : body->variable       ? answer->value
                                                 : rt_arena_printf(&result->arena, "%s at line %u, depth %u",
                                                                   answer->function, answer->line, answer->depth);
    const bool same = native && is_same(body, native, answer);
    body->blame_reason = rt_arena_printf(&result->arena, "%s; GDB shows %s of %s", body->blame_reason,
                                         same ? "the same" : "something else", name);
    if (!others || !body->blame_reason || (!testimony.state && !testimony.value))
        return rt_error_out_of_memory();
    if (body->other_count > 0)
        memcpy(others, body->others, body->other_count * sizeof *others);
    others[body->other_count++] = testimony;
    body->others = others;
    return NULL;
}

/* One line of answers: ANSWER_WORDS fields between tabs. */
static struct rt_error *take_answer(struct hx_result *result, const char *name, char *line) {
    const char *words[ANSWER_WORDS];
    size_t count = 0;

    for (char *next = line; next && count < ANSWER_WORDS; count++) {
        words[count] = next;
        next = strchr(next, '\t');
        if (next)
            *next++ = '\0';
    }
    if (count < ANSWER_WORDS || strcmp(words[0], "lockstep") != 0)
        return NULL;
    const size_t number = strtoul(words[1], NULL, 10);
    if (number >= result->finding_count || !is_asked(&result->findings[number].body, name))
        return NULL;
    const struct gdb_answer answer = {.function = words[2],
                                      .line = (uint32_t)strtoul(words[3], NULL, 10),
                                      .depth = (uint32_t)strtoul(words[4], NULL, 10),
                                      .state = strcmp(words[5], "-") == 0 ? NULL : words[5],
                                      .value = words[6],
                                      .stack = words[7]};
    return add_answer(result, &result->findings[number], name, &answer);
}

static struct rt_error *take_answers(struct hx_result *result, const char *name, const char *text) {
    /* Testimonies point into the copy. */
    char *copy = rt_arena_copy(&result->arena, text, strlen(text));
    struct rt_error *error = copy ? NULL : rt_error_out_of_memory();

    for (char *line = copy; !error && line;) {
        char *end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        error = take_answer(result, name, line);
        line = end;
    }
    return error;
}

/* Builds the launcher and runs GDB over it; a failure of either leaves no answers. */
static struct rt_error *run_gdb(const struct hx_tools *tools, const char *gdb, const char *image,
                                const char *folder, struct hx_buffer *ret) {
    const char *const compiler[] = {tools->native.path, "-O0",  "-w", "launcher.c", "-o",
                                    "launcher",         "-ldl", NULL};
    const char *const words[] = {gdb,  "-nx",    "-batch",     "-iex", "set debuginfod enabled off",
                                 "-x", "ask.py", "./launcher", NULL};
    struct hx_process build = {.argv = compiler, .directory = folder, .time_limit = TIME_LIMIT};
    struct hx_process process = {.argv = words, .directory = folder, .time_limit = TIME_LIMIT};
    struct rt_error *error = hx_process_run(&build, 1);

    if (!error && hx_process_succeeded(&build)) {
        setenv("LOCKSTEP_IMAGE", image, 1);
        setenv("LOCKSTEP_QUESTIONS", "questions", 1);
        error = hx_process_run(&process, 1);
        if (!error)
            hx_buffer_text(ret, hx_buffer_string(&process.output));
    }
    hx_process_clear(&build);
    hx_process_clear(&process);
    return error;
}

struct rt_error *hx_ask_gdb(const struct hx_job *job, struct hx_result *result) {
    const struct hx_witness *native = plain_native(job->setup->witnesses);
    struct rt_arena *arena = &result->arena;
    struct hx_buffer answers = {0};
    struct hx_temp folder = {0};
    const char *gdb;
    size_t questions = 0;

    if (!native || !native->tools)
        return NULL;
    for (size_t i = 0; i < result->finding_count; i++)
        questions += is_asked(&result->findings[i].body, native->name);
    if (questions == 0)
        return NULL;
    struct rt_error *error = hx_tool_find("gdb", "gdb", arena, &gdb);
    if (error) {
        rt_error_destroy(error);
        return NULL;
    }
    const char *image = rt_arena_printf(arena, "%s/%s", job->folder.path, native->artifact);
    error = image ? hx_temp_folder(&job->folder, "gdb", &folder) : rt_error_out_of_memory();
    if (!error)
        error = write_files(result, native->name, folder.path);
    if (!error)
        error = run_gdb(native->tools, gdb, image, folder.path, &answers);
    if (!error)
        error = answers.failed ? rt_error_out_of_memory()
                               : take_answers(result, native->name, hx_buffer_string(&answers));
    hx_buffer_clear(&answers);
    hx_temp_remove(&folder);
    return error;
}
