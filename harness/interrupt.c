/* Ctrl-C and SIGTERM end a command cleanly: temporary folders are removed, findings kept. */
#include "harness/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t interrupted;
static sigset_t outside_mask;

static void note(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

static void handle(void) {
    const struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void hx_interrupt_catch(void) {
    sigset_t ours;

    sigemptyset(&ours);
    sigaddset(&ours, SIGINT);
    sigaddset(&ours, SIGTERM);
    sigprocmask(SIG_BLOCK, &ours, &outside_mask);
    handle();
    /* A closed pipe is an error of write(), so that what is temporary still goes away. */
    signal(SIGPIPE, SIG_IGN);
}

void hx_interrupt_release(void) {
    sigset_t none;

    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void hx_interrupt_forget(void) {
    interrupted = 0;
    handle();
}

bool hx_interrupted(void) {
    return interrupted;
}

int hx_interrupt_poll(struct pollfd *fds, nfds_t count, int milliseconds) {
    struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    return ppoll(fds, count, milliseconds < 0 ? NULL : &limit, &outside_mask);
}
