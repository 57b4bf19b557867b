/* Temporary folders: what a killed process has left goes, and nothing else does. */
#include "harness/temp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static struct hx_temp parent;

static const char *path_of(const char *name) {
    static char path[600];
    snprintf(path, sizeof path, "%s/%s", parent.path, name);
    return path;
}

static bool is_there(const char *name) {
    struct stat info;
    return lstat(path_of(name), &info) == 0;
}

static void make_older(const char *name, long hours) {
    struct timespec times[2] = {{0}, {0}};
    clock_gettime(CLOCK_REALTIME, &times[0]);
    times[0].tv_sec -= hours * 60 * 60;
    times[1] = times[0];
    assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, AT_SYMLINK_NOFOLLOW), 0);
}

/* A folder with a file in a folder in it. */
static void make_folder(const char *name, long hours) {
    char inner[200];
    assert_int_equal(mkdir(path_of(name), 0700), 0);
    snprintf(inner, sizeof inner, "%s/program", name);
    assert_int_equal(mkdir(path_of(inner), 0700), 0);
    snprintf(inner, sizeof inner, "%s/program/program.c", name);
    const int file = open(path_of(inner), O_WRONLY | O_CREAT, 0600);
    assert_true(file >= 0);
    close(file);
    make_older(name, hours);
}

static void test_abandoned(void **state) {
    struct hx_temp first, second;

    (void)state;
    make_folder("lockstep-oldone", 25);
    make_folder("lockstep-recent", 23);
    make_folder("lockstep-in-use", 100);
    make_folder("lockstep-longer-name", 100);
    make_folder("another-oldone", 100);
    assert_int_equal(symlink("another-oldone", path_of("lockstep-linked")), 0);
    make_older("lockstep-linked", 100);
    const int held = open(path_of("lockstep-in-use"), O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(held, LOCK_EX | LOCK_NB), 0);

    assert_null(hx_temp_create(&first));
    assert_false(is_there("lockstep-oldone"));
    assert_true(is_there("lockstep-recent"));
    assert_true(is_there("lockstep-in-use/program/program.c"));
    assert_true(is_there("lockstep-longer-name/program/program.c"));
    assert_true(is_there("another-oldone/program/program.c"));
    assert_true(is_there("lockstep-linked"));

    /* Its user has gone. */
    close(held);
    make_older(strrchr(first.path, '/') + 1, 100);
    assert_null(hx_temp_create(&second));
    assert_false(is_there("lockstep-in-use"));
    /* One that is in use stays, however old it is. */
    assert_int_equal(access(first.path, F_OK), 0);
    hx_temp_remove(&first);
    hx_temp_remove(&second);
    hx_temp_remove(&second);
}

static int set_up(void **state) {
    (void)state;
    assert_null(hx_temp_create(&parent));
    return setenv("TMPDIR", parent.path, 1);
}

static int tear_down(void **state) {
    (void)state;
    hx_temp_remove(&parent);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_abandoned)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
