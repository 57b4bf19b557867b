/* A hostile guest calls every function of functions.def with arguments of every wrong kind. The rule is: each
 * call answers an errno, and only proc_exit and proc_raise end the guest; no call traps, crashes, hangs,
 * takes much memory, leaks a descriptor, or reaches out of the preopened folder; and EFAULT has no effect.
 *
 * Nothing here knows a function by name. Arguments with which it gives each of its answers are found by
 * trying; then one and two of them at a time are replaced by hostile values, so that the rest of the call is
 * sound. */
#include "runtime/tests/test_wasi.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { MAX_PARAMETERS = 9, MAX_ANSWERS = 12, FUNCTIONS = RT_WASI_COUNT(guest_functions) };

/* ---- The guest and its surroundings ---- */

static struct guest guest;
static char base[64];             /* holds "inside", which the guest has, and "outside" */
static uint8_t image[GUEST_SIZE]; /* the guest's memory before each call */
enum { KEPT = 6 };
static struct rt_wasi_descriptor kept[KEPT]; /* descriptors that each call finds as they were */
static unsigned variant;                     /* GUEST_SNAPSHOT_0 or 0 */
static int sockets[2];                       /* the first is the guest's descriptor 0 */

static void make_file(const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void make_folder(const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    assert_true(mkdir(path, 0777) == 0 || access(path, F_OK) == 0);
}

static void make_link(const char *target, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", base, name);
    assert_true(symlink(target, path) == 0 || access(path, F_OK) == 0);
}

/* What lies in memory: paths good and bad, iovecs that are sound, point at themselves, and lead out of
 * memory. */
enum {
    NAME = AT_PATH,
    NEW = AT_PATH + 0x40,
    INNER_NAME = AT_PATH + 0x80,
    OUTSIDE = AT_PATH + 0xc0,
    ABSOLUTE = AT_PATH + 0x100,
    NOT_UTF8 = AT_PATH + 0x140,
    THROUGH_LINK = AT_PATH + 0x180,
    LINK_NAME = AT_PATH_2,
    SLASHED = AT_PATH_2 + 0x40,
    PARENT = AT_PATH_2 + 0x80,
    ITSELF = AT_PATH_2 + 0xc0,
    EMPTY_NAME = AT_PATH_2 + 0x100,
    AT_VECTORS_4 = AT_VECTORS + 4,
    AT_SOUND_VECTORS = AT_VECTORS + 0x100,
    AT_BAD_VECTORS = AT_VECTORS + 0x200,
    AT_BAD_VECTORS_8 = AT_BAD_VECTORS + 8,
    AT_RESULT_2 = AT_RESULT + 0x100,
    AT_DATA_2 = AT_DATA + 0x1000,
    GUEST_END_1 = GUEST_SIZE - 1,
    GUEST_END_4 = GUEST_SIZE - 4,
    GUEST_END_47 = GUEST_SIZE - 47,
};
static const struct {
    uint32_t address;
    const char *text;
} paths[] = {
    {NAME, "file"},
    {NEW, "new"},
    {INNER_NAME, "folder/file"},
    {OUTSIDE, "../outside/file"},
    {ABSOLUTE, "/etc/passwd"},
    {NOT_UTF8, "\xff\xfe\xed\xa0\x80"},
    {THROUGH_LINK, "out/file"},
    {LINK_NAME, "link"},
    {SLASHED, "folder/"},
    {PARENT, ".."},
    {ITSELF, "."},
    {EMPTY_NAME, "empty"},
};

static void fill_image(void) {
    memset(image, 0, sizeof image);
    for (size_t i = 0; i < RT_WASI_COUNT(paths); i++)
        memcpy(image + paths[i].address, paths[i].text, strlen(paths[i].text));
    for (uint32_t i = 0; i < 8; i++) {
        rt_wasi_store(image + AT_VECTORS + 8 * i, AT_VECTORS, 4); /* over the vectors themselves */
        rt_wasi_store(image + AT_VECTORS + 8 * i + 4, 64, 4);
        rt_wasi_store(image + AT_SOUND_VECTORS + 8 * i, AT_DATA + 64 * i, 4);
        rt_wasi_store(image + AT_SOUND_VECTORS + 8 * i + 4, 16, 4);
    }
    rt_wasi_store(image + AT_BAD_VECTORS, 0xfffffff0, 4); /* past 2^32 */
    rt_wasi_store(image + AT_BAD_VECTORS + 4, 0x20, 4);
    rt_wasi_store(image + AT_BAD_VECTORS + 8, GUEST_SIZE - 1, 4);
    rt_wasi_store(image + AT_BAD_VECTORS + 12, 2, 4);
}

/* Puts everything back as the calls expect it. Descriptor 4 is a file and 5 a folder. */
static void start_guest(void) {
    static const char *const words[] = {"argument"};
    char inside[96];
    snprintf(inside, sizeof inside, "%s/inside", base);
    struct rt_wasi_dir dir = {inside, "/"};
    make_folder("inside/folder");
    make_folder("inside/empty");
    make_file("inside/file", "text of the file");
    make_file("inside/folder/file", "text");
    make_link("file", "inside/link");
    make_link("../outside", "inside/out");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets), 0);
    assert_int_equal(write(sockets[1], image, 4096), 4096);
    const struct rt_wasi_options options = {.args = words,
                                            .arg_count = 1,
                                            .env = words,
                                            .env_count = 1,
                                            .dirs = &dir,
                                            .dir_count = 1,
                                            .stdin_fd = sockets[0],
                                            .stdout_fd = -1,
                                            .stderr_fd = -1,
                                            .deterministic = true};
    guest_open(&guest, options, variant);
    assert_int_equal(guest_open_path(&guest, 3, "file", 0, 0, RT_WASI_RIGHTS_ALL), 4);
    assert_int_equal(guest_open_path(&guest, 3, "folder", 0, 2,
                                     RT_WASI_RIGHTS_ALL & ~RT_WASI_RIGHT_FD_WRITE &
                                         ~RT_WASI_RIGHT_FD_ALLOCATE & ~RT_WASI_RIGHT_FD_FILESTAT_SET_SIZE),
                     5);
    memcpy(guest_memory(&guest), image, sizeof image);
    memcpy(kept, guest.wasi->descriptors, sizeof kept);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *place) {
    (void)stat;
    (void)type;
    return place->level > 0 ? remove(path) : 0;
}

static void stop_guest(void) {
    guest_close(&guest);
    close(sockets[0]);
    close(sockets[1]);
}

static void restart_guest(void) {
    char inside[96];
    snprintf(inside, sizeof inside, "%s/inside", base);
    stop_guest();
    assert_int_equal(nftw(inside, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    start_guest();
}

/* ---- Arguments ---- */

static uint64_t next(uint64_t *state) { /* xorshift64 */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* clang-format off */
/* What a sound call has: descriptors, small numbers and flags, places in memory. */
static const uint32_t sound[] = {
    0, 1, 2, 3, 4, 5, 8, 11, 1, 3, 4, 5,
    NAME, NAME, NEW, INNER_NAME, LINK_NAME, EMPTY_NAME,
    AT_SOUND_VECTORS, AT_DATA, AT_DATA_2, AT_RESULT, AT_RESULT_2,
};

/* The end of memory and of numbers; descriptors that are none; flags and enumerations that are none; a place
 * where arguments lie, so that results overwrite them; paths that lead out or are none. */
static const uint32_t hostile[] = {
    0, 6, 7, 0x7f, 0xffff, 1024, 1025, 0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xffffffff,
    GUEST_SIZE, GUEST_END_1, GUEST_END_4, GUEST_END_47,
    AT_VECTORS, AT_VECTORS_4, AT_BAD_VECTORS, AT_BAD_VECTORS_8,
    OUTSIDE, ABSOLUTE, NOT_UTF8, THROUGH_LINK, SLASHED, PARENT,
};
/* clang-format on */

static const uint64_t hostile_long[] = {
    0, 1, INT64_MAX, (uint64_t)1 << 63, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 32, RT_WASI_RIGHTS_ALL};

static size_t hostile_count(char parameter) {
    return parameter == 'I' ? RT_WASI_COUNT(hostile_long) : RT_WASI_COUNT(hostile);
}

static union rt_value hostile_value(char parameter, size_t i) {
    return parameter == 'I' ? (union rt_value){.i64 = hostile_long[i]} : (union rt_value){.i32 = hostile[i]};
}

/* A sound value for argument `k`; often the size of the text that the argument before it points to. */
static void set_sound(const char *parameters, size_t k, uint64_t *random, union rt_value *args) {
    uint32_t value = sound[next(random) % RT_WASI_COUNT(sound)];
    bool wants_size = k > 0 && next(random) % 2;
    for (size_t i = 0; i < RT_WASI_COUNT(paths) && wants_size; i++)
        if (args[k - 1].i32 == paths[i].address)
            value = (uint32_t)strlen(paths[i].text);
    if (parameters[k] == 'I')
        args[k] = (union rt_value){.i64 = value % 16};
    else
        args[k] = (union rt_value){.i32 = value};
}

/* ---- One call ---- */

static void fail_call(size_t function, const union rt_value *args, const char *what, int result) {
    char text[256] = "";
    size_t used = 0;
    for (size_t i = 0; guest_functions[function].parameters[i]; i++)
        used += (size_t)snprintf(
            text + used, sizeof text - used, " 0x%llx",
            guest_functions[function].parameters[i] == 'I' ? (unsigned long long)args[i].i64 : args[i].i32);
    fail_msg("%s%s: %s (%d)", guest_functions[function].name, text, what, result);
}

static int call(size_t function, const union rt_value *args) {
    static int successes;
    int result = guest_call_array(&guest, guest_functions[function].name, args);
    if (result < 0 ? result != -RT_EXIT || strncmp(guest_functions[function].name, "proc_", 5) != 0
                   : result > RT_WASI_ENOTCAPABLE)
        fail_call(function, args, "neither an errno nor the guest's own end", result);
    bool may_write = result == RT_WASI_ESUCCESS || result == RT_WASI_EFAULT;
    if (may_write && memcmp(guest_memory(&guest), image, sizeof image) != 0) {
        if (result == RT_WASI_EFAULT)
            fail_call(function, args, "writes memory and answers EFAULT", result);
        memcpy(guest_memory(&guest), image, sizeof image);
    }
    /* What it opened is closed; what it closed, renumbered, removed or renamed is made again. */
    if (result == RT_WASI_ESUCCESS) {
        for (uint32_t fd = KEPT; fd < guest.wasi->descriptor_capacity; fd++)
            if (guest.wasi->descriptors[fd].is_open)
                assert_int_equal(guest_call(&guest, "fd_close", fd), RT_WASI_ESUCCESS);
        if (++successes > 50 || memcmp(kept, guest.wasi->descriptors, sizeof kept) != 0) {
            successes = 0;
            restart_guest();
        }
    }
    return result;
}

/* ---- All calls ---- */

/* By how much the process may grow. AddressSanitizer keeps 256 MiB of what was freed. */
#ifdef LOCKSTEP_ASAN
enum { MOST_KIB_MORE = 512 * 1024 };
#else
enum { MOST_KIB_MORE = 64 * 1024 };
#endif

struct answer {
    int result;
    union rt_value args[MAX_PARAMETERS];
};

/* Finds arguments for several different answers, success among them if it can, from random ones and by
 * changing those found already; the number of answers. */
static size_t find_answers(size_t function, uint64_t *random, struct answer found[MAX_ANSWERS]) {
    enum { TRIES = 100000, ENOUGH = 500 };
    const char *parameters = guest_functions[function].parameters;
    size_t count = 0;
    bool has_success = false;
    for (int i = 0; i < TRIES && !(has_success && i >= ENOUGH); i++) {
        struct answer answer = {0};
        uint64_t changes = next(random);
        bool is_fresh = count == 0 || i % 2;
        if (!is_fresh)
            answer = found[next(random) % count];
        for (size_t k = 0; parameters[k]; k++)
            if (is_fresh || (changes >> 2 * k) % 4 == 0)
                set_sound(parameters, k, random, answer.args);
        answer.result = call(function, answer.args);
        bool is_new = count < MAX_ANSWERS;
        for (size_t k = 0; k < count; k++)
            is_new &= found[k].result != answer.result;
        if (is_new)
            found[count++] = answer;
        has_success |= answer.result == RT_WASI_ESUCCESS;
    }
    return count;
}

static void replace_arguments(size_t function, const struct answer *answer) {
    const char *parameters = guest_functions[function].parameters;
    for (size_t a = 0; parameters[a]; a++)
        for (size_t i = 0; i < hostile_count(parameters[a]); i++) {
            union rt_value args[MAX_PARAMETERS];
            memcpy(args, answer->args, sizeof args);
            args[a] = hostile_value(parameters[a], i);
            call(function, args);
            /* Two that stand together are mostly a place and its size. */
            for (size_t k = i % 4; parameters[a + 1] && k < hostile_count(parameters[a + 1]); k += 4) {
                args[a + 1] = hostile_value(parameters[a + 1], k);
                call(function, args);
            }
        }
}

static int set_up(void **state) {
    (void)state;
    /* Files stay small, whatever the guest asks for. */
    struct rlimit limit = {1 << 20, 1 << 20};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    snprintf(base, sizeof base, "/tmp/lockstep-wasi-XXXXXX");
    assert_non_null(mkdtemp(base));
    make_folder("inside");
    make_folder("outside");
    make_file("outside/file", "secret");
    fill_image();
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    assert_int_equal(nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_equal(rmdir(base), 0);
    return 0;
}

static unsigned count_entries(const char *path) {
    unsigned count = 0;
    DIR *folder = opendir(path);
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static struct stat stat_of(const char *name) {
    char path[128];
    struct stat result;
    snprintf(path, sizeof path, "%s/%s", base, name);
    assert_int_equal(stat(path, &result), 0);
    return result;
}

static void assert_unchanged(const struct stat *before, const char *name) {
    struct stat after = stat_of(name);
    assert_int_equal(before->st_ino, after.st_ino);
    assert_int_equal(before->st_nlink, after.st_nlink);
    assert_int_equal(before->st_size, after.st_size);
    assert_int_equal(before->st_mode, after.st_mode);
    assert_int_equal(before->st_ctim.tv_sec, after.st_ctim.tv_sec);
    assert_int_equal(before->st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

static void hostile_calls(void) {
    enum { RANDOM_CALLS = 20000 };
    uint64_t random = 88172645463325252;
    size_t with_success = 0;
    struct rusage usage;
    const struct stat base_before = stat_of("."), file = stat_of("outside/file"), folder = stat_of("outside");
    unsigned open_files = count_entries("/proc/self/fd");
    start_guest();
    getrusage(RUSAGE_SELF, &usage);
    long kib_before = usage.ru_maxrss;
    for (size_t function = 0; function < FUNCTIONS; function++) {
        struct answer answers[MAX_ANSWERS];
        restart_guest();
        size_t count = find_answers(function, &random, answers);
        assert_true(count > 0);
        bool has_success = false;
        for (size_t i = 0; i < count; i++) {
            has_success |= answers[i].result == RT_WASI_ESUCCESS;
            replace_arguments(function, &answers[i]);
        }
        if (!has_success)
            print_message("%s never succeeded\n", guest_functions[function].name);
        with_success += has_success;
    }
    /* But for proc_exit, and sock_accept without a listener, each can be brought to succeed. */
    assert_in_range(with_success, FUNCTIONS - 2, FUNCTIONS);
    for (int i = 0; i < RANDOM_CALLS; i++) {
        union rt_value args[MAX_PARAMETERS] = {0};
        size_t function = next(&random) % FUNCTIONS;
        const char *parameters = guest_functions[function].parameters;
        for (size_t k = 0; parameters[k]; k++) {
            uint64_t kind = next(&random) % 8;
            if (kind < 5)
                set_sound(parameters, k, &random, args);
            else if (kind == 5)
                args[k] = hostile_value(parameters[k], next(&random) % hostile_count(parameters[k]));
            else if (parameters[k] == 'I')
                args[k].i64 = next(&random);
            else
                args[k].i32 = (uint32_t)next(&random);
        }
        call(function, args);
    }
    getrusage(RUSAGE_SELF, &usage);
    assert_in_range(usage.ru_maxrss - kib_before, 0, MOST_KIB_MORE);
    stop_guest();
    assert_int_equal(count_entries("/proc/self/fd"), open_files);
    assert_unchanged(&file, "outside/file");
    assert_unchanged(&folder, "outside");
    assert_int_equal(count_entries(base), 4); /* with . and .. */
    assert_int_equal(stat_of(".").st_nlink, base_before.st_nlink);
}

static void preview_1(void **state) {
    (void)state;
    variant = 0;
    hostile_calls();
}

static void snapshot_0(void **state) {
    (void)state;
    variant = GUEST_SNAPSHOT_0;
    hostile_calls();
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
    struct guest sound_guest;
    guest_open(&sound_guest,
               (struct rt_wasi_options){.args = words,
                                        .arg_count = 1,
                                        .env = words,
                                        .env_count = 1,
                                        .stdin_fd = -1,
                                        .stdout_fd = -1,
                                        .stderr_fd = -1,
                                        .deterministic = true},
               GUEST_FOLDER);
    assert_int_equal(guest_open_path(&sound_guest, 3, "file", 0, 1, 0x6f), 4);
    guest_put(&sound_guest, AT_PATH, "file", 4);
    guest_put(&sound_guest, AT_PATH_2, "othe", 4);
    guest_vector(&sound_guest, AT_VECTORS, AT_DATA, 8);
    for (size_t i = 0; i < RT_WASI_COUNT(calls); i++)
        for (unsigned k = 0; k < 9; k++) {
            static const uint32_t bad[] = {GUEST_SIZE - 1, GUEST_SIZE, GUEST_SIZE + 65536, 0x80000000,
                                           0xffffffff};
            for (size_t b = 0; b < RT_WASI_COUNT(bad) && calls[i].pointers >> k & 1; b++) {
                union rt_value args[9];
                memcpy(args, calls[i].args, sizeof args);
                args[k].i32 = bad[b];
                int result = guest_call_array(&sound_guest, calls[i].name, args);
                if (result != RT_WASI_EFAULT)
                    fail_msg("%s with argument %u at 0x%x is %d", calls[i].name, k, (unsigned)bad[b], result);
            }
        }
    assert_int_equal(guest_call(&sound_guest, "path_open", 3, 0, AT_PATH, 4, 0, (uint64_t)0, (uint64_t)0, 0,
                                GUEST_SIZE - 3),
                     RT_WASI_EFAULT);
    assert_int_equal(guest_open_path(&sound_guest, 3, "file", 0, 0, 0), 5); /* nothing was left open */
    guest_close(&sound_guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preview_1),
        cmocka_unit_test(snapshot_0),
        cmocka_unit_test(pointers_out_of_range),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
