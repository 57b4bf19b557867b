/* A hostile guest: calls with any arguments at all neither crash nor leave its folder, and what does not lie
 * in memory is EFAULT. */
#include "runtime/tests/test_wasi.h"

#include <signal.h>
#include <sys/resource.h>

static uint64_t next(uint64_t *state) { /* xorshift64 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* An argument of the kind that goes wrong: edges, descriptors, small numbers, anything. */
static uint64_t pick(uint64_t *state) {
    static const uint64_t edges[] = {0,          1,          GUEST_SIZE, GUEST_SIZE - 1, GUEST_SIZE - 8,
                                     0x7fffffff, 0x80000000, 0xffffffff, INT64_MAX,      UINT64_MAX,
                                     AT_PATH,    AT_VECTORS, AT_DATA,    AT_RESULT,      AT_PATH_2};
    uint64_t kind = next(state) % 8;
    if (kind < 3)
        return edges[next(state) % RT_WASI_COUNT(edges)];
    if (kind < 6)
        return next(state) % 10;
    return kind == 6 ? next(state) % GUEST_SIZE : next(state);
}

static void any_arguments(void **state) {
    (void)state;
    struct guest guest;
    uint64_t random = 88172645463325252;
    /* Files stay small, whatever the guest asks for. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = {1 << 20, 1 << 20};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    guest_open(
        &guest,
        (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .deterministic = true},
        GUEST_FOLDER);
    for (int i = 0; i < 100000; i++) {
        /* Paths, iovecs and subscriptions that make sense now and then. */
        static const char *const paths[] = {"a", "b/c", "..", "b", "../x", "/", "a/", "b/..", "./b/../a"};
        const char *path = paths[next(&random) % RT_WASI_COUNT(paths)];
        guest_put(&guest, AT_PATH, path, strlen(path) + 1);
        path = paths[next(&random) % RT_WASI_COUNT(paths)];
        guest_put(&guest, AT_PATH_2, path, strlen(path) + 1);
        for (uint32_t at = AT_VECTORS; at < AT_VECTORS + 64; at += 4)
            guest_put_u32(&guest, at, (uint32_t)pick(&random));
        memset(guest_memory(&guest) + AT_DATA + 8, 0, 1); /* a subscription to a clock: it ends */
        union rt_value args[16] = {0};
        size_t function = next(&random) % RT_WASI_COUNT(guest_functions);
        const char *parameters = guest_functions[function].parameters;
        for (size_t k = 0; parameters[k]; k++)
            args[k].i64 = parameters[k] == 'I' ? pick(&random) : (uint32_t)pick(&random);
        int result = guest_call_array(&guest, guest_functions[function].name, args);
        assert_true(result <= RT_WASI_ENOTCAPABLE);
        assert_true(result >= 0 || result == -RT_EXIT);
        if (i % 1000 == 999) { /* a fresh start: it has closed its folder and its streams by now */
            guest_close(&guest);
            guest_open(&guest,
                       (struct rt_wasi_options){
                           .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .deterministic = true},
                       GUEST_FOLDER);
        }
    }
    guest_close(&guest);
}

/* Each pointer argument in turn at the end of memory: the call fails with EFAULT, and tells nothing. */
static void pointers_out_of_range(void **state) {
    (void)state;
    static const struct {
        const char *name;
        union rt_value args[9];
        uint8_t pointers; /* bit i: argument i */
    } calls[] = {
#define I(value) {.i32 = (value)}
#define L(value) {.i64 = (value)}
        {"args_get", {I(AT_RESULT), I(AT_DATA)}, 3},
        {"args_sizes_get", {I(AT_RESULT), I(AT_DATA)}, 3},
        {"environ_get", {I(AT_RESULT), I(AT_DATA)}, 3},
        {"environ_sizes_get", {I(AT_RESULT), I(AT_DATA)}, 3},
        {"clock_res_get", {I(0), I(AT_RESULT)}, 2},
        {"clock_time_get", {I(0), L(0), I(AT_RESULT)}, 4},
        {"fd_fdstat_get", {I(3), I(AT_RESULT)}, 2},
        {"fd_filestat_get", {I(3), I(AT_RESULT)}, 2},
        {"fd_pread", {I(4), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}, 2 | 16},
        {"fd_prestat_get", {I(3), I(AT_RESULT)}, 2},
        {"fd_prestat_dir_name", {I(3), I(AT_RESULT), I(10)}, 2},
        {"fd_pwrite", {I(4), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}, 2 | 16},
        {"fd_read", {I(4), I(AT_VECTORS), I(1), I(AT_RESULT)}, 2 | 8},
        {"fd_readdir", {I(3), I(AT_DATA), I(100), L(0), I(AT_RESULT)}, 2 | 16},
        {"fd_seek", {I(4), L(0), I(0), I(AT_RESULT)}, 8},
        {"fd_tell", {I(4), I(AT_RESULT)}, 2},
        {"fd_write", {I(4), I(AT_VECTORS), I(1), I(AT_RESULT)}, 2 | 8},
        {"path_create_directory", {I(3), I(AT_PATH), I(4)}, 2},
        {"path_filestat_get", {I(3), I(0), I(AT_PATH), I(4), I(AT_RESULT)}, 4 | 16},
        {"path_filestat_set_times", {I(3), I(0), I(AT_PATH), I(4), L(0), L(0), I(5)}, 4},
        {"path_link", {I(3), I(0), I(AT_PATH), I(4), I(3), I(AT_PATH_2), I(4)}, 4 | 32},
        {"path_open", {I(3), I(0), I(AT_PATH), I(4), I(0), L(0), L(0), I(0), I(AT_RESULT)}, 4},
        {"path_readlink", {I(3), I(AT_PATH), I(4), I(AT_DATA), I(100), I(AT_RESULT)}, 2 | 8 | 32},
        {"path_remove_directory", {I(3), I(AT_PATH), I(4)}, 2},
        {"path_rename", {I(3), I(AT_PATH), I(4), I(3), I(AT_PATH_2), I(4)}, 2 | 16},
        {"path_symlink", {I(AT_PATH), I(4), I(3), I(AT_PATH_2), I(4)}, 1 | 8},
        {"path_unlink_file", {I(3), I(AT_PATH), I(4)}, 2},
        {"poll_oneoff", {I(AT_DATA), I(AT_VECTORS), I(1), I(AT_RESULT)}, 1 | 2 | 8},
        {"random_get", {I(AT_DATA), I(100)}, 1},
#undef I
#undef L
    };
    static const char *const words[] = {"argument"};
    struct guest guest;
    guest_open(&guest,
               (struct rt_wasi_options){.args = words,
                                        .arg_count = 1,
                                        .env = words,
                                        .env_count = 1,
                                        .stdin_fd = -1,
                                        .stdout_fd = -1,
                                        .stderr_fd = -1,
                                        .deterministic = true},
               GUEST_FOLDER);
    assert_int_equal(guest_open_path(&guest, 3, "file", 0, 1, 0x6f), 4);
    guest_put(&guest, AT_PATH, "file", 4);
    guest_put(&guest, AT_PATH_2, "othe", 4);
    guest_vector(&guest, AT_VECTORS, AT_DATA, 8);
    for (size_t i = 0; i < RT_WASI_COUNT(calls); i++)
        for (unsigned k = 0; k < 9; k++) {
            static const uint32_t bad[] = {GUEST_SIZE - 1, GUEST_SIZE, GUEST_SIZE + 65536, 0x80000000,
                                           0xffffffff};
            for (size_t b = 0; b < RT_WASI_COUNT(bad) && calls[i].pointers >> k & 1; b++) {
                union rt_value args[9];
                memcpy(args, calls[i].args, sizeof args);
                args[k].i32 = bad[b];
                int result = guest_call_array(&guest, calls[i].name, args);
                if (result != RT_WASI_EFAULT)
                    fail_msg("%s with argument %u at 0x%x is %d", calls[i].name, k, (unsigned)bad[b], result);
            }
        }
    assert_int_equal(
        guest_call(&guest, "path_open", 3, 0, AT_PATH, 4, 0, (uint64_t)0, (uint64_t)0, 0, GUEST_SIZE - 3),
        RT_WASI_EFAULT);
    assert_int_equal(guest_open_path(&guest, 3, "file", 0, 0, 0), 5); /* nothing was left open */
    guest_close(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_arguments),
        cmocka_unit_test(pointers_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
