/* Sockets that the embedder handed to the guest as a stream: accept, receive, send, shut down. What is no
 * socket is ENOTSOCK. */
#include "runtime/wasi/wasi.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static enum rt_wasi_errno get_socket(struct rt_wasi_call *call, uint32_t fd, uint32_t rights,
                                     struct rt_wasi_descriptor **ret) {
    enum rt_wasi_errno errnum = rt_wasi_descriptor_get(call->wasi, fd, 0, ret);
    if (!errnum && (*ret)->type != RT_WASI_SOCKET_STREAM && (*ret)->type != RT_WASI_SOCKET_DGRAM)
        errnum = RT_WASI_ENOTSOCK;
    return errnum ? errnum : rt_wasi_descriptor_get(call->wasi, fd, rights, ret);
}

enum rt_wasi_errno rt_wasi_sock_accept(struct rt_wasi_call *call, const union rt_value *args) {
    struct rt_wasi_descriptor *listener;
    uint32_t flags = args[1].i32;
    if (!rt_wasi_in_memory(call, args[2].i32, 4))
        return RT_WASI_EFAULT;
    enum rt_wasi_errno errnum = get_socket(call, args[0].i32, RT_WASI_RIGHT_SOCK_ACCEPT, &listener);
    if (errnum)
        return errnum;
    if (flags & ~(uint32_t)RT_WASI_FDFLAG_NONBLOCK)
        return RT_WASI_EINVAL;
    int host =
        TEMP_FAILURE_RETRY(accept4(listener->host, NULL, NULL, SOCK_CLOEXEC | (flags ? SOCK_NONBLOCK : 0)));
    if (host < 0)
        return rt_wasi_errno_of(errno);
    struct rt_wasi_descriptor accepted = {0};
    uint32_t fd;
    if (rt_wasi_descriptor_describe(host, &accepted))
        errnum = rt_wasi_descriptor_add(call->wasi, &accepted, &fd);
    else
        errnum = rt_wasi_errno_of(errno);
    if (errnum) {
        close(host);
        return errnum;
    }
    return rt_wasi_write_u32(call, args[2].i32, fd);
}

enum rt_wasi_errno rt_wasi_sock_recv(struct rt_wasi_call *call, const union rt_value *args) {
    enum { PEEK = 1, WAIT_ALL = 2, DATA_TRUNCATED = 1 }; /* witx `riflags`, `roflags` */
    uint32_t count = args[2].i32, flags = args[3].i32, size, done = 0;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = get_socket(call, args[0].i32, RT_WASI_RIGHT_FD_READ, &descriptor);
    if (!errnum)
        errnum = rt_wasi_vectors_load(call, args[1].i32, count, &size);
    if (errnum)
        return errnum;
    if (!rt_wasi_in_memory(call, args[4].i32, 4) || !rt_wasi_in_memory(call, args[5].i32, 2))
        return RT_WASI_EFAULT;
    if (flags & ~(uint32_t)(PEEK | WAIT_ALL))
        return RT_WASI_EINVAL;
    bool is_truncated = false;
    for (;;) {
        uint32_t part = size - done < RT_WASI_BUFFER_SIZE ? size - done : RT_WASI_BUFFER_SIZE;
        struct iovec vector = {call->wasi->buffer, part};
        struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
        ssize_t got =
            TEMP_FAILURE_RETRY(recvmsg(descriptor->host, &message,
                                       (flags & PEEK ? MSG_PEEK : 0) | (flags & WAIT_ALL ? MSG_WAITALL : 0)));
        if (got < 0 && done == 0)
            return rt_wasi_errno_of(errno);
        if (got <= 0)
            break;
        is_truncated = message.msg_flags & MSG_TRUNC;
        rt_wasi_vectors_scatter(call, count, done, (uint32_t)got);
        done += (uint32_t)got;
        /* Waiting for all of more than the buffer takes several rounds; a datagram is one. */
        if (flags != WAIT_ALL || (uint32_t)got < part || done == size ||
            descriptor->type == RT_WASI_SOCKET_DGRAM)
            break;
    }
    uint8_t out_flags[2];
    rt_wasi_store(out_flags, is_truncated ? DATA_TRUNCATED : 0, 2);
    if (!rt_guest_write(call->caller, args[5].i32, out_flags, sizeof out_flags))
        return RT_WASI_EFAULT;
    return rt_wasi_write_u32(call, args[4].i32, done);
}

enum rt_wasi_errno rt_wasi_sock_send(struct rt_wasi_call *call, const union rt_value *args) {
    uint32_t size;
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = get_socket(call, args[0].i32, RT_WASI_RIGHT_FD_WRITE, &descriptor);
    if (!errnum)
        errnum = rt_wasi_vectors_load(call, args[1].i32, args[2].i32, &size);
    if (errnum)
        return errnum;
    if (!rt_wasi_in_memory(call, args[4].i32, 4))
        return RT_WASI_EFAULT;
    if (args[3].i32) /* witx `siflags`: none */
        return RT_WASI_EINVAL;
    struct msghdr message = {
        .msg_iov = call->wasi->host_vectors,
        .msg_iovlen = (size_t)rt_wasi_vectors_view(call, args[2].i32),
    };
    ssize_t put = TEMP_FAILURE_RETRY(sendmsg(descriptor->host, &message, MSG_NOSIGNAL));
    return put < 0 ? rt_wasi_errno_of(errno) : rt_wasi_write_u32(call, args[4].i32, (uint32_t)put);
}

enum rt_wasi_errno rt_wasi_sock_shutdown(struct rt_wasi_call *call, const union rt_value *args) {
    static const int hows[] = {-1, SHUT_RD, SHUT_WR, SHUT_RDWR}; /* witx `sdflags` */
    struct rt_wasi_descriptor *descriptor;
    enum rt_wasi_errno errnum = get_socket(call, args[0].i32, RT_WASI_RIGHT_SOCK_SHUTDOWN, &descriptor);
    if (errnum)
        return errnum;
    if (args[1].i32 == 0 || args[1].i32 >= RT_WASI_COUNT(hows))
        return RT_WASI_EINVAL;
    return shutdown(descriptor->host, hows[args[1].i32]) < 0 ? rt_wasi_errno_of(errno) : RT_WASI_ESUCCESS;
}
