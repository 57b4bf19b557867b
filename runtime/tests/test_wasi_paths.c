/* Paths: what they may name, and that no function lets one leave its folder. */
#include "runtime/tests/test_wasi.h"

#include <fcntl.h>
#include <sys/stat.h>

#define RIGHT(name) ((uint64_t)RT_WASI_RIGHT_##name)

enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8, FOLLOW = 1 };
static const uint64_t file_rights = RT_WASI_RIGHT_FD_READ | RT_WASI_RIGHT_FD_WRITE;

static int open_folder(void **state) {
    static struct guest guest;
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1},
               GUEST_FOLDER);
    *state = &guest;
    return 0;
}

static int close_folder(void **state) {
    guest_close(*state);
    return 0;
}

static void make_file(struct guest *guest, const char *path) {
    int fd = guest_open_path(guest, 3, path, 0, CREATE | EXCLUSIVE, file_rights);
    assert_true(fd > 0);
    assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
}

/* A function of two paths below descriptor 3: path_rename, and path_link with lookup flags. */
static int rename_path(struct guest *guest, const char *from, const char *to) {
    guest_put(guest, AT_PATH, from, strlen(from));
    guest_put(guest, AT_PATH_2, to, strlen(to));
    return guest_call(guest, "path_rename", 3, AT_PATH, (uint32_t)strlen(from), 3, AT_PATH_2,
                      (uint32_t)strlen(to));
}

static int link_path(struct guest *guest, unsigned lookup, const char *from, const char *to) {
    guest_put(guest, AT_PATH, from, strlen(from));
    guest_put(guest, AT_PATH_2, to, strlen(to));
    return guest_call(guest, "path_link", 3, lookup, AT_PATH, (uint32_t)strlen(from), 3, AT_PATH_2,
                      (uint32_t)strlen(to));
}

static int symlink_path(struct guest *guest, const char *target, const char *path) {
    guest_put(guest, AT_PATH, target, strlen(target));
    guest_put(guest, AT_PATH_2, path, strlen(path));
    return guest_call(guest, "path_symlink", AT_PATH, (uint32_t)strlen(target), 3, AT_PATH_2,
                      (uint32_t)strlen(path));
}

static int stat_path(struct guest *guest, unsigned lookup, const char *path) {
    guest_put(guest, AT_PATH, path, strlen(path));
    return guest_call(guest, "path_filestat_get", 3, lookup, AT_PATH, (uint32_t)strlen(path), AT_RESULT);
}

static int times_path(struct guest *guest, unsigned lookup, const char *path, uint64_t time) {
    guest_put(guest, AT_PATH, path, strlen(path));
    return guest_call(guest, "path_filestat_set_times", 3, lookup, AT_PATH, (uint32_t)strlen(path), time,
                      time, 5);
}

static int readlink_path(struct guest *guest, const char *path, uint32_t size) {
    guest_put(guest, AT_PATH, path, strlen(path));
    return guest_call(guest, "path_readlink", 3, AT_PATH, (uint32_t)strlen(path), AT_DATA, size, AT_RESULT);
}

static void opening(void **state) {
    struct guest *guest = *state;
    assert_int_equal(guest_open_path(guest, 3, "none", 0, 0, file_rights), -RT_WASI_ENOENT);
    make_file(guest, "file");
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder"), RT_WASI_ESUCCESS);
    make_file(guest, "folder/.././folder//inner");
    assert_int_equal(guest_open_path(guest, 3, "file", 0, DIRECTORY, 0), -RT_WASI_ENOTDIR);
    assert_int_equal(guest_open_path(guest, 3, "file/", 0, 0, 0), -RT_WASI_ENOTDIR);
    assert_int_equal(guest_open_path(guest, 3, "folder", 0, 0, file_rights), -RT_WASI_EISDIR);
    assert_int_equal(guest_open_path(guest, 3, "file", 2, 0, 0), -RT_WASI_EINVAL);
    assert_int_equal(guest_open_path(guest, 3, "file", 0, 16, 0), -RT_WASI_EINVAL);
    assert_int_equal(guest_open_path(guest, 9, "file", 0, 0, 0), -RT_WASI_EBADF);
    assert_int_equal(guest_open_path(guest, 1, "file", 0, 0, 0), -RT_WASI_ENOTDIR);

    int fd = guest_open_path(guest, 3, "file", 0, 0, file_rights);
    assert_int_equal(guest_write_text(guest, fd, "text"), 4);
    assert_true(guest_open_path(guest, 3, "file", 0, TRUNCATE, file_rights) > 0);
    assert_int_equal(stat_path(guest, 0, "file"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 32, 8), 0);
}

static void names_that_are_none(void **state) {
    struct guest *guest = *state;
    assert_int_equal(stat_path(guest, 0, ""), RT_WASI_ENOENT);
    guest_put(guest, AT_PATH, "a\0b", 3);
    assert_int_equal(guest_call(guest, "path_unlink_file", 3, AT_PATH, 3), RT_WASI_EINVAL);
    static const char *const not_utf8[] = {"\x80",         "\xc0\xaf",         "\xed\xa0\x80",
                                           "\xf5\x80\x80", "\xf0\x8f\xbf\xbf", "\xe2\x82"};
    for (size_t i = 0; i < RT_WASI_COUNT(not_utf8); i++)
        assert_int_equal(stat_path(guest, 0, not_utf8[i]), RT_WASI_EILSEQ);
    static const char *const is_utf8[] = {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\x80", "\xee\x80\x80"};
    for (size_t i = 0; i < RT_WASI_COUNT(is_utf8); i++)
        assert_int_equal(stat_path(guest, 0, is_utf8[i]), RT_WASI_ENOENT);
    memset(guest_memory(guest) + AT_DATA, 'a', 70000);
    assert_int_equal(guest_call(guest, "path_unlink_file", 3, AT_DATA, 256), RT_WASI_ENAMETOOLONG);
    assert_int_equal(guest_call(guest, "path_unlink_file", 3, AT_DATA, 70000), RT_WASI_ENAMETOOLONG);
    assert_int_equal(guest_call(guest, "path_unlink_file", 3, GUEST_SIZE - 1, 2), RT_WASI_EFAULT);
    assert_int_equal(guest_call(guest, "path_unlink_file", 3, AT_DATA, 0xffffffff), RT_WASI_EFAULT);
}

static void entries(void **state) {
    struct guest *guest = *state;
    make_file(guest, "a");
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder/"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder"), RT_WASI_EEXIST);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder/.."), RT_WASI_EEXIST);
    assert_int_equal(rename_path(guest, "a", "folder/b"), RT_WASI_ESUCCESS);
    assert_int_equal(rename_path(guest, "folder/b/", "c"), RT_WASI_ENOTDIR);
    assert_int_equal(link_path(guest, 0, "folder/b", "c"), RT_WASI_ESUCCESS);
    assert_int_equal(link_path(guest, 0, "folder/b", "c"), RT_WASI_EEXIST);
    assert_int_equal(link_path(guest, 0, "folder", "d"), RT_WASI_EPERM);
    assert_int_equal(link_path(guest, 0, "folder/", "d"), RT_WASI_EPERM);
    assert_int_equal(link_path(guest, 0, "c/", "d"), RT_WASI_ENOTDIR);
    assert_int_equal(link_path(guest, 2, "c", "d"), RT_WASI_EINVAL);
    assert_int_equal(stat_path(guest, 0, "c"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 24, 8), 2);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "folder"), RT_WASI_ENOTEMPTY);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "folder/b"), RT_WASI_ENOTDIR);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "folder"), RT_WASI_EISDIR);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "folder/b/"), RT_WASI_ENOTDIR);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "folder/b"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "folder//"), RT_WASI_ESUCCESS);
}

static void symbolic_links(void **state) {
    struct guest *guest = *state;
    make_file(guest, "file");
    assert_int_equal(symlink_path(guest, "file", "link"), RT_WASI_ESUCCESS);
    assert_int_equal(symlink_path(guest, "file", "link"), RT_WASI_EEXIST);
    assert_int_equal(symlink_path(guest, "file", "slash/"), RT_WASI_ENOENT);
    assert_int_equal(symlink_path(guest, "/etc", "absolute"), RT_WASI_EPERM);
    assert_int_equal(readlink_path(guest, "link", 100), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 4);
    assert_memory_equal(guest_memory(guest) + AT_DATA, "file", 4);
    assert_int_equal(readlink_path(guest, "link", 2), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 2);
    assert_int_equal(readlink_path(guest, "file", 100), RT_WASI_EINVAL);

    assert_int_equal(guest_open_path(guest, 3, "link", 0, 0, file_rights), -RT_WASI_ELOOP);
    assert_true(guest_open_path(guest, 3, "link", FOLLOW, 0, file_rights) > 0);
    assert_int_equal(stat_path(guest, 0, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 1), RT_WASI_SYMBOLIC_LINK);
    assert_int_equal(stat_path(guest, FOLLOW, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 1), RT_WASI_REGULAR_FILE);
    assert_int_equal(times_path(guest, FOLLOW, "link", 5000000000), RT_WASI_ESUCCESS);
    assert_int_equal(times_path(guest, 0, "link", 7000000000), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, FOLLOW, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 48, 8), 5000000000);
    assert_int_equal(stat_path(guest, 0, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 48, 8), 7000000000);

    assert_int_equal(link_path(guest, 0, "link", "link to the link"), RT_WASI_ESUCCESS);
    assert_int_equal(link_path(guest, FOLLOW, "link", "link to the file"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "link to the link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 1), RT_WASI_SYMBOLIC_LINK);
    assert_int_equal(stat_path(guest, 0, "link to the file"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 1), RT_WASI_REGULAR_FILE);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "file"), RT_WASI_ESUCCESS);
}

static void creating(void **state) {
    struct guest *guest = *state;
    /* No folder is made by opening, and no file in its place. */
    assert_int_equal(guest_open_path(guest, 3, "new", 0, CREATE | DIRECTORY, 0), -RT_WASI_EINVAL);
    assert_int_equal(guest_open_path(guest, 3, "new/", 0, CREATE, file_rights), -RT_WASI_EISDIR);
    assert_int_equal(guest_open_path(guest, 3, "none/new", 0, CREATE, file_rights), -RT_WASI_ENOENT);
    assert_int_equal(stat_path(guest, 0, "new"), RT_WASI_ENOENT);
    make_file(guest, "file");
    assert_int_equal(guest_open_path(guest, 3, "file/new", 0, CREATE, file_rights), -RT_WASI_ENOTDIR);
    assert_int_equal(guest_open_path(guest, 3, "file/..", 0, 0, 0), -RT_WASI_ENOTDIR);
    assert_int_equal(guest_open_path(guest, 3, ".", 0, CREATE, file_rights), -RT_WASI_EISDIR);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "file"), RT_WASI_EEXIST);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "none/folder"), RT_WASI_ENOENT);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "."), RT_WASI_EEXIST);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "./folder//"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_open_path(guest, 3, "folder//", 0, TRUNCATE, file_rights), -RT_WASI_EISDIR);
    assert_true(guest_open_path(guest, 3, "folder/.././folder/", 0, DIRECTORY, 0) > 0);
}

/* A link to nothing is there, and so is in the way; what follows it makes its target, inside. */
static void dangling_links(void **state) {
    struct guest *guest = *state;
    assert_int_equal(symlink_path(guest, "target", "link"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, FOLLOW, "link"), RT_WASI_ENOENT);
    assert_int_equal(stat_path(guest, 0, "link/"), RT_WASI_ENOENT);
    assert_int_equal(stat_path(guest, 0, "link"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_open_path(guest, 3, "link", FOLLOW, 0, file_rights), -RT_WASI_ENOENT);
    assert_int_equal(guest_open_path(guest, 3, "link", 0, CREATE, file_rights), -RT_WASI_ELOOP);
    assert_int_equal(guest_open_path(guest, 3, "link", FOLLOW, CREATE | EXCLUSIVE, file_rights),
                     -RT_WASI_EEXIST);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "link"), RT_WASI_EEXIST);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "link"), RT_WASI_ENOTDIR);
    assert_int_equal(link_path(guest, FOLLOW, "link", "other"), RT_WASI_ENOENT);
    assert_int_equal(stat_path(guest, 0, "target"), RT_WASI_ENOENT);
    assert_true(guest_open_path(guest, 3, "link", FOLLOW, CREATE, file_rights) > 0);
    assert_int_equal(stat_path(guest, 0, "target"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "link"), RT_WASI_ESUCCESS);

    /* Links that never end, and one to a folder. */
    assert_int_equal(symlink_path(guest, "b", "a"), RT_WASI_ESUCCESS);
    assert_int_equal(symlink_path(guest, "a", "b"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_open_path(guest, 3, "a", FOLLOW, 0, 0), -RT_WASI_ELOOP);
    assert_int_equal(guest_open_path(guest, 3, "a/file", 0, 0, 0), -RT_WASI_ELOOP);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "a/x"), RT_WASI_ELOOP);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder"), RT_WASI_ESUCCESS);
    assert_int_equal(symlink_path(guest, "folder", "to-folder"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "to-folder"), RT_WASI_ENOTDIR);
    assert_int_equal(guest_call_path(guest, "path_remove_directory", 3, "to-folder/"), RT_WASI_ENOTDIR);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "to-folder/x"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "folder/x"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", 3, "to-folder"), RT_WASI_ESUCCESS);
}

static void renaming(void **state) {
    struct guest *guest = *state;
    make_file(guest, "a");
    make_file(guest, "b");
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "empty"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder/inner"), RT_WASI_ESUCCESS);
    assert_int_equal(rename_path(guest, "a", "a"), RT_WASI_ESUCCESS);
    assert_int_equal(rename_path(guest, "none", "c"), RT_WASI_ENOENT);
    assert_int_equal(rename_path(guest, "a", "none/c"), RT_WASI_ENOENT);
    assert_int_equal(rename_path(guest, "a", "folder"), RT_WASI_EISDIR);
    assert_int_equal(rename_path(guest, "folder", "a"), RT_WASI_ENOTDIR);
    assert_int_equal(rename_path(guest, "a", "c/"), RT_WASI_ENOTDIR);
    assert_int_equal(rename_path(guest, "empty", "folder"), RT_WASI_ENOTEMPTY);
    assert_int_equal(rename_path(guest, "folder", "folder/inner/deeper"), RT_WASI_EINVAL);
    assert_int_equal(rename_path(guest, ".", "moved"), RT_WASI_EBUSY);
    assert_int_equal(rename_path(guest, "folder/..", "moved"), RT_WASI_EBUSY);
    assert_int_equal(rename_path(guest, "a", "b"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "a"), RT_WASI_ENOENT);
    assert_int_equal(rename_path(guest, "folder/", "empty/"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "empty/inner"), RT_WASI_ESUCCESS);
    /* A link is renamed itself, and replaced itself. */
    assert_int_equal(symlink_path(guest, "b", "link"), RT_WASI_ESUCCESS);
    assert_int_equal(rename_path(guest, "link", "moved"), RT_WASI_ESUCCESS);
    assert_int_equal(readlink_path(guest, "moved", 100), RT_WASI_ESUCCESS);
    make_file(guest, "c");
    assert_int_equal(rename_path(guest, "c", "moved"), RT_WASI_ESUCCESS);
    assert_int_equal(stat_path(guest, 0, "b"), RT_WASI_ESUCCESS);
    assert_int_equal(readlink_path(guest, "moved", 100), RT_WASI_EINVAL);
}

/* ---- Escapes ---- */

/* Tries each function on one path that leads outside; none may get there. */
static void try_all(struct guest *guest, const char *path) {
    static const char *const of_one_path[] = {"path_create_directory", "path_remove_directory",
                                              "path_unlink_file"};
    for (unsigned lookup = 0; lookup < 2; lookup++) {
        assert_true(guest_open_path(guest, 3, path, lookup, 0, 0) < 0);
        assert_true(guest_open_path(guest, 3, path, lookup, CREATE, file_rights) < 0);
        assert_true(guest_open_path(guest, 3, path, lookup, DIRECTORY, 0) < 0);
        assert_int_not_equal(stat_path(guest, lookup, path), RT_WASI_ESUCCESS);
        assert_int_not_equal(times_path(guest, lookup, path, 0), RT_WASI_ESUCCESS);
        assert_int_not_equal(link_path(guest, lookup, path, "stolen"), RT_WASI_ESUCCESS);
        assert_int_not_equal(link_path(guest, lookup, "mine", path), RT_WASI_ESUCCESS);
    }
    for (size_t i = 0; i < RT_WASI_COUNT(of_one_path); i++)
        assert_int_not_equal(guest_call_path(guest, of_one_path[i], 3, path), RT_WASI_ESUCCESS);
    assert_int_not_equal(rename_path(guest, path, "stolen"), RT_WASI_ESUCCESS);
    assert_int_not_equal(rename_path(guest, "mine", path), RT_WASI_ESUCCESS);
    assert_int_not_equal(symlink_path(guest, "mine", path), RT_WASI_ESUCCESS);
    assert_int_not_equal(readlink_path(guest, path, 100), RT_WASI_ESUCCESS);
}

static void host_path(const struct guest *guest, const char *name, char ret[256]) {
    snprintf(ret, 256, "%s/%s", guest->folder, name);
}

/* The guest's folder is "inside" of the test's; "outside" lies beside it. */
static void escapes(void **state) {
    struct guest *guest = *state;
    char path[256], outside_file[256], outside_folder[256], link[256];
    host_path(guest, "inside", path);
    assert_int_equal(mkdir(path, 0777), 0);
    host_path(guest, "outside", outside_folder);
    assert_int_equal(mkdir(outside_folder, 0777), 0);
    host_path(guest, "outside/file", outside_file);
    int host = open(outside_file, O_CREAT | O_WRONLY, 0666);
    assert_true(host >= 0);
    assert_int_equal(write(host, "secret", 6), 6);
    close(host);
    struct stat before, after;
    assert_int_equal(stat(outside_file, &before), 0);

    /* Links that a program of the host made. */
    host_path(guest, "inside/to-folder", link);
    assert_int_equal(symlink("../outside", link), 0);
    host_path(guest, "inside/to-nothing", link);
    assert_int_equal(symlink("../outside/new", link), 0);
    host_path(guest, "inside/absolute", link);
    assert_int_equal(symlink(outside_folder, link), 0);
    host_path(guest, "inside/magic", link);
    assert_int_equal(symlink("/proc/self/root", link), 0);
    assert_int_equal(guest_call(guest, "fd_fdstat_get", 3, AT_RESULT), RT_WASI_ESUCCESS);
    uint64_t rights = guest_get(guest, AT_RESULT + 8, 8);
    int inside = guest_open_path(guest, 3, "inside", 0, DIRECTORY, rights);
    assert_true(inside > 3);
    assert_int_equal(guest_call(guest, "fd_renumber", inside, 3), RT_WASI_ESUCCESS);
    make_file(guest, "mine");
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "folder"), RT_WASI_ESUCCESS);

    static const char *const paths[] = {
        "..",
        "../",
        "../outside",
        "../outside/file",
        "../outside/new",
        "folder/../../outside/file",
        "folder/../..",
        "./..",
        "/",
        "/etc/passwd",
        "//tmp",
        "to-folder/file",
        "to-folder/new",
        "to-folder/..",
        "to-folder/.",
        "to-folder/",
        "to-nothing/",
        "absolute/file",
        "absolute/",
        "magic/etc/passwd",
    };
    for (size_t i = 0; i < RT_WASI_COUNT(paths); i++)
        try_all(guest, paths[i]);

    /* What follows a last link does not get out either. */
    assert_int_equal(guest_open_path(guest, 3, "to-folder", FOLLOW, DIRECTORY, 0), -RT_WASI_EPERM);
    assert_int_equal(guest_open_path(guest, 3, "to-nothing", FOLLOW, CREATE, file_rights), -RT_WASI_EPERM);
    assert_int_equal(guest_open_path(guest, 3, "../outside/file", 0, 0, 0), -RT_WASI_EPERM);
    assert_int_equal(guest_open_path(guest, 3, "/etc/passwd", 0, 0, 0), -RT_WASI_EPERM);
    assert_int_equal(stat_path(guest, FOLLOW, "absolute"), RT_WASI_EPERM);
    assert_int_equal(link_path(guest, FOLLOW, "to-folder", "stolen"), RT_WASI_EPERM);

    /* Links that the guest makes itself lead nowhere else. */
    assert_int_equal(symlink_path(guest, "../outside/file", "own"), RT_WASI_ESUCCESS);
    assert_int_equal(guest_open_path(guest, 3, "own", FOLLOW, 0, 0), -RT_WASI_EPERM);
    assert_int_equal(stat_path(guest, FOLLOW, "own"), RT_WASI_EPERM);

    assert_int_equal(stat(outside_file, &after), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_nlink, after.st_nlink);
    assert_int_equal(after.st_size, 6);
    host_path(guest, "outside/new", path);
    assert_int_equal(access(path, F_OK), -1);
}

/* A folder that is moved out while the guest has it open takes nothing else along. */
static void moved_folder(void **state) {
    struct guest *guest = *state;
    char from[256], to[256];
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "a"), RT_WASI_ESUCCESS);
    int folder = guest_open_path(guest, 3, "a", 0, DIRECTORY, RIGHT(PATH_OPEN) | RIGHT(PATH_UNLINK_FILE));
    assert_true(folder > 3);
    host_path(guest, "a", from);
    snprintf(to, sizeof to, "%s-moved", guest->folder);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(guest_open_path(guest, folder, "../etc", 0, 0, 0), -RT_WASI_EPERM);
    assert_int_equal(guest_call_path(guest, "path_unlink_file", folder, "../x"), RT_WASI_EPERM);
    assert_int_equal(rmdir(to), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(opening, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(names_that_are_none, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(entries, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(symbolic_links, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(creating, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(dangling_links, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(renaming, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(escapes, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(moved_folder, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
