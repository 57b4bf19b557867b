/* Clocks, random bytes, and poll_oneoff, real and deterministic. */
#include "runtime/tests/test_wasi.h"

#include <sys/resource.h>
#include <time.h>

enum { CLOCK = 0, FD_READ = 1, FD_WRITE = 2, ABSOLUTE = 1, EVENT_SIZE = 32 };
static const uint64_t second = 1000000000;

static const struct rt_wasi_options real = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
static const struct rt_wasi_options deterministic = {
    .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1, .deterministic = true};

static uint64_t read_clock(struct guest *guest, unsigned clock) {
    assert_int_equal(guest_call(guest, "clock_time_get", clock, (uint64_t)0, AT_RESULT), RT_WASI_ESUCCESS);
    return guest_get(guest, AT_RESULT, 8);
}

static void real_clocks(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    assert_in_range(read_clock(&guest, RT_WASI_CLOCK_REALTIME), rt_wasi_nanoseconds(now),
                    rt_wasi_nanoseconds(now) + 60 * second);
    uint64_t before = read_clock(&guest, RT_WASI_CLOCK_MONOTONIC);
    assert_true(read_clock(&guest, RT_WASI_CLOCK_MONOTONIC) >= before);
    assert_true(read_clock(&guest, RT_WASI_CLOCK_PROCESS) > 0);
    assert_true(read_clock(&guest, RT_WASI_CLOCK_THREAD) > 0);
    for (unsigned clock = RT_WASI_CLOCK_REALTIME; clock <= RT_WASI_CLOCK_THREAD; clock++) {
        assert_int_equal(guest_call(&guest, "clock_res_get", clock, AT_RESULT), RT_WASI_ESUCCESS);
        assert_in_range(guest_get(&guest, AT_RESULT, 8), 1, second);
    }
    assert_int_equal(guest_call(&guest, "clock_time_get", 4, (uint64_t)0, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "clock_res_get", 4, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "clock_time_get", 0, (uint64_t)0, GUEST_SIZE - 7), RT_WASI_EFAULT);
    guest_close(&guest);
}

static void deterministic_clocks(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, deterministic, 0);
    assert_int_equal(read_clock(&guest, RT_WASI_CLOCK_REALTIME), 0);
    assert_int_equal(read_clock(&guest, RT_WASI_CLOCK_MONOTONIC), 1000000);
    /* A call that fails is no reading. */
    assert_int_equal(guest_call(&guest, "clock_time_get", 0, (uint64_t)0, GUEST_SIZE - 7), RT_WASI_EFAULT);
    assert_int_equal(read_clock(&guest, RT_WASI_CLOCK_PROCESS), 2000000);
    assert_int_equal(guest_call(&guest, "clock_res_get", 0, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 8), 1000000);
    guest_close(&guest);
}

/* All of memory can be filled, and not one byte more is asked for. */
static void random_memory(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, 0);
    assert_int_equal(guest_call(&guest, "random_get", 0, GUEST_SIZE + 1), RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "random_get", 0, 0xffffffff), RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "random_get", 0xfffffff0, 0x20), RT_WASI_EFAULT);
    assert_int_equal(guest_get(&guest, 0, 8), 0);
    assert_int_equal(guest_get(&guest, GUEST_SIZE - 8, 8), 0);
    assert_int_equal(guest_call(&guest, "random_get", GUEST_SIZE, 0), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(&guest, "random_get", 0, GUEST_SIZE), RT_WASI_ESUCCESS);
    assert_int_not_equal(guest_get(&guest, 0, 8), 0);
    assert_int_not_equal(guest_get(&guest, GUEST_SIZE - 8, 8), 0);
    guest_close(&guest);
}

static void random_bytes(void **state) {
    (void)state;
    enum { SIZE = RT_WASI_BUFFER_SIZE + 1001 };
    static uint8_t first[SIZE];
    struct guest guest;
    for (int run = 0; run < 2; run++) {
        guest_open(&guest, deterministic, 0);
        guest_put(&guest, AT_DATA + SIZE, "end", 3);
        assert_int_equal(guest_call(&guest, "random_get", AT_DATA, SIZE), RT_WASI_ESUCCESS);
        if (run == 0)
            memcpy(first, guest_memory(&guest) + AT_DATA, SIZE);
        assert_memory_equal(first, guest_memory(&guest) + AT_DATA, SIZE);
        assert_memory_equal(guest_memory(&guest) + AT_DATA + SIZE, "end", 3);
        guest_close(&guest);
    }
    guest_open(&guest, real, 0);
    assert_int_equal(guest_call(&guest, "random_get", AT_DATA, SIZE), RT_WASI_ESUCCESS);
    assert_memory_not_equal(first, guest_memory(&guest) + AT_DATA, SIZE);
    assert_int_equal(guest_call(&guest, "random_get", AT_DATA, 0), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(&guest, "random_get", AT_DATA, 0xffffffff), RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "sched_yield"), RT_WASI_ESUCCESS);
    guest_close(&guest);
}

/* ---- poll_oneoff: subscriptions at AT_DATA, events at AT_VECTORS ---- */

static void subscribe_clock(struct guest *guest, uint32_t index, unsigned clock, uint64_t timeout,
                            unsigned flags) {
    uint32_t at = AT_DATA + 48 * index;
    memset(guest_memory(guest) + at, 0, 48);
    guest_put_u64(guest, at, 100 + index);
    guest_put_u32(guest, at + 16, clock);
    guest_put_u64(guest, at + 24, timeout);
    guest_put_u32(guest, at + 40, flags);
}

static void subscribe_fd(struct guest *guest, uint32_t index, unsigned type, unsigned fd) {
    uint32_t at = AT_DATA + 48 * index;
    memset(guest_memory(guest) + at, 0, 48);
    guest_put_u64(guest, at, 100 + index);
    guest_put_u32(guest, at + 8, type);
    guest_put_u32(guest, at + 16, fd);
}

static void wait_for(struct guest *guest, uint32_t count, uint32_t events) {
    assert_int_equal(guest_call(guest, "poll_oneoff", AT_DATA, AT_VECTORS, count, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), events);
}

static void expect_event(struct guest *guest, uint32_t index, uint64_t userdata, enum rt_wasi_errno errnum,
                         unsigned type) {
    uint32_t at = AT_VECTORS + EVENT_SIZE * index;
    assert_int_equal(guest_get(guest, at, 8), userdata);
    assert_int_equal(guest_get(guest, at + 8, 2), errnum);
    assert_int_equal(guest_get(guest, at + 10, 1), type);
}

static void sleeping(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, 0);
    uint64_t before = read_clock(&guest, RT_WASI_CLOCK_MONOTONIC);
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_MONOTONIC, second / 50, 0);
    subscribe_clock(&guest, 1, RT_WASI_CLOCK_REALTIME, 1000 * second, 0);
    wait_for(&guest, 2, 1);
    expect_event(&guest, 0, 100, RT_WASI_ESUCCESS, CLOCK);
    assert_true(read_clock(&guest, RT_WASI_CLOCK_MONOTONIC) - before >= second / 50);
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_REALTIME, 1, ABSOLUTE); /* long past */
    wait_for(&guest, 1, 1);
    guest_close(&guest);
}

static void deterministic_sleeping(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, deterministic, 0);
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_MONOTONIC, UINT64_MAX, ABSOLUTE);
    wait_for(&guest, 1, 1);
    guest_close(&guest);
    guest_open(&guest, deterministic, 0);
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_MONOTONIC, 1000 * second, 0);
    subscribe_clock(&guest, 1, RT_WASI_CLOCK_REALTIME, 500 * second, ABSOLUTE);
    wait_for(&guest, 2, 1);
    expect_event(&guest, 0, 101, RT_WASI_ESUCCESS, CLOCK);
    assert_int_equal(read_clock(&guest, RT_WASI_CLOCK_REALTIME), 500 * second);
    /* Even the longest sleep ends. */
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_MONOTONIC, UINT64_MAX, 0);
    wait_for(&guest, 1, 1);
    guest_close(&guest);
}

/* Snapshot 0 has eight more bytes before what tells a clock. */
static void snapshot_0_sleeping(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, deterministic, GUEST_SNAPSHOT_0);
    memset(guest_memory(&guest) + AT_DATA, 0, 2 * 56);
    guest_put_u64(&guest, AT_DATA, 100);
    guest_put_u32(&guest, AT_DATA + 24, RT_WASI_CLOCK_MONOTONIC);
    guest_put_u64(&guest, AT_DATA + 32, 30 * second);
    guest_put_u64(&guest, AT_DATA + 56, 101);
    guest_put_u32(&guest, AT_DATA + 56 + 24, RT_WASI_CLOCK_REALTIME);
    guest_put_u64(&guest, AT_DATA + 56 + 32, 20 * second);
    guest_put_u32(&guest, AT_DATA + 56 + 48, ABSOLUTE);
    wait_for(&guest, 2, 1);
    expect_event(&guest, 0, 101, RT_WASI_ESUCCESS, CLOCK);
    assert_int_equal(read_clock(&guest, RT_WASI_CLOCK_REALTIME), 20 * second);
    guest_close(&guest);
}

static void descriptors(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = ends[0], .stdout_fd = ends[1], .stderr_fd = -1},
               0);
    subscribe_fd(&guest, 0, FD_READ, 0);
    subscribe_fd(&guest, 1, FD_WRITE, 1);
    wait_for(&guest, 2, 1);
    expect_event(&guest, 0, 101, RT_WASI_ESUCCESS, FD_WRITE);
    assert_int_equal(guest_write_text(&guest, 1, "12345"), 5);
    subscribe_fd(&guest, 0, FD_READ, 0);
    subscribe_clock(&guest, 1, RT_WASI_CLOCK_MONOTONIC, 1000 * second, 0);
    wait_for(&guest, 2, 1);
    expect_event(&guest, 0, 100, RT_WASI_ESUCCESS, FD_READ);
    assert_int_equal(guest_get(&guest, AT_VECTORS + 16, 8), 5);
    assert_int_equal(guest_get(&guest, AT_VECTORS + 24, 2), 0);
    assert_int_equal(guest_read(&guest, 0, 5), 5);
    close(ends[1]); /* the guest's descriptor 1 is gone, and its reader sees the hangup */
    subscribe_fd(&guest, 0, FD_READ, 0);
    wait_for(&guest, 1, 1);
    assert_int_equal(guest_get(&guest, AT_VECTORS + 24, 2), 1);
    guest_close(&guest);
    close(ends[0]);
}

static void bad_subscriptions(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, 0);
    assert_int_equal(guest_call(&guest, "poll_oneoff", AT_DATA, AT_VECTORS, 0, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "poll_oneoff", AT_DATA, AT_VECTORS, 0xffffffff, AT_RESULT),
                     RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "poll_oneoff", GUEST_SIZE - 47, AT_VECTORS, 1, AT_RESULT),
                     RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "poll_oneoff", AT_DATA, GUEST_SIZE - 31, 1, AT_RESULT),
                     RT_WASI_EFAULT);
    /* What is wrong with one is its event's error, at once. */
    subscribe_fd(&guest, 0, FD_READ, 77);
    subscribe_fd(&guest, 1, FD_WRITE, 0);
    subscribe_clock(&guest, 2, RT_WASI_CLOCK_PROCESS, 1, 0);
    subscribe_clock(&guest, 3, 9, 1, 0);
    subscribe_clock(&guest, 4, RT_WASI_CLOCK_MONOTONIC, UINT64_MAX, 0);
    wait_for(&guest, 5, 4);
    expect_event(&guest, 0, 100, RT_WASI_EBADF, FD_READ);
    expect_event(&guest, 1, 101, RT_WASI_ENOTCAPABLE, FD_WRITE);
    expect_event(&guest, 2, 102, RT_WASI_ENOTSUP, CLOCK);
    expect_event(&guest, 3, 103, RT_WASI_EINVAL, CLOCK);
    subscribe_fd(&guest, 0, 3, 0);
    assert_int_equal(guest_call(&guest, "poll_oneoff", AT_DATA, AT_VECTORS, 1, AT_RESULT), RT_WASI_EINVAL);
    guest_close(&guest);
}

/* All that is due comes in one call, in the order of the subscriptions. */
static void several_at_once(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, 0);
    subscribe_clock(&guest, 0, RT_WASI_CLOCK_MONOTONIC, 0, 0);
    subscribe_clock(&guest, 1, RT_WASI_CLOCK_MONOTONIC, 1000 * second, 0);
    subscribe_clock(&guest, 2, RT_WASI_CLOCK_REALTIME, 1, ABSOLUTE);
    subscribe_fd(&guest, 3, FD_READ, 0);
    subscribe_clock(&guest, 4, RT_WASI_CLOCK_MONOTONIC, 1, 2); /* no such flag */
    wait_for(&guest, 5, 4);
    expect_event(&guest, 0, 100, RT_WASI_ESUCCESS, CLOCK);
    expect_event(&guest, 1, 102, RT_WASI_ESUCCESS, CLOCK);
    expect_event(&guest, 2, 103, RT_WASI_ESUCCESS, FD_READ);
    expect_event(&guest, 3, 104, RT_WASI_EINVAL, CLOCK);
    guest_close(&guest);
}

/* The host limits how many files are waited for, not how many clocks. */
static void many_clocks(void **state) {
    (void)state;
    enum { CLOCKS = 200, FEW = 64 };
    struct guest guest;
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){FEW, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    guest_open(&guest, real, 0);
    for (uint32_t i = 0; i < CLOCKS; i++)
        subscribe_clock(&guest, i, RT_WASI_CLOCK_MONOTONIC, i, 0);
    assert_int_equal(guest_call(&guest, "poll_oneoff", AT_DATA, AT_VECTORS, CLOCKS, AT_RESULT + 0x20000),
                     RT_WASI_ESUCCESS);
    assert_in_range(guest_get(&guest, AT_RESULT + 0x20000, 4), 1, CLOCKS);
    guest_close(&guest);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* A file is always ready; what is left of it is told. A closed descriptor is its event's error. */
static void files_are_ready(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, real, GUEST_FOLDER);
    int fd = guest_open_path(&guest, 3, "file", 0, 1, RT_WASI_RIGHTS_ALL);
    assert_int_equal(fd, 4);
    assert_int_equal(guest_write_text(&guest, fd, "0123456789"), 10);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)4, 0, AT_RESULT), RT_WASI_ESUCCESS);
    subscribe_fd(&guest, 0, FD_READ, 4);
    subscribe_fd(&guest, 1, FD_WRITE, 4);
    wait_for(&guest, 2, 2);
    expect_event(&guest, 0, 100, RT_WASI_ESUCCESS, FD_READ);
    expect_event(&guest, 1, 101, RT_WASI_ESUCCESS, FD_WRITE);
    assert_int_equal(guest_get(&guest, AT_VECTORS + 16, 8), 6);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)100, 0, AT_RESULT), RT_WASI_ESUCCESS);
    subscribe_fd(&guest, 0, FD_READ, 4);
    wait_for(&guest, 1, 1);
    assert_int_equal(guest_get(&guest, AT_VECTORS + 16, 8), 0);
    assert_int_equal(guest_call(&guest, "fd_close", fd), RT_WASI_ESUCCESS);
    subscribe_fd(&guest, 0, FD_READ, 4);
    wait_for(&guest, 1, 1);
    expect_event(&guest, 0, 100, RT_WASI_EBADF, FD_READ);
    guest_close(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_clocks),
        cmocka_unit_test(deterministic_clocks),
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(random_memory),
        cmocka_unit_test(sleeping),
        cmocka_unit_test(deterministic_sleeping),
        cmocka_unit_test(descriptors),
        cmocka_unit_test(bad_subscriptions),
        cmocka_unit_test(snapshot_0_sleeping),
        cmocka_unit_test(several_at_once),
        cmocka_unit_test(many_clocks),
        cmocka_unit_test(files_are_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
