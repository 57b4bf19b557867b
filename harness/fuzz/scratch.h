/* A folder in memory for a fuzz target's guest: "inside" is the guest's, "outside" must stay as it is.
 *
 * Each process has its own, below /dev/shm (else $TMPDIR or /tmp). A child of the process removes it when the
 * process is gone, however that ended, so that no run leaves files behind. */
#ifndef LOCKSTEP_HARNESS_FUZZ_SCRATCH_H
#define LOCKSTEP_HARNESS_FUZZ_SCRATCH_H

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness/fuzz/fuzz.h"

static char scratch_base[256];
static int scratch_folder = -1; /* scratch_base, opened */
static const char scratch_secret[] = "what the guest must not reach";

static inline int scratch_remove_one(const char *path, const struct stat *status, int type,
                                     struct FTW *place) {
    (void)status;
    (void)type;
    if (place->level > 0)
        remove(path);
    return 0;
}

/* Removes what is in a folder, links themselves and not what they lead to. */
static inline void scratch_empty(const char *path) {
    nftw(path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Waits for the end of the parent in a process that holds nothing else of it. */
static inline void scratch_start_remover(void) {
    int ends[2];
    fuzz_require(pipe(ends) == 0 && ends[0] > 0);
    fuzz_require(fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0);
    pid_t child = fork();
    fuzz_require(child >= 0);
    if (child > 0) {
        close(ends[0]); /* the other end closes with this process */
        return;
    }
    setsid(); /* Ctrl-C is for the parent */
    dup2(ends[0], 0);
    close_range(1, UINT_MAX, 0);
    char byte;
    while (read(0, &byte, 1) != 0)
        ;
    scratch_empty(scratch_base);
    rmdir(scratch_base);
    _exit(0);
}

static inline void scratch_create(void) {
    const char *parent = getenv("TMPDIR");
    if (access("/dev/shm", W_OK) == 0)
        parent = "/dev/shm";
    snprintf(scratch_base, sizeof scratch_base, "%s/lockstep-fuzz-XXXXXX", parent ? parent : "/tmp");
    fuzz_require(mkdtemp(scratch_base) != NULL);
    scratch_start_remover();
    scratch_folder = open(scratch_base, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(scratch_folder >= 0);
}

static inline void scratch_put_file(const char *name, const char *text) {
    int fd = openat(scratch_folder, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    fuzz_require(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

/* Makes the folder as every input finds it. */
static inline void scratch_fill(void) {
    if (scratch_folder < 0)
        scratch_create();
    scratch_empty(scratch_base);
    static const char *const folders[] = {"inside", "inside/folder", "inside/empty", "outside"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        fuzz_require(mkdirat(scratch_folder, folders[i], 0700) == 0);
    scratch_put_file("inside/file", "text of the file");
    scratch_put_file("inside/folder/file", "text");
    scratch_put_file("outside/file", scratch_secret);
    fuzz_require(symlinkat("file", scratch_folder, "inside/link") == 0);
    fuzz_require(symlinkat("../outside", scratch_folder, "inside/out") == 0);
}

static inline const char *scratch_inside(void) {
    static char path[sizeof scratch_base + sizeof "/inside"];
    snprintf(path, sizeof path, "%s/inside", scratch_base);
    return path;
}

/* Files of the guest stay small, whatever it asks for; the fuzzer's own need not. */
static inline void scratch_limit_files(bool limited) {
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    fuzz_require(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = limited && limit.rlim_max > 1 << 20 ? 1 << 20 : limit.rlim_max;
    fuzz_require(setrlimit(RLIMIT_FSIZE, &limit) == 0);
}

static inline unsigned scratch_count(const char *name) {
    int fd = openat(scratch_folder, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unsigned count = 0;
    DIR *folder = fdopendir(fd);
    fuzz_require(folder != NULL);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

/* Outside of the guest's folder all is as scratch_fill made it. */
static inline void scratch_check(void) {
    char text[sizeof scratch_secret + 1];
    struct stat status;
    fuzz_require(scratch_count(".") == 4 && scratch_count("outside") == 3); /* with . and .. */
    fuzz_require(fstatat(scratch_folder, "outside/file", &status, AT_SYMLINK_NOFOLLOW) == 0);
    fuzz_require(S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0600 && status.st_nlink == 1);
    fuzz_require(status.st_mtim.tv_sec == status.st_ctim.tv_sec &&
                 status.st_mtim.tv_nsec == status.st_ctim.tv_nsec);
    int fd = openat(scratch_folder, "outside/file", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text);
    fuzz_require(got == (ssize_t)strlen(scratch_secret) && memcmp(text, scratch_secret, (size_t)got) == 0);
    close(fd);
}

#endif
