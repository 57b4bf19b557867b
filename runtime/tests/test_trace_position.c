/* Returning to places in a trace that a reader has been at. */
#include "runtime/tests/recording.h"

enum { MOST_EVENTS = 2000 };

static void every_place_can_be_returned_to(void **state) {
    (void)state;
    static struct place {
        struct rt_trace_position position;
        uint8_t kind;
        uint32_t depth;
    } places[MOST_EVENTS];
    struct recording recording = record();
    struct rt_trace_reader *reader = open_reader(&recording.bytes);
    const struct rt_trace_event *event;
    uint64_t seed = 3;
    size_t count = 0;

    for (;; count++) {
        assert_true(count < MOST_EVENTS);
        expect_good(rt_trace_reader_tell(reader, &places[count].position));
        expect_good(rt_trace_reader_next(reader, &event));
        if (!event)
            break;
        places[count].kind = event->kind;
        places[count].depth = event->depth;
    }
    assert_true(count > 100);
    for (int i = 0; i < 3000; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        const size_t from = (seed >> 33) % count, length = (seed >> 20) % 12;
        expect_good(rt_trace_reader_return(reader, &places[from].position));
        for (size_t k = from; k < from + length && k < count; k++) {
            expect_good(rt_trace_reader_next(reader, &event));
            assert_non_null(event);
            assert_int_equal(event->number, k);
            assert_int_equal(event->kind, places[k].kind);
            assert_int_equal(event->depth, places[k].depth);
        }
    }
    /* To the end from anywhere. */
    expect_good(rt_trace_reader_return(reader, &places[count / 2].position));
    for (size_t k = count / 2; k < count; k++)
        expect_good(rt_trace_reader_next(reader, &event));
    expect_good(rt_trace_reader_next(reader, &event));
    assert_null(event);
    rt_trace_reader_destroy(reader);
    destroy_recording(&recording);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_place_can_be_returned_to)};
    return RUN_ON_BOTH_ENGINES(tests);
}
