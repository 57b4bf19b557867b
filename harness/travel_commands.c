/* The commands of an interactive replay. Those that GDB has, too, have GDB's names. */
#include "harness/travel.h"

#include "harness/source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FRAMES = 100, LISTED_LINES = 10 };

static struct rt_error *parse_count(const char *text, uint64_t *ret) {
    char *end;
    *ret = *text ? strtoull(text, &end, 0) : 1;
    return *text && *end ? rt_error_format(RT_USAGE, "'%s' is no number", text) : NULL;
}

/* ---- Moving ---- */

static struct rt_error *step(struct hx_travel *travel, const char *text) {
    const uint64_t here = st_timeline_position(travel->timeline);
    uint64_t count;
    struct rt_error *error = parse_count(text, &count);
    if (!error)
        error = st_timeline_goto(travel->timeline, count < UINT64_MAX - here ? here + count : UINT64_MAX);
    return error ? error : hx_travel_print_stop(travel);
}

static struct rt_error *reverse_step(struct hx_travel *travel, const char *text) {
    const uint64_t here = st_timeline_position(travel->timeline);
    uint64_t count;
    struct rt_error *error = parse_count(text, &count);
    if (!error)
        error = st_timeline_goto(travel->timeline, count < here ? here - count : 0);
    return error ? error : hx_travel_print_stop(travel);
}

static struct rt_error *go_to(struct hx_travel *travel, const char *text) {
    uint64_t number = UINT64_MAX;
    struct rt_error *error = NULL;
    if (!*text)
        return rt_error_format(RT_USAGE, "goto needs a stop's number, or 'end'");
    if (strcmp(text, "end") != 0)
        error = parse_count(text, &number);
    if (!error)
        error = st_timeline_goto(travel->timeline, number);
    return error ? error : hx_travel_print_stop(travel);
}

static struct rt_error *run_times(struct hx_travel *travel, const char *text, enum st_until until,
                                  bool is_back) {
    bool found = true;
    uint64_t count;
    struct rt_error *error = parse_count(text, &count);
    for (uint64_t i = 0; i < count && found && !error; i++) {
        error = is_back ? st_timeline_run_back(travel->timeline, until, &found)
                        : st_timeline_run(travel->timeline, until);
        found = found && st_timeline_event(travel->timeline)->kind != ST_EXIT;
    }
    return error ? error : hx_travel_print_stop(travel);
}

static struct rt_error *next(struct hx_travel *travel, const char *text) {
    return run_times(travel, text, ST_UNTIL_SAME_FRAME, false);
}

static struct rt_error *reverse_next(struct hx_travel *travel, const char *text) {
    return run_times(travel, text, ST_UNTIL_SAME_FRAME, true);
}

static struct rt_error *finish(struct hx_travel *travel, const char *text) {
    return run_times(travel, text, ST_UNTIL_CALLER, false);
}

static struct rt_error *reverse_finish(struct hx_travel *travel, const char *text) {
    return run_times(travel, text, ST_UNTIL_CALLER, true);
}

/* ---- Writes ---- */

static void print_write(struct hx_travel *travel, const char *what, const struct st_write *write) {
    if (travel->is_json) {
        hx_json_open(&travel->json, "write", '{');
        hx_json_string(&travel->json, "what", what);
        hx_json_number(&travel->json, "pc", write->pc);
        hx_json_bool(&travel->json, "host", write->is_host);
        hx_json_number(&travel->json, "address", write->address);
        hx_json_number(&travel->json, "size", write->size);
        hx_json_close(&travel->json, '}');
    } else {
        hx_buffer_print(&travel->out, "%s: %llu bytes at 0x%llx are written %s Wasm pc 0x%llx\n", what,
                        (unsigned long long)write->size, (unsigned long long)write->address,
                        write->is_host ? "by the host, called at" : "at", (unsigned long long)write->pc);
    }
}

static struct rt_error *last_write(struct hx_travel *travel, const char *text) {
    struct st_write write;
    uint64_t address, size;
    bool found;
    struct rt_error *error = hx_travel_memory(travel, text, &address, &size);
    if (!error)
        error = st_timeline_last_write(travel->timeline, address, size, &write, &found);
    if (!error && !found)
        error = rt_error_format(RT_USAGE, "nothing wrote %s between stop 0 and here", text);
    if (error)
        return error;
    print_write(travel, text, &write);
    return hx_travel_print_stop(travel);
}

/* Runs on until the first, or back to the last, of breakpoints, traps and writes of what is watched. */
static struct rt_error *run_to_marker(struct hx_travel *travel, bool is_back) {
    const uint64_t origin = st_timeline_position(travel->timeline);
    const struct hx_marker *reason = NULL;
    struct st_write write = {0}, one;
    uint64_t nearest = 0;
    bool found;
    struct rt_error *error = NULL;

    for (size_t i = 0; i < travel->marker_count && !error; i++) {
        const struct hx_marker *marker = &travel->markers[i];
        if (!marker->is_watch)
            continue;
        error = is_back
                    ? st_timeline_last_write(travel->timeline, marker->address, marker->size, &one, &found)
                    : st_timeline_next_write(travel->timeline, marker->address, marker->size, &one, &found);
        const uint64_t at = st_timeline_position(travel->timeline);
        if (!error && found && (!reason || (is_back ? at > nearest : at < nearest))) {
            reason = marker;
            nearest = at;
            write = one;
        }
        if (!error)
            error = st_timeline_goto(travel->timeline, origin);
    }
    if (!error)
        error = is_back ? st_timeline_run_back(travel->timeline, ST_UNTIL_BREAKPOINT, &found)
                        : st_timeline_run(travel->timeline, ST_UNTIL_BREAKPOINT);
    const uint64_t here = st_timeline_position(travel->timeline);
    const bool is_nearer = reason && (is_back ? nearest >= here : nearest <= here);
    if (!error && is_nearer) {
        error = st_timeline_goto(travel->timeline, nearest);
        print_write(travel, reason->text, &write);
    }
    return error ? error : hx_travel_print_stop(travel);
}

static struct rt_error *continue_on(struct hx_travel *travel, const char *text) {
    (void)text;
    return run_to_marker(travel, false);
}

static struct rt_error *reverse_continue(struct hx_travel *travel, const char *text) {
    (void)text;
    return run_to_marker(travel, true);
}

/* ---- Breakpoints and watchpoints ---- */

static struct rt_error *set_breakpoints(struct hx_travel *travel) {
    size_t count = 0;
    for (size_t i = 0; i < travel->marker_count; i++)
        count += travel->markers[i].pc_count;
    uint64_t *pcs = malloc((count + 1) * sizeof *pcs);
    if (!pcs)
        return rt_error_out_of_memory();
    count = 0;
    for (size_t i = 0; i < travel->marker_count; i++)
        for (size_t k = 0; k < travel->markers[i].pc_count; k++)
            pcs[count++] = travel->markers[i].pcs[k];
    struct rt_error *error = st_timeline_set_breakpoints(travel->timeline, pcs, count, NULL);
    free(pcs);
    return error;
}

static void clear_marker(struct hx_marker *marker) {
    free(marker->text);
    free(marker->pcs);
}

void hx_travel_clear_markers(struct hx_travel *travel) {
    for (size_t i = 0; i < travel->marker_count; i++)
        clear_marker(&travel->markers[i]);
    free(travel->markers);
    travel->markers = NULL;
    travel->marker_count = 0;
}

static void print_marker(struct hx_travel *travel, const struct hx_marker *marker) {
    const char *kind = marker->is_watch ? "watchpoint" : "breakpoint";
    if (travel->is_json) {
        hx_json_open(&travel->json, NULL, '{');
        hx_json_string(&travel->json, "kind", kind);
        hx_json_number(&travel->json, "number", marker->number);
        hx_json_string(&travel->json, "text", marker->text);
        hx_json_number(&travel->json, marker->is_watch ? "address" : "places",
                       marker->is_watch ? marker->address : marker->pc_count);
        hx_json_close(&travel->json, '}');
    } else if (marker->is_watch) {
        hx_buffer_print(&travel->out, "%s %u: %s, %llu bytes at 0x%llx\n", kind, marker->number, marker->text,
                        (unsigned long long)marker->size, (unsigned long long)marker->address);
    } else {
        hx_buffer_print(&travel->out, "%s %u: %s, %zu place%s\n", kind, marker->number, marker->text,
                        marker->pc_count, marker->pc_count == 1 ? "" : "s");
    }
}

/* Takes what the marker owns. */
static struct rt_error *add_marker(struct hx_travel *travel, struct hx_marker marker, const char *text) {
    struct hx_marker *grown = realloc(travel->markers, (travel->marker_count + 1) * sizeof *grown);
    travel->markers = grown ? grown : travel->markers;
    marker.text = strdup(text);
    if (!grown || !marker.text) {
        clear_marker(&marker);
        return rt_error_out_of_memory();
    }
    marker.number = ++travel->markers_ever;
    grown[travel->marker_count++] = marker;
    struct rt_error *error = set_breakpoints(travel);
    if (!error && travel->is_json)
        hx_json_open(&travel->json, "markers", '[');
    if (!error)
        print_marker(travel, &marker);
    if (!error && travel->is_json)
        hx_json_close(&travel->json, ']');
    return error;
}

static struct rt_error *set_break(struct hx_travel *travel, const char *text) {
    struct hx_marker marker = {0};
    struct rt_error *error = hx_travel_pcs(travel, text, &marker.pcs, &marker.pc_count);
    return error ? error : add_marker(travel, marker, text);
}

static struct rt_error *watch(struct hx_travel *travel, const char *text) {
    struct hx_marker marker = {.is_watch = true};
    struct rt_error *error = hx_travel_memory(travel, text, &marker.address, &marker.size);
    return error ? error : add_marker(travel, marker, text);
}

static struct rt_error *delete_marker(struct hx_travel *travel, const char *text) {
    uint64_t number;
    struct rt_error *error = parse_count(text, &number);
    if (error)
        return error;
    if (!*text) {
        hx_travel_clear_markers(travel);
        return set_breakpoints(travel);
    }
    for (size_t i = 0; i < travel->marker_count; i++) {
        if (travel->markers[i].number != number)
            continue;
        clear_marker(&travel->markers[i]);
        memmove(&travel->markers[i], &travel->markers[i + 1],
                (--travel->marker_count - i) * sizeof *travel->markers);
        return set_breakpoints(travel);
    }
    return rt_error_format(RT_USAGE, "there is no breakpoint or watchpoint %s", text);
}

static struct rt_error *info(struct hx_travel *travel, const char *text) {
    const struct st_timeline_cost cost = st_timeline_cost(travel->timeline);
    const uint64_t here = st_timeline_position(travel->timeline),
                   last = st_timeline_furthest(travel->timeline);
    (void)text;
    if (travel->is_json) {
        hx_json_open(&travel->json, "markers", '[');
        for (size_t i = 0; i < travel->marker_count; i++)
            print_marker(travel, &travel->markers[i]);
        hx_json_close(&travel->json, ']');
        hx_json_number(&travel->json, "position", here);
        hx_json_number(&travel->json, "furthest", last);
        hx_json_number(&travel->json, "checkpoints", cost.checkpoints);
        hx_json_number(&travel->json, "bytes", cost.bytes);
        return NULL;
    }
    for (size_t i = 0; i < travel->marker_count; i++)
        print_marker(travel, &travel->markers[i]);
    hx_buffer_print(&travel->out, "at stop %llu; the furthest so far is %llu; %zu checkpoints take %zu KiB\n",
                    (unsigned long long)here, (unsigned long long)last, cost.checkpoints, cost.bytes >> 10);
    return NULL;
}

/* ---- Looking around ---- */

static struct rt_error *where(struct hx_travel *travel, const char *text) {
    const struct st_frame *frame;
    size_t count;
    struct rt_error *error = hx_travel_frame(travel, &frame, &count);
    (void)text;
    if (error)
        return error;
    const struct st_frame *frames = frame - travel->frame;
    if (travel->is_json)
        hx_json_open(&travel->json, "frames", '[');
    for (size_t i = 0; i < count && i < MOST_FRAMES; i++)
        hx_travel_print_frame(travel, i, &frames[i]);
    if (travel->is_json) {
        hx_json_close(&travel->json, ']');
        hx_json_number(&travel->json, "depth", count);
    } else if (count > MOST_FRAMES) {
        hx_buffer_print(&travel->out, "and %zu frames more\n", count - MOST_FRAMES);
    }
    return NULL;
}

static struct rt_error *select_frame(struct hx_travel *travel, const char *text) {
    const size_t before = travel->frame;
    const struct st_frame *frame;
    uint64_t number = 0;
    size_t count;
    struct rt_error *error = *text ? parse_count(text, &number) : NULL;
    travel->frame = *text ? (size_t)number : before;
    if (!error)
        error = hx_travel_frame(travel, &frame, &count);
    if (error) {
        travel->frame = before;
        return error;
    }
    travel->listed = 0;
    if (travel->is_json)
        hx_json_open(&travel->json, "frames", '[');
    hx_travel_print_frame(travel, travel->frame, frame);
    if (travel->is_json)
        hx_json_close(&travel->json, ']');
    return NULL;
}

static struct rt_error *locals(struct hx_travel *travel, const char *text) {
    const struct st_frame *frame;
    struct hx_object object;
    size_t count;
    struct rt_error *error = hx_travel_frame(travel, &frame, &count);
    (void)text;
    if (error)
        return error;
    const struct st_scope *scope = frame->function ? st_scope_at(frame->function, frame->pc) : NULL;
    if (travel->is_json)
        hx_json_open(&travel->json, "variables", '[');
    for (; scope; scope = scope->parent) {
        for (size_t i = 0; i < scope->variable_count; i++) {
            hx_travel_locate(travel, frame, &scope->variables[i], &object);
            hx_travel_print_object(travel, scope->variables[i].name, &object);
        }
    }
    if (travel->is_json)
        hx_json_close(&travel->json, ']');
    return NULL;
}

static struct rt_error *print(struct hx_travel *travel, const char *text) {
    struct hx_object object;
    struct rt_error *error = hx_travel_find(travel, text, &object);
    if (error)
        return error;
    if (travel->is_json)
        hx_json_open(&travel->json, "variables", '[');
    hx_travel_print_object(travel, text, &object);
    if (travel->is_json)
        hx_json_close(&travel->json, ']');
    return NULL;
}

static struct rt_error *list(struct hx_travel *travel, const char *text) {
    const struct st_frame *frame;
    const char *file;
    uint32_t line;
    size_t count;
    struct rt_error *error = hx_travel_frame(travel, &frame, &count);
    (void)text;
    if (error)
        return error;
    if (!hx_travel_line(travel, frame, &file, &line))
        return rt_error_format(RT_USAGE, "the code here has no line");
    const uint32_t first = travel->listed            ? travel->listed
                           : line > LISTED_LINES / 2 ? line - LISTED_LINES / 2
                                                     : 1;
    struct hx_buffer source = {0};
    uint32_t i = first;
    if (travel->is_json)
        hx_json_open(&travel->json, "lines", '[');
    for (; i < first + LISTED_LINES && hx_source_line(file, i, NULL, &source); i++) {
        if (travel->is_json)
            hx_json_string(&travel->json, NULL, hx_buffer_string(&source));
        else
            hx_buffer_print(&travel->out, "%c%u\t%s\n", i == line ? '>' : ' ', i, hx_buffer_string(&source));
        hx_buffer_clear(&source);
    }
    if (travel->is_json) {
        hx_json_close(&travel->json, ']');
        hx_json_number(&travel->json, "first", first);
    }
    travel->listed = i;
    return i > first ? NULL : rt_error_format(RT_USAGE, "cannot read line %u of %s", first, file);
}

static struct rt_error *quit(struct hx_travel *travel, const char *text) {
    (void)text;
    travel->is_over = true;
    return NULL;
}

/* ---- The table ---- */

static struct rt_error *help(struct hx_travel *travel, const char *text);

static const struct command {
    const char *name, *brief, *arguments, *help;
    struct rt_error *(*run)(struct hx_travel *travel, const char *text);
} commands[] = {
    {"step", "s", "[N]", "go N stops on", step},
    {"reverse-step", "rs", "[N]", "go N stops back; also: back", reverse_step},
    {"back", "ba", "[N]", NULL, reverse_step},
    {"next", "n", "[N]", "the same, over calls", next},
    {"reverse-next", "rn", "[N]", "back over calls", reverse_next},
    {"finish", "fin", "", "on to the caller", finish},
    {"reverse-finish", "rfin", "", "back to the caller", reverse_finish},
    {"continue", "c", "", "on to a breakpoint, a trap, before a write of what is watched, or to the end",
     continue_on},
    {"reverse-continue", "rc", "", "back to the last of these, or to stop 0", reverse_continue},
    {"last-write", "lw", "WHAT", "back to before the last write of WHAT: a variable, or ADDRESS,SIZE",
     last_write},
    {"goto", "g", "N|end", "go to stop N", go_to},
    {"break", "b", "FILE:LINE|LINE|FUNCTION|*PC", "set a breakpoint", set_break},
    {"watch", "w", "WHAT", "watch memory: a variable in memory, or ADDRESS,SIZE", watch},
    {"delete", "d", "[N]", "delete breakpoint or watchpoint N, or all", delete_marker},
    {"info", "i", "", "list both; where one is, and what checkpoints take", info},
    {"where", "bt", "", "show the call stack", where},
    {"frame", "f", "[N]", "look at frame N", select_frame},
    {"locals", "l", "", "show the variables in scope", locals},
    {"print", "p", "VARIABLE", "show a variable, or a part of it: a.b[2]->c, *p", print},
    {"list", "li", "", "show the source here, and on", list},
    {"help", "h", "", "show this", help},
    {"quit", "q", "", "end", quit},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static struct rt_error *help(struct hx_travel *travel, const char *text) {
    (void)text;
    if (travel->is_json)
        hx_json_open(&travel->json, "commands", '[');
    for (size_t i = 0; i < COMMANDS; i++) {
        char usage[64];
        if (travel->is_json) {
            hx_json_string(&travel->json, NULL, commands[i].name);
        } else if (commands[i].help) {
            snprintf(usage, sizeof usage, "%s, %s %s", commands[i].name, commands[i].brief,
                     commands[i].arguments);
            hx_buffer_print(&travel->out, "%-38s %s\n", usage, commands[i].help);
        }
    }
    if (travel->is_json)
        hx_json_close(&travel->json, ']');
    return NULL;
}

struct rt_error *hx_travel_command(struct hx_travel *travel, const char *line) {
    size_t size = strlen(line);
    const char *end = line + strcspn(line, " \t"), *text = end + strspn(end, " \t");
    char argument[512];

    while (size && isspace((unsigned char)line[size - 1]))
        size--;
    const size_t left = text < line + size ? (size_t)(line + size - text) : 0;
    if (left >= sizeof argument)
        return rt_error_format(RT_USAGE, "the line is too long");
    memcpy(argument, text, left);
    argument[left] = 0;
    const size_t name = (size_t)(end - line) < size ? (size_t)(end - line) : size;
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct command *command = &commands[i];
        if ((strlen(command->name) == name && strncmp(command->name, line, name) == 0) ||
            (strlen(command->brief) == name && strncmp(command->brief, line, name) == 0))
            return command->run(travel, argument);
    }
    return rt_error_format(RT_USAGE, "unknown command '%.*s'; 'help' lists them", (int)name, line);
}
