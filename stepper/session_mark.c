/* Marks: where a session is, to be there again once its stack holds what it did. */
#include "stepper/session.h"

struct st_session_mark st_session_mark(const struct st_session *session, struct rt_area *ret_stack) {
    const struct st_fiber *fiber = &session->fiber;
    const size_t size = fiber->high - fiber->low;
    *ret_stack = (struct rt_area){
        .base = (void *)fiber->low, .size = size, .from = (uintptr_t)fiber->inside - fiber->low, .to = size};
    return (struct st_session_mark){.state = session->state,
                                    .inside = fiber->inside,
                                    .inside_fake = fiber->inside_fake,
                                    .event = session->event,
                                    .saved = session->saved};
}

void st_session_return(struct st_session *session, const struct st_session_mark *mark) {
    struct st_fiber *fiber = &session->fiber;
    /* The frames that the address sanitizer knows are others. */
    st_stack_forget((void *)fiber->low, fiber->high - fiber->low);
    fiber->inside = mark->inside;
    fiber->inside_fake = mark->inside_fake;
    fiber->is_ending = false;
    session->state = mark->state;
    session->event = mark->event;
    session->saved = mark->saved;
    session->next_pc = 0;
    session->in_debuggee = false;
    session->frames.is_walked = session->frames.is_innermost_known = false;
    rt_error_destroy(session->error);
    session->error = NULL;
}
