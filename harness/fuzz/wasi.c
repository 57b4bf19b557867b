/* A hostile guest calls functions of WASI that the input chooses, with its arguments and its memory. Each
 * call answers an errno, or ends the guest; and nothing outside of the guest's folder changes.
 *
 * Covers: runtime/wasi/args.c runtime/wasi/clocks.c runtime/wasi/descriptors.c runtime/wasi/files.c
 * runtime/wasi/paths.c runtime/wasi/poll.c runtime/wasi/sockets.c runtime/wasi/vectors.c */
#include "harness/fuzz/scratch.h"
#include "runtime/wasi/wasi.h"

#include <sys/socket.h>
#include <sys/un.h>

enum { MOST_CALLS = 64, WORD_SIZE = 32 };

static const struct {
    const char *name, *parameters;
    enum rt_wasi_errno (*handler)(struct rt_wasi_call *call, const union rt_value *args);
} functions[] = {
#define RT_WASI_FUNCTION(name, parameters, results) {#name, parameters, rt_wasi_##name},
#include "runtime/wasi/functions.def"
#undef RT_WASI_FUNCTION
};

/* The guest's memory at its start: paths at multiples of WORD_SIZE, then iovecs over what comes after them.
 */
static const char *const words[] = {
    "file",    "new", "folder/file", "../outside/file", "/etc/passwd",   "\xff\xfe", "out/file",  "link",
    "folder/", "..",  ".",           "empty",           "folder/../new", "out",      "../inside", "folder"};
enum { VECTORS = WORD_SIZE * RT_WASI_COUNT(words), VECTOR_COUNT = 32, DATA = 0x1000 };

static void fill_memory(uint8_t *memory, size_t size) {
    memset(memory, 0, size);
    for (size_t i = 0; i < RT_WASI_COUNT(words); i++)
        memcpy(memory + WORD_SIZE * i, words[i], strlen(words[i]));
    for (size_t i = 0; i < VECTOR_COUNT; i++) {
        rt_wasi_store(memory + VECTORS + 8 * i, DATA + 64 * i, 4);
        rt_wasi_store(memory + VECTORS + 8 * i + 4, 48, 4);
    }
}

/* One byte is a small number, or the address of a word or of an iovec, or says that a whole number follows.
 */
static uint64_t take_argument(struct rt_cursor *input, size_t size) {
    uint64_t byte = fuzz_take(input, 1);
    if (byte < 0x40)
        return byte;
    if (byte < 0x80)
        return WORD_SIZE * (byte - 0x40);
    return byte < 0xc0 ? fuzz_take(input, 2) : fuzz_take(input, size);
}

/* Makes the last thing that poll_oneoff is to wait for a clock that is due: nobody else would end the wait.
 */
static void end_wait(struct rt_caller *caller, const union rt_value *args, bool is_snapshot_0) {
    struct rt_memory *memory = rt_instance_memory(caller->instance, 0);
    const uint64_t size = is_snapshot_0 ? 56 : 48, last = args[0].i32 + (args[2].i32 - UINT64_C(1)) * size;
    if (args[2].i32 && last + size <= rt_memory_size(memory))
        memset(rt_memory_base(memory) + last, 0, size);
}

/* False when the guest has ended. */
static bool call_function(struct rt_wasi *wasi, struct rt_caller *caller, struct rt_cursor *input,
                          unsigned number) {
    struct rt_wasi_call call = {wasi, caller, number & 0x40, NULL};
    size_t function = (number & 0x3f) % RT_WASI_COUNT(functions);
    union rt_value args[16] = {0};
    for (size_t i = 0; functions[function].parameters[i]; i++) {
        if (functions[function].parameters[i] == 'I')
            args[i].i64 = take_argument(input, 8);
        else
            args[i].i32 = (uint32_t)take_argument(input, 4);
    }
    if (functions[function].handler == rt_wasi_poll_oneoff)
        end_wait(caller, args, call.is_snapshot_0);
    enum rt_wasi_errno answer = functions[function].handler(&call, args);
    fuzz_require(answer <= RT_WASI_ENOTCAPABLE);
    fuzz_require(!call.error || call.error->code == RT_EXIT);
    bool has_ended = call.error != NULL;
    rt_error_destroy(call.error);
    return !has_ended;
}

/* A call, or bytes that the guest writes into its memory. */
static void run_guest(struct rt_wasi *wasi, struct rt_instance *instance, struct rt_cursor *input) {
    struct rt_caller caller = {rt_instance_store(instance), instance};
    uint8_t *memory = rt_memory_base(rt_instance_memory(instance, 0));
    size_t memory_size = rt_memory_size(rt_instance_memory(instance, 0));
    fill_memory(memory, memory_size);
    for (int i = 0; i < MOST_CALLS && rt_cursor_left(input); i++) {
        unsigned number = (unsigned)fuzz_take(input, 1);
        if (number & 0x80) {
            size_t address = fuzz_take(input, 2), size;
            const uint8_t *bytes = fuzz_take_bytes(input, number & 0x7f, &size);
            if (address + size <= memory_size)
                memcpy(memory + address, bytes, size);
        } else if (!call_function(wasi, &caller, input, number)) {
            return;
        }
    }
}

/* One guest for all inputs, because making its memory takes the longest: 64 KiB, which run_guest fills. */
static struct rt_instance *get_instance(void) {
    static const uint8_t bytes[] = {0, 'a', 's', 'm', 1, 0, 0, 0, 5, 3, 1, 0, 1};
    static struct rt_module *module;
    static struct rt_code *code;
    static struct rt_store *store;
    static struct rt_instance *instance;
    if (!instance) {
        fuzz_require(!rt_module_create(bytes, sizeof bytes, &module));
        fuzz_require(!rt_code_create(module, NULL, &code));
        fuzz_require(!rt_store_create(&store));
        fuzz_require(!rt_instance_create(store, code, NULL, 0, &instance));
    }
    return instance;
}

/* A socket that listens, with a peer that has come, spoken and gone: no call on it or on what it accepts
 * waits, but for poll_oneoff. */
static int make_listener(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof address;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* The kernel picks a name that is in no file system (unix(7), "Autobind feature"). */
    fuzz_require(bind(listener, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0);
    fuzz_require(listen(listener, 1) == 0);
    fuzz_require(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    fuzz_require(connect(peer, (struct sockaddr *)&address, size) == 0);
    fuzz_require(write(peer, words[0], 4) == 4);
    close(peer);
    return listener;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct rt_cursor input = rt_cursor_make(data, size, 0);
    struct rt_instance *instance = get_instance();
    struct rt_wasi *wasi;
    int sockets[2], listener = make_listener();
    scratch_fill();
    fuzz_require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, sockets) == 0);
    fuzz_require(write(sockets[1], words[0], 4) == 4);
    const struct rt_wasi_dir dir = {scratch_inside(), "/"};
    const struct rt_wasi_options options = {.args = words,
                                            .arg_count = 2,
                                            .env = words,
                                            .env_count = 1,
                                            .dirs = &dir,
                                            .dir_count = 1,
                                            .stdin_fd = sockets[0],
                                            .stdout_fd = listener,
                                            .stderr_fd = -1,
                                            .deterministic = true};
    fuzz_require(!rt_wasi_create(rt_instance_store(instance), &options, &wasi));
    scratch_limit_files(true);
    run_guest(wasi, instance, &input);
    scratch_limit_files(false);
    rt_wasi_destroy(wasi);
    close(sockets[0]);
    close(sockets[1]);
    close(listener);
    scratch_check();
    return 0;
}
