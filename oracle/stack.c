/* Compares the call stacks of a stop: the same functions from the innermost frame out to main, each caller at
 * the same line. Frames of functions without statements on both sides (a C library's) are left out. */
#include "oracle/compare.h"

#include <string.h>

enum { MAX_FRAMES = 1024 };

/* Frames of one side, innermost first, through main; an inlined call is a frame of its own, as debuggers show
 * it. Depths are not set. Returns their number. */
static size_t logical_frames(const struct or_side *side, const struct st_frame *frames, size_t count,
                             struct or_spot *ret) {
    size_t made = 0;
    for (size_t i = 0; i < count && made < MAX_FRAMES; i++) {
        const struct st_function *function = frames[i].function;
        if (!function)
            continue;
        const struct st_row *row = st_debug_row_at(side->debug, frames[i].pc);
        uint32_t line = row ? row->line : 0, file = row ? row->file : 0;
        uint32_t column = row ? row->column : 0;
        for (const struct st_scope *s = st_scope_at(function, frames[i].pc); s && made < MAX_FRAMES;
             s = s->parent) {
            if (s->kind == ST_SCOPE_BLOCK)
                continue;
            const char *name = s->kind == ST_SCOPE_INLINED ? s->inlined : function->name;
            const char *path = row ? or_base_name(st_debug_file(side->debug, file)) : "?";
            ret[made++] = (struct or_spot){.function = name ? name : "?",
                                           .file = path,
                                           .line = line,
                                           .column = column,
                                           .pc = frames[i].pc};
            line = s->call_line;
            file = s->call_file;
            column = 0;
        }
        if (!strcmp(function->name, "main"))
            break;
    }
    return made;
}

static const char *stack_words(struct rt_arena *arena, const struct or_spot *frames, size_t count) {
    const char *words = "";
    for (size_t i = 0; i < count && i < 16 && words; i++)
        words =
            rt_arena_printf(arena, "%s%s%s:%u", words, i ? " < " : "", frames[i].function, frames[i].line);
    return words;
}

struct rt_error *or_compare_stacks(struct or_comparison *comparison) {
    static struct or_spot frames[2][MAX_FRAMES];
    size_t count[2];
    for (int i = 0; i < 2; i++) {
        const struct st_frame *raw;
        size_t raw_count;
        struct rt_error *error = st_session_frames(comparison->sides[i].session, &raw, &raw_count);
        if (error)
            return error;
        count[i] = logical_frames(&comparison->sides[i], raw, raw_count, frames[i]);
    }
    const char *what = NULL;
    if (count[0] != count[1])
        what = "depth";
    /* Line 0 says that the instruction belongs to no line in particular. */
    for (size_t i = 0; !what && i < count[0]; i++) {
        const struct or_spot *a = &frames[0][i], *b = &frames[1][i];
        if (strcmp(a->function, b->function))
            what = "function";
        else if (a->line && b->line && (a->line != b->line || strcmp(a->file, b->file)))
            what = "line";
    }
    if (!what)
        return NULL;
    struct or_finding *finding =
        or_report_add(comparison, OR_STACK, NULL, what, "the call stacks differ, innermost frame first");
    for (int i = 0; finding && i < 2; i++)
        finding->witnesses[i].value = stack_words(&comparison->report->arena, frames[i], count[i]);
    return NULL;
}

size_t or_stack_places(struct or_comparison *comparison, int side, struct or_spot **ret) {
    static struct or_spot frames[MAX_FRAMES];
    const struct st_frame *raw;
    size_t raw_count;
    struct rt_error *error = st_session_frames(comparison->sides[side].session, &raw, &raw_count);

    if (error) {
        rt_error_destroy(error);
        return 0;
    }
    const size_t all = logical_frames(&comparison->sides[side], raw, raw_count, frames);
    const size_t count = all < OR_STACK_FRAMES ? all : OR_STACK_FRAMES;
    *ret = rt_arena_array(&comparison->report->arena, count, sizeof **ret);
    for (size_t i = 0; *ret && i < count; i++) {
        (*ret)[i] = frames[i];
        (*ret)[i].depth = (uint32_t)(all - i);
    }
    return *ret ? count : 0;
}
