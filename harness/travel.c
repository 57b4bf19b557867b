/* An interactive replay: its session and timeline, what the program prints, and the loop over command lines.
 */
#include "harness/travel.h"

#include "harness/harness.h"
#include "harness/trace.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- The replay ---- */

static struct rt_error *run_replay(void *user, struct rt_instance *instance, int *ret_status) {
    struct hx_travel *travel = user;

    (void)instance;
    rt_error_destroy(travel->diverged); /* of the last time that the end was reached */
    travel->result = (struct rt_replay_result){0};
    travel->diverged = rt_replayer_run(travel->replayer, &travel->result);
    *ret_status = (int)travel->result.status;
    return NULL;
}

/* What is printed while time passes again has been printed. */
static bool print_once(void *user, int fd, const void *bytes, size_t size) {
    struct hx_travel *travel = user;
    struct hx_buffer text = {0}, line = {0};

    if (travel->telling < travel->told)
        return true;
    if (!travel->is_json)
        return hx_replay_output_write(NULL, fd, bytes, size);
    struct hx_json json = {.out = &line};
    hx_buffer_append(&text, bytes, size);
    hx_json_open(&json, NULL, '{');
    hx_json_string(&json, "output", hx_buffer_string(&text));
    hx_json_number(&json, "stream", (uint64_t)fd);
    hx_json_close(&json, '}');
    hx_buffer_text(&line, "\n");
    struct rt_error *error = hx_trace_output(&line);
    const bool good = !error;
    rt_error_destroy(error);
    hx_buffer_clear(&text);
    hx_buffer_clear(&line);
    return good;
}

static void at_event(void *user, struct rt_caller *caller, const char *import,
                     const struct rt_trace_event *event) {
    struct hx_travel *travel = user;

    travel->telling = event->number;
    hx_replay_output_event(&travel->output, caller, import, event);
    travel->told = event->number >= travel->told ? event->number + 1 : travel->told;
}

/* ---- Making it ---- */

static int compare_sites(const void *a, const void *b) {
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sites at statements, where a timeline stops, and at stores, so that it can search for writes. None when the
 * code has no statements. */
static struct rt_error *list_sites(const struct rt_module *module, const struct st_debug *debug,
                                   uint32_t **ret, size_t *ret_count) {
    size_t row_count, size, count = 0;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    struct rt_instruction instruction;
    uint32_t function, start, code, end;

    rt_module_code(module, &size);
    *ret_count = 0;
    *ret = malloc((row_count + size + 1) * sizeof **ret);
    if (!*ret)
        return rt_error_out_of_memory();
    for (size_t i = 0; i < row_count; i++)
        if (rows[i].is_stmt && !rows[i].end_sequence && rows[i].pc <= UINT32_MAX &&
            rt_module_function_at(module, (uint32_t)rows[i].pc, &function))
            (*ret)[count++] = (uint32_t)rows[i].pc;
    if (!count)
        return NULL;
    for (uint32_t i = rt_module_imported_function_count(module); i < rt_module_function_count(module); i++) {
        if (!rt_module_function_range(module, i, &start, &code, &end))
            continue;
        for (uint32_t pc = code; pc < end && rt_module_instruction(module, pc, &instruction);
             pc += instruction.size)
            if (instruction.changes == RT_CHANGES_MEMORY)
                (*ret)[count++] = pc;
    }
    qsort(*ret, count, sizeof **ret, compare_sites);
    for (size_t i = 0; i < count; i++)
        if (!i || (*ret)[i] != (*ret)[i - 1])
            (*ret)[(*ret_count)++] = (*ret)[i];
    return NULL;
}

static struct rt_error *open_guest(const char *path, enum rt_engine engine, struct hx_wasi_command *ret) {
    struct rt_compile_options compile = {.engine = engine, .canonical_nans = true};
    uint32_t *sites = NULL;
    struct rt_error *error = rt_module_open(path, &ret->module);

    if (error)
        return error;
    rt_error_destroy(st_debug_open_wasm(ret->module, &ret->debug));
    if (ret->debug)
        error = list_sites(ret->module, ret->debug, &sites, &compile.site_count);
    compile.sites = sites;
    compile.every_instruction = compile.site_count == 0;
    if (!error)
        error = rt_code_create(ret->module, &compile, &ret->code);
    if (!error)
        error = rt_store_create(&ret->store);
    free(sites);
    return error ? rt_error_context(error, "%s", path) : NULL;
}

static struct rt_error *start(struct hx_travel *travel, struct rt_trace_reader *reader,
                              const struct hx_travel_options *options) {
    const struct rt_replayer_options replayer = {
        .codes = &travel->guest.code, .code_count = 1, .at_event = at_event, .user = travel};
    const struct st_session_options session = {.run = run_replay, .run_user = travel};
    const size_t size = sizeof travel->output;
    const struct rt_area output = {&travel->output, size, 0, size};
    struct rt_error *error = rt_replayer_create(travel->guest.store, reader, &replayer, &travel->replayer);

    if (!error)
        error = rt_replayer_start(travel->replayer);
    if (error)
        return error;
    struct rt_instance *instance = rt_replayer_instance(travel->replayer);
    if (!instance)
        return rt_error_format(RT_USAGE, "nothing runs in this trace");
    error = st_session_create_wasm(instance, travel->guest.debug, &session, &travel->guest.session);
    if (error)
        return error;
    const struct st_timeline_options timeline = {.replayer = travel->replayer,
                                                 .areas = &output,
                                                 .area_count = 1,
                                                 .interval = options->interval,
                                                 .budget = options->budget};
    return st_timeline_create(travel->guest.session, &timeline, &travel->timeline);
}

struct rt_error *hx_travel_open(const struct hx_travel_options *options, struct rt_trace_reader *reader,
                                struct hx_travel **ret) {
    struct hx_travel *travel = calloc(1, sizeof *travel);

    if (!travel) {
        rt_trace_reader_destroy(reader);
        return rt_error_out_of_memory();
    }
    travel->is_json = options->is_json;
    travel->output = hx_replay_output_make(print_once, travel);
    struct rt_error *error = open_guest(options->module, options->engine, &travel->guest);
    if (error)
        rt_trace_reader_destroy(reader);
    else
        error = start(travel, reader, options);
    if (error)
        hx_travel_close(travel);
    else
        *ret = travel;
    return error;
}

void hx_travel_close(struct hx_travel *travel) {
    if (!travel)
        return;
    hx_travel_clear_markers(travel);
    st_timeline_destroy(travel->timeline);
    st_session_destroy(travel->guest.session);
    travel->guest.session = NULL;
    rt_replayer_destroy(travel->replayer);
    hx_wasi_command_close(&travel->guest);
    rt_error_destroy(travel->diverged);
    hx_buffer_clear(&travel->out);
    free(travel);
}

/* ---- Commands ---- */

/* Writes what a command printed; its error is a part of that. */
static struct rt_error *answer(struct hx_travel *travel, struct rt_error *error) {
    if (travel->is_json) {
        if (error)
            hx_json_string(&travel->json, "error", error->message);
        hx_json_close(&travel->json, '}');
        hx_buffer_text(&travel->out, "\n");
    } else if (error) {
        hx_buffer_print(&travel->out, "%s\n", error->message);
    }
    rt_error_destroy(error);
    struct rt_error *failed = hx_trace_output(&travel->out);
    if (!failed && fflush(stdout) != 0)
        failed = rt_error_os(errno, "writing to standard output");
    return failed;
}

/* Whose command Ctrl-C ends. */
static struct st_timeline *volatile busy;

static void end_command(int number) {
    (void)number;
    if (busy)
        st_timeline_interrupt(busy);
}

/* On a terminal Ctrl-C ends the command that is under way; at the prompt, everything. */
static struct rt_error *run_command(struct hx_travel *travel, const char *command, bool is_terminal) {
    struct rt_error *error;

    if (is_terminal) {
        busy = travel->timeline;
        signal(SIGINT, end_command);
    }
    error = hx_travel_command(travel, command);
    if (is_terminal)
        signal(SIGINT, SIG_DFL);
    return error;
}

static void begin(struct hx_travel *travel, const char *command) {
    travel->json = (struct hx_json){.out = &travel->out};
    if (travel->is_json) {
        hx_json_open(&travel->json, NULL, '{');
        hx_json_string(&travel->json, "command", command);
    }
}

static struct rt_error *read_commands(struct hx_travel *travel) {
    const bool prompts = !travel->is_json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    char *line = NULL, *last = NULL;
    size_t room = 0;
    struct rt_error *error = NULL;

    begin(travel, NULL);
    error = answer(travel, hx_travel_print_stop(travel));
    while (!error && !travel->is_over) {
        if (prompts)
            fputs("(lockstep) ", stdout);
        fflush(stdout);
        if (getline(&line, &room, stdin) < 0)
            break;
        line[strcspn(line, "\n")] = 0;
        const char *command = line + strspn(line, " \t");
        if (*command) {
            free(last);
            last = strdup(command);
        } else if (!prompts) { /* on a terminal it is the last command once more, as in GDB */
            continue;
        }
        if (last) {
            begin(travel, last);
            error = answer(travel, run_command(travel, last, prompts));
        }
    }
    free(line);
    free(last);
    return error;
}

struct rt_error *hx_travel(const struct hx_travel_options *options, struct rt_trace_reader *reader,
                           int *ret_status) {
    struct hx_travel *travel;
    struct rt_error *error = hx_travel_open(options, reader, &travel);

    if (error)
        return error;
    error = read_commands(travel);
    if (!error && travel->output.has_failed)
        error = rt_error_format(RT_OS, "cannot write what the guest prints");
    if (!error && travel->diverged)
        *ret_status = HX_STATUS_FOUND;
    hx_travel_close(travel);
    return error;
}
