/* What the tests of sessions share: opening the debuggees of tests/images, and driving them. */
#ifndef LOCKSTEP_STEPPER_TESTS_SESSION_TEST_H
#define LOCKSTEP_STEPPER_TESTS_SESSION_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "stepper/stepper.h"

/* Fails the test with the error's message. */
static inline void check(struct rt_error *error) {
    if (error != NULL) {
        print_error("%s\n", error->message);
        rt_error_destroy(error);
        fail();
    }
}

/* Fails unless there is an error with that in its message. */
static inline void check_fails(struct rt_error *error, const char *words) {
    assert_non_null(error);
    if (strstr(error->message, words) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", error->message, words);
        fail();
    }
    rt_error_destroy(error);
}

static inline struct st_image *open_image(const char *name) {
    char path[4096];
    strcpy(path, STEPPER_TEST_IMAGES "/");
    strncat(path, name, 100);
    strcat(path, ".so");
    struct st_image *image;
    check(st_image_open(path, &image));
    return image;
}

/* A session of an image, with up to two arguments; `quantum` as in the options. */
static inline struct st_session *start(struct st_image *image, const char *first, const char *second,
                                       unsigned quantum) {
    const char *argv[] = {"program", first, second};
    struct st_session_options options = {.argc = second  ? 3
                                                 : first ? 2
                                                         : 1,
                                         .argv = argv,
                                         .quantum = quantum};
    struct st_session *session;
    check(st_session_create_native(image, &options, &session));
    return session;
}

static inline struct st_event next(struct st_session *session) {
    struct st_event event;
    check(st_session_next(session, &event));
    return event;
}

/* The storage of a global of the image. */
static inline void *global(struct st_session *session, const char *name, size_t size) {
    size_t count;
    const struct st_variable *variables = st_debug_globals(st_session_debug(session), &count);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(variables[i].name, name) == 0) {
            struct st_frame frame = {.pc = 0};
            struct st_place place;
            st_locate(session, &frame, &variables[i], &place);
            assert_int_equal(place.kind, ST_PLACE_MEMORY);
            void *storage = st_session_writable(session, place.address, size);
            assert_non_null(storage);
            return storage;
        }
    }
    print_error("no global %s\n", name);
    fail();
    return NULL;
}

/* Probes at every statement row of the image; the caller frees them. */
static inline struct st_probe *all_rows(const struct st_debug *debug, size_t *ret_count) {
    size_t row_count, count = 0;
    const struct st_row *rows = st_debug_rows(debug, &row_count);
    struct st_probe *probes = calloc(row_count + 1, sizeof(*probes));
    assert_non_null(probes);
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].is_stmt && !rows[i].end_sequence && (count == 0 || probes[count - 1].pc < rows[i].pc)) {
            probes[count++] = (struct st_probe){.pc = rows[i].pc, .cookie = rows[i].line, .kind = ST_STEP};
        }
    }
    *ret_count = count;
    return probes;
}

#endif
