/* `lockstep trace`: looks into recorded traces. */
#include "harness/trace.h"

static const struct hx_command *const commands[] = {&hx_command_trace_dump, &hx_command_trace_verify,
                                                    &hx_command_trace_stat, &hx_command_trace_diff,
                                                    &hx_command_trace_export};

const struct hx_command hx_command_trace = {
    .name = "trace",
    .arguments = "COMMAND FILE",
    .summary = "Looks into recorded traces.",
    .details = "A trace holds what crossed the boundary between WebAssembly guests and their host in one "
               "run: calls of\n"
               "imports and of guests, what the host wrote, traps, exits. runtime/trace/FORMAT.md specifies "
               "the file.\n"
               "FILE may be a pipe; - is standard input. A trace that was cut short, by a crash for example, "
               "is read up\n"
               "to its last whole block.",
    .commands = commands,
    .command_count = sizeof commands / sizeof *commands,
};
