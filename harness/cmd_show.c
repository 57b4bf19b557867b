/* `lockstep show`: a finding that was kept, for people. */
#include "harness/harness.h"

#include "harness/show.h"

#include <stddef.h>

struct values {
    bool issue;
};

static const struct values defaults = {.issue = false};

static const struct hx_option options[] = {
    {"--issue", NULL, HX_OPTION_FLAG, offsetof(struct values, issue),
     "print the text of an issue for the tool that is wrong, in Markdown; of the reduced program where\n"
     "there is one"},
};

static struct rt_error *run(const struct hx_arguments *arguments, const void *all, int *ret_status) {
    const struct values *values = all;
    const struct hx_terminal terminal = hx_terminal_get();
    struct hx_buffer text = {0};
    struct hx_kept kept;
    struct rt_arena arena;

    (void)ret_status;
    if (arguments->count != 1)
        return rt_error_format(RT_USAGE, "needs one finding: its folder, or its finding.json");
    rt_arena_init(&arena, 0);
    struct rt_error *error = hx_kept_read(arguments->items[0], &arena, &kept);
    /* Whoever reads an issue wants the small program. */
    if (!error && values->issue && kept.reduced)
        error = hx_kept_read(kept.reduced, &arena, &kept);
    if (!error)
        error =
            values->issue ? hx_show_issue(&kept, &arena, &text) : hx_show(&terminal, &kept, &arena, &text);
    if (!error)
        fwrite(hx_buffer_string(&text), 1, text.size, stdout);
    hx_buffer_clear(&text);
    rt_arena_clear(&arena);
    return error;
}

const struct hx_command hx_command_show = {
    .name = "show",
    .arguments = "FINDING [--issue]",
    .summary = "Shows a finding: source, stops, stacks, values side by side, and the DWARF behind them.",
    .details =
        "FINDING is a folder that `lockstep fuzz --out DIR` made in DIR, or the finding.json in it. Nothing\n"
        "is run: stops and call stacks were written down when the difference was found, and DIEs,\n"
        "expressions and line rows are read from the artifacts that are kept with it.\n\n"
        "Colours are for terminals alone, and not where NO_COLOR is set; COLUMNS gives the width of\n"
        "what is printed elsewhere (100).\n\n"
        "Exit status: 0, or 2 when FINDING is none.",
    .options = options,
    .option_count = sizeof options / sizeof *options,
    .defaults = &defaults,
    .values_size = sizeof defaults,
    .run = run,
};
