/* While a guest opens paths, somebody outside swaps a folder on the way for a link that leads out: no call
 * ever gets there. */
#include "runtime/tests/test_wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>

enum { CREATE = 1, FOLLOW = 1, ROUNDS = 3000, MOST_ROUNDS = 1000000, EXCHANGE = 2 /* RENAME_EXCHANGE */ };

struct race {
    struct guest guest;
    int root; /* of the host: holds "swap" and "link", which is exchanged with it, both inside; and "outside"
               */
    atomic_bool is_over;
    unsigned swaps;
};

static void *swap(void *user) {
    struct race *race = user;
    while (!race->is_over) {
        if (syscall(SYS_renameat2, race->root, "inside/swap", race->root, "inside/link", EXCHANGE) == 0)
            race->swaps++;
    }
    return NULL;
}

static void make_file(int root, const char *name, const char *text) {
    int fd = openat(root, name, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

/* What a path on which somebody works may give, other than success: it led out, was a link, or the kernel
 * would not say after many attempts. */
static bool is_refusal(int errnum) {
    return errnum == RT_WASI_EPERM || errnum == RT_WASI_ELOOP || errnum == RT_WASI_EAGAIN ||
           errnum == RT_WASI_ENOTDIR || errnum == RT_WASI_ENOENT || errnum == RT_WASI_EEXIST;
}

/* Opens and reads; true when it could. */
static bool reads_inside(struct guest *guest, const char *path) {
    int fd = guest_open_path(guest, 3, path, FOLLOW, 0, RT_WASI_RIGHT_FD_READ);
    if (fd < 0) {
        assert_true(is_refusal(-fd));
        return false;
    }
    assert_int_equal(guest_read(guest, fd, 100), 6);
    assert_memory_equal(guest_memory(guest) + AT_DATA, "inside", 6);
    assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
    return true;
}

static void change_inside(struct guest *guest) {
    int fd = guest_open_path(guest, 3, "swap/made", FOLLOW, CREATE, RT_WASI_RIGHT_FD_WRITE);
    if (fd >= 0)
        assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
    int made = guest_call_path(guest, "path_create_directory", 3, "swap/folder");
    int removed = guest_call_path(guest, "path_remove_directory", 3, "swap/folder");
    int unlinked = guest_call_path(guest, "path_unlink_file", 3, "swap/made");
    guest_put(guest, AT_PATH_2, "stolen", 6);
    guest_put(guest, AT_PATH, "swap/file", 9);
    int linked = guest_call(guest, "path_link", 3, FOLLOW, AT_PATH, 9, 3, AT_PATH_2, 6);
    int dropped = guest_call_path(guest, "path_unlink_file", 3, "stolen");
    assert_true(fd >= 0 || is_refusal(-fd));
    assert_true(!made || is_refusal(made));
    assert_true(!removed || is_refusal(removed));
    assert_true(!unlinked || is_refusal(unlinked));
    assert_true(!linked || is_refusal(linked));
    assert_true(!dropped || is_refusal(dropped));
}

static void swapped_folder(void **state) {
    (void)state;
    static struct race race;
    char base[] = "/tmp/lockstep-wasi-XXXXXX", inside[64];
    assert_non_null(mkdtemp(base));
    snprintf(inside, sizeof inside, "%s/inside", base);
    race.root = open(base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(race.root >= 0);
    assert_int_equal(mkdirat(race.root, "inside", 0777), 0);
    assert_int_equal(mkdirat(race.root, "inside/swap", 0777), 0);
    assert_int_equal(mkdirat(race.root, "outside", 0777), 0);
    assert_int_equal(symlinkat("../outside", race.root, "inside/link"), 0);
    make_file(race.root, "inside/file", "inside");
    make_file(race.root, "inside/swap/file", "inside");
    make_file(race.root, "outside/file", "secret");
    struct stat before, after;
    assert_int_equal(fstatat(race.root, "outside", &before, 0), 0);

    struct rt_wasi_dir dir = {inside, "/"};
    guest_open(&race.guest,
               (struct rt_wasi_options){
                   .dirs = &dir, .dir_count = 1, .stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1},
               0);
    pthread_t swapper;
    assert_int_equal(pthread_create(&swapper, NULL, swap, &race), 0);
    unsigned read = 0, refused = 0, rounds = 0;
    /* Until the guest has met both what was there before and what came in its place. */
    while (rounds < ROUNDS || ((read == 0 || refused == 0) && rounds < MOST_ROUNDS)) {
        static const char *const paths[] = {"swap/file", "swap/../file", "link/file", "swap/../swap/file"};
        if (reads_inside(&race.guest, paths[rounds++ % RT_WASI_COUNT(paths)]))
            read++;
        else
            refused++;
        change_inside(&race.guest);
    }
    race.is_over = true;
    assert_int_equal(pthread_join(swapper, NULL), 0);
    assert_true(read > 0);
    assert_true(refused > 0);
    assert_true(race.swaps > 0);
    guest_close(&race.guest);

    assert_int_equal(fstatat(race.root, "outside", &after, 0), 0);
    assert_int_equal(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(fstatat(race.root, "outside/file", &after, 0), 0);
    assert_int_equal(after.st_nlink, 1);
    close(race.root);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", base);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(swapped_folder)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
