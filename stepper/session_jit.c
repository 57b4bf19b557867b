/* Debuggees that are code which an engine has registered: run by a call of the driver's, stepped as native
 * code. What that code does with faults is its engine's business, whose handlers were there before ours. */
#include "stepper/session.h"

#include <stdlib.h>

enum {
    /* Guest frames leave this much of the stack to host functions, the stub and the stepper. */
    HOST_RESERVE = 256 << 10,
};

/* All that 32 bits reach, and an access at its end. */
#define MEMORY_SIZE ((UINT64_C(1) << 32) + 64)

static void run_engine(void *user) {
    struct st_session *session = user;
    session->in_debuggee = true;
    st_session_end(session, session->enter(session->enter_user), NULL);
}

bool st_jit_is_memory(const struct st_session *session, uint64_t address) {
    const uint64_t memory = session->options.memory;
    return memory != 0 && address - memory < MEMORY_SIZE;
}

struct rt_error *st_session_create_jit(const struct st_jit_images *images, const struct st_jit_image *image,
                                       int (*enter)(void *user), void *user,
                                       const struct st_session_options *options, struct st_session **ret) {
    struct st_session *session;
    struct rt_error *error = st_session_allocate(options, &session);
    if (error != NULL) {
        return error;
    }
    session->is_registered = true;
    session->enter = enter;
    session->enter_user = user;
    error = st_image_borrow(images, image, &session->image);
    if (error == NULL) {
        session->image->session = session;
        session->debug = session->image->debug;
        error = st_native_make_stacks(session, HOST_RESERVE, run_engine);
    }
    if (error != NULL) {
        st_session_destroy(session);
        return error;
    }
    *ret = session;
    return NULL;
}

void st_jit_clear(struct st_session *session) {
    struct st_image *image = session->image;
    st_native_clear(session);
    st_image_close(image);
}

uintptr_t st_session_stack_limit(const struct st_session *session) {
    return session->fiber.low + HOST_RESERVE;
}
