/* The benchmarks, private to cmd_bench.c and the files that hold them. */
#ifndef LOCKSTEP_HARNESS_BENCH_H
#define LOCKSTEP_HARNESS_BENCH_H

#include "harness/harness.h"
#include "harness/job.h"

extern const struct hx_command hx_command_bench_step;
extern const struct hx_command hx_command_bench_fuzz;
extern const struct hx_command hx_command_bench_reduce;
extern const struct hx_command hx_command_bench_runtime;
extern const struct hx_command hx_command_bench_record;
extern const struct hx_command hx_command_bench_travel;
extern const struct hx_command hx_command_bench_transform;

/* bench_gdb.py, terminated by a zero. */
extern const char hx_bench_gdb_script[];
/* bench_node.js, the same. */
extern const char hx_bench_node_script[];

/* What GDB did with one program. */
struct hx_gdb_run {
    uint64_t stops, scalars;
    double seconds;
};
/* Builds HX_SOURCE of the folder as an executable and has GDB step it, for at most `stops` stops and
 * `seconds` seconds. */
RT_MUST_USE struct rt_error *hx_bench_gdb(const struct hx_tools *tools, const char *gdb, const char *folder,
                                          uint64_t stops, uint64_t seconds, struct hx_gdb_run *ret);

/* Nanoseconds a stop, by how the probe is made; a negative number when it could not be made so. */
struct hx_probe_times {
    double trap, jump, call;
    /* Setting probes at all statements of a larger program and taking them away again: nanoseconds, and how
     * many. */
    double native_setting, wasm_setting;
    size_t native_probes, wasm_probes;
};
/* Measures setting many probes, then a tight loop with one probe through the stepper, without comparing
 * anything. */
RT_MUST_USE struct rt_error *hx_bench_probes(const struct hx_tools *tools, const struct hx_temp *temp,
                                             struct hx_probe_times *ret);

#endif
