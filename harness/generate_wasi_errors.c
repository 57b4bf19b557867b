/* Statements that fail on purpose: wrong names, flags and descriptors, paths that try to leave, buffers that
 * end where memory does or past it, sockets' functions on what is no socket. */
#include "harness/generate_wasi.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Wrong arguments ---- */

/* Where hosts give different reasons: a path that leaves may be forbidden, or be nothing; what is no socket
 * may also lack the rights of one. */
#define REFUSED(weight, name, call) {weight, "x = step_fails(x, \"" name "\", " call ");"}

#define FAILING(weight, name, call) {weight, "x = step(x, \"" name "\", " call ");"}

static const struct hx_statement errors[] = {
    FAILING(3, "open", "open(\"$[missing~deep/missing~missing/file~empty/file~dangling]\", O_RDONLY)"),
    REFUSED(2, "$[unlink~rmdir]", "$same(\"$[../outside~deep/../../outside~outward/up~/../up]\")"),
    REFUSED(1, "mkdir", "mkdir(\"$[../up~deep/../../up~outward/up~/../up]\", 0755)"),
    REFUSED(1, "rename", "rename(\"$[notes.txt~../outside]\", \"../$[up~outside]\")"),
    REFUSED(3, "open",
            "open(\"$[../outside~/../outside~deep/../../outside~outward~outward/file~through/../../x]\", "
            "O_RDONLY)"),
    FAILING(2, "open", "open(\"$[round~round/file]\", O_RDONLY)"),
    FAILING(2, "open", "open(\"$[notes.txt~empty~deep]\", O_RDWR | O_CREAT | O_EXCL, 0600)"),
    FAILING(2, "open", "open(\"$[notes.txt~data.bin]\", O_RDONLY | O_DIRECTORY)"),
    FAILING(2, "open", "open(\"$[deep~wide~/extra]\", O_WRONLY)"),
    FAILING(1, "open", "open(\"$[link~through]\", O_RDONLY | O_NOFOLLOW)"),
    FAILING(1, "open", "open(\"\", O_RDONLY)"),
    FAILING(2, "$[read~write]", "$same($[77~1000~-1], $bytes, $size)"),
    FAILING(1, "$[pread~pwrite]", "$same(77, $bytes, $size, $offset)"),
    FAILING(2, "close", "close($[77~1000~-1])"),
    FAILING(1, "lseek", "lseek($[77~1000], $offset, SEEK_SET)"),
    FAILING(1, "ftruncate", "ftruncate(77, $offset)"),
    FAILING(1, "fsync", "fsync($[77~1000])"),
    FAILING(1, "fcntl", "fcntl(77, F_SETFL, O_APPEND)"),
    FAILING(1, "mkdir", "mkdir(\"$[deep~notes.txt~.~missing/inner]\", 0755)"),
    FAILING(1, "rmdir", "rmdir(\"$[missing~notes.txt~deep~wide]\")"),
    FAILING(1, "unlink", "unlink(\"$[missing~notes.txt/file]\")"),
    FAILING(1, "rename", "rename(\"$[missing~deep]\", \"$[deep/inside~wide/e1]\")"),
    FAILING(1, "link", "link(\"$[missing~deep]\", \"$[new0~deep]\")"),
    FAILING(1, "symlink", "symlink(\"$[nothing~notes.txt]\", \"$[link~notes.txt~missing/new]\")"),
    FAILING(1, "readlink", "readlink(\"$[notes.txt~deep~missing]\", (char *)$bytes, $size)"),
    FAILING(2, "fd_seek", "__wasi_fd_seek($[0~1~77], $few, $[3~77], &(__wasi_filesize_t){0}) != 0"),
    FAILING(1, "fd_renumber", "__wasi_fd_renumber($[77, 78~78, 3])"),
    FAILING(1, "fd_fdstat_set_flags", "__wasi_fd_fdstat_set_flags(77, $[0~1~32])"),
    FAILING(1, "fd_filestat_set_times", "__wasi_fd_filestat_set_times(77, $many, $many, 0)"),
    FAILING(1, "path_filestat_set_times", "__wasi_path_filestat_set_times(3, 1, $file, 1, 2, $[3~12~15])"),
    FAILING(1, "path_open",
            "__wasi_path_open(77, 0, $file, 0, __WASI_RIGHTS_FD_READ, 0, 0, &(__wasi_fd_t){0})"),
    FAILING(1, "path_create_directory", "__wasi_path_create_directory($[77~1000], $new)"),
    FAILING(1, "fd_readdir", "__wasi_fd_readdir(77, $bytes, $size, 0, &(__wasi_size_t){0})"),
    {2, "{\n"
        "char name[400];\n"
        "memset(name, 'n', sizeof name - 1);\n"
        "name[sizeof name - 1] = '\\0';\n"
        "x = step(x, \"open\", open(name, O_RDONLY));\n"
        "}"},
};

const struct hx_theme hx_theme_errors = {
    .name = "errors",
    .purpose = "Calls that fail.",
    .weight = 3,
    .least = 5,
    .most = 10,
    .before = "",
    .after = "",
    .statements = errors,
    .count = COUNT(errors),
};

/* ---- The end of memory ---- */

static const struct hx_statement borders[] = {
    {3, "x = step(x, \"pread\", pread(fd, page + $[65527~65500~65000~0], $few, $few));\n"
        "x = mix_bytes(x, page + 65000, 536);"},
    {2, "x = step_fails(x, \"past the end\", __wasi_random_get(page + 65536 - $few, $many));\n"
        "memset(page + 65000, $few, 536);"},
    {2, "{\n"
        "__wasi_iovec_t parts[2] = {{page + 65536 - $few, 1}, {page + 65530, $[6~7]}};\n"
        "__wasi_size_t got = 0;\n"
        "x = step_fails(x, \"fd_pread\", __wasi_fd_pread((__wasi_fd_t)fd, parts, $[1~2], 0, &got));\n"
        "x = got == 1 ? mix(x, got) : x;\n"
        "}"},
    {2, "x = step(x, \"pwrite\", pwrite(fd, page + 65536 - $many, $few, $offset));"},
    {2, "{\n"
        "/* Memory grows between two calls, and the second one's buffer is new. */\n"
        "unsigned char *more = sbrk(65536);\n"
        "if (more != (void *)-1) {\n"
        "x = step(x, \"pread\", pread(fd, more + 65536 - $many, $few, 0));\n"
        "x = mix_bytes(x, more + 65400, 136);\n"
        "page = more;\n"
        "}\n"
        "}"},
    {2, "x = step_fails(x, \"no memory there\", __wasi_fd_tell((__wasi_fd_t)fd, (__wasi_filesize_t "
        "*)(uintptr_t)0xfffffff8u));"},
    {2,
     "x = step_fails(x, \"no memory there\", __wasi_args_sizes_get((__wasi_size_t *)(uintptr_t)0xfffffffcu, "
     "(__wasi_size_t *)(uintptr_t)0xfffffff0u));"},
    {2, "{\n"
        "unsigned char *block = malloc($[100000~$offset]);\n"
        "if (block) {\n"
        "x = step(x, \"read\", read(fd, block, $few));\n"
        "x = step(x, \"lseek\", lseek(fd, 0, SEEK_SET));\n"
        "free(block);\n"
        "}\n"
        "}"},
    {2, "x = step(x, \"read\", read(fd, $bytes, $size));\n"
        "x = mix_bytes(x, bytes, $room);"},
};

const struct hx_theme hx_theme_borders = {
    .name = "borders",
    .purpose = "Hands buffers to the host that end where memory does, or past it.",
    .weight = 2,
    .least = 3,
    .most = 7,
    .before = "int fd = open($file, O_RDWR);\n"
              "unsigned char *page = sbrk(65536);\n"
              "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
              "if (fd >= 0 && page != (void *)-1) {",
    .after = "x = step(x, \"close\", close(fd));\n"
             "}",
    .statements = borders,
    .count = COUNT(borders),
};

/* ---- Sockets' functions ---- */

static const struct hx_statement sockets[] = {
    FAILING(
        3, "sock_accept",
        "__wasi_sock_accept($[0~3~(__wasi_fd_t)fd~77], $[0~0~__WASI_FDFLAGS_NONBLOCK], &(__wasi_fd_t){0})"),
    {3, "{\n"
        "__wasi_iovec_t part = {$bytes, $size};\n"
        "__wasi_size_t got = 0;\n"
        "__wasi_roflags_t flags = 0;\n"
        "x = step_fails(x, \"sock_recv\", __wasi_sock_recv($[0~3~(__wasi_fd_t)fd~77], &part, 1, "
        "$[0~__WASI_RIFLAGS_RECV_PEEK], &got, &flags));\n"
        "x = mix(mix(x, got), flags);\n"
        "}"},
    {3, "{\n"
        "__wasi_ciovec_t part = {$bytes, $size};\n"
        "__wasi_size_t sent = 0;\n"
        "x = step_fails(x, \"sock_send\", __wasi_sock_send($[3~(__wasi_fd_t)fd~77], &part, 1, 0, &sent));\n"
        "x = mix(x, sent);\n"
        "}"},
    REFUSED(3, "sock_shutdown", "__wasi_sock_shutdown($[0~3~(__wasi_fd_t)fd~77], $[1~2~3])"),
    FAILING(1, "read", "read(fd, $bytes, $size)"),
    FAILING(1, "sched_yield", "__wasi_sched_yield()"),
};

const struct hx_theme hx_theme_sockets = {
    .name = "sockets",
    .purpose = "Uses files as if they were sockets.",
    .weight = 1,
    .least = 3,
    .most = 6,
    .before = "int fd = open($file, O_RDWR);\n"
              "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
              "if (fd >= 0) {",
    .after = "x = step(x, \"close\", close(fd));\n"
             "}",
    .statements = sockets,
    .count = COUNT(sockets),
};
