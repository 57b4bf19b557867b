/* Timelines: a stop is the same whether it was stepped to or gone to from anywhere, over both engines. */
#include "stepper/tests/timeline_test.h"

enum { MOST_STOPS = 20000 };

/* ---- What the stops are: a session without a timeline says ---- */

static struct recording recording;
static uint64_t digests[MOST_STOPS];
static size_t count;

static int set_up(void **state) {
    (void)state;
    recording = record(0);
    struct travel *travel = open_session(&recording, 0);
    size_t site_count;
    const struct rt_site *sites = rt_code_sites(travel->codes[GUEST], &site_count);
    struct st_probe *probes = calloc(site_count, sizeof(*probes));
    struct st_event event;
    assert_non_null(probes);
    for (size_t i = 0; i < site_count; i++)
        probes[i] = (struct st_probe){.pc = sites[i].pc, .kind = ST_STEP};
    check(st_session_set_probes(travel->session, probes, site_count));
    count = 0;
    do {
        check(st_session_next(travel->session, &event));
        assert_true(count < MOST_STOPS);
        digests[count++] = digest(travel, &event);
    } while (event.kind != ST_EXIT);
    free(probes);
    close_travel(travel);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    destroy_recording(&recording);
    return 0;
}

static void expect_stop(struct travel *travel, uint64_t number) {
    assert_int_equal(st_timeline_position(travel->timeline), number);
    if (digest(travel, st_timeline_event(travel->timeline)) != digests[number])
        fail_msg("stop %llu is another", (unsigned long long)number);
}

/* ---- Tests ---- */

static void stepping_forwards_is_stepping(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 100, 0, 0);
    uint64_t end;
    for (size_t i = 0; i < count; i++) {
        check(st_timeline_goto(travel->timeline, i));
        expect_stop(travel, i);
        assert_int_equal(st_timeline_end(travel->timeline, &end), i + 1 == count);
    }
    assert_int_equal(end, count - 1);
    assert_int_equal(st_timeline_event(travel->timeline)->kind, ST_EXIT);
    assert_int_equal(st_timeline_event(travel->timeline)->status, 5);
    check(st_timeline_goto(travel->timeline, count + 1000)); /* there is nothing behind */
    expect_stop(travel, count - 1);
    close_travel(travel);
}

static void walk(uint64_t seed, uint64_t interval, size_t budget) {
    struct travel *travel = open_timeline(&recording, interval, budget, 0);
    uint64_t at = 0;
    for (int i = 0; i < 150; i++) {
        /* Far, near, one back, one forward. */
        uint64_t kind = random_below(&seed, 4), near = random_below(&seed, 40);
        if (kind == 0)
            at = random_below(&seed, count);
        else if (kind == 1)
            at = at + 20 > near ? at + 20 - near : 0;
        else if (kind == 2)
            at -= at > 0;
        else
            at++;
        at = at < count ? at : count - 1;
        check(st_timeline_goto(travel->timeline, at));
        expect_stop(travel, at);
    }
    close_travel(travel);
}

static void walks_from_anywhere_end_at_the_same(void **state) {
    (void)state;
    walk(1, 1, 0);
    walk(2, 7, 0);
    walk(3, 64, 0);
    walk(4, 1000000, 0);
}

static void few_checkpoints_are_enough(void **state) {
    (void)state;
    walk(5, 3, 300000);
    walk(6, 50, 1);
}

static void stepping_backwards_is_the_same(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 200, 0, 0);
    check(st_timeline_goto(travel->timeline, UINT64_MAX));
    for (uint64_t at = count - 1; at > count - 1500; at--) {
        check(st_timeline_goto(travel->timeline, at));
        expect_stop(travel, at);
    }
    struct st_timeline_cost cost = st_timeline_cost(travel->timeline);
    assert_true(cost.checkpoints > 1 && cost.bytes > 0 && cost.taken >= cost.checkpoints);
    close_travel(travel);
}

/* The stack is full of activations, up to its end. */
static void deep_recursion(void **state) {
    (void)state;
    struct recording deep = record(400000);
    struct travel *travel = open_timeline(&deep, 5000, 0, 512 << 10);
    check(st_timeline_run(travel->timeline, ST_UNTIL_BREAKPOINT));
    assert_int_equal(st_timeline_event(travel->timeline)->kind, ST_TRAP);
    uint64_t trap = st_timeline_position(travel->timeline),
             here = digest(travel, st_timeline_event(travel->timeline));
    check(st_timeline_goto(travel->timeline, trap / 2));
    uint64_t half = digest(travel, st_timeline_event(travel->timeline));
    check(st_timeline_goto(travel->timeline, UINT64_MAX));
    assert_int_equal(st_timeline_event(travel->timeline)->kind, ST_EXIT);
    check(st_timeline_goto(travel->timeline, trap));
    assert_true(digest(travel, st_timeline_event(travel->timeline)) == here);
    check(st_timeline_goto(travel->timeline, trap / 2));
    assert_true(digest(travel, st_timeline_event(travel->timeline)) == half);
    close_travel(travel);
    destroy_recording(&deep);
}

static void an_interrupt_ends_a_run(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 100, 0, 0);
    st_timeline_interrupt(travel->timeline);
    check_fails(st_timeline_goto(travel->timeline, count - 1), "interrupted");
    assert_true(st_timeline_position(travel->timeline) < count - 1);
    check(st_timeline_goto(travel->timeline, 700));
    expect_stop(travel, 700);
    close_travel(travel);
}

/* What a driver changes is undone by going back before it. */
static void changes_are_undone(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 100, 0, 0);
    check(st_timeline_goto(travel->timeline, 500));
    uint8_t *byte = st_session_writable(travel->session, 60000, 1);
    assert_non_null(byte);
    *byte ^= 1;
    check(st_timeline_goto(travel->timeline, 499));
    check(st_timeline_goto(travel->timeline, 500));
    expect_stop(travel, 500);
    close_travel(travel);
}

static void only_a_fresh_session_has_a_timeline(void **state) {
    (void)state;
    struct travel *travel = open_session(&recording, 0);
    const struct st_timeline_options options = {.replayer = travel->replayer};
    struct st_timeline *other;
    struct st_event event;
    check(st_session_next(travel->session, &event));
    check_fails(st_timeline_create(travel->session, &options, &other), "has not run");
    close_travel(travel);
}

/* The second group compares with the first: stops and their states do not depend on the engine. */
static void engines_agree(void **state) {
    (void)state;
    static uint64_t first[MOST_STOPS];
    static size_t first_count;
    if (first_count > 0) {
        assert_int_equal(count, first_count);
        assert_memory_equal(digests, first, count * sizeof(*digests));
    }
    memcpy(first, digests, sizeof(first));
    first_count = count;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stepping_forwards_is_stepping),
        cmocka_unit_test(walks_from_anywhere_end_at_the_same),
        cmocka_unit_test(few_checkpoints_are_enough),
        cmocka_unit_test(stepping_backwards_is_the_same),
        cmocka_unit_test(deep_recursion),
        cmocka_unit_test(an_interrupt_ends_a_run),
        cmocka_unit_test(changes_are_undone),
        cmocka_unit_test(only_a_fresh_session_has_a_timeline),
        cmocka_unit_test(engines_agree),
    };
    tested_engine = RT_ENGINE_COMPILED;
    int failed = cmocka_run_group_tests_name("compiled", tests, set_up, tear_down);
    tested_engine = RT_ENGINE_INTERP;
    return failed + cmocka_run_group_tests_name("interp", tests, set_up, tear_down);
}
