/* Checkpoints of a store, forwards and backwards, against plain copies of all that is in it. */
#include "runtime/instance.h"
#include "runtime/tests/builder.h"

enum { PAGES = 6, MOST_PAGES = 20, KEPT = 12 };

static uint64_t random_below(uint64_t *state, uint64_t bound) {
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (*state >> 33) % bound;
}

/* A guest with a memory, a table, globals and passive segments. */
static struct running make_guest(void) {
    struct builder builder = {0};
    build_memory(&builder, PAGES, MOST_PAGES);
    build_table(&builder, 'r', 10, 5000);
    build_global(&builder, 'i', true, 1);
    build_global(&builder, 'v', true, 2);
    BUILD_FUNCTION(&builder, "init", ":", "", RT_OP_I32_CONST, 0, RT_OP_I32_CONST, 0, RT_OP_I32_CONST, 4,
                   0xfc, 8, 0, 0, RT_OP_I32_CONST, 0, RT_OP_I32_CONST, 0, RT_OP_I32_CONST, 1, 0xfc, 12, 0, 0);
    BUILD_FUNCTION(&builder, "drop", ":", "", 0xfc, 9, 0, 0xfc, 13, 0);
    BUILD_FUNCTION(&builder, "store", "ii:", "", RT_OP_LOCAL_GET, 0, RT_OP_LOCAL_GET, 1, RT_OP_I32_STORE, 2,
                   0);
    const uint32_t elements[] = {0};
    build_elements(&builder, -1, elements, 1);
    build_data(&builder, -1, "data");
    return run(&builder);
}

/* ---- Memory ---- */

struct copy {
    struct rt_checkpoint *checkpoint; /* NULL: free */
    size_t size;
    uint8_t *bytes;
};

static void keep(struct rt_history *history, const struct rt_memory *memory, struct copy *ret) {
    rt_checkpoint_destroy(ret->checkpoint);
    free(ret->bytes);
    ret->size = rt_memory_size(memory);
    ret->bytes = malloc(ret->size);
    assert_non_null(ret->bytes);
    memcpy(ret->bytes, rt_memory_base(memory), ret->size);
    expect_good(rt_checkpoint_take(history, NULL, 0, &ret->checkpoint));
}

static void expect_copy(const struct rt_memory *memory, const struct copy *copy) {
    assert_int_equal(rt_memory_size(memory), copy->size);
    assert_memory_equal(rt_memory_base(memory), copy->bytes, copy->size);
}

/* Through the guest, the host and past both. */
static void write_somewhere(const struct running *guest, struct rt_memory *memory, uint64_t *seed) {
    const uint64_t address = random_below(seed, rt_memory_size(memory) - 4) & ~UINT64_C(3);
    const uint32_t value = (uint32_t)random_below(seed, 3);
    switch (random_below(seed, 3)) {
    case 0: expect_good(call_with(exported(guest, "store"), (uint64_t[4]){address, value}, NULL)); break;
    case 1: assert_true(rt_memory_write(memory, address, &value, sizeof value)); break;
    default: rt_memory_base(memory)[address] = (uint8_t)value; break;
    }
}

static void memory_is_what_it_was(void **state) {
    (void)state;
    struct running guest = make_guest();
    struct rt_memory *memory = rt_instance_memory(guest.instance, 0);
    struct copy copies[KEPT] = {{0}};
    struct rt_history *history;
    uint64_t seed = 5, old;
    expect_good(rt_history_create(guest.store, &history));
    keep(history, memory, &copies[0]);
    for (int i = 0; i < 1500; i++) {
        struct copy *copy = &copies[random_below(&seed, KEPT)];
        for (uint64_t k = random_below(&seed, 30); k > 0; k--)
            write_somewhere(&guest, memory, &seed);
        if (random_below(&seed, 20) == 0)
            rt_error_destroy(rt_memory_grow(memory, random_below(&seed, 3), &old));
        if (random_below(&seed, 10) == 0)
            memset(rt_memory_base(memory) + random_below(&seed, 65536), (int)(i & 1), 100000);
        if (random_below(&seed, 5) < 3) {
            keep(history, memory, copy);
        } else if (copy->checkpoint) {
            expect_good(rt_checkpoint_restore(copy->checkpoint));
            expect_copy(memory, copy);
        }
    }
    for (size_t i = 0; i < KEPT; i++) {
        rt_checkpoint_destroy(copies[i].checkpoint);
        free(copies[i].bytes);
    }
    rt_history_destroy(history);
    memset(rt_memory_base(memory), 1, rt_memory_size(memory)); /* nothing is protected any more */
    stop(&guest);
}

/* A memory that grows again after it was made smaller has zeros there, and ends where it did. */
static void a_memory_shrinks(void **state) {
    (void)state;
    struct running guest = make_guest();
    struct rt_memory *memory = rt_instance_memory(guest.instance, 0);
    struct rt_checkpoint *checkpoint;
    struct rt_history *history;
    uint64_t old;
    const size_t size = rt_memory_size(memory);
    expect_good(rt_history_create(guest.store, &history));
    expect_good(rt_checkpoint_take(history, NULL, 0, &checkpoint));
    expect_good(rt_memory_grow(memory, 2, &old));
    memset(rt_memory_base(memory) + size, 7, 2 * RT_PAGE_SIZE);
    expect_good(rt_checkpoint_restore(checkpoint));
    assert_int_equal(rt_memory_size(memory), size);
    expect_trap(&guest, "store", size, 1, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    expect_good(rt_memory_grow(memory, 2, &old));
    for (size_t i = 0; i < 2 * (size_t)RT_PAGE_SIZE; i++)
        assert_int_equal(rt_memory_base(memory)[size + i], 0);
    rt_checkpoint_destroy(checkpoint);
    rt_history_destroy(history);
    stop(&guest);
}

/* ---- The rest ---- */

static void tables_globals_and_segments(void **state) {
    (void)state;
    struct running guest = make_guest();
    struct rt_table *table = rt_instance_table(guest.instance, 0);
    struct rt_global *global = rt_instance_global(guest.instance, 1);
    struct rt_func *func = exported(&guest, "drop");
    const union rt_value before = rt_global_get(global);
    struct rt_checkpoint *first, *second;
    struct rt_history *history;
    uint32_t old;
    expect_good(rt_history_create(guest.store, &history));
    expect_good(rt_checkpoint_take(history, NULL, 0, &first));
    expect_good(rt_table_grow(table, 3000, func, &old));
    expect_good(rt_table_set(table, 2, func));
    rt_global_set(global, (union rt_value){.v128 = {9}});
    expect_good(call_with(func, (uint64_t[4]){0}, NULL));
    expect_trap(&guest, "init", 0, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    expect_good(rt_checkpoint_take(history, NULL, 0, &second));

    expect_good(rt_checkpoint_restore(first));
    assert_int_equal(rt_table_size(table), 10);
    assert_null(rt_table_get(table, 2));
    const union rt_value after = rt_global_get(global);
    assert_memory_equal(before.v128, after.v128, 16);
    expect_good(call_with(exported(&guest, "init"), (uint64_t[4]){0}, NULL));
    assert_memory_equal(rt_memory_base(rt_instance_memory(guest.instance, 0)), "data", 4);

    expect_good(rt_checkpoint_restore(second)); /* and forwards */
    assert_int_equal(rt_table_size(table), 3010);
    assert_ptr_equal(rt_table_get(table, 2), func);
    assert_ptr_equal(rt_table_get(table, 3009), func);
    assert_int_equal(rt_global_get(global).v128[0], 9);
    expect_trap(&guest, "init", 0, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    rt_checkpoint_destroy(first);
    rt_checkpoint_destroy(second);
    rt_history_destroy(history);
    stop(&guest);
}

/* The embedder's own memory, of which a part is live. */
static void areas_are_put_back(void **state) {
    (void)state;
    struct running guest = make_guest();
    static uint8_t stack[100000];
    uint64_t number = 1;
    struct rt_area areas[] = {{stack, sizeof stack, 90000, sizeof stack},
                              {&number, sizeof number, 0, sizeof number}};
    struct rt_checkpoint *deep, *flat;
    struct rt_history *history;
    expect_good(rt_history_create(guest.store, &history));
    memset(stack, 1, sizeof stack);
    expect_good(rt_checkpoint_take(history, areas, 2, &flat));
    memset(stack, 2, sizeof stack);
    number = 2;
    areas[0].from = 10;
    expect_good(rt_checkpoint_take(history, areas, 2, &deep));
    memset(stack, 3, sizeof stack);
    number = 3;
    expect_good(rt_checkpoint_restore(flat));
    assert_int_equal(number, 1);
    assert_int_equal(stack[90000], 1);
    assert_int_equal(stack[sizeof stack - 1], 1);
    assert_int_equal(stack[80000], 3); /* it was not in use */
    expect_good(rt_checkpoint_restore(deep));
    assert_int_equal(number, 2);
    for (size_t i = 10; i < sizeof stack; i++)
        assert_int_equal(stack[i], 2);
    rt_checkpoint_destroy(flat);
    rt_checkpoint_destroy(deep);
    rt_history_destroy(history);
    stop(&guest);
}

/* What did not change is not copied again. */
static void checkpoints_share(void **state) {
    (void)state;
    struct running guest = make_guest();
    struct rt_memory *memory = rt_instance_memory(guest.instance, 0);
    struct rt_checkpoint *checkpoints[20];
    struct rt_history *history;
    memset(rt_memory_base(memory), 3, rt_memory_size(memory));
    expect_good(rt_history_create(guest.store, &history));
    expect_good(rt_checkpoint_take(history, NULL, 0, &checkpoints[0]));
    const struct rt_history_cost first = rt_history_cost(history);
    assert_true(first.bytes >= rt_memory_size(memory));
    for (uint32_t i = 1; i < 20; i++) {
        rt_memory_base(memory)[0] = (uint8_t)i;
        expect_good(rt_checkpoint_take(history, NULL, 0, &checkpoints[i]));
    }
    const struct rt_history_cost all = rt_history_cost(history);
    assert_true(all.bytes < first.bytes + rt_memory_size(memory) / 2);
    assert_int_equal(all.pages_copied, first.pages_copied + 19);
    for (uint32_t i = 0; i < 20; i++)
        rt_checkpoint_destroy(checkpoints[i]);
    rt_history_destroy(history);
    stop(&guest);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_what_it_was),       cmocka_unit_test(a_memory_shrinks),
        cmocka_unit_test(tables_globals_and_segments), cmocka_unit_test(areas_are_put_back),
        cmocka_unit_test(checkpoints_share),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
