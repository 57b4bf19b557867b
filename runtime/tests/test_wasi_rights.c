/* Rights: what each function needs, what a folder hands down, what is given up for good; and which rights the
 * streams of the embedder have. */
#include "runtime/tests/test_wasi.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#define RIGHT(name) ((uint64_t)RT_WASI_RIGHT_##name)

enum { CREATE = 1, DIRECTORY = 2, TRUNCATE = 8 };
enum { SEEK_TO = 0, SEEK_BY = 1 };
static const struct rt_wasi_options no_streams = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};

static uint64_t base_of(struct guest *guest, int fd) {
    assert_int_equal(guest_call(guest, "fd_fdstat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    return guest_get(guest, AT_RESULT + 8, 8);
}

static uint64_t inheriting_of(struct guest *guest, int fd) {
    assert_int_equal(guest_call(guest, "fd_fdstat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    return guest_get(guest, AT_RESULT + 16, 8);
}

/* Calls with a descriptor that has all rights but one, then with that one too. Its place is 0xfd below. */
enum { FD = 0xfd };
#define I(value) {.i32 = (value)}
#define L(value) {.i64 = (value)}
static const struct needed {
    const char *name;
    uint64_t right;
    union rt_value args[9];
} needed[] = {
    {"fd_advise", RIGHT(FD_ADVISE), {I(FD), L(0), L(1), I(0)}},
    {"fd_allocate", RIGHT(FD_ALLOCATE), {I(FD), L(0), L(1)}},
    {"fd_datasync", RIGHT(FD_DATASYNC), {I(FD)}},
    {"fd_sync", RIGHT(FD_SYNC), {I(FD)}},
    {"fd_fdstat_set_flags", RIGHT(FD_FDSTAT_SET_FLAGS), {I(FD), I(0)}},
    {"fd_filestat_get", RIGHT(FD_FILESTAT_GET), {I(FD), I(AT_RESULT)}},
    {"fd_filestat_set_size", RIGHT(FD_FILESTAT_SET_SIZE), {I(FD), L(1)}},
    {"fd_filestat_set_times", RIGHT(FD_FILESTAT_SET_TIMES), {I(FD), L(0), L(0), I(0)}},
    {"fd_read", RIGHT(FD_READ), {I(FD), I(AT_VECTORS), I(1), I(AT_RESULT)}},
    {"fd_pread", RIGHT(FD_READ), {I(FD), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}},
    {"fd_pread", RIGHT(FD_SEEK), {I(FD), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}},
    {"fd_write", RIGHT(FD_WRITE), {I(FD), I(AT_VECTORS), I(1), I(AT_RESULT)}},
    {"fd_pwrite", RIGHT(FD_WRITE), {I(FD), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}},
    {"fd_pwrite", RIGHT(FD_SEEK), {I(FD), I(AT_VECTORS), I(1), L(0), I(AT_RESULT)}},
    {"fd_seek", RIGHT(FD_SEEK), {I(FD), L(1), I(SEEK_BY), I(AT_RESULT)}},
};
static const struct needed needed_of_folder[] = {
    {"fd_readdir", RIGHT(FD_READDIR), {I(FD), I(AT_DATA), I(100), L(0), I(AT_RESULT)}},
    {"path_create_directory", RIGHT(PATH_CREATE_DIRECTORY), {I(FD), I(AT_PATH_2), I(1)}},
    {"path_remove_directory", RIGHT(PATH_REMOVE_DIRECTORY), {I(FD), I(AT_PATH_2), I(1)}},
    {"path_symlink", RIGHT(PATH_SYMLINK), {I(AT_PATH), I(4), I(FD), I(AT_PATH_2), I(1)}},
    {"path_readlink", RIGHT(PATH_READLINK), {I(FD), I(AT_PATH_2), I(1), I(AT_DATA), I(9), I(AT_RESULT)}},
    {"path_unlink_file", RIGHT(PATH_UNLINK_FILE), {I(FD), I(AT_PATH_2), I(1)}},
    {"path_link", RIGHT(PATH_LINK_SOURCE), {I(FD), I(0), I(AT_PATH), I(4), I(3), I(AT_PATH_2), I(1)}},
    {"path_link", RIGHT(PATH_LINK_TARGET), {I(3), I(0), I(AT_PATH), I(4), I(FD), I(AT_PATH_2), I(2)}},
    {"path_rename", RIGHT(PATH_RENAME_SOURCE), {I(FD), I(AT_PATH_2), I(1), I(3), I(AT_PATH_2), I(3)}},
    {"path_rename", RIGHT(PATH_RENAME_TARGET), {I(3), I(AT_PATH_2), I(3), I(FD), I(AT_PATH_2), I(1)}},
    {"path_filestat_get", RIGHT(PATH_FILESTAT_GET), {I(FD), I(0), I(AT_PATH), I(4), I(AT_RESULT)}},
    {"path_filestat_set_times",
     RIGHT(PATH_FILESTAT_SET_TIMES),
     {I(FD), I(0), I(AT_PATH), I(4), L(0), L(0), I(0)}},
    {"path_open", RIGHT(PATH_OPEN), {I(FD), I(0), I(AT_PATH), I(4), I(0), L(0), L(0), I(0), I(AT_RESULT)}},
    {"path_open",
     RIGHT(PATH_CREATE_FILE),
     {I(FD), I(0), I(AT_PATH), I(4), I(CREATE), L(0), L(0), I(0), I(AT_RESULT)}},
    {"path_open",
     RIGHT(PATH_FILESTAT_SET_SIZE),
     {I(FD), I(0), I(AT_PATH), I(4), I(TRUNCATE), L(0), L(0), I(0), I(AT_RESULT)}},
};
#undef I
#undef L

static int call_with(struct guest *guest, const struct needed *call, int fd) {
    union rt_value args[9];
    memcpy(args, call->args, sizeof args);
    for (size_t i = 0; i < RT_WASI_COUNT(args); i++)
        if (args[i].i64 == FD)
            args[i].i32 = (uint32_t)fd;
    guest_put(guest, AT_PATH, "file", 4);
    guest_put(guest, AT_PATH_2, "new", 3);
    guest_vector(guest, AT_VECTORS, AT_DATA, 4);
    return guest_call_array(guest, call->name, args);
}

static void check_needed(const char *path, unsigned oflags, uint64_t open_rights, const struct needed *calls,
                         size_t count) {
    struct guest guest;
    guest_open(&guest, no_streams, GUEST_FOLDER);
    assert_true(guest_open_path(&guest, 3, "file", 0, CREATE, 0) > 0);
    for (size_t i = 0; i < count; i++) {
        int with = guest_open_path(&guest, 3, path, 0, oflags, open_rights);
        int without = guest_open_path(&guest, 3, path, 0, oflags, open_rights);
        assert_true(with > 0 && without > 0);
        uint64_t all = base_of(&guest, with);
        assert_int_equal(all & calls[i].right, calls[i].right);
        assert_int_equal(guest_call(&guest, "fd_fdstat_set_rights", without, all & ~calls[i].right,
                                    inheriting_of(&guest, without)),
                         RT_WASI_ESUCCESS);
        int refused = call_with(&guest, &calls[i], without);
        if (refused != RT_WASI_ENOTCAPABLE)
            fail_msg("%s (row %zu) without its right: %d", calls[i].name, i, refused);
        int allowed = call_with(&guest, &calls[i], with);
        if (allowed != RT_WASI_ESUCCESS)
            fail_msg("%s (row %zu) with its right: %d", calls[i].name, i, allowed);
        /* A right that was given up does not come back. */
        assert_int_equal(guest_call(&guest, "fd_fdstat_set_rights", without, all, (uint64_t)0),
                         RT_WASI_ENOTCAPABLE);
    }
    guest_close(&guest);
}

static void rights_of_files(void **state) {
    (void)state;
    check_needed("file", 0, RT_WASI_RIGHTS_ALL, needed, RT_WASI_COUNT(needed));
}

static void rights_of_folders(void **state) {
    (void)state;
    /* In this order each leaves what the next needs. */
    check_needed(".", DIRECTORY,
                 RT_WASI_RIGHTS_ALL & ~(RIGHT(FD_WRITE) | RIGHT(FD_ALLOCATE) | RIGHT(FD_FILESTAT_SET_SIZE)),
                 needed_of_folder, RT_WASI_COUNT(needed_of_folder));
}

/* witx: fd_seek implies fd_tell; fd_tell includes a seek that leaves the position as it is. */
static void telling_and_seeking(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, no_streams, GUEST_FOLDER);
    int fd = guest_open_path(&guest, 3, "file", 0, CREATE, RIGHT(FD_TELL) | RIGHT(FD_READ));
    assert_int_equal(guest_call(&guest, "fd_tell", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)0, SEEK_BY, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)1, SEEK_BY, AT_RESULT), RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)0, SEEK_TO, AT_RESULT), RT_WASI_ENOTCAPABLE);
    fd = guest_open_path(&guest, 3, "file", 0, 0, RIGHT(FD_SEEK) | RIGHT(FD_READ));
    assert_int_equal(guest_call(&guest, "fd_tell", fd, AT_RESULT), RT_WASI_ESUCCESS);
    fd = guest_open_path(&guest, 3, "file", 0, 0, RIGHT(FD_READ));
    assert_int_equal(guest_call(&guest, "fd_tell", fd, AT_RESULT), RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)0, SEEK_BY, AT_RESULT), RT_WASI_ENOTCAPABLE);
    guest_close(&guest);
}

/* ---- Streams of the embedder ---- */

/* A pipe has no position: seeking is refused in the way that C libraries turn into ESPIPE. */
static void pipes(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = ends[1], .stderr_fd = -1}, 0);
    assert_int_equal(base_of(&guest, 1) & (RIGHT(FD_SEEK) | RIGHT(FD_TELL) | RIGHT(FD_READ)), 0);
    assert_int_equal(guest_call(&guest, "fd_seek", 1, (uint64_t)0, SEEK_BY, AT_RESULT), RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(&guest, "fd_tell", 1, AT_RESULT), RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(&guest, "fd_pwrite", 1, AT_VECTORS, 0, (uint64_t)0, AT_RESULT),
                     RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_write_text(&guest, 1, "text"), 4);
    close(ends[0]);
    assert_int_equal(guest_write_text(&guest, 1, "text"), -RT_WASI_EPIPE);
    guest_close(&guest);
    close(ends[1]);
}

/* Writing to a socket whose peer is gone raises no signal, whatever the embedder does about SIGPIPE. */
static void sockets(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = ends[0], .stderr_fd = -1}, 0);
    assert_int_equal(guest_write_text(&guest, 1, "text"), 4);
    close(ends[1]);
    assert_int_equal(guest_write_text(&guest, 1, "text"), -RT_WASI_EPIPE);
    guest_close(&guest);
    close(ends[0]);
}

/* Only preopened folders are a guest's to look into, not one that some shell made its standard input. */
static void folder_as_a_stream(void **state) {
    (void)state;
    struct guest guest;
    int folder = open("/", O_RDONLY | O_DIRECTORY);
    assert_true(folder >= 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = folder, .stdout_fd = -1, .stderr_fd = -1}, 0);
    assert_int_equal(base_of(&guest, 0), RIGHT(FD_FILESTAT_GET));
    assert_int_equal(inheriting_of(&guest, 0), 0);
    assert_int_equal(guest_call(&guest, "fd_prestat_get", 0, AT_RESULT), RT_WASI_EBADF);
    assert_int_equal(guest_open_path(&guest, 0, "etc", 0, DIRECTORY, 0), -RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(&guest, "fd_readdir", 0, AT_DATA, 100, (uint64_t)0, AT_RESULT),
                     RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_read(&guest, 0, 1), -RT_WASI_ENOTCAPABLE);
    guest_close(&guest);
    close(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rights_of_files),
        cmocka_unit_test(rights_of_folders),
        cmocka_unit_test(telling_and_seeking),
        cmocka_unit_test(pipes),
        cmocka_unit_test(sockets),
        cmocka_unit_test(folder_as_a_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
