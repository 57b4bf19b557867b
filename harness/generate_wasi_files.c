/* Statements on open files: through descriptors, through C's streams, and on the descriptors themselves. */
#include "harness/generate_wasi.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- Files ---- */

static const struct hx_statement files[] = {
    {6, "x = step(x, \"write\", write(fd, $bytes, $size));"},
    {6, "x = step(x, \"read\", read(fd, $bytes, $size));\n"
        "x = mix_bytes(x, bytes, $room);"},
    {3, "x = step(x, \"write\", write(fd, bytes, $room));"},
    {3, "x = step(x, \"lseek\", lseek(fd, 0, SEEK_SET));\n"
        "x = read_all(x, fd, $bytes, $size);"},
    {4, "x = step(x, \"pwrite\", pwrite(fd, $bytes, $size, $offset));"},
    {4, "x = step(x, \"pread\", pread(fd, $bytes, $size, $offset));\n"
        "x = mix_bytes(x, bytes, $room);"},
    {5, "x = step(x, \"lseek\", lseek(fd, $[~-]$offset, $[SEEK_SET~SEEK_CUR~SEEK_END]));"},
    {2, "x = step(x, \"lseek\", lseek(fd, (off_t)(x % $many), SEEK_SET));"},
    {2, "x = step(x, \"tell\", lseek(fd, 0, SEEK_CUR));"},
    {3, "x = step(x, \"ftruncate\", ftruncate(fd, $offset));"},
    {3, "{\n"
        "struct stat info = {0};\n"
        "x = step(x, \"fstat\", fstat(fd, &info));\n"
        "x = mix_stat(x, &info);\n"
        "}"},
    {1, "x = step(x, \"$[fsync~fdatasync]\", $same(fd));"},
    {2, "errno = posix_fallocate(fd, $offset, $[$offset~$many]);\n"
        "x = step(x, \"posix_fallocate\", errno ? -1 : 0);"},
    {1,
     "errno = posix_fadvise(fd, $offset, $offset, "
     "$[POSIX_FADV_NORMAL~POSIX_FADV_SEQUENTIAL~POSIX_FADV_RANDOM~POSIX_FADV_WILLNEED~POSIX_FADV_NOREUSE]);\n"
     "x = step(x, \"posix_fadvise\", errno ? -1 : 0);"},
    {4, "{\n"
        "struct iovec parts[$[2~3~4]] = {{$bytes, $size}, {bytes, $[0~1]}};\n"
        "x = step(x, \"$[writev~readv]\", $same(fd, parts, $[1~2]));\n"
        "x = mix_bytes(x, bytes, $room);\n"
        "}"},
    {3, "{\n"
        "struct iovec parts[3] = {{bytes, 1}, {NULL, 0}, {$bytes, $size}};\n"
        "x = step(x, \"$[pwritev~preadv]\", $same(fd, parts, 3, $offset));\n"
        "x = mix_bytes(x, bytes, $room);\n"
        "}"},
    {3, "{\n"
        "struct stat info = {0};\n"
        "const struct timespec times[2] = {{$many, 0}, {$many$many, 500000000}};\n"
        "x = step(x, \"futimens\", futimens(fd, times));\n"
        "x = step(x, \"fstat\", fstat(fd, &info));\n"
        "x = step(step(x, \"seconds\", info.st_mtim.tv_sec), \"nanoseconds\", info.st_mtim.tv_nsec);\n"
        "}"},
    {2, "for (int piece = 0; piece < $many; piece++)\n"
        "    x = step(x, \"write\", write(fd, bytes + piece % $room, 1));"},
    {2, "for (int piece = 0; piece < $many; piece++) {\n"
        "unsigned char one = 0;\n"
        "x = step(x, \"read\", read(fd, &one, 1));\n"
        "x = mix(x, one);\n"
        "}"},
    {2, "fill($bytes, $size, x);"},
};

const struct hx_theme hx_theme_files = {
    .name = "files",
    .purpose = "Writes and reads a file.",
    .weight = 6,
    .least = 5,
    .most = 10,
    .before =
        "int fd = open($[$file~$file~$new], $[O_RDWR~O_RDWR~O_RDWR~O_RDONLY~O_WRONLY] | "
        "$[O_CREAT~O_CREAT~O_CREAT | O_TRUNC~O_APPEND~O_CREAT | O_APPEND~O_CREAT | O_EXCL~O_SYNC~O_DSYNC~"
        "O_NONBLOCK~O_NOFOLLOW~O_DIRECTORY], 0644);\n"
        "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
        "if (fd >= 0) {",
    .after = "x = step(x, \"close\", close(fd));\n"
             "}",
    .statements = files,
    .count = COUNT(files),
};

/* ---- Streams ---- */

static const struct hx_statement streams[] = {
    {5, "x = step(x, \"fprintf\", fprintf(stream, \"%u %s\\n\", x % $many, \"$[line~a longer line~]\"));"},
    {4, "x = step(x, \"fwrite\", (int64_t)fwrite($bytes, 1, $size, stream));"},
    {4, "rewind(stream);\n"
        "x = step(x, \"fread\", (int64_t)fread($bytes, 1, $size, stream));\n"
        "x = mix_bytes(x, bytes, $room);"},
    {3, "x = step(x, \"fseek\", fseek(stream, $[~-]$offset, $[SEEK_SET~SEEK_CUR~SEEK_END]));"},
    {2, "x = step(x, \"ftell\", ftell(stream));"},
    {3, "{\n"
        "char line[$many] = \"\";\n"
        "fseek(stream, $few, SEEK_SET);\n"
        "x = step(x, \"fgets\", fgets(line, sizeof line, stream) != NULL);\n"
        "x = mix_bytes(x, line, strlen(line));\n"
        "}"},
    {2, "fseek(stream, 0, SEEK_SET);\n"
        "x = step(x, \"getc\", getc(stream) + 2);\n"
        "x = step(x, \"ungetc\", ungetc('$[a~b~c]', stream));\n"
        "x = step(x, \"getc\", getc(stream) + 2);"},
    {2, "x = step(x, \"fflush\", fflush(stream));"},
    {2, "fseek(stream, 0, SEEK_END);\n"
        "for (int piece = 0; piece < $many; piece++)\n"
        "    putc(bytes[piece % $room], stream);\n"
        "x = step(x, \"ferror\", ferror(stream));"},
    {1, "clearerr(stream);\n"
        "x = step(x, \"feof\", feof(stream));"},
};

const struct hx_theme hx_theme_streams = {
    .name = "streams",
    .purpose = "Uses a file through a stream of the C library.",
    .weight = 3,
    .least = 4,
    .most = 9,
    .before = "FILE *stream = fopen($[$file~$new], \"$[r+~w+~a+]\");\n"
              "x = step(x, \"fopen\", stream ? 0 : -1);\n"
              "if (stream) {\n"
              "setvbuf(stream, NULL, $[_IOFBF~_IOFBF~_IOLBF~_IONBF], $many);",
    .after = "x = step(x, \"fclose\", fclose(stream));\n"
             "}",
    .statements = streams,
    .count = COUNT(streams),
};

/* ---- Descriptors ---- */

static const struct hx_statement descriptors[] = {
    {3, "{\n"
        "__wasi_fdstat_t status = {0};\n"
        "x = step(x, \"fd_fdstat_get\", __wasi_fd_fdstat_get((__wasi_fd_t)fd, &status));\n"
        "x = mix(mix(x, status.fs_filetype), status.fs_flags);\n"
        "}"},
    {3, "x = step(x, \"fcntl\", fcntl(fd, F_SETFL, $[0~O_APPEND~O_NONBLOCK~O_APPEND | O_NONBLOCK]));"},
    {2, "x = step(x, \"fcntl\", fcntl(fd, F_GETFL));"},
    {2, "x = step(x, \"fd_fdstat_set_rights\", __wasi_fd_fdstat_set_rights((__wasi_fd_t)fd, "
        "__WASI_RIGHTS_FD_READ | __WASI_RIGHTS_FD_WRITE$[~ | __WASI_RIGHTS_FD_SEEK | __WASI_RIGHTS_FD_TELL], "
        "0));"},
    {2,
     "x = step(x, \"fd_fdstat_set_rights\", __wasi_fd_fdstat_set_rights((__wasi_fd_t)fd, UINT64_MAX, 0));"},
    {3, "x = step(x, \"$[read~write]\", $same(fd, $bytes, $size));\n"
        "x = mix_bytes(x, bytes, $room);"},
    {2, "x = step(x, \"lseek\", lseek(fd, $few, SEEK_SET));"},
    {2, "{\n"
        "__wasi_filesize_t position = 0;\n"
        "x = step(x, \"fd_tell\", __wasi_fd_tell((__wasi_fd_t)fd, &position));\n"
        "x = step(x, \"position\", (int64_t)position);\n"
        "}"},
    {3, "{\n"
        "/* Another file takes the descriptor's place, and its own number is free again. */\n"
        "int other = open($file, O_RDWR);\n"
        "x = step(x, \"open\", other < 0 ? -1 : 0);\n"
        "if (other >= 0) {\n"
        "x = step(x, \"renumber\", __wasilibc_fd_renumber(other, fd));\n"
        "x = step(x, \"read\", read(other, $bytes, $size));\n"
        "}\n"
        "}"},
    {2, "{\n"
        "struct stat info = {0};\n"
        "x = step(x, \"fstat\", fstat(fd, &info));\n"
        "x = mix_stat(x, &info);\n"
        "}"},
    {1, "x = step(x, \"fd_allocate\", __wasi_fd_allocate((__wasi_fd_t)fd, $offset, $many));"},
    {1, "x = step(x, \"fd_datasync\", __wasi_fd_datasync((__wasi_fd_t)fd));"},
    {1, "x = step(x, \"fd_advise\", __wasi_fd_advise((__wasi_fd_t)fd, $offset, $many, $[0~1~2~3~4~5]));"},
    {1, "x = step(x, \"isatty\", isatty(fd));"},
    {2, "{\n"
        "__wasi_fd_t again = 0;\n"
        "x = step(x, \"path_open\", __wasi_path_open(3, $[0~1], $file, 0, __WASI_RIGHTS_FD_READ"
        "$[~ | __WASI_RIGHTS_FD_SEEK~ | __WASI_RIGHTS_FD_FILESTAT_GET], 0, $[0~0~__WASI_FDFLAGS_NONBLOCK], "
        "&again));\n"
        "if (again > 2) {\n"
        "x = step(x, \"read\", read((int)again, $bytes, $size));\n"
        "x = step(x, \"write\", write((int)again, $bytes, $size));\n"
        "x = step(x, \"fd_close\", __wasi_fd_close(again));\n"
        "}\n"
        "x = mix_bytes(x, bytes, $room);\n"
        "}"},
};

const struct hx_theme hx_theme_descriptors = {
    .name = "descriptors",
    .purpose = "Looks at a descriptor, changes its flags and rights, and gives its number to others.",
    .weight = 3,
    .least = 4,
    .most = 9,
    .before = "int fd = open($file, $[O_RDWR~O_RDWR~O_RDONLY]);\n"
              "x = step(x, \"open\", fd < 0 ? -1 : 0);\n"
              "if (fd >= 0) {",
    .after = "x = step(x, \"close\", close(fd));\n"
             "}",
    .statements = descriptors,
    .count = COUNT(descriptors),
};
