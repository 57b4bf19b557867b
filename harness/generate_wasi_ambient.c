/* Statements whose results depend on the host: clocks, random bytes, waiting. What they find goes into the
 * program's digest of such things, and decides there how often a loop turns; whether it makes sense goes into
 * the other one. */
#include "harness/generate_wasi.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Clocks ---- */

static const struct hx_statement clocks[] = {
    {4, "{\n"
        "struct timespec now = {0, -1};\n"
        "x = step(x, \"clock_gettime\", clock_gettime($[CLOCK_REALTIME~CLOCK_MONOTONIC], &now));\n"
        "x = step(x, \"in range\", now.tv_sec >= 0 && now.tv_nsec >= 0 && now.tv_nsec < 1000000000);\n"
        "observe(&now, sizeof now);\n"
        "}"},
    {3, "{\n"
        "struct timespec first = {0}, second = {0};\n"
        "x = step(x, \"clock_gettime\", clock_gettime(CLOCK_MONOTONIC, &first));\n"
        "x = step(x, \"clock_gettime\", clock_gettime(CLOCK_MONOTONIC, &second));\n"
        "x = step(x, \"goes on\", later(&second, &first));\n"
        "observe(&second, sizeof second);\n"
        "}"},
    {2, "{\n"
        "struct timespec resolution = {-1, -1};\n"
        "x = step(x, \"clock_getres\", clock_getres($[CLOCK_REALTIME~CLOCK_MONOTONIC], &resolution));\n"
        "x = step(x, \"in range\", resolution.tv_sec >= 0 && resolution.tv_nsec >= 0);\n"
        "observe(&resolution, sizeof resolution);\n"
        "}"},
    {1, "{\n"
        "time_t now = time(NULL);\n"
        "x = step(x, \"time\", now >= 0);\n"
        "observe(&now, sizeof now);\n"
        "}"},
    {1, "{\n"
        "struct timeval now = {0, -1};\n"
        "x = step(x, \"gettimeofday\", gettimeofday(&now, NULL));\n"
        "x = step(x, \"in range\", now.tv_usec >= 0 && now.tv_usec < 1000000);\n"
        "observe(&now, sizeof now);\n"
        "}"},
    {2, "{\n"
        "__wasi_timestamp_t used = 0;\n"
        "x = step(x, \"clock_time_get\", "
        "__wasi_clock_time_get($[__WASI_CLOCKID_PROCESS_CPUTIME_ID~__WASI_CLOCKID_THREAD_CPUTIME_ID], $many, "
        "&used));\n"
        "observe(&used, sizeof used);\n"
        "}"},
    {1, "{\n"
        "__wasi_timestamp_t time = 7;\n"
        "x = step(x, \"clock_time_get\", __wasi_clock_time_get($[4~77~UINT32_MAX], 0, &time));\n"
        "x = step(x, \"time\", (int64_t)time);\n"
        "}"},
    {2, "{\n"
        "struct timespec pause = {0, $many * 1000};\n"
        "x = step(x, \"nanosleep\", nanosleep(&pause, NULL));\n"
        "}"},
    {3, "{\n"
        "/* As often as the clock says. */\n"
        "struct timespec now = {0};\n"
        "clock_gettime(CLOCK_MONOTONIC, &now);\n"
        "observe(&now, sizeof now);\n"
        "for (uint32_t left = ambient % $few; left > 0; left--) {\n"
        "clock_gettime(CLOCK_REALTIME, &now);\n"
        "observe(&now, sizeof now);\n"
        "}\n"
        "}"},
};

const struct hx_theme hx_theme_clocks = {
    .name = "clocks",
    .purpose = "Reads the clocks.",
    .weight = 2,
    .least = 3,
    .most = 7,
    .before = "",
    .after = "",
    .statements = clocks,
    .count = COUNT(clocks),
};

/* ---- Random bytes ---- */

static const struct hx_statement random_bytes[] = {
    {4, "/* The bytes around stay what they were. */\n"
        "x = step(x, \"random_get\", __wasi_random_get($bytes, $size));\n"
        "observe($bytes, $size);\n"
        "memset($bytes, $few, $size);\n"
        "x = mix_bytes(x, bytes, $room);"},
    {3, "{\n"
        "unsigned char key[$many];\n"
        "x = step(x, \"getentropy\", getentropy(key, sizeof key));\n"
        "observe(key, sizeof key);\n"
        "}"},
    {2, "x = step(x, \"random_get\", __wasi_random_get(bytes, $room));\n"
        "observe(bytes, $room);\n"
        "fill(bytes, $room, x);"},
    {2, "{\n"
        "/* As long as the bytes say. */\n"
        "unsigned char die = 0;\n"
        "for (int left = $many; left > 0 && die % 6 != 5; left--) {\n"
        "getentropy(&die, 1);\n"
        "observe(&die, 1);\n"
        "}\n"
        "}"},
    {1, "x = step(x, \"random_get\", __wasi_random_get(bytes, 0));"},
};

const struct hx_theme hx_theme_random = {
    .name = "random",
    .purpose = "Takes random bytes.",
    .weight = 2,
    .least = 2,
    .most = 5,
    .before = "",
    .after = "",
    .statements = random_bytes,
    .count = COUNT(random_bytes),
};

/* ---- Waiting ---- */

static const struct hx_statement polling[] = {
    {3, "{\n"
        "struct pollfd watched[2] = {{.fd = fd, .events = POLLIN}, {.fd = $[0~1~2], .events = "
        "$[POLLIN~POLLOUT]}};\n"
        "int ready = poll(watched, $[1~2], $[0~1]);\n"
        "x = step(x, \"poll\", ready < 0 ? -1 : 0);\n"
        "observe(watched, sizeof watched);\n"
        "}"},
    {3, "{\n"
        "__wasi_subscription_t wanted = subscribe_clock($[__WASI_CLOCKID_MONOTONIC~__WASI_CLOCKID_REALTIME], "
        "$many * 1000, $many);\n"
        "__wasi_event_t event = {0};\n"
        "__wasi_size_t count = 0;\n"
        "x = step(x, \"poll_oneoff\", __wasi_poll_oneoff(&wanted, &event, 1, &count));\n"
        "x = mix(step(step(x, \"events\", count), \"error\", event.error), (uint32_t)event.userdata);\n"
        "}"},
    {3, "{\n"
        "const __wasi_subscription_t wanted[3] = {\n"
        "subscribe_clock(__WASI_CLOCKID_MONOTONIC, $many * 1000, $many),\n"
        "subscribe_read($[fd~fd~STDIN_FILENO], $many),\n"
        "subscribe_clock(__WASI_CLOCKID_$[MONOTONIC~REALTIME], $few, $many),\n"
        "};\n"
        "__wasi_event_t events[3] = {0};\n"
        "__wasi_size_t count = 0;\n"
        "x = step(x, \"poll_oneoff\", __wasi_poll_oneoff(wanted, events, 3, &count));\n"
        "x = step(x, \"some events\", count >= 1 && count <= 3);\n"
        "observe(&count, sizeof count);\n"
        "observe(events, sizeof events);\n"
        "x = step(x, \"errors\", events[0].error + events[1].error + events[2].error);\n"
        "}"},
    {2, "{\n"
        "/* A descriptor that is not open is an event of its own. */\n"
        "__wasi_subscription_t wanted = subscribe_read($[77~1000], $many);\n"
        "__wasi_event_t event = {0};\n"
        "__wasi_size_t count = 0;\n"
        "x = step(x, \"poll_oneoff\", __wasi_poll_oneoff(&wanted, &event, 1, &count));\n"
        "x = step(step(x, \"events\", count), \"error\", event.error);\n"
        "}"},
    {1, "x = step(x, \"poll_oneoff\", __wasi_poll_oneoff(NULL, NULL, 0, &(__wasi_size_t){0}));"},
    {1, "x = step(x, \"usleep\", usleep($many));"},
    {1, "x = step(x, \"sched_yield\", $[sched_yield()~__wasi_sched_yield()]);"},
    {2, "x = step(x, \"read\", read(fd, $bytes, $size));\n"
        "x = mix_bytes(x, bytes, $room);"},
};

const struct hx_theme hx_theme_polling = {
    .name = "polling",
    .purpose = "Waits for clocks and descriptors.",
    .weight = 3,
    .least = 3,
    .most = 7,
    .before = "int fd = open($file, O_RDONLY);\n"
              "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
              "if (fd >= 0) {",
    .after = "x = step(x, \"close\", close(fd));\n"
             "}",
    .statements = polling,
    .count = COUNT(polling),
};
