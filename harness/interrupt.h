/* Ctrl-C and SIGTERM: a flag, and waiting that a signal ends without a race. */
#ifndef LOCKSTEP_HARNESS_INTERRUPT_H
#define LOCKSTEP_HARNESS_INTERRUPT_H

#include <poll.h>
#include <stdbool.h>

/* From here on the first SIGINT or SIGTERM sets the flag; a second one ends the process. */
void hx_interrupt_catch(void);
/* Back to the defaults, for a child that is not to know of it. */
void hx_interrupt_release(void);
bool hx_interrupted(void);
/* Forgets what came, for what is left to do after an interruption, which can be interrupted again. */
void hx_interrupt_forget(void);
/* poll() during which alone the signals come through; milliseconds, -1 without limit. */
int hx_interrupt_poll(struct pollfd *fds, nfds_t count, int milliseconds);

#endif
