/* DWARF expressions by hand: every operation, every way to fail, on a made-up machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "stepper/expression.h"

#define MEMORY_BASE 0x1000u

enum { DW_OP_WASM_location = ST_DW_OP_WASM_location }; /* <dwarf.h> does not have it */

struct fake {
    uint64_t registers[40];
    uint64_t known; /* bit i: registers[i] */
    uint8_t vector[16];
    uint8_t memory[128]; /* at MEMORY_BASE */
    uint64_t cfa;
    union rt_value locals[6];
};

static bool read_register(void *user, unsigned number, uint64_t *ret) {
    struct fake *fake = user;
    if (number >= 40 || !(fake->known >> number & 1))
        return false;
    *ret = fake->registers[number];
    return true;
}

static const uint8_t *read_vector(void *user, unsigned index) {
    return index == 3 ? ((struct fake *)user)->vector : NULL;
}

static const void *read_memory(void *user, uint64_t address, size_t size) {
    struct fake *fake = user;
    if (address < MEMORY_BASE || address - MEMORY_BASE > sizeof fake->memory ||
        size > sizeof fake->memory - (address - MEMORY_BASE))
        return NULL;
    return fake->memory + (address - MEMORY_BASE);
}

static bool read_cfa(void *user, uint64_t *ret) {
    *ret = ((struct fake *)user)->cfa;
    return *ret != 0;
}

/* Kinds: local i has type i; globals hold 100 + index, operands 200 + index. */
static struct rt_error *read_wasm(void *user, unsigned kind, uint32_t index, enum rt_type *type,
                                  union rt_value *ret) {
    struct fake *fake = user;
    static const enum rt_type types[] = {RT_I32, RT_I64, RT_F32, RT_F64, RT_V128, RT_FUNCREF};
    if (kind == 0 && index >= 6)
        return rt_error_format(RT_USAGE, "there is no local %u", index);
    *type = kind == 0 ? types[index] : RT_I32;
    *ret = kind == 0 ? fake->locals[index] : (union rt_value){.i32 = 100 * (kind == 2 ? 2 : 1) + index};
    return NULL;
}

static struct fake fake;
static struct rt_arena arena;
static struct st_type int_type = {.kind = ST_TYPE_BASE, .encoding = DW_ATE_signed, .size = 4, .name = "int"};
static struct st_type char_type = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_signed_char, .size = 1, .name = "char"};
static struct st_type long_type = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_unsigned, .size = 8, .name = "unsigned long"};
static struct st_type float_type = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_float, .size = 4, .name = "float"};
static struct st_type double_type = {
    .kind = ST_TYPE_BASE, .encoding = DW_ATE_float, .size = 8, .name = "double"};
static struct st_map types; /* at 0x10 ... 0x14 of the unit */
/* a header, address 0, address 1 */
static const uint8_t addresses[24] = {[16] = 0x34, [17] = 0x12};
static struct st_section sections[ST_SECTION_COUNT];
static struct st_unit unit = {.sections = sections,
                              .types = &types,
                              .offset = 0x1000,
                              .address_base = 8,
                              .version = 5,
                              .address_size = 8,
                              .offset_size = 4};
static struct st_location no_frame_base = {.kind = ST_LOCATION_NONE};
static struct st_machine machine = {
    .bias = 0x100000,
    .address_size = 8,
    .pc = 0x50,
    .frame_base = &no_frame_base,
    .user = &fake,
    .read_register = read_register,
    .read_vector = read_vector,
    .memory = read_memory,
    .cfa = read_cfa,
    .wasm = read_wasm,
};

static int set_up(void **state) {
    (void)state;
    memset(&fake, 0, sizeof fake);
    for (size_t i = 0; i < 40; i++)
        fake.registers[i] = 0x1000 + i;
    fake.known = 0xffff;
    for (size_t i = 0; i < sizeof fake.vector; i++)
        fake.vector[i] = (uint8_t)(0xa0 + i);
    for (size_t i = 0; i < sizeof fake.memory; i++)
        fake.memory[i] = (uint8_t)i;
    fake.cfa = 0x7000;
    fake.locals[0].i32 = 0x1010;
    fake.locals[1].i64 = 0x1122334455667788;
    fake.locals[2].f32 = 1.5f;
    fake.locals[3].f64 = -2.25;
    memcpy(fake.locals[4].v128, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16);
    rt_arena_init(&arena, 0);
    sections[ST_SECTION_ADDR] = (struct st_section){addresses, sizeof addresses};
    const struct st_type *all[] = {&int_type, &char_type, &long_type, &float_type, &double_type};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        assert_true(st_map_put(&types, 0x1010 + i, (void *)all[i]));
    machine.address_size = unit.address_size = 8;
    machine.frame_base = &no_frame_base;
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    st_map_clear(&types);
    rt_arena_clear(&arena);
    return 0;
}

static void wasm_mode(void) {
    machine.address_size = unit.address_size = 4;
}

static struct st_place evaluate(const uint8_t *bytes, size_t size, size_t object) {
    /* A copy of the exact size, so that a sanitizer sees a read past the end. */
    uint8_t *copy = size ? malloc(size) : NULL;
    if (size)
        memcpy(copy, bytes, size);
    struct st_expression expression = {{0, UINT64_MAX}, copy, size, &unit};
    struct st_location location = {.kind = ST_LOCATION_EXPRESSIONS, .expressions = &expression, .count = 1};
    struct st_place place;
    st_evaluate(&machine, &location, object, &arena, &place);
    assert_non_null(st_expression_print(&expression, &arena));
    free(copy);
    return place;
}

#define BYTES(...)            (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define EVALUATE(object, ...) evaluate(BYTES(__VA_ARGS__), object)

/* The expression computes this number (as a stack value of 8 bytes). */
static void check_number(const uint8_t *bytes, size_t size, uint64_t expected, size_t object) {
    uint8_t with_end[300];
    assert_true(size < sizeof with_end);
    memcpy(with_end, bytes, size);
    with_end[size] = DW_OP_stack_value;
    struct st_place place = evaluate(with_end, size + 1, object);
    if (place.kind == ST_PLACE_IRRETRIEVABLE)
        fail_msg("irretrievable: %s", place.reason);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    uint64_t value = 0;
    memcpy(&value, place.bytes, object);
    assert_int_equal(value, expected);
}
#define NUMBER(expected, ...) check_number(BYTES(__VA_ARGS__), (uint64_t)(expected), 8)

static void check_memory(const uint8_t *bytes, size_t size, uint64_t address) {
    struct st_place place = evaluate(bytes, size, 4);
    if (place.kind == ST_PLACE_IRRETRIEVABLE)
        fail_msg("irretrievable: %s", place.reason);
    assert_int_equal(place.kind, ST_PLACE_MEMORY);
    assert_int_equal(place.address, address);
    assert_int_equal(place.size, 4);
}
#define MEMORY(address, ...) check_memory(BYTES(__VA_ARGS__), address)

static void check_reason(const uint8_t *bytes, size_t size, const char *part) {
    struct st_place place = evaluate(bytes, size, 4);
    assert_int_equal(place.kind, ST_PLACE_IRRETRIEVABLE);
    assert_non_null(place.reason);
    if (!strstr(place.reason, part))
        fail_msg("\"%s\" does not say \"%s\"", place.reason, part);
}
#define IRRETRIEVABLE(part, ...) check_reason(BYTES(__VA_ARGS__), part)

static void test_literals(void **state) {
    (void)state;
    NUMBER(0, DW_OP_lit0);
    NUMBER(31, DW_OP_lit31);
    NUMBER(0xfe, DW_OP_const1u, 0xfe);
    NUMBER(-2, DW_OP_const1s, 0xfe);
    NUMBER(0xfffe, DW_OP_const2u, 0xfe, 0xff);
    NUMBER(-2, DW_OP_const2s, 0xfe, 0xff);
    NUMBER(0xfffffffe, DW_OP_const4u, 0xfe, 0xff, 0xff, 0xff);
    NUMBER(-2, DW_OP_const4s, 0xfe, 0xff, 0xff, 0xff);
    NUMBER(0x8877665544332211, DW_OP_const8u, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88);
    NUMBER(-1, DW_OP_const8s, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
    NUMBER(300, DW_OP_constu, 0xac, 0x02);
    NUMBER(-129, DW_OP_consts, 0xff, 0x7e);
    NUMBER(0x1234, DW_OP_constx, 1);
    NUMBER(0x1234, DW_OP_GNU_const_index, 1);
    MEMORY(0x101234, DW_OP_addrx, 1);
    MEMORY(0x101234, DW_OP_GNU_addr_index, 1);
    MEMORY(0x100042, DW_OP_addr, 0x42, 0, 0, 0, 0, 0, 0, 0);
    IRRETRIEVABLE("address 2 of .debug_addr", DW_OP_addrx, 2);
}

static void test_registers(void **state) {
    (void)state;
    MEMORY(0x1006 - 20, DW_OP_breg6, 0x6c);
    MEMORY(0x1007 + 8, DW_OP_bregx, 7, 8);
    NUMBER(0x1003, DW_OP_breg3, 0);
    struct st_place place = EVALUATE(4, DW_OP_reg5);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.size, 4);
    assert_int_equal(place.valid, 0xf);
    assert_memory_equal(place.bytes, "\x05\x10\0\0", 4);
    place = EVALUATE(0, DW_OP_regx, 5);
    assert_int_equal(place.size, 8);
    place = EVALUATE(16, DW_OP_reg20); /* xmm3 */
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_memory_equal(place.bytes, fake.vector, 16);
    place = EVALUATE(16, DW_OP_reg5); /* an object that is larger than its register */
    assert_int_equal(place.valid, 0xff);
    IRRETRIEVABLE("register 30 is not known", DW_OP_reg30);
    IRRETRIEVABLE("register 21 is not known", DW_OP_reg21);
    IRRETRIEVABLE("register 16 is not known", DW_OP_breg16, 0);
    IRRETRIEVABLE("is not known", DW_OP_regx, 0xff, 0xff, 0xff, 0xff, 0x7f);
    IRRETRIEVABLE("follows the end", DW_OP_reg5, DW_OP_lit1, DW_OP_plus);
}

static void test_stack(void **state) {
    (void)state;
    NUMBER(8, DW_OP_lit4, DW_OP_dup, DW_OP_plus);
    NUMBER(1, DW_OP_lit1, DW_OP_lit2, DW_OP_drop);
    NUMBER(1, DW_OP_lit1, DW_OP_lit2, DW_OP_over);
    NUMBER(1, DW_OP_lit1, DW_OP_lit2, DW_OP_lit3, DW_OP_pick, 2);
    NUMBER(1, DW_OP_lit1, DW_OP_lit2, DW_OP_swap);
    /* DWARF 5's own example of rot: 17, 29, 1000 from the top become 29, 1000, 17. */
    NUMBER(29, DW_OP_consts, 0xe8, 0x07, DW_OP_lit29, DW_OP_lit17, DW_OP_rot);
    NUMBER(1000, DW_OP_consts, 0xe8, 0x07, DW_OP_lit29, DW_OP_lit17, DW_OP_rot, DW_OP_drop);
    NUMBER(17, DW_OP_consts, 0xe8, 0x07, DW_OP_lit29, DW_OP_lit17, DW_OP_rot, DW_OP_drop, DW_OP_drop);
    IRRETRIEVABLE("too short", DW_OP_drop);
    IRRETRIEVABLE("too short", DW_OP_dup);
    IRRETRIEVABLE("too short", DW_OP_lit1, DW_OP_over);
    IRRETRIEVABLE("too short", DW_OP_lit1, DW_OP_pick, 1);
    IRRETRIEVABLE("too short", DW_OP_lit1, DW_OP_swap);
    IRRETRIEVABLE("too short", DW_OP_lit1, DW_OP_lit1, DW_OP_rot);
    IRRETRIEVABLE("stack is empty", DW_OP_lit1, DW_OP_plus);
    IRRETRIEVABLE("stack is empty", DW_OP_stack_value);
    uint8_t deep[65];
    memset(deep, DW_OP_lit1, sizeof deep);
    check_reason(deep, sizeof deep, "deeper than 64");
}

static void test_arithmetic(void **state) {
    (void)state;
    NUMBER(5, DW_OP_const1s, 0xfb, DW_OP_abs);
    NUMBER(4, DW_OP_lit12, DW_OP_lit6, DW_OP_and);
    NUMBER(14, DW_OP_lit12, DW_OP_lit6, DW_OP_or);
    NUMBER(10, DW_OP_lit12, DW_OP_lit6, DW_OP_xor);
    NUMBER(-3, DW_OP_const1s, 0xf9, DW_OP_lit2, DW_OP_div); /* signed: -7 / 2 */
    NUMBER(1, DW_OP_const1s, 0xff, DW_OP_lit2, DW_OP_mod);  /* unsigned: 2^64 - 1 mod 2 */
    NUMBER(-1, DW_OP_lit1, DW_OP_lit2, DW_OP_minus);
    NUMBER(72, DW_OP_lit12, DW_OP_lit6, DW_OP_mul);
    NUMBER(-12, DW_OP_lit12, DW_OP_neg);
    NUMBER(~12, DW_OP_lit12, DW_OP_not);
    NUMBER(312, DW_OP_lit12, DW_OP_plus_uconst, 0xac, 0x02);
    NUMBER(48, DW_OP_lit12, DW_OP_lit2, DW_OP_shl);
    NUMBER(0, DW_OP_lit12, DW_OP_const1u, 64, DW_OP_shl);
    NUMBER(UINT64_MAX >> 1, DW_OP_const1s, 0xff, DW_OP_lit1, DW_OP_shr);
    NUMBER(-4, DW_OP_const1s, 0xf8, DW_OP_lit1, DW_OP_shra);
    NUMBER(-1, DW_OP_const1s, 0xf8, DW_OP_const1u, 200, DW_OP_shra);
    /* the one quotient that does not fit */
    NUMBER(INT64_MIN, DW_OP_const8u, 0, 0, 0, 0, 0, 0, 0, 0x80, DW_OP_const1s, 0xff, DW_OP_div);
    IRRETRIEVABLE("division by zero", DW_OP_lit1, DW_OP_lit0, DW_OP_div);
    IRRETRIEVABLE("division by zero", DW_OP_lit1, DW_OP_lit0, DW_OP_mod);
    /* comparisons are signed */
    NUMBER(1, DW_OP_const1s, 0xff, DW_OP_lit0, DW_OP_lt);
    NUMBER(0, DW_OP_const1s, 0xff, DW_OP_lit0, DW_OP_gt);
    NUMBER(1, DW_OP_lit1, DW_OP_lit1, DW_OP_eq);
    NUMBER(0, DW_OP_lit1, DW_OP_lit1, DW_OP_ne);
    NUMBER(1, DW_OP_lit1, DW_OP_lit1, DW_OP_ge);
    NUMBER(1, DW_OP_lit1, DW_OP_lit1, DW_OP_le);
}

static void test_width(void **state) {
    (void)state;
    wasm_mode();
    /* Addresses wrap at 32 bits; literals keep 64 bits until they are computed with. */
    MEMORY(0, DW_OP_const4u, 0xff, 0xff, 0xff, 0xff, DW_OP_plus_uconst, 1);
    NUMBER(-5, DW_OP_consts, 0x7b);
    struct st_place place = EVALUATE(8, DW_OP_const1s, 0xff, DW_OP_lit0, DW_OP_plus, DW_OP_stack_value);
    assert_int_equal(place.valid, 0xf); /* a generic value has no more bytes than an address */
    assert_memory_equal(place.bytes, "\xff\xff\xff\xff", 4);
    place = EVALUATE(8, DW_OP_WASM_location, 0, 1, DW_OP_plus_uconst, 1, DW_OP_stack_value);
    assert_int_equal(place.valid, 0xff);
    assert_memory_equal(place.bytes, "\x89\x77\x66\x55\x44\x33\x22\x11", 8);
}

static void test_control(void **state) {
    (void)state;
    NUMBER(2, DW_OP_lit2, DW_OP_skip, 1, 0, DW_OP_neg);
    NUMBER(7, DW_OP_lit7, DW_OP_lit1, DW_OP_bra, 1, 0, DW_OP_neg);
    NUMBER(-7, DW_OP_lit7, DW_OP_lit0, DW_OP_bra, 1, 0, DW_OP_neg);
    /* count down from 5 in a loop */
    NUMBER(0, DW_OP_lit5, DW_OP_lit1, DW_OP_minus, DW_OP_dup, DW_OP_bra, 0xfa, 0xff);
    NUMBER(3, DW_OP_nop, DW_OP_lit3, DW_OP_GNU_uninit);
    IRRETRIEVABLE("does not end", DW_OP_skip, 0xfd, 0xff);
    IRRETRIEVABLE("leaves the expression", DW_OP_skip, 1, 0);
    IRRETRIEVABLE("leaves the expression", DW_OP_skip, 0xf0, 0xff);
    IRRETRIEVABLE("stack is empty", DW_OP_bra, 0, 0);
}

static void test_memory(void **state) {
    (void)state;
    NUMBER(0x0f0e0d0c0b0a0908, DW_OP_const2u, 0x08, 0x10, DW_OP_deref);
    NUMBER(0x0908, DW_OP_const2u, 0x08, 0x10, DW_OP_deref_size, 2);
    IRRETRIEVABLE("memory at 0x5", DW_OP_lit5, DW_OP_deref);
    IRRETRIEVABLE("memory at 0x107c", DW_OP_const2u, 0x7c, 0x10, DW_OP_deref);
    IRRETRIEVABLE("size of 1 to 8", DW_OP_const2u, 0x08, 0x10, DW_OP_deref_size, 9);
    IRRETRIEVABLE("size of 1 to 8", DW_OP_const2u, 0x08, 0x10, DW_OP_deref_size, 0);
    NUMBER(0x7010, DW_OP_call_frame_cfa, DW_OP_plus_uconst, 0x10);
    fake.cfa = 0;
    IRRETRIEVABLE("call frame's address", DW_OP_call_frame_cfa);
    wasm_mode();
    NUMBER(0x0b0a0908, DW_OP_const2u, 0x08, 0x10, DW_OP_deref);
}

static struct st_location *set_frame_base(const uint8_t *bytes, size_t size) {
    static struct st_expression expression;
    static struct st_location location;
    expression = (struct st_expression){{0, UINT64_MAX}, bytes, size, &unit};
    location = (struct st_location){.kind = ST_LOCATION_EXPRESSIONS, .expressions = &expression, .count = 1};
    machine.frame_base = &location;
    return &location;
}

static void test_frame_base(void **state) {
    (void)state;
    static const uint8_t rbp[] = {DW_OP_reg6}, cfa[] = {DW_OP_call_frame_cfa}, breg[] = {DW_OP_breg7, 8},
                         itself[] = {DW_OP_fbreg, 0}, list[] = {DW_OP_lit1, DW_OP_piece, 4},
                         unknown[] = {DW_OP_reg30};
    IRRETRIEVABLE("no frame base", DW_OP_fbreg, 0);
    set_frame_base(rbp, sizeof rbp);
    MEMORY(0x1006 - 20, DW_OP_fbreg, 0x6c);
    set_frame_base(cfa, sizeof cfa);
    MEMORY(0x7000 - 20, DW_OP_fbreg, 0x6c);
    set_frame_base(breg, sizeof breg);
    MEMORY(0x1007 + 8 - 20, DW_OP_fbreg, 0x6c);
    set_frame_base(itself, sizeof itself);
    IRRETRIEVABLE("refers to itself", DW_OP_fbreg, 0);
    set_frame_base(list, sizeof list);
    IRRETRIEVABLE("frame base: pieces", DW_OP_fbreg, 0);
    set_frame_base(unknown, sizeof unknown);
    IRRETRIEVABLE("frame base: register 30", DW_OP_fbreg, 0);
    set_frame_base(NULL, 0);
    IRRETRIEVABLE("not known at this pc", DW_OP_fbreg, 0);
    struct st_location *location = set_frame_base(rbp, sizeof rbp);
    ((struct st_expression *)location->expressions)->range = (struct st_range){0x51, 0x60};
    IRRETRIEVABLE("not known at this pc", DW_OP_fbreg, 0);
    location->kind = ST_LOCATION_BROKEN;
    location->reason = "torn";
    IRRETRIEVABLE("frame base: torn", DW_OP_fbreg, 0);
}

static void test_wasm(void **state) {
    (void)state;
    static const uint8_t local[] = {DW_OP_WASM_location, 0, 0, DW_OP_stack_value};
    static const uint8_t bare[] = {DW_OP_WASM_location, 0, 0};
    wasm_mode();
    set_frame_base(local, sizeof local);
    MEMORY(0x1010 + 12, DW_OP_fbreg, 12);
    set_frame_base(bare, sizeof bare);
    MEMORY(0x1010 + 12, DW_OP_fbreg, 12);

    MEMORY(0x1010, DW_OP_WASM_location, 0, 0); /* alone: the object is where the local points */
    struct st_place place = EVALUATE(8, DW_OP_WASM_location, 0, 1, DW_OP_stack_value);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.size, 8);
    assert_memory_equal(place.bytes, "\x88\x77\x66\x55\x44\x33\x22\x11", 8);
    place = EVALUATE(4, DW_OP_WASM_location, 0, 2, DW_OP_stack_value);
    assert_memory_equal(place.bytes, &fake.locals[2].f32, 4);
    place = EVALUATE(8, DW_OP_WASM_location, 0, 3, DW_OP_stack_value);
    assert_memory_equal(place.bytes, &fake.locals[3].f64, 8);
    place = EVALUATE(1, DW_OP_WASM_location, 0, 0, DW_OP_stack_value); /* a char in an i32 */
    assert_int_equal(place.size, 1);
    assert_int_equal(place.bytes[0], 0x10);
    MEMORY(0x1018, DW_OP_WASM_location, 0, 0, DW_OP_plus_uconst, 8);
    check_number(BYTES(DW_OP_WASM_location, 1, 5), 105, 4);          /* global, ULEB128 */
    check_number(BYTES(DW_OP_WASM_location, 3, 7, 0, 0, 0), 107, 4); /* global, four bytes */
    check_number(BYTES(DW_OP_WASM_location, 2, 9), 209, 4);          /* operand stack */
    NUMBER(0x13121110, DW_OP_WASM_location, 0, 0, DW_OP_deref);
    place = EVALUATE(16, DW_OP_WASM_location, 0, 4, DW_OP_stack_value); /* a vector */
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.size, 16);
    assert_memory_equal(place.bytes, fake.locals[4].v128, 16);
    place = EVALUATE(16, DW_OP_WASM_location, 0, 4, DW_OP_stack_value, DW_OP_piece, 8, DW_OP_WASM_location, 0,
                     1, DW_OP_stack_value, DW_OP_piece, 8);
    assert_memory_equal(place.bytes, fake.locals[4].v128, 8);
    assert_memory_equal(place.bytes + 8, &fake.locals[1].i64, 8);
    MEMORY(8, DW_OP_lit8, DW_OP_form_tls_address); /* there is one thread */
    MEMORY(8, DW_OP_lit8, DW_OP_GNU_push_tls_address);
    IRRETRIEVABLE("stack is empty", DW_OP_form_tls_address);
    IRRETRIEVABLE("it holds a vector", DW_OP_WASM_location, 0, 4);
    IRRETRIEVABLE("it holds a vector", DW_OP_WASM_location, 0, 4, DW_OP_plus_uconst, 1, DW_OP_stack_value);
    IRRETRIEVABLE("it follows the end of a location", DW_OP_WASM_location, 0, 4, DW_OP_stack_value,
                  DW_OP_stack_value);
    IRRETRIEVABLE("it holds a reference", DW_OP_WASM_location, 0, 5, DW_OP_stack_value);
    IRRETRIEVABLE("there is no local 6", DW_OP_WASM_location, 0, 6);
    IRRETRIEVABLE("kind of WebAssembly location 4", DW_OP_WASM_location, 4, 0);
    IRRETRIEVABLE("unexpected end", DW_OP_WASM_location, 3, 0, 0);
    machine.wasm = NULL;
    IRRETRIEVABLE("no WebAssembly frame", DW_OP_WASM_location, 0, 0);
    IRRETRIEVABLE("thread-local", DW_OP_lit8, DW_OP_form_tls_address);
    IRRETRIEVABLE("thread-local", DW_OP_lit8, DW_OP_GNU_push_tls_address);
    machine.wasm = read_wasm;
}

static void test_pieces(void **state) {
    (void)state;
    /* 4 bytes of a register, 4 that are nowhere, 2 of memory, 2 of a value */
    struct st_place place =
        EVALUATE(12, DW_OP_reg5, DW_OP_piece, 4, DW_OP_piece, 4, DW_OP_const2u, 0x20, 0x10, DW_OP_piece, 2,
                 DW_OP_const2u, 0xcd, 0xab, DW_OP_stack_value, DW_OP_piece, 2);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.size, 12);
    assert_int_equal(place.valid, 0xf0f);
    assert_memory_equal(place.bytes, "\x05\x10\0\0\0\0\0\0\x20\x21\xcd\xab", 12);
    /* bits: 3 of value 5 (101), 5 of value 0x1f after skipping one bit, then 8 of memory */
    place =
        EVALUATE(2, DW_OP_lit5, DW_OP_stack_value, DW_OP_bit_piece, 3, 0, DW_OP_const1u, 0x2a,
                 DW_OP_stack_value, DW_OP_bit_piece, 5, 1, DW_OP_const2u, 0x07, 0x10, DW_OP_bit_piece, 8, 0);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.valid, 3);
    assert_int_equal(place.bytes[0], 5 | 0x15 << 3);
    assert_int_equal(place.bytes[1], 7);
    place = EVALUATE(1, DW_OP_lit5, DW_OP_stack_value, DW_OP_bit_piece, 3, 0, DW_OP_bit_piece, 5, 0);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT); /* no whole byte is known */
    place = EVALUATE(8, DW_OP_piece, 4, DW_OP_piece, 4);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
    place = EVALUATE(64, DW_OP_const2u, 0x00, 0x10, DW_OP_piece, 64);
    assert_int_equal(place.valid, UINT64_MAX);
    assert_memory_equal(place.bytes, fake.memory, 64);
    IRRETRIEVABLE("more than 64 bytes", DW_OP_const2u, 0x00, 0x10, DW_OP_piece, 65);
    IRRETRIEVABLE("more than 64 bytes", DW_OP_lit1, DW_OP_piece, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                  0xff, 0xff, 0x01);
    IRRETRIEVABLE("more than 64 bytes", DW_OP_lit1, DW_OP_bit_piece, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                  0xff, 0xff, 0xff, 0x01);
    IRRETRIEVABLE("not readable", DW_OP_lit1, DW_OP_piece, 4);
    IRRETRIEVABLE("after the last piece", DW_OP_reg5, DW_OP_piece, 4, DW_OP_lit1);
}

static void test_implicit(void **state) {
    (void)state;
    struct st_place place = EVALUATE(4, DW_OP_implicit_value, 4, 1, 2, 3, 4);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_memory_equal(place.bytes, "\1\2\3\4", 4);
    place = EVALUATE(8, DW_OP_implicit_value, 4, 1, 2, 3, 4);
    assert_int_equal(place.valid, 0xf);
    place = EVALUATE(8, DW_OP_implicit_value, 4, 1, 2, 3, 4, DW_OP_piece, 8);
    assert_int_equal(place.valid, 0xf);
    place = EVALUATE(8, DW_OP_implicit_pointer, 1, 0, 0, 0, 0);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
    assert_non_null(place.reason);
    place = EVALUATE(4);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
    IRRETRIEVABLE("a block of 5 bytes", DW_OP_implicit_value, 5, 1, 2, 3, 4);
}

static void test_typed(void **state) {
    (void)state;
    NUMBER(0xfffffffe, DW_OP_const_type, 0x10, 4, 0xfe, 0xff, 0xff, 0xff);
    /* int -2 to unsigned long and back to the generic type */
    NUMBER(-2, DW_OP_const_type, 0x10, 4, 0xfe, 0xff, 0xff, 0xff, DW_OP_convert, 0x12, DW_OP_convert, 0);
    NUMBER(-2, DW_OP_GNU_const_type, 0x11, 1, 0xfe, DW_OP_GNU_convert, 0);
    /* 3 / 2 in double is 1.5: times 4 is 6 */
    NUMBER(6, DW_OP_lit3, DW_OP_convert, 0x14, DW_OP_lit2, DW_OP_convert, 0x14, DW_OP_div, DW_OP_lit4,
           DW_OP_convert, 0x14, DW_OP_mul, DW_OP_convert, 0x12);
    float number = 1.5f;
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    NUMBER(bits, DW_OP_lit3, DW_OP_convert, 0x13, DW_OP_lit2, DW_OP_convert, 0x13, DW_OP_div,
           DW_OP_reinterpret, 0x10);
    NUMBER(0x1005, DW_OP_regval_type, 5, 0x12);
    NUMBER(0x05, DW_OP_GNU_regval_type, 5, 0x11);
    NUMBER(0xa3a2a1a0, DW_OP_regval_type, 20, 0x10);
    NUMBER(0x0b0a0908, DW_OP_const2u, 0x08, 0x10, DW_OP_deref_type, 4, 0x10);
    /* int arithmetic wraps at 32 bits, and is signed */
    NUMBER(0x80000000, DW_OP_const_type, 0x10, 4, 0xff, 0xff, 0xff, 0x7f, DW_OP_lit1, DW_OP_plus);
    NUMBER(1, DW_OP_const_type, 0x10, 4, 0xff, 0xff, 0xff, 0xff, DW_OP_lit1, DW_OP_lt);
    NUMBER(0, DW_OP_const_type, 0x12, 1, 0xff, DW_OP_lit1, DW_OP_lt);
    IRRETRIEVABLE("no base type at 0x1099", DW_OP_convert, 0x99, 0x01);
    IRRETRIEVABLE("two types", DW_OP_lit1, DW_OP_convert, 0x10, DW_OP_lit1, DW_OP_convert, 0x13, DW_OP_plus);
    IRRETRIEVABLE("integer operation", DW_OP_lit1, DW_OP_convert, 0x13, DW_OP_not);
    IRRETRIEVABLE("integer operation", DW_OP_lit1, DW_OP_convert, 0x13, DW_OP_dup, DW_OP_and);
    IRRETRIEVABLE("cannot hold", DW_OP_const4u, 0xff, 0xff, 0xff, 0x7f, DW_OP_convert, 0x14, DW_OP_convert,
                  0x11);
    IRRETRIEVABLE("not supported: a value", DW_OP_const_type, 0x12, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9);
}

static void test_refusals(void **state) {
    (void)state;
    IRRETRIEVABLE("unknown operation 0x01 at offset 0", 0x01);
    IRRETRIEVABLE("unknown operation 0xee at offset 1", DW_OP_lit1, 0xee);
    IRRETRIEVABLE("the function's entry", DW_OP_entry_value, 1, DW_OP_reg5, DW_OP_stack_value);
    IRRETRIEVABLE("the function's entry", DW_OP_GNU_entry_value, 1, DW_OP_reg5, DW_OP_stack_value);
    MEMORY(8, DW_OP_lit8, DW_OP_form_tls_address); /* a module's */
    machine.wasm = NULL;
    IRRETRIEVABLE("thread-local", DW_OP_lit8, DW_OP_form_tls_address);
    IRRETRIEVABLE("thread-local", DW_OP_lit8, DW_OP_GNU_push_tls_address);
    machine.wasm = read_wasm;
    IRRETRIEVABLE("no object", DW_OP_push_object_address);
    IRRETRIEVABLE("address spaces", DW_OP_lit1, DW_OP_lit1, DW_OP_xderef);
    IRRETRIEVABLE("another DIE", DW_OP_call2, 1, 0);
    IRRETRIEVABLE("another DIE", DW_OP_call4, 1, 0, 0, 0);
    IRRETRIEVABLE("another DIE", DW_OP_call_ref, 1, 0, 0, 0);
    IRRETRIEVABLE("unexpected end", DW_OP_const4u, 1, 2);
    IRRETRIEVABLE("unexpected end", DW_OP_addr, 1, 2, 3, 4);
    IRRETRIEVABLE("follows the end", DW_OP_lit1, DW_OP_stack_value, DW_OP_lit1);
}

/* Whatever the bytes are, there is an answer. */
static void test_any_bytes(void **state) {
    (void)state;
    static const uint8_t rbp[] = {DW_OP_reg6};
    uint64_t random = 88172645463325252u;
    uint8_t bytes[24];
    set_frame_base(rbp, sizeof rbp);
    for (int i = 0; i < 20000; i++) {
        for (size_t j = 0; j < sizeof bytes; j++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            bytes[j] = (uint8_t)(random >> 24);
        }
        struct st_place place = evaluate(bytes, bytes[0] % sizeof bytes, bytes[1] % 80);
        assert_true(place.kind != ST_PLACE_IRRETRIEVABLE || place.reason);
    }
}

static void test_locations(void **state) {
    (void)state;
    static const uint8_t first[] = {DW_OP_lit1, DW_OP_stack_value},
                         second[] = {DW_OP_lit2, DW_OP_stack_value};
    const struct st_expression list[] = {
        {{0x40, 0x50}, first, sizeof first, &unit},
        {{0x50, 0x60}, second, sizeof second, &unit},
        {{0x60, 0x70}, NULL, 0, &unit},
    };
    struct st_location location = {.kind = ST_LOCATION_EXPRESSIONS, .expressions = list, .count = 3};
    struct st_place place;
    st_evaluate(&machine, &location, 4, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.bytes[0], 2);
    assert_ptr_equal(place.expression, &list[1]);
    machine.pc = 0x60;
    st_evaluate(&machine, &location, 4, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
    machine.pc = 0x70;
    st_evaluate(&machine, &location, 4, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
    assert_null(place.expression);
    machine.pc = 0x50;

    uint8_t constant[65] = {1, 2, 3, 4};
    location = (struct st_location){.kind = ST_LOCATION_CONSTANT, .constant = constant, .constant_size = 4};
    st_evaluate(&machine, &location, 2, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_VALUE);
    assert_int_equal(place.size, 2);
    assert_int_equal(place.valid, 3);
    location.constant_size = 65;
    st_evaluate(&machine, &location, 65, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_IRRETRIEVABLE);
    location = (struct st_location){.kind = ST_LOCATION_BROKEN, .reason = "torn"};
    st_evaluate(&machine, &location, 4, &arena, &place);
    assert_string_equal(place.reason, "torn");
    location.kind = ST_LOCATION_NONE;
    st_evaluate(&machine, &location, 4, &arena, &place);
    assert_int_equal(place.kind, ST_PLACE_OPTIMIZED_OUT);
}

static void check_print(const uint8_t *bytes, size_t size, const char *expected) {
    struct st_expression expression = {{0, UINT64_MAX}, bytes, size, &unit};
    assert_string_equal(st_expression_print(&expression, &arena), expected);
}

static void test_print(void **state) {
    (void)state;
    check_print(NULL, 0, "(empty)");
    check_print(BYTES(DW_OP_fbreg, 0x6c), "DW_OP_fbreg -20");
    check_print(BYTES(DW_OP_breg7, 8, DW_OP_lit31, DW_OP_plus), "DW_OP_breg7 8, DW_OP_lit31, DW_OP_plus");
    check_print(BYTES(DW_OP_WASM_location, 0, 2, DW_OP_stack_value),
                "DW_OP_WASM_location local 2, DW_OP_stack_value");
    check_print(BYTES(DW_OP_WASM_location, 3, 1, 0, 0, 0), "DW_OP_WASM_location global 1");
    check_print(BYTES(DW_OP_addr, 0x34, 0x12, 0, 0, 0, 0, 0, 0), "DW_OP_addr 0x1234");
    check_print(BYTES(DW_OP_entry_value, 1, DW_OP_reg5), "DW_OP_entry_value (DW_OP_reg5)");
    check_print(BYTES(DW_OP_convert, 0x10), "DW_OP_convert \"int\"");
    check_print(BYTES(DW_OP_implicit_value, 2, 0xab, 1), "DW_OP_implicit_value ab 01");
    check_print(BYTES(DW_OP_bit_piece, 3, 4), "DW_OP_bit_piece 3 4");
    check_print(BYTES(DW_OP_lit0, 0x01), "DW_OP_lit0, <unknown operation 0x01 at offset 1>");
}

static void check_words(const uint8_t *bytes, size_t size, const char *expected) {
    struct st_expression expression = {{0, UINT64_MAX}, bytes, size, &unit};
    assert_string_equal(st_expression_words(&expression, &arena), expected);
}

static void test_words(void **state) {
    uint8_t doubling[64] = {DW_OP_fbreg, 0};
    (void)state;
    check_words(NULL, 0, "optimised out here");
    check_words(BYTES(DW_OP_fbreg, 0x6c), "in memory 20 bytes below the frame base");
    check_words(BYTES(DW_OP_fbreg, 1), "in memory 1 byte above the frame base");
    check_words(BYTES(DW_OP_breg6, 0), "in memory at the address in rbp");
    check_words(BYTES(DW_OP_reg0), "in register rax");
    check_words(BYTES(DW_OP_regx, 18), "in register xmm1");
    check_words(BYTES(DW_OP_call_frame_cfa), "in memory at the canonical frame address");
    check_words(BYTES(DW_OP_addr, 0x34, 0x12, 0, 0, 0, 0, 0, 0), "in memory at 0x1234");
    check_words(BYTES(DW_OP_WASM_location, 0, 2, DW_OP_stack_value), "the value of Wasm local 2");
    check_words(BYTES(DW_OP_WASM_location, 0, 1), "in memory at the address in Wasm local 1");
    check_words(BYTES(DW_OP_fbreg, 8, DW_OP_deref, DW_OP_plus_uconst, 4),
                "in memory 4 bytes above the pointer stored 8 bytes above the frame base");
    check_words(BYTES(DW_OP_lit5, DW_OP_neg, DW_OP_stack_value), "the value of neg(5)");
    check_words(BYTES(DW_OP_lit5, DW_OP_lit3, DW_OP_minus, DW_OP_stack_value), "the constant 2");
    check_words(BYTES(DW_OP_breg5, 0, DW_OP_breg4, 4, DW_OP_mul, DW_OP_stack_value),
                "the value of (rdi mul rsi + 4)");
    check_words(BYTES(DW_OP_reg0, DW_OP_piece, 4, DW_OP_piece, 4),
                "in pieces: 4 bytes in register rax, 4 bytes nowhere");
    check_words(BYTES(DW_OP_entry_value, 1, DW_OP_reg5, DW_OP_stack_value),
                "the value of what rdi was when the function was entered");
    check_words(BYTES(DW_OP_implicit_value, 2, 0xab, 1), "the constant bytes ab 01");
    /* What has no words, and what is broken, says its operations. */
    check_words(BYTES(DW_OP_lit1, DW_OP_bra, 0, 0), "computed by DW_OP_lit1, DW_OP_bra 0");
    check_words(BYTES(DW_OP_drop), "computed by DW_OP_drop");
    check_words(BYTES(DW_OP_lit0, 0x01), "computed by DW_OP_lit0, <unknown operation 0x01 at offset 1>");
    for (size_t i = 2; i + 1 < sizeof doubling; i += 2) {
        doubling[i] = DW_OP_dup;
        doubling[i + 1] = DW_OP_plus;
    }
    struct st_expression expression = {{0, UINT64_MAX}, doubling, sizeof doubling, &unit};
    assert_true(strlen(st_expression_words(&expression, &arena)) < 1000);
}

static void test_number(void **state) {
    (void)state;
    static const uint8_t bytes[] = {DW_OP_plus_uconst, 8}, broken[] = {DW_OP_drop, DW_OP_drop};
    struct st_expression expression = {{0, UINT64_MAX}, bytes, sizeof bytes, &unit};
    uint64_t initial = 0x7000, value;
    assert_true(st_expression_number(&machine, &expression, &initial, &value));
    assert_int_equal(value, 0x7008);
    assert_false(st_expression_number(&machine, &expression, NULL, &value));
    expression.bytes = broken;
    assert_false(st_expression_number(&machine, &expression, &initial, &value));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_literals), TEST(test_registers), TEST(test_stack),     TEST(test_arithmetic),
        TEST(test_width),    TEST(test_control),   TEST(test_memory),    TEST(test_frame_base),
        TEST(test_wasm),     TEST(test_pieces),    TEST(test_implicit),  TEST(test_typed),
        TEST(test_refusals), TEST(test_any_bytes), TEST(test_locations), TEST(test_print),
        TEST(test_number),   TEST(test_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
