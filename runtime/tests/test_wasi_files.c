/* Open files: reading, writing, positions, sizes, times, rights, numbers, folders, captured output. */
#include "runtime/tests/test_wasi.h"

#include <fcntl.h>

#define RIGHT(name) ((uint64_t)RT_WASI_RIGHT_##name)

enum { CREATE = 1, DIRECTORY = 2, EXCLUSIVE = 4, TRUNCATE = 8 };
static const uint64_t file_rights =
    RT_WASI_RIGHT_FD_READ | RT_WASI_RIGHT_FD_WRITE | RT_WASI_RIGHT_FD_SEEK | RT_WASI_RIGHT_FD_TELL |
    RT_WASI_RIGHT_FD_FILESTAT_GET | RT_WASI_RIGHT_FD_FILESTAT_SET_SIZE | RT_WASI_RIGHT_FD_FILESTAT_SET_TIMES |
    RT_WASI_RIGHT_FD_FDSTAT_SET_FLAGS | RT_WASI_RIGHT_FD_ALLOCATE | RT_WASI_RIGHT_FD_ADVISE |
    RT_WASI_RIGHT_FD_SYNC | RT_WASI_RIGHT_FD_DATASYNC;

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

static void read_and_write(void **state) {
    struct guest *guest = *state;
    int fd = guest_open_path(guest, 3, "file", 0, CREATE | EXCLUSIVE, file_rights);
    assert_int_equal(fd, 4);
    assert_int_equal(guest_open_path(guest, 3, "file", 0, CREATE | EXCLUSIVE, file_rights), -RT_WASI_EEXIST);
    assert_int_equal(guest_write_text(guest, fd, "hello, world"), 12);
    assert_int_equal(guest_call(guest, "fd_seek", fd, (uint64_t)-5, 2, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 8), 7);
    assert_int_equal(guest_read(guest, fd, 100), 5);
    assert_memory_equal(guest_memory(guest) + AT_DATA, "world", 5);
    assert_int_equal(guest_read(guest, fd, 100), 0);
    assert_int_equal(guest_call(guest, "fd_tell", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 8), 12);
    assert_int_equal(guest_call(guest, "fd_seek", fd, (uint64_t)-1, 0, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_seek", fd, (uint64_t)0, 3, AT_RESULT), RT_WASI_EINVAL);

    /* Several vectors, an empty one among them, at a place of their own. */
    guest_put(guest, AT_DATA, "HELLO", 5);
    guest_vector(guest, AT_VECTORS, AT_DATA, 2);
    guest_vector(guest, AT_VECTORS + 8, 0, 0);
    guest_vector(guest, AT_VECTORS + 16, AT_DATA + 2, 3);
    assert_int_equal(guest_call(guest, "fd_pwrite", fd, AT_VECTORS, 3, (uint64_t)7, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 5);
    guest_vector(guest, AT_VECTORS, AT_DATA, 1);
    guest_vector(guest, AT_VECTORS + 16, AT_DATA + 100, 100);
    assert_int_equal(guest_call(guest, "fd_pread", fd, AT_VECTORS, 3, (uint64_t)6, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 6);
    assert_memory_equal(guest_memory(guest) + AT_DATA, " ", 1);
    assert_memory_equal(guest_memory(guest) + AT_DATA + 100, "HELLO", 5);
    assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_EBADF);
}

/* More than the host's buffer in one call, into vectors that do not divide it evenly. */
static void large_reads(void **state) {
    struct guest *guest = *state;
    enum { SIZE = 2 * RT_WASI_BUFFER_SIZE + 12345, FIRST = 70001 };
    int fd = guest_open_path(guest, 3, "large", 0, CREATE, file_rights);
    uint8_t *memory = guest_memory(guest);
    for (uint32_t i = 0; i < SIZE; i++)
        memory[AT_DATA + i] = (uint8_t)(i * 7 + i / 251);
    guest_vector(guest, AT_VECTORS, AT_DATA, SIZE);
    assert_int_equal(guest_call(guest, "fd_write", fd, AT_VECTORS, 1, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), SIZE);
    memset(memory + AT_DATA, 0, SIZE + 1);
    guest_vector(guest, AT_VECTORS, AT_DATA, FIRST);
    guest_vector(guest, AT_VECTORS + 8, AT_DATA + FIRST, SIZE - FIRST + 1);
    assert_int_equal(guest_call(guest, "fd_pread", fd, AT_VECTORS, 2, (uint64_t)0, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), SIZE);
    for (uint32_t i = 0; i < SIZE; i++)
        assert_int_equal(memory[AT_DATA + i], (uint8_t)(i * 7 + i / 251));
}

static void bad_vectors(void **state) {
    struct guest *guest = *state;
    int fd = guest_open_path(guest, 3, "vectors", 0, CREATE, file_rights);
    guest_vector(guest, AT_VECTORS, GUEST_SIZE - 1, 2);
    assert_int_equal(guest_call(guest, "fd_write", fd, AT_VECTORS, 1, AT_RESULT), RT_WASI_EFAULT);
    assert_int_equal(guest_call(guest, "fd_read", fd, AT_VECTORS, 1, AT_RESULT), RT_WASI_EFAULT);
    guest_vector(guest, AT_VECTORS, 0xffffffff, 0xffffffff);
    assert_int_equal(guest_call(guest, "fd_read", fd, AT_VECTORS, 1, AT_RESULT), RT_WASI_EFAULT);
    assert_int_equal(guest_call(guest, "fd_read", fd, GUEST_SIZE - 4, 1, AT_RESULT), RT_WASI_EFAULT);
    assert_int_equal(guest_call(guest, "fd_read", fd, AT_VECTORS, 0xffffffff, AT_RESULT), RT_WASI_EINVAL);
    /* A result that cannot be told is found out before anything is written. */
    guest_vector(guest, AT_VECTORS, AT_DATA, 4);
    assert_int_equal(guest_call(guest, "fd_write", fd, AT_VECTORS, 1, GUEST_SIZE - 3), RT_WASI_EFAULT);
    assert_int_equal(guest_call(guest, "fd_filestat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 32, 8), 0);
}

static void what_a_file_is(void **state) {
    struct guest *guest = *state;
    int fd = guest_open_path(guest, 3, "stat", 0, CREATE, file_rights);
    assert_int_equal(guest_call(guest, "fd_filestat_set_size", fd, (uint64_t)1000), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_filestat_set_size", fd, (uint64_t)-1), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_allocate", fd, (uint64_t)0, (uint64_t)2000), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_advise", fd, (uint64_t)0, (uint64_t)10, 3), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_advise", fd, (uint64_t)0, (uint64_t)10, 6), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_sync", fd), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_datasync", fd), RT_WASI_ESUCCESS);
    const uint64_t accessed = 1234567890123456789u, modified = 987654321987654321u;
    enum { SET_ACCESSED = 1, NOW_ACCESSED = 2, SET_MODIFIED = 4 };
    assert_int_equal(
        guest_call(guest, "fd_filestat_set_times", fd, accessed, modified, SET_ACCESSED | SET_MODIFIED),
        RT_WASI_ESUCCESS);
    assert_int_equal(
        guest_call(guest, "fd_filestat_set_times", fd, accessed, modified, SET_ACCESSED | NOW_ACCESSED),
        RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_filestat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 1), RT_WASI_REGULAR_FILE);
    assert_int_equal(guest_get(guest, AT_RESULT + 24, 8), 1);
    assert_int_equal(guest_get(guest, AT_RESULT + 32, 8), 2000);
    assert_int_equal(guest_get(guest, AT_RESULT + 40, 8), accessed);
    assert_int_equal(guest_get(guest, AT_RESULT + 48, 8), modified);

    assert_int_equal(guest_call(guest, "fd_fdstat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 1), RT_WASI_REGULAR_FILE);
    assert_int_equal(guest_get(guest, AT_RESULT + 2, 2), 0);
    assert_int_equal(guest_get(guest, AT_RESULT + 8, 8), file_rights);
    assert_int_equal(guest_get(guest, AT_RESULT + 16, 8), 0);
}

/* Offsets, sizes and times that no file has. */
static void numbers_that_are_none(void **state) {
    struct guest *guest = *state;
    const uint64_t beyond = (uint64_t)INT64_MAX + 1;
    int fd = guest_open_path(guest, 3, "file", 0, CREATE, file_rights);
    guest_vector(guest, AT_VECTORS, AT_DATA, 4);
    assert_int_equal(guest_call(guest, "fd_pread", fd, AT_VECTORS, 1, beyond, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_pwrite", fd, AT_VECTORS, 1, UINT64_MAX, AT_RESULT),
                     RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_pread", fd, AT_VECTORS, 1, (uint64_t)INT64_MAX - 4096, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 0);
    assert_int_equal(guest_call(guest, "fd_allocate", fd, (uint64_t)0, (uint64_t)0), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_allocate", fd, beyond, (uint64_t)1), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_allocate", fd, (uint64_t)INT64_MAX, (uint64_t)1), RT_WASI_EFBIG);
    assert_int_equal(guest_call(guest, "fd_advise", fd, beyond, (uint64_t)1, 0), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_advise", fd, (uint64_t)1, beyond, 0), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_filestat_set_size", fd, beyond), RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_filestat_set_times", fd, (uint64_t)0, (uint64_t)0, 4 | 8),
                     RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_filestat_set_times", fd, (uint64_t)0, (uint64_t)0, 16),
                     RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_filestat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 32, 8), 0);
}

static void snapshot_0_layouts(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1},
               GUEST_FOLDER | GUEST_SNAPSHOT_0);
    int fd = guest_open_path(&guest, 3, "old", 0, CREATE, file_rights);
    assert_int_equal(guest_write_text(&guest, fd, "12345"), 5);
    assert_int_equal(guest_call(&guest, "fd_filestat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT + 20, 4), 1);
    assert_int_equal(guest_get(&guest, AT_RESULT + 24, 8), 5);
    enum { WHENCE_SET = 2 }; /* snapshot 0's order: cur, end, set */
    assert_int_equal(guest_call(&guest, "fd_seek", fd, (uint64_t)2, WHENCE_SET, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 8), 2);
    guest_close(&guest);
}

static void flags(void **state) {
    struct guest *guest = *state;
    int fd = guest_open_path(guest, 3, "flags", 0, CREATE, file_rights);
    assert_int_equal(guest_call(guest, "fd_fdstat_set_flags", fd, RT_WASI_FDFLAG_APPEND), RT_WASI_ESUCCESS);
    assert_int_equal(guest_write_text(guest, fd, "abc"), 3);
    assert_int_equal(guest_call(guest, "fd_seek", fd, (uint64_t)0, 0, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_write_text(guest, fd, "def"), 3);
    assert_int_equal(guest_call(guest, "fd_fdstat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 2, 2), RT_WASI_FDFLAG_APPEND);
    assert_int_equal(guest_call(guest, "fd_filestat_get", fd, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT + 32, 8), 6);
    assert_int_equal(guest_call(guest, "fd_fdstat_set_flags", fd, RT_WASI_FDFLAG_SYNC), RT_WASI_ENOTSUP);
    assert_int_equal(guest_call(guest, "fd_fdstat_set_flags", fd, 32), RT_WASI_EINVAL);
}

static void rights(void **state) {
    struct guest *guest = *state;
    int fd = guest_open_path(guest, 3, "rights", 0, CREATE, RIGHT(FD_READ));
    assert_true(fd > 3);
    assert_int_equal(guest_write_text(guest, fd, "x"), -RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(guest, "fd_seek", fd, (uint64_t)0, 0, AT_RESULT), RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(guest, "fd_fdstat_set_rights", fd, file_rights, (uint64_t)0),
                     RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_call(guest, "fd_fdstat_set_rights", fd, (uint64_t)0, (uint64_t)0),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_read(guest, fd, 1), -RT_WASI_ENOTCAPABLE);

    /* What a folder does not hand down, nothing opened below it has. */
    int folder = guest_open_path(guest, 3, ".", 0, DIRECTORY, RIGHT(PATH_OPEN) | RIGHT(PATH_CREATE_FILE));
    assert_int_equal(guest_call(guest, "fd_fdstat_set_rights", folder, RIGHT(PATH_OPEN), RIGHT(FD_READ)),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_open_path(guest, folder, "rights", 0, 0, RIGHT(FD_WRITE)), -RT_WASI_ENOTCAPABLE);
    assert_int_equal(guest_open_path(guest, folder, "new", 0, CREATE, RIGHT(FD_READ)), -RT_WASI_ENOTCAPABLE);
    assert_true(guest_open_path(guest, folder, "rights", 0, 0, RIGHT(FD_READ)) > 0);
}

static void numbers(void **state) {
    struct guest *guest = *state;
    int a = guest_open_path(guest, 3, "a", 0, CREATE, file_rights);
    int b = guest_open_path(guest, 3, "b", 0, CREATE, file_rights);
    assert_int_equal(guest_write_text(guest, a, "in a"), 4);
    assert_int_equal(guest_call(guest, "fd_renumber", a, b), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(guest, "fd_tell", a, AT_RESULT), RT_WASI_EBADF);
    assert_int_equal(guest_call(guest, "fd_tell", b, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 8), 4);
    assert_int_equal(guest_call(guest, "fd_renumber", b, a), RT_WASI_EBADF);
    assert_int_equal(guest_call(guest, "fd_renumber", b, b), RT_WASI_ESUCCESS);
    /* The lowest free number is the next one's, as with POSIX; there is an end to them. */
    assert_int_equal(guest_open_path(guest, 3, "a", 0, 0, file_rights), a);
    int last;
    while ((last = guest_open_path(guest, 3, ".", 0, DIRECTORY, 0)) > 0)
        assert_in_range(last, 4, RT_WASI_MAX_DESCRIPTORS - 1);
    assert_int_equal(last, -RT_WASI_EMFILE);
    for (int fd = 4; fd < RT_WASI_MAX_DESCRIPTORS; fd++)
        assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
}

static void preopens(void **state) {
    struct guest *guest = *state;
    assert_int_equal(guest_call(guest, "fd_prestat_get", 3, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 8), (uint64_t)1 << 32);
    assert_int_equal(guest_call(guest, "fd_prestat_dir_name", 3, AT_DATA, 1), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_DATA, 1), '/');
    assert_int_equal(guest_call(guest, "fd_prestat_dir_name", 3, AT_DATA, 0), RT_WASI_ENAMETOOLONG);
    assert_int_equal(guest_call(guest, "fd_prestat_get", 4, AT_RESULT), RT_WASI_EBADF);
    assert_int_equal(guest_call(guest, "fd_prestat_get", 1, AT_RESULT), RT_WASI_EBADF);
    assert_int_equal(guest_call(guest, "fd_fdstat_get", 3, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 1), RT_WASI_DIRECTORY);
    assert_int_equal(guest_read(guest, 3, 1), -RT_WASI_ENOTCAPABLE);
}

/* Lists a folder with a buffer of `size` bytes; what was seen, by number. */
static unsigned list(struct guest *guest, int fd, uint32_t size, unsigned seen[100]) {
    unsigned total = 0;
    uint64_t cookie = 0;
    for (;;) {
        assert_int_equal(guest_call(guest, "fd_readdir", fd, AT_DATA, size, cookie, AT_RESULT),
                         RT_WASI_ESUCCESS);
        uint32_t used = (uint32_t)guest_get(guest, AT_RESULT, 4), at = 0;
        while (used - at >= 24 && used - at - 24 >= guest_get(guest, AT_DATA + at + 16, 4)) {
            unsigned number, name_size = (unsigned)guest_get(guest, AT_DATA + at + 16, 4);
            char name[32] = {0};
            assert_in_range(name_size, 1, sizeof name - 1);
            memcpy(name, guest_memory(guest) + AT_DATA + at + 24, name_size);
            if (sscanf(name, "file-%u", &number) == 1) {
                assert_int_equal(guest_get(guest, AT_DATA + at + 20, 1), RT_WASI_REGULAR_FILE);
                seen[number]++;
            }
            cookie = guest_get(guest, AT_DATA + at, 8);
            at += 24 + name_size;
            total++;
            assert_int_equal(cookie, total);
        }
        if (used < size)
            return total;
        assert_true(at > 0);
    }
}

/* The inode of the entry behind a cookie. */
static uint64_t entry_at(struct guest *guest, int fd, uint64_t cookie) {
    assert_int_equal(guest_call(guest, "fd_readdir", fd, AT_DATA, 200, cookie, AT_RESULT), RT_WASI_ESUCCESS);
    assert_in_range(guest_get(guest, AT_RESULT, 4), 25, 200);
    assert_int_equal(guest_get(guest, AT_DATA, 8), cookie + 1);
    return guest_get(guest, AT_DATA + 8, 8);
}

static void listing(void **state) {
    struct guest *guest = *state;
    assert_int_equal(guest_call_path(guest, "path_create_directory", 3, "many"), RT_WASI_ESUCCESS);
    int folder = guest_open_path(guest, 3, "many", 0, DIRECTORY,
                                 RIGHT(FD_READDIR) | RIGHT(PATH_OPEN) | RIGHT(PATH_CREATE_FILE));
    for (int i = 0; i < 100; i++) {
        char name[24];
        snprintf(name, sizeof name, "file-%d", i);
        int fd = guest_open_path(guest, folder, name, 0, CREATE, 0);
        assert_int_equal(guest_call(guest, "fd_close", fd), RT_WASI_ESUCCESS);
    }
    static const uint32_t sizes[] = {40, 100, 4096, 65536};
    for (size_t i = 0; i < RT_WASI_COUNT(sizes); i++) {
        unsigned seen[100] = {0};
        assert_int_equal(list(guest, folder, sizes[i], seen), 102);
        for (int k = 0; k < 100; k++)
            assert_int_equal(seen[k], 1);
    }
    /* From any place: as seekdir does. */
    uint64_t inodes[102];
    for (unsigned i = 0; i < 102; i++)
        inodes[i] = entry_at(guest, folder, i);
    for (unsigned i = 102; i-- > 0;)
        assert_int_equal(entry_at(guest, folder, i), inodes[i]);
    for (unsigned i = 0; i < 102; i += 7)
        assert_int_equal(entry_at(guest, folder, (i * 41) % 102), inodes[(i * 41) % 102]);
    assert_int_equal(guest_call(guest, "fd_readdir", folder, AT_DATA, 64, (uint64_t)5000, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(guest, AT_RESULT, 4), 0);
    assert_int_equal(guest_call(guest, "fd_readdir", folder, AT_DATA, 64, (uint64_t)-1, AT_RESULT),
                     RT_WASI_EINVAL);
    assert_int_equal(guest_call(guest, "fd_readdir", folder, GUEST_SIZE - 8, 64, (uint64_t)0, AT_RESULT),
                     RT_WASI_EFAULT);
}

/* ---- Standard streams ---- */

struct captured {
    char text[64];
    bool is_full;
};

static bool capture(void *user, int fd, const void *bytes, size_t size) {
    struct captured *captured = user;
    size_t used = strlen(captured->text);
    snprintf(captured->text + used, sizeof captured->text - used, "%d:%.*s;", fd, (int)size,
             (const char *)bytes);
    return !captured->is_full;
}

static void captured_output(void **state) {
    (void)state;
    struct guest guest;
    struct captured captured = {0};
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .write = capture, .write_user = &captured},
               0);
    assert_int_equal(guest_write_text(&guest, 1, "out"), 3);
    assert_int_equal(guest_write_text(&guest, 2, "error"), 5);
    assert_string_equal(captured.text, "1:out;2:error;");
    assert_int_equal(guest_call(&guest, "fd_fdstat_get", 1, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 1), RT_WASI_UNKNOWN); /* no terminal */
    assert_int_equal(guest_call(&guest, "fd_seek", 1, (uint64_t)0, 1, AT_RESULT), RT_WASI_ENOTCAPABLE);
    captured.is_full = true;
    assert_int_equal(guest_write_text(&guest, 1, "more"), -RT_WASI_EIO);
    assert_int_equal(guest_read(&guest, 0, 10), 0); /* no input: it is at its end */
    assert_int_equal(guest_write_text(&guest, 0, "x"), -RT_WASI_ENOTCAPABLE);
    guest_close(&guest);
}

/* The embedder's descriptors stay open and as they were. */
static void borrowed_streams(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = ends[0], .stdout_fd = ends[1], .stderr_fd = -1},
               0);
    assert_int_equal(guest_write_text(&guest, 1, "through"), 7);
    assert_int_equal(guest_read(&guest, 0, 100), 7);
    assert_memory_equal(guest_memory(&guest) + AT_DATA, "through", 7);
    assert_int_equal(guest_call(&guest, "fd_fdstat_set_flags", 0, RT_WASI_FDFLAG_NONBLOCK), RT_WASI_ENOTSUP);
    assert_int_equal(guest_call(&guest, "fd_close", 1), RT_WASI_ESUCCESS);
    guest_close(&guest);
    assert_int_equal(write(ends[1], "x", 1), 1);
    assert_int_equal(fcntl(ends[0], F_GETFL) & O_NONBLOCK, 0);
    close(ends[0]);
    close(ends[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(read_and_write, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(large_reads, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(bad_vectors, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(what_a_file_is, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(numbers_that_are_none, open_folder, close_folder),
        cmocka_unit_test(snapshot_0_layouts),
        cmocka_unit_test_setup_teardown(flags, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(rights, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(numbers, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(preopens, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(listing, open_folder, close_folder),
        cmocka_unit_test(captured_output),
        cmocka_unit_test(borrowed_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
