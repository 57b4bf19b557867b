/* What every program of the WASI generator starts with: includes, its two digests, and the helper functions
 * that it uses. */
#include "harness/generate_wasi.h"

#include <stdlib.h>
#include <string.h>

static const char includes[] =
    "#include <dirent.h>\n"
    "#include <errno.h>\n"
    "#include <fcntl.h>\n"
    "#include <poll.h>\n"
    "#include <sched.h>\n"
    "#include <stdint.h>\n"
    "#include <stdio.h>\n"
    "#include <stdlib.h>\n"
    "#include <string.h>\n"
    "#include <sys/stat.h>\n"
    "#include <sys/time.h>\n"
    "#include <sys/uio.h>\n"
    "#include <time.h>\n"
    "#include <unistd.h>\n"
    "#include <wasi/api.h>\n"
    "#include <wasi/libc.h>\n"
    "\n"
    "/* What depends on the host is digested here; all else in what functions pass on as x. */\n"
    "static uint32_t ambient = 2166136261u;\n";

/* In the order of their use of each other: a helper calls those above it. */
static const struct helper {
    const char *name, *text;
} helpers[] = {
    {"mix", "/* Takes a value into a digest. */\n"
            "static uint32_t mix(uint32_t x, uint32_t value) {\n"
            "    x = (x ^ value) * 16777619u;\n"
            "    return x ^ x >> 15;\n"
            "}\n"},
    {"mix_bytes", "static uint32_t mix_bytes(uint32_t x, const void *bytes, size_t size) {\n"
                  "    for (size_t i = 0; i < size; i++)\n"
                  "        x = (x ^ ((const unsigned char *)bytes)[i]) * 16777619u;\n"
                  "    return x ^ x >> 15;\n"
                  "}\n"},
    {"step", "/* Takes a call's result into a digest; of one that failed, the reason. */\n"
             "static uint32_t step(uint32_t x, const char *call, int64_t result) {\n"
             "    if (result == -1)\n"
             "        result = -errno;\n"
             "#ifdef SHOW_STEPS\n"
             "    printf(\"    %s: %lld\\n\", call, (long long)result);\n"
             "#else\n"
             "    (void)call;\n"
             "#endif\n"
             "    return mix(mix(x, (uint32_t)result), (uint32_t)((uint64_t)result >> 32));\n"
             "}\n"},
    {"step_fails", "/* The same for a call that must fail, where the reason is the host's choice. */\n"
                   "static uint32_t step_fails(uint32_t x, const char *call, int64_t result) {\n"
                   "    return step(x, call, result != 0);\n"
                   "}\n"},
    {"observe", "/* Digests what depends on the host. */\n"
                "static void observe(const void *bytes, size_t size) {\n"
                "    ambient = mix_bytes(ambient, bytes, size);\n"
                "}\n"},
    {"fill", "/* Fills a buffer with printable bytes that depend on x. */\n"
             "static void fill(unsigned char *bytes, size_t size, uint32_t x) {\n"
             "    for (size_t i = 0; i < size; i++) {\n"
             "        x = x * 1664525u + 1013904223u;\n"
             "        bytes[i] = (unsigned char)(' ' + (x >> 24) % 95);\n"
             "    }\n"
             "}\n"},
    {"read_all", "/* Reads what is left of a file, at most `size` bytes at a time. */\n"
                 "static uint32_t read_all(uint32_t x, int fd, unsigned char *bytes, size_t size) {\n"
                 "    ssize_t got = 1;\n"
                 "    for (int turn = 0; turn < 40 && got > 0; turn++) {\n"
                 "        got = read(fd, bytes, size);\n"
                 "        x = step(x, \"read\", got);\n"
                 "        if (got > 0)\n"
                 "            x = mix_bytes(x, bytes, (size_t)got);\n"
                 "    }\n"
                 "    return x;\n"
                 "}\n"},
    {"mix_stat", "/* Digests what a file is; size and links of a folder are the file system's choice. */\n"
                 "static uint32_t mix_stat(uint32_t x, const struct stat *info) {\n"
                 "    observe(info, sizeof *info);\n"
                 "    x = mix(x, (uint32_t)(info->st_mode & S_IFMT));\n"
                 "    if (!S_ISREG(info->st_mode))\n"
                 "        return x;\n"
                 "    return step(step(x, \"size\", info->st_size), \"links\", (int64_t)info->st_nlink);\n"
                 "}\n"},
    {"list", "/* Digests a folder's names, in whatever order they come. */\n"
             "static uint32_t list(uint32_t x, const char *path) {\n"
             "    uint32_t sum = 0;\n"
             "    DIR *folder = opendir(path);\n"
             "    x = step(x, \"opendir\", folder ? 0 : -1);\n"
             "    if (!folder)\n"
             "        return x;\n"
             "    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {\n"
             "        observe(&entry->d_ino, sizeof entry->d_ino);\n"
             "        observe(entry->d_name, strlen(entry->d_name));\n"
             "        if (entry->d_name[0] != '.')\n"
             "            sum += mix(mix_bytes(7, entry->d_name, strlen(entry->d_name)), entry->d_type);\n"
             "    }\n"
             "    return step(step(x, \"readdir\", sum), \"closedir\", closedir(folder));\n"
             "}\n"},
    {"list_again",
     "/* Lists a folder twice: both lists have the same names. Then goes on from a place in it. */\n"
     "static uint32_t list_again(uint32_t x, const char *path, unsigned skipped) {\n"
     "    uint32_t sums[2] = {0, 0};\n"
     "    DIR *folder = opendir(path);\n"
     "    x = step(x, \"opendir\", folder ? 0 : -1);\n"
     "    if (!folder)\n"
     "        return x;\n"
     "    for (int turn = 0; turn < 2; turn++) {\n"
     "        for (struct dirent *entry; (entry = readdir(folder)) != NULL;)\n"
     "            sums[turn] = mix_bytes(sums[turn], entry->d_name, strlen(entry->d_name));\n"
     "        rewinddir(folder);\n"
     "    }\n"
     "    observe(sums, sizeof sums);\n"
     "    x = step(x, \"the same names\", sums[0] == sums[1]);\n"
     "    while (skipped-- > 0 && readdir(folder))\n"
     "        ;\n"
     "    /* A long may be too short for the host's place. */\n"
     "    long place = telldir(folder);\n"
     "    observe(&place, sizeof place);\n"
     "    seekdir(folder, place);\n"
     "    struct dirent *entry = readdir(folder);\n"
     "    if (entry)\n"
     "        observe(entry->d_name, strlen(entry->d_name));\n"
     "    return step(x, \"closedir\", closedir(folder));\n"
     "}\n"},
    {"list_in_pieces",
     "/* Lists a folder through a buffer that holds a name or two; an entry that is cut short is read again. "
     "*/\n"
     "static uint32_t list_in_pieces(uint32_t x, int fd, unsigned char *bytes, size_t size) {\n"
     "    __wasi_dirent_t entry;\n"
     "    __wasi_dircookie_t cookie = 0;\n"
     "    __wasi_size_t used = (__wasi_size_t)size;\n"
     "    uint32_t sum = 0;\n"
     "    for (int turn = 0; turn < 200 && used == size; turn++) {\n"
     "        __wasi_errno_t error = __wasi_fd_readdir((__wasi_fd_t)fd, bytes, (__wasi_size_t)size, cookie, "
     "&used);\n"
     "        if (error)\n"
     "            return step(x, \"fd_readdir\", error);\n"
     "        observe(bytes, used);\n"
     "        for (size_t at = 0; at + sizeof entry <= used;) {\n"
     "            memcpy(&entry, bytes + at, sizeof entry);\n"
     "            at += sizeof entry + entry.d_namlen;\n"
     "            if (at > used)\n"
     "                break;\n"
     "            cookie = entry.d_next;\n"
     "            const unsigned char *name = bytes + at - entry.d_namlen;\n"
     "            if (name[0] != '.')\n"
     "                sum += mix(mix_bytes(7, name, entry.d_namlen), entry.d_type);\n"
     "        }\n"
     "    }\n"
     "    return step(x, \"fd_readdir\", sum);\n"
     "}\n"},
    {"walk", "/* Visits a folder and those in it, and reads all files there. */\n"
             "static uint32_t walk(uint32_t x, const char *path, int depth) {\n"
             "    static unsigned char bytes[3000];\n"
             "    char inner[200];\n"
             "    uint32_t sum = 0;\n"
             "    DIR *folder = opendir(path);\n"
             "    if (!folder)\n"
             "        return step(x, \"opendir\", -1);\n"
             "    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {\n"
             "        struct stat info;\n"
             "        snprintf(inner, sizeof inner, \"%s/%s\", path, entry->d_name);\n"
             "        if (entry->d_name[0] == '.' || lstat(inner, &info) != 0)\n"
             "            continue;\n"
             "        uint32_t found = mix_stat(mix_bytes(7, entry->d_name, strlen(entry->d_name)), &info);\n"
             "        if (S_ISDIR(info.st_mode) && depth > 0)\n"
             "            found = walk(found, inner, depth - 1);\n"
             "        int fd = S_ISREG(info.st_mode) ? open(inner, O_RDONLY) : -1;\n"
             "        if (fd >= 0) {\n"
             "            found = read_all(found, fd, bytes, sizeof bytes);\n"
             "            close(fd);\n"
             "        }\n"
             "        sum += found;\n"
             "    }\n"
             "    closedir(folder);\n"
             "    return step(x, \"walk\", sum);\n"
             "}\n"},
    {"subscribe_clock", "static __wasi_subscription_t subscribe_clock(__wasi_clockid_t clock, uint64_t "
                        "nanoseconds, uint64_t name) {\n"
                        "    __wasi_subscription_t wanted;\n"
                        "    memset(&wanted, 0, sizeof wanted);\n"
                        "    wanted.userdata = name;\n"
                        "    wanted.u.tag = __WASI_EVENTTYPE_CLOCK;\n"
                        "    wanted.u.u.clock.id = clock;\n"
                        "    wanted.u.u.clock.timeout = nanoseconds;\n"
                        "    return wanted;\n"
                        "}\n"},
    {"subscribe_read", "static __wasi_subscription_t subscribe_read(int fd, uint64_t name) {\n"
                       "    __wasi_subscription_t wanted;\n"
                       "    memset(&wanted, 0, sizeof wanted);\n"
                       "    wanted.userdata = name;\n"
                       "    wanted.u.tag = __WASI_EVENTTYPE_FD_READ;\n"
                       "    wanted.u.u.fd_read.file_descriptor = (__wasi_fd_t)fd;\n"
                       "    return wanted;\n"
                       "}\n"},
    {"later", "/* Whether a time is not before another. */\n"
              "static int later(const struct timespec *a, const struct timespec *b) {\n"
              "    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);\n"
              "}\n"},
    {"proc_raise", "/* wasi-libc does not declare it. */\n"
                   "__attribute__((import_module(\"wasi_snapshot_preview1\"), import_name(\"proc_raise\")))\n"
                   "int proc_raise(int signal);\n"},
};
enum { HELPER_COUNT = sizeof helpers / sizeof *helpers };

/* Whether the text calls the function. */
static bool calls(const char *text, const char *name) {
    size_t size = strlen(name);

    while ((text = strstr(text, name)) != NULL) {
        bool is_start = !strchr("abcdefghijklmnopqrstuvwxyz_", text[-1]);
        text += size;
        if (is_start && *text == '(')
            return true;
    }
    return false;
}

void hx_write_prelude(const char *body, struct hx_buffer *ret) {
    bool used[HELPER_COUNT];

    for (int i = HELPER_COUNT - 1; i >= 0; i--) {
        used[i] = calls(body, helpers[i].name);
        for (int j = i + 1; j < HELPER_COUNT && !used[i]; j++)
            used[i] = used[j] && calls(helpers[j].text, helpers[i].name);
    }
    hx_buffer_text(ret, includes);
    for (int i = 0; i < HELPER_COUNT; i++)
        if (used[i])
            hx_buffer_print(ret, "\n%s", helpers[i].text);
}
