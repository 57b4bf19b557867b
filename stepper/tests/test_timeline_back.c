/* Running a timeline backwards, against a list of all stops and of all writes that was made going forwards.
 */
#include "stepper/tests/timeline_test.h"

enum { MOST_STOPS = 20000, MOST_WRITES = 4 * MOST_STOPS };

/* What happens at and behind each stop, up to the next. */
struct stop {
    uint64_t pc;
    uintptr_t frame; /* 0: none */
    bool is_trap;
};

static struct recording recording;
static struct stop stops[MOST_STOPS];
static uint64_t count;
static struct known_write {
    uint64_t stop, address, size;
    bool is_host;
} writes[MOST_WRITES];
static size_t write_count;

static void add_write(uint64_t stop, uint64_t address, uint64_t size, bool is_host) {
    assert_true(write_count < MOST_WRITES);
    writes[write_count++] = (struct known_write){stop, address, size, is_host};
}

static uint32_t operand(const struct rt_activation *activation, unsigned from_top) {
    enum rt_type type;
    union rt_value value;
    uint32_t operands;
    check(rt_activation_operand_count(activation, &operands));
    check(rt_activation_operand(activation, operands - from_top, &type, &value));
    return value.i32;
}

/* What the instruction at this stop writes. */
static void list_store(struct travel *travel, const struct rt_activation *activation) {
    struct rt_instruction instruction;
    const struct rt_module *module = rt_code_module(travel->codes[GUEST]);
    assert_true(rt_module_instruction(module, activation->pc, &instruction));
    if (instruction.changes == RT_CHANGES_MEMORY) {
        uint64_t size =
            instruction.count_operand ? operand(activation, instruction.count_operand) : instruction.count;
        add_write(count, (uint64_t)operand(activation, instruction.start_operand) + instruction.offset, size,
                  false);
    }
}

static int set_up(void **state) {
    (void)state;
    recording = record(0);
    struct travel *travel = open_timeline(&recording, 1000, 0, 0);
    const struct st_event *event = st_timeline_event(travel->timeline);
    count = write_count = 0;
    for (bool is_end = false; !is_end; count++) {
        const struct st_frame *frame;
        assert_true(count < MOST_STOPS);
        stops[count] = (struct stop){.pc = event->pc, .is_trap = event->kind == ST_TRAP};
        is_end = event->kind == ST_EXIT;
        if (!is_end) {
            check(st_session_frame(travel->session, &frame));
            stops[count].frame = frame->activation.frame;
        }
        if (event->kind == ST_STEP)
            list_store(travel, &frame->activation);
        travel->writes = 0;
        check(st_timeline_goto(travel->timeline, count + 1));
        if (travel->writes)
            add_write(count, travel->write_address, travel->write_size, true);
    }
    close_travel(travel);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    destroy_recording(&recording);
    return 0;
}

/* ---- Breakpoints ---- */

static bool is_wanted(uint64_t number, enum st_until until, uint64_t origin, const uint64_t pcs[2]) {
    const struct stop *stop = &stops[number], *from = &stops[origin];
    if (stop->is_trap || (stop->frame && (stop->pc == pcs[0] || stop->pc == pcs[1])))
        return true;
    if (until == ST_UNTIL_BREAKPOINT || !stop->frame || !from->frame)
        return false;
    return until == ST_UNTIL_CALLER ? stop->frame > from->frame : stop->frame >= from->frame;
}

static void runs_end_where_the_list_says(void **state) {
    (void)state;
    static const enum st_until kinds[] = {ST_UNTIL_BREAKPOINT, ST_UNTIL_SAME_FRAME, ST_UNTIL_CALLER};
    struct travel *travel = open_timeline(&recording, 150, 0, 0);
    uint64_t seed = 11;
    for (int i = 0; i < 120; i++) {
        uint64_t origin = random_below(&seed, count - 1), expected = origin;
        const uint64_t pcs[2] = {stops[random_below(&seed, count - 1)].pc,
                                 stops[random_below(&seed, count - 1)].pc};
        const enum st_until until = kinds[i % 3];
        bool is_back = random_below(&seed, 3) > 0, found = false, reported;
        size_t breakpoints;
        check(st_timeline_set_breakpoints(travel->timeline, pcs, 2, &breakpoints));
        assert_int_equal(breakpoints, 1 + (pcs[0] != pcs[1]));
        check(st_timeline_goto(travel->timeline, origin));
        if (is_back) {
            while (!found && expected > 0)
                found = is_wanted(--expected, until, origin, pcs);
            check(st_timeline_run_back(travel->timeline, until, &reported));
            assert_int_equal(reported, found);
        } else {
            while (!found && expected < count - 1)
                found = is_wanted(++expected, until, origin, pcs);
            check(st_timeline_run(travel->timeline, until));
        }
        assert_int_equal(st_timeline_position(travel->timeline), expected);
    }
    close_travel(travel);
}

/* ---- Writes ---- */

static const struct known_write *last_write(uint64_t before, uint64_t address, uint64_t size) {
    const struct known_write *found = NULL;
    for (size_t i = 0; i < write_count; i++)
        if (writes[i].stop < before && writes[i].size && writes[i].address < address + size &&
            address < writes[i].address + writes[i].size)
            found = &writes[i];
    return found;
}

static void expect_next_write(struct travel *travel, uint64_t origin, uint64_t address, uint64_t size) {
    const struct known_write *expected = NULL;
    struct st_write write;
    bool found;
    for (size_t i = 0; i < write_count && !expected; i++)
        if (writes[i].stop > origin && writes[i].size && writes[i].address < address + size &&
            address < writes[i].address + writes[i].size)
            expected = &writes[i];
    check(st_timeline_goto(travel->timeline, origin));
    check(st_timeline_next_write(travel->timeline, address, size, &write, &found));
    assert_int_equal(found, expected != NULL);
    assert_int_equal(st_timeline_position(travel->timeline), expected ? expected->stop : count - 1);
    if (expected)
        assert_int_equal(write.address, expected->address);
}

static void expect_write(struct travel *travel, uint64_t origin, uint64_t address, uint64_t size) {
    const struct known_write *expected = last_write(origin, address, size);
    struct st_write write;
    bool found;
    check(st_timeline_goto(travel->timeline, origin));
    check(st_timeline_last_write(travel->timeline, address, size, &write, &found));
    assert_int_equal(found, expected != NULL);
    assert_int_equal(st_timeline_position(travel->timeline), expected ? expected->stop : origin);
    if (expected) {
        assert_int_equal(write.address, expected->address);
        assert_int_equal(write.size, expected->size);
        assert_int_equal(write.is_host, expected->is_host);
        assert_int_equal(write.pc, stops[expected->stop].pc);
    }
}

static void last_writes_are_those_of_the_list(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 150, 0, 0);
    uint64_t seed = 12;
    for (int i = 0; i < 60; i++) {
        const struct known_write *some = &writes[random_below(&seed, write_count)];
        uint64_t address = random_below(&seed, 2) ? some->address : random_below(&seed, 65536);
        expect_write(travel, random_below(&seed, count), address, 1 + random_below(&seed, 8));
        expect_next_write(travel, random_below(&seed, count), address, 1 + random_below(&seed, 8));
    }
    expect_write(travel, count - 1, 0, 1u << 20);
    expect_write(travel, count - 1, 0xfffffff0, 64);
    close_travel(travel);
}

/* Byte 40 is written once a round, with the same value from the second on. */
static void silent_writes_count(void **state) {
    (void)state;
    struct travel *travel = open_timeline(&recording, 1000, 0, 0);
    struct st_write write;
    bool found = true;
    int rounds = 0;
    check(st_timeline_goto(travel->timeline, UINT64_MAX));
    for (;; rounds++) {
        uint64_t before = st_timeline_position(travel->timeline);
        check(st_timeline_last_write(travel->timeline, 40, 1, &write, &found));
        if (!found)
            break;
        assert_true(st_timeline_position(travel->timeline) < before);
    }
    assert_int_equal(rounds, ROUNDS);
    close_travel(travel);
}

static void stores_must_be_sites(void **state) {
    (void)state;
    struct travel travel = {0};
    struct rt_compile_options options = {.engine = tested_engine, .canonical_nans = true};
    uint32_t sites[2];
    struct rt_trace_source source;
    struct rt_trace_reader *reader;
    struct st_write write;
    uint32_t end;
    bool found;

    assert_true(rt_module_function_range(recording.modules[GUEST], 1, &end, &sites[0], &end));
    options.sites = sites;
    options.site_count = 1;
    for (size_t i = 0; i < MODULES; i++)
        check(rt_code_create(recording.modules[i], &options, &travel.codes[i]));
    check(rt_store_create(&travel.store));
    check(rt_trace_source_memory(recording.bytes.bytes, recording.bytes.size, &source));
    check(rt_trace_reader_create(source, &reader));
    check(rt_replayer_create(travel.store, reader,
                             &(struct rt_replayer_options){.codes = travel.codes, .code_count = MODULES},
                             &travel.replayer));
    check(rt_replayer_start(travel.replayer));
    travel.guest = rt_replayer_instance(travel.replayer);
    check(st_session_create_wasm(travel.guest, NULL,
                                 &(struct st_session_options){.run = run_replay, .run_user = &travel},
                                 &travel.session));
    check(st_timeline_create(travel.session, &(struct st_timeline_options){.replayer = travel.replayer},
                             &travel.timeline));
    assert_int_equal(st_timeline_event(travel.timeline)->pc, sites[0]);
    check_fails(st_timeline_last_write(travel.timeline, 0, 1, &write, &found), "is no site");
    st_timeline_destroy(travel.timeline);
    st_session_destroy(travel.session);
    rt_replayer_destroy(travel.replayer);
    rt_store_destroy(travel.store);
    for (size_t i = 0; i < MODULES; i++)
        rt_code_destroy(travel.codes[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_end_where_the_list_says),
        cmocka_unit_test(last_writes_are_those_of_the_list),
        cmocka_unit_test(silent_writes_count),
        cmocka_unit_test(stores_must_be_sites),
    };
    tested_engine = RT_ENGINE_COMPILED;
    int failed = cmocka_run_group_tests_name("compiled", tests, set_up, tear_down);
    tested_engine = RT_ENGINE_INTERP;
    return failed + cmocka_run_group_tests_name("interp", tests, set_up, tear_down);
}
