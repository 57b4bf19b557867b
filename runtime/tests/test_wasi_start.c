/* How a WASI command starts, runs and ends: arguments, environment, exits, imports that do not fit. */
#include "runtime/tests/test_wasi.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static const char *const words[] = {"program", "", "two words"};
static const char *const variables[] = {"A=1", "LONG=a b=c"};

static void arguments_and_environment(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest,
               (struct rt_wasi_options){.args = words, .arg_count = 3, .env = variables, .env_count = 2}, 0);
    assert_int_equal(guest_call(&guest, "args_sizes_get", AT_RESULT, AT_RESULT + 4), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 4), 3);
    assert_int_equal(guest_get(&guest, AT_RESULT + 4, 4), 8 + 1 + 10);
    assert_int_equal(guest_call(&guest, "args_get", AT_RESULT, AT_DATA), RT_WASI_ESUCCESS);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t at = (uint32_t)guest_get(&guest, AT_RESULT + 4 * i, 4);
        assert_string_equal((char *)guest_memory(&guest) + at, words[i]);
    }
    assert_int_equal(guest_call(&guest, "environ_sizes_get", AT_RESULT, AT_RESULT + 4), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 4), 2);
    assert_int_equal(guest_get(&guest, AT_RESULT + 4, 4), 4 + 11);
    assert_int_equal(guest_call(&guest, "environ_get", AT_RESULT, AT_DATA), RT_WASI_ESUCCESS);
    assert_memory_equal(guest_memory(&guest) + AT_DATA, "A=1\0LONG=a b=c", 15);

    /* The last bytes of memory will do; one less will not, and nothing is written then. */
    assert_int_equal(guest_call(&guest, "args_get", AT_RESULT, GUEST_SIZE - 19), RT_WASI_ESUCCESS);
    guest_put_u32(&guest, AT_RESULT, 0x55555555);
    assert_int_equal(guest_call(&guest, "args_get", AT_RESULT, GUEST_SIZE - 18), RT_WASI_EFAULT);
    assert_int_equal(guest_get(&guest, AT_RESULT, 4), 0x55555555);
    assert_int_equal(guest_call(&guest, "args_get", GUEST_SIZE - 11, AT_DATA), RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "args_sizes_get", AT_RESULT, GUEST_SIZE - 3), RT_WASI_EFAULT);
    assert_int_equal(guest_call(&guest, "args_sizes_get", 0xffffffff, AT_RESULT), RT_WASI_EFAULT);
    guest_close(&guest);
}

static void no_arguments(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, (struct rt_wasi_options){0}, 0);
    assert_int_equal(guest_call(&guest, "args_sizes_get", AT_RESULT, AT_RESULT + 4), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 8), 0);
    assert_int_equal(guest_call(&guest, "args_get", AT_RESULT, AT_DATA), RT_WASI_ESUCCESS);
    guest_close(&guest);
}

static void exits(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, (struct rt_wasi_options){0}, 0);
    assert_int_equal(guest_call(&guest, "proc_exit", 42), -RT_EXIT);
    assert_int_equal(guest.error->exit_status, 42);
    assert_int_equal(guest_call(&guest, "proc_raise", 0), RT_WASI_ESUCCESS);
    assert_int_equal(guest_call(&guest, "proc_raise", 16), RT_WASI_ESUCCESS); /* chld */
    assert_int_equal(guest_call(&guest, "proc_raise", 18), RT_WASI_ENOTSUP);  /* stop */
    assert_int_equal(guest_call(&guest, "proc_raise", 31), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "proc_raise", 6), -RT_EXIT); /* abrt */
    assert_int_equal(guest.error->exit_status, 128 + 6);
    guest_close(&guest);
}

/* ---- Whole commands ---- */

/* A module whose function 0 is imported and whose function 1 is exported as `name`, with `code` as its body.
 */
static void make_command(struct bytes *module, const char *namespace, const char *import, const char *type,
                         const char *name, const void *code, size_t size) {
    static struct bytes part;
    module->size = 0;
    bytes_put(module, "\0asm\1\0\0\0", 8);
    part.size = 0;
    bytes_put(&part, "\2\x60", 2);
    bytes_types(&part, type);
    bytes_put(&part, "\0\x60\0\0", 4);
    bytes_section(module, 1, &part);
    part.size = 0;
    bytes_u8(&part, 1);
    bytes_name(&part, namespace);
    bytes_name(&part, import);
    bytes_put(&part, "\0\0", 2);
    bytes_section(module, 2, &part);
    part.size = 0;
    bytes_put(&part, "\1\1", 2);
    bytes_section(module, 3, &part);
    part.size = 0;
    bytes_u8(&part, 1);
    bytes_name(&part, name);
    bytes_put(&part, "\0\1", 2);
    bytes_section(module, 7, &part);
    part.size = 0;
    bytes_u8(&part, 1);
    bytes_uleb(&part, size + 1);
    bytes_u8(&part, 0);
    bytes_put(&part, code, size);
    bytes_section(module, 10, &part);
}

static const char call_exit_7[] = {0x41, 7, 0x10, 0, 0x0b}; /* i32.const 7, call 0, end */
static const char return_at_once[] = {0x0b};
static const char trap_at_once[] = {0x00, 0x0b}; /* unreachable, end */

/* Instantiates and runs; what failed, if anything. */
static struct rt_error *run_command(const struct bytes *bytes, int *ret_status) {
    struct rt_store *store = NULL;
    struct rt_wasi *wasi = NULL;
    struct rt_module *module = NULL;
    struct rt_code *code = NULL;
    struct rt_instance *instance = NULL;
    struct rt_wasi_options options = {.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1};
    guest_check(rt_store_create(&store));
    guest_check(rt_wasi_create(store, &options, &wasi));
    guest_check(rt_module_create(bytes->data, bytes->size, &module));
    guest_check(rt_code_create(module, NULL, &code));
    struct rt_error *error = rt_wasi_instantiate(wasi, code, &instance);
    if (!error)
        error = rt_wasi_run(instance, ret_status);
    rt_store_destroy(store);
    rt_wasi_destroy(wasi);
    rt_code_destroy(code);
    rt_module_destroy(module);
    return error;
}

static void expect_error(const struct bytes *bytes, enum rt_error_code code, const char *part) {
    int status = -1;
    struct rt_error *error = run_command(bytes, &status);
    assert_non_null(error);
    assert_int_equal(error->code, code);
    if (!strstr(error->message, part))
        fail_msg("\"%s\" does not say \"%s\"", error->message, part);
    rt_error_destroy(error);
}

static void commands(void **state) {
    (void)state;
    static struct bytes module;
    int status = -1;
    const char *space = "wasi_snapshot_preview1";
    make_command(&module, space, "proc_exit", "i", "_start", call_exit_7, sizeof call_exit_7);
    guest_check(run_command(&module, &status));
    assert_int_equal(status, 7);

    make_command(&module, "wasi_unstable", "proc_exit", "i", "_start", return_at_once, sizeof return_at_once);
    guest_check(run_command(&module, &status));
    assert_int_equal(status, 0);

    make_command(&module, space, "proc_exit", "i", "_start", trap_at_once, sizeof trap_at_once);
    expect_error(&module, RT_TRAP, "");
    make_command(&module, space, "proc_exit", "i", "start", return_at_once, sizeof return_at_once);
    expect_error(&module, RT_USAGE, "no function _start is exported");
}

static void imports_that_do_not_fit(void **state) {
    (void)state;
    static struct bytes module;
    make_command(&module, "env", "proc_exit", "i", "_start", return_at_once, sizeof return_at_once);
    expect_error(&module, RT_UNLINKABLE, "\"env\" \"proc_exit\"");
    make_command(&module, "wasi_snapshot_preview1", "proc_exi", "i", "_start", return_at_once, 1);
    expect_error(&module, RT_UNLINKABLE, "no such function");
    make_command(&module, "wasi_snapshot_preview1", "proc_exit", "I", "_start", return_at_once, 1);
    expect_error(&module, RT_UNLINKABLE, "the function's type");
}

static void bad_folder(void **state) {
    (void)state;
    struct rt_store *store;
    struct rt_wasi *wasi;
    struct rt_wasi_dir dir = {"/nonexistent/folder", "/"};
    struct rt_wasi_options options = {.dirs = &dir, .dir_count = 1};
    guest_check(rt_store_create(&store));
    struct rt_error *error = rt_wasi_create(store, &options, &wasi);
    assert_non_null(error);
    assert_int_equal(error->code, RT_OS);
    assert_non_null(strstr(error->message, "/nonexistent/folder"));
    rt_error_destroy(error);
    rt_wasi_destroy(NULL);
    rt_store_destroy(store);
}

/* What making a guest's folder says where openat2 gives `errnum`, seen in a process of its own. */
static void expect_without_openat2(int errnum, const char *part) {
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct sock_filter filter[] = {
            BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat2, 0, 1),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)errnum),
            BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        };
        struct sock_fprog program = {RT_WASI_COUNT(filter), filter};
        struct rt_store *store;
        struct rt_wasi *wasi;
        struct rt_wasi_dir dir = {"/", "/"};
        struct rt_wasi_options options = {.dirs = &dir, .dir_count = 1};
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 || rt_store_create(&store))
            _exit(1);
        struct rt_error *error = rt_wasi_create(store, &options, &wasi);
        _exit(error && strstr(error->message, part) ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void kernel_without_openat2(void **state) {
    (void)state;
    expect_without_openat2(ENOSYS, "this kernel has no openat2");
    /* EAGAIN asks to try again; that has an end. */
    expect_without_openat2(EAGAIN, "Resource temporarily unavailable");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        /* First: the runtime sets its trap handlers at the first store, and cmocka takes them away after the
         * test that this happens in. */
        cmocka_unit_test(commands),
        cmocka_unit_test(imports_that_do_not_fit),
        cmocka_unit_test(arguments_and_environment),
        cmocka_unit_test(no_arguments),
        cmocka_unit_test(exits),
        cmocka_unit_test(bad_folder),
        cmocka_unit_test(kernel_without_openat2),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
