/* `lockstep bench`: measures it against what else a person would use, in the same run. */
#include "harness/bench.h"

static const struct hx_command *const commands[] = {
    &hx_command_bench_step,      &hx_command_bench_fuzz,   &hx_command_bench_runtime,
    &hx_command_bench_transform, &hx_command_bench_reduce,
#ifdef LOCKSTEP_RR
    &hx_command_bench_record,    &hx_command_bench_travel,
#endif
};

const struct hx_command hx_command_bench = {
    .name = "bench",
    .arguments = "COMMAND [OPTIONS]",
    .summary = "Measures lockstep against what else a person would use, in the same run.",
    .commands = commands,
    .command_count = sizeof commands / sizeof *commands,
};
