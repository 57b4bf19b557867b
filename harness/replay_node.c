/* Replays in Node: finds it and its scripts, starts it, and writes the trace into its standard input; asks it
 * what two traces show. */
#include "harness/replay_node.h"

#include "harness/data.h"
#include "harness/process.h"
#include "harness/tools.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    OLDEST = 18,         /* of Node */
    STACK = 64 << 20,    /* bytes: V8's frames are larger than those of our engines, which have 8 MiB */
    STACK_MIN = 1 << 20, /* of it for what is no frame of V8's */
};

/* ---- Finding it ---- */

static struct rt_error *check_version(const char *node) {
    const char *const argv[] = {node, "--version", NULL};
    struct hx_process process = {.argv = argv, .time_limit = 30000};
    struct rt_error *error = hx_process_run(&process, 1);
    const char *version = hx_buffer_string(&process.output);
    char text[160];

    if (!error && !hx_process_succeeded(&process))
        error = rt_error_format(RT_USAGE, "%s --version failed: %s", node,
                                hx_process_complaint(&process, text, sizeof text));
    else if (!error && (version[0] != 'v' || strtol(version + 1, NULL, 10) < OLDEST))
        error = rt_error_format(RT_USAGE, "%s is Node %.*s; version %d or newer is needed", node,
                                (int)strcspn(version, "\n"), version, OLDEST);
    hx_process_clear(&process);
    return error;
}

static struct rt_error *find_node(const char *given, struct rt_arena *arena, const char **ret) {
    const char *name = given ? given : getenv("NODE");
    struct rt_error *error = hx_tool_find(name && *name ? name : "node", "nodejs", arena, ret);

    if (!error)
        error = check_version(*ret);
    return error ? rt_error_context(error, "--engine node (--node PATH or $NODE names another one)") : NULL;
}

static struct rt_error *find_script(const char *name, struct rt_arena *arena, const char **ret) {
    char path[PATH_MAX + 64];
    const char *folder = hx_data_folder("node", LOCKSTEP_NODE, path, sizeof path);

    if (!folder)
        return rt_error_format(RT_USAGE, "the replayer for Node is neither beside this binary nor in %s",
                               LOCKSTEP_NODE);
    *ret = rt_arena_printf(arena, "%s/%s", folder, name);
    return *ret ? NULL : rt_error_out_of_memory();
}

/* ---- Starting it ---- */

/* As much stack as there may be, up to STACK; tells how much of it V8 can take, in KiB. */
static unsigned long raise_stack(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) != 0)
        return 0;
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > STACK)
        return (STACK - STACK_MIN) / 1024;
    limit.rlim_cur = limit.rlim_max == RLIM_INFINITY || limit.rlim_max > STACK ? STACK : limit.rlim_max;
    if (setrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur <= 2 * (rlim_t)STACK_MIN)
        return 0;
    return (unsigned long)(limit.rlim_cur - STACK_MIN) / 1024;
}

static _Noreturn void become(const struct hx_replay_node *replay, const char *node, const char *script,
                             int input, pid_t parent) {
    char stack[48];
    const unsigned long size = raise_stack();

    snprintf(stack, sizeof stack, "--stack-size=%lu", size ? size : 900);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    if (getppid() == parent && dup2(input, STDIN_FILENO) >= 0)
        execl(node, node, stack, script, "--name", replay->trace, "-", replay->module, (char *)NULL);
    fprintf(stderr, "lockstep replay: cannot run %s: %s\n", node, strerror(errno));
    _exit(2);
}

static struct rt_error *start(const struct hx_replay_node *replay, const char *node, const char *script,
                              int *ret_fd, pid_t *ret_pid) {
    const pid_t parent = getpid();
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return rt_error_os(errno, "cannot run %s", node);
    *ret_pid = fork();
    if (*ret_pid == 0)
        become(replay, node, script, ends[0], parent);
    const int code = errno;
    close(ends[0]);
    *ret_fd = ends[1];
    if (*ret_pid > 0)
        return NULL;
    close(ends[1]);
    return rt_error_os(code, "cannot run %s", node);
}

/* ---- Feeding it ---- */

/* What is behind a cut trace's last whole block, so that Node sees it cut at the same place. */
static struct rt_error *write_tail(const char *trace, uint64_t size, int fd) {
    struct rt_trace_source source;
    struct rt_error *error = rt_trace_source_file(trace, &source);
    uint8_t bytes[4096];

    if (error)
        return error;
    for (uint64_t done = 0;
         !error && done < size && source.size != RT_TRACE_UNKNOWN && size <= source.size;) {
        const uint64_t left = size - done;
        size_t got;
        error = source.read(source.user, source.size - left, bytes, left < sizeof bytes ? left : sizeof bytes,
                            &got);
        if (error || !got || write(fd, bytes, got) != (ssize_t)got)
            break; /* Node has ended, and says why */
        done += got;
    }
    rt_trace_source_destroy(&source);
    return error;
}

/* Writes all that the reader has. *ret_gone: Node does not want more of it. */
static struct rt_error *feed(const char *trace, struct rt_trace_reader *reader, int fd, bool *ret_gone) {
    static const struct rt_trace_writer_options stored = {.is_stored = true};
    struct rt_trace_writer *writer = NULL;
    const struct rt_trace_event *event = NULL;
    struct rt_trace_sink sink;
    uint64_t behind;
    struct rt_error *failure = rt_trace_sink_fd(fd, "Node", &sink), *error = NULL;

    if (failure)
        return failure;
    failure = rt_trace_writer_create(sink, rt_trace_reader_header(reader), &stored, &writer);
    while (!failure && !error) {
        error = rt_trace_reader_next(reader, &event);
        if (error || !event)
            break;
        failure = rt_trace_writer_add(writer, event);
    }
    if (!failure && !error) {
        const bool is_cut = rt_trace_is_cut(reader, &behind);
        failure = is_cut ? rt_trace_writer_flush(writer) : rt_trace_writer_finish(writer);
        if (!failure && is_cut)
            error = write_tail(trace, behind, fd);
    }
    rt_trace_writer_destroy(writer);
    if (failure && failure->code != RT_OS)
        return failure;
    *ret_gone = failure != NULL;
    rt_error_destroy(failure);
    return error;
}

struct rt_error *hx_replay_in_node(const struct hx_replay_node *replay, struct rt_trace_reader *reader,
                                   int *ret_status) {
    const char *node, *script;
    struct rt_arena arena;
    int fd, status = 0;
    bool gone = false;
    pid_t pid;

    rt_arena_init(&arena, 0);
    struct rt_error *error = find_node(replay->node, &arena, &node);
    if (!error)
        error = find_script("replay.mjs", &arena, &script);
    if (!error)
        error = start(replay, node, script, &fd, &pid);
    rt_arena_clear(&arena);
    if (error)
        return error;
    error = feed(replay->trace, reader, fd, &gone);
    if (error)
        kill(pid, SIGKILL); /* else it would take the trace for one that was cut */
    close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!error && WIFSIGNALED(status))
        error = rt_error_format(RT_OS, "Node was ended by signal %d (%s)", WTERMSIG(status),
                                strsignal(WTERMSIG(status)));
    *ret_status = WEXITSTATUS(status);
    return error;
}

/* ---- Judging ---- */

struct rt_error *hx_node_judge_find(struct rt_arena *arena, struct hx_node_judge *ret) {
    struct rt_error *error = find_node(NULL, arena, &ret->node);
    return error ? error : find_script("shown.mjs", arena, &ret->script);
}

struct rt_error *hx_node_judge_ask(const struct hx_node_judge *judge, const char *const traces[2],
                                   const char *module, unsigned time_limit, bool *ret_differs, char *why,
                                   size_t why_size) {
    const char *const argv[] = {judge->node, judge->script, traces[0], traces[1], module, NULL};
    struct hx_process process = {.argv = argv, .time_limit = time_limit, .own_group = true};
    char how[128], said[128];
    struct rt_error *error = hx_process_run(&process, 1);

    why[0] = 0;
    *ret_differs = !error && WIFEXITED(process.status) && WEXITSTATUS(process.status) == 1;
    if (!error && !*ret_differs && !hx_process_succeeded(&process))
        snprintf(why, why_size, "Node: %s; %s", hx_process_describe(&process, how, sizeof how),
                 hx_process_complaint(&process, said, sizeof said));
    hx_process_clear(&process);
    return error;
}
