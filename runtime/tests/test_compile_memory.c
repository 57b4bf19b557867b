/* Runs every load and store: values, extension, offsets, and the last byte of memory. */
#include "runtime/tests/builder.h"

#define MEMORY_SIZE 65536u

struct access {
    uint32_t opcode;
    unsigned size;
    bool is_signed;
};
static const struct access loads[] = {
    {RT_OP_I32_LOAD, 4, false},    {RT_OP_I64_LOAD, 8, false},     {RT_OP_F32_LOAD, 4, false},
    {RT_OP_F64_LOAD, 8, false},    {RT_OP_I32_LOAD8_S, 1, true},   {RT_OP_I32_LOAD8_U, 1, false},
    {RT_OP_I32_LOAD16_S, 2, true}, {RT_OP_I32_LOAD16_U, 2, false}, {RT_OP_I64_LOAD8_S, 1, true},
    {RT_OP_I64_LOAD8_U, 1, false}, {RT_OP_I64_LOAD16_S, 2, true},  {RT_OP_I64_LOAD16_U, 2, false},
    {RT_OP_I64_LOAD32_S, 4, true}, {RT_OP_I64_LOAD32_U, 4, false},
};
static const struct access stores[] = {
    {RT_OP_I32_STORE, 4, false},  {RT_OP_I64_STORE, 8, false},   {RT_OP_F32_STORE, 4, false},
    {RT_OP_F64_STORE, 8, false},  {RT_OP_I32_STORE8, 1, false},  {RT_OP_I32_STORE16, 2, false},
    {RT_OP_I64_STORE8, 1, false}, {RT_OP_I64_STORE16, 2, false}, {RT_OP_I64_STORE32, 4, false},
};

/* The address as a constant, a local, or a register. */
enum form { CONSTANT, LOCAL, REGISTER, FORM_COUNT };

static void put_address(struct bytes *code, enum form form, uint32_t address) {
    if (form == CONSTANT) {
        put_constant(code, RT_I32, address);
        return;
    }
    PUT(code, RT_OP_LOCAL_GET, 0);
    if (form == REGISTER)
        PUT(code, RT_OP_I32_CONST, 0, RT_OP_I32_ADD);
}

static uint64_t pattern(uint32_t address, unsigned size, bool is_signed, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)(uint8_t)(0x91 + 37 * (address + i)) << 8 * i;
    if (is_signed && size < 8 && value >> (8 * size - 1))
        value |= ~(uint64_t)0 << 8 * size;
    return width == 32 ? (uint32_t)value : value;
}

/* Calls one function that accesses `address` through this form and offset. */
static struct rt_error *access(struct running *running, uint32_t base, uint64_t value, uint64_t *ret) {
    struct rt_func *func = rt_instance_func(running->instance, 0);
    struct rt_func_type type = rt_func_type_of(func);
    union rt_value result = {0};
    struct rt_error *error = call_with(func, (const uint64_t[4]){base, value}, &result);
    *ret = type.result_count ? bits_of((enum rt_type)type.results[0], result) : 0;
    return error;
}

static void check_load(const struct access *load, enum form form, uint32_t base, uint32_t offset) {
    char result = rt_opcodes[load->opcode].signature[2], signature[] = {'i', ':', result, 0};
    struct builder builder = {0};
    struct bytes code = {0};
    put_address(&code, form, base);
    put_byte(&code, load->opcode);
    put_byte(&code, 0);
    put_uleb(&code, offset);
    build_memory(&builder, 1, 1);
    build_function(&builder, NULL, signature, "", &code);
    struct running running = run(&builder);
    uint8_t *bytes = rt_memory_base(rt_instance_memory(running.instance, 0));
    for (uint32_t i = 0; i < MEMORY_SIZE; i++)
        bytes[i] = (uint8_t)(0x91 + 37 * i);
    uint64_t got = 0, address = (uint64_t)base + offset;
    struct rt_error *error = access(&running, base, 0, &got);
    if (address + load->size > MEMORY_SIZE) {
        expect_trap_error(error, RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
    } else {
        expect_good(error);
        unsigned width = result == 'i' || result == 'f' ? 32 : 64;
        uint64_t expected = pattern((uint32_t)address, load->size, load->is_signed, width);
        if (got != expected)
            fail_msg("%s at 0x%llx: 0x%llx", rt_opcodes[load->opcode].text, (unsigned long long)address,
                     (unsigned long long)got);
    }
    stop(&running);
}

static void check_store(const struct access *store, enum form form, bool constant, uint32_t base,
                        uint32_t offset) {
    char type = rt_opcodes[store->opcode].signature[1], signature[] = {'i', type, ':', 0};
    const uint64_t value = type == 'i' || type == 'f' ? 0xc1d2e3f4 : 0xfedcba9876543210;
    struct builder builder = {0};
    struct bytes code = {0};
    put_address(&code, form, base);
    if (constant)
        put_constant(&code, type_of_letter(type), value);
    else
        PUT(&code, RT_OP_LOCAL_GET, 1);
    put_byte(&code, store->opcode);
    put_byte(&code, 0);
    put_uleb(&code, offset);
    build_memory(&builder, 1, 1);
    build_function(&builder, NULL, signature, "", &code);
    struct running running = run(&builder);
    const uint8_t *bytes = rt_memory_base(rt_instance_memory(running.instance, 0));
    uint64_t unused, address = (uint64_t)base + offset;
    struct rt_error *error = access(&running, base, value, &unused);
    bool inside = address + store->size <= MEMORY_SIZE;
    if (inside)
        expect_good(error);
    else
        expect_trap_error(error, RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
    for (uint32_t i = 0; i < MEMORY_SIZE; i++) {
        uint64_t at = i - address;
        uint8_t expected = inside && i >= address && at < store->size ? (uint8_t)(value >> 8 * at) : 0;
        if (bytes[i] != expected)
            fail_msg("%s at 0x%llx: byte 0x%x is 0x%x", rt_opcodes[store->opcode].text,
                     (unsigned long long)address, i, bytes[i]);
    }
    stop(&running);
}

static const struct {
    uint32_t base, offset;
} places[] = {
    {0, 0},
    {16, 1},
    {100, 65000},
    {MEMORY_SIZE - 1, 0},
    {MEMORY_SIZE - 8, 0},
    {65530, 2},
    {0, MEMORY_SIZE},
    {MEMORY_SIZE, 0},
    {0x7fffffff, 0},
    {0x80000000, 0},
    {UINT32_MAX, 0},
    {0, UINT32_MAX},
    {0, 0x80000000},
    {UINT32_MAX, UINT32_MAX},
    {UINT32_MAX, 1},
    {8, 0x7ffffff0},
    {0, 0x7fffffff},
    {0x80000000, 0x7fffffff},
};

static void test_loads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(loads) / sizeof(*loads); i++) {
        for (size_t k = 0; k < sizeof(places) / sizeof(*places); k++) {
            for (enum form form = 0; form < FORM_COUNT; form++)
                check_load(&loads[i], form, places[k].base, places[k].offset);
        }
    }
}

static void test_stores(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(stores) / sizeof(*stores); i++) {
        for (size_t k = 0; k < sizeof(places) / sizeof(*places); k++) {
            for (enum form form = 0; form < FORM_COUNT; form++) {
                check_store(&stores[i], form, false, places[k].base, places[k].offset);
                check_store(&stores[i], form, true, places[k].base, places[k].offset);
            }
        }
    }
}

static void test_size_and_grow(void **state) {
    (void)state;
    struct builder builder = {0};
    build_memory(&builder, 1, 4);
    BUILD_FUNCTION(&builder, "size", ":i", "", RT_OP_MEMORY_SIZE, 0);
    BUILD_FUNCTION(&builder, "grow", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_MEMORY_GROW, 0);
    BUILD_FUNCTION(&builder, "load", "i:i", "", RT_OP_LOCAL_GET, 0, RT_OP_I32_LOAD, 2, 0);
    struct running running = run(&builder);
    expect_trap(&running, "load", 65536, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(call(&running, "grow", 2, 0, 0, 0), 1);
    assert_int_equal(call(&running, "size", 0, 0, 0, 0), 3);
    assert_int_equal(call(&running, "load", 3 * 65536 - 4, 0, 0, 0), 0);
    expect_trap(&running, "load", 3 * 65536 - 3, 0, RT_TRAP_MEMORY_OUT_OF_BOUNDS);
    assert_int_equal(call(&running, "grow", 2, 0, 0, 0), UINT32_MAX);
    assert_int_equal(call(&running, "grow", UINT32_MAX, 0, 0, 0), UINT32_MAX);
    assert_int_equal(call(&running, "grow", 0, 0, 0, 0), 3);
    stop(&running);
}

static void test_bulk(void **state) {
    (void)state;
    struct builder builder = {0};
    build_memory(&builder, 1, 1);
    build_data(&builder, -1, "abcdef");
#define THREE RT_OP_LOCAL_GET, 0, RT_OP_LOCAL_GET, 1, RT_OP_LOCAL_GET, 2
    BUILD_FUNCTION(&builder, "init", "iii:", "", THREE, 0xfc, 8, 0, 0);
    BUILD_FUNCTION(&builder, "drop", ":", "", 0xfc, 9, 0);
    BUILD_FUNCTION(&builder, "copy", "iii:", "", THREE, 0xfc, 10, 0, 0);
    BUILD_FUNCTION(&builder, "fill", "iii:", "", THREE, 0xfc, 11, 0);
    struct running running = run(&builder);
    const char *bytes = (const char *)rt_memory_base(rt_instance_memory(running.instance, 0));
    call(&running, "init", 10, 1, 4, 0);
    assert_string_equal(bytes + 10, "bcde");
    call(&running, "copy", 11, 10, 4, 0); /* overlapping */
    assert_string_equal(bytes + 10, "bbcde");
    call(&running, "fill", 12, 0x1278, 2, 0);
    assert_string_equal(bytes + 10, "bbxxe");
    call(&running, "fill", 65536, 0, 0, 0);
    call(&running, "init", 0, 6, 0, 0);
    call(&running, "drop", 0, 0, 0, 0);
    call(&running, "init", 0, 0, 0, 0);
    union rt_value too_long[3] = {{.i32 = 65530}, {.i32 = 0}, {.i32 = 7}};
    const char *names[] = {"init", "copy", "fill"};
    for (unsigned i = 0; i < 3; i++)
        expect_trap_error(rt_func_call(exported(&running, names[i]), too_long, NULL),
                          RT_TRAP_MEMORY_OUT_OF_BOUNDS, NULL);
    assert_int_equal(bytes[65530], 0);
    stop(&running);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_loads),
        cmocka_unit_test(test_stores),
        cmocka_unit_test(test_size_and_grow),
        cmocka_unit_test(test_bulk),
    };
    return RUN_ON_BOTH_ENGINES(tests);
}
