/* Fault plans by `lockstep record`: careful programs survive short transfers, errors come at the calls that
 * rules name, clocks jump and waits end early, and every replay is the faulted run. LOCKSTEP_FAULT_SEEDS=N in
 * the environment tries as many generated programs with their seeds' plans. */
#include "harness/tests/shell.h"

#include "harness/faults_apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Runs a shell line, in which $L is the lockstep command. */
static void expect_within(const char *line, unsigned time_limit, int status, const char *text) {
    char command[4096];

    snprintf(command, sizeof command, "L='%s'; { %s; } 2>&1", LOCKSTEP_BINARY, line);
    expect_shell(command, time_limit, status, text);
}

static void expect(const char *line, int status, const char *text) {
    expect_within(line, 60000, status, text);
}

/* ---- Programs ---- */

/* Copies its input to its output, whatever is transferred at a time and however often it is interrupted. */
static const char copying[] =
    "#include <errno.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
    "static int again(void) { return errno == EINTR || errno == EAGAIN; }\n"
    "int main(void) {\n"
    "    static char bytes[50000];\n"
    "    size_t size = 0, done = 0;\n"
    "    for (ssize_t n = 1; n;) {\n"
    "        n = read(0, bytes + size, sizeof bytes - size);\n"
    "        if (n < 0 && !again()) { fprintf(stderr, \"read: %s\\n\", strerror(errno)); return 1; }\n"
    "        if (n > 0) size += (size_t)n; else if (n < 0) n = 1;\n"
    "    }\n"
    "    while (done < size) {\n"
    "        ssize_t n = write(1, bytes + done, size - done < 1000 ? size - done : 1000);\n"
    "        if (n < 0 && !again()) { fprintf(stderr, \"write: %s\\n\", strerror(errno)); return 2; }\n"
    "        if (n > 0) done += (size_t)n;\n"
    "    }\n"
    "    return 0;\n"
    "}\n";

/* Reads clocks, waits, and lists a folder. */
static const char waiting[] =
    "#include <dirent.h>\n#include <errno.h>\n#include <poll.h>\n#include <stdio.h>\n#include <time.h>\n"
    "static double now(clockid_t clock) {\n"
    "    struct timespec t; clock_gettime(clock, &t); return t.tv_sec + t.tv_nsec / 1e9;\n"
    "}\n"
    "int main(int argc, char **argv) {\n"
    "    double first = now(CLOCK_REALTIME), second = now(CLOCK_REALTIME), third = now(CLOCK_REALTIME);\n"
    "    printf(\"jumps %.0f %.0f\\n\", second - first, third - first);\n"
    "    double start = now(CLOCK_MONOTONIC);\n"
    "    struct timespec until = {(time_t)start, (long)((start - (time_t)start) * 1e9)};\n"
    "    until.tv_sec += argc > 1 ? 3600 : 0;\n"
    "    printf(\"slept %d\\n\", clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL));\n"
    "    printf(\"waited %d\\n\", now(CLOCK_MONOTONIC) - start > 3000);\n"
    "    struct pollfd input = {0, POLLRDNORM, 0};\n"
    "    printf(\"poll %d\\n\", poll(&input, 1, 100));\n"
    "    int entries = 0;\n"
    "    DIR *folder = opendir(\"/\");\n"
    "    while (folder && readdir(folder)) entries++;\n"
    "    printf(\"entries %d errno %d\\n\", entries, folder ? 0 : errno);\n"
    "    return 0;\n"
    "}\n";

/* Passes what only a hostile guest would: the count goes where a size is, a buffer over the vectors. */
static const char overlapping[] =
    "#include <stdio.h>\n#include <wasi/api.h>\n"
    "int main(void) {\n"
    "    static unsigned char bytes[64];\n"
    "    static union { __wasi_iovec_t v[2]; __wasi_size_t n[4]; unsigned char b[16]; } u;\n"
    "    __wasi_size_t n = 0;\n"
    "    u.v[0] = (__wasi_iovec_t){bytes, 10};\n"
    "    int e = __wasi_fd_read(0, u.v, 1, &u.n[1]);\n"
    "    printf(\"%d %u\\n\", e, u.n[1]);\n"
    "    u.v[0] = (__wasi_iovec_t){u.b, 16};\n"
    "    e = __wasi_fd_read(0, u.v, 1, &n);\n"
    "    printf(\"%d %u %.16s\\n\", e, n, u.b);\n"
    "    u.v[0] = (__wasi_iovec_t){bytes, 3}; u.v[1] = (__wasi_iovec_t){bytes + 3, 20};\n"
    "    e = __wasi_fd_read(0, u.v, 2, &n);\n"
    "    printf(\"%d %u %.5s sizes %u %u\\n\", e, n, bytes, u.n[1], u.n[3]);\n"
    "    return 0;\n"
    "}\n";

static void make(const char *name, const char *text) {
    char path[512], line[256];

    snprintf(path, sizeof path, "%s/%s.c", temp.path, name);
    assert_null(hx_file_write(path, text, strlen(text), 0644));
    snprintf(line, sizeof line, "clang-19 --target=wasm32-wasi -O1 -w %s.c -o %s.wasm", name, name);
    expect(line, 0, "");
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&temp));
    make("copying", copying);
    make("waiting", waiting);
    make("overlapping", overlapping);
    expect("mkdir root; for i in 1 2 3 4 5 6 7 8 9; do echo >root/a-file-$i; done; "
           "i=0; while test $i -lt 4000; do echo $i; i=$((i + 1)); done >input; wc -c <input",
           0, "18890");
    return 0;
}

/* ---- Rules ---- */

static void test_short(void **state) {
    (void)state;
    expect("$L record copying.wasm -o trace --fault fd_write#1-=short:7 --fault fd_read#2=short:1 "
           "--fault fd_read#3-5=short:1000 --fault fd_write#9=short:6 <input >out 2>told && cmp out input && "
           "$L replay trace </dev/null | cmp - input && $L replay --engine interp trace | cmp - input && "
           "sed -n '1p;2p;9p' told",
           0,
           /* The first read asks for all and gets it; what follows asks for the rest of the array. */
           "lockstep record: call 2: fault fd_read#2=short:1\n");
    expect("grep -c 'fd_write#[0-9]*=short:7$' told", 0, "2698\n");
    expect("grep -c 'fd_write#9=short' told", 0, "1\n"); /* the first rule counts */
    expect("$L record copying.wasm -o trace --quiet --fault fd_read#1-20=again --fault fd_write#2-3=intr "
           "<input | cmp - input && $L trace dump trace | grep -c '|fd_[a-z]*#[0-9]*='",
           0, "22\n");
}

static void test_error(void **state) {
    (void)state;
    expect("$L record copying.wasm -o trace --fault fd_write#3=nospc <input >out", 2,
           "lockstep record: call 5: fault fd_write#3=nospc\nwrite: No space left on device\n");
    expect("wc -c <out; $L replay trace >again; echo $?; cmp out again && cat out | cmp -n 2000 - input", 0,
           "2000\nwrite: No space left on device\n2\n");
    expect("$L trace dump trace | grep -A 2 'name \"fault\"'", 0, "results (i32 51)");
    expect("$L record copying.wasm -o trace --fault fd_read#1=IO <input", 1, "fd_read#1=io\nread: I/O error");
}

static void test_clocks(void **state) {
    (void)state;
    expect("$L record waiting.wasm -o trace --dir root::/ --fault clock_time_get#2=jump:-50000 "
           "--fault clock_time_get#3=jump:60000 </dev/null",
           0, "jumps -50 10\nslept 0\nwaited 0\n");
    expect("$L replay trace", 0, "jumps -50 10\n");
    /* The wait's end is by the guest's clock, which has jumped: what is left is nothing. */
    expect("$L record waiting.wasm -o trace --dir root::/ --fault clock_time_get#4=jump:100000000 </dev/null",
           0, "slept 0\nwaited 0\n");
    /* An hour of waiting is told to be over; a descriptor, ready. */
    expect("$L record waiting.wasm -o trace --dir root::/ --fault poll_oneoff#1=early -- long </dev/null", 0,
           "slept 0\nwaited 0\n");
    expect("sleep 1 | $L record waiting.wasm -o trace --dir root::/", 0, "poll 0\nentries 11 errno 0\n");
    expect("sleep 1 | $L record waiting.wasm -o trace --dir root::/ --fault poll_oneoff#2=spurious", 0,
           "poll 1\n");
    /* Cut behind an entry's first 24 bytes, it is asked for again; before that, the folder seems to end. */
    expect("$L record waiting.wasm -o trace --dir root::/ --fault fd_readdir#1=short:24 </dev/null", 0,
           "entries 11 errno 0\n");
    expect("$L record waiting.wasm -o trace --dir root::/ --fault fd_readdir#1=short:23 </dev/null", 0,
           "fault fd_readdir#1=short:23\n");
    expect("$L replay trace", 0, "entries 0 errno 0\n");
    expect("$L record waiting.wasm -o trace --dir root::/ --fault path_open#1=mfile </dev/null", 0,
           "entries 0 errno 33\n");
}

static void test_overlapping(void **state) {
    (void)state;
    expect("echo 'abcdefghijklmnopqrstuvwxyz0123456789' | "
           "$L record overlapping.wasm -o trace --fault fd_read#1-=short:4 2>told; cat told",
           0, "0 10\n0 16 klmnopqrstuvwxyz\n0 4 0123e sizes 3 20\nlockstep record: call ");
    expect("cat told", 0, ": fault fd_read#3=short:4\n"); /* the others do not fit */
    expect("wc -l <told", 0, "1\n");
    expect("$L replay trace", 0, "0 10\n0 16 klmnopqrstuvwxyz\n0 4 0123e sizes 3 20\n");
}

static void test_usage(void **state) {
    static const struct {
        const char *options, *message;
    } wrong[] = {
        {"--faults x", "--faults: 'x' is not a number"},
        {"--faults -1", "--faults: '-1' is not a number"},
        {"--fault fd_wrte#3=nospc", "character 1: expected a function of WASI preview 1"},
        {"--fault proc_exit#1=io",
         "character 1: expected a function of WASI preview 1 that returns an errno"},
        {"--fault fd_write=3", "character 9: expected '#'"},
        {"--fault fd_write#0=io", "character 10: expected the number of a call, from 1"},
        {"--fault fd_write#99999999999999999999=io", "expected the number of a call"},
        {"--fault fd_write#3-2=io", "character 12: expected the number of a later call, or '='"},
        {"--fault fd_write#3", "character 11: expected '='"},
        {"--fault fd_write#3=nospcc", "character 12: expected a fault"},
        {"--fault fd_write#3=success", "character 12: expected a fault"},
        {"--fault fd_close#1=short:3", "character 12: expected another fault: this function has no such"},
        {"--fault fd_write#1=short", "character 17: expected :BYTES"},
        {"--fault fd_write#1=short:-1", "character 18: expected a number of BYTES"},
        {"--fault clock_time_get#1=jump:3s", "character 23: expected a number of MILLISECONDS"},
        {"--fault poll_oneoff#1=early:3", "character 20: expected the end"},
    };
    char line[256];
    (void)state;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        snprintf(line, sizeof line, "$L record copying.wasm -o trace %s", wrong[i].options);
        expect(line, 2, wrong[i].message);
    }
}

/* ---- Seeds ---- */

#ifdef LOCKSTEP_ASAN
enum { SEEDS = 10 }; /* all is several times slower */
#else
enum { SEEDS = 50 };
#endif

/* Every function and errno of the table is WASI's. */
static void test_table(void **state) {
    static const struct hx_faulty rows[] = {
#define KIND(kind)                                   (1u << HX_FAULT_##kind)
#define HX_FAULTY(function, kinds, transfer, errnos) {#function, kinds, HX_TRANSFER_##transfer, errnos},
#include "harness/faults.def"
#undef HX_FAULTY
#undef KIND
    };
    (void)state;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char errnos[100];
        bool has_errno = false;
        uint32_t number;
        assert_true(rt_wasi_function_find(rows[i].function, &has_errno) && has_errno);
        assert_true(rows[i].kinds || rows[i].errnos[0]);
        snprintf(errnos, sizeof errnos, "%s", rows[i].errnos);
        for (char *word = strtok(errnos, " "); word; word = strtok(NULL, " ")) {
            assert_true(rt_wasi_errno_find(word, &number) && number > 0);
            assert_non_null(rt_wasi_errno_name(number));
        }
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[j].function, rows[i].function);
    }
}

static void test_same_seed(void **state) {
    (void)state;
    expect("n=0; for s in 1 2 3 4 5 6 7 8 9 10 11 12; do"
           "  $L record copying.wasm -o one --faults $s <input >out 2>first; a=$?;"
           "  $L record --engine interp copying.wasm -o two --faults $s <input >again 2>second; b=$?;"
           "  test $a = $b && cmp first second && cmp out again || exit 9;"
           /* What was told is a plan of its own: the same trace but for the clock-less header. */
           "  sed -n 's/.*: fault /--fault /p' first >rules;"
           "  $L record copying.wasm -o three $(cat rules) <input >again 2>second;"
           "  cmp first second && cmp out again && $L trace diff one three || exit 8;"
           "  n=$((n + $(wc -l <rules)));"
           "done; test $n -gt 12 && echo enough; echo $n",
           0, "enough");
}

/* Programs that use WASI widely, each with the plan of its seed: the replay on both engines prints the same,
 * and ends the same. */
static void test_generated(void **state) {
    const char *wanted = getenv("LOCKSTEP_FAULT_SEEDS");
    const unsigned long seeds = wanted ? strtoul(wanted, NULL, 10) : SEEDS;
    char line[2048];
    (void)state;

    snprintf(
        line, sizeof line,
        "n=0; s=0; while test $s -lt %lu; do s=$((s + 1)); rm -rf setup p.wasm;"
        "  $L generate --source wasi --seed $s -o p.c --setup setup || exit 9;"
        "  clang-19 --target=wasm32-wasi -O0 -w p.c -o p.wasm || exit 9;"
        "  sed \"s|^lockstep run '[^']*'|$L record ../p.wasm -o ../trace --faults $s|\" setup/command >words;"
        "  (cd setup && eval \"$(cat ../words)\") >out 2>err; a=$?;"
        "  $L replay trace --wasm p.wasm >first 2>first.err; b=$?;"
        "  $L replay --engine interp trace --wasm p.wasm >second 2>second.err; c=$?;"
        "  sed -i 's/^lockstep replay:/lockstep record:/' first.err second.err;"
        "  grep -v '^lockstep record: call' err >rest;"
        "  cmp rest first.err && cmp rest second.err && cmp out first && cmp out second &&"
        "  test \"$a $a\" = \"$b $c\" && test $a != 2 || { echo \"seed $s: $a $b $c\"; exit 8; };"
        "  n=$((n + $(grep -c ': fault ' err)));"
        "done; test $n -gt $((10 * s)) && echo enough",
        seeds);
    expect_within(line, (unsigned)(60000 + 2000 * seeds), 0, "enough");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short),       cmocka_unit_test(test_error),     cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_overlapping), cmocka_unit_test(test_usage),     cmocka_unit_test(test_table),
        cmocka_unit_test(test_same_seed),   cmocka_unit_test(test_generated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
