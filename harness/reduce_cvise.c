/* C-Vise, with its interestingness test served by this process. The test that it runs is a script which asks
 * over a socket: no compiler is asked for its version again, and what a trial shares with others stays here.
 * A test that C-Vise gives up closes its connection, and its trial is killed. */
#include "harness/reduce.h"

#include "harness/interrupt.h"
#include "harness/process.h"
#include "harness/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOLDER "cvise"
#define SOCKET "socket"
#define SCRIPT "interesting"
#define PASSES "passes.json"

enum { POLL_INTERVAL = 200, PROGRAM_LIMIT = 16 << 20 };

static const char *const passes[] = {
#define HX_PASS(text) text,
#include "harness/reduce_passes.def"
#undef HX_PASS
};

/* One question: the connection, the program that comes over it, then its trial. */
struct client {
    int fd; /* -1: none */
    struct hx_buffer text;
    struct hx_trial trial;
};

struct server {
    struct hx_reduction *reduction;
    struct client clients[HX_MAX_TRIALS];
    int socket;
    int cvise, cvise_fd;
};

/* ---- The socket ---- */

/* Its name by way of the folder's descriptor is short, however long the folder's own is. */
static struct sockaddr_un address_in(int folder) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" SOCKET, folder);
    return address;
}

static struct rt_error *open_socket(const struct hx_temp *folder, bool is_server, int *ret) {
    const int place = open(folder->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct sockaddr_un address = address_in(place);
    struct rt_error *error = NULL;

    *ret = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (place < 0 || *ret < 0 ||
        (is_server
             ? bind(*ret, (const void *)&address, sizeof address) != 0 || listen(*ret, HX_MAX_TRIALS) != 0
             : connect(*ret, (const void *)&address, sizeof address) != 0))
        error = rt_error_os(errno, "cannot %s the reduction's socket in %s", is_server ? "make" : "reach",
                            folder->path);
    if (place >= 0)
        close(place);
    return error;
}

static struct rt_error *send_program(int fd, const struct hx_buffer *text) {
    for (size_t sent = 0; sent < text->size;) {
        const ssize_t count = send(fd, text->bytes + sent, text->size - sent, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return rt_error_os(errno, "cannot send the program");
        sent += (size_t)count;
    }
    return shutdown(fd, SHUT_WR) == 0 ? NULL : rt_error_os(errno, "cannot send the program");
}

struct rt_error *hx_reduce_ask(const char *folder, bool *ret_same) {
    struct hx_temp place;
    struct hx_buffer text = {0}, answer = {0};
    int fd = -1;

    *ret_same = false;
    if ((size_t)snprintf(place.path, sizeof place.path, "%s", folder) >= sizeof place.path)
        return rt_error_format(RT_USAGE, "the folder's path is too long: %s", folder);
    struct rt_error *error = hx_file_read(HX_SOURCE, PROGRAM_LIMIT, &text);
    if (!error)
        error = open_socket(&place, false, &fd);
    if (!error)
        error = send_program(fd, &text);
    while (!error && answer.size == 0) {
        const long got = hx_buffer_read(&answer, fd);
        if (got == 0 || (got < 0 && errno != EINTR))
            error = rt_error_format(RT_OS, "the reduction has ended");
    }
    *ret_same = !error && answer.bytes[0] == HX_ANSWER_SAME;
    if (fd >= 0)
        close(fd);
    hx_buffer_clear(&text);
    hx_buffer_clear(&answer);
    return error;
}

/* ---- Serving ---- */

static void drop(struct client *client) {
    hx_trial_stop(&client->trial);
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->text.size = 0;
}

static void accept_client(struct server *server) {
    for (size_t i = 0; i < HX_MAX_TRIALS; i++) {
        struct client *client = &server->clients[i];
        if (client->fd >= 0)
            continue;
        client->fd = accept4(server->socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        return;
    }
}

/* Reads what there is; at the end the trial begins. */
static struct rt_error *take_program(struct server *server, size_t index) {
    struct client *client = &server->clients[index];
    const long got = hx_buffer_read(&client->text, client->fd);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return NULL;
    if (got < 0 || client->text.size > PROGRAM_LIMIT) {
        drop(client);
        return NULL;
    }
    if (got > 0)
        return NULL;
    return hx_trial_start(server->reduction, (unsigned)index, client->text.bytes, client->text.size,
                          &client->trial);
}

/* C-Vise takes every program that is smaller, so the smallest that passed is its best. */
static struct rt_error *answer(struct server *server, struct client *client) {
    struct hx_buffer *best = &server->reduction->best;
    const char word = (char)hx_trial_finish(&client->trial);

    if (word == HX_ANSWER_SAME && client->text.size < best->size) {
        best->size = 0;
        hx_buffer_append(best, client->text.bytes, client->text.size);
    }
    (void)send(client->fd, &word, 1, MSG_NOSIGNAL);
    drop(client);
    return best->failed ? rt_error_out_of_memory() : NULL;
}

static struct rt_error *serve_once(struct server *server) {
    struct pollfd fds[2 + 2 * HX_MAX_TRIALS] = {{server->cvise_fd, POLLIN, 0}, {server->socket, POLLIN, 0}};
    struct rt_error *error = NULL;

    for (size_t i = 0; i < HX_MAX_TRIALS; i++) {
        const struct client *client = &server->clients[i];
        const bool is_tried = client->trial.pid > 0;
        /* Of a program that is being tried only a hangup is of interest, which is always told. */
        fds[2 + 2 * i] = (struct pollfd){client->fd, is_tried ? 0 : POLLIN, 0};
        fds[3 + 2 * i] = (struct pollfd){is_tried ? client->trial.pid_fd : -1, POLLIN, 0};
    }
    hx_interrupt_poll(fds, sizeof fds / sizeof *fds, POLL_INTERVAL);
    for (size_t i = 0; i < HX_MAX_TRIALS && !error; i++) {
        struct client *client = &server->clients[i];
        const short client_events = fds[2 + 2 * i].revents;
        if (fds[3 + 2 * i].revents)
            error = answer(server, client);
        else if (client->fd >= 0 && client->trial.pid > 0 && (client_events & (POLLHUP | POLLERR)))
            drop(client);
        else if (client->fd >= 0 && client->trial.pid == 0 && client_events)
            error = take_program(server, i);
    }
    if (fds[1].revents)
        accept_client(server);
    return error;
}

/* ---- C-Vise itself ---- */

static struct rt_error *write_files(const struct hx_reduction *reduction, const struct hx_temp *folder) {
    struct hx_buffer script = {0}, list = {0};
    char binary[256] = "";

    if (readlink("/proc/self/exe", binary, sizeof binary - 1) < 0)
        return rt_error_os(errno, "cannot find lockstep's own binary");
    hx_buffer_print(&script, "#!/bin/sh\nexec '%s' reduce --test '%s'\n", binary, folder->path);
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        hx_buffer_text(&list, passes[i]);
    struct rt_error *error = hx_buffer_write(&script, folder->path, SCRIPT, 0755);
    if (!error)
        error = hx_buffer_write(&list, folder->path, PASSES, 0644);
    if (!error)
        error = hx_buffer_write(&reduction->best, folder->path, HX_SOURCE, 0644);
    hx_buffer_clear(&script);
    hx_buffer_clear(&list);
    return error;
}

/* Its own temporary folders go into ours. */
static _Noreturn void become_cvise(const struct hx_temp *folder, const char *path, unsigned jobs,
                                   pid_t parent) {
    char count[16];
    const char *words[] = {path,
                           "--n",
                           count,
                           "--tidy",
                           "--shaddap",
                           "--skip-initial-passes",
                           "--no-timing",
                           "--skip-interestingness-test-check",
                           "--pass-group-file",
                           PASSES,
                           "./" SCRIPT,
                           HX_SOURCE,
                           NULL};
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    snprintf(count, sizeof count, "%u", jobs);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    hx_interrupt_release();
    setpgid(0, 0);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        chdir(folder->path) != 0 || setenv("TMPDIR", folder->path, 1) != 0)
        _exit(1);
    execv(path, (char *const *)words);
    _exit(1);
}

static struct rt_error *start_cvise(struct server *server, const struct hx_temp *folder, const char *path) {
    const pid_t parent = getpid();

    fflush(NULL);
    server->cvise = fork();
    if (server->cvise == 0)
        become_cvise(folder, path, server->reduction->jobs, parent);
    if (server->cvise < 0)
        return rt_error_os(errno, "cannot start %s", path);
    setpgid(server->cvise, server->cvise);
    server->cvise_fd = pidfd_open(server->cvise, 0);
    return server->cvise_fd < 0 ? rt_error_os(errno, "cannot watch %s", path) : NULL;
}

static bool has_ended(int pid_fd) {
    struct pollfd fd = {pid_fd, POLLIN, 0};
    return poll(&fd, 1, 0) > 0;
}

/* What it did after its last step that made the program smaller: names, layout. */
static struct rt_error *take_last(struct server *server, const struct hx_temp *folder) {
    struct hx_buffer text = {0};
    char path[512];
    bool is_same;

    snprintf(path, sizeof path, "%s/" HX_SOURCE, folder->path);
    struct rt_error *error = hx_file_read(path, PROGRAM_LIMIT, &text);
    if (!error && text.size > 0 && hx_reduction_lines(&text) <= hx_reduction_lines(&server->reduction->best))
        error = hx_try(server->reduction, &text, &is_same);
    hx_buffer_clear(&text);
    return error;
}

struct rt_error *hx_reduce_cvise(struct hx_reduction *reduction, const char *path) {
    struct server server = {.reduction = reduction, .socket = -1, .cvise_fd = -1};
    struct hx_temp folder = {0};
    int status = 0;

    hx_reduction_begin(reduction, "C-Vise");
    for (size_t i = 0; i < HX_MAX_TRIALS; i++)
        server.clients[i] = (struct client){.fd = -1, .trial = {.pid_fd = -1}};
    struct rt_error *error = hx_temp_folder(reduction->temp, FOLDER, &folder);
    if (!error)
        error = write_files(reduction, &folder);
    if (!error)
        error = open_socket(&folder, true, &server.socket);
    if (!error)
        error = start_cvise(&server, &folder, path);
    bool is_done = false;
    while (!error && !is_done && !hx_reduction_is_over(reduction)) {
        error = serve_once(&server);
        hx_reduction_progress(reduction, false);
        is_done = has_ended(server.cvise_fd);
    }
    for (size_t i = 0; i < HX_MAX_TRIALS; i++) {
        drop(&server.clients[i]);
        hx_buffer_clear(&server.clients[i].text);
    }
    if (server.cvise > 0) {
        kill(-server.cvise, SIGKILL);
        while (waitpid(server.cvise, &status, 0) < 0 && errno == EINTR)
            ;
    }
    if (!error && is_done && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        error = take_last(&server, &folder);
    else if (!error && is_done)
        error = rt_error_format(RT_USAGE, "%s failed", path);
    if (server.cvise_fd >= 0)
        close(server.cvise_fd);
    if (server.socket >= 0)
        close(server.socket);
    hx_temp_remove(&folder);
    return error;
}
