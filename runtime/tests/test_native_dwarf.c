/* Expressions of modules translated for compiled code, by what they evaluate to: an evaluator of its own runs
 * the output on a frame and a memory that hold known values. */
#include "runtime/tests/builder.h"

#include "runtime/jit/native.h"

#include <stdio.h>

#ifdef __x86_64__

enum {
    LOW = 0x1000, /* the function's locals, as the frame in the test holds them */
    WRAPS = -4,
    TEXT = 0x20, /* a pointer in memory, ... */
    MOST = 64,
    FRAME = 4096,
};
#define LONG_LOCAL UINT64_C(0x123456789abcdef0)

static struct running guest;
static struct rt_code_map *map;
static uint32_t start, code, past;

/* ---- The input: one function with one variable ---- */

enum type { INT, POINTER, LONG, CHAR };

static void put_block(struct bytes *out, const uint8_t *bytes, size_t size) {
    put_uleb(out, size);
    put(out, bytes, size);
}

/* DWARF 4 with addresses of 4 bytes. Without an expression the location is the list at the start of
 * .debug_loc. */
static struct bytes make_info(enum type type, const uint8_t *expression, size_t size) {
    static const uint8_t frame_base[] = {RT_DWARF_OP_WASM_location, 0, 1, RT_DWARF_OP_stack_value};
    struct bytes unit = {0}, info = {0};
    uint32_t types[4];
    put_little(&unit, 4, 2);
    put_little(&unit, 0, 4);
    put_byte(&unit, 4);
    put_byte(&unit, 1);
    static const uint8_t sizes[] = {[INT] = 4, [LONG] = 8, [CHAR] = 1};
    for (unsigned i = 0; i < 4; i++) {
        types[i] = (uint32_t)unit.size + 4;
        put_byte(&unit, i == POINTER ? 3 : 2);
        if (i == POINTER)
            put_little(&unit, types[INT], 4);
        else
            PUT(&unit, sizes[i], 5); /* DW_ATE_signed */
    }
    put_byte(&unit, 4);
    put_little(&unit, start, 4);
    put_little(&unit, past - start, 4);
    put_block(&unit, frame_base, sizeof frame_base);
    put_byte(&unit, expression ? 5 : 6);
    put_little(&unit, types[type], 4);
    if (expression)
        put_block(&unit, expression, size);
    else
        put_little(&unit, 0, 4);
    PUT(&unit, 0, 0);
    put_little(&info, unit.size, 4);
    put(&info, unit.data, unit.size);
    free(unit.data);
    return info;
}
enum { CHAR_TYPE = 11 + 1 + 3 + 5 + 3 /* the last type's offset in its unit */ };

static const uint8_t abbreviations[] = {
    1, 0x11, 1, 0,    0,                                  /* unit */
    2, 0x24, 0, 0x0b, 0x0b, 0x3e, 0x0b, 0,    0,          /* base type */
    3, 0x0f, 0, 0x49, 0x13, 0,    0,                      /* pointer */
    4, 0x2e, 1, 0x11, 0x01, 0x12, 0x06, 0x40, 0x18, 0, 0, /* function */
    5, 0x34, 0, 0x49, 0x13, 0x02, 0x18, 0,    0,          /* variable */
    6, 0x34, 0, 0x49, 0x13, 0x02, 0x17, 0,    0,          /* variable with a list */
    0,
};

/* ---- The output ---- */

struct found {
    bool has_range;
    struct rt_dwarf_range range;
    uint8_t bytes[200];
    size_t size;
};
static struct found founds[MOST];
static size_t found_count;
static char reason[128];

static struct rt_error *note(void *user, struct rt_dwarf_pass *pass, const struct rt_dwarf_die *die,
                             unsigned name, const struct rt_dwarf_range *range, struct rt_dwarf_span bytes) {
    (void)user, (void)pass, (void)die;
    if (name != RT_DWARF_AT_location || bytes.size == 0)
        return NULL;
    assert_true(found_count < MOST && bytes.size <= sizeof founds->bytes);
    struct found *found = &founds[found_count++];
    *found = (struct found){.has_range = range, .size = bytes.size};
    if (range)
        found->range = *range;
    memcpy(found->bytes, bytes.bytes, bytes.size);
    return NULL;
}

static void translate(enum type type, const uint8_t *expression, size_t size, const struct bytes *list,
                      bool has_instance) {
    const struct rt_dwarf_visitor reader = {.location = note};
    const struct rt_dwarf_options options = {.address_size = 8};
    struct bytes info = make_info(type, expression, size);
    struct rt_dwarf_sections input = {
        .at[RT_DWARF_INFO] = {info.data, info.size},
        .at[RT_DWARF_ABBREV] = {abbreviations, sizeof abbreviations},
    };
    struct rt_dwarf_output *output, *again;
    struct rt_native native = {.map = map, .module = guest.module, .has_memory = true};
    const struct rt_dwarf_visitor visitor = {.user = &native, .location = rt_native_location};
    if (list)
        input.at[RT_DWARF_LOC] = (struct rt_dwarf_span){list->data, list->size};
    if (has_instance) {
        native.instance = guest.instance;
        native.memory_base = (uintptr_t)rt_memory_base(rt_instance_memory(guest.instance, 0));
    }
    rt_arena_init(&native.arena, 0);
    expect_good(rt_dwarf_transform(&input, &visitor, &options, &output));
    rt_native_scopes_clear(&native);
    found_count = 0;
    expect_good(rt_dwarf_transform(rt_dwarf_output_sections(output), &reader, NULL, &again));
    const struct rt_dwarf_stat *stat = rt_dwarf_output_stat(output);
    snprintf(reason, sizeof reason, "%s", stat->reason_count ? stat->reasons[0].what : "");
    rt_dwarf_output_destroy(again);
    rt_dwarf_output_destroy(output);
    free(info.data);
}

/* ---- The evaluator ---- */

static uint8_t frame[FRAME]; /* the canonical frame address is in its middle */

struct result {
    enum { ADDRESS, VALUE } kind;
    uint64_t number;
};

static uint64_t take(struct rt_cursor *cursor, unsigned size) {
    const uint8_t *bytes;
    uint64_t number = 0;
    expect_good(rt_cursor_bytes(cursor, size, "operand", &bytes));
    memcpy(&number, bytes, size);
    return number;
}

static struct result evaluate(const struct found *found) {
    struct rt_cursor cursor = rt_cursor_make(found->bytes, found->size, 0);
    uint64_t stack[MOST], count = 0, u;
    int64_t s;
    uint8_t opcode;
#define TOP   stack[count - 1]
#define BELOW stack[count - 2]
    while (rt_cursor_left(&cursor)) {
        expect_good(rt_cursor_u8(&cursor, "operation", &opcode));
        if (opcode >= RT_DWARF_OP_lit0 && opcode <= RT_DWARF_OP_lit31) {
            stack[count++] = opcode - RT_DWARF_OP_lit0;
            continue;
        }
        switch (opcode) {
        case RT_DWARF_OP_addr: stack[count++] = take(&cursor, 8); break;
        case RT_DWARF_OP_constu:
            expect_good(rt_cursor_uleb(&cursor, 64, "operand", &u));
            stack[count++] = u;
            break;
        case RT_DWARF_OP_fbreg:
            expect_good(rt_cursor_sleb(&cursor, 64, "operand", &s));
            stack[count++] = (uintptr_t)(frame + FRAME / 2) + (uint64_t)s;
            break;
        case RT_DWARF_OP_breg0 + 14: /* the instance, where it is not in the frame yet or any more */
            expect_good(rt_cursor_sleb(&cursor, 64, "operand", &s));
            stack[count++] = (uintptr_t)guest.instance + (uint64_t)s;
            break;
        case RT_DWARF_OP_plus_uconst:
            expect_good(rt_cursor_uleb(&cursor, 64, "operand", &u));
            TOP += u;
            break;
        case RT_DWARF_OP_deref: memcpy(&TOP, (void *)(uintptr_t)TOP, 8); break;
        case RT_DWARF_OP_deref_size:
            u = take(&cursor, 1);
            s = 0;
            memcpy(&s, (void *)(uintptr_t)TOP, u);
            TOP = (uint64_t)s;
            break;
        case RT_DWARF_OP_dup:
            stack[count] = TOP;
            count++;
            break;
        case RT_DWARF_OP_swap:
            u = TOP;
            TOP = BELOW;
            BELOW = u;
            break;
        case RT_DWARF_OP_stack_value:
            assert_int_equal(rt_cursor_left(&cursor), 0);
            return (struct result){VALUE, TOP};
        case RT_DWARF_OP_neg: TOP = -TOP; break;
        case RT_DWARF_OP_bra:
        case RT_DWARF_OP_skip:
            u = take(&cursor, 2);
            if (opcode == RT_DWARF_OP_skip || stack[--count])
                cursor.next += u;
            continue;
        default: {
            const uint64_t b = TOP, a = BELOW;
            count--;
            switch (opcode) {
            case RT_DWARF_OP_plus: TOP = a + b; break;
            case RT_DWARF_OP_minus: TOP = a - b; break;
            case RT_DWARF_OP_mul: TOP = a * b; break;
            case RT_DWARF_OP_div: TOP = (uint64_t)((int64_t)a / (int64_t)b); break;
            case RT_DWARF_OP_and: TOP = a & b; break;
            case RT_DWARF_OP_or: TOP = a | b; break;
            case RT_DWARF_OP_xor: TOP = a ^ b; break;
            case RT_DWARF_OP_shr: TOP = a >> b; break;
            case RT_DWARF_OP_shl: TOP = a << b; break;
            case RT_DWARF_OP_shra: TOP = (uint64_t)((int64_t)a >> b); break;
            case RT_DWARF_OP_ne: TOP = a != b; break;
            case RT_DWARF_OP_lt: TOP = (int64_t)a < (int64_t)b; break;
            default: fail_msg("operation 0x%x", opcode);
            }
        }
        }
        assert_true(count > 0 && count < MOST);
    }
    assert_int_equal(count, 1);
    return (struct result){ADDRESS, TOP};
}

/* ---- Cases ---- */

#define LOCAL(n) RT_DWARF_OP_WASM_location, 0, n
#define IS       RT_DWARF_OP_stack_value

enum kind { IN_MEMORY, AT_LOCAL, A_VALUE };

/* What the variable is, as an offset in memory or as a value, wherever it is at all. */
static void expect(enum type type, enum kind kind, uint64_t number, const uint8_t *bytes, size_t size) {
    const uint64_t base = (uintptr_t)rt_memory_base(rt_instance_memory(guest.instance, 0));
    for (int has_instance = 0; has_instance < 2; has_instance++) {
        translate(type, bytes, size, NULL, has_instance);
        if (found_count == 0)
            fail_msg("0x%x: nothing: %s", bytes[0], reason);
        for (size_t i = 0; i < found_count; i++) {
            const struct result result = evaluate(&founds[i]);
            uint64_t right = kind == A_VALUE ? number : base + number;
            if (type == POINTER && kind == A_VALUE && number)
                right += base;
            if (kind == AT_LOCAL) {
                assert_int_equal(result.kind, ADDRESS);
                assert_memory_equal((void *)(uintptr_t)result.number, &number, type == LONG ? 8 : 4);
            } else {
                assert_int_equal(result.kind, kind == A_VALUE ? VALUE : ADDRESS);
                if (result.number != right)
                    fail_msg("0x%x: 0x%llx, not 0x%llx", bytes[0], (unsigned long long)result.number,
                             (unsigned long long)right);
            }
        }
    }
}
#define EXPECT(type, kind, number, ...)                                                                      \
    expect(type, kind, number, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_places(void **state) {
    (void)state;
    EXPECT(INT, AT_LOCAL, LOW, LOCAL(0), IS);
    EXPECT(LONG, AT_LOCAL, LONG_LOCAL, LOCAL(2), IS);
    EXPECT(INT, IN_MEMORY, LOW, LOCAL(0));
    EXPECT(INT, IN_MEMORY, 0x1234, RT_DWARF_OP_addr, 0x34, 0x12, 0, 0);
    EXPECT(INT, IN_MEMORY, 0x1234, RT_DWARF_OP_const2u, 0x34, 0x12, RT_DWARF_OP_form_tls_address);
    /* The frame base is local 1; what passes 4 GiB begins again. */
    EXPECT(INT, IN_MEMORY, 4, RT_DWARF_OP_fbreg, 8);
    EXPECT(INT, IN_MEMORY, UINT32_MAX - 5, RT_DWARF_OP_fbreg, 0x7e);
    EXPECT(INT, IN_MEMORY, LOW + 8, LOCAL(0), RT_DWARF_OP_plus_uconst, 8);
    EXPECT(INT, IN_MEMORY, TEXT, RT_DWARF_OP_addr, 0x10, 0, 0, 0, RT_DWARF_OP_deref);
}

static void test_values(void **state) {
    (void)state;
    EXPECT(INT, A_VALUE, 12, LOCAL(1), RT_DWARF_OP_plus_uconst, 16, IS);
    EXPECT(LONG, A_VALUE, LONG_LOCAL + 1, LOCAL(2), RT_DWARF_OP_plus_uconst, 1, IS);
    EXPECT(INT, A_VALUE, UINT32_MAX - 3, LOCAL(1), RT_DWARF_OP_lit0 + 1, RT_DWARF_OP_div, IS);
    EXPECT(INT, A_VALUE, UINT32_MAX, LOCAL(1), RT_DWARF_OP_lit0 + 2, RT_DWARF_OP_shra, RT_DWARF_OP_lit0 + 1,
           RT_DWARF_OP_shra, IS);
    EXPECT(INT, A_VALUE, 0x3fffffff, LOCAL(1), RT_DWARF_OP_lit0 + 2, RT_DWARF_OP_shr, IS);
    EXPECT(INT, A_VALUE, 1, LOCAL(1), RT_DWARF_OP_lit0, RT_DWARF_OP_lt, IS);
    EXPECT(INT, A_VALUE, 4, LOCAL(1), RT_DWARF_OP_neg, IS);
    EXPECT(LONG, A_VALUE, UINT64_MAX, RT_DWARF_OP_const1s, 0xff, IS);
    EXPECT(LONG, A_VALUE, 0x1122334455667788, RT_DWARF_OP_const8u, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22,
           0x11, IS);
    EXPECT(LONG, A_VALUE, LONG_LOCAL - 1, LOCAL(2), RT_DWARF_OP_const1s, 0xff, RT_DWARF_OP_plus, IS);
    EXPECT(INT, A_VALUE, UINT32_MAX, RT_DWARF_OP_const1s, 0xff, RT_DWARF_OP_nop, IS);
    EXPECT(INT, A_VALUE, LOW - 1, RT_DWARF_OP_const1s, 0xff, LOCAL(0), RT_DWARF_OP_plus, IS);
    EXPECT(INT, A_VALUE, 't', RT_DWARF_OP_addr, TEXT, 0, 0, 0, RT_DWARF_OP_deref_size, 1, IS);
    EXPECT(INT, A_VALUE, UINT32_MAX - 1, RT_DWARF_OP_const_type, CHAR_TYPE, 1, 0xfe, RT_DWARF_OP_convert,
           11 + 1, IS);
    EXPECT(INT, A_VALUE, UINT32_MAX - 3, LOCAL(1), RT_DWARF_OP_convert, CHAR_TYPE, RT_DWARF_OP_convert,
           11 + 1, IS);
}

#define BRANCH(way, size) RT_DWARF_OP_##way, size, 0

/* Both ways of a branch, over what is longer in the output; and one to the end. */
static void test_branches(void **state) {
    (void)state;
    EXPECT(INT, A_VALUE, LOW + 1, LOCAL(0), BRANCH(bra, 4), RT_DWARF_OP_lit0 + 9, BRANCH(skip, 5), LOCAL(0),
           RT_DWARF_OP_plus_uconst, 1, IS);
    EXPECT(INT, A_VALUE, LOW + 1, RT_DWARF_OP_lit0, BRANCH(bra, 8), LOCAL(0), RT_DWARF_OP_plus_uconst, 1,
           BRANCH(skip, 3), LOCAL(1), IS);
    EXPECT(INT, IN_MEMORY, 5, RT_DWARF_OP_lit0 + 5, LOCAL(0), BRANCH(bra, 2), RT_DWARF_OP_plus_uconst, 3);
    EXPECT(POINTER, A_VALUE, LOW, LOCAL(0), RT_DWARF_OP_dup, BRANCH(bra, 2), RT_DWARF_OP_plus_uconst, 9, IS);
}

static void test_pointers(void **state) {
    (void)state;
    EXPECT(POINTER, A_VALUE, LOW, LOCAL(0), IS);
    EXPECT(POINTER, A_VALUE, TEXT, RT_DWARF_OP_addr, 0x10, 0, 0, 0);
    EXPECT(POINTER, A_VALUE, 0, RT_DWARF_OP_addr, 0x14, 0, 0, 0);
    EXPECT(POINTER, A_VALUE, 0, RT_DWARF_OP_implicit_value, 4, 0, 0, 0, 0);
}

/* A number of 32 bits says nothing of the upper half of an object of 64; a constant does. */
static void test_narrow(void **state) {
    (void)state;
    static const uint8_t end[] = {IS, RT_DWARF_OP_piece, 4, RT_DWARF_OP_piece, 4};
    const uint8_t sum[] = {LOCAL(0), RT_DWARF_OP_plus_uconst, 1, IS};
    translate(LONG, sum, sizeof sum, NULL, true);
    assert_true(found_count > 0);
    for (size_t i = 0; i < found_count; i++) {
        assert_true(founds[i].size > sizeof end);
        assert_memory_equal(founds[i].bytes + founds[i].size - sizeof end, end, sizeof end);
    }
    /* Arithmetic is the module's, whose numbers have 32 bits. */
    const uint8_t product[] = {RT_DWARF_OP_addr,
                               TEXT,
                               0,
                               0,
                               0,
                               RT_DWARF_OP_deref_size,
                               1,
                               RT_DWARF_OP_const8u,
                               1,
                               2,
                               3,
                               4,
                               5,
                               6,
                               7,
                               8,
                               RT_DWARF_OP_mul,
                               IS};
    translate(LONG, product, sizeof product, NULL, true);
    assert_memory_equal(founds[0].bytes + founds[0].size - sizeof end, end, sizeof end);
    EXPECT(LONG, A_VALUE, 7, RT_DWARF_OP_lit0 + 7, IS);
    EXPECT(LONG, A_VALUE, 't', RT_DWARF_OP_addr, TEXT, 0, 0, 0, RT_DWARF_OP_deref_size, 1, IS);
}

/* The same of pieces, and of a local that is one. */
static void test_narrow_pieces(void **state) {
    (void)state;
    static const uint8_t half[] = {IS, RT_DWARF_OP_piece, 4, RT_DWARF_OP_piece, 4},
                         whole[] = {IS, RT_DWARF_OP_piece, 4};
    uint8_t sum[] = {LOCAL(0), RT_DWARF_OP_plus_uconst, 1, IS, RT_DWARF_OP_piece, 8},
            local[] = {RT_DWARF_OP_lit0, IS, RT_DWARF_OP_piece, 1, LOCAL(0), IS, RT_DWARF_OP_piece, 8};
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        const uint8_t *end = is_whole ? whole : half;
        const size_t size = is_whole ? sizeof whole : sizeof half;
        sum[sizeof sum - 1] = is_whole ? 4 : 8;
        translate(LONG, sum, sizeof sum, NULL, true);
        assert_true(found_count > 0 && founds[0].size > size);
        assert_memory_equal(founds[0].bytes + founds[0].size - size, end, size);
    }
    translate(LONG, local, sizeof local, NULL, true);
    assert_true(found_count > 0 && founds[0].size > sizeof half);
    assert_memory_equal(founds[0].bytes + founds[0].size - sizeof half, half, sizeof half);
}

/* A pointer to what is in no memory leads to the same DIE. */
static void test_implicit(void **state) {
    (void)state;
    const uint8_t bytes[] = {RT_DWARF_OP_GNU_implicit_pointer, CHAR_TYPE, 0, 0, 0, 2};
    translate(POINTER, bytes, sizeof bytes, NULL, true);
    assert_int_equal(found_count, 1);
    assert_int_equal(founds[0].bytes[0], RT_DWARF_OP_GNU_implicit_pointer);
    assert_int_equal(founds[0].bytes[founds[0].size - 1], 2);
}

/* An object that the linker left out keeps an address that none has. */
static void test_left_out(void **state) {
    (void)state;
    static const uint8_t place[] = {RT_DWARF_OP_addr, 0xff,          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                    RT_DWARF_OP_lit0, RT_DWARF_OP_or};
    translate(INT, (const uint8_t[]){RT_DWARF_OP_addr, 0xff, 0xff, 0xff, 0xff}, 5, NULL, true);
    assert_int_equal(found_count, 1);
    assert_int_equal(founds[0].size, sizeof place);
    assert_memory_equal(founds[0].bytes, place, sizeof place);
    assert_non_null(strstr(reason, "left out"));
}

/* A pointer that is in a float's place at one instruction is still found at the others. */
static void test_refused_in_part(void **state) {
    (void)state;
    const uint8_t bytes[] = {RT_DWARF_OP_WASM_location, 2, 0, IS};
    translate(POINTER, bytes, sizeof bytes, NULL, true);
    assert_non_null(strstr(reason, "no integer"));
    const struct rt_machine_range *division;
    struct rt_arena arena;
    size_t count;
    rt_arena_init(&arena, 0);
    expect_good(rt_code_map_ranges(map, 0, past - 2, past - 1, &arena, &division, &count));
    assert_true(found_count > 0 && founds[found_count - 1].range.high > division->low);
    rt_arena_clear(&arena);
}

/* Why it is nowhere. */
static void refuse(const char *why, enum type type, const uint8_t *bytes, size_t size) {
    translate(type, bytes, size, NULL, true);
    assert_int_equal(found_count, 0);
    if (!strstr(reason, why))
        fail_msg("0x%x: \"%s\", not \"%s\"", bytes[0], reason, why);
}
#define REFUSE(why, type, ...)                                                                               \
    refuse(why, type, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void test_refused(void **state) {
    (void)state;
    REFUSE("entry", INT, RT_DWARF_OP_entry_value, 3, LOCAL(0), IS);
    REFUSE("means nothing", INT, RT_DWARF_OP_reg0);
    REFUSE("means nothing", INT, RT_DWARF_OP_call_frame_cfa);
    REFUSE("loop", INT, LOCAL(0), LOCAL(0), RT_DWARF_OP_bra, 0xf7, 0xff, IS);
    REFUSE("different stacks", INT, LOCAL(0), BRANCH(bra, 1), RT_DWARF_OP_lit0, IS);
    REFUSE("different stacks", INT, LOCAL(0), LOCAL(0), BRANCH(bra, 1), IS);
    REFUSE("no operation starts", INT, LOCAL(0), LOCAL(0), BRANCH(bra, 1), LOCAL(0), IS);
    REFUSE("no operation starts", INT, LOCAL(0), LOCAL(0), BRANCH(bra, 100), IS);
    REFUSE("nothing leads to", INT, LOCAL(0), BRANCH(skip, 2), RT_DWARF_OP_lit0, BRANCH(skip, 1), IS);
    REFUSE("no integer", INT, LOCAL(3), RT_DWARF_OP_plus_uconst, 1, IS);
    REFUSE("does not have", INT, LOCAL(60), IS);
    REFUSE("does not have", INT, RT_DWARF_OP_WASM_location, 1, 60, IS);
    REFUSE("unknown kind", INT, RT_DWARF_OP_WASM_location, 9, 0, IS);
    REFUSE("unknown operation", INT, 0xff);
    REFUSE("empty stack", INT, RT_DWARF_OP_plus);
    REFUSE("behind a value", INT, LOCAL(0), IS, RT_DWARF_OP_plus_uconst, 1);
    REFUSE("empty stack", INT, RT_DWARF_OP_form_tls_address);
    REFUSE("no integer", INT, RT_DWARF_OP_const_type, CHAR_TYPE, 2, 0, 0, IS);
    REFUSE("pieces", POINTER, LOCAL(0), IS, RT_DWARF_OP_piece, 4);
    REFUSE("another size", POINTER, LOCAL(2), IS);
}

/* ---- Ranges ---- */

static void put_entry(struct bytes *list, uint32_t low, uint32_t high, unsigned local) {
    put_little(list, low, 4);
    put_little(list, high, 4);
    put_little(list, 4, 2);
    PUT(list, LOCAL(local), IS);
}

/* Each entry of a list holds for the code of its own pcs, to the byte, and none for more. */
static void test_list(void **state) {
    (void)state;
    struct rt_arena arena;
    struct bytes list = {0};
    const uint32_t middle = code + 7; /* behind local.set */
    size_t next = 0;
    put_entry(&list, code, middle, 0);
    put_entry(&list, middle, middle, 0); /* an empty one */
    put_entry(&list, middle, past - 1, 1);
    put_little(&list, 0, 8);
    translate(INT, NULL, 0, &list, true);
    rt_arena_init(&arena, 0);
    for (uint32_t local = 0; local < 2; local++) {
        const struct rt_placed_range *ranges;
        size_t count;
        expect_good(rt_code_map_local(map, 0, local, local ? middle : code, local ? past - 1 : middle, &arena,
                                      &ranges, &count));
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++, next++) {
            assert_true(next < found_count && founds[next].has_range);
            assert_int_equal(founds[next].range.low, ranges[i].range.low);
            assert_int_equal(founds[next].range.high, ranges[i].range.high);
            const struct result result = evaluate(&founds[next]);
            assert_int_equal(result.kind, ADDRESS);
            assert_int_equal(result.number,
                             (uintptr_t)(frame + FRAME / 2) + (uint64_t)ranges[i].place.offset);
        }
    }
    assert_int_equal(next, found_count);
    rt_arena_clear(&arena);
    free(list.data);
}

/* A location that holds everywhere needs no range; one that needs a local is nowhere before that is there. */
static void test_scope(void **state) {
    (void)state;
    translate(INT, (const uint8_t[]){RT_DWARF_OP_addr, 4, 0, 0, 0}, 5, NULL, true);
    assert_int_equal(found_count, 1);
    assert_false(founds[0].has_range);
    translate(INT, (const uint8_t[]){RT_DWARF_OP_fbreg, 8}, 2, NULL, true);
    assert_true(found_count > 0 && founds[0].has_range);
    assert_int_equal(founds[0].range.low, rt_code_map_function(map, 0)->body);
}

/* ---- The guest ---- */

static int set_up(void **state) {
    (void)state;
    const struct rt_compile_options options = {.private_code = true, .writable_locals = true};
    const uint64_t numbers[] = {LOW, (uint32_t)WRAPS, LONG_LOCAL, 0};
    struct builder builder = {0};
    struct rt_arena arena;
    BUILD_FUNCTION(&builder, "f", "i:i", "iIF", RT_OP_LOCAL_GET, 0, RT_OP_I32_CONST, 1, RT_OP_I32_ADD,
                   RT_OP_LOCAL_SET, 1, RT_OP_LOCAL_GET, 3, RT_OP_F64_ABS, RT_OP_LOCAL_SET, 3, RT_OP_LOCAL_GET,
                   1, RT_OP_LOCAL_GET, 0, RT_OP_I32_DIV_S);
    build_memory(&builder, 1, 1);
    guest = run_with(&builder, &options, NULL, 0, NULL);
    expect_good(rt_code_map_create(guest.code, &map));
    assert_true(rt_module_function_range(guest.module, 0, &start, &code, &past));
    uint8_t *memory = rt_memory_base(rt_instance_memory(guest.instance, 0));
    memcpy(memory + 0x10, &(uint32_t){TEXT}, 4);
    memcpy(memory + TEXT, "text", 5);
    rt_arena_init(&arena, 0);
    for (uint32_t i = 0; i < 4; i++) {
        const struct rt_placed_range *ranges;
        size_t count;
        expect_good(rt_code_map_local(map, 0, i, code, past, &arena, &ranges, &count));
        memcpy(frame + FRAME / 2 + ranges[0].place.offset, &numbers[i], i < 2 ? 4 : 8);
    }
    const struct rt_placed_range *instance;
    size_t count;
    expect_good(rt_code_map_instance(map, 0, code, past, &arena, &instance, &count));
    for (size_t i = 0; i < count; i++)
        if (instance[i].place.where == RT_MACHINE_FRAME)
            memcpy(frame + FRAME / 2 + instance[i].place.offset, &guest.instance, sizeof guest.instance);
    rt_arena_clear(&arena);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    rt_code_map_destroy(map);
    stop(&guest);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_branches),
        cmocka_unit_test(test_implicit),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_narrow_pieces),
        cmocka_unit_test(test_left_out),
        cmocka_unit_test(test_refused_in_part),
        cmocka_unit_test(test_scope),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
#else
int main(void) {
    return 0;
}
#endif
