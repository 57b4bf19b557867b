/* Sockets that the embedder passes as the guest's standard streams. */
#include "runtime/tests/test_wasi.h"

#include <sys/socket.h>
#include <sys/un.h>

static int receive(struct guest *guest, uint32_t size, unsigned flags) {
    guest_vector(guest, AT_VECTORS, AT_DATA, size);
    int errnum = guest_call(guest, "sock_recv", 0, AT_VECTORS, 1, flags, AT_RESULT, AT_RESULT + 8);
    return errnum ? -errnum : (int)guest_get(guest, AT_RESULT, 4);
}

static int send_text(struct guest *guest, const char *text, unsigned flags) {
    guest_put(guest, AT_DATA, text, strlen(text));
    guest_vector(guest, AT_VECTORS, AT_DATA, (uint32_t)strlen(text));
    int errnum = guest_call(guest, "sock_send", 0, AT_VECTORS, 1, flags, AT_RESULT);
    return errnum ? -errnum : (int)guest_get(guest, AT_RESULT, 4);
}

static void streams(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    char text[16] = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = ends[0], .stdout_fd = -1, .stderr_fd = -1}, 0);
    assert_int_equal(guest_call(&guest, "fd_fdstat_get", 0, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 1), RT_WASI_SOCKET_STREAM);
    assert_int_equal(write(ends[1], "hello", 5), 5);
    assert_int_equal(receive(&guest, 100, 1), 5); /* peek */
    assert_int_equal(receive(&guest, 3, 0), 3);
    assert_int_equal(receive(&guest, 2, 2), 2); /* wait for all */
    assert_int_equal(receive(&guest, 2, 4), -RT_WASI_EINVAL);
    assert_int_equal(send_text(&guest, "answer", 0), 6);
    assert_int_equal(send_text(&guest, "answer", 1), -RT_WASI_EINVAL);
    assert_int_equal(read(ends[1], text, sizeof text), 6);
    assert_string_equal(text, "answer");
    assert_int_equal(guest_call(&guest, "sock_shutdown", 0, 0), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "sock_shutdown", 0, 4), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "sock_shutdown", 0, 2), RT_WASI_ESUCCESS);
    assert_int_equal(send_text(&guest, "x", 0), -RT_WASI_EPIPE); /* and no SIGPIPE */
    assert_int_equal(guest_call(&guest, "sock_accept", 0, 0, AT_RESULT), RT_WASI_EINVAL);
    guest_close(&guest);
    close(ends[0]);
    close(ends[1]);
}

static void datagrams(void **state) {
    (void)state;
    struct guest guest;
    int ends[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = ends[0], .stdout_fd = -1, .stderr_fd = -1}, 0);
    assert_int_equal(guest_call(&guest, "fd_fdstat_get", 0, AT_RESULT), RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 1), RT_WASI_SOCKET_DGRAM);
    assert_int_equal(write(ends[1], "datagram", 8), 8);
    assert_int_equal(receive(&guest, 4, 0), 4);
    assert_int_equal(guest_get(&guest, AT_RESULT + 8, 2), 1); /* the rest is lost */
    guest_close(&guest);
    close(ends[0]);
    close(ends[1]);
}

static void accepting(void **state) {
    (void)state;
    struct guest guest;
    /* An abstract name of the kernel's choice: nothing to clean up. */
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&name, sizeof name.sun_family), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&name, &size), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&name, size), 0);
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = listener, .stdout_fd = -1, .stderr_fd = -1}, 0);
    assert_int_equal(guest_call(&guest, "sock_accept", 0, 1, AT_RESULT), RT_WASI_EINVAL);
    assert_int_equal(guest_call(&guest, "sock_accept", 0, RT_WASI_FDFLAG_NONBLOCK, AT_RESULT),
                     RT_WASI_ESUCCESS);
    assert_int_equal(guest_get(&guest, AT_RESULT, 4), 3);
    assert_int_equal(guest_read(&guest, 3, 10), -RT_WASI_EAGAIN);
    assert_int_equal(write(client, "hi", 2), 2);
    assert_int_equal(guest_read(&guest, 3, 10), 2);
    assert_int_equal(guest_call(&guest, "fd_close", 3), RT_WASI_ESUCCESS);
    guest_close(&guest);
    close(listener);
    close(client);
}

static void no_sockets(void **state) {
    (void)state;
    struct guest guest;
    guest_open(&guest, (struct rt_wasi_options){.stdin_fd = -1, .stdout_fd = -1, .stderr_fd = -1},
               GUEST_FOLDER);
    for (int fd = 0; fd < 4; fd++) {
        assert_int_equal(guest_call(&guest, "sock_accept", fd, 0, AT_RESULT), RT_WASI_ENOTSOCK);
        assert_int_equal(guest_call(&guest, "sock_shutdown", fd, 1), RT_WASI_ENOTSOCK);
        assert_int_equal(guest_call(&guest, "sock_recv", fd, AT_VECTORS, 0, 0, AT_RESULT, AT_RESULT + 8),
                         RT_WASI_ENOTSOCK);
        assert_int_equal(guest_call(&guest, "sock_send", fd, AT_VECTORS, 0, 0, AT_RESULT), RT_WASI_ENOTSOCK);
    }
    assert_int_equal(guest_call(&guest, "sock_shutdown", 4, 1), RT_WASI_EBADF);
    guest_close(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(datagrams),
        cmocka_unit_test(accepting),
        cmocka_unit_test(no_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
